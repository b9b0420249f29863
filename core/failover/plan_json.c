/* plan_json.c: a plan as canonical text, its hash and code, and the file for --plan-out.
 *
 * The file is one object on one line: type, format, when it was made, what was expected then, the
 * canonical text that is hashed, "check" (SHA-256 of everything before its comma, so that no field
 * can be edited alone) and the hash of the plan. Reading makes the file again from what was
 * understood and wants the same bytes back: nothing can be in it that is not in the plan. */
#include <bson/bson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "failover/inner.h"
#include "hash/hash.h"

#define TYPE "{\"type\":\"muster switch plan\",\"format\":"
#define HEAD TYPE "1,"
#define TAIL ",\"check\":\""
#define TAIL_LEN (sizeof(TAIL) - 1)
#define HASH ",\"hash\":\""
#define HASH_LEN (sizeof(HASH) - 1)
#define HEX_LEN (MST_SHA256_HEX - 1)
/* ,"check":"<hex>","hash":"<hex>"} */
#define END_LEN (TAIL_LEN + HEX_LEN + 1 + HASH_LEN + HEX_LEN + 2)

static const char *const act_words[] = {"switchover", "stepdown"};
static const char *const after_words[] = {"refuse", "visit", "stay"};

/* --- writing ---------------------------------------------------------------------------------- */

static void put_name(struct mst_str *s, const char *name)
{
    const char last = s->len ? s->p[s->len - 1] : '{';

    mst_str_addf(s, "%s\"%s\":", last == '{' || last == '[' ? "" : ",", name);
}

static void put_text(struct mst_str *s, const char *name, const char *text)
{
    put_name(s, name);
    mst_str_add_json(s, text);
}

static void put_int(struct mst_str *s, const char *name, int64_t v)
{
    put_name(s, name);
    mst_str_addf(s, "%lld", (long long)v);
}

static void put_bool(struct mst_str *s, const char *name, bool v)
{
    put_name(s, name);
    mst_str_add(s, v ? "true" : "false");
}

static void put_num(struct mst_str *s, const char *name, double v) /* NAN is null */
{
    put_name(s, name);
    isnan(v) ? mst_str_add(s, "null") : mst_str_addf(s, "%.17g", v);
}

static void put_members(struct mst_str *s, const struct mst_fo_plan *p)
{
    put_name(s, "members");
    for (size_t i = 0; i < p->n; i++) {
        mst_str_add(s, i ? ",{" : "[{");
        put_text(s, "name", p->members[i].name);
        put_int(s, "id", p->members[i].id);
        put_num(s, "priority", p->members[i].priority);
        put_int(s, "votes", p->members[i].votes);
        put_bool(s, "arbiter", p->members[i].arbiter);
        put_bool(s, "data", p->members[i].data);
        put_bool(s, "electable", p->members[i].electable);
        put_bool(s, "reachable", p->members[i].reachable);
        put_int(s, "rbid", p->members[i].rbid);
        mst_str_addc(s, '}');
    }
    mst_str_add(s, p->n ? "]" : "[]");
}

static void put_overrides(struct mst_str *s, const struct mst_fo_plan *p)
{
    put_name(s, "overrides");
    for (size_t i = 0; i < p->n_overrides; i++) {
        mst_str_add(s, i ? ",{" : "[{");
        put_int(s, "check", (int64_t)p->overrides[i].id);
        put_text(s, "reason", p->overrides[i].reason);
        mst_str_addc(s, '}');
    }
    mst_str_add(s, p->n_overrides ? "]" : "[]");
}

static void put_steps(struct mst_str *s, const struct mst_fo_plan *p)
{
    put_name(s, "steps");
    for (size_t i = 0; i < p->n_steps; i++) {
        mst_str_add(s, i ? "," : "[");
        mst_str_add_json(s, p->steps[i]);
    }
    mst_str_add(s, p->n_steps ? "]" : "[]");
}

