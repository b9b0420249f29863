/* cmd_lock.c: fsyncLock and its end, the parameters that a switchover meets, and a command that
 * takes its time. */
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/facts.h"
#include "set/set.h"
#include "wire/client.h"

static void cmd_fsync(struct sbx_call *c)
{
    if (!sbx_doc_true(c->cmd, "lock")) {
        BSON_APPEND_INT32(c->reply, "numFiles", 1); /* there are none: all is in memory */
        return;
    }
    if (c->m->data == NULL) {
        sbx_fail(c, 20, "an arbiter has nothing to lock");
        return;
    }
    c->m->fsync_locks++; /* what writes is between two steps or waits: nothing is to be ended */
    BSON_APPEND_UTF8(c->reply, "info", "now locked against writes, use db.fsyncUnlock() to unlock");
    BSON_APPEND_INT64(c->reply, "lockCount", c->m->fsync_locks);
    BSON_APPEND_UTF8(c->reply, "seeAlso", "http://dochub.mongodb.org/core/fsynccommand");
    sbx_changed(c->w);
}

static void cmd_fsync_unlock(struct sbx_call *c)
{
    if (c->m->fsync_locks == 0) {
        c->error_plain = true;
        sbx_fail(c, 0, "fsyncUnlock called when not locked");
        return;
    }
    c->m->fsync_locks--;
    BSON_APPEND_UTF8(c->reply, "info", "fsyncUnlock completed");
    BSON_APPEND_INT64(c->reply, "lockCount", c->m->fsync_locks);
    sbx_due(c->w, 0);
    sbx_changed(c->w);
}

#define HAND_OFF "enableElectionHandoff"
#define LOCK_LIMIT "fassertOnLockTimeoutForStepUpDown"

bool sbx_parameter_append(const struct sbx_call *c, const char *name, const char *key, bson_t *to)
{
    const struct sbx_dials *d = &c->m->dials;

    if (strcmp(name, LOCK_LIMIT) == 0 && c->w->profile->server != SBX_42) {
        BSON_APPEND_INT32(to, key, d->fassert_lock_s);
    } else if (strcmp(name, HAND_OFF) == 0) {
        BSON_APPEND_BOOL(to, key, !d->no_hand_off);
    } else {
        return false;
    }
    return true;
}

static bool set_one(struct sbx_call *c, const bson_iter_t *it)
{
    const char *name = bson_iter_key(it);
    struct sbx_dials *d = &c->m->dials;

    if (!sbx_parameter_append(c, name, "was", c->reply)) {
        return false;
    }
    if (strcmp(name, HAND_OFF) == 0) {
        d->no_hand_off = !bson_iter_as_bool(it);
    } else if (BSON_ITER_HOLDS_NUMBER(it) && bson_iter_as_int64(it) >= 0 &&
               bson_iter_as_int64(it) <= 86400) {
        d->fassert_lock_s = (int)bson_iter_as_int64(it);
    } else {
        sbx_fail(c, 2, "Invalid value for parameter %s", name);
    }
    return true;
}

static void cmd_set_parameter(struct sbx_call *c)
{
    bson_iter_t it;

    bson_iter_init(&it, c->cmd);
    (void)bson_iter_next(&it); /* the command itself */
    if (!bson_iter_next(&it)) {
        sbx_fail(c, 72, "no option found to set, use help:true to see options ");
    } else if (!set_one(c, &it)) {
        sbx_fail(c, 72,
                 "attempted to set unrecognized parameter [%.64s], use help:true to see options ",
                 bson_iter_key(&it));
    }
}

/* As a server with enableTestCommands has it: an operation that runs as long as it is told to, and
 * with w holds what a step-down needs. */
static void cmd_sleep(struct sbx_call *c)
{
    const char *lock = sbx_doc_str(c->cmd, "lock");
    int64_t secs = 0, ms = 0;

    if (!sbx_doc_int(c->cmd, "secs", &secs)) {
        (void)sbx_doc_int(c->cmd, "seconds", &secs);
    }
    (void)sbx_doc_int(c->cmd, "millis", &ms);
    if (secs < 0 || ms < 0 || secs > 86400 || ms > 86400000) {
        sbx_fail(c, 2, "sleep takes 0 to 86400 seconds");
        return;
    }
    if (c->conn != NULL) {
        c->conn->op_writes = sbx_doc_true(c->cmd, "w") || (lock != NULL && strcmp(lock, "w") == 0);
    }
    const int64_t until = sbx_mono(c->w) + secs * 1000 + ms;
    while (sbx_mono(c->w) < until && sbx_wait(c, until) != SBX_INTERRUPTED) {
    }
}

const struct sbx_cmd sbx_cmds_lock[] = {
    {"fsync", cmd_fsync, SBX_CMD_ADMIN, NULL},
    {"fsyncUnlock", cmd_fsync_unlock, SBX_CMD_ADMIN, NULL},
    {"setParameter", cmd_set_parameter, SBX_CMD_ADMIN | SBX_CMD_ARBITER, NULL},
    {"sleep", cmd_sleep, SBX_CMD_ADMIN | SBX_CMD_ARBITER, NULL},
    {0},
};
