/* Listing: one walk over the keys, then COMMIT, header and newest marks of each backup. The
 * objects' number and sizes come from the walk, so a missing or truncated one shows without being
 * read. */
#include "catalog/list_own.h"

#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define ATTEMPTS_MAX 256U

struct walk {
    size_t skip;
    struct list_group *groups;
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

static void tell(struct walk *w);

static struct list_group *group_of(struct walk *w, const char *id, size_t len)
{
    char name[MST_ID_MAX];
    struct list_group *g;

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

static struct list_attempt *attempt_of(struct list_group *g, const char *name, size_t len)
{
    struct list_attempt *a = g->n_attempts ? &g->attempts[g->n_attempts - 1] : NULL;

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

static void see_object(struct list_group *g, const char *rest, uint64_t bytes)
{
    const char *slash = strchr(rest, '/');
    struct list_attempt *a;

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
        a->all += !strstr(rest, ".tmp-");
    }
    if (strstr(rest, ".tmp-")) {
        g->half++;
    } else if (!a) {
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
    struct list_group *g;

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
        return mst_err_set(err, MST_E_LIMIT,
                           "the store %s lists more than %u backups below %s/backups: its listing "
                           "has no end, or something else writes there",
                           mst_store_name(c->store), MST_CATALOG_BACKUPS_MAX, c->base);
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
            LIST_PROBLEM(&b[i], MST_BK_DAMAGED, "its key object is missing: nobody can open it");
        }
    }
}

/* Groups that are complete: all before the one that is being walked. */
static void read_groups(struct walk *w, size_t n)
{
    struct list_look k = {.c = w->c, .buf = &w->buf};

    mst_grow((void **)&w->read, &w->cap_read, n + 1, sizeof(*w->read));
    mst_grow((void **)&w->links, &w->cap_links, n + 1, sizeof(*w->links));
    for (; w->n_read < n; w->n_read++) {
        k.link = &w->links[w->n_read];
        memset(k.link, 0, sizeof(*k.link));
        mst_list_examine(&k, &w->groups[w->n_read], &w->read[w->n_read]);
    }
}

/* A group that the walk did not see, at its place. */
static void insert_alone(struct walk *w, size_t at, const char *id)
{
    struct list_look k = {.c = w->c, .buf = &w->buf};
    struct list_group *g;

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
    mst_list_examine(&k, &w->groups[at], &w->read[at]);
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
            mst_list_examine(&(struct list_look){c, &buf, &link}, &w.groups[0], out);
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
