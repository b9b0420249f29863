#include "engine/takeout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "catalog/asleep.h"
#include "catalog/verify.h"
#include "engine/own.h"
#include "engine/takeout_keys.h"
#include "restore/export/export.h"
#include "store/folder.h"

#define FOUND_MAX 10000U

/* ---- out of a source ---- */

/* Beside the result, so that no clear text goes to another disk. */
static char *spill_of(const struct mst_takeout *t)
{
    const char *path = t->dir ? t->dir : t->archive;
    char *copy = mst_xstrdup(path), *slash;
    size_t n = strlen(copy);

    while (n > 1 && copy[n - 1] == '/') {
        copy[--n] = '\0';
    }
    slash = strrchr(copy, '/');
    if (strcmp(path, "-") == 0 || !slash) {
        (void)snprintf(copy, n + 1, "%s", n && strcmp(path, "-") != 0 ? "." : "");
    } else {
        slash[slash == copy ? 1 : 0] = '\0';
    }
    return copy;
}

static enum mst_rc write_out(const struct mst_takeout *t, struct mst_restore_source *s,
                             struct mst_task *task, struct mst_takeout_done *done,
                             struct mst_err *err)
{
    char *spill = spill_of(t);
    const struct mst_export_opts o = {.archive = t->archive,
                                      .dir = t->dir,
                                      .gzip = t->gzip,
                                      .no_oplog = t->no_oplog,
                                      .n_include = t->n_include,
                                      .include = t->include,
                                      .n_exclude = t->n_exclude,
                                      .exclude = t->exclude,
                                      .tool = t->tool,
                                      .spill_dir = *spill ? spill : NULL,
                                      .unchecked = true};
    struct mst_export_result r;
    const enum mst_rc rc = mst_export_run(&o, s, task, &r, err);

    done->collections = r.collections;
    done->views = r.views;
    done->documents = r.documents;
    done->doubles = r.doubles;
    done->data_bytes = r.data_bytes;
    done->ops = r.ops;
    done->txn_open = r.txn_open;
    done->stored_bytes = r.stored_bytes;
    done->partial = r.partial;
    done->oplog = r.oplog;
    free(spill);
    return rc;
}

/* In the words of a listing. */
static void say_trust(const struct mst_judgement *j, struct mst_takeout_done *done)
{
    struct mst_backup b = {.finished_wall_ms = 1, .sealed = done->sealed, .signature = j->how};

    (void)mst_copy(b.signer, sizeof(b.signer), j->who);
    (void)mst_backup_trust_words(&b, done->trust);
    done->signature = j->how;
}

static enum mst_rc take_out(struct mst_takeout_keys *k, const struct mst_catalog *c, const char *id,
                            struct mst_task *task, struct mst_takeout_done *done,
                            struct mst_err *err)
{
    struct mst_verify_opts v = {.id = done->id};
    struct mst_verify_result seen;
    struct mst_restore_source *s = NULL;
    struct mst_bkr *r = NULL;
    char meant[MST_ID_MAX];
    enum mst_rc rc;

    if (task) {
        mst_task_phase(task, "looking at the backup");
    }
    rc = mst_catalog_readable(c, id, task, meant, err);
    rc = rc == MST_OK ? mst_bkr_open_clear(c, meant, task, &r, err) : rc;
    rc = rc == MST_OK ? mst_takeout_keys_allow(k, mst_bkr_header(r)->id, mst_bkr_judgement(r), err)
                      : rc;
    mst_bkr_free(r); /* the signature first: before any key is asked for */
    r = NULL;
    rc = rc == MST_OK ? mst_bkr_open(c, meant, task, &r, err) : rc;
    if (rc == MST_OK) {
        (void)mst_copy(done->id, sizeof(done->id), mst_bkr_header(r)->id);
        (void)mst_copy(done->set, sizeof(done->set), mst_bkr_header(r)->set);
        done->point = mst_bkr_header(r)->last;
        done->sealed = mst_bkr_header(r)->sealed;
        if (mst_bkr_judgement(r)->how == MST_SIGNED_GOOD) {
            (void)mst_copy(done->signed_by, sizeof(done->signed_by), mst_bkr_judgement(r)->who);
        }
        say_trust(mst_bkr_judgement(r), done);
        (void)mst_copy(done->note, sizeof(done->note), mst_bkr_note(r));
    }
    mst_bkr_free(r);
    if (rc == MST_OK && task) {
        mst_task_phase(task, "checking every object");
    }
    rc = rc == MST_OK ? mst_verify_run(c, &v, task, &seen, err) : rc;
    if (rc == MST_OK) {
        done->objects = seen.objects;
        done->read_bytes = seen.stored_bytes;
        (void)mst_copy(done->warning, sizeof(done->warning), seen.warning);
        rc = seen.ok && seen.level == 2
                 ? mst_restore_source_backup(c, done->id, task, &s, err)
                 : mst_err_set(err, MST_E_INTEGRITY, "%s was not read back whole: %s", done->id,
                               seen.text);
    }
    rc = rc == MST_OK ? write_out(k->t, s, task, done, err) : rc;
    mst_restore_source_free(s);
    return rc;
}

