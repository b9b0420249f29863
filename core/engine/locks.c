#include "engine/locks.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/locks.h"

static void words(const struct mst_locks *k, char *text, size_t size)
{
    char until[MST_TIME_MAX];

    if (k->until_ms > 0) {
        (void)snprintf(text, size, "locked until %s (%s)", mst_time_iso(k->until_ms, until),
                       k->mode);
    }
}

static bool locks(const struct mst_catalog *c)
{
    return mst_store_lock_until(c->store, mst_clock_utc_ms(NULL)) > 0;
}

/* COMMIT was written last: it says what the whole backup has to have. */
static enum mst_rc commit_until(const struct mst_catalog *c, const char *id, bool now,
                                int64_t *until_ms, struct mst_err *err)
{
    struct mst_store_info info;
    char key[MST_KEY_MAX], day[MST_TIME_MAX];

    mst_catalog_key(c, id, "", "COMMIT", key);
    if (mst_store_info(c->store, key, &info, err) != MST_OK) {
        return err->rc;
    }
    *until_ms = info.locked_until_ms;
    /* A day less than what is asked for now: it may have been written before midnight. */
    if (*until_ms == 0 ||
        (now && *until_ms < mst_store_lock_until(c->store, mst_clock_utc_ms(NULL)) - 86400000)) {
        return mst_err_set(err, MST_E_INTEGRITY, "the store says that COMMIT is %s%s",
                           *until_ms ? "locked until " : "not locked",
                           *until_ms ? mst_time_iso(*until_ms, day) : "");
    }
    return MST_OK;
}

enum mst_rc mst_lock_settle(const struct mst_catalog *c, const char *id, bool now,
                            struct mst_task *task, char *text, size_t size, struct mst_err *err)
{
    struct mst_locks k = {0};
    int64_t until = 0;
    enum mst_rc rc;

    text[0] = '\0';
    if (!locks(c)) {
        return MST_OK;
    }
    rc = commit_until(c, id, now, &until, err);
    rc = rc == MST_OK ? mst_locks_look(c, id, task, &k, err) : rc;
    if (rc == MST_OK && k.until_ms < until) {
        mst_task_phase(task, "locking what was written before midnight");
        rc = mst_locks_extend(c, id, mst_store_lock_mode(c->store), until, task, &k, err);
    }
    if (rc == MST_OK) {
        words(&k, text, size);
        return MST_OK;
    }
    if (rc != MST_E_CANCELLED) {
        mst_err_prefix(err, "%s is whole in %s, and not locked as its lock_days say", id,
                       mst_store_name(c->store));
        rc = err->rc = MST_E_INCOMPLETE;
    }
    return rc;
}

enum mst_rc mst_lock_hold(const struct mst_catalog *c, const char *id, int64_t until_ms,
                          struct mst_task *task, char *text, size_t size, struct mst_err *err)
{
    struct mst_locks k = {0};
    enum mst_rc rc;

    text[0] = '\0';
    if (!locks(c)) {
        return MST_OK;
    }
    if (until_ms == MST_HOLD_EVER) { /* a lock has an end */
        mst_lock_stays(c, id, task, text, size);
        return MST_OK;
    }
    rc = mst_locks_extend(c, id, mst_store_lock_mode(c->store), until_ms, task, &k, err);
    if (rc == MST_OK) {
        words(&k, text, size);
    } else if (rc != MST_E_CANCELLED) {
        mst_err_prefix(err, "the hold stands, and the locks were not extended");
    }
    return rc;
}

enum mst_rc mst_lock_as_held(const struct mst_catalog *c, const char *id, struct mst_task *task,
                             char *text, size_t size, struct mst_err *err)
{
    struct mst_backup b;
    char more[80] = "";
    enum mst_rc rc;

    if (!locks(c)) {
        return MST_OK;
    }
    rc = mst_catalog_find(c, id, task, &b, err);
    if (rc == MST_OK && b.hold_until_ms <= mst_clock_utc_ms(NULL)) {
        return MST_OK;
    }
    rc = rc == MST_OK ? mst_lock_hold(c, id, b.hold_until_ms, task, more, sizeof(more), err) : rc;
    if (rc == MST_OK) {
        (void)mst_copy(text, size, more);
    } else if (rc != MST_E_CANCELLED) {
        mst_err_prefix(err, "%s is whole in %s", id, mst_store_name(c->store));
        rc = err->rc = MST_E_INCOMPLETE;
    }
    return rc;
}

void mst_lock_stays(const struct mst_catalog *c, const char *id, struct mst_task *task, char *text,
                    size_t size)
{
    struct mst_locks k = {0};
    struct mst_err why = {0};

    text[0] = '\0';
    if (!locks(c)) {
        return;
    }
    if (mst_locks_look(c, id, task, &k, &why) != MST_OK) {
        (void)snprintf(text, size, "its locks are not known");
    } else if (k.until_ms > mst_clock_utc_ms(NULL)) {
        words(&k, text, size);
    }
}
