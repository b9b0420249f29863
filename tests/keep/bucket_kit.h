/* bucket_kit.h: a simulated set whose backups are sealed, signed and go into a scripted bucket, a
 * directory, or both; they are made by another process, which is this program again, so that it can
 * die in the middle of any request. */
#ifndef MST_TEST_BUCKET_KIT_H
#define MST_TEST_BUCKET_KIT_H

#include "far_kit.h"
#include "keep_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "catalog/copy.h"
#include "catalog/marks.h"
#include "catalog/orphans.h"
#include "catalog/verify.h"
#include "mongo/mongo.h"
#include "store/tee.h"

#define KEYS_MAX 512U

/* --- keys ------------------------------------------------------------------------------------- */

struct secrets {
    struct mst_identity ops;
    struct mst_sign_key signer;
    struct mst_trust trust;
    struct mst_readers readers;
    struct mst_key_means means;
};

static inline enum mst_rc open_with(void *arg, const struct mst_key_object *k,
                                    struct mst_data_key *out, struct mst_err *err)
{
    return mst_key_object_open(k, arg, out, err);
}

static inline void secrets_finish(struct secrets *x)
{
    struct mst_err err = {0};

    assert_ok(mst_trust_add(&x->trust, x->signer.pub, "db1", &err), &err);
    x->readers.n = 1;
    memcpy(x->readers.to[0].pub, x->ops.pub, MST_RECIPIENT_LEN);
    x->means.identity = &x->ops;
}

static inline void secrets_new(struct secrets *x, const char *file)
{
    struct mst_err err = {0};
    uint8_t both[MST_RECIPIENT_LEN + MST_SIGN_KEY_LEN];

    assert_ok(mst_identity_new(&x->ops, &err), &err);
    assert_ok(mst_sign_key_new(&x->signer, &err), &err);
    memcpy(both, x->ops.secret, MST_RECIPIENT_LEN);
    memcpy(both + MST_RECIPIENT_LEN, x->signer.secret, MST_SIGN_KEY_LEN);
    assert_ok(mst_file_replace(file, 0600, both, sizeof(both), &err), &err);
    secrets_finish(x);
}

static inline void secrets_load(struct secrets *x, const char *file)
{
    struct mst_err err = {0};
    struct mst_buf b = {0};

    assert_ok(mst_file_read(file, 4096, &b, &err), &err);
    assert_ok(mst_identity_set(&x->ops, b.p, &err), &err);
    assert_ok(mst_sign_key_set(&x->signer, b.p + MST_RECIPIENT_LEN, &err), &err);
    mst_buf_release(&b);
    secrets_finish(x);
}

static inline void secrets_release(struct secrets *x)
{
    mst_identity_release(&x->ops);
    mst_sign_key_release(&x->signer);
}

static inline void secrets_into(struct secrets *x, struct mst_catalog *c)
{
    c->trust = &x->trust;
    c->signer = &x->signer;
    c->unlock = open_with;
    c->unlock_arg = &x->means;
}

/* --- the process that dies -------------------------------------------------------------------- */

struct act { /* argv: act, folder, kind, endpoint, source, primary, id, "child" */
    struct secrets x;
    const char *const *argv;
    struct mst_store *near, *far, *tee;
    struct mst_catalog from, to;
    struct mst_err err;
};

static inline enum mst_rc act_backup(struct act *a)
{
    struct mst_topo_member m[2] = {{.configured = true, .builds_indexes = true},
                                   {.configured = true, .builds_indexes = true}};
    struct mst_topo_view v = {.n = 2, .members = m, .primary = 1};
    const struct mst_backup_opts o = {.catalog = &a->to,
                                      .connect = keep_connect,
                                      .topo = &v,
                                      .readers = &a->x.readers,
                                      .scans = 1,
                                      .muster = "test"};
    struct mst_backup_result res;

    for (int i = 0; i < 2; i++) {
        (void)mst_copy(m[i].name, sizeof(m[i].name), a->argv[4 + i]);
        m[i].reach = MST_REACH_OK;
    }
    m[0].shown = MST_SHOW_SECONDARY;
    m[1].shown = MST_SHOW_PRIMARY;
    return mst_backup_run(&o, NULL, &res, &a->err);
}

static inline enum mst_rc act_orphans(struct act *a)
{
    struct mst_orphans o = {0};
    uint64_t removed = 0;
    const int64_t now = mst_clock_utc_ms(NULL);
    enum mst_rc rc = mst_orphans_find(&a->to, now + 5000, now, NULL, &o, &a->err);

    rc = rc == MST_OK ? mst_orphans_remove(&a->to, &o, NULL, &removed, &a->err) : rc;
    mst_orphans_release(&o);
    return rc;
}

