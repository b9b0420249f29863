/* Listing: one walk over the keys, then COMMIT, header and newest marks of each backup. The
 * objects' number and sizes come from the walk, so a missing or truncated one shows without being
 * read. */
#include <limits.h>

#include "base/mem.h"
#include "base/text.h"
#include "catalog/keyobj.h"

#define ATTEMPTS_MAX 256U
#define MARKS_KEPT 8U

struct attempt {
    char name[17];
    uint64_t objects, bytes;              /* data and oplog */
    int64_t header, manifest, copy, sums; /* sizes; -1 absent */
};

struct group { /* everything below one id */
    char id[MST_ID_MAX];
    struct attempt *attempts;
    size_t n_attempts, cap_attempts;
    bool commit, key_alone;
    uint64_t bytes, foreign;
    size_t n_marks; /* newest kept, oldest first */
    char marks[MARKS_KEPT][64];
};

struct walk {
    size_t skip;
    struct group *groups;
    size_t n, cap;
    bool too_many;
    struct mst_keyed *keys; /* which attempts have a key object */
    size_t n_keys;
};

struct look { /* what examining one backup needs */
    const struct mst_catalog *c;
    const struct walk *w;
    struct mst_buf *buf;
    struct mst_link *link; /* of the backup in work */
};

static struct group *group_of(struct walk *w, const char *id, size_t len)
{
    char name[MST_ID_MAX];
    struct group *g;

    mst_text_clean(name, sizeof(name), id, len);
    if (w->n && strcmp(w->groups[w->n - 1].id, name) == 0) {
        return &w->groups[w->n - 1];
    }
    if (w->n >= MST_CATALOG_BACKUPS_MAX) {
        w->too_many = true;
        return NULL;
    }
    mst_grow((void **)&w->groups, &w->cap, w->n + 1, sizeof(*w->groups));
    g = &w->groups[w->n++];
    memset(g, 0, sizeof(*g));
    (void)mst_copy(g->id, sizeof(g->id), name);
    return g;
}

