/* The plan of a switch: its numbers, its hash, its file, and what makes it stale. */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "failover/plan.h"
#include "hash/hash.h"
#include "switchset.h"

static struct switchset s;
static struct mst_fo_plan plan, other;
static struct mst_err err;

static void make(struct mst_fo_plan *p)
{
    memset(&err, 0, sizeof(err));
    assert_ok(mst_fo_plan_make(&s.f, "rs0", "kernel patch CHG-4411", "alice", "bastion-2", p, &err),
              &err);
}

static bool has_step(const struct mst_fo_plan *p, const char *text)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        if (strstr(p->steps[i], text)) {
            return true;
        }
    }
    return false;
}

#define assert_step(p, text) \
    do { \
        if (!has_step((p), (text))) { \
            fail_msg("no step says '%s'", (text)); \
        } \
    } while (0)

static void a_switchover_says_what_is_sent_to_whom(void **state)
{
    char phrase[64];

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    assert_step(&plan, "term 41, configuration 12 of term 39");
    assert_step(&plan, "replSetFreeze 60 on db3:27017; replSetFreeze 0 on db2:27017");
    assert_step(&plan, "replSetStepDown 60, secondaryCatchUpPeriodSecs 10 on db1:27017");
    assert_step(&plan, "db2:27017 has the last entry of db1:27017");
    assert_step(&plan, "replSetStepUp");
    assert_step(&plan, "30 s at most, else undo");
    assert_step(&plan, "appendOplogNote with w majority");
    assert_step(&plan, "nobody in ROLLBACK, for 30 s on end");
    assert_step(&plan, "watch 13.5 s");
    assert_false(has_step(&plan, "replSetReconfig"));
    assert_non_null(strstr(plan.steps[plan.stop_step], "writes are refused"));
    assert_non_null(strstr(plan.undo, "before step 5: replSetFreeze 0 on db3:27017."));
    assert_non_null(strstr(plan.undo, "replSetStepUp on db1:27017"));
    assert_non_null(strstr(plan.undo, "ends by itself in 60 s"));
    assert_string_equal(plan.expect,
                        "writes stop for 0.2 to 2.3 s, at most 30 s before the undo; tail at risk: "
                        "none, the step down fails unless a majority has it");
    assert_true(plan.members[0].electable && plan.members[2].electable);
    assert_int_equal(plan.heir, 1);
    assert_true(plan.step_up);
    assert_int_equal(strlen(plan.code), 4);
    assert_int_equal(strspn(plan.code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 4);
    (void)snprintf(phrase, sizeof(phrase), "rs0 to db2:27017 %s", plan.code);
    assert_string_equal(plan.phrase, phrase);
}

/* A server before 4.4. */
static void a_configuration_without_a_term_has_none_in_the_plan(void **state)
{
    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    s.f.config_term = -1;
    make(&plan);
    assert_step(&plan, "term 41, configuration 12, one primary");
}

static void a_step_down_freezes_nobody_and_has_a_phrase_of_its_own(void **state)
{
    char phrase[64];

    (void)state;
    sw_init(&s, MST_GUARD_STEPDOWN);
    make(&plan);
    assert_int_equal(plan.target, -1);
    assert_false(plan.step_up);
    assert_false(has_step(&plan, "replSetFreeze"));
    assert_step(&plan, "by its rule db2:27017");
    assert_non_null(strstr(plan.undo, "nothing to undo"));
    (void)snprintf(phrase, sizeof(phrase), "rs0 stepdown %s", plan.code);
    assert_string_equal(plan.phrase, phrase);
}

static void without_rivals_nobody_is_frozen(void **state)
{
    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    sw_arbiter(&s, 2);
    make(&plan);
    assert_step(&plan, "replSetFreeze 0 on db2:27017: there is no rival to freeze");
    assert_false(has_step(&plan, "replSetFreeze 60"));
    assert_non_null(strstr(plan.undo, "before step 5: nothing to undo."));
    sw_init(&s, MST_GUARD_SWITCHOVER);
    s.f.n = 6;
    sw_link(&s);
    s.m[0].sees[1].health = 0;
    s.m[5].answered = false; /* out of our reach: P40 speaks of it */
    make(&plan);
    assert_step(&plan, "replSetFreeze 60 on db3:27017, db4:27017 and 1 more;");
    assert_step(&plan, "the server hands the seat to db3:27017; if it is not db2:27017, "
                       "replSetStepUp there");
    for (size_t i = 1; i < 6; i++) {
        s.m[0].sees[i].health = 0;
    }
    make(&plan);
    assert_step(&plan, "no heir is known; if it is not db2:27017, replSetStepUp there");
}

static void numbers_follow_the_intervals_of_the_set(void **state)
{
    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    s.f.election_timeout_ms = 1000;
    s.f.heartbeat_ms = 200;
    make(&plan);
    assert_int_equal(plan.takeover_ms, 1350);
    s.f.election_timeout_ms = 0; /* unknown: the server's own */
    s.f.heartbeat_ms = -1;
    make(&plan);
    assert_int_equal(plan.takeover_ms, 13500);
    s.f.freeze_s = 40; /* the hard stop comes well before the freeze ends */
    make(&plan);
    assert_int_equal(plan.hard_stop_ms, 25000);
    s.f.freeze_s = 10;
    make(&plan);
    assert_int_equal(plan.hard_stop_ms, 5000);
}

static void a_higher_priority_is_waited_for_announced_or_swapped(void **state)
{
    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    s.m[0].priority = 2;
    make(&plan); /* accepted by an override: then it must be seen not to come */
    assert_int_equal(plan.takeover_ms, 13500);
    assert_int_equal(plan.return_ms, -1);
    assert_true(isnan(plan.swap_target) && isnan(plan.swap_old));
    s.m[2].priority = 1.5; /* the second in rank waits longer, the first decides */
    s.f.after = MST_AFTER_VISIT;
    make(&plan);
    assert_int_equal(plan.return_ms, 60000 + 11500);
    assert_step(&plan, "takes the seat back about 72 s after step 5");
    s.f.after = MST_AFTER_STAY;
    make(&plan);
    assert_near(plan.swap_target, 2, 0);
    assert_near(plan.swap_old, 1, 0);
    assert_int_equal(plan.return_ms, -1);
    assert_int_equal(plan.takeover_ms, 13500);
    assert_step(&plan, "maxTimeMS 10000 on db2:27017: priority 2, and 1 for db1:27017");
    assert_step(&plan, "replSetFreeze 0 on db3:27017: not before, it would take the seat");
    for (size_t i = 0; i < plan.n_steps; i++) {
        assert_null(strstr(plan.steps[i], "replSetFreeze 0 on db3:27017; "));
    }
    s.m[2].priority = 3; /* above both: the swap does not end it */
    s.m[0].priority = 2;
    s.f.election_timeout_ms = 20000;
    make(&plan);
    assert_int_equal(plan.takeover_ms, 25000);
}

static void catch_up_stays_below_the_limit_at_which_the_server_aborts(void **state)
{
    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    assert_int_equal(plan.catch_up_s, 10);
    s.m[0].fassert_s = 10;
    make(&plan);
    assert_int_equal(plan.catch_up_s, 9);
    s.m[0].fassert_s = 0;
    make(&plan);
    assert_int_equal(plan.catch_up_s, 10);
}

static void what_cannot_be_planned_is_refused_by_name(void **state)
{
    static const struct {
        int64_t step_down, catch_up, freeze;
    } bad[] = {{61, 10, 60}, {0, 10, 60}, {60, 11, 60}, {60, 0, 60},
               {60, 10, 61}, {60, 10, 0}, {5, 10, 60}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(bad); i++) {
        sw_init(&s, MST_GUARD_SWITCHOVER);
        s.f.step_down_s = bad[i].step_down;
        s.f.catch_up_s = bad[i].catch_up;
        s.f.freeze_s = bad[i].freeze;
        assert_rc(mst_fo_plan_make(&s.f, "rs0", "", "", "", &plan, &err), MST_E_USAGE, &err);
    }
    sw_init(&s, MST_GUARD_SWITCHOVER);
    s.f.primary = -1;
    assert_rc(mst_fo_plan_make(&s.f, "rs0", "", "", "", &plan, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "no writable primary"));
    s.f.primary = 0;
    s.f.target = -1;
    assert_rc(mst_fo_plan_make(&s.f, "rs0", "", "", "", &plan, &err), MST_E_PRECOND, &err);
    s.f.target = 9;
    assert_rc(mst_fo_plan_make(&s.f, "rs0", "", "", "", &plan, &err), MST_E_PRECOND, &err);
    s.f.target = 0;
    assert_rc(mst_fo_plan_make(&s.f, "rs0", "", "", "", &plan, &err), MST_E_PRECOND, &err);
    assert_string_equal(err.msg, "db1:27017 is the primary already");
    s.f.target = 1;
    s.f.n_overrides = MST_GUARD_OVERRIDES + 1;
    assert_rc(mst_fo_plan_make(&s.f, "rs0", "", "", "", &plan, &err), MST_E_PRECOND, &err);
}

static void facts_that_refuse_are_planned_all_the_same(void **state)
{
    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    s.m[1].state = MST_MS_RECOVERING;
    make(&plan);
    assert_false(plan.members[1].electable);
}

/* --- the hash --- */

#define MOVE(name, body) \
    static void name(struct mst_fo_plan *p) \
    { \
        body \
    }
MOVE(m_act, p->act = MST_GUARD_STEPDOWN; p->target = -1;)
MOVE(m_after, p->after = MST_AFTER_STAY;)
MOVE(m_set, p->set_name[0] = 'x';)
MOVE(m_set_id, p->set_id[0] = 'f';)
MOVE(m_term, p->term++;)
MOVE(m_version, p->config_version++;)
MOVE(m_config_term, p->config_term++;)
MOVE(m_primary, p->primary = 2;)
MOVE(m_target, p->target = 2;)
MOVE(m_heir, p->heir = -1;)
MOVE(m_n, p->n--;)
MOVE(m_name, p->members[2].name[0] = 'x';)
MOVE(m_id, p->members[2].id++;)
MOVE(m_priority, p->members[2].priority += 0.001;)
MOVE(m_votes, p->members[2].votes = 0;)
MOVE(m_arbiter, p->members[2].arbiter = true;)
MOVE(m_data, p->members[2].data = false;)
MOVE(m_electable, p->members[2].electable = false;)
MOVE(m_reachable, p->members[2].reachable = false;)
MOVE(m_rbid, p->members[2].rbid++;)
MOVE(m_timeout, p->election_timeout_ms++;)
MOVE(m_heartbeat, p->heartbeat_ms++;)
MOVE(m_step_down, p->step_down_s--;)
MOVE(m_catch_up, p->catch_up_s--;)
MOVE(m_freeze, p->freeze_s--;)
MOVE(m_lag, p->lag_ok_ms++;)
MOVE(m_stop, p->hard_stop_ms++;)
MOVE(m_takeover, p->takeover_ms++;)
MOVE(m_return, p->return_ms++;)
MOVE(m_swap, p->swap_target = 2; p->swap_old = 1;)
MOVE(m_step_up, p->step_up = false;)
MOVE(m_reason, p->reason[0] = 'x';)
MOVE(m_who, p->who[0] = 'x';)
MOVE(m_host, p->host[0] = 'x';)
MOVE(m_failback, p->failback = true;)
MOVE(m_of_run, p->of_run[0] = '1';)
MOVE(m_override, p->n_overrides = 1; p->overrides[0].id = MST_P28;)
MOVE(m_steps, p->n_steps--;)
MOVE(m_step, p->steps[3][0] = 'x';)
MOVE(m_stop_step, p->stop_step--;)
MOVE(m_undo, p->undo[0] = 'x';)

static void (*const moves[])(struct mst_fo_plan *) = {
    m_act,       m_after,     m_set,      m_set_id,    m_term,      m_version, m_config_term,
    m_primary,   m_target,    m_heir,     m_n,         m_name,      m_id,      m_priority,
    m_votes,     m_arbiter,   m_data,     m_electable, m_reachable, m_rbid,    m_timeout,
    m_heartbeat, m_step_down, m_catch_up, m_freeze,    m_lag,       m_stop,    m_takeover,
    m_return,    m_swap,      m_step_up,  m_reason,    m_who,       m_host,    m_failback,
    m_of_run,    m_override,  m_steps,    m_step,      m_stop_step, m_undo,
};

static void the_hash_changes_with_every_field_that_must_not_move(void **state)
{
    static char seen[MST_COUNT(moves)][65];

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    for (size_t i = 0; i < MST_COUNT(moves); i++) {
        other = plan;
        moves[i](&other);
        mst_fo_plan_seal(&other);
        if (strcmp(other.hash, plan.hash) == 0) {
            fail_msg("move %zu does not change the hash", i);
        }
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(seen[k], other.hash);
        }
        (void)mst_copy(seen[i], sizeof(seen[i]), other.hash);
    }
}

