#include "store/asof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/thread.h"
#include "store/impl.h"

#define ITEMS_MAX ((size_t)4000000)
#define WINDOWS 4U
#define WINDOW ((size_t)1024 * 1024) /* read at once: a version is read without a window below */

struct item {
    char *key, *version;
    uint64_t bytes;
    int64_t modified_ms;
    size_t order; /* in which the listing gave it */
    bool deleted, newest;
    char storage_class[32];
};

struct window {
    size_t item;
    uint64_t from, used; /* used 0: empty */
    struct mst_buf data;
};

struct asof {
    struct mst_store base;
    struct mst_store *inner;
    int64_t at_ms;
    char at[MST_TIME_MAX];
    struct item *items; /* by key, one each */
    size_t n, cap;
    bool full;
    bool older;           /* a version was seen that is not the newest, or a marker */
    struct mst_mutex mtx; /* guards the windows */
    uint64_t uses;
    struct window windows[WINDOWS];
};

static struct asof *of(struct mst_store *s)
{
    return (struct asof *)(void *)s;
}

/* --- which version is meant --- */

static void item_release(struct item *i)
{
    free(i->key);
    free(i->version);
}

static bool see(void *arg, const struct mst_store_version *v)
{
    struct asof *a = arg;
    struct item *i;

    a->older = a->older || !v->newest || v->deleted;
    if (v->modified_wall_ms > a->at_ms || (v->gone_wall_ms && v->gone_wall_ms <= a->at_ms)) {
        return true;
    }
    if (a->n >= ITEMS_MAX) {
        a->full = true;
        return false;
    }
    mst_grow((void **)&a->items, &a->cap, a->n + 1, sizeof(*a->items));
    i = &a->items[a->n];
    memset(i, 0, sizeof(*i));
    i->key = mst_xstrdup(v->key);
    i->version = mst_xstrdup(v->version);
    i->bytes = v->bytes;
    i->modified_ms = v->modified_wall_ms;
    i->deleted = v->deleted;
    i->newest = v->newest;
    i->order = a->n++;
    (void)mst_copy(i->storage_class, sizeof(i->storage_class), v->storage_class);
    return true;
}

/* The one that counts first. Stores that list all markers behind all versions exist, so the order
 * of the listing decides only within one millisecond. */
