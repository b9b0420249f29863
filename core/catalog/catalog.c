#include "catalog/catalog.h"

#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/alive.h"
#include "catalog/keyobj.h"
#include "catalog/marks.h"

/* --- names ------------------------------------------------------------------------------------ */

const char *mst_backup_state_word(enum mst_backup_state s)
{
    static const char *const words[] = {"COMPLETE", "PARTIAL", "INCOMPLETE", "DAMAGED",  "NEWER",
                                        "UNSIGNED", "FORGED",  "FOREIGN",    "ARCHIVED", "UNREAD"};

    return (unsigned)s < MST_COUNT(words) ? words[s] : "?";
}

static void add_encoded(char *out, size_t size, const char *name)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = strlen(out);

    for (const char *p = name; *p && at + 4 < size; p++) {
        const unsigned char c = (unsigned char)*p;
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                           (c == '.' && p != name);

        if (plain) {
            out[at++] = (char)c;
        } else {
            out[at++] = '%';
            out[at++] = digits[c >> 4];
            out[at++] = digits[c & 15];
        }
    }
    out[at] = '\0';
}

enum mst_rc mst_catalog_init(struct mst_catalog *c, struct mst_store *store, const char *prefix,
                             const char *set, struct mst_err *err)
{
    memset(c, 0, sizeof(*c));
    c->store = store;
    if (*prefix && (!mst_store_key_ok(prefix) || strlen(prefix) > 100)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the prefix '%.60s' of store %s is not a key: no leading or final '/', "
                           "no part that begins with '.', at most 100 bytes",
                           prefix, mst_store_name(store));
    }
    if (!*set || strlen(set) >= sizeof(c->set) || strlen(set) > 64) {
        return mst_err_set(err, MST_E_CONFIG, "'%.60s' cannot be the name of a replica set", set);
    }
    (void)mst_copy(c->set, sizeof(c->set), set);
    if (*prefix) {
        (void)snprintf(c->base, sizeof(c->base), "%s/", prefix);
    }
    add_encoded(c->base, sizeof(c->base), set);
    if (!mst_store_key_ok(c->base)) {
        return mst_err_set(err, MST_E_CONFIG, "'%s' cannot be the name of a replica set", set);
    }
    return MST_OK;
}

void mst_catalog_key(const struct mst_catalog *c, const char *id, const char *attempt,
                     const char *name, char out[MST_KEY_MAX])
{
    (void)snprintf(out, MST_KEY_MAX, "%s/backups/%s%s%s%s%s", c->base, id, *attempt ? "/" : "",
                   attempt, *name ? "/" : "", name);
}

bool mst_catalog_is_none(enum mst_rc rc)
{
    return rc == MST_E_INTEGRITY || rc == MST_E_LIMIT || rc == MST_E_NOTFOUND;
}

enum mst_rc mst_commit_read(const struct mst_catalog *c, const char *id, struct mst_commit *out,
                            struct mst_err *err)
{
    struct mst_buf b = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    mst_catalog_key(c, id, "", "COMMIT", key);
    rc = mst_store_read_all(c->store, key, MST_HEADER_MAX, &b, err);
    if (rc == MST_OK && mst_commit_get((const char *)b.p, b.len, out, err) != MST_OK) {
        mst_err_prefix(err, "COMMIT of %s", id);
        rc = err->rc;
    }
    mst_buf_release(&b);
    return rc;
}

bool mst_catalog_id_ok(const char *id, int64_t *wall_ms, char kind[16])
{
    static const char *const kinds[] = {"full", "incr", "diff"};
    char iso[MST_TIME_MAX], back[MST_TIME_MAX];
    int64_t ms;

    if (strlen(id) != 25 || id[20] != '-' || id[13] != '-' || id[16] != '-') {
        return false;
    }
    memcpy(iso, id, 20);
    iso[13] = iso[16] = ':';
    iso[20] = '\0';
    ms = mst_time_parse(iso);
    if (ms < 0 || strcmp(mst_time_iso(ms, back), iso) != 0) {
        return false;
    }
    for (size_t i = 0; i < MST_COUNT(kinds); i++) {
        if (strcmp(id + 21, kinds[i]) == 0) {
            if (wall_ms) {
                *wall_ms = ms;
            }
            if (kind) {
                (void)mst_copy(kind, 16, kinds[i]);
            }
            return true;
        }
    }
    return false;
}