static bool attempt_ok(const char *name, size_t len)
{
    if (len != 16) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!((name[i] >= '0' && name[i] <= '9') || (name[i] >= 'a' && name[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

static struct attempt *attempt_of(struct group *g, const char *name, size_t len)
{
    struct attempt *a = g->n_attempts ? &g->attempts[g->n_attempts - 1] : NULL;

    if (a && strlen(a->name) == len && strncmp(a->name, name, len) == 0) {
        return a;
    }
    if (!attempt_ok(name, len) || g->n_attempts >= ATTEMPTS_MAX) {
        return NULL;
    }
    mst_grow((void **)&g->attempts, &g->cap_attempts, g->n_attempts + 1, sizeof(*g->attempts));
    a = &g->attempts[g->n_attempts++];
    memset(a, 0, sizeof(*a));
    memcpy(a->name, name, len);
    a->header = a->manifest = a->copy = a->sums = -1;
    return a;
}

static void see_mark(struct group *g, const char *name)
{
    if (strlen(name) >= sizeof(g->marks[0])) {
        g->foreign++;
        return;
    }
    if (g->n_marks == MARKS_KEPT) {
        memmove(g->marks[0], g->marks[1], sizeof(g->marks) - sizeof(g->marks[0]));
        g->n_marks--;
    }
    (void)mst_copy(g->marks[g->n_marks++], sizeof(g->marks[0]), name);
}

static void see_object(struct group *g, const char *rest, uint64_t bytes)
{
    const char *slash = strchr(rest, '/');
    struct attempt *a;

    if (strcmp(rest, "COMMIT") == 0) {
        g->commit = true;
        return;
    }
    if (strncmp(rest, "marks/", 6) == 0 && !strchr(rest + 6, '/')) {
        see_mark(g, rest + 6);
        return;
    }
    a = slash ? attempt_of(g, rest, (size_t)(slash - rest)) : NULL;
    rest = slash ? slash + 1 : rest;
    if (!a) {
        g->foreign++;
    } else if (strncmp(rest, "d/", 2) == 0 || strncmp(rest, "oplog-", 6) == 0) {
        a->objects++;
        a->bytes += bytes;
    } else if (strcmp(rest, "header") == 0) {
        a->header = (int64_t)bytes;
    } else if (strcmp(rest, "manifest") == 0) {
        a->manifest = (int64_t)bytes;
    } else if (strcmp(rest, "manifest.copy") == 0) {
        a->copy = (int64_t)bytes;
    } else if (strcmp(rest, "sums") == 0) {
        a->sums = (int64_t)bytes;
    } else {
        g->foreign++;
    }
}

static bool see(void *arg, const struct mst_store_item *item)
{
    struct walk *w = arg;
    const char *id = item->key + w->skip;
    const char *slash = strchr(id, '/');
    struct group *g;

    if (strlen(item->key) < w->skip) {
        return true;
    }
    g = group_of(w, id, slash ? (size_t)(slash - id) : strlen(id));
    if (!g) {
        return false;
    }
    g->bytes += item->bytes;
    if (slash) {
        see_object(g, slash + 1, item->bytes);
    } else {
        g->foreign++; /* an object where a backup's directory should be */
    }
    return true;
}

/* --- one backup ------------------------------------------------------------------------------- */

#define PROBLEM(b, st, ...) \
    do { \
        (b)->state = (st); \
        (void)snprintf((b)->problem, sizeof((b)->problem), __VA_ARGS__); \
        mst_text_sanitise((b)->problem); \
    } while (0)

static void fill(struct mst_backup *b, const struct mst_header *h, const struct mst_commit *c)
{
    b->started_wall_ms = h->started_wall_ms;
    b->finished_wall_ms = h->finished_wall_ms;
    b->first = h->first;
    b->last = h->last;
    b->data_bytes = h->data_bytes;
    b->stored_bytes = h->stored_bytes + c->header_bytes + 2 * c->manifest_bytes + h->sums_bytes;
    b->documents = h->documents;
    b->namespaces = h->namespaces;
    b->left_out = h->left_out;
    (void)mst_copy(b->kind, sizeof(b->kind), h->kind);
    (void)mst_copy(b->source, sizeof(b->source), h->source);
    (void)mst_copy(b->server_version, sizeof(b->server_version), h->server_version);
    (void)mst_copy(b->fcv, sizeof(b->fcv), h->fcv);
    b->sealed = h->sealed;
    b->counter = c->counter;
    (void)mst_copy(b->key_id, sizeof(b->key_id), h->key_id);
    b->unproven = h->unproven;
}

/* MST_OK with the object in buf; else the backup's state says why. */
static enum mst_rc get(const struct mst_catalog *c, const struct group *g, const char *attempt,
                       const char *name, struct mst_buf *buf, struct mst_backup *b,
                       struct mst_err *err)
{
    char key[MST_KEY_MAX];

    mst_catalog_key(c, g->id, attempt, name, key);
    mst_buf_reset(buf);
    if (mst_store_read_all(c->store, key, MST_HEADER_MAX, buf, err) != MST_OK) {
        if (err->rc == MST_E_NOTFOUND) {
            PROBLEM(b, MST_BK_DAMAGED, "its %s is missing", name);
        } else {
            PROBLEM(b, MST_BK_DAMAGED, "its %s cannot be read: %.150s", name, err->msg);
        }
    }
    return err->rc;
}

static void refuse(struct mst_backup *b, const char *name, const struct mst_err *err)
{
    PROBLEM(b, err->rc == MST_E_STALE ? MST_BK_NEWER : MST_BK_DAMAGED, "its %s %.170s", name,
            err->msg);
}

static void check_sizes(struct mst_backup *b, const struct attempt *a, const struct mst_header *h,
                        const struct mst_commit *c)
{
    const int64_t want = (int64_t)c->manifest_bytes;

    if (a->objects != h->objects || a->bytes != h->stored_bytes) {
        PROBLEM(b, MST_BK_DAMAGED,
                "objects: %llu of %u are there, with %llu of %llu bytes: verify it for their names",
                (unsigned long long)a->objects, h->objects, (unsigned long long)a->bytes,
                (unsigned long long)h->stored_bytes);
    } else if (a->manifest != want && a->copy != want) {
        PROBLEM(b, MST_BK_DAMAGED, "its manifest and its copy are missing or cut short");
    } else if (a->manifest != want || a->copy != want) {
        PROBLEM(b, MST_BK_DAMAGED,
                "one copy of its manifest (%s) is missing or cut short, the other is used: make a "
                "new backup",
                a->manifest != want ? "manifest" : "manifest.copy");
    } else if (h->sealed && a->sums != (int64_t)h->sums_bytes) {
        PROBLEM(b, MST_BK_DAMAGED, "its list of sums is missing or cut short: make a new backup");
    }
}

/* Does a mark say something about this backup? A good one counts only when somebody who is believed
 * signed it, where signers are named; a bad one always does. */
static bool mark_counts(const struct mst_catalog *c, const struct mst_buf *buf,
                        const struct mst_mark *m)
{
    struct mst_judgement j;
    struct mst_err ignore = {0};

    mst_trust_judge(c->trust, (const char *)buf->p, buf->len, m->signer, m->signature, &j);
    return !m->ok || mst_trust_allow(c->trust, m->id, &j, &ignore) == MST_OK;
}

static void read_marks(const struct look *k, const struct group *g, const struct mst_commit *commit,
                       struct mst_backup *b)
{
    for (size_t i = g->n_marks; i-- > 0 && b->verified_wall_ms == 0;) {
        struct mst_err err = {0};
        struct mst_mark m;
        char key[MST_KEY_MAX], name[80];

        (void)snprintf(name, sizeof(name), "marks/%s", g->marks[i]);
        mst_catalog_key(k->c, g->id, "", name, key);
        mst_buf_reset(k->buf);
        if (mst_store_read_all(k->c->store, key, MST_HEADER_MAX, k->buf, &err) != MST_OK ||
            mst_mark_get((const char *)k->buf->p, k->buf->len, &m, &err) != MST_OK ||
            m.kind != MST_MARK_VERIFIED || strcmp(m.id, g->id) != 0 ||
            strcmp(m.header_sha, commit->header_sha) != 0 || !mark_counts(k->c, k->buf, &m)) {
            continue; /* damaged, or about something else: it proves nothing */
        }
        b->verified_wall_ms = m.wall_ms;
        b->verified_ok = m.ok;
        b->verified_level = m.level;
        (void)mst_copy(b->verified_text, sizeof(b->verified_text), m.text);
        if (!m.ok && (b->state == MST_BK_COMPLETE || b->state == MST_BK_PARTIAL)) {
            PROBLEM(b, MST_BK_DAMAGED, "%s found: %.180s", m.level == 1 ? "rebuild" : "verify",
                    m.text);
        }
    }
}

static const struct attempt *attempt_named(const struct group *g, const char *name)
{
    for (size_t i = 0; i < g->n_attempts; i++) {
        if (strcmp(g->attempts[i].name, name) == 0) {
            return &g->attempts[i];
        }
    }
    return NULL;
}

/* COMMIT as it stands, judged. */
static enum mst_rc read_commit(const struct look *k, const struct group *g, struct mst_backup *b,
                               struct mst_commit *commit, struct mst_judgement *j)
{
    struct mst_err err = {0};
    uint8_t sha[MST_SHA256_LEN];

    if (get(k->c, g, "", "COMMIT", k->buf, b, &err) != MST_OK) {
        return err.rc;
    }
    mst_sha256_of(k->buf->p, k->buf->len, sha);
    (void)mst_hex(sha, sizeof(sha), k->link->sha);
    if (mst_commit_get((const char *)k->buf->p, k->buf->len, commit, &err) != MST_OK) {
        refuse(b, "COMMIT", &err);
        return err.rc;
    }
    mst_trust_judge(k->c->trust, (const char *)k->buf->p, k->buf->len, commit->signer,
                    commit->signature, j);
    b->signature = j->how;
    b->is_signed = j->how == MST_SIGNED_GOOD;
    (void)mst_copy(b->signer, sizeof(b->signer), j->who);
    (void)mst_copy(k->link->previous, sizeof(k->link->previous), commit->previous);
    k->link->counter = commit->counter;
    k->link->good = b->is_signed;
    return MST_OK;
}

static enum mst_rc read_header(const struct look *k, const struct group *g, struct mst_backup *b,
                               const struct mst_commit *commit, struct mst_header *h)
{
    struct mst_err err = {0};
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    if (get(k->c, g, commit->attempt, "header", k->buf, b, &err) != MST_OK) {
        return err.rc;
    }
    mst_sha256_of(k->buf->p, k->buf->len, sha);
    if (mst_header_get((const char *)k->buf->p, k->buf->len, h, &err) != MST_OK) {
        refuse(b, "header", &err);
        return err.rc;
    }
    if (strcmp(mst_hex(sha, sizeof(sha), hex), commit->header_sha) != 0 ||
        strcmp(h->id, g->id) != 0 || strcmp(h->attempt, commit->attempt) != 0) {
        PROBLEM(b, MST_BK_DAMAGED, "its header is not the one that COMMIT names");
        return MST_E_INTEGRITY;
    }
    if (strcmp(h->set, k->c->set) != 0) {
        PROBLEM(b, MST_BK_DAMAGED, "it is a backup of the set %.64s, not of %.64s", h->set,
                k->c->set);
        return MST_E_INTEGRITY;
    }
    return MST_OK;
}

static void committed(const struct look *k, const struct group *g, struct mst_backup *b)
{
    struct mst_commit commit;
    struct mst_judgement j = {0};
    struct mst_header h;
    const struct attempt *a;

    if (read_commit(k, g, b, &commit, &j) != MST_OK) {
        return;
    }
    a = attempt_named(g, commit.attempt);
    if (strcmp(commit.id, g->id) != 0 || !a) {
        PROBLEM(b, MST_BK_DAMAGED, "its COMMIT names %s/%s, which is not here", commit.id,
                commit.attempt);
        return;
    }
    if (read_header(k, g, b, &commit, &h) != MST_OK) {
        return;
    }
    fill(b, &h, &commit);
    b->state = h.left_out ? MST_BK_PARTIAL : MST_BK_COMPLETE;
    if (h.left_out) {
        PROBLEM(b, MST_BK_PARTIAL, "%u %s left out by name", h.left_out,
                mst_text_noun(h.left_out, "collection was", "collections were"));
    }
    check_sizes(b, a, &h, &commit);
    if (h.sealed && !mst_keyobj_has(k->w->keys, k->w->n_keys, g->id, commit.attempt)) {
        PROBLEM(b, MST_BK_DAMAGED, "its key object is missing: nobody can open it");
    }
    read_marks(k, g, &commit, b);
    if (j.how == MST_SIGNED_FORGED) {
        PROBLEM(b, MST_BK_FORGED, "%s", j.why);
    } else if (j.how == MST_SIGNED_NOT && k->c->trust && k->c->trust->n &&
               (b->state == MST_BK_COMPLETE || b->state == MST_BK_PARTIAL)) {
        PROBLEM(b, MST_BK_UNSIGNED, "%s", j.why);
    }
}

static void examine(const struct look *k, const struct group *g, struct mst_backup *b)
{
    memset(b, 0, sizeof(*b));
    (void)mst_copy(b->id, sizeof(b->id), g->id);
    b->stored_bytes = g->bytes;
    if (!mst_catalog_id_ok(g->id, &b->started_wall_ms, b->kind)) {
        PROBLEM(b, MST_BK_FOREIGN, "not a name that muster gives: it is left alone");
    } else if (g->commit) {
        committed(k, g, b);
    } else if (g->n_attempts || g->key_alone) {
        PROBLEM(
            b, MST_BK_INCOMPLETE,
            "no COMMIT: its run is still going on, or died; 'muster clean' removes what is left "
            "of dead runs");
    } else {
        PROBLEM(b, MST_BK_FOREIGN, "holds nothing that muster wrote: it is left alone");
    }
}

/* --- the list --------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct group *)a)->id, ((const struct group *)b)->id);
}

/* A run that died behind its key object and before the first other one left only that. */
static void add_keys_alone(struct walk *w, const char *below)
{
    const size_t n = w->n;

    for (size_t i = 0; i < w->n_keys; i++) {
        struct group want = {0};

        (void)mst_copy(want.id, sizeof(want.id), w->keys[i].id);
        if ((!*below || strcmp(below, want.id) == 0) &&
            (n == 0 || !bsearch(&want, w->groups, n, sizeof(want), by_id)) && !w->too_many) {
            struct group *g = group_of(w, want.id, strlen(want.id));

            if (g) {
                g->key_alone = true;
            }
        }
    }
    if (w->n > n) {
        qsort(w->groups, w->n, sizeof(*w->groups), by_id);
    }
}

static enum mst_rc walk_keys(const struct mst_catalog *c, const char *below, struct mst_task *task,
                             struct walk *w, struct mst_err *err)
{
    char prefix[MST_KEY_MAX];

    (void)snprintf(prefix, sizeof(prefix), "%s/backups", c->base);
    w->skip = strlen(prefix) + 1;
    if (*below) {
        (void)snprintf(prefix, sizeof(prefix), "%s/backups/%s", c->base, below);
    }
    if (mst_store_list(c->store, prefix, see, w, task, err) != MST_OK ||
        mst_keyobj_list(c, task, &w->keys, &w->n_keys, err) != MST_OK) {
        return err->rc;
    }
    add_keys_alone(w, below);
    if (w->too_many) {
        return mst_err_set(err, MST_E_LIMIT, "more than %u backups below %s/backups",
                           MST_CATALOG_BACKUPS_MAX, c->base);
    }
    return MST_OK;
}

static void walk_release(struct walk *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->groups[i].attempts);
    }
    free(w->groups);
    free(w->keys);
}

/* The list with the links of its chain, both newest first. */
static enum mst_rc list_with_links(const struct mst_catalog *c, struct mst_task *task,
                                   struct mst_backup **out, struct mst_link **links, size_t *n,
                                   struct mst_err *err)
{
    struct walk w = {0};
    struct mst_buf buf = {0};
    struct look k = {.c = c, .w = &w, .buf = &buf};
    enum mst_rc rc = walk_keys(c, "", task, &w, err);

    *out = NULL;
    *links = NULL;
    *n = 0;
    if (rc == MST_OK) {
        *out = mst_xcalloc(w.n + 1, sizeof(**out));
        *links = mst_xcalloc(w.n + 1, sizeof(**links));
        *n = w.n;
    }
    for (size_t i = 0; rc == MST_OK && i < w.n; i++) {
        rc = mst_task_check(task, err);
        if (rc == MST_OK) {
            k.link = *links + i; /* keys rise: newest is last */
            examine(&k, &w.groups[i], *out + (w.n - 1 - i));
        }
    }
    if (rc != MST_OK) {
        free(*out);
        free(*links);
        *out = NULL;
        *links = NULL;
        *n = 0;
    }
    mst_buf_release(&buf);
    walk_release(&w);
    return rc;
}

enum mst_rc mst_catalog_list(const struct mst_catalog *c, struct mst_task *task,
                             struct mst_backup **out, size_t *n, struct mst_err *err)
{
    struct mst_link *links;

    if (list_with_links(c, task, out, &links, n, err) != MST_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < *n; i++) {
        mst_chain_judge(links, *n, i, (*out)[*n - 1 - i].chain);
    }
    free(links);
    return MST_OK;
}

/* What there is instead is named, the newest of it. */
static enum mst_rc none_complete(const struct mst_catalog *c, const struct mst_backup *all,
                                 size_t n, struct mst_err *err)
{
    size_t i = 0;

    while (i < n && all[i].state == MST_BK_FOREIGN) {
        i++;
    }
    return i < n ? mst_err_set(err, MST_E_NOTFOUND,
                               "there is no complete backup of %s in the store %s; the newest, %s, "
                               "is %s: %s",
                               c->set, mst_store_name(c->store), all[i].id,
                               mst_backup_state_word(all[i].state), all[i].problem)
                 : mst_err_set(err, MST_E_NOTFOUND,
                               "there is no complete backup of %s in the store %s", c->set,
                               mst_store_name(c->store));
}

enum mst_rc mst_catalog_find(const struct mst_catalog *c, const char *id, struct mst_task *task,
                             struct mst_backup *out, struct mst_err *err)
{
    struct mst_backup *all = NULL;
    struct walk w = {0};
    struct mst_buf buf = {0};
    struct mst_link link = {0};
    size_t n = 0, best = SIZE_MAX;
    enum mst_rc rc;

    if (strcmp(id, "latest") != 0) {
        rc = mst_catalog_id_ok(id, NULL, NULL) ? walk_keys(c, id, task, &w, err) : MST_OK;
        if (rc == MST_OK && w.n == 1) {
            examine(&(struct look){c, &w, &buf, &link}, &w.groups[0], out);
        } else if (rc == MST_OK) {
            rc = mst_err_set(err, MST_E_NOTFOUND, "there is no backup %.64s in the store %s", id,
                             mst_store_name(c->store));
        }
        mst_buf_release(&buf);
        walk_release(&w);
        return rc;
    }
    if (mst_catalog_list(c, task, &all, &n, err) != MST_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n && best == SIZE_MAX; i++) {
        best = all[i].state == MST_BK_COMPLETE ? i : SIZE_MAX;
    }
    for (size_t i = 0; i < n && best == SIZE_MAX; i++) {
        best = all[i].state == MST_BK_PARTIAL ? i : SIZE_MAX;
    }
    if (best != SIZE_MAX) {
        *out = all[best];
        rc = MST_OK;
    } else {
        rc = none_complete(c, all, n, err);
    }
    free(all);
    return rc;
}
