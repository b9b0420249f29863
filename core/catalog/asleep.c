#include "catalog/asleep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cfg/tier.h"

#define ITEMS_MAX 4000000U

/* --- out of a listing --- */

static void one_or_mixed(char one[32], bool first, const char *storage_class)
{
    if (first) {
        (void)mst_copy(one, 32, storage_class);
    } else if (strcmp(one, storage_class) != 0) {
        (void)mst_copy(one, 32, "mixed");
    }
}

void mst_classes_see(struct mst_classes *c, const struct mst_store_item *item)
{
    one_or_mixed(c->one, c->objects == 0, item->storage_class);
    c->objects++;
    if (!mst_tier_sleeps(item->storage_class)) {
        return;
    }
    c->asleep++;
    c->coming += item->thawing;
    if (item->thawed_until_ms) {
        c->awake++;
        c->until_ms = c->until_ms && c->until_ms < item->thawed_until_ms ? c->until_ms
                                                                         : item->thawed_until_ms;
    }
}

void mst_classes_say(const struct mst_classes *c, struct mst_backup *b)
{
    (void)mst_copy(b->storage_class, sizeof(b->storage_class), c->one);
    b->archived = c->asleep;
    b->thawing = c->coming;
    b->thawed = c->awake;
    b->thawed_until_ms = c->until_ms;
}

char *mst_backup_class_words(const struct mst_backup *b, char out[160])
{
    size_t n;

    (void)snprintf(out, 160, "%s", b->storage_class);
    if (b->archived > 0) {
        (void)snprintf(out, 160, "%s, archived: %u %s", b->storage_class, b->archived,
                       mst_text_noun(b->archived, "object", "objects"));
    }
    n = strlen(out);
    if (b->thawing > 0) {
        (void)snprintf(out + n, 160 - n, ", %u on the way", b->thawing);
        n = strlen(out);
    }
    if (b->thawed > 0) {
        char until[MST_TIME_MAX];

        (void)snprintf(out + n, 160 - n, ", %u thawed until %s", b->thawed,
                       mst_time_iso(b->thawed_until_ms, until));
    }
    return out;
}

/* --- object by object --- */

struct gather {
    const char *begins; /* of the name; "" all */
    size_t skip;
    struct mst_store_item *items;
    size_t n, cap;
    bool doubtful; /* one of them may be asleep */
};

static bool see(void *arg, const struct mst_store_item *item)
{
    struct gather *g = arg;
    const char *name = item->key + g->skip;

    if (strlen(item->key) <= g->skip || strncmp(name, g->begins, strlen(g->begins)) != 0 ||
        strncmp(name, "marks/", 6) == 0) {
        return true;
    }
    mst_grow((void **)&g->items, &g->cap, g->n + 1, sizeof(*g->items));
    g->items[g->n++] = *item;
    g->doubtful = g->doubtful || mst_tier_may_sleep(item->storage_class);
    return g->n < ITEMS_MAX;
}

static enum mst_rc gather(const struct mst_catalog *c, const char *id, struct mst_task *task,
                          struct gather *g, struct mst_err *err)
{
    char root[MST_KEY_MAX], keys[MST_KEY_MAX], begins[MST_ID_MAX + 1];
    enum mst_rc rc;

    (void)snprintf(root, sizeof(root), "%s/backups/%s", c->base, id);
    (void)snprintf(keys, sizeof(keys), "%s/keys", c->base);
    (void)snprintf(begins, sizeof(begins), "%s.", id);
    g->begins = "";
    g->skip = strlen(root) + 1;
    rc = mst_store_list(c->store, root, see, g, task, err);
    if (rc == MST_OK && g->n == 0) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "there is no backup %.64s in the store %s", id,
                         mst_store_name(c->store));
    }
    g->begins = begins;
    g->skip = strlen(keys) + 1;
    rc = rc == MST_OK ? mst_store_list(c->store, keys, see, g, task, err) : rc;
    g->begins = "";
    return rc;
}

/* The attempt that counts, as long as COMMIT can be read; "" all of them. */
static void attempt_of(const struct mst_catalog *c, const char *id, char out[17])
{
    struct mst_commit commit;
    struct mst_err ignore = {0};

    out[0] = '\0';
    if (mst_commit_read(c, id, &commit, &ignore) == MST_OK) {
        (void)mst_copy(out, 17, commit.attempt);
    }
}

static bool of_attempt(const struct mst_catalog *c, const char *id, const char *attempt,
                       const char *key)
{
    char at[MST_KEY_MAX], commit[MST_KEY_MAX];

    mst_catalog_key(c, id, "", "COMMIT", commit);
    (void)snprintf(at, sizeof(at), "%s/backups/%s/%s/", c->base, id, attempt);
    if (!*attempt || strcmp(key, commit) == 0 || strncmp(key, at, strlen(at)) == 0) {
        return true;
    }
    (void)snprintf(at, sizeof(at), "%s/keys/%s.%s.", c->base, id, attempt);
    return strncmp(key, at, strlen(at)) == 0;
}

static void count(const struct mst_store_item *item, const struct mst_store_info *info,
                  struct mst_asleep *out)
{
    if (!info->archived) {
        out->awake++;
        if (info->thawed_until_ms && (!out->until_ms || info->thawed_until_ms < out->until_ms)) {
            out->until_ms = info->thawed_until_ms;
        }
        return;
    }
    one_or_mixed(out->storage_class, out->asleep == 0, info->storage_class);
    out->asleep++;
    out->asleep_bytes += item->bytes;
    out->coming += info->thawing;
    out->coming_bytes += info->thawing ? item->bytes : 0;
}