enum mst_rc mst_catalog_new_id(int64_t now_wall_ms, const char *newest, const char *kind,
                               char out[MST_ID_MAX], struct mst_err *err)
{
    int64_t last;
    char iso[MST_TIME_MAX];

    if (now_wall_ms < 0) {
        now_wall_ms = 0;
    }
    if (*newest && mst_catalog_id_ok(newest, &last, NULL) && now_wall_ms / 1000 <= last / 1000) {
        now_wall_ms = last + 1000; /* the clock went back, or a second one in this second */
    }
    (void)mst_time_iso(now_wall_ms, iso);
    iso[13] = iso[16] = '-';
    (void)snprintf(out, MST_ID_MAX, "%s-%s", iso, kind);
    if (!mst_catalog_id_ok(out, NULL, NULL)) {
        return mst_err_set(
            err, MST_E_LIMIT,
            "no backup id is later than %s: the clock that made it was wrong; remove "
            "that backup",
            newest);
    }
    return MST_OK;
}

struct newest {
    size_t skip;
    char id[MST_ID_MAX], last[MST_ID_MAX];
    int64_t ms;
    size_t n; /* names, of backups or not */
};

static bool see_newest(void *arg, const struct mst_store_item *item)
{
    struct newest *n = arg;
    const char *id = item->key + n->skip;
    const char *slash = strchr(id, '/');
    char name[MST_ID_MAX];
    int64_t ms;

    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(id, "/"), id);
    if (n->n == 0 || strcmp(name, n->last) != 0) {
        (void)mst_copy(n->last, sizeof(n->last), name);
        n->n++;
    }
    if (slash && (size_t)(slash - id) < sizeof(name)) {
        memcpy(name, id, (size_t)(slash - id));
        name[slash - id] = '\0';
        if (mst_catalog_id_ok(name, &ms, NULL) && (!*n->id || ms > n->ms)) {
            n->ms = ms;
            (void)mst_copy(n->id, sizeof(n->id), name);
        }
    }
    return n->n <= MST_CATALOG_BACKUPS_MAX;
}

enum mst_rc mst_catalog_newest(const struct mst_catalog *c, struct mst_task *task,
                               char out[MST_ID_MAX], struct mst_err *err)
{
    struct newest n = {0};
    char prefix[MST_KEY_MAX];

    (void)snprintf(prefix, sizeof(prefix), "%s/backups", c->base);
    n.skip = strlen(prefix) + 1;
    if (mst_store_list(c->store, prefix, see_newest, &n, task, err) != MST_OK) {
        return err->rc;
    }
    if (n.n > MST_CATALOG_BACKUPS_MAX) {
        return mst_err_set(err, MST_E_LIMIT,
                           "the store %s lists more than %u backups below %s: its listing has no "
                           "end, or something else writes there",
                           mst_store_name(c->store), MST_CATALOG_BACKUPS_MAX, prefix);
    }
    (void)mst_copy(out, MST_ID_MAX, n.id);
    return MST_OK;
}

/* --- small objects ---------------------------------------------------------------------------- */

enum mst_rc mst_catalog_mark(const struct mst_catalog *c, const struct mst_mark *m,
                             struct mst_err *err)
{
    struct mst_str s = {0};
    char key[MST_KEY_MAX], name[64], iso[MST_TIME_MAX];
    int64_t ms = m->wall_ms;
    enum mst_rc rc;

    if (mst_mark_put(m, c->signer, &s, err) != MST_OK) {
        mst_str_release(&s);
        return err->rc;
    }
    do { /* create-only: a name that is taken is passed over by a millisecond */
        (void)mst_time_iso_ms(ms++, iso);
        iso[13] = iso[16] = '-';
        (void)snprintf(name, sizeof(name), "marks/%s-%s", iso, mst_mark_kind_word(m->kind));
        mst_catalog_key(c, m->id, "", name, key);
        rc = mst_store_put_all(c->store, key, s.p, s.len, err);
    } while (rc == MST_E_EXISTS && ms - m->wall_ms < 100);
    mst_str_release(&s);
    return rc;
}

/* --- removal ---------------------------------------------------------------------------------- */

struct keys {
    char (*v)[MST_KEY_MAX];
    size_t n, cap;
    const char *keep; /* prefixes that stay, but for half objects; NULL none */
    const char *keep2, *keep3, *keep4;
};

