/* What a bucket keeps, and what the key may do besides. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/probe_own.h"

#define LOCK_MS 60000
#define VERSIONS_MAX 64U
#define NOT_ASKED "whether the bucket has them could not be asked"

/* --- what the store said of itself ------------------------------------------------------------ */

void probe_learn(struct probe *p)
{
    struct mst_err err = {0};

    p->unknown = mst_store_probe(p->s, p->task, &err) != MST_OK;
    if (p->unknown) {
        probe_open(p, "abilities", err.msg);
    }
}

bool probe_overwrites(struct probe *p)
{
    struct mst_err err = {0};
    enum mst_rc rc;

    if (p->unknown || mst_store_caps(p->s)->create_only) {
        return false;
    }
    rc = mst_store_put_all(p->s, p->small, "x", 1, &err);
    if (rc == MST_E_EXISTS) {
        probe_cannot(p, "create-only",
                     "the store would overwrite: muster looks before it writes, and rests on "
                     "single_writer");
    } else if (rc == MST_OK) {
        (void)probe_other(p, "create-only", "a second write of the name replaced the first");
    } else {
        (void)probe_failed(p, "create-only", &err);
    }
    return true;
}

/* --- tags ------------------------------------------------------------------------------------- */

static bool has_pair(const char *have, const char *pair, size_t n)
{
    for (const char *p = have; *p; p += strcspn(p, "&"), p += *p == '&') {
        if (strcspn(p, "&") == n && strncmp(p, pair, n) == 0) {
            return true;
        }
    }
    return false;
}

void probe_tags(struct probe *p)
{
    const char *wanted = mst_store_tags_wanted(p->s);
    struct mst_str have = {0};
    struct mst_err err = {0};
    bool all = true;
    enum mst_rc rc;

    if (!*wanted) {
        return;
    }
    rc = mst_store_tags(p->s, p->small, &have, &err);
    for (const char *t = wanted; rc == MST_OK && *t; t += strcspn(t, "&"), t += *t == '&') {
        all = all && has_pair(mst_str_c(&have), t, strcspn(t, "&"));
    }
    if (rc == MST_E_AUTH || rc == MST_E_CONFIG) {
        probe_open(p, "tags", err.msg);
    } else if (rc == MST_OK && !all) {
        (void)probe_other(p, "tags",
                          "what was written does not have the tags of the configuration");
    } else {
        (void)probe_check(p, "tags", rc, &err, "read back as they were written");
    }
    mst_str_release(&have);
}

/* --- versions --------------------------------------------------------------------------------- */

struct versions {
    size_t n, of_key;
    const char *key;
    char (*keys)[MST_KEY_MAX], (*ids)[128];
    char oldest[128]; /* of key */
};

static bool see(void *arg, const struct mst_store_version *v)
{
    struct versions *all = arg;

    if (all->n < VERSIONS_MAX) {
        (void)mst_copy(all->keys[all->n], MST_KEY_MAX, v->key);
        (void)mst_copy(all->ids[all->n], sizeof(*all->ids), v->version);
        all->n++;
    }
    if (strcmp(v->key, all->key) == 0 && !v->deleted) {
        all->of_key++;
        (void)mst_copy(all->oldest, sizeof(all->oldest), v->version);
    }
    return true;
}

static enum mst_rc list_versions(struct probe *p, const char *key, struct versions *all,
                                 struct mst_err *err)
{
    *all = (struct versions){.key = key,
                             .keys = mst_xcalloc(VERSIONS_MAX, sizeof(*all->keys)),
                             .ids = mst_xcalloc(VERSIONS_MAX, sizeof(*all->ids))};
    return mst_store_versions(p->s, p->o->prefix, see, all, p->task, err);
}

static void release(struct versions *all)
{
    free(all->keys);
    free(all->ids);
}

static void check_versions(struct probe *p)
{
    const struct mst_store_caps *caps = mst_store_caps(p->s);
    struct versions all;
    struct mst_err err = {0};
    enum mst_rc rc;

    if (!caps->versions) {
        if (caps->unknown || p->unknown) {
            probe_open(p, "versions", NOT_ASKED);
        } else {
            probe_cannot(p, "versions",
                         "the bucket keeps none: what is removed or replaced is gone");
        }
        return;
    }
    rc = list_versions(p, p->small, &all, &err);
    if (rc == MST_E_AUTH) {
        probe_open(p, "versions", "the bucket keeps them, and this key may not list them");
    } else if (rc == MST_OK && all.of_key == 0) {
        (void)probe_other(p, "versions", "the version that was just written is not listed");
    } else {
        (void)probe_check(p, "versions", rc, &err, "kept and listed");
    }
    release(&all);
}

/* --- a lock ----------------------------------------------------------------------------------- */

/* Behind the lock: does it hold? The object is left there until its minute is over. */
static void check_held(struct probe *p, const struct mst_store_info *info)
{
    struct mst_err err = {0};
    char text[160], until[MST_TIME_MAX];
    enum mst_rc rc = mst_store_try(p->s, MST_TRY_DELETE_VERSION, p->locked, info->version, &err);

    if (rc == MST_OK) {
        (void)probe_other(p, "lock", "a version was removed although it is locked");
        return;
    }
    if (rc != MST_E_AUTH && rc != MST_E_PRECOND) {
        (void)probe_failed(p, "lock", &err);
        probe_left(p, p->locked, info->locked_until_ms);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s until %s, read back; removing it was refused",
                   info->lock_mode, mst_time_iso(info->locked_until_ms, until));
    (void)probe_passed(p, "lock", text);
    memset(&err, 0, sizeof(err));
    rc = mst_store_try(p->s, MST_TRY_BYPASS, p->locked, info->version, &err);
    if (rc == MST_OK) {
        probe_warn(p, "privilege",
                   "this key may also set locks of mode GOVERNANCE aside: see least privilege in "
                   "stores.md");
        memset(&err, 0, sizeof(err)); /* where the store only said so it is still there */
        rc = mst_store_stat(p->s, p->locked, &(uint64_t){0}, &err) == MST_OK ? MST_E_AUTH : MST_OK;
    } else if (rc == MST_E_AUTH || rc == MST_E_PRECOND) {
        (void)probe_passed(p, "privilege", "setting a lock aside was refused");
    } else {
        probe_open(p, "privilege", "whether this key may set locks aside could not be asked");
    }
    if (rc != MST_OK) {
        probe_left(p, p->locked, info->locked_until_ms);
    }
}