static inline enum mst_rc act_do(struct act *a)
{
    const char *what = a->argv[0], *id = a->argv[6];
    const struct mst_copy_opts o = {.id = id, .by = "ann"};
    struct mst_copy_result res;
    uint64_t removed;

    if (strcmp(what, "copy") == 0) {
        return mst_copy_run(&a->from, &a->to, &o, NULL, &res, &a->err);
    }
    if (strncmp(what, "clean", 5) == 0) {
        return mst_catalog_clean(&a->to, id, NULL, &removed, &a->err);
    }
    return strcmp(what, "orphans") == 0 ? act_orphans(a) : act_backup(a);
}

/* What this process was started for; it waits for a byte first. */
static inline int child(const char *const *argv)
{
    struct act a = {.argv = argv};
    struct mst_tee_opts tee = {.n = 2};
    char *file = mst_xasprintf("%s/secrets", argv[1]), *path = mst_xasprintf("%s/near", argv[1]);
    char byte;

    if (read(0, &byte, 1) != 1) {
        return 3;
    }
    mst_mongo_init();
    secrets_load(&a.x, file);
    a.far = far_open((enum far_kind)(argv[2][0] - '0'), argv[3], "site");
    assert_ok(mst_store_local_open("near", path, true, &a.near, &a.err), &a.err);
    tee.stores[0] = a.near;
    tee.stores[1] = a.far;
    a.tee = mst_store_tee_new(&tee);
    assert_ok(mst_catalog_init(&a.from, a.near, "", "rs0", &a.err), &a.err);
    assert_ok(mst_catalog_init(&a.to, a.far, "", "rs0", &a.err), &a.err);
    secrets_into(&a.x, &a.from);
    secrets_into(&a.x, &a.to);
    a.to.store = strstr(argv[0], "near") ? a.near : strcmp(argv[0], "both") == 0 ? a.tee : a.far;
    if (act_do(&a) != MST_OK) {
        (void)fprintf(stderr, "%s: %s\n", argv[0], a.err.msg);
        return 4;
    }
    mst_store_free(a.tee);
    mst_store_free(a.near);
    mst_store_free(a.far);
    secrets_release(&a.x);
    free(file);
    free(path);
    return 0;
}

/* --- what the test sees ----------------------------------------------------------------------- */

struct keys { /* names of objects, in order */
    size_t n;
    char *v[KEYS_MAX];
};

static inline void keys_release(struct keys *k)
{
    for (size_t i = 0; i < k->n; i++) {
        free(k->v[i]);
    }
    k->n = 0;
}

static inline bool keys_add(void *arg, const struct mst_store_item *item)
{
    struct keys *k = arg;

    assert_true(k->n < KEYS_MAX);
    k->v[k->n++] = mst_xstrdup(item->key);
    return true;
}

static inline bool keys_has(const struct keys *k, const char *key)
{
    for (size_t i = 0; i < k->n; i++) {
        if (strcmp(k->v[i], key) == 0) {
            return true;
        }
    }
    return false;
}

struct place { /* one store of the test's own: nobody else's process has it open */
    const char *name;
    struct mst_store *store;
    struct mst_catalog c;
    struct keys base; /* what stood there before */
};

struct sweep {
    struct keep k;
    struct far srv;
    struct secrets x;
    struct place near, far;
    char first[MST_ID_MAX]; /* the backup that stands in both */
    size_t per_backup;      /* objects of a whole one */
    bson_t *hashes;         /* of the documents */
    unsigned kills;
};

static inline void place_open(struct sweep *w, struct place *p)
{
    char *path = mst_xasprintf("%s/near", w->k.dir);
    struct mst_err err = {0};

    if (p == &w->far) {
        p->store = far_open(w->srv.kind, far_endpoint(&w->srv), "site");
    } else {
        assert_ok(mst_store_local_open("near", path, true, &p->store, &err), &err);
    }
    p->name = p == &w->far ? "far" : "near";
    assert_ok(mst_catalog_init(&p->c, p->store, "", "rs0", &err), &err);
    secrets_into(&w->x, &p->c);
    free(path);
}

static inline void place_close(struct place *p)
{
    mst_store_free(p->store);
    p->store = NULL;
}

static inline void place_keys(const struct place *p, struct keys *out)
{
    struct mst_err err = {0};

    out->n = 0;
    assert_ok(mst_store_list(p->store, "", keys_add, out, NULL, &err), &err);
}

