/* applyOps and appendOplogNote. */
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_data.h"
#include "set/set.h"

static const uint8_t empty[] = {5, 0, 0, 0, 0};

static bool crud(struct sbx_doc op)
{
    const char *kind = sbx_val_str(sbx_doc_get(op, "op"), NULL);

    return kind && strlen(kind) == 1 && strchr("iud", kind[0]);
}

static bool is_noop(struct sbx_doc op)
{
    return sbx_val_streq(sbx_doc_get(op, "op"), "n");
}

static bool check_op(struct sbx_doc op, struct sbx_why *why)
{
    const struct sbx_val ui = sbx_doc_get(op, "ui"), kind = sbx_doc_get(op, "op");
    const char *k = sbx_val_str(kind, NULL);
    uint32_t n;
    uint8_t sub;

    if (!k || !*k || (strlen(k) == 1 && !strchr("iudcn", *k)) || strlen(k) > 1) {
        return sbx_why(why, 2,
                       "Enumeration value '%s' for field 'OplogEntryBase.op' is not a valid value.",
                       k ? k : "");
    }
    if (ui.type != SBX_EOO && !sbx_val_uuid(ui)) {
        const uint8_t *p = sbx_val_bin(ui, &n, &sub);

        return sbx_why(why, 14,
                       "BSON field 'OplogEntryBase.ui' is the wrong %s '%s', expected type 'UUID'",
                       p ? "bindData type" : "type",
                       !p         ? sbx_type_name(ui.type)
                       : sub == 3 ? "UUID(deprecated)"
                                  : "general");
    }
    if (sbx_doc_get(op, "ns").type != SBX_STRING) {
        return sbx_why(why, 40414,
                       "BSON field 'OplogEntryBase.ns' is missing but a required field");
    }
    return true;
}

/* Would an insert meet a document that is there? Then it is logged as the update that it is. */
static bool there(struct sbx_call *c, struct sbx_doc op)
{
    const struct sbx_coll *coll = sbx_data_target(c->m->data, op);
    const struct sbx_val o = sbx_doc_get(op, "o"), o2 = sbx_doc_get(op, "o2");
    const bool update = sbx_val_streq(sbx_doc_get(op, "op"), "u");
    const struct sbx_val from = update ? o2 : o;
    struct mst_buf scratch = {0};
    struct sbx_row row;
    bool yes;

    yes = coll && from.type == SBX_OBJECT &&
          sbx_coll_by_id(coll, sbx_doc_get(sbx_val_doc(from), "_id"), SBX_LATEST, &scratch, &row);
    mst_buf_release(&scratch);
    return yes;
}

static bool held(struct sbx_call *c, struct sbx_doc op)
{
    const struct sbx_coll *coll = sbx_data_target(c->m->data, op);
    char ns[SBX_NS_MAX];

    if (!coll || !coll->pending) {
        return false;
    }
    mst_copy(ns, sizeof ns, coll->ns);
    return !sbx_wait_unheld(c, ns);
}

/* One operation on the primary: its own entry, then the change as every member makes it. */
static bool apply_one(struct sbx_call *c, struct sbx_doc op, struct sbx_why *why)
{
    struct sbx_data *d = c->m->data;
    const struct sbx_coll *coll;
    struct sbx_op log;
    struct sbx_it it;
    const char *kind;
    struct sbx_stamp stamp;
    bool known;

    if (!check_op(op, why) || held(c, op)) {
        return false;
    }
    coll = sbx_data_target(d, op);
    known = there(c, op);
    kind = sbx_val_str(sbx_doc_get(op, "op"), NULL);
    if (!coll && (kind[0] == 'i' || kind[0] == 'u')) {
        return sbx_data_apply_op(d, op, c->m->applied.op.ts, true, why);
    }
    if ((kind[0] == 'd' && !known) || kind[0] == 'n') {
        return true;
    }
    sbx_op_begin(&log, kind[0] == 'i' && known ? 'u' : kind[0],
                 coll && kind[0] != 'c' ? coll->ns : sbx_val_str(sbx_doc_get(op, "ns"), NULL),
                 coll && kind[0] != 'c' ? coll->uuid : NULL);
    if (kind[0] == 'i' && known) {
        const size_t m = sbx_out_sub(&log.b, "o2", SBX_OBJECT);

        sbx_out_val(&log.b, "_id", sbx_doc_get(sbx_val_doc(sbx_doc_get(op, "o")), "_id"));
        sbx_out_end(&log.b, m);
    }
    sbx_it_init(&it, op);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "o") == 0 || strcmp(it.key, "o2") == 0 || strcmp(it.key, "b") == 0) {
            sbx_out_valn(&log.b, it.key, it.klen, it.v);
        }
    }
    if (kind[0] == 'u' && !known && sbx_doc_get(op, "b").type == SBX_EOO) {
        sbx_out_bool(&log.b, "b", true); /* it makes the document, on every member */
    }
    stamp = sbx_op_log(c, &log, "x.x");
    return sbx_data_apply_op(d, op, stamp.ts, true, why);
}

