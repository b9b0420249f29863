/* Locks of what is written, and what they mean for what is to be removed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/impl.h"

#define DAY_MS INT64_C(86400000)
#define REFUSALS_MAX 16U /* in a row: such a store refuses everything */

void mst_store_marks_take(struct mst_store *s, const struct mst_store_marks *m)
{
    const char *mode = m->lock_mode && *m->lock_mode ? m->lock_mode : "GOVERNANCE";

    s->lock_days = m->lock_days;
    (void)mst_copy(s->lock_mode, sizeof(s->lock_mode), m->lock_days > 0 ? mode : "");
}

int64_t mst_store_lock_until(const struct mst_store *s, int64_t now_wall_ms)
{
    return s->lock_days > 0 ? (now_wall_ms / DAY_MS + s->lock_days + 1) * DAY_MS : 0;
}

const char *mst_store_lock_mode(const struct mst_store *s)
{
    return s->lock_mode;
}

const char *mst_store_tags_wanted(const struct mst_store *s)
{
    return s->tags ? s->tags : "";
}

bool mst_store_lock_wanted(const char *key)
{
    const char *slash = strrchr(key, '/');

    return strcmp(slash ? slash + 1 : key, "claim") != 0 && !strstr(key, "/probe/") &&
           strncmp(key, "probe/", 6) != 0 && strncmp(key, "muster-probe/", 13) != 0;
}

enum mst_rc mst_store_free_to_go(struct mst_store *s, const char *key, int64_t *until_ms,
                                 struct mst_err *err)
{
    struct mst_store_info info;
    struct mst_err look = {0};
    char until[MST_TIME_MAX];
    enum mst_rc rc;

    *until_ms = 0;
    if (!s->ops->may_lock || !s->ops->info || !s->ops->may_lock(s)) {
        return MST_OK;
    }
    rc = s->ops->info(s, key, &info, &look);
    if (rc == MST_E_NOTFOUND) {
        return MST_OK; /* what removing it says then is the store's */
    }
    if (rc != MST_OK) {
        *err = look;
        mst_err_prefix(err, "it is not known whether %s is locked", key);
        return rc;
    }
    if (info.legal_hold) {
        return mst_err_set(err, MST_E_PRECOND, "%s in the store %s is kept by a hold of the store",
                           key, s->name);
    }
    if (info.locked_until_ms <= mst_clock_utc_ms(NULL)) {
        return MST_OK;
    }
    *until_ms = info.locked_until_ms;
    return mst_err_set(err, MST_E_PRECOND, "%s in the store %s is locked until %s (%s)", key,
                       s->name, mst_time_iso(info.locked_until_ms, until), info.lock_mode);
}

/* --- many ------------------------------------------------------------------------------------- */

static void stays(struct mst_store_swept *out, const char *key, int64_t until_ms)
{
    if (out->locked++ == 0 || until_ms == 0 ||
        (out->locked_until_ms != 0 && until_ms > out->locked_until_ms)) {
        out->locked_until_ms = until_ms;
        (void)mst_copy(out->locked_key, sizeof(out->locked_key), key);
    }
}

/* Refused: is it because something locks it that was not known before? */
static bool locked_after_all(struct mst_store *s, const char *key, struct mst_store_swept *out)
{
    struct mst_store_info info;
    struct mst_err ignore = {0};

    if (!s->ops->info || s->ops->info(s, key, &info, &ignore) != MST_OK ||
        (!info.legal_hold && info.locked_until_ms <= mst_clock_utc_ms(NULL))) {
        return false;
    }
    stays(out, key, info.legal_hold ? 0 : info.locked_until_ms);
    return true;
}

/* The first of those that stay although nothing locks them. */
static enum mst_rc refused(const struct mst_store_swept *out, struct mst_err *err)
{
    *err = out->first;
    if (out->failed > 1) {
        mst_err_prefix(err, "%llu %s could not be removed, the first",
                       (unsigned long long)out->failed,
                       mst_text_noun(out->failed, "object", "objects"));
    }
    return err->rc;
}

/* Nobody answers, or all of it was stopped: the others would fare no better. */
static bool ends_all(enum mst_rc rc)
{
    return rc == MST_E_CANCELLED || rc == MST_E_NET || rc == MST_E_TLS || rc == MST_E_TIMEOUT ||
           rc == MST_E_CONFIG;
}

