/* Listing: one walk over the keys, then COMMIT, header and newest marks of each backup. Number and
 * sizes of objects come from the walk: a missing or truncated one shows without being read. */
#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/asleep.h"
#include "catalog/keyobj.h"
#include "catalog/marks.h"

#define ATTEMPTS_MAX 256U

struct attempt {
    char name[17];
    uint64_t objects, bytes;              /* data and oplog */
    uint64_t all;                         /* everything in it */
    int64_t header, manifest, copy, sums; /* sizes; -1 absent */
};

struct group { /* everything below one id */
    char id[MST_ID_MAX];
    struct attempt *attempts;
    size_t n_attempts, cap_attempts;
    bool commit, claim, key_alone;
    uint64_t bytes, foreign, half; /* half: of a writer that was killed */
    struct mst_marks marks;
    struct mst_classes classes; /* of all but the marks */
};

struct walk {
    size_t skip;
    struct group *groups;
    size_t n, cap;
    bool too_many;
    /* telling, while it goes on */
    const struct mst_catalog *c;
    mst_so_far_fn *so_far; /* NULL: nobody listens */
    void *arg;
    uint64_t objects;
    int64_t told_ms;
    struct mst_backup *read; /* of the first groups, in their order */
    struct mst_link *links;  /* the same */
    size_t n_read, cap_read, cap_links;
    struct mst_buf buf;
    struct mst_keyed *keys; /* which attempts have a key object */
    size_t n_keys;
};

struct look { /* what examining one backup needs */
    const struct mst_catalog *c;
    struct mst_buf *buf;
    struct mst_link *link; /* of the backup in work */
};

static void tell(struct walk *w);

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
    return len == 16 && strspn(name, "0123456789abcdef") >= len;
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