/* ---- a folder of objects ---- */

struct finder {
    struct mst_takeout_found *v;
    size_t n, cap;
    bool full;
    struct key_at {           /* a key object, of whichever backup */
        char at[MST_KEY_MAX]; /* its folder, with the '/' */
        char id[MST_ID_MAX], attempt[17];
    } * keys;
    size_t n_keys, cap_keys;
};

static void see_key(struct finder *f, const char *key, const char *name)
{
    struct key_at *k;
    unsigned number;

    if (f->n_keys < FOUND_MAX * 4) {
        mst_grow((void **)&f->keys, &f->cap_keys, f->n_keys + 1, sizeof(*f->keys));
        k = &f->keys[f->n_keys];
        if (mst_keyobj_name(name, k->id, k->attempt, &number)) {
            (void)snprintf(k->at, sizeof(k->at), "%.*s", (int)(name - key), key);
            f->n_keys++;
        }
    }
}

static bool see(void *arg, const struct mst_store_item *item)
{
    struct finder *f = arg;
    const char *slash = strrchr(item->key, '/');
    struct mst_takeout_found *one;

    see_key(f, item->key, slash ? slash + 1 : item->key);
    if (strcmp(slash ? slash + 1 : item->key, "COMMIT") != 0) {
        return true;
    }
    if (f->n >= FOUND_MAX) {
        f->full = true;
        return false;
    }
    mst_grow((void **)&f->v, &f->cap, f->n + 1, sizeof(*f->v));
    one = &f->v[f->n++];
    memset(one, 0, sizeof(*one));
    if (slash) {
        (void)snprintf(one->at, sizeof(one->at), "%.*s/", (int)(slash - item->key), item->key);
    }
    return true;
}

/* Its key objects, wherever they were copied to: the first folder that has one. */
static void map_keys(const struct finder *f, struct mst_store *s, const struct mst_catalog *c,
                     const struct mst_commit *of)
{
    char as[MST_KEY_MAX];

    (void)snprintf(as, sizeof(as), "%s/keys/", c->base);
    for (size_t i = 0; i < f->n_keys; i++) {
        if (strcmp(f->keys[i].id, of->id) == 0 && strcmp(f->keys[i].attempt, of->attempt) == 0) {
            mst_store_folder_map(s, as, f->keys[i].at);
            return;
        }
    }
}

/* COMMIT and header say whose it is; then it stands where a bucket would have it. */
static enum mst_rc settle(const struct finder *all, struct mst_store *s,
                          struct mst_takeout_found *f, struct mst_catalog *c, struct mst_err *err)
{
    struct mst_buf b = {0};
    struct mst_commit commit = {0};
    struct mst_header h = {0};
    char key[MST_KEY_MAX + 32];
    enum mst_rc rc;

    mst_store_folder_unmap(s);
    (void)snprintf(key, sizeof(key), "%sCOMMIT", f->at);
    rc = mst_store_read_all(s, key, MST_HEADER_MAX, &b, err);
    rc = rc == MST_OK ? mst_commit_get((const char *)b.p, b.len, &commit, err) : rc;
    if (rc == MST_OK && !mst_catalog_id_ok(commit.id, NULL, NULL)) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "its id is none that muster gives");
    }
    if (rc != MST_OK) {
        mst_err_prefix(err, "%s", key);
    } else {
        mst_buf_reset(&b);
        (void)mst_copy(f->b.id, sizeof(f->b.id), commit.id);
        (void)snprintf(key, sizeof(key), "%s%s/header", f->at, commit.attempt);
        rc = mst_store_read_all(s, key, MST_HEADER_MAX, &b, err);
        err->rc = rc == MST_E_NOTFOUND ? MST_E_INTEGRITY : err->rc;
        rc = rc == MST_OK ? mst_header_get((const char *)b.p, b.len, &h, err) : err->rc;
        if (rc != MST_OK) {
            mst_err_prefix(err, "the header of %s", commit.id);
        }
    }
    if (rc == MST_OK) {
        (void)mst_copy(f->set, sizeof(f->set), h.set);
        rc = mst_catalog_init(c, s, "", h.set, err);
    }
    if (rc == MST_OK) {
        mst_catalog_key(c, commit.id, "", "", key);
        if (key[strlen(key) - 1] != '/') {
            (void)mst_copy(key + strlen(key), 2, "/");
        }
        mst_store_folder_map(s, key, f->at);
        map_keys(all, s, c, &commit);
    }
    mst_buf_release(&b);
    return rc;
}

static enum mst_rc find_all(const char *folder, struct mst_task *task, struct mst_store **s,
                            struct finder *f, struct mst_err *err)
{
    enum mst_rc rc = mst_store_folder_open(folder, s, err);

    rc = rc == MST_OK ? mst_store_list(*s, "", see, f, task, err) : rc;
    if (rc == MST_OK && f->full) {
        rc = mst_err_set(err, MST_E_LIMIT, "%s holds more than %u backups: name a part of it",
                         folder, FOUND_MAX);
    }
    if (rc == MST_OK && !f->n) {
        rc = mst_err_set(err, MST_E_NOTFOUND,
                         "no backup of muster is in %s: there is no COMMIT in it or below", folder);
    }
    return rc;
}