/* Everything that was not there in the beginning goes. */
static inline void place_back(const struct place *p)
{
    struct keys now;
    struct mst_err err = {0};

    place_keys(p, &now);
    for (size_t i = 0; i < now.n; i++) {
        if (!keys_has(&p->base, now.v[i])) {
            assert_ok(mst_store_delete(p->store, now.v[i], &err), &err);
        }
    }
    keys_release(&now);
}

/* The death may be NULL. true: the process was killed; else it must have done its work. */
static inline bool act_in_child(struct sweep *w, const char *act, const char *id,
                                const struct death *d)
{
    const int p = keep_primary(&w->k);
    const char *source = w->k.names[(p + 1) % 3], *primary = w->k.names[p];
    char *argv[] = {mst_xstrdup("/proc/self/exe"),
                    mst_xstrdup(act),
                    mst_xstrdup(w->k.dir),
                    mst_xasprintf("%d", (int)w->srv.kind),
                    mst_xstrdup(far_endpoint(&w->srv)),
                    mst_xstrdup(source),
                    mst_xstrdup(primary),
                    mst_xstrdup(id),
                    mst_xstrdup("child"),
                    NULL};
    int status;

    status = far_run(&w->srv, argv, environ, d);
    for (size_t i = 0; argv[i]; i++) {
        free(argv[i]);
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        w->kills++;
        return true;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("%s ended with %d", act, status);
    }
    return false;
}

static inline void insert_docs(struct keep *k, const char *coll, int n, size_t pad)
{
    uint32_t seed = 5;

    for (int at = 0; at < n;) {
        struct mst_str s = {0};

        mst_str_addf(&s, "{'insert': '%s', 'documents': [", coll);
        for (int i = 0; i < 100 && at < n; i++, at++) {
            mst_str_addf(&s, "%s{'_id': %d, 'pad': '", i ? ", " : "", at);
            for (size_t c = 0; c < pad; c += 8) { /* hardly compresses */
                seed = seed * 1664525U + 1013904223U;
                mst_str_addf(&s, "%08x", seed);
            }
            mst_str_add(&s, "'}");
        }
        mst_str_add(&s, "], 'writeConcern': {'w': 3}}");
        keep_do(k, "shop", mst_str_c(&s));
        mst_str_release(&s);
    }
}

/* The first backup stands in the directory and, when asked for, in the bucket. */
static inline struct sweep *sweep_new(enum far_kind kind, int large, bool in_far)
{
    struct sweep *w = mst_xcalloc(1, sizeof(*w));
    struct mst_backup *all;
    struct mst_err err = {0};
    char *file, *near;
    size_t n;

    keep_start(&w->k, (struct sbx_opts){.fast = true, .seed = 7});
    w->k.quiet = true;
    far_start(&w->srv, kind);
    file = mst_xasprintf("%s/secrets", w->k.dir);
    near = mst_xasprintf("%s/near", w->k.dir);
    secrets_new(&w->x, file);
    assert_int_equal(mkdir(near, 0700), 0);
    insert_docs(&w->k, "a", 60, 160);
    insert_docs(&w->k, "b", 7, 16);
    insert_docs(&w->k, "large", large, 16000);
    w->hashes = keep_dbhash(&w->k, "shop");
    assert_false(act_in_child(w, in_far ? "both" : "near", "", NULL));
    place_open(w, &w->near);
    assert_ok(mst_catalog_list(&w->near.c, NULL, &all, &n, &err), &err);
    assert_int_equal(n, 1);
    (void)mst_copy(w->first, sizeof(w->first), all[0].id);
    place_keys(&w->near, &w->near.base);
    w->per_backup = w->near.base.n;
    place_open(w, &w->far);
    place_keys(&w->far, &w->far.base);
    assert_true(w->far.base.n == (in_far ? w->per_backup : 0));
    place_close(&w->far);
    place_close(&w->near);
    free(all);
    free(file);
    free(near);
    return w;
}

static inline void sweep_free(struct sweep *w)
{
    keys_release(&w->near.base);
    keys_release(&w->far.base);
    bson_destroy(w->hashes);
    far_stop(&w->srv);
    keep_stop(&w->k);
    secrets_release(&w->x);
    free(w);
}

/* --- what must hold after every death --------------------------------------------------------- */

/* Read back to its end, opened with the key, and no less good than before. */
static inline void reads_back(const struct place *p, const char *id)
{
    const struct mst_verify_opts o = {.id = id};
    struct mst_verify_result res;
    struct mst_err err = {0};

    assert_ok(mst_verify_run(&p->c, &o, NULL, &res, &err), &err);
    assert_int_equal(res.level, 2);
    assert_string_equal(res.warning, "");
}