static void the_same_facts_make_the_same_plan_and_lag_does_not_change_it(void **state)
{
    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    s.m[1].sample[2].lag_ms = 700; /* another expectation, the same plan */
    s.m[1].rtt_us = 9000;
    s.f.now_wall_ms += 60000;
    make(&other);
    assert_string_equal(plan.hash, other.hash);
    assert_string_equal(plan.code, other.code);
    assert_string_not_equal(plan.expect, other.expect);
}

static void the_code_is_the_beginning_of_the_hash_in_base_32(void **state)
{
    uint8_t raw[MST_SHA256_LEN];
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    assert_true(mst_unhex(plan.hash, raw, sizeof(raw)));
    assert_int_equal(plan.code[0], letters[raw[0] >> 3]);
    assert_int_equal(plan.code[1], letters[(raw[0] & 7) << 2 | raw[1] >> 6]);
    assert_int_equal(plan.code[2], letters[raw[1] >> 1 & 31]);
    assert_int_equal(plan.code[3], letters[(raw[1] & 1) << 4 | raw[2] >> 4]);
}

/* --- the file --- */

static void json_of(const struct mst_fo_plan *p, struct mst_str *out)
{
    mst_str_reset(out);
    mst_fo_plan_json(p, SW_NOW, out);
}

static enum mst_rc parse(const char *text, size_t n)
{
    int64_t made;