void mst_fo_plan_canonical(const struct mst_fo_plan *p, struct mst_str *s)
{
    mst_str_addc(s, '{');
    put_text(s, "act", act_words[p->act]);
    put_text(s, "after", after_words[p->after]);
    put_text(s, "set", p->set_name);
    put_text(s, "setId", p->set_id);
    put_int(s, "term", p->term);
    put_int(s, "configVersion", p->config_version);
    put_int(s, "configTerm", p->config_term);
    put_int(s, "primary", p->primary);
    put_int(s, "target", p->target);
    put_int(s, "heir", p->heir);
    put_members(s, p);
    put_int(s, "electionTimeoutMs", p->election_timeout_ms);
    put_int(s, "heartbeatMs", p->heartbeat_ms);
    put_int(s, "stepDownS", p->step_down_s);
    put_int(s, "catchUpS", p->catch_up_s);
    put_int(s, "freezeS", p->freeze_s);
    put_int(s, "lagOkMs", p->lag_ok_ms);
    put_int(s, "hardStopMs", p->hard_stop_ms);
    put_int(s, "takeoverMs", p->takeover_ms);
    put_int(s, "returnMs", p->return_ms);
    put_num(s, "swapTarget", p->swap_target);
    put_num(s, "swapOld", p->swap_old);
    put_bool(s, "stepUp", p->step_up);
    put_text(s, "reason", p->reason);
    put_text(s, "who", p->who);
    put_text(s, "host", p->host);
    put_bool(s, "failback", p->failback);
    put_text(s, "ofRun", p->of_run);
    put_overrides(s, p);
    put_steps(s, p);
    put_int(s, "stopStep", p->stop_step);
    put_text(s, "undo", p->undo);
    mst_str_addc(s, '}');
}

void mst_fo_plan_seal(struct mst_fo_plan *p)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    struct mst_str s = {0};
    uint8_t sha[MST_SHA256_LEN];
    uint32_t bits;

    mst_fo_plan_canonical(p, &s);
    mst_sha256_of(s.p, s.len, sha);
    mst_str_release(&s);
    (void)mst_hex(sha, sizeof(sha), p->hash);
    bits = (uint32_t)sha[0] << 16 | (uint32_t)sha[1] << 8 | sha[2];
    for (unsigned i = 0; i < MST_FO_CODE - 1; i++) {
        p->code[i] = letters[(bits >> (19 - 5 * i)) & 31];
    }
    p->code[MST_FO_CODE - 1] = '\0';
    if (p->target >= 0) {
        (void)snprintf(p->phrase, sizeof(p->phrase), "%s to %s %s", p->set_name,
                       p->members[p->target].name, p->code);
    } else {
        (void)snprintf(p->phrase, sizeof(p->phrase), "%s stepdown %s", p->set_name, p->code);
    }
}

void mst_fo_plan_json(const struct mst_fo_plan *p, int64_t made_wall_ms, struct mst_str *out)
{
    struct mst_str s = {0};
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    mst_str_addf(&s, HEAD "\"made\":%lld", (long long)made_wall_ms);
    put_text(&s, "expect", p->expect);
    put_name(&s, "plan");
    mst_fo_plan_canonical(p, &s);
    mst_sha256_of(s.p, s.len, sha);
    mst_str_addf(&s, TAIL "%s\"" HASH "%s\"}", mst_hex(sha, sizeof(sha), hex), p->hash);
    mst_str_addn(out, s.p, s.len);
    mst_str_addc(out, '\n');
    mst_str_release(&s);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct in { /* an object; ok turns false at the first field that does not fit */
    bson_t doc;
    bool ok;
};

static bool find(struct in *in, const char *name, bson_iter_t *it)
{
    in->ok = in->ok && bson_iter_init_find(it, &in->doc, name);
    return in->ok;
}

static void value_text(bool *ok, const bson_iter_t *it, char *out, size_t size)
{
    uint32_t n = 0;
    const char *s = BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, &n) : NULL;

    if (!s || n >= size || strlen(s) != n) {
        *ok = false;
        return;
    }
    mst_text_clean(out, size, s, n);
    *ok = *ok && strcmp(out, s) == 0; /* what had to be cleaned is not ours */
}

static void text(struct in *in, const char *name, char *out, size_t size)
{
    bson_iter_t it;

    if (find(in, name, &it)) {
        value_text(&in->ok, &it, out, size);
    }
}

static int64_t integer(struct in *in, const char *name, int64_t min, int64_t max)
{
    bson_iter_t it;
    int64_t v = min;

    if (find(in, name, &it)) {
        in->ok = BSON_ITER_HOLDS_INT32(&it) || BSON_ITER_HOLDS_INT64(&it);
        v = in->ok ? bson_iter_as_int64(&it) : min;
        in->ok = in->ok && v >= min && v <= max;
    }
    return in->ok ? v : min;
}

static bool boolean(struct in *in, const char *name)
{
    bson_iter_t it;

    if (find(in, name, &it)) {
        in->ok = BSON_ITER_HOLDS_BOOL(&it);
        return in->ok && bson_iter_bool(&it);
    }
    return false;
}

/* A priority; null is NAN where that may be. */
static double number(struct in *in, const char *name, bool may_lack)
{
    bson_iter_t it;
    double v = NAN;

    if (find(in, name, &it) && !(may_lack && BSON_ITER_HOLDS_NULL(&it))) {
        in->ok = BSON_ITER_HOLDS_INT32(&it) || BSON_ITER_HOLDS_DOUBLE(&it);
        v = in->ok ? bson_iter_as_double(&it) : 0;
        in->ok = in->ok && v >= 0 && v <= 1000; /* the server's own limit */
    }
    return v;
}

