/* dispatch.c: a command's way: lookup, checks, handler, write concern, the fields of every reply.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "server/internal.h"
#include "set/set.h"
#include "wire/client.h"

#define TABLES_MAX 16

static const struct sbx_cmd *tables[TABLES_MAX];
static size_t n_tables;

void sbx_server_register(const struct sbx_cmd *table)
{
    for (size_t i = 0; i < n_tables; i++) {
        if (tables[i] == table) {
            return;
        }
    }
    MST_ASSERT(n_tables < TABLES_MAX);
    tables[n_tables++] = table;
}

static bool served(const struct sbx_world *w, const struct sbx_cmd *cmd)
{
    return cmd->since == NULL || strcmp(w->profile->name, cmd->since) >= 0;
}

const struct sbx_cmd *sbx_server_find(const struct sbx_world *w, const char *name)
{
    for (size_t t = 0; t < n_tables; t++) {
        for (const struct sbx_cmd *cmd = tables[t]; cmd->name != NULL; cmd++) {
            if (strcmp(cmd->name, name) == 0 && served(w, cmd)) {
                return cmd;
            }
        }
    }
    return NULL;
}

size_t sbx_server_commands(const struct sbx_world *w, const char **names, size_t max)
{
    size_t n = 0;

    for (size_t t = 0; t < n_tables; t++) {
        for (const struct sbx_cmd *cmd = tables[t]; cmd->name != NULL; cmd++) {
            if (served(w, cmd)) {
                if (n < max) {
                    names[n] = cmd->name;
                }
                n++;
            }
        }
    }
    return n;
}

static void count_command(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    struct sbx_counters *n = &c->m->counters;

    if (strcmp(cmd->name, "find") == 0) {
        n->query++;
    } else if (strcmp(cmd->name, "getMore") == 0) {
        n->getmore++;
    } else if (strcmp(cmd->name, "insert") != 0 && strcmp(cmd->name, "update") != 0 &&
               strcmp(cmd->name, "delete") != 0) {
        n->command++; /* the three count their statements themselves */
    }
}

static struct sbx_cmd_count *counter(struct sbx_member *m, const char *name)
{
    size_t i;

    for (i = 0; i < m->n_cmd_counts && strcmp(m->cmd_counts[i].name, name) != 0; i++) {
    }
    if (i == m->n_cmd_counts) {
        m->cmd_counts = mst_xrealloc(m->cmd_counts, (i + 1) * sizeof *m->cmd_counts);
        m->cmd_counts[i] = (struct sbx_cmd_count){name, 0, 0};
        m->n_cmd_counts++;
    }
    return &m->cmd_counts[i];
}

/* What kind of read the client allows: flags of the old form, $readPreference of the new one. */
static bool reads_anywhere(const struct sbx_call *c)
{
    const char *mode = sbx_doc_str(c->cmd, "$readPreference.mode");

    return c->secondary_ok || (mode != NULL && strcmp(mode, "primary") != 0);
}

static bool check_state(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    const bool old = c->w->profile->server == SBX_42;
    const struct sbx_member *m = c->m;

    if ((cmd->flags & SBX_CMD_PRIMARY) != 0 && !m->writable) {
        sbx_fail(c, 10107, "%s", old ? "not master" : "not primary");
    } else if ((cmd->flags & SBX_CMD_READ) != 0 && !m->writable) {
        const bool secondary = m->state == SBX_SECONDARY || m->state == SBX_PRIMARY;
        if (!secondary) {
            sbx_fail(c, 13436, "%s", "node is not in primary or recovering state");
        } else if (!reads_anywhere(c)) {
            sbx_fail(c, 13435, "%s",
                     old ? "not master and slaveOk=false" : "not primary and secondaryOk=false");
        }
    }
    return !c->failed;
}

static bool check_call(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    if (c->db[0] == '\0') {
        sbx_fail(c, 40571, "OP_MSG requests require a $db argument");
        return false;
    }
    if (!sbx_hooks_allow(c, cmd)) {
        return false;
    }
    if ((cmd->flags & SBX_CMD_ADMIN) != 0 && strcmp(c->db, "admin") != 0) {
        sbx_fail(c, 13, "%s may only be run against the admin database.", cmd->name);
        return false;
    }
    const bool writes = (cmd->flags & (SBX_CMD_PRIMARY | SBX_CMD_WRITES)) != 0;
    const bool data = writes || (cmd->flags & (SBX_CMD_READ | SBX_CMD_DISK)) != 0;

    /* While it waits for the disk, its member may have lost its seat. */
    return check_state(c, cmd) && (!data || (sbx_await_disk(c, writes) && check_state(c, cmd))) &&
           !sbx_disk_refuses(c, cmd) && sbx_hooks_begin(c, cmd);
}

static void note_ns(struct sbx_call *c)
{
    const char *what = sbx_doc_str(c->cmd, c->name);

    (void)snprintf(c->conn->op_ns, sizeof c->conn->op_ns, "%s.%s", c->db,
                   what != NULL                        ? what
                   : strcmp(c->name, "currentOp") == 0 ? "$cmd.aggregate"
                                                       : "$cmd");
}