    memset(&err, 0, sizeof(err));
    return mst_fo_plan_parse(text, n, &other, &made, &err);
}

static void a_plan_comes_back_from_its_file_as_it_was(void **state)
{
    struct mst_str a = {0}, b = {0};
    int64_t made = 0;

    (void)state;
    for (int k = 0; k < 4; k++) {
        sw_init(&s, k == 3 ? MST_GUARD_STEPDOWN : MST_GUARD_SWITCHOVER);
        s.m[0].priority = k == 1 ? 2.3 : 1;
        s.f.after = k == 1 ? MST_AFTER_STAY : k == 2 ? MST_AFTER_VISIT : MST_AFTER_REFUSE;
        if (k == 2) {
            s.m[0].priority = 0.1 + 0.2 + 1;
            s.f.n_overrides = 1;
            s.f.overrides[0].id = MST_P28;
            (void)mst_copy(s.f.overrides[0].reason, 60, "\"quoted\\\" and \xc3\xbc, CHG-4411");
        }
        make(&plan);
        plan.failback = k == 1;
        (void)mst_copy(plan.of_run, sizeof(plan.of_run), k == 1 ? "00a1b2c3d4e5f607" : "");
        mst_fo_plan_seal(&plan);
        json_of(&plan, &a);
        assert_ok(mst_fo_plan_parse(a.p, a.len, &other, &made, &err), &err);
        assert_int_equal(made, SW_NOW);
        json_of(&other, &b);
        assert_string_equal(a.p, b.p);
        assert_string_equal(plan.hash, other.hash);
        assert_string_equal(plan.phrase, other.phrase);
        assert_string_equal(plan.expect, other.expect);
        assert_int_equal(plan.n_overrides, other.n_overrides);
        assert_memory_equal(&plan.members[0].priority, &other.members[0].priority, sizeof(double));
        assert_ok(parse(a.p, a.len - 1), &err); /* an editor that leaves out the last newline */
        /* the hash is its last field */
        assert_memory_equal(a.p + a.len - 3 - 64, plan.hash, 64);
    }
    mst_str_release(&a);
    mst_str_release(&b);
}

