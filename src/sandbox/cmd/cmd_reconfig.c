/* cmd_reconfig.c: replSetReconfig, the safe one: priorities, votes and the like of the members that
 * there are. */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/facts.h"
#include "set/set.h"
#include "wire/client.h"

static bool old(const struct sbx_call *c)
{
    return c->w->profile->server == SBX_42;
}

static int64_t deadline_of(const struct sbx_call *c)
{
    int64_t ms = 0;

    (void)sbx_doc_int(c->cmd, "maxTimeMS", &ms);
    return ms > 0 ? sbx_mono(c->w) + ms : INT64_MAX;
}

static bool on_primary(struct sbx_call *c)
{
    const struct sbx_member *m = c->m;

    if (m->state != SBX_PRIMARY) {
        sbx_fail(c, 10107,
                 old(c) ? "replSetReconfig should only be run on PRIMARY, but my state is %s; use "
                          "the \"force\" argument to override"
                        : "replSetReconfig should only be run on a writable PRIMARY. Current state "
                          "%s;",
                 sbx_state_name(m->state));
    } else if (!old(c) && !m->writable) {
        sbx_fail(c, 10107,
                 "replSetReconfig should only be run on a writable PRIMARY. Current state %s;",
                 sbx_state_name(m->state));
    } else if (m->reconfiguring) {
        sbx_fail(c, 109,
                 "Cannot run replSetReconfig because the node is currently updating its "
                 "configuration");
    }
    return !c->failed;
}

static bool same_members(struct sbx_call *c, const struct sbx_config *next)
{
    const struct sbx_config *now = &c->m->config;
    bool same = next->n == now->n;

    for (size_t i = 0; same && i < next->n; i++) {
        same = next->members[i].id == now->members[i].id &&
               strcmp(next->members[i].host, now->members[i].host) == 0;
    }
    if (!same) {
        sbx_fail(c, 115,
                 "replSetReconfig that adds, removes, renames or reorders members is not served by "
                 "the sandbox");
    }
    return same;
}

static bool take_document(struct sbx_call *c, struct sbx_config *next)
{
    const uint8_t *p = NULL;
    uint32_t n = 0;
    bson_iter_t it;
    bson_t doc;
    int code = 0;
    char why[256];

    if (!bson_iter_init_find(&it, c->cmd, "replSetReconfig") || !BSON_ITER_HOLDS_DOCUMENT(&it)) {
        sbx_fail(c, 2, "no configuration specified");
        return false;
    }
    bson_iter_document(&it, &n, &p);
    sbx_config_defaults(next, c->w->fast);
    bson_oid_copy(&c->m->config.replica_set_id, &next->replica_set_id);
    if (!bson_init_static(&doc, p, n) || !sbx_config_read(&doc, next, &code, why, sizeof why)) {
        sbx_fail(c, 93, "%s", code != 0 ? why : "broken document");
        return false;
    }
    if (!sbx_config_check(next, &code, why, sizeof why)) {
        sbx_fail(c, 103, "%s", why);
        return false;
    }
    if (same_members(c, next) && !sbx_config_may_follow(c->m, next, why, sizeof why)) {
        sbx_fail(c, 103, "%s", why);
    }
    return !c->failed;
}

struct answers { /* of the quorum check */
    int voters;
    bool electable, open; /* open: somebody may answer yet */
    struct mst_str with, without;
};

/* Who would say yes now: a dead process refuses at once, a silent one leaves it open. */
static void ask_all(const struct sbx_member *m, const struct sbx_config *next, struct answers *a)
{
    *a = (struct answers){.voters = 0};
    for (size_t i = 0; i < next->n; i++) {
        const struct sbx_member_config *cfg = &next->members[i];
        const struct sbx_member *b = &m->w->members[i];

        if (i == m->index || sbx_linked(m->w, m->index, i)) {
            a->voters += cfg->votes > 0;
            a->electable = a->electable || cfg->priority > 0;
            if (cfg->votes > 0) {
                mst_str_addf(&a->with, "%s%s", a->with.len > 0 ? ", " : "", cfg->host);
            }
        } else {
            const bool silent = b->alive || m->w->cut[m->index][i];

            a->open = a->open || silent;
            mst_str_addf(
                &a->without, "%s%s failed with %s", a->without.len > 0 ? ", " : "", cfg->host,
                silent ? "Couldn't get a connection within the time limit" : "Connection refused");
        }
    }
}