enum mst_rc mst_catalog_asleep(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               mst_asleep_fn *fn, void *arg, struct mst_asleep *out,
                               struct mst_err *err)
{
    struct gather g = {0};
    char attempt[17] = "";
    enum mst_rc rc = gather(c, id, task, &g, err);

    memset(out, 0, sizeof(*out));
    if (rc == MST_OK && g.doubtful) {
        attempt_of(c, id, attempt);
    }
    for (size_t i = 0; rc == MST_OK && i < g.n; i++) {
        const struct mst_store_item *item = &g.items[i];
        struct mst_store_info info;

        if (!of_attempt(c, id, attempt, item->key)) {
            continue;
        }
        out->objects++;
        out->bytes += item->bytes;
        if (!mst_tier_may_sleep(item->storage_class)) {
            continue;
        }
        rc = mst_task_check(task, err);
        rc = rc == MST_OK ? mst_store_info(c->store, item->key, &info, err) : rc;
        if (rc == MST_OK && (info.archived || mst_tier_sleeps(info.storage_class))) {
            count(item, &info, out);
            rc = fn ? fn(arg, item->key, &info, info.archived && !info.thawing, err) : MST_OK;
        }
    }
    free(g.items);
    return rc;
}

struct asking {
    struct mst_store *store;
    int days;
    struct mst_asleep *out;
};

static enum mst_rc ask_for(void *arg, const char *key, const struct mst_store_info *info,
                           bool wanted, struct mst_err *err)
{
    const struct asking *a = arg;
    struct mst_err why = {0};
    enum mst_rc rc;

    if (!wanted) {
        return MST_OK;
    }
    rc = mst_store_thaw(a->store, key,
                        strcmp(info->storage_class, MST_TIER_INTELLIGENT) == 0 ? 0 : a->days, &why);
    if (rc == MST_OK) {
        a->out->asked++;
        a->out->asked_bytes += info->bytes;
    } else if (rc != MST_E_EXISTS) { /* another asked between the look and this */
        *err = why;
        return rc;
    }
    a->out->coming++;
    a->out->coming_bytes += info->bytes;
    return MST_OK;
}

enum mst_rc mst_catalog_thaw(const struct mst_catalog *c, const char *id, int days,
                             struct mst_task *task, struct mst_asleep *out, struct mst_err *err)
{
    struct asking a = {.store = c->store, .days = days, .out = out};

    return mst_catalog_asleep(c, id, task, ask_for, &a, out, err);
}

/* --- before a reader begins --- */

static enum mst_rc say_asleep(const struct mst_catalog *c, const char *id,
                              const struct mst_asleep *a, struct mst_err *err)
{
    const char *store = mst_store_name(c->store);
    char kind[48] = "";

    if (a->storage_class[0]) {
        (void)snprintf(kind, sizeof(kind), " (%s)", a->storage_class);
    }
    if (a->coming == a->asleep) {
        return mst_err_set(err, MST_E_PRECOND,
                           "%llu of %llu %s of %s in the store %s cannot be read yet: they are on "
                           "their way out of an archive tier%s: 'muster store thaw %s %s' says how "
                           "far they are",
                           (unsigned long long)a->asleep, (unsigned long long)a->objects,
                           mst_text_noun(a->objects, "object", "objects"), id, store, kind, store,
                           id);
    }
    return mst_err_set(err, MST_E_PRECOND,
                       "%llu of %llu %s of %s in the store %s cannot be read, they are in an "
                       "archive tier%s: 'muster store thaw %s %s --days %d' asks for them",
                       (unsigned long long)a->asleep, (unsigned long long)a->objects,
                       mst_text_noun(a->objects, "object", "objects"), id, store, kind, store, id,
                       MST_THAW_DAYS);
}

enum mst_rc mst_catalog_readable(const struct mst_catalog *c, const char *id, struct mst_task *task,
                                 char resolved[MST_ID_MAX], struct mst_err *err)
{
    struct mst_asleep a;
    struct mst_backup b;
    struct mst_err why = {0};
    enum mst_rc rc;

    (void)mst_copy(resolved, MST_ID_MAX, id);
    if (mst_store_is_local(c->store)) {
        return MST_OK; /* nothing sleeps in a directory */
    }
    if (strcmp(id, "latest") == 0) {
        if (mst_catalog_find(c, id, task, &b, err) != MST_OK) {
            return err->rc;
        }
        (void)mst_copy(resolved, MST_ID_MAX, b.id);
    }
    if (!mst_catalog_id_ok(resolved, NULL, NULL)) {
        return MST_OK; /* the reader says what is wrong with it */
    }
    rc = mst_catalog_asleep(c, resolved, task, NULL, NULL, &a, &why);
    if (rc != MST_OK && rc != MST_E_CANCELLED) {
        return MST_OK; /* the same; and who may not list may read: what sleeps is said then */
    }
    if (rc != MST_OK) {
        *err = why;
        return rc;
    }
    return a.asleep ? say_asleep(c, resolved, &a, err) : MST_OK;
}

enum mst_rc mst_catalog_fell_asleep(const struct mst_catalog *c, const char *id,
                                    struct mst_task *task, struct mst_err *err)
{
    struct mst_err why = {0};
    char resolved[MST_ID_MAX];

    if (err->rc == MST_E_PRECOND &&
        mst_catalog_readable(c, id, task, resolved, &why) == MST_E_PRECOND) {
        *err = why;
    }
    return err->rc;
}