static bool collect(void *arg, const struct mst_store_item *item)
{
    struct keys *k = arg;

    if ((k->keep && strncmp(item->key, k->keep, strlen(k->keep)) == 0 &&
         !strstr(item->key, ".tmp-")) ||
        (k->keep2 && strcmp(item->key, k->keep2) == 0) ||
        (k->keep4 && strcmp(item->key, k->keep4) == 0) ||
        (k->keep3 && strncmp(item->key, k->keep3, strlen(k->keep3)) == 0)) {
        return true;
    }
    mst_grow((void **)&k->v, &k->cap, k->n + 1, sizeof(*k->v));
    (void)mst_copy(k->v[k->n++], MST_KEY_MAX, item->key);
    return k->n < MST_MANIFEST_OBJECTS_MAX;
}

struct orphans { /* key objects of this backup but those of the attempt that counts */
    struct keys keys;
    size_t skip;
    const char *id, *alive;
};

static bool collect_key(void *arg, const struct mst_store_item *item)
{
    struct orphans *o = arg;
    char id[MST_ID_MAX], attempt[17];
    unsigned n;

    if (strlen(item->key) > o->skip && mst_keyobj_name(item->key + o->skip, id, attempt, &n) &&
        strcmp(id, o->id) == 0 && strcmp(attempt, o->alive) != 0) {
        return collect(&o->keys, item);
    }
    return true;
}

static enum mst_rc remove_all(const struct mst_catalog *c, const struct keys *keys,
                              struct mst_task *task, struct mst_store_swept *swept,
                              struct mst_err *err)
{
    return mst_store_delete_many(c->store, (const char(*)[MST_KEY_MAX])keys->v, keys->n, swept,
                                 task, err);
}

/* The keys of what was removed go last: until then it can still be looked at. */
static enum mst_rc clean_keys(const struct mst_catalog *c, const char *id, const char *alive,
                              struct mst_task *task, struct mst_store_swept *swept,
                              struct mst_err *err)
{
    struct orphans o = {.id = id, .alive = alive};
    char prefix[MST_KEY_MAX];
    enum mst_rc rc;

    (void)snprintf(prefix, sizeof(prefix), "%s/keys", c->base);
    o.skip = strlen(prefix) + 1;
    rc = mst_store_list(c->store, prefix, collect_key, &o, task, err);
    rc = rc == MST_OK ? remove_all(c, &o.keys, task, swept, err) : rc;
    free(o.keys.v);
    return rc;
}

enum mst_rc mst_catalog_sweep(const struct mst_catalog *c, const char *id, struct mst_task *task,
                              struct mst_store_swept *swept, struct mst_err *err)
{
    char root[MST_KEY_MAX], commit_key[MST_KEY_MAX], marks[MST_KEY_MAX], alive[MST_KEY_MAX] = "";
    char claim[MST_KEY_MAX];
    struct mst_commit commit = {0};
    struct keys keys = {0};
    enum mst_rc rc;

    memset(swept, 0, sizeof(*swept));
    if (!mst_catalog_id_ok(id, NULL, NULL)) {
        return mst_err_set(err, MST_E_USAGE, "'%.60s' is not a backup of muster: not touched", id);
    }
    if (mst_marks_held(c, id, mst_clock_utc_ms(NULL), task, err) != MST_OK) {
        return err->rc;
    }
    mst_catalog_key(c, id, "", "", root);
    mst_catalog_key(c, id, "", "COMMIT", commit_key);
    mst_catalog_key(c, id, "", "marks/", marks);
    mst_catalog_key(c, id, "", "claim", claim);
    rc = mst_alive(c, id, &commit, err);
    if (rc != MST_OK) {
        mst_err_prefix(err, "nothing of %s is removed", id);
    } else if (commit.attempt[0]) {
        mst_catalog_key(c, id, commit.attempt, "", alive);
        (void)snprintf(alive + strlen(alive), 2, "/");
        keys.keep = alive;
        keys.keep2 = commit_key;
        keys.keep3 = marks;
        keys.keep4 = claim;
    }
    if (rc == MST_OK) {
        rc = mst_store_list(c->store, root, collect, &keys, task, err);
    }
    rc = rc == MST_OK ? remove_all(c, &keys, task, swept, err) : rc;
    rc = rc == MST_OK ? clean_keys(c, id, commit.attempt, task, swept, err) : rc;
    free(keys.v);
    return rc;
}

enum mst_rc mst_catalog_clean(const struct mst_catalog *c, const char *id, struct mst_task *task,
                              uint64_t *removed, struct mst_err *err)
{
    struct mst_store_swept swept;
    const enum mst_rc rc = mst_catalog_sweep(c, id, task, &swept, err);

    *removed = swept.gone;
    return rc;
}
