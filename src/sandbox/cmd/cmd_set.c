/* cmd_set.c: the configuration and what moves the primary's seat. */
#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"
#include "set/set.h"
#include "wire/client.h"

/* Answered by a member without a configuration. */
static bool need_config(struct sbx_call *c)
{
    if (!c->m->has_config) {
        sbx_fail(c, 94, "no replset config has been received");
    }
    return c->m->has_config;
}

static void cmd_get_config(struct sbx_call *c)
{
    bson_t doc;

    if (!need_config(c)) {
        return;
    }
    bson_append_document_begin(c->reply, "config", -1, &doc);
    sbx_config_append(c->w, &c->w->config, &doc);
    bson_append_document_end(c->reply, &doc);
    if (c->w->profile->server != SBX_42 && sbx_doc_true(c->cmd, "commitmentStatus")) {
        if (!c->m->writable) {
            sbx_fail(c, 10107, "commitmentStatus is only supported on primary.");
            return;
        }
        BSON_APPEND_BOOL(c->reply, "commitmentStatus", true);
    }
}

static void cmd_initiate(struct sbx_call *c)
{
    struct sbx_config cfg;
    bson_iter_t it;
    bson_t doc;
    const uint8_t *p;
    uint32_t n;
    int code = 0;
    char why[256];

    if (c->m->has_config) {
        sbx_fail(c, 23, "already initialized");
        return;
    }
    if (!bson_iter_init_find(&it, c->cmd, "replSetInitiate") || !BSON_ITER_HOLDS_DOCUMENT(&it)) {
        sbx_fail(c, 14, "replSetInitiate needs a configuration document");
        return;
    }
    bson_iter_document(&it, &n, &p);
    if (!bson_init_static(&doc, p, n)) {
        sbx_fail(c, 22, "broken document");
        return;
    }
    sbx_config_defaults(&cfg, c->w->fast);
    cfg.version = 1;
    if (!sbx_config_parse(&doc, &cfg, &code, why, sizeof why)) {
        sbx_fail(c, code, "%s", why);
        return;
    }
    if (cfg.n != c->w->n) {
        sbx_fail(c, 74, "this sandbox has %zu members, the configuration %zu", c->w->n, cfg.n);
        return;
    }
    for (size_t i = 0; i < cfg.n; i++) {
        if (strcmp(cfg.members[i].host, c->w->members[i].host) != 0 ||
            cfg.members[i].arbiter != (c->w->members[i].data == NULL)) {
            sbx_fail(c, 74,
                     "No host described in new configuration %d for replica set %s maps to "
                     "member %zu of this sandbox",
                     cfg.version, cfg.set, i);
            return;
        }
    }
    sbx_set_initiate(c->m, &cfg);
}

/* Seconds of an argument as the server takes them: a number, else the default. */
static int64_t seconds(const struct sbx_call *c, const char *key, int64_t missing)
{
    int64_t v = missing;

    (void)sbx_doc_int(c->cmd, key, &v);
    return v;
}

static bool step_down_arguments(struct sbx_call *c, int64_t *period, int64_t *wait, bool *force)
{
    *force = sbx_doc_true(c->cmd, "force");
    *period = seconds(c, c->name, 0);
    if (*period == 0) {
        *period = 60;
    } else if (*period < 0) {
        sbx_fail(c, 2, "stepdown period must be a positive integer");
        return false;
    }
    *wait = seconds(c, "secondaryCatchUpPeriodSecs", *force ? 0 : 10);
    if (*wait < 0) {
        sbx_fail(c, 2, "secondaryCatchUpPeriodSecs period must be a positive or absent");
    } else if (*period < *wait && !sbx_doc_has(c->cmd, "secondaryCatchUpPeriodSecs")) {
        *wait = *period;
    } else if (*period < *wait) {
        sbx_fail(c, 2, "stepdown period must be longer than secondaryCatchUpPeriodSecs");
    }
    return !c->failed;
}

static void hand_over(struct sbx_member *m, int heir)
{
    struct sbx_member *h = &m->w->members[heir];

    if (sbx_linked(m->w, m->index, h->index)) {
        h->elections.step_up_called++;
        (void)sbx_stand(h, "stepUpRequestSkipDryRun", true);
    }
}