static void run(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    if (c->conn != NULL) {
        c->conn->op = cmd->name;
        c->conn->op_writes = (cmd->flags & (SBX_CMD_PRIMARY | SBX_CMD_WRITES)) != 0;
        note_ns(c);
    }
    count_command(c, cmd);
    counter(c->m, cmd->name)->total++;
    if (check_call(c, cmd) && sbx_await_read_concern(c)) {
        cmd->fn(c);
    }
    sbx_hooks_end(c, cmd);
    if (!c->failed) {
        BSON_APPEND_DOUBLE(c->reply, "ok", c->not_ok ? 0 : 1);
    }
    if (!c->no_answer) {
        sbx_await_write_concern(c); /* its error stands behind ok */
    }
    counter(c->m, cmd->name)->failed += c->failed || c->not_ok;
}

static void append_times(struct sbx_call *c, bson_t *out, bool cluster, bool operation)
{
    if (cluster) {
        uint8_t hash[SBX_AUTH_HASH];
        const int64_t key_id = sbx_auth_sign(c->m, c->m->cluster_time, hash);

        sbx_append_cluster_time(out, c->m->cluster_time, hash, key_id);
    }
    if (operation) {
        const bool wrote = !mst_ts_zero(c->last_op.ts);
        sbx_append_ts(out, "operationTime", wrote ? c->last_op.ts : c->m->applied.op.ts);
    }
}

static void append_error(const struct sbx_call *c, bson_t *out)
{
    char buf[32];

    BSON_APPEND_DOUBLE(out, "ok", 0);
    bson_append_utf8(out, "errmsg", -1, c->errmsg, -1);
    if (c->error_code != 0) {
        BSON_APPEND_INT32(out, "code", c->error_code);
        BSON_APPEND_UTF8(out, "codeName", sbx_code_name(c->w->profile, c->error_code, buf));
    }
    if (c->error_info != NULL) {
        bson_concat(out, c->error_info);
    }
}

/* 4.2 puts operationTime in front of an error that was thrown, newer ones at the end. */
static void finish(struct sbx_call *c, bool times)
{
    const bool front = c->w->profile->server == SBX_42 && !c->error_plain;

    if (!c->failed) {
        append_times(c, c->reply, times, times);
        return;
    }
    bson_reinit(c->reply);
    if (c->error_extra != NULL) {
        bson_concat(c->reply, c->error_extra);
    }
    if (c->w->profile->hello &&
        (c->error_code == 10107 || c->error_code == 13435 || c->error_code == 13436 ||
         c->error_code == 189 || c->error_code == 11602 || c->error_code == 11600)) {
        sbx_append_topology_version(c->m, c->reply);
    }
    append_times(c, c->reply, false, times && front);
    append_error(c, c->reply);
    append_times(c, c->reply, times, times && !front);
}

static void see_times(struct sbx_call *c)
{
    bson_iter_t it, at;
    uint32_t t = 0, i = 0;

    if (bson_iter_init(&it, c->cmd) &&
        bson_iter_find_descendant(&it, "$clusterTime.clusterTime", &at) &&
        BSON_ITER_HOLDS_TIMESTAMP(&at)) {
        bson_iter_timestamp(&at, &t, &i);
        /* A client of another set must not push the clock into the future. */
        if (t <= (uint32_t)(sbx_utc(c->w) / 1000) + 3600) {
            sbx_see_cluster_time(c->m, (struct mst_ts){t, i});
        }
    }
}

void sbx_dispatch(struct sbx_call *c)
{
    bson_iter_t it;
    const struct sbx_cmd *cmd;

    c->name = bson_iter_init(&it, c->cmd) && bson_iter_next(&it) ? bson_iter_key(&it) : "";
    cmd = sbx_server_find(c->w, c->name);
    see_times(c);
    if (cmd == NULL) {
        sbx_fail(c, 59, "no such command: '%.200s'", c->name);
    } else if (c->legacy && (cmd->flags & SBX_CMD_HANDSHAKE) == 0) {
        sbx_fail(c, 352, "Unsupported OP_QUERY command: %s", cmd->name);
    } else {
        run(c, cmd);
    }
    const struct sbx_member_config *cfg = c->m->has_config ? sbx_member_cfg(c->m) : NULL;
    finish(c, !(cmd != NULL && (cmd->flags & SBX_CMD_NO_OPTIME) != 0) &&
                  !(cfg != NULL && cfg->arbiter) && sbx_auth_signs(c->m));
    c->m->counters.asserts_user += c->failed;
}

void sbx_call_release(struct sbx_call *c)
{
    if (c->error_extra != NULL) {
        bson_destroy(c->error_extra);
        c->error_extra = NULL;
    }
    if (c->error_info != NULL) {
        bson_destroy(c->error_info);
        c->error_info = NULL;
    }
}