enum mst_rc mst_takeout_list(const char *folder, struct mst_task *task,
                             struct mst_takeout_found **out, size_t *n, struct mst_err *err)
{
    struct finder f = {0};
    struct mst_store *s = NULL;
    enum mst_rc rc = find_all(folder, task, &s, &f, err);

    for (size_t i = 0; rc == MST_OK && i < f.n; i++) {
        struct mst_err one = {0};
        struct mst_catalog c;
        char id[MST_ID_MAX];

        if (settle(&f, s, &f.v[i], &c, &one) == MST_OK) {
            (void)mst_copy(id, sizeof(id), f.v[i].b.id);
            (void)!mst_catalog_find(&c, id, task, &f.v[i].b, &one);
        }
        if (one.rc != MST_OK) {
            f.v[i].b.state = one.rc == MST_E_STALE ? MST_BK_NEWER : MST_BK_DAMAGED;
            (void)mst_copy(f.v[i].b.problem, sizeof(f.v[i].b.problem), one.msg);
        }
        rc = mst_task_check(task, err);
    }
    mst_store_free(s);
    free(f.keys);
    *out = rc == MST_OK ? f.v : NULL;
    *n = rc == MST_OK ? f.n : 0;
    if (rc != MST_OK) {
        free(f.v);
    }
    return rc;
}

/* Which of them: the one of this id, or the only one. */
static enum mst_rc choose(struct finder *f, struct mst_store *s, const char *id,
                          struct mst_takeout_found **out, struct mst_catalog *c,
                          struct mst_err *err)
{
    struct mst_takeout_found *hit = NULL;
    const bool latest = id && strcmp(id, "latest") == 0;

    if (!id && f->n > 1) {
        return mst_err_set(
            err, MST_E_USAGE,
            "more than one backup is in it (%zu): name one with --backup ID; --list shows "
            "them",
            f->n);
    }
    for (size_t i = 0; i < f->n; i++) {
        const enum mst_rc rc = settle(f, s, &f->v[i], c, err);

        if (rc != MST_OK && f->n == 1) {
            return rc;
        }
        if (rc != MST_OK || (id && !latest && strcmp(f->v[i].b.id, id) != 0)) {
            continue;
        }
        if (hit && strcmp(hit->set, f->v[i].set) != 0) {
            return mst_err_set(err, MST_E_USAGE,
                               "backups of %.64s and of %.64s fit: open the folder of one set",
                               hit->set, f->v[i].set);
        }
        if (!hit || strcmp(f->v[i].b.id, hit->b.id) > 0) {
            hit = &f->v[i];
        }
    }
    if (!hit) {
        return mst_err_set(err, MST_E_NOTFOUND, "no backup %.64s is in it: --list shows what is",
                           id ? id : "");
    }
    *out = hit;
    return settle(f, s, hit, c, err);
}

static enum mst_rc from_folder(struct mst_takeout_keys *k, struct mst_task *task,
                               struct mst_takeout_done *done, struct mst_err *err)
{
    const struct mst_takeout *t = k->t;
    struct finder f = {0};
    struct mst_store *s = NULL;
    struct mst_takeout_found *hit = NULL;
    struct mst_catalog c;
    enum mst_rc rc = find_all(t->folder, task, &s, &f, err);

    rc = rc == MST_OK ? choose(&f, s, t->backup, &hit, &c, err) : rc;
    if (rc == MST_OK) {
        mst_takeout_keys_use(k, &c);
        rc = take_out(k, &c, hit->b.id, task, done, err);
    }
    mst_store_free(s);
    free(f.keys);
    free(f.v);
    return rc;
}

/* ---- the configured store ---- */

static enum mst_rc from_store(struct mst_takeout_keys *k, struct mst_task *task,
                              struct mst_takeout_done *done, struct mst_err *err)
{
    const struct mst_takeout *t = k->t;
    struct mst_own o = {0};
    enum mst_rc rc =
        mst_own_open(&o, k->cfg, t->store ? t->store : "", false, t->as_of_ms, task, err);

    if (rc == MST_OK) {
        mst_takeout_keys_use(k, &o.cat);
        rc = take_out(k, &o.cat, t->backup ? t->backup : "latest", task, done, err);
    }
    mst_own_release(&o);
    return rc;
}

enum mst_rc mst_takeout_run(const struct mst_cfg *cfg, const struct mst_takeout *t,
                            struct mst_task *task, struct mst_takeout_done *done,
                            struct mst_err *err)
{
    struct mst_takeout_keys k;
    enum mst_rc rc;

    memset(done, 0, sizeof(*done));
    MST_ASSERT(!t->archive != !t->dir);
    rc = mst_takeout_keys_init(&k, t->folder ? NULL : cfg, t, err);
    if (rc == MST_OK) {
        rc = t->folder ? from_folder(&k, task, done, err) : from_store(&k, task, done, err);
    }
    mst_takeout_keys_release(&k);
    return rc;
}