static void see_object(struct group *g, const char *rest, uint64_t bytes)
{
    const char *slash = strchr(rest, '/');
    struct attempt *a;

    if (strcmp(rest, "COMMIT") == 0) {
        g->commit = true;
        return;
    }
    if (strcmp(rest, "claim") == 0) {
        g->claim = true;
        return;
    }
    if (strncmp(rest, "marks/", 6) == 0 && !strchr(rest + 6, '/')) {
        g->foreign += !mst_marks_add(&g->marks, rest + 6);
        return;
    }
    a = slash ? attempt_of(g, rest, (size_t)(slash - rest)) : NULL;
    rest = slash ? slash + 1 : rest;
    if (a) {
        a->all++;
    }
    if (!a) {
        g->foreign++;
    } else if (strstr(rest, ".tmp-")) {
        g->half++;
        a->all--;
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
    if (w->so_far && ++w->objects % 256 == 0) {
        tell(w);
    }
    g->bytes += item->bytes;
    if (slash) {
        see_object(g, slash + 1, item->bytes);
        if (strncmp(slash + 1, "marks/", 6) != 0) {
            mst_classes_see(&g->classes, item);
        }
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
    (void)mst_copy(b->attempt, sizeof(b->attempt), c->attempt);
    (void)mst_copy(b->header_sha, sizeof(b->header_sha), c->header_sha);
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
        } else if (err->rc == MST_E_PRECOND) {
            PROBLEM(b, MST_BK_ARCHIVED, "its %s is in an archive tier: 'muster store thaw %s %s'",
                    name, mst_store_name(c->store), g->id);
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
    b->leftovers = (uint32_t)g->half;
    for (size_t i = 0; i < g->n_attempts; i++) {
        b->leftovers += &g->attempts[i] == a ? 0 : (uint32_t)g->attempts[i].all;
    }
    b->state = h.left_out ? MST_BK_PARTIAL : MST_BK_COMPLETE;
    if (h.left_out) {
        PROBLEM(b, MST_BK_PARTIAL, "%u %s left out by name", h.left_out,
                mst_text_noun(h.left_out, "collection was", "collections were"));
    }
    check_sizes(b, a, &h, &commit);
    mst_marks_read(k->c, g->id, &g->marks, commit.header_sha, b);
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
    mst_classes_say(&g->classes, b);
    if (!mst_catalog_id_ok(g->id, &b->started_wall_ms, b->kind)) {
        PROBLEM(b, MST_BK_FOREIGN, "not a name that muster gives: it is left alone");
    } else if (g->commit) {
        committed(k, g, b);
        k->link->counter = b->state == MST_BK_ARCHIVED ? MST_COUNTER_ASLEEP : k->link->counter;
    } else if (g->n_attempts || g->claim || g->key_alone) {
        PROBLEM(
            b, MST_BK_INCOMPLETE,
            "no COMMIT: its run is still going on, or died; 'muster clean' removes what is left "
            "of dead runs");
        mst_marks_read(k->c, g->id, &g->marks, "", b);
    } else {
        PROBLEM(b, MST_BK_FOREIGN, "holds nothing that muster wrote: it is left alone");
    }
}

/* --- the list --------------------------------------------------------------------------------- */

static enum mst_rc walk_keys(const struct mst_catalog *c, const char *below, struct mst_task *task,
                             struct walk *w, struct mst_err *err)
{
    char prefix[MST_KEY_MAX];

    (void)snprintf(prefix, sizeof(prefix), "%s/backups", c->base);
    w->skip = strlen(prefix) + 1;
    if (*below) {
        (void)snprintf(prefix, sizeof(prefix), "%s/backups/%s", c->base, below);
    }
    if (mst_store_list(c->store, prefix, see, w, task, err) != MST_OK) {
        return err->rc;
    }
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
        mst_marks_release(&w->groups[i].marks);
    }
    free(w->groups);
    free(w->keys);
}

/* Without its key object nobody opens a sealed backup. */
static void judge_keys(const struct walk *w, struct mst_backup *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        b[i].stored_bytes += mst_keyobj_bytes(w->keys, w->n_keys, b[i].id, b[i].attempt);
        if (b[i].sealed && b[i].state != MST_BK_FORGED &&
            !mst_keyobj_has(w->keys, w->n_keys, b[i].id, b[i].attempt)) {
            PROBLEM(&b[i], MST_BK_DAMAGED, "its key object is missing: nobody can open it");
        }
    }
}

/* Groups that are complete: all before the one that is being walked. */
static void read_groups(struct walk *w, size_t n)
{
    struct look k = {.c = w->c, .buf = &w->buf};

    mst_grow((void **)&w->read, &w->cap_read, n + 1, sizeof(*w->read));
    mst_grow((void **)&w->links, &w->cap_links, n + 1, sizeof(*w->links));
    for (; w->n_read < n; w->n_read++) {
        k.link = &w->links[w->n_read];
        memset(k.link, 0, sizeof(*k.link));
        examine(&k, &w->groups[w->n_read], &w->read[w->n_read]);
    }
}

/* A group that the walk did not see, at its place. */
static void insert_alone(struct walk *w, size_t at, const char *id)
{
    struct look k = {.c = w->c, .buf = &w->buf};
    struct group *g;

    mst_grow((void **)&w->groups, &w->cap, w->n + 1, sizeof(*w->groups));
    g = &w->groups[at];
    memmove(g + 1, g, (w->n++ - at) * sizeof(*g));
    memset(g, 0, sizeof(*g));
    (void)mst_copy(g->id, sizeof(g->id), id);
    g->key_alone = true;
    if (at >= w->n_read) {
        return; /* it is read in its turn */
    }
    mst_grow((void **)&w->read, &w->cap_read, w->n_read + 1, sizeof(*w->read));
    mst_grow((void **)&w->links, &w->cap_links, w->n_read + 1, sizeof(*w->links));
    memmove(&w->read[at + 1], &w->read[at], (w->n_read - at) * sizeof(*w->read));
    memmove(&w->links[at + 1], &w->links[at], (w->n_read - at) * sizeof(*w->links));
    w->n_read++;
    k.link = &w->links[at];
    memset(k.link, 0, sizeof(*k.link));
    examine(&k, &w->groups[at], &w->read[at]);
}