static void check_lock(struct probe *p)
{
    const struct mst_store_caps *caps = mst_store_caps(p->s);
    const int64_t until = (mst_clock_utc_ms(NULL) + LOCK_MS) / 1000 * 1000;
    struct mst_store_info info = {0};
    struct mst_err err = {0};
    enum mst_rc rc;

    if (!caps->lock) {
        if (caps->unknown || p->unknown) {
            probe_open(p, "lock", "whether the bucket takes object locks could not be asked");
        } else {
            probe_cannot(p, "lock", "the bucket takes no object locks");
        }
        return;
    }
    rc = mst_store_put_all(p->s, p->locked, "locked for a minute\n", 20, &err);
    if (rc != MST_OK) {
        (void)probe_failed(p, "lock", &err);
        return;
    }
    rc = mst_store_lock(p->s, p->locked, "GOVERNANCE", until, &err);
    rc = rc == MST_OK ? mst_store_info(p->s, p->locked, &info, &err) : rc;
    if (rc == MST_OK && info.locked_until_ms >= until) {
        check_held(p, &info);
        return;
    }
    if (rc == MST_E_AUTH && mst_store_lock_until(p->s, until) == 0) {
        probe_open(p, "lock", err.msg);
    } else if (rc == MST_OK) {
        (void)probe_other(p, "lock", "it was locked for a minute, and reads back without a lock");
    } else {
        (void)probe_failed(p, "lock", &err);
    }
    if (mst_store_delete(p->s, p->locked, &err) != MST_OK) {
        probe_left(p, p->locked, 0);
    }
}

void probe_keeps(struct probe *p)
{
    check_versions(p);
    check_lock(p);
}

/* --- what the key may besides ----------------------------------------------------------------- */

struct surplus {
    char may[200], open[200];
};

static void add(char *out, size_t size, const char *what)
{
    const size_t n = strlen(out);

    (void)snprintf(out + n, size - n, "%s%s", n ? ", " : "", what);
}

static void judge(struct surplus *s, enum mst_rc rc, const char *what)
{
    if (rc == MST_OK) {
        add(s->may, sizeof(s->may), what);
    } else if (rc != MST_E_AUTH && rc != MST_E_PRECOND && rc != MST_E_EXISTS) {
        add(s->open, sizeof(s->open), what);
    }
}

/* After a replacement: the version before it is still there; may the key remove it for good? */
static void try_old_version(struct probe *p, struct surplus *s)
{
    static const char what[] = "remove older versions";
    struct versions all;
    struct mst_err err = {0};
    enum mst_rc rc;

    if (!mst_store_caps(p->s)->versions) {
        return; /* there are none */
    }
    rc = list_versions(p, p->small, &all, &err);
    if (rc == MST_OK && all.oldest[0]) {
        rc = mst_store_try(p->s, MST_TRY_DELETE_VERSION, p->small, all.oldest, &err);
        p->deletes_versions = rc == MST_OK;
        judge(s, rc, what);
    } else {
        judge(s, MST_E_UNKNOWN, what);
    }
    release(&all);
}

void probe_privileges(struct probe *p)
{
    struct surplus s = {.may = ""};
    char text[420], name[80];
    struct mst_err err = {0};

    if (mst_store_is_local(p->s)) {
        return; /* a directory has no keys */
    }
    judge(&s, mst_store_try(p->s, MST_TRY_REPLACE, p->small, "", &err), "replace objects");
    try_old_version(p, &s);
    (void)snprintf(name, sizeof(name), "muster-probe-outside-%lld",
                   (long long)mst_clock_utc_ms(NULL));
    if (mst_store_try(p->s, MST_TRY_OUTSIDE, name, "", &err) == MST_OK) {
        add(s.may, sizeof(s.may), "write outside of the prefix");
    } else {
        judge(&s, err.rc, "write outside of the prefix");
    }
    if (s.may[0]) {
        (void)snprintf(text, sizeof(text), "this key may also %s: see least privilege in stores.md",
                       s.may);
        probe_warn(p, "privilege", text);
    }
    if (s.open[0]) {
        (void)snprintf(text, sizeof(text), "whether this key may %s could not be asked", s.open);
        probe_open(p, "privilege", text);
    }
    if (!s.may[0] && !s.open[0]) {
        (void)probe_passed(p, "privilege", "it may not do more than a writer needs");
    }
}

void probe_versions_away(struct probe *p)
{
    struct versions all;
    struct mst_err err = {0};

    if (!mst_store_caps(p->s)->versions) {
        return;
    }
    if (p->deletes_versions && list_versions(p, p->small, &all, &err) == MST_OK) {
        for (size_t i = 0; i < all.n; i++) {
            if (mst_store_try(p->s, MST_TRY_DELETE_VERSION, all.keys[i], all.ids[i], &err) !=
                    MST_OK &&
                strcmp(all.keys[i], p->locked) != 0) {
                probe_left(p, all.keys[i], 0);
            }
        }
        release(&all);
    } else {
        probe_left(p, p->small, 0);
        probe_left(p, p->large, 0);
    }
}
