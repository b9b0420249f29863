/* What is sent to a member: the commands of a switch, one at a time, each with its deadline. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "failover/hands.h"

#define CONNECT_MS 2000
#define NOTE_MS 5000
#define RECONFIG_MS 10000

const char *mst_order_word(enum mst_fo_do what)
{
    switch (what) {
    case MST_FO_SEND_FREEZE:
        return "freeze";
    case MST_FO_SEND_STEPDOWN:
        return "stepdown";
    case MST_FO_SEND_STEPUP:
        return "stepup";
    case MST_FO_SEND_NOTE:
        return "note";
    case MST_FO_SEND_PRIORITIES:
        return "priorities";
    case MST_FO_WAIT:
    case MST_FO_STOP_BACKUP:
    case MST_FO_FINISHED:
        break;
    }
    return "-";
}

static void write_concern(bson_t *cmd, int64_t wtimeout_ms)
{
    bson_t wc;

    (void)BSON_APPEND_DOCUMENT_BEGIN(cmd, "writeConcern", &wc);
    (void)BSON_APPEND_UTF8(&wc, "w", "majority");
    (void)BSON_APPEND_INT64(&wc, "wtimeout", wtimeout_ms);
    (void)bson_append_document_end(cmd, &wc);
}

static void note(bson_t *cmd, const struct mst_fo_plan *plan)
{
    bson_t data, m;

    (void)BSON_APPEND_INT32(cmd, "appendOplogNote", 1);
    (void)BSON_APPEND_DOCUMENT_BEGIN(cmd, "data", &data);
    (void)BSON_APPEND_DOCUMENT_BEGIN(&data, "muster", &m);
    (void)BSON_APPEND_UTF8(&m, "probe", "switch");
    (void)BSON_APPEND_UTF8(&m, "plan", plan->code);
    (void)BSON_APPEND_UTF8(&m, "who", plan->who);
    (void)bson_append_document_end(&data, &m);
    (void)bson_append_document_end(cmd, &data);
    write_concern(cmd, NOTE_MS);
}

/* --- the one safe reconfig: two priorities swapped, all else as the primary has it --- */

static bool new_priority(const struct mst_fo_plan *p, const bson_t *member, double *out)
{
    const int64_t id = mst_bson_i64(member, "_id", -1);

    if (p->target >= 0 && id == p->members[p->target].id && !isnan(p->swap_target)) {
        *out = p->swap_target;
    } else if (id == p->members[p->primary].id && !isnan(p->swap_old)) {
        *out = p->swap_old;
    } else {
        return false;
    }
    return true;
}

static void copy_member(const struct mst_fo_plan *p, const bson_t *from, bson_t *to)
{
    bson_iter_t it;
    double priority = 0;
    const bool changed = new_priority(p, from, &priority);

    (void)bson_iter_init(&it, from);
    while (bson_iter_next(&it)) {
        if (changed && strcmp(bson_iter_key(&it), "priority") == 0) {
            (void)BSON_APPEND_DOUBLE(to, "priority", priority);
        } else {
            (void)bson_append_iter(to, NULL, 0, &it);
        }
    }
}

static void copy_members(const struct mst_fo_plan *p, const bson_t *list, bson_t *to)
{
    bson_iter_t it;
    bson_t m, copy;

    (void)bson_iter_init(&it, list);
    while (bson_iter_next(&it)) {
        const uint8_t *data;
        uint32_t n;

        if (BSON_ITER_HOLDS_DOCUMENT(&it)) {
            bson_iter_document(&it, &n, &data);
            if (bson_init_static(&m, data, n)) {
                (void)bson_append_document_begin(to, bson_iter_key(&it), -1, &copy);
                copy_member(p, &m, &copy);
                (void)bson_append_document_end(to, &copy);
            }
        }
    }
}

/* MST_E_STALE when the configuration is not the one that was planned for. */
static enum mst_rc new_config(struct mst_conn *c, const struct mst_fo_plan *p, bson_t *cmd,
                              struct mst_err *err)
{
    bson_t get = BSON_INITIALIZER, reply, config, list, out, members;
    bson_iter_t it;
    enum mst_rc rc;