static int word(struct in *in, const char *name, const char *const *words, int n)
{
    char have[16] = "";

    text(in, name, have, sizeof(have));
    for (int i = 0; i < n; i++) {
        if (strcmp(have, words[i]) == 0) {
            return i;
        }
    }
    in->ok = false;
    return 0;
}

typedef void item_fn(struct mst_fo_plan *p, size_t i, const bson_iter_t *it, bool *ok);

static size_t array(struct in *in, const char *name, size_t max, struct mst_fo_plan *p, item_fn *fn)
{
    bson_iter_t it, item;
    size_t n = 0;

    if (!find(in, name, &it) || !BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &item)) {
        in->ok = false;
        return 0;
    }
    while (in->ok && bson_iter_next(&item)) {
        if (n >= max) {
            in->ok = false;
            return 0;
        }
        fn(p, n, &item, &in->ok);
        n++;
    }
    return n;
}

static bool object(const bson_iter_t *it, struct in *in)
{
    const uint8_t *data = NULL;
    uint32_t n = 0;

    if (!BSON_ITER_HOLDS_DOCUMENT(it)) {
        return false;
    }
    bson_iter_document(it, &n, &data);
    in->ok = bson_init_static(&in->doc, data, n);
    return in->ok;
}

static void take_member(struct mst_fo_plan *p, size_t i, const bson_iter_t *it, bool *ok)
{
    struct in in;

    if (!object(it, &in)) {
        *ok = false;
        return;
    }
    text(&in, "name", p->members[i].name, sizeof(p->members[i].name));
    p->members[i].id = (int)integer(&in, "id", -1, INT32_MAX);
    p->members[i].priority = number(&in, "priority", false);
    p->members[i].votes = (int)integer(&in, "votes", 0, 1);
    p->members[i].arbiter = boolean(&in, "arbiter");
    p->members[i].data = boolean(&in, "data");
    p->members[i].electable = boolean(&in, "electable");
    p->members[i].reachable = boolean(&in, "reachable");
    p->members[i].rbid = integer(&in, "rbid", -1, INT64_MAX);
    *ok = in.ok;
}

static void take_override(struct mst_fo_plan *p, size_t i, const bson_iter_t *it, bool *ok)
{
    struct in in;

    if (!object(it, &in)) {
        *ok = false;
        return;
    }
    p->overrides[i].id = (enum mst_guard_id)integer(&in, "check", 1, 99);
    text(&in, "reason", p->overrides[i].reason, sizeof(p->overrides[i].reason));
    *ok = in.ok;
}

static void take_step(struct mst_fo_plan *p, size_t i, const bson_iter_t *it, bool *ok)
{
    value_text(ok, it, p->steps[i], sizeof(p->steps[i]));
}

static void take_numbers(struct in *in, struct mst_fo_plan *p)
{
    const int64_t hour = 3600000;

    p->election_timeout_ms = integer(in, "electionTimeoutMs", 1, INT32_MAX);
    p->heartbeat_ms = integer(in, "heartbeatMs", 1, INT32_MAX);
    p->step_down_s = integer(in, "stepDownS", 1, MST_FO_HOLD_MAX_S);
    p->catch_up_s = integer(in, "catchUpS", 1, MST_FO_CATCH_UP_MAX_S);
    p->freeze_s = integer(in, "freezeS", 1, MST_FO_HOLD_MAX_S);
    p->lag_ok_ms = integer(in, "lagOkMs", 1, 60000);
    p->hard_stop_ms = integer(in, "hardStopMs", 1, 60000);
    p->takeover_ms = integer(in, "takeoverMs", 0, 1000 * hour);
    p->return_ms = integer(in, "returnMs", -1, 1000 * hour);
    p->swap_target = number(in, "swapTarget", true);
    p->swap_old = number(in, "swapOld", true);
    p->step_up = boolean(in, "stepUp");
    in->ok =
        in->ok && isnan(p->swap_target) == isnan(p->swap_old) && p->catch_up_s <= p->step_down_s;
}