static void release(struct answers *a)
{
    mst_str_release(&a->with);
    mst_str_release(&a->without);
}

static bool quorum(struct sbx_call *c, const struct sbx_config *next)
{
    const int64_t until = sbx_mono(c->w) + (int64_t)c->m->config.heartbeat_timeout_s * 1000;
    const int need = sbx_vote_majority(next);
    struct answers a;
    bool ok = false;

    for (;;) {
        ask_all(c->m, next, &a);
        ok = a.voters >= need && a.electable;
        if (ok || !a.open || sbx_mono(c->w) >= until) {
            break;
        }
        release(&a);
        if (sbx_wait(c, until) == SBX_INTERRUPTED) {
            return false;
        }
    }
    if (!ok) {
        sbx_fail(c, 74,
                 "Quorum check failed because not enough voting nodes responded; required %d but "
                 "only the following %d voting nodes responded: %s; the following nodes did not "
                 "respond affirmatively: %s",
                 need, a.voters, mst_str_c(&a.with), mst_str_c(&a.without));
    }
    release(&a);
    return ok;
}

/* Until the configuration that is installed is on a majority; false: too late, or interrupted. */
static bool await_config(struct sbx_call *c, bool with_ops, int64_t deadline)
{
    while (!sbx_config_committed(c->m, with_ops)) {
        if (c->m->state != SBX_PRIMARY) {
            sbx_fail(c, 189, "primary stepped down while waiting for its configuration");
            return false;
        }
        if (sbx_wait(c, deadline) != SBX_WOKE) {
            return !c->failed && sbx_config_committed(c->m, with_ops);
        }
    }
    return true;
}

/* Refused here, the document has changed nothing. */
static bool install(struct sbx_call *c, int64_t deadline)
{
    struct sbx_config next;

    if (!old(c) && !await_config(c, true, deadline)) {
        sbx_fail(c, 308,
                 "Cannot run replSetReconfig because the current config: {version: %d, term: "
                 "%" PRId64 "} is not majority committed",
                 c->m->config.version, c->m->config.term);
        return false;
    }
    if (!take_document(c, &next) || !quorum(c, &next)) {
        return false;
    }
    if (c->m->state != SBX_PRIMARY || !c->m->writable) {
        sbx_fail(c, 10107, "replSetReconfig: this node stepped down meanwhile");
        return false;
    }
    sbx_reconfigure(c->m, &next);
    return true;
}

static void cmd_reconfig(struct sbx_call *c)
{
    const int64_t deadline = deadline_of(c);
    struct sbx_member *m = c->m;

    if (!sbx_need_config(c)) {
        return;
    }
    if (sbx_doc_true(c->cmd, "force")) {
        sbx_fail(c, 115, "replSetReconfig with force is not served by the sandbox");
        return;
    }
    if (!on_primary(c)) {
        return;
    }
    const uint32_t generation = m->generation;
    m->reconfiguring = true;
    const bool installed = install(c, deadline);
    if (m->generation == generation) {
        m->reconfiguring = false;
    }
    if (installed && !old(c) && !await_config(c, false, deadline)) {
        sbx_fail(c, 50,
                 "Reconfig finished but failed to propagate to a majority :: caused by :: "
                 "operation exceeded time limit");
    }
}

const struct sbx_cmd sbx_cmds_reconfig[] = {
    {"replSetReconfig", cmd_reconfig, SBX_CMD_ADMIN, NULL},
    {0},
};