    (void)BSON_APPEND_INT32(&get, "replSetGetConfig", 1);
    rc = mst_conn_command(c, "admin", &get, CONNECT_MS, &reply, err);
    if (rc == MST_OK &&
        (!mst_bson_doc(&reply, "config", &config) || !mst_bson_doc(&config, "members", &list))) {
        rc = mst_err_set(err, MST_E_SERVER, "the server told no configuration");
    }
    if (rc == MST_OK && mst_bson_i64(&config, "version", -1) != p->config_version) {
        rc = mst_err_set(err, MST_E_STALE, "the configuration is version %lld by now, not %lld",
                         (long long)mst_bson_i64(&config, "version", -1),
                         (long long)p->config_version);
    }
    if (rc == MST_OK) {
        (void)BSON_APPEND_DOCUMENT_BEGIN(cmd, "replSetReconfig", &out);
        (void)bson_iter_init(&it, &config);
        while (bson_iter_next(&it)) {
            if (strcmp(bson_iter_key(&it), "version") == 0) {
                (void)BSON_APPEND_INT32(&out, "version", (int32_t)(p->config_version + 1));
            } else if (strcmp(bson_iter_key(&it), "members") == 0) {
                (void)BSON_APPEND_ARRAY_BEGIN(&out, "members", &members);
                copy_members(p, &list, &members);
                (void)bson_append_array_end(&out, &members);
            } else {
                (void)bson_append_iter(&out, NULL, 0, &it);
            }
        }
        (void)bson_append_document_end(cmd, &out);
        (void)BSON_APPEND_INT64(cmd, "maxTimeMS", RECONFIG_MS);
    }
    bson_destroy(&reply);
    bson_destroy(&get);
    return rc;
}

static enum mst_rc build(struct mst_conn *c, const struct mst_fo_plan *p,
                         const struct mst_fo_action *a, bson_t *cmd, struct mst_err *err)
{
    switch (a->what) {
    case MST_FO_SEND_FREEZE:
        (void)BSON_APPEND_INT64(cmd, "replSetFreeze", a->secs);
        return MST_OK;
    case MST_FO_SEND_STEPDOWN:
        (void)BSON_APPEND_INT64(cmd, "replSetStepDown", a->secs);
        (void)BSON_APPEND_INT64(cmd, "secondaryCatchUpPeriodSecs", p->catch_up_s);
        return MST_OK;
    case MST_FO_SEND_STEPUP:
        (void)BSON_APPEND_INT32(cmd, "replSetStepUp", 1);
        return MST_OK;
    case MST_FO_SEND_NOTE:
        note(cmd, p);
        return MST_OK;
    case MST_FO_SEND_PRIORITIES:
        return new_config(c, p, cmd, err);
    case MST_FO_WAIT:
    case MST_FO_STOP_BACKUP:
    case MST_FO_FINISHED:
        break;
    }
    return mst_err_set(err, MST_E_BUG, "this is nothing to send");
}

void mst_order_send(struct mst_conn *c, const struct mst_fo_plan *plan,
                    const struct mst_fo_action *a, struct mst_fo_reply *r)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    struct mst_err err = {0};
    bool sent = false;
    enum mst_rc rc = build(c, plan, a, &cmd, &err);

    r->at.term = -1;
    if (rc == MST_OK) {
        sent = true;
        rc = mst_conn_command(c, "admin", &cmd, a->timeout_ms, &reply, &err);
        if (rc == MST_OK) {
            rc = mst_reply_write_error(&reply, &err);
            (void)mst_bson_ts(&reply, "operationTime", &r->at.ts);
        }
        bson_destroy(&reply);
    }
    bson_destroy(&cmd);
    r->came_ms = mst_clock_mono_ms(NULL);
    r->code = err.detail;
    r->outcome = rc == MST_OK ? MST_FO_OK
                 : sent && (mst_conn_broken(c) || rc == MST_E_TIMEOUT || rc == MST_E_NET ||
                            rc == MST_E_CANCELLED)
                     ? MST_FO_NO_ANSWER
                     : MST_FO_SAID_NO;
    mst_text_clean(r->text, sizeof(r->text), err.msg, strlen(err.msg));
}
