#include "catalog/orphans.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/alive.h"
#include "catalog/keyobj.h"
#include "catalog/marks.h"

#define ITEMS_MAX 2000000U

struct attempt { /* one that was walked; they are in key order */
    char id[MST_ID_MAX], name[17];
    int64_t newest_ms;
    bool stays; /* COMMIT names it, or whether it does is not known */
};

struct walk {
    const struct mst_catalog *c;
    struct mst_orphans *out;
    size_t skip; /* of "<base>/" */
    int64_t before_ms, now_ms;
    char id[MST_ID_MAX]; /* the group that is being gathered, "" none */
    struct mst_orphans group;
    char newest_name[17]; /* of the attempt in group whose newest change was looked for last */
    int64_t newest_ms;
    struct attempt *attempts; /* of all groups: their key objects are listed behind them */
    size_t n_attempts, cap_attempts;
    struct mst_err err;
};

const char *mst_orphan_word(enum mst_orphan_kind k)
{
    static const char *const words[] = {"dead", "half", "upload", "probe", "foreign"};

    return (unsigned)k < MST_COUNT(words) ? words[k] : "?";
}

void mst_orphans_release(struct mst_orphans *o)
{
    free(o->items);
    memset(o, 0, sizeof(*o));
}

static struct mst_orphan *add(struct mst_orphans *o, enum mst_orphan_kind kind, const char *key,
                              uint64_t bytes, int64_t modified)
{
    struct mst_orphan *i;

    mst_grow((void **)&o->items, &o->cap, o->n + 1, sizeof(o->items[0]));
    i = &o->items[o->n++];
    memset(i, 0, sizeof(*i));
    i->kind = kind;
    (void)mst_copy(i->key, sizeof(i->key), key);
    i->bytes = bytes;
    i->modified_wall_ms = modified;
    o->bytes += bytes;
    o->foreign += kind == MST_ORPHAN_FOREIGN;
    return i;
}

static void report(struct walk *w, enum mst_orphan_kind kind, const struct mst_orphan *i)
{
    if (kind != MST_ORPHAN_FOREIGN && i->modified_wall_ms > w->before_ms) {
        w->out->young++;
    } else {
        (void)add(w->out, kind, i->key, i->bytes, i->modified_wall_ms);
    }
}

/* "<attempt>" of a key below its backup; len 0: none. */
static const char *attempt_at(const struct walk *w, const char *key, size_t *len)
{
    const char *rest = key + w->skip + strlen("backups/") + strlen(w->id) + 1;
    const char *slash = strchr(rest, '/');

    *len = slash ? (size_t)(slash - rest) : 0;
    return rest;
}

static bool ours(const char *rest, size_t len)
{
    return strcmp(rest, "COMMIT") == 0 || (len == 5 && strncmp(rest, "marks", 5) == 0);
}

/* Newest change in the same attempt (len 0: in the whole group): one object that moves means that
 * somebody works there. The objects of an attempt follow each other, so each is looked through
 * once. */
static int64_t newest_in(struct walk *w, const char *rest, size_t len)
{
    int64_t newest = 0;

    if (len == 16 && strncmp(w->newest_name, rest, len) == 0) {
        return w->newest_ms;
    }
    for (size_t i = 0; i < w->group.n; i++) {
        size_t n;
        const char *at = attempt_at(w, w->group.items[i].key, &n);

        if ((len == 0 || (n == len && strncmp(at, rest, len) == 0)) &&
            w->group.items[i].modified_wall_ms > newest) {
            newest = w->group.items[i].modified_wall_ms;
        }
    }
    if (len == 16) {
        memcpy(w->newest_name, rest, len);
        w->newest_ms = newest;
    }
    return newest;
}

static void judge_one(struct walk *w, const struct mst_orphan *i, const char *alive)
{
    size_t len;
    const char *rest = attempt_at(w, i->key, &len);
    struct mst_orphan all = *i;
    const bool claim = strcmp(rest, "claim") == 0;

    if (strstr(i->key, ".tmp-")) {
        report(w, MST_ORPHAN_HALF, i);
    } else if (ours(rest, len) ||
               (*alive && (claim || (strlen(alive) == len && strncmp(rest, alive, len) == 0)))) {
        return;
    } else if (len == 16 || claim) {
        all.modified_wall_ms = newest_in(w, rest, len);
        if (all.modified_wall_ms > w->before_ms) {
            w->out->young++;
        } else {
            report(w, MST_ORPHAN_DEAD, i);
        }
    } else {
        report(w, MST_ORPHAN_FOREIGN, i);
    }
}

/* For the key objects, which come later. */
static void remember(struct walk *w, const char *alive, bool known)
{
    for (size_t i = 0; i < w->group.n; i++) {
        struct attempt *last = w->n_attempts ? &w->attempts[w->n_attempts - 1] : NULL;
        struct attempt a = {.newest_ms = 0};
        size_t len;
        const char *rest = attempt_at(w, w->group.items[i].key, &len);

        if (len != 16) {
            continue;
        }
        (void)mst_copy(a.id, sizeof(a.id), w->id);
        memcpy(a.name, rest, len);
        if (last && strcmp(last->id, a.id) == 0 && strcmp(last->name, a.name) == 0) {
            continue;
        }
        a.newest_ms = newest_in(w, rest, len);
        a.stays = !known || strcmp(a.name, alive) == 0;
        mst_grow((void **)&w->attempts, &w->cap_attempts, w->n_attempts + 1, sizeof(a));
        w->attempts[w->n_attempts++] = a;
    }
}