static bool take_plan(const bson_iter_t *it, struct mst_fo_plan *p)
{
    struct in in;

    if (!object(it, &in)) {
        return false;
    }
    p->act = (enum mst_guard_act)word(&in, "act", act_words, (int)MST_COUNT(act_words));
    p->after = (enum mst_guard_after)word(&in, "after", after_words, (int)MST_COUNT(after_words));
    text(&in, "set", p->set_name, sizeof(p->set_name));
    text(&in, "setId", p->set_id, sizeof(p->set_id));
    p->term = integer(&in, "term", -1, INT64_MAX);
    p->config_version = integer(&in, "configVersion", -1, INT64_MAX);
    p->config_term = integer(&in, "configTerm", -1, INT64_MAX);
    p->n = array(&in, "members", MST_TOPO_MAX, p, take_member);
    p->primary = (int)integer(&in, "primary", 0, (int64_t)p->n - 1);
    p->target = (int)integer(&in, "target", -1, (int64_t)p->n - 1);
    p->heir = (int)integer(&in, "heir", -1, (int64_t)p->n - 1);
    in.ok =
        in.ok && (p->act == MST_GUARD_SWITCHOVER) == (p->target >= 0) && p->target != p->primary;
    take_numbers(&in, p);
    text(&in, "reason", p->reason, sizeof(p->reason));
    text(&in, "who", p->who, sizeof(p->who));
    text(&in, "host", p->host, sizeof(p->host));
    p->failback = boolean(&in, "failback");
    text(&in, "ofRun", p->of_run, sizeof(p->of_run));
    p->n_overrides = array(&in, "overrides", MST_GUARD_OVERRIDES, p, take_override);
    p->n_steps = array(&in, "steps", MST_FO_STEPS, p, take_step);
    p->stop_step = (int)integer(&in, "stopStep", 0, (int64_t)p->n_steps - 1);
    text(&in, "undo", p->undo, sizeof(p->undo));
    return in.ok;
}

/* Does it end as we end it, with the hash of its own bytes? n is without a newline. */
static bool check_fits(const char *s, size_t n)
{
    uint8_t want[MST_SHA256_LEN], have[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    if (n <= sizeof(HEAD) + END_LEN || memcmp(s + n - END_LEN, TAIL, TAIL_LEN) != 0) {
        return false;
    }
    if (memcmp(s + n - HEX_LEN - 2 - HASH_LEN - 1, "\"" HASH, HASH_LEN + 1) != 0 ||
        memcmp(s + n - 2, "\"}", 2) != 0) {
        return false;
    }
    memcpy(hex, s + n - END_LEN + TAIL_LEN, HEX_LEN);
    hex[HEX_LEN] = '\0';
    mst_sha256_of(s, n - END_LEN, have);
    return mst_unhex(hex, want, sizeof(want)) && memcmp(want, have, sizeof(have)) == 0;
}

static bool read_all(const char *json, size_t n, struct mst_fo_plan *out, int64_t *made)
{
    struct in in = {.ok = true};
    bson_error_t why;
    bson_iter_t it;
    bool ok;

    if (!bson_init_from_json(&in.doc, json, (ssize_t)n, &why)) {
        return false;
    }
    *made = integer(&in, "made", 0, INT64_MAX);
    text(&in, "expect", out->expect, sizeof(out->expect));
    ok = find(&in, "plan", &it) && take_plan(&it, out) && in.ok;
    bson_destroy(&in.doc);
    return ok;
}

enum mst_rc mst_fo_plan_parse(const char *json, size_t n, struct mst_fo_plan *out,
                              int64_t *made_wall_ms, struct mst_err *err)
{
    struct mst_str again = {0};
    bool same;

    memset(out, 0, sizeof(*out));
    *made_wall_ms = 0;
    if (n > MST_FO_JSON_MAX) {
        return mst_err_set(err, MST_E_CONFIG, "this is no plan of a switch: larger than %zu bytes",
                           MST_FO_JSON_MAX);
    }
    if (n < sizeof(TYPE) - 1 || memcmp(json, TYPE, sizeof(TYPE) - 1) != 0) {
        return mst_err_set(err, MST_E_CONFIG,
                           "this is no plan of a switch: make one with --plan-out");
    }
    n -= json[n - 1] == '\n';
    if (memchr(json, 0, n) || !check_fits(json, n)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "the plan was edited or cut short: make a new one");
    }
    if (n < sizeof(HEAD) - 1 || memcmp(json, HEAD, sizeof(HEAD) - 1) != 0 ||
        !read_all(json, n, out, made_wall_ms)) {
        memset(out, 0, sizeof(*out));
        return mst_err_set(err, MST_E_CONFIG,
                           "the plan was made by another version of muster: make a new one");
    }
    mst_fo_plan_seal(out);
    mst_fo_plan_json(out, *made_wall_ms, &again);
    same = again.len == n + 1 && memcmp(again.p, json, n) == 0;
    mst_str_release(&again);
    if (!same) {
        memset(out, 0, sizeof(*out));
        return mst_err_set(err, MST_E_INTEGRITY,
                           "the plan was edited: what it says is not what its hash says");
    }
    return MST_OK;
}