/* Key objects are listed behind the walk: what was committed while it went on has its key by then.
 * A run that died behind its key object and before the first other one left only that. */
static enum mst_rc look_at_keys(struct walk *w, const char *below, struct mst_task *task,
                                struct mst_err *err)
{
    if (mst_keyobj_list(w->c, task, &w->keys, &w->n_keys, err) != MST_OK) {
        return err->rc;
    }
    for (size_t i = 0, low = 0; i < w->n_keys && w->n < MST_CATALOG_BACKUPS_MAX; i++) {
        while (low < w->n && strcmp(w->groups[low].id, w->keys[i].id) < 0) {
            low++; /* both rise */
        }
        if ((!*below || strcmp(below, w->keys[i].id) == 0) &&
            (low == w->n || strcmp(w->groups[low].id, w->keys[i].id) != 0)) {
            insert_alone(w, low, w->keys[i].id);
        }
    }
    return MST_OK;
}

static void tell(struct walk *w)
{
    const int64_t now = mst_clock_mono_ms(NULL);
    struct mst_backup *newest;

    if (now - w->told_ms < MST_CATALOG_TELL_MS) {
        return;
    }
    read_groups(w, w->n - 1);
    newest = mst_xcalloc(w->n_read + 1, sizeof(*newest));
    for (size_t i = 0; i < w->n_read; i++) {
        newest[i] = w->read[w->n_read - 1 - i];
    }
    w->so_far(w->arg, w->objects, newest, w->n_read);
    free(newest);
    w->told_ms = mst_clock_mono_ms(NULL);
}

enum mst_rc mst_catalog_list_telling(const struct mst_catalog *c, mst_so_far_fn *so_far, void *arg,
                                     struct mst_task *task, struct mst_backup **out, size_t *n,
                                     struct mst_err *err)
{
    struct walk w = {.c = c, .so_far = so_far, .arg = arg, .told_ms = mst_clock_mono_ms(NULL)};
    enum mst_rc rc = walk_keys(c, "", task, &w, err);

    *out = NULL;
    *n = 0;
    rc = rc == MST_OK ? look_at_keys(&w, "", task, err) : rc;
    for (size_t i = w.n_read; rc == MST_OK && i < w.n; i++) {
        rc = mst_task_check(task, err);
        if (rc == MST_OK) {
            read_groups(&w, i + 1);
        }
    }
    if (rc == MST_OK) {
        judge_keys(&w, w.read, w.n);
        *out = mst_xcalloc(w.n + 1, sizeof(**out));
        *n = w.n;
        for (size_t i = 0; i < w.n; i++) {
            mst_chain_judge(w.links, w.n, i, w.read[i].chain);
            (*out)[w.n - 1 - i] = w.read[i]; /* keys rise: newest is last */
        }
    }
    free(w.read);
    free(w.links);
    mst_buf_release(&w.buf);
    walk_release(&w);
    return rc;
}

enum mst_rc mst_catalog_list(const struct mst_catalog *c, struct mst_task *task,
                             struct mst_backup **out, size_t *n, struct mst_err *err)
{
    return mst_catalog_list_telling(c, NULL, NULL, task, out, n, err);
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
    struct walk w = {.c = c};
    struct mst_buf buf = {0};
    struct mst_link link = {0};
    size_t n = 0, best = SIZE_MAX;
    enum mst_rc rc;

    if (strcmp(id, "latest") != 0) {
        rc = mst_catalog_id_ok(id, NULL, NULL) ? walk_keys(c, id, task, &w, err) : MST_OK;
        rc = rc == MST_OK ? look_at_keys(&w, id, task, err) : rc;
        if (rc == MST_OK && w.n == 1) {
            examine(&(struct look){c, &buf, &link}, &w.groups[0], out);
            judge_keys(&w, out, 1);
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