static enum mst_rc one_by_one(struct mst_store *s, const char (*keys)[MST_KEY_MAX], size_t n,
                              struct mst_store_swept *out, struct mst_task *task,
                              struct mst_err *err)
{
    unsigned refusals = 0; /* one after another */

    for (size_t i = 0; i < n && refusals < REFUSALS_MAX; i++) {
        struct mst_err why = {0};
        enum mst_rc rc = mst_task_check(task, &why);

        rc = rc == MST_OK ? s->ops->remove(s, keys[i], &why) : rc;
        if (rc == MST_E_PRECOND && locked_after_all(s, keys[i], out)) {
            continue;
        }
        if (rc == MST_OK || rc == MST_E_NOTFOUND) {
            out->gone++;
            out->markers += mst_store_caps(s)->versions;
            refusals = 0;
            continue;
        }
        out->failed += rc != MST_E_CANCELLED;
        if (ends_all(rc)) {
            *err = why;
            return rc;
        }
        refusals++;
        out->first = out->first.rc == MST_OK ? why : out->first;
    }
    return refusals < REFUSALS_MAX ? MST_OK : refused(out, err);
}

/* A batch of keys that nothing locks. */
static enum mst_rc batch(struct mst_store *s, const char (*keys)[MST_KEY_MAX], size_t n,
                         struct mst_store_swept *out, struct mst_task *task, struct mst_err *err)
{
    enum mst_rc rc = MST_E_CONFIG;

    if (n == 0) {
        return MST_OK;
    }
    if (s->ops->remove_many) {
        rc = s->ops->remove_many(s, keys, n, out, task, err);
    }
    if (rc == MST_E_CONFIG) {
        memset(err, 0, sizeof(*err));
        rc = one_by_one(s, keys, n, out, task, err);
    }
    return rc;
}

enum mst_rc mst_store_delete_many(struct mst_store *s, const char (*keys)[MST_KEY_MAX], size_t n,
                                  struct mst_store_swept *out, struct mst_task *task,
                                  struct mst_err *err)
{
    char(*free_ones)[MST_KEY_MAX] = mst_xcalloc(n < MST_SWEEP ? n + 1 : MST_SWEEP, MST_KEY_MAX);
    enum mst_rc rc = MST_OK;

    for (size_t at = 0; rc == MST_OK && at < n;) {
        size_t m = 0;

        for (; rc == MST_OK && m < MST_SWEEP && at < n; at++) {
            int64_t until;

            rc = mst_task_check(task, err);
            rc = rc == MST_OK ? mst_store_free_to_go(s, keys[at], &until, err) : rc;
            if (rc == MST_OK) {
                (void)mst_copy(free_ones[m++], MST_KEY_MAX, keys[at]);
            } else if (rc == MST_E_PRECOND) {
                stays(out, keys[at], until);
                memset(err, 0, sizeof(*err));
                rc = MST_OK;
            }
        }
        rc = rc == MST_OK ? batch(s, (const char(*)[MST_KEY_MAX])free_ones, m, out, task, err) : rc;
    }
    free(free_ones);
    return rc == MST_OK && out->first.rc != MST_OK ? refused(out, err) : rc;
}

void mst_store_swept_text(const struct mst_store_swept *w, char *out, size_t size)
{
    char until[MST_TIME_MAX];
    size_t len;

    out[0] = '\0';
    if (w->locked > 0) {
        (void)snprintf(out, size, "; %llu %s, %s%s", (unsigned long long)w->locked,
                       w->locked == 1 ? "stays" : "stay",
                       w->locked_until_ms ? "locked until " : "kept by a hold of the store",
                       w->locked_until_ms ? mst_time_iso(w->locked_until_ms, until) : "");
    }
    len = strlen(out);
    if (w->markers > 0) {
        (void)snprintf(out + len, size - len,
                       "; the bucket keeps versions: what was removed is hidden, and takes room "
                       "until its versions are removed");
    }
}

/* --- asked of the store ----------------------------------------------------------------------- */

enum mst_rc mst_store_tags(struct mst_store *s, const char *key, struct mst_str *out,
                           struct mst_err *err)
{
    if (!s->ops->tags) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s (%s) has no tags", s->name, s->where);
    }
    return s->ops->tags(s, key, out, err);
}

enum mst_rc mst_store_try(struct mst_store *s, enum mst_store_trial what, const char *key,
                          const char *version, struct mst_err *err)
{
    if (!s->ops->trial) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s (%s) has no keys", s->name, s->where);
    }
    return s->ops->trial(s, what, key, version, err);
}