static void every_byte_that_is_edited_is_noticed(void **state)
{
    struct mst_str a = {0};
    const size_t head = strlen("{\"type\":\"muster switch plan\",\"format\":");

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    json_of(&plan, &a);
    for (size_t i = 0; i < a.len; i++) {
        const char was = a.p[i];
        enum mst_rc rc;

        a.p[i] = (char)(was ^ 1);
        rc = parse(a.p, a.len);
        if (rc != (i < head ? MST_E_CONFIG : MST_E_INTEGRITY)) {
            fail_msg("byte %zu: %s: %s", i, mst_rc_name(rc), err.msg);
        }
        a.p[i] = was;
    }
    assert_ok(parse(a.p, a.len), &err);
    mst_str_release(&a);
}

static void a_plan_that_was_cut_is_damaged(void **state)
{
    struct mst_str a = {0};
    const size_t head = strlen("{\"type\":\"muster switch plan\",\"format\":");

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    json_of(&plan, &a);
    for (size_t n = 0; n < a.len - 1; n++) {
        char *cut = mst_xmemdup(n ? a.p : "", n ? n : 1); /* so that a read past it is seen */

        assert_rc(parse(cut, n), n < head ? MST_E_CONFIG : MST_E_INTEGRITY, &err);
        free(cut);
    }
    mst_str_add(&a, "\n");
    assert_rc(parse(a.p, a.len), MST_E_INTEGRITY, &err); /* nor may anything follow */
    mst_str_release(&a);
}