static int by_key(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    const int k = strcmp(a->key, b->key);

    if (k != 0) {
        return k;
    }
    if (a->modified_ms != b->modified_ms) {
        return a->modified_ms > b->modified_ms ? -1 : 1;
    }
    if (a->newest != b->newest) {
        return a->newest ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

static void settle(struct asof *a)
{
    size_t kept = 0;

    if (a->n > 0) {
        qsort(a->items, a->n, sizeof(*a->items), by_key);
    }
    for (size_t i = 0, end; i < a->n; i = end) {
        for (end = i + 1; end < a->n && strcmp(a->items[end].key, a->items[i].key) == 0; end++) {
            item_release(&a->items[end]);
        }
        if (a->items[i].deleted) {
            item_release(&a->items[i]);
        } else {
            a->items[kept++] = a->items[i];
        }
    }
    a->n = kept;
}

static int find_key(const void *key, const void *item)
{
    return strcmp(key, ((const struct item *)item)->key);
}

static enum mst_rc find(struct mst_store *s, const char *key, const struct item **out,
                        struct mst_err *err)
{
    const struct asof *a = of(s);

    *out = a->n ? bsearch(key, a->items, a->n, sizeof(*a->items), find_key) : NULL;
    return *out ? MST_OK
                : mst_err_set(err, MST_E_NOTFOUND, "%s was not in the store %s (%s)", key,
                              a->base.name, a->base.where);
}

/* --- reading --- */

/* Bytes out of a window; 0: none has them. */
static size_t from_window(struct asof *a, size_t item, uint64_t from, uint8_t *to, size_t n)
{
    size_t got = 0;

    mst_mutex_lock(&a->mtx);
    for (size_t i = 0; i < WINDOWS && got == 0; i++) {
        struct window *w = &a->windows[i];

        if (w->used && w->item == item && from >= w->from && from - w->from < w->data.len) {
            const size_t at = (size_t)(from - w->from), left = w->data.len - at;

            got = left < n ? left : n;
            memcpy(to, w->data.p + at, got);
            w->used = ++a->uses;
        }
    }
    mst_mutex_unlock(&a->mtx);
    return got;
}

/* Takes the bytes; the window that was not used for longest goes. */
static void keep(struct asof *a, size_t item, uint64_t from, struct mst_buf *data)
{
    struct mst_buf old;
    struct window *w = &a->windows[0];

    mst_mutex_lock(&a->mtx);
    for (size_t i = 1; i < WINDOWS; i++) {
        w = a->windows[i].used < w->used ? &a->windows[i] : w;
    }
    old = w->data;
    *w = (struct window){.item = item, .from = from, .used = ++a->uses, .data = *data};
    mst_mutex_unlock(&a->mtx);
    mst_buf_release(&old);
    memset(data, 0, sizeof(*data));
}

static enum mst_rc fetch(struct asof *a, const struct item *i, uint64_t from, uint8_t *to, size_t n,
                         size_t *got, struct mst_err *err)
{
    const uint64_t left = i->bytes - from;
    size_t want = n < WINDOW ? WINDOW : n, came;
    struct mst_buf data = {0};
    enum mst_rc rc;

    want = want > left ? (size_t)left : want;
    rc = mst_store_read_version(a->inner, i->key, i->version, from, mst_buf_room(&data, want), want,
                                &came, err);
    if (rc == MST_OK && came != want) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "%s in the store %s (%s) ends before its %llu bytes",
                         i->key, a->base.name, a->base.where, (unsigned long long)i->bytes);
    }
    if (rc == MST_OK) {
        data.len = came;
        *got = came < n ? came : n;
        memcpy(to, data.p, *got);
        if (came > n) {
            keep(a, (size_t)(i - a->items), from, &data);
        }
    }
    mst_buf_release(&data);
    return rc;
}

static enum mst_rc a_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                          size_t *got, struct mst_err *err)
{
    struct asof *a = of(s);
    const struct item *i;
    enum mst_rc rc = find(s, key, &i, err);

    while (rc == MST_OK && *got < n && from + *got < i->bytes) {
        uint8_t *to = (uint8_t *)buf + *got;
        size_t now = from_window(a, (size_t)(i - a->items), from + *got, to, n - *got);

        if (now == 0) {
            rc = fetch(a, i, from + *got, to, n - *got, &now, err);
        }
        *got += now;
    }
    *got = rc == MST_OK ? *got : 0;
    return rc;
}

static enum mst_rc a_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                          struct mst_err *err)
{
    const struct item *i;
    const enum mst_rc rc = find(s, key, &i, err);

    *bytes = rc == MST_OK ? i->bytes : 0;
    return rc;
}

static enum mst_rc a_list(struct mst_store *s, const char *prefix,
                          bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                          struct mst_task *task, struct mst_err *err)
{
    const struct asof *a = of(s);
    const size_t len = strlen(prefix);
    bool on = true;

    for (size_t i = 0; on && i < a->n; i++) {
        struct mst_store_item item = {.bytes = a->items[i].bytes,
                                      .modified_wall_ms = a->items[i].modified_ms};

        if (len && (strncmp(a->items[i].key, prefix, len) != 0 || a->items[i].key[len] != '/')) {
            continue;
        }
        (void)mst_copy(item.key, sizeof(item.key), a->items[i].key);
        (void)mst_copy(item.storage_class, sizeof(item.storage_class), a->items[i].storage_class);
        on = fn(arg, &item);
        if (i % 1024 == 0 && mst_task_check(task, err) != MST_OK) {
            return err->rc;
        }
    }
    return MST_OK;
}

static enum mst_rc a_info(struct mst_store *s, const char *key, struct mst_store_info *out,
                          struct mst_err *err)
{
    struct asof *a = of(s);
    const struct item *i;

