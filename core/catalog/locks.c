#include "catalog/locks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/keyobj.h"

struct found {
    const char *id;
    char attempt[17];
    size_t skip; /* of "<base>/backups/<id>/", then of "<base>/keys/" */
    char (*keys)[MST_KEY_MAX];
    size_t n, cap;
    size_t oldest; /* of the attempt's and its key objects; SIZE_MAX none */
    int64_t oldest_ms;
};

static void keep(struct found *f, const char *key)
{
    mst_grow((void **)&f->keys, &f->cap, f->n + 1, sizeof(*f->keys));
    (void)mst_copy(f->keys[f->n++], MST_KEY_MAX, key);
}

/* Of the same second the later call's. */
static void keep_oldest(struct found *f, const struct mst_store_item *item)
{
    if (f->oldest == SIZE_MAX || item->modified_wall_ms <= f->oldest_ms) {
        f->oldest = f->n;
        f->oldest_ms = item->modified_wall_ms;
    }
    keep(f, item->key);
}

static bool see(void *arg, const struct mst_store_item *item)
{
    struct found *f = arg;
    const size_t all = strlen(item->key), a = strlen(f->attempt);
    const char *rest = item->key + f->skip;
    size_t len;

    if (all <= f->skip) {
        return true;
    }
    len = all - f->skip;
    if (strncmp(rest, f->attempt, a) == 0 && rest[a] == '/') {
        keep_oldest(f, item);
    } else if (strncmp(rest, "marks/", 6) == 0 && len > 5 && strcmp(rest + len - 5, "-hold") == 0) {
        keep(f, item->key);
    }
    return f->n < MST_MANIFEST_OBJECTS_MAX;
}

static bool see_key(void *arg, const struct mst_store_item *item)
{
    struct found *f = arg;
    char id[MST_ID_MAX], attempt[17];
    unsigned n;

    if (strlen(item->key) > f->skip && mst_keyobj_name(item->key + f->skip, id, attempt, &n) &&
        strcmp(id, f->id) == 0 && strcmp(attempt, f->attempt) == 0) {
        keep_oldest(f, item); /* it is the first to be written, maybe alone before midnight */
    }
    return true;
}

/* All but COMMIT. */
static enum mst_rc find(const struct mst_catalog *c, struct found *f, struct mst_task *task,
                        struct mst_err *err)
{
    struct mst_commit commit;
    char prefix[MST_KEY_MAX];
    enum mst_rc rc;

    f->oldest = SIZE_MAX;
    if (mst_commit_read(c, f->id, &commit, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_copy(f->attempt, sizeof(f->attempt), commit.attempt);
    mst_catalog_key(c, f->id, "", "", prefix);
    f->skip = strlen(prefix) + 1;
    rc = mst_store_list(c->store, prefix, see, f, task, err);
    (void)snprintf(prefix, sizeof(prefix), "%s/keys", c->base);
    f->skip = strlen(prefix) + 1;
    return rc == MST_OK ? mst_store_list(c->store, prefix, see_key, f, task, err) : rc;
}

static enum mst_rc look_at(const struct mst_catalog *c, const char *key, struct mst_locks *out,
                           struct mst_err *err)
{
    struct mst_store_info info;

    if (mst_store_info(c->store, key, &info, err) != MST_OK) {
        return err->rc;
    }
    if (out->objects++ == 0 || info.locked_until_ms < out->until_ms) {
        out->until_ms = info.locked_until_ms;
        (void)mst_copy(out->mode, sizeof(out->mode), info.lock_mode);
    }
    return MST_OK;
}

enum mst_rc mst_locks_look(const struct mst_catalog *c, const char *id, struct mst_task *task,
                           struct mst_locks *out, struct mst_err *err)
{
    struct found f = {.id = id};
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    mst_catalog_key(c, id, "", "COMMIT", key);
    rc = look_at(c, key, out, err);
    rc = rc == MST_OK ? find(c, &f, task, err) : rc;
    if (rc == MST_OK && f.oldest != SIZE_MAX) {
        rc = look_at(c, f.keys[f.oldest], out, err);
    }
    free(f.keys);
    return rc;
}

static enum mst_rc extend(const struct mst_catalog *c, const char *key, const char *mode,
                          int64_t until_ms, struct mst_locks *out, struct mst_err *err)
{
    struct mst_store_info info;
    int64_t have;

    if (mst_store_info(c->store, key, &info, err) != MST_OK) {
        return err->rc;
    }
    have = info.locked_until_ms;
    if (have < until_ms) {
        if (mst_store_lock(c->store, key, info.lock_mode[0] ? info.lock_mode : mode, until_ms,
                           err) != MST_OK) {
            return err->rc;
        }
        out->extended++;
        have = until_ms;
    }
    if (out->objects++ == 0 || have < out->until_ms) {
        out->until_ms = have;
        (void)mst_copy(out->mode, sizeof(out->mode), info.lock_mode[0] ? info.lock_mode : mode);
    }
    return MST_OK;
}

enum mst_rc mst_locks_extend(const struct mst_catalog *c, const char *id, const char *mode,
                             int64_t until_ms, struct mst_task *task, struct mst_locks *out,
                             struct mst_err *err)
{
    struct found f = {.id = id};
    char key[MST_KEY_MAX];
    enum mst_rc rc = find(c, &f, task, err);

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; rc == MST_OK && i < f.n; i++) {
        rc = mst_task_check(task, err);
        rc = rc == MST_OK ? extend(c, f.keys[i], mode, until_ms, out, err) : rc;
    }
    mst_catalog_key(c, id, "", "COMMIT", key);
    rc = rc == MST_OK ? extend(c, key, mode, until_ms, out, err) : rc;
    free(f.keys);
    return rc;
}