/* The text with `from` replaced by `to` and both hashes made anew: what somebody does who knows. */
static void forge(const char *text, const char *from, const char *to, struct mst_str *out)
{
    const char *at = strstr(text, from), *end = strstr(text, ",\"check\":\"");
    const char *plan_at;
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    assert_non_null(at);
    assert_true(at < end);
    mst_str_reset(out);
    mst_str_addn(out, text, (size_t)(at - text));
    mst_str_add(out, to);
    mst_str_addn(out, at + strlen(from), (size_t)(end - at) - strlen(from));
    plan_at = strstr(out->p, "\"plan\":") + strlen("\"plan\":");
    mst_sha256_of(out->p, out->len, sha);
    (void)mst_hex(sha, sizeof(sha), hex);
    mst_sha256_of(plan_at, out->len - (size_t)(plan_at - out->p), sha);
    mst_str_addf(out, ",\"check\":\"%s\",\"hash\":\"", hex);
    mst_str_addf(out, "%s\"}\n", mst_hex(sha, sizeof(sha), hex));
}

static void values_out_of_bounds_are_no_plan_even_with_right_hashes(void **state)
{
    static const struct {
        const char *from, *to;
        enum mst_rc want;
    } rows[] = {
        {"\"freezeS\":60", "\"freezeS\":59", MST_OK}, /* the forgery works, so the rest means it */
        {"\"freezeS\":60", "\"freezeS\":61", MST_E_CONFIG},
        {"\"freezeS\":60", "\"freezeS\":0", MST_E_CONFIG},
        {"\"freezeS\":60", "\"freezeS\":\"60\"", MST_E_CONFIG},
        {"\"freezeS\":60,", "", MST_E_CONFIG},
        {"\"freezeS\":60", "\"freezeS\": 60", MST_E_INTEGRITY},
        {"\"freezeS\":60", "\"freezeS\":60,\"more\":1", MST_E_INTEGRITY},
        {"\"freezeS\":60", "\"freezeS\":60,\"freezeS\":60", MST_E_INTEGRITY},
        {"\"stepDownS\":60", "\"stepDownS\":86400", MST_E_CONFIG},
        {"\"stepDownS\":60", "\"stepDownS\":9", MST_E_CONFIG},
        {"\"catchUpS\":10", "\"catchUpS\":11", MST_E_CONFIG},
        {"\"target\":1", "\"target\":3", MST_E_CONFIG},
        {"\"target\":1", "\"target\":0", MST_E_CONFIG},
        {"\"target\":1", "\"target\":-1", MST_E_CONFIG},
        {"\"primary\":0", "\"primary\":-1", MST_E_CONFIG},
        {"\"heir\":1", "\"heir\":50", MST_E_CONFIG},
        {"\"act\":\"switchover\"", "\"act\":\"force\"", MST_E_CONFIG},
        {"\"after\":\"refuse\"", "\"after\":7", MST_E_CONFIG},
        {"\"swapTarget\":null", "\"swapTarget\":2", MST_E_CONFIG},
        {"\"swapTarget\":null", "\"swapTarget\":1001", MST_E_CONFIG},
        {"\"swapTarget\":null", "\"swapTarget\":{\"$numberDouble\":\"NaN\"}", MST_E_CONFIG},
        {"\"votes\":1", "\"votes\":2", MST_E_CONFIG},
        {"\"priority\":1", "\"priority\":-1", MST_E_CONFIG},
        {"\"priority\":1", "\"priority\":null", MST_E_CONFIG},
        {"\"set\":\"rs0\"", "\"set\":\"rs\\u001b0\"", MST_E_CONFIG},
        {"\"set\":\"rs0\"", "\"set\":\"r\\u00730\"", MST_E_INTEGRITY},
        {"\"overrides\":[]", "\"overrides\":[1]", MST_E_CONFIG},
        {"\"overrides\":[]", "\"overrides\":{}", MST_E_CONFIG},
        {"\"steps\":[", "\"steps\":[1,", MST_E_CONFIG},
        {"\"steps\":[", "\"steps\":[[[[[[", MST_E_CONFIG},
        {"\"members\":[", "\"members\":[{},", MST_E_CONFIG},
        {"\"made\":1796000000000", "\"made\":-1", MST_E_CONFIG},
        {"\"format\":1", "\"format\":2", MST_E_CONFIG},
    };
    struct mst_str a = {0}, b = {0};

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    json_of(&plan, &a);
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        enum mst_rc rc;

        forge(a.p, rows[i].from, rows[i].to, &b);
        rc = parse(b.p, b.len);
        if (rc != rows[i].want || (rc != MST_OK && !err.msg[0])) {
            fail_msg("%s: %s: %s", rows[i].to, mst_rc_name(rc), err.msg);
        }
    }
    mst_str_release(&a);
    mst_str_release(&b);
}