/* The attempt: refuse writes, wait for a majority and an heir. False: it failed, writes go on. */
static bool wait_caught_up(struct sbx_call *c, int64_t wait_s, bool force)
{
    const int64_t deadline = sbx_mono(c->w) + wait_s * 1000;
    const int64_t term = c->m->term;
    char when[MST_TIME_MAX];

    while (!sbx_caught_up(c->m)) {
        if (sbx_mono(c->w) >= deadline) {
            if (force) {
                return true;
            }
            (void)mst_time_iso_ms(sbx_utc(c->w), when);
            when[strcspn(when, "Z")] = '\0';
            sbx_fail(c, 262,
                     "No electable secondaries caught up as of %s+0000. Please use the "
                     "replSetStepDown command with the argument {force: true} to force node to "
                     "step down.",
                     when);
            return false;
        }
        const enum sbx_woke woke = sbx_wait(c, deadline);
        if (woke == SBX_INTERRUPTED) {
            return false;
        }
        if (c->m->state != SBX_PRIMARY || c->m->term != term) {
            sbx_fail(c, 189,
                     "While waiting for secondaries to catch up before stepping down, this node "
                     "decided to step down for other reasons");
            return false;
        }
    }
    return true;
}

static void cmd_step_down(struct sbx_call *c)
{
    struct sbx_member *m = c->m;
    int64_t period, wait;
    bool force;

    if (!need_config(c)) {
        return;
    }
    if (!m->writable && m->stepping_down) {
        sbx_fail(c, 117, "This node is already in the process of stepping down");
        return;
    }
    if (!m->writable) {
        sbx_fail(c, 10107, "not primary so can't step down");
        return;
    }
    if (!step_down_arguments(c, &period, &wait, &force)) {
        return;
    }
    m->writable = false;
    m->stepping_down = true;
    m->topology++;
    sbx_changed(c->w);
    const uint32_t generation = m->generation;
    const bool go = wait_caught_up(c, wait, force);
    if (m->generation != generation || m->state != SBX_PRIMARY) {
        return;
    }
    m->stepping_down = false;
    if (!go) {
        m->writable = m->fall_due_mono == 0;
        m->topology++;
        sbx_changed(c->w);
        return;
    }
    const int heir = sbx_caught_up(m) && !force ? sbx_heir(m) : -1;
    m->no_stand_until = sbx_mono(c->w) + period * 1000;
    sbx_become_secondary(m);
    if (heir >= 0) {
        hand_over(m, heir);
    }
}

static void cmd_step_up(struct sbx_call *c)
{
    struct sbx_member *m = c->m;
    const bool skip = sbx_doc_true(c->cmd, "skipDryRun");

    if (!need_config(c) || m->state == SBX_PRIMARY) {
        return;
    }
    m->elections.step_up_called++;
    if (sbx_stand(m, skip ? "stepUpRequestSkipDryRun" : "stepUpRequest", skip)) {
        while (sbx_standing(m)) {
            if (sbx_wait(c, INT64_MAX) == SBX_INTERRUPTED) {
                return;
            }
        }
    }
    if (m->state != SBX_PRIMARY) {
        sbx_fail(c, 125, "Election failed.");
    }
}

static void cmd_freeze(struct sbx_call *c)
{
    struct sbx_member *m = c->m;
    int64_t secs = 0;

    if (!need_config(c)) {
        return;
    }
    if (!sbx_doc_int(c->cmd, c->name, &secs)) {
        secs = 0;
    }
    if (secs < 0) {
        sbx_fail(c, 2, "seconds must be non-negative"); /* not recorded */
        return;
    }
    if (m->state == SBX_PRIMARY || sbx_standing(m)) {
        sbx_fail(c, 95, "cannot freeze node when primary or running for election. state: %s",
                 m->state == SBX_PRIMARY ? "Primary" : "Candidate");
        return;
    }
    if (secs == 0) {
        m->no_stand_until = 0;
        BSON_APPEND_UTF8(c->reply, "info", "unfreezing");
    } else {
        const int64_t until = sbx_mono(c->w) + secs * 1000;
        m->no_stand_until = until > m->no_stand_until ? until : m->no_stand_until;
        if (secs == 1) {
            BSON_APPEND_UTF8(c->reply, "warning", "you really want to freeze for only 1 second?");
        }
    }
}

static void cmd_rbid(struct sbx_call *c)
{
    if (need_config(c)) {
        BSON_APPEND_INT32(c->reply, "rbid", (int32_t)c->m->rbid);
    }
}

const struct sbx_cmd sbx_cmds_set[] = {
    {"replSetGetConfig", cmd_get_config, SBX_CMD_ADMIN, NULL},
    {"replSetInitiate", cmd_initiate, SBX_CMD_ADMIN, NULL},
    {"replSetStepDown", cmd_step_down, SBX_CMD_ADMIN, NULL},
    {"replSetStepUp", cmd_step_up, SBX_CMD_ADMIN, NULL},
    {"replSetFreeze", cmd_freeze, SBX_CMD_ADMIN, NULL},
    {"replSetGetRBID", cmd_rbid, SBX_CMD_ADMIN, NULL},
    {0},
};