/* ---- commands inside: the same as their own, so that they are logged in full ---- */

static bool run_inside(struct sbx_call *c, struct sbx_doc op, struct sbx_why *why)
{
    static const struct {
        const char *name;
        sbx_cmd_fn *fn;
        int tolerated[2];
    } cmds[] = {
        {"create", sbx_cmd_create, {48, 0}},
        {"drop", sbx_cmd_drop, {26, 0}},
        {"renameCollection", sbx_cmd_rename, {26, 48}},
        {"dropDatabase", sbx_cmd_drop_database, {26, 0}},
        {"collMod", sbx_cmd_coll_mod, {26, 27}},
        {"dropIndexes", sbx_cmd_drop_indexes, {26, 27}},
        {"deleteIndexes", sbx_cmd_drop_indexes, {26, 27}},
        {"convertToCapped", sbx_cmd_convert_to_capped, {26, 0}},
    };
    const struct sbx_val o = sbx_doc_get(op, "o");
    const char *ns = sbx_val_str(sbx_doc_get(op, "ns"), NULL);
    bson_t cmd, reply = BSON_INITIALIZER, *outer = c->reply;
    const bson_t *outer_cmd = c->cmd;
    char db[sizeof c->db];
    struct sbx_it first;
    size_t i;
    bool ok;

    if (o.type != SBX_OBJECT || !sbx_doc_first(sbx_val_doc(o), &first)) {
        bson_destroy(&reply);
        return sbx_why(why, 2, "an operation without a command");
    }
    for (i = 0; i < MST_COUNT(cmds) && strcmp(cmds[i].name, first.key) != 0; i++) {
    }
    if (i == MST_COUNT(cmds)) {
        bson_destroy(&reply);
        return sbx_why(why, 59, "no such command: '%s'", first.key);
    }
    mst_copy(db, sizeof db, c->db);
    snprintf(c->db, sizeof c->db, "%.*s", (int)strcspn(ns, "."), ns);
    ok = bson_init_static(&cmd, o.p, o.n);
    MST_ASSERT(ok);
    c->cmd = &cmd;
    c->reply = &reply;
    cmds[i].fn(c);
    c->cmd = outer_cmd;
    c->reply = outer;
    mst_copy(c->db, sizeof c->db, db);
    bson_destroy(&reply);
    if (c->failed) {
        ok = c->error_code == cmds[i].tolerated[0] || c->error_code == cmds[i].tolerated[1];
        sbx_why(why, ok ? 0 : c->error_code, "%s", c->errmsg);
        c->failed = false;
        c->error_code = 0;
    }
    return ok;
}

/* createIndexes in an operation: one specification, as in the oplog. */
static bool index_inside(struct sbx_call *c, struct sbx_doc op, struct sbx_why *why)
{
    if (c->w->profile->server != SBX_42) {
        return sbx_why(why, 115, "createIndexes is not supported in applyOps mode");
    }
    return apply_one(c, op, why);
}

static bool apply_any(struct sbx_call *c, struct sbx_doc op, struct sbx_why *why)
{
    const struct sbx_val o = sbx_doc_get(op, "o");
    struct sbx_it first;

    if (!check_op(op, why)) {
        return false;
    }
    if (crud(op)) {
        return apply_one(c, op, why);
    }
    if (o.type == SBX_OBJECT && sbx_doc_first(sbx_val_doc(o), &first) &&
        strcmp(first.key, "createIndexes") == 0) {
        return index_inside(c, op, why);
    }
    return run_inside(c, op, why);
}

/* ---- all of them as one entry ---- */

static bool atomic(struct sbx_call *c, struct sbx_val list)
{
    const struct sbx_val allow = sbx_cmd_arg(c, "allowAtomic");
    struct sbx_why why = {0};
    struct sbx_it it;
    bool any = false;

    if (allow.type != SBX_EOO && !sbx_val_true(allow)) {
        return false;
    }
    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        const struct sbx_doc op = it.v.type == SBX_OBJECT ? sbx_val_doc(it.v) : sbx_doc(empty, 5);
        const struct sbx_coll *coll = sbx_data_target(c->m->data, op);

        if (!crud(op) || !check_op(op, &why) || !coll || coll->pending ||
            (sbx_val_streq(sbx_doc_get(op, "op"), "i") && there(c, op))) {
            return false;
        }
        any = true;
    }
    return any;
}