static void too_many_members_or_steps_are_no_plan(void **state)
{
    struct mst_str a = {0}, b = {0}, many = {0};

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    json_of(&plan, &a);
    mst_str_add(&many, "\"steps\":[");
    for (int i = 0; i < MST_FO_STEPS; i++) {
        mst_str_add(&many, "\"x\",");
    }
    forge(a.p, "\"steps\":[", many.p, &b);
    assert_rc(parse(b.p, b.len), MST_E_CONFIG, &err);
    mst_str_reset(&many);
    mst_str_add(&many, "\"members\":[");
    for (int i = 0; i < MST_TOPO_MAX; i++) {
        mst_str_add(&many, "{\"name\":\"x\",\"id\":1,\"priority\":1,\"votes\":1,\"arbiter\":false,"
                           "\"data\":true,\"electable\":true,\"reachable\":true,\"rbid\":1},");
    }
    forge(a.p, "\"members\":[", many.p, &b);
    assert_rc(parse(b.p, b.len), MST_E_CONFIG, &err);
    mst_str_release(&a);
    mst_str_release(&b);
    mst_str_release(&many);
}

static void what_is_huge_or_something_else_is_no_plan(void **state)
{
    static const char *const foreign[] = {"",
                                          "\n",
                                          "{}",
                                          "null",
                                          "# a file",
                                          "{\"type\":\"muster header\"}",
                                          "{ \"type\":\"muster switch plan\",\"format\":1}"};
    char *huge = mst_xmalloc(MST_FO_JSON_MAX + 1);

    (void)state;
    for (size_t i = 0; i < MST_COUNT(foreign); i++) {
        assert_rc(parse(foreign[i], strlen(foreign[i])), MST_E_CONFIG, &err);
        assert_non_null(strstr(err.msg, "no plan of a switch"));
    }
    memset(huge, ' ', MST_FO_JSON_MAX + 1);
    assert_rc(parse(huge, MST_FO_JSON_MAX + 1), MST_E_CONFIG, &err);
    free(huge);
}

static void the_longest_plan_fits_into_the_limit(void **state)
{
    struct mst_str a = {0};

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    plan.n = MST_TOPO_MAX;
    for (size_t i = 0; i < plan.n; i++) {
        plan.members[i] = plan.members[1];
        memset(plan.members[i].name, '"', sizeof(plan.members[i].name) - 1);
        plan.members[i].name[sizeof(plan.members[i].name) - 1] = '\0';
        plan.members[i].priority = 0.1 + 0.2;
        plan.members[i].rbid = INT64_MAX;
    }
    mst_fo_plan_seal(&plan);
    json_of(&plan, &a);
    assert_true(a.len < MST_FO_JSON_MAX);
    assert_ok(parse(a.p, a.len), &err);
    mst_str_release(&a);
}

/* --- does it still fit --- */

#define DRIFT(name, body) \
    static void name(struct mst_guard_facts *f) \
    { \
        struct mst_guard_member *m = f->members; \
        (void)m; \
        body \
    }