/* Is there anything that COMMIT does not name? */
static bool has_others(const struct walk *w, const char *alive)
{
    for (size_t i = 0; i < w->group.n; i++) {
        size_t len;
        const char *rest = attempt_at(w, w->group.items[i].key, &len);

        if (!ours(rest, len) && strcmp(rest, "claim") != 0 &&
            (strlen(alive) != len || strncmp(rest, alive, len) != 0)) {
            return true;
        }
    }
    return false;
}

/* All keys of one backup are there: which of them does its COMMIT not name? */
static void end_group(struct walk *w)
{
    struct mst_err why = {0};
    struct mst_commit commit = {0};
    enum mst_rc rc;

    if (!w->id[0] || w->err.rc != MST_OK) {
        return;
    }
    rc = mst_alive_commit(w->c, w->id, &commit, &why);
    if (rc == MST_OK && commit.attempt[0] && has_others(w, commit.attempt)) {
        rc = mst_alive_header(w->c, &commit, &why);
    }
    if (mst_alive_unclear(rc)) {
        w->out->doubtful += w->group.n;
    } else if (rc != MST_OK) {
        w->err = why;
    }
    if (rc == MST_OK && mst_marks_held(w->c, w->id, w->now_ms, NULL, &why) != MST_OK) {
        rc = MST_E_PRECOND;
        w->out->held += w->group.n;
    }
    remember(w, commit.attempt, rc == MST_OK);
    for (size_t i = 0; i < w->group.n && rc == MST_OK; i++) {
        judge_one(w, &w->group.items[i], commit.attempt);
    }
    w->group.n = 0;
    w->newest_name[0] = '\0';
    w->id[0] = '\0';
}

static int by_attempt(const void *a, const void *b)
{
    const struct attempt *x = a, *y = b;
    const int order = strcmp(x->id, y->id);

    return order ? order : strcmp(x->name, y->name);
}

/* Is the backup of this key object gone? Its attempt was seen before it; COMMIT and holds are asked
 * again, because the backup may have been committed while the walk went on. */
static void judge_key(struct walk *w, const struct mst_orphan *i, const char *name)
{
    struct attempt want = {.newest_ms = 0};
    const struct attempt *seen = NULL;
    struct mst_orphan as = *i;
    struct mst_commit commit;
    struct mst_err why = {0};
    unsigned n;

    if (strstr(name, ".tmp-")) {
        report(w, MST_ORPHAN_HALF, i);
        return;
    }
    if (!mst_keyobj_name(name, want.id, want.name, &n)) {
        report(w, MST_ORPHAN_FOREIGN, i);
        return;
    }
    if (w->n_attempts) {
        seen = bsearch(&want, w->attempts, w->n_attempts, sizeof(want), by_attempt);
    }
    if (seen && seen->stays) {
        return;
    }
    if (seen && seen->newest_ms > as.modified_wall_ms) {
        as.modified_wall_ms = seen->newest_ms;
    }
    if (as.modified_wall_ms > w->before_ms) {
        w->out->young++;
        return;
    }
    if (mst_alive(w->c, want.id, &commit, &why) != MST_OK) {
        w->out->doubtful++;
        return; /* whether it is one cannot be told */
    }
    if (strcmp(commit.attempt, want.name) == 0) {
        return;
    }
    if (mst_marks_held(w->c, want.id, w->now_ms, NULL, &why) != MST_OK) {
        w->out->held++;
    } else {
        report(w, MST_ORPHAN_DEAD, i);
    }
}