static struct mst_ts log_list(struct sbx_call *c, struct sbx_val list)
{
    struct sbx_op log;
    struct sbx_it it, f;
    size_t o, a, m;

    sbx_op_begin(&log, 'c', "admin.$cmd", NULL);
    o = sbx_out_sub(&log.b, "o", SBX_OBJECT);
    a = sbx_out_sub(&log.b, "applyOps", SBX_ARRAY);
    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        m = sbx_out_sub(&log.b, it.key, SBX_OBJECT);
        sbx_it_init(&f, sbx_val_doc(it.v));
        while (sbx_it_next(&f)) {
            sbx_out_valn(&log.b, f.key, f.klen, f.v);
        }
        if (sbx_doc_get(sbx_val_doc(it.v), "ui").type == SBX_EOO) {
            sbx_out_uuid(&log.b, "ui", sbx_data_target(c->m->data, sbx_val_doc(it.v))->uuid);
        }
        sbx_out_end(&log.b, m);
    }
    sbx_out_end(&log.b, a);
    sbx_out_end(&log.b, o);
    return sbx_op_log(c, &log, "x.x").ts;
}

struct outcome {
    int32_t applied;
    bson_t results;
    struct sbx_why why;
};

static void note(struct outcome *out, bool ok)
{
    char key[12];

    snprintf(key, sizeof key, "%d", out->applied++);
    BSON_APPEND_BOOL(&out->results, key, ok);
}

static void apply_list(struct sbx_call *c, struct sbx_val list, struct outcome *out)
{
    const bool one_entry = atomic(c, list);
    const struct mst_ts ts = one_entry ? log_list(c, list) : (struct mst_ts){0, 0};
    struct sbx_it it;

    sbx_it_init(&it, sbx_val_doc(list));
    while (!c->failed && sbx_it_next(&it)) {
        const struct sbx_doc op = it.v.type == SBX_OBJECT ? sbx_val_doc(it.v) : sbx_doc(empty, 5);
        struct sbx_why why = {0};
        bool ok;

        if (is_noop(op)) {
            continue;
        }
        ok = one_entry ? sbx_data_apply_op(c->m->data, op, ts, true, &why) : apply_any(c, op, &why);
        note(out, ok);
        if (!ok) {
            out->why = why;
            if (!crud(op)) {
                return; /* a failed command ends the batch */
            }
        }
    }
}

void sbx_cmd_apply_ops(struct sbx_call *c)
{
    const struct sbx_val list = sbx_cmd_arg(c, "applyOps");
    struct outcome out = {0};
    char buf[32];

    if (list.type != SBX_ARRAY) {
        sbx_fail(c, 14,
                 "BSON field 'applyOps.applyOps' is the wrong type '%s', expected type "
                 "'array'",
                 sbx_type_name(list.type));
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        static const char *const bad[] = {"partialTxn", "prepare", "count"};
        static const int codes[] = {31056, 51145, 31240};

        if (sbx_cmd_arg(c, bad[i]).type != SBX_EOO) {
            sbx_fail(c, codes[i], "applyOps with '%s' is not allowed", bad[i]);
            return;
        }
    }
    bson_init(&out.results);
    apply_list(c, list, &out);
    if (!c->failed) {
        BSON_APPEND_INT32(c->reply, "applied", out.applied);
        if (out.why.code) {
            BSON_APPEND_INT32(c->reply, "code", out.why.code);
            BSON_APPEND_UTF8(c->reply, "codeName", sbx_code_name(c->w->profile, out.why.code, buf));
            BSON_APPEND_UTF8(c->reply, "errmsg", out.why.msg);
            c->not_ok = true;
        }
        BSON_APPEND_ARRAY(c->reply, "results", &out.results);
    }
    bson_destroy(&out.results);
}

void sbx_cmd_append_note(struct sbx_call *c)
{
    const struct sbx_val data = sbx_cmd_arg(c, "data");
    struct sbx_op op;

    if (data.type != SBX_OBJECT) {
        sbx_fail(c, data.type == SBX_EOO ? 4 : 14,
                 "\"data\" had the wrong type. Expected object, "
                 "found %s",
                 sbx_type_name(data.type));
        return;
    }
    sbx_op_begin(&op, 'n', "", NULL);
    sbx_out_val(&op.b, "o", data);
    sbx_op_log(c, &op, "x.x");
}