DRIFT(d_term, m[0].term = 42;)
DRIFT(d_primary, f->primary = 2;)
DRIFT(d_none, f->primary = -1;)
DRIFT(d_version, f->config_version = 13;)
DRIFT(d_config_term, f->config_term = 40;)
DRIFT(d_set, m[0].set_id[0] = 'f';)
DRIFT(d_count, f->n = 4;)
DRIFT(d_name, (void)mst_copy(m[2].name, 20, "db9:27017");)
DRIFT(d_id, m[2].id = 9;)
DRIFT(d_priority, m[2].priority = 5;)
DRIFT(d_votes, m[2].votes = 0;)
DRIFT(d_silent, m[2].answered = false;)
DRIFT(d_rbid, m[2].rbid = 2;)
DRIFT(d_unfit, m[1].maintenance = true;)
DRIFT(d_target, f->target = 2;)
DRIFT(d_act, f->act = MST_GUARD_STEPDOWN;)
DRIFT(d_after, f->after = MST_AFTER_VISIT;)

static void a_plan_is_stale_when_something_moved_and_says_what(void **state)
{
    static const struct {
        void (*drift)(struct mst_guard_facts *);
        const char *text;
    } rows[] = {
        {d_term, "there was an election: term 42, not 41"},
        {d_primary, "db3:27017 is the primary now"},
        {d_none, "no writable primary any more"},
        {d_version, "the configuration has changed: version 13 of term 39, not 12"},
        {d_config_term, "version 12 of term 40"},
        {d_set, "it is another set"},
        {d_count, "4 members now, 3 were planned"},
        {d_name, "member 2 is db9:27017 now, not db3:27017"},
        {d_id, "member 2 is db3:27017 now"},
        {d_priority, "priority, vote or kind of db3:27017 has changed"},
        {d_votes, "priority, vote or kind of db3:27017 has changed"},
        {d_silent, "db3:27017 does not answer any more"},
        {d_rbid, "db3:27017 has rolled back meanwhile"},
        {d_unfit, "db2:27017 may not be elected any more"},
        {d_target, "another act or another target"},
        {d_act, "another act or another target"},
        {d_after, "another act or another target"},
    };

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    make(&plan);
    s.m[1].sample[2].lag_ms = 1500; /* what only varies does not count */
    s.f.probe_ms = 900;
    assert_ok(mst_fo_plan_fits(&plan, &s.f, &err), &err);
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        sw_init(&s, MST_GUARD_SWITCHOVER);
        rows[i].drift(&s.f);
        memset(&err, 0, sizeof(err));
        assert_rc(mst_fo_plan_fits(&plan, &s.f, &err), MST_E_STALE, &err);
        if (!strstr(err.msg, rows[i].text)) {
            fail_msg("'%s' lacks '%s'", err.msg, rows[i].text);
        }
    }
    sw_init(&s, MST_GUARD_SWITCHOVER);
    s.m[2].maintenance = true;
    make(&plan);
    s.m[2].maintenance = false;
    assert_rc(mst_fo_plan_fits(&plan, &s.f, &err), MST_E_STALE, &err);
    assert_non_null(strstr(err.msg, "db3:27017 may be elected now and is not in the plan"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_switchover_says_what_is_sent_to_whom),
        cmocka_unit_test(a_configuration_without_a_term_has_none_in_the_plan),
        cmocka_unit_test(a_step_down_freezes_nobody_and_has_a_phrase_of_its_own),
        cmocka_unit_test(without_rivals_nobody_is_frozen),
        cmocka_unit_test(numbers_follow_the_intervals_of_the_set),
        cmocka_unit_test(a_higher_priority_is_waited_for_announced_or_swapped),
        cmocka_unit_test(catch_up_stays_below_the_limit_at_which_the_server_aborts),
        cmocka_unit_test(what_cannot_be_planned_is_refused_by_name),
        cmocka_unit_test(facts_that_refuse_are_planned_all_the_same),
        cmocka_unit_test(the_hash_changes_with_every_field_that_must_not_move),
        cmocka_unit_test(the_same_facts_make_the_same_plan_and_lag_does_not_change_it),
        cmocka_unit_test(the_code_is_the_beginning_of_the_hash_in_base_32),
        cmocka_unit_test(a_plan_comes_back_from_its_file_as_it_was),
        cmocka_unit_test(every_byte_that_is_edited_is_noticed),
        cmocka_unit_test(a_plan_that_was_cut_is_damaged),
        cmocka_unit_test(values_out_of_bounds_are_no_plan_even_with_right_hashes),
        cmocka_unit_test(too_many_members_or_steps_are_no_plan),
        cmocka_unit_test(what_is_huge_or_something_else_is_no_plan),
        cmocka_unit_test(the_longest_plan_fits_into_the_limit),
        cmocka_unit_test(a_plan_is_stale_when_something_moved_and_says_what),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
