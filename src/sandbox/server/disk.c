/* disk.c: what a member does whose disk is full. */
#include <string.h>

#include "base/mem.h"
#include "server/internal.h"
#include "set/set.h"

/* Commands that need new room. What takes something away, renames or notes is served: it needs next
 * to none, and somebody must be able to make room. */
static bool needs_room(const char *name)
{
    static const char *const names[] = {"insert",          "update",        "findAndModify",
                                        "findandmodify",   "create",        "applyOps",
                                        "convertToCapped", "createIndexes", "commitTransaction"};

    for (size_t i = 0; i < MST_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void die(struct sbx_member *m)
{
    sbx_set_killed(m);
    sbx_server_kill(m);
}

bool sbx_disk_refuses(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    if (c->m->disk == SBX_DISK_OK || (cmd->flags & SBX_CMD_PRIMARY) == 0) {
        return false;
    }
    if (c->m->disk == SBX_DISK_FULL) {
        if (needs_room(cmd->name)) {
            sbx_fail(c, 14031, "%s: no space left on device", cmd->name);
        }
        return c->failed;
    }
    sbx_fail(c, 14031, "no space left on device: the process ends");
    c->no_answer = c->close = true;
    die(c->m);
    return true;
}

/* What it wrote by itself or took from another ends it as well. */
void sbx_disk_tick(struct sbx_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct sbx_member *m = &w->members[i];

        if (m->alive && m->disk == SBX_DISK_CRASH &&
            mst_optime_cmp(m->applied.op, m->disk_at) != 0) {
            die(m);
        }
    }
}
