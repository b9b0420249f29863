#include "cmd/cmd.h"
#include "cmd/cmd_data.h"
#include "cmd/cmd_data_cursor.h"
#include "sess/sess.h"

/* A session's cursors end with it. */
static void drop_cursors(struct sbx_call *c)
{
    const struct sbx_val list = sbx_cmd_arg(c, c->name);
    struct sbx_it it;

    if (list.type != SBX_ARRAY) {
        return;
    }
    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        const uint8_t *id =
            it.v.type == SBX_OBJECT ? sbx_val_uuid(sbx_doc_get(sbx_val_doc(it.v), "id")) : NULL;

        if (id) {
            sbx_cursors_kill_session(c->m, id);
        }
    }
    sbx_changed(c->w); /* who waits in one of them ends */
}

static void drop_named(struct sbx_call *c)
{
    drop_cursors(c);
    sbx_sess_drop(c, false);
}

static void drop_every(struct sbx_call *c)
{
    sbx_cursors_free(c->m);
    sbx_changed(c->w);
    sbx_sess_drop(c, true);
}

const struct sbx_cmd sbx_cmds_sess[] = {
    {"commitTransaction", sbx_sess_commit, SBX_CMD_ADMIN | SBX_CMD_TXN | SBX_CMD_WRITES, NULL},
    {"abortTransaction", sbx_sess_abort, SBX_CMD_ADMIN | SBX_CMD_TXN, NULL},
    {"startSession", sbx_sess_start_session, 0, NULL},
    {"endSessions", drop_named, SBX_CMD_ARBITER, NULL},
    {"refreshSessions", sbx_sess_refresh, SBX_CMD_ARBITER, NULL},
    {"killSessions", drop_named, SBX_CMD_ARBITER, NULL},
    {"killAllSessions", drop_every, SBX_CMD_ARBITER, NULL},
    {0}};