    if (find(s, key, &i, err) != MST_OK) {
        return err->rc;
    }
    if (a->inner->ops->info_version) {
        return a->inner->ops->info_version(a->inner, key, i->version, out, err);
    }
    out->bytes = i->bytes;
    out->modified_wall_ms = i->modified_ms;
    (void)mst_copy(out->version, sizeof(out->version), i->version);
    (void)mst_copy(out->storage_class, sizeof(out->storage_class), i->storage_class);
    return MST_OK;
}

static enum mst_rc a_thaw(struct mst_store *s, const char *key, const char *version, int days,
                          struct mst_err *err)
{
    struct asof *a = of(s);
    const struct item *i;

    (void)version;
    if (find(s, key, &i, err) != MST_OK) {
        return err->rc;
    }
    return a->inner->ops->thaw
               ? a->inner->ops->thaw(a->inner, key, i->version, days, err)
               : mst_err_set(err, MST_E_CONFIG, "the store %s (%s) cannot thaw objects",
                             a->base.name, a->base.where);
}

/* --- what is not done to the past --- */

static enum mst_rc refused(const struct mst_store *s, struct mst_err *err)
{
    return mst_err_set(err, MST_E_PRECOND,
                       "the store %s (%s) is read only: nothing is changed there", s->name,
                       s->where);
}

static enum mst_rc a_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                           struct mst_err *err)
{
    (void)key;
    *out = NULL;
    return refused(s, err);
}

static enum mst_rc a_remove(struct mst_store *s, const char *key, struct mst_err *err)
{
    (void)key;
    return refused(s, err);
}

static void a_close(struct mst_store *s)
{
    struct asof *a = of(s);

    for (size_t i = 0; i < a->n; i++) {
        item_release(&a->items[i]);
    }
    for (size_t i = 0; i < WINDOWS; i++) {
        mst_buf_release(&a->windows[i].data);
    }
    free(a->items);
    mst_mutex_release(&a->mtx);
    free(a);
}

enum mst_rc mst_store_asof_open(struct mst_store *inner, const char *below, int64_t at_wall_ms,
                                struct mst_task *task, struct mst_store **out, struct mst_err *err)
{
    static const struct mst_store_ops ops = {.close = a_close,
                                             .put_begin = a_begin,
                                             .read = a_read,
                                             .stat = a_stat,
                                             .list = a_list,
                                             .remove = a_remove,
                                             .info = a_info,
                                             .thaw = a_thaw};
    struct asof *a;
    struct mst_store_keeps keeps;
    enum mst_rc rc;

    *out = NULL;
    mst_store_keeps(inner, task, &keeps);
    if (keeps.versions == 0 && !keeps.had_versions) {
        return mst_err_set(err, MST_E_PRECOND, "%sthe store %s (%s) keeps no versions",
                           inner->local ? "" : "the bucket of ", inner->name, inner->where);
    }
    a = mst_xcalloc(1, sizeof(*a));
    a->base.ops = &ops;
    a->inner = inner;
    a->at_ms = at_wall_ms;
    mst_mutex_init(&a->mtx);
    (void)mst_copy(a->base.name, sizeof(a->base.name), inner->name);
    (void)snprintf(a->base.where, sizeof(a->base.where), "%.440s as it stood at %s", inner->where,
                   mst_time_iso(at_wall_ms, a->at));
    rc = mst_store_versions(inner, below, see, a, task, err);
    if (rc == MST_OK && keeps.versions < 0 && !a->older) {
        rc = mst_err_set(err, MST_E_PRECOND,
                         "nothing older is in the store %s (%s), and whether its bucket keeps "
                         "versions is not known: %s",
                         inner->name, inner->where, keeps.text);
    }
    if (rc == MST_OK && a->full) {
        rc = mst_err_set(err, MST_E_LIMIT, "the store %s (%s) has more than %zu versions before %s",
                         inner->name, inner->where, ITEMS_MAX, a->at);
    }
    if (rc != MST_OK) {
        a_close(&a->base);
        return rc;
    }
    settle(a);
    *out = &a->base;
    return MST_OK;
}