static bool known_place(const char *rest)
{
    static const char *const places[] = {"stream/", "audit/"};

    for (size_t i = 0; i < MST_COUNT(places); i++) {
        if (strncmp(rest, places[i], strlen(places[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool see(void *arg, const struct mst_store_item *item)
{
    struct walk *w = arg;
    const char *rest = strlen(item->key) > w->skip ? item->key + w->skip : "";
    const char *id = strncmp(rest, "backups/", 8) == 0 ? rest + 8 : "";
    const size_t len = strcspn(id, "/");
    struct mst_orphan one = {.bytes = item->bytes, .modified_wall_ms = item->modified_wall_ms};
    char name[MST_ID_MAX] = "";

    (void)mst_copy(one.key, sizeof(one.key), item->key);
    if (len > 0 && len < sizeof(name) && id[len] == '/') {
        memcpy(name, id, len);
    }
    if (strcmp(name, w->id) != 0) {
        end_group(w);
    }
    if (name[0] && mst_catalog_id_ok(name, NULL, NULL)) {
        (void)mst_copy(w->id, sizeof(w->id), name);
        (void)add(&w->group, MST_ORPHAN_DEAD, item->key, item->bytes, item->modified_wall_ms);
    } else if (strncmp(rest, "probe/", 6) == 0) {
        report(w, MST_ORPHAN_PROBE, &one);
    } else if (strncmp(rest, "keys/", 5) == 0) {
        judge_key(w, &one, rest + 5);
    } else if (!known_place(rest)) {
        report(w, MST_ORPHAN_FOREIGN, &one);
    }
    return w->err.rc == MST_OK && w->out->n < ITEMS_MAX && w->group.n < ITEMS_MAX;
}

static bool see_upload(void *arg, const struct mst_store_upload *u)
{
    struct walk *w = arg;
    struct mst_orphan *o;

    if (u->begun_wall_ms > w->before_ms) {
        w->out->young++;
        return true;
    }
    o = add(w->out, MST_ORPHAN_UPLOAD, u->key, 0, u->begun_wall_ms);
    (void)mst_copy(o->upload, sizeof(o->upload), u->id);
    return w->out->n < ITEMS_MAX;
}

static bool see_probe(void *arg, const struct mst_store_item *item)
{
    struct walk *w = arg;
    struct mst_orphan one = {.bytes = item->bytes, .modified_wall_ms = item->modified_wall_ms};

    (void)mst_copy(one.key, sizeof(one.key), item->key);
    report(w, MST_ORPHAN_PROBE, &one);
    return w->out->n < ITEMS_MAX;
}

/* What stores are asked with stands beside the sets; whose key ends at this one's need not see it.
 */
static enum mst_rc find_probes(struct walk *w, struct mst_task *task, struct mst_err *err)
{
    const enum mst_rc rc = mst_store_list(w->c->store, MST_STORE_PROBES, see_probe, w, task, err);

    if (rc == MST_E_AUTH || rc == MST_E_NOTFOUND) {
        memset(err, 0, sizeof(*err));
        return MST_OK;
    }
    return rc;
}

enum mst_rc mst_orphans_find(const struct mst_catalog *c, int64_t before_wall_ms, int64_t now_ms,
                             struct mst_task *task, struct mst_orphans *out, struct mst_err *err)
{
    struct walk w = {.c = c, .out = out, .before_ms = before_wall_ms, .now_ms = now_ms};
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    w.skip = strlen(c->base) + 1;
    rc = mst_store_list(c->store, c->base, see, &w, task, err);
    if (rc == MST_OK) {
        end_group(&w);
        if (w.err.rc != MST_OK) {
            *err = w.err;
            rc = err->rc;
        }
    }
    rc = rc == MST_OK ? find_probes(&w, task, err) : rc;
    if (rc == MST_OK && mst_store_caps(c->store)->multipart) {
        rc = mst_store_uploads(c->store, c->base, see_upload, &w, task, err);
    }
    mst_orphans_release(&w.group);
    free(w.attempts);
    if (rc != MST_OK) {
        mst_orphans_release(out);
    }
    return rc;
}

static enum mst_rc end_uploads(const struct mst_catalog *c, const struct mst_orphans *o,
                               struct mst_task *task, struct mst_store_swept *swept,
                               struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; i < o->n && rc == MST_OK; i++) {
        const struct mst_orphan *one = &o->items[i];
        struct mst_store_upload u = {.begun_wall_ms = one->modified_wall_ms};

        if (one->kind != MST_ORPHAN_UPLOAD) {
            continue;
        }
        (void)mst_copy(u.key, sizeof(u.key), one->key);
        (void)mst_copy(u.id, sizeof(u.id), one->upload);
        rc = mst_task_check(task, err);
        rc = rc == MST_OK ? mst_store_abort_upload(c->store, &u, err) : rc;
        if (rc == MST_E_NOTFOUND) {
            memset(err, 0, sizeof(*err));
            rc = MST_OK;
        }
        swept->gone += rc == MST_OK;
    }
    return rc;
}

enum mst_rc mst_orphans_sweep(const struct mst_catalog *c, const struct mst_orphans *o,
                              struct mst_task *task, struct mst_store_swept *swept,
                              struct mst_err *err)
{
    char(*keys)[MST_KEY_MAX] = mst_xcalloc(o->n + 1, MST_KEY_MAX);
    size_t n = 0;
    enum mst_rc rc;

    memset(swept, 0, sizeof(*swept));
    for (size_t i = 0; i < o->n; i++) {
        if (o->items[i].kind != MST_ORPHAN_FOREIGN && o->items[i].kind != MST_ORPHAN_UPLOAD) {
            (void)mst_copy(keys[n++], MST_KEY_MAX, o->items[i].key);
        }
    }
    rc = mst_store_delete_many(c->store, (const char(*)[MST_KEY_MAX])keys, n, swept, task, err);
    rc = rc == MST_OK ? end_uploads(c, o, task, swept, err) : rc;
    free(keys);
    return rc;
}

enum mst_rc mst_orphans_remove(const struct mst_catalog *c, const struct mst_orphans *o,
                               struct mst_task *task, uint64_t *removed, struct mst_err *err)
{
    struct mst_store_swept swept;
    const enum mst_rc rc = mst_orphans_sweep(c, o, task, &swept, err);

    *removed = swept.gone;
    return rc;
}