/* Everything of the set is changed, restored from there, and what it was. */
static inline void restores(struct sweep *w, const struct place *p, const char *id)
{
    struct mst_restore_source *s = NULL;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_err err = {0};
    bson_iter_t it, have;
    bson_t *got;

    keep_do(&w->k, "shop", "{'delete': 'a', 'deletes': [{'q': {}, 'limit': 0}]}");
    keep_do(&w->k, "shop", "{'update': 'b', 'updates': [{'q': {'_id': 1}, 'u': {'x': 1}}]}");
    assert_ok(mst_restore_source_backup(&p->c, id, NULL, &s, &err), &err);
    keep_restore_opts(&w->k, &o);
    assert_ok(keep_restore(&w->k, &o, s, &res, &err), &err);
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
    got = keep_dbhash(&w->k, "shop");
    assert_true(bson_iter_init(&it, w->hashes));
    while (bson_iter_next(&it)) {
        if (!bson_iter_init_find(&have, got, bson_iter_key(&it)) ||
            strcmp(bson_iter_utf8(&have, NULL), bson_iter_utf8(&it, NULL)) != 0) {
            fail_msg("shop.%s of %s in %s is not what it was", bson_iter_key(&it), id, p->name);
        }
    }
    bson_destroy(got);
    for (int i = 0; i < 3; i++) { /* the next backup begins behind it */
        assert_true(kit_wait_same(&w->k.kit, i, keep_primary(&w->k), 10000));
    }
}

static inline void orphans_removed(const struct place *p)
{
    struct act a = {.to = p->c};

    assert_ok(act_orphans(&a), &a.err);
}

/* After orphans were removed: the first backup, at most one other, which is whole, and nothing
 * else. Returns whether there is another one; its id into id. */
static inline bool only_whole_backups(struct sweep *w, const struct place *p, char id[MST_ID_MAX])
{
    struct keys now;
    size_t more = 0, uploads = p == &w->far ? far_uploads(&w->srv) : 0;
    char part[MST_ID_MAX + 2];

    assert_int_equal(uploads, 0);
    place_keys(p, &now);
    for (size_t i = 0; i < p->base.n; i++) {
        if (!keys_has(&now, p->base.v[i])) {
            fail_msg("%s is gone from %s", p->base.v[i], p->name);
        }
    }
    (void)snprintf(part, sizeof(part), "/%s", id);
    for (size_t i = 0; i < now.n; i++) {
        more += !keys_has(&p->base, now.v[i]);
        if (!keys_has(&p->base, now.v[i]) && (!*id || !strstr(now.v[i], part))) {
            fail_msg("%s is left in %s", now.v[i], p->name);
        }
    }
    assert_true(more == (*id ? w->per_backup : 0));
    keys_release(&now);
    return *id;
}

/* What a new process finds: the first backup as good as before, and whether there is a second whole
 * one (its id); a half one is called that. */
static inline void what_is_listed(struct sweep *w, const struct place *p, char id[MST_ID_MAX])
{
    struct mst_backup *all;
    struct mst_err err = {0};
    size_t n, first = 0;

    id[0] = '\0';
    assert_ok(mst_catalog_list(&p->c, NULL, &all, &n, &err), &err);
    assert_true(n <= 2);
    for (size_t i = 0; i < n; i++) {
        const bool old = p->base.n && strcmp(all[i].id, w->first) == 0;

        first += old;
        if (all[i].state == MST_BK_COMPLETE && !old) {
            (void)mst_copy(id, MST_ID_MAX, all[i].id);
        } else if (all[i].state != MST_BK_COMPLETE && all[i].state != MST_BK_INCOMPLETE) {
            fail_msg("%s in %s is %s: %s", all[i].id, p->name, mst_backup_state_word(all[i].state),
                     all[i].problem);
        }
        assert_true(all[i].state == MST_BK_INCOMPLETE || all[i].is_signed);
    }
    assert_true(first == (p->base.n ? 1U : 0U));
    free(all);
}

/* One store after a death; back to what it was. Whether a second backup is whole there. */
static inline bool look_at(struct sweep *w, struct place *p)
{
    char id[MST_ID_MAX];

    place_open(w, p);
    what_is_listed(w, p, id);
    if (*id) {
        reads_back(p, id);
        restores(w, p, id);
    }
    orphans_removed(p);
    (void)only_whole_backups(w, p, id);
    place_back(p);
    place_close(p);
    return *id;
}

/* Is this process the one that dies? Then argv[1] on is what it was started with. */
static inline bool is_child(int argc, char **argv)
{
    return argc == 9 && strcmp(argv[8], "child") == 0;
}

#endif
