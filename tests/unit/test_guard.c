/* Every check: what passes, what fails and how, and what it says when it could not be measured. */
#include "test.h"

#include "base/file.h"
#include "guard/guard.h"
#include "switchset.h"

#define PASS MST_GUARD_PASS
#define INFO MST_GUARD_INFO
#define WARN MST_GUARD_WARN
#define OVER MST_GUARD_OVERRIDE
#define BLOCK MST_GUARD_BLOCK

static struct mst_guard_check checks[MST_GUARD_MAX];
static size_t n_checks;

static const struct mst_guard_check *run(const struct switchset *s, enum mst_guard_id id)
{
    n_checks = mst_guard_run(&s->f, checks);
    for (size_t i = 0; i < n_checks; i++) {
        if (checks[i].id == id) {
            return &checks[i];
        }
    }
    fail_msg("there is no check %d", (int)id);
    return NULL;
}

/* --- the table --- */

/* p is the primary, t the target of a switchover, o the third member. */
#define CHANGE(name, body) \
    static void name(struct switchset *s) \
    { \
        struct mst_guard_facts *f = &s->f; \
        struct mst_guard_member *p = &s->m[0], *t = &s->m[1], *o = &s->m[2]; \
        (void)f, (void)p, (void)t, (void)o; \
        body \
    }

CHANGE(nothing, ;)
CHANGE(no_primary, f->primary = -1; p->writable = false; p->state = MST_MS_SECONDARY;)
CHANGE(no_target, f->target = -1;)
CHANGE(wild_target, f->target = 7;)
CHANGE(target_is_primary, f->target = 0;)
CHANGE(target_down, sw_down(s, 1);)
CHANGE(other_down, sw_down(s, 2);)
CHANGE(both_down, sw_down(s, 1); sw_down(s, 2);)
CHANGE(other_unreached, o->answered = false; o->status_known = false;)
CHANGE(arbiter, sw_arbiter(s, 2);)
CHANGE(arbiter_silent, sw_arbiter(s, 2); o->answered = false;)
CHANGE(arbiter_dead, sw_arbiter(s, 2); sw_down(s, 2); o->arbiter = true; o->priority = 0;)
CHANGE(two_arbiters, f->n = 5; sw_link(s); sw_arbiter(s, 3); sw_arbiter(s, 4);)
CHANGE(no_config, f->config_known = false;)

CHANGE(other_name, (void)mst_copy(o->set_name, 8, "rs1");)
CHANGE(other_id, (void)mst_copy(o->set_id, 8, "abcdef");)
CHANGE(no_id, p->set_id[0] = '\0';)
CHANGE(no_id_there, o->set_id[0] = '\0';)

CHANGE(two_writable, o->writable = true; o->state = MST_MS_PRIMARY;)
CHANGE(claims_primary, o->state = MST_MS_PRIMARY;)
CHANGE(term_differs, o->term = 40;)
CHANGE(term_unknown, o->term = -1;)
CHANGE(status_refused_there, o->status_known = false;)
CHANGE(target_status_refused, t->status_known = false;)

CHANGE(straggler, o->config_version = 11;)
CHANGE(straggler_target, t->config_version = 11;)
CHANGE(no_config_term, p->config_term = t->config_term = o->config_term = -1;)
CHANGE(config_spread, t->config_term = -1; o->config_version = 11;)
CHANGE(config_blind, p->config_version = -1;)
CHANGE(config_blind_there, o->config_version = -1;)
CHANGE(minority_config, f->n = 5; sw_link(s);
       for (int i = 2; i < 5; i++) s->m[i].config_version = 11;)

CHANGE(uncommitted, f->config_committed = 0;)
CHANGE(uncommitted_stay, f->config_committed = 0; f->after = MST_AFTER_STAY;)
CHANGE(commit_unknown, f->config_committed = -1;)
CHANGE(commit_unknown_stay, f->config_committed = -1; f->after = MST_AFTER_STAY;)
CHANGE(old_server, f->has_commitment = false; f->config_committed = -1;)
CHANGE(old_server_straggler, f->has_commitment = false; o->config_version = 11;)
CHANGE(old_server_down, f->has_commitment = false; sw_down(s, 2);)
CHANGE(old_server_arbiter, f->has_commitment = false; sw_arbiter(s, 2);)

CHANGE(elected_just_now, f->elected_wall_ms = SW_NOW - 119999;)
CHANGE(elected_in_future, f->elected_wall_ms = SW_NOW + 5000;)
CHANGE(elected_two_min, f->elected_wall_ms = SW_NOW - 120000; f->elections_10min = 2;)
CHANGE(elections, f->elected_wall_ms = SW_NOW - 300000; f->elections_10min = 3;)
CHANGE(not_watched, f->elected_wall_ms = SW_NOW - 300000; f->watched_ms = 60000;)
CHANGE(not_watched_old, f->watched_ms = 0; f->elected_wall_ms = SW_NOW - 600000;)
CHANGE(elected_unknown, f->elected_wall_ms = 0;)

CHANGE(t_priority_0, t->priority = 0;)
CHANGE(t_hidden, t->hidden = true;)
CHANGE(t_delayed, t->delay_s = 3600;)
CHANGE(t_no_vote, t->votes = 0;)
CHANGE(t_no_indexes, t->builds_indexes = false;)
CHANGE(t_arbiter, sw_arbiter(s, 1); t->status_known = true;)
CHANGE(t_recovering, t->state = MST_MS_RECOVERING;)
CHANGE(t_unheard, p->sees[1].health = 0;)
CHANGE(t_opinion_unknown, p->sees[1].known = false;)

CHANGE(t_maintenance, t->maintenance = true;)
CHANGE(t_stale, t->too_stale = true;)
CHANGE(t_initial, t->initial_sync = true;)
CHANGE(t_message, (void)mst_copy(t->info_message, 40, "could not find member to sync\x1b[2J");)

CHANGE(t_syncing, (void)mst_copy(t->info_message, 40, "syncing from: db1:27017");)

CHANGE(five_members, f->n = 5; sw_link(s);)
CHANGE(three_of_five, f->n = 5; sw_link(s); sw_down(s, 3); sw_down(s, 4);)
CHANGE(primary_status_refused, p->status_known = false;)

static void lags(struct mst_guard_member *m, int64_t a, int64_t b, int64_t c)
{
    m->sample[0].lag_ms = a;
    m->sample[1].lag_ms = b;
    m->sample[2].lag_ms = c;
}
CHANGE(lag_2, lags(t, 2000, 2000, 2000);)
CHANGE(lag_grows_small, lags(t, 100, 1000, 2000);)
CHANGE(lag_3, lags(t, 4000, 3000, 3000);)
CHANGE(lag_grows, lags(t, 1000, 2000, 3000);)
CHANGE(lag_10, lags(t, 12000, 10000, 10000);)
CHANGE(lag_11, lags(t, 12000, 11000, 10001);)
CHANGE(lag_unknown, lags(t, 100, -1, 100);)
CHANGE(lag_two_samples, t->n_samples = 2;)
CHANGE(later_term, t->sample[2].applied.term = 42;)

CHANGE(commit_2, p->committed_lag_ms = 2000;)
CHANGE(commit_3, p->committed_lag_ms = 3000;)
CHANGE(commit_10, p->committed_lag_ms = 10000;)
CHANGE(commit_11, p->committed_lag_ms = 10001;)
CHANGE(commit_blind, p->committed_lag_ms = -1;)

CHANGE(probe_1, f->probe_ms = 1000;)
CHANGE(probe_2, f->probe_ms = 1001;)
CHANGE(probe_5, f->probe_ms = 5001;)
CHANGE(probe_failed, f->probe_ms = -1; (void)mst_copy(f->probe_error, 40, "waited 5 s in vain");)
CHANGE(probe_none, f->probe_ms = -1;)

CHANGE(flow, p->flow_lagged = 1;)
CHANGE(flow_unknown, p->flow_lagged = -1;)

static void op(struct mst_guard_member *m, int64_t secs, bool pins)
{
    m->n_ops = 1;
    m->ops[0].secs_running = secs;
    m->ops[0].pins = pins;
    (void)mst_copy(m->ops[0].what, 40, "update shop.orders");
    (void)mst_copy(m->ops[0].who, 40, "billing");
}
CHANGE(locked_p, p->fsync_locked = 1;)
CHANGE(locked_t, t->fsync_locked = 1;)
CHANGE(locked_o, o->fsync_locked = 1;)
CHANGE(ops_blind, t->fsync_locked = -1;)
CHANGE(op_60, op(p, 60, false);)
CHANGE(op_61, op(p, 61, false);)
CHANGE(op_build, op(p, 1, true);)

CHANGE(fassert_10, p->fassert_s = 10;)
CHANGE(fassert_11, p->fassert_s = 11;)
CHANGE(fassert_off, p->fassert_s = 0;)
CHANGE(fassert_blind, p->fassert_s = -1;)
CHANGE(v_8_0_20, (void)mst_copy(p->version, 16, "8.0.20");)
CHANGE(v_8_0_21, (void)mst_copy(p->version, 16, "8.0.21");)
CHANGE(v_unknown, p->stats_known = false;)

CHANGE(p_higher, p->priority = 2;)
CHANGE(o_higher, o->priority = 3;)
CHANGE(p_higher_visit, p->priority = 2; f->after = MST_AFTER_VISIT;)
CHANGE(o_higher_visit, o->priority = 3; f->after = MST_AFTER_VISIT;)
CHANGE(p_higher_stay, p->priority = 2; f->after = MST_AFTER_STAY;)
CHANGE(stay_uncommitted, p->priority = 2; f->after = MST_AFTER_STAY; f->config_committed = 0;)
CHANGE(stay_no_right, p->priority = 2; f->after = MST_AFTER_STAY; t->may_configure = 0;)
CHANGE(stay_third, p->priority = 2; o->priority = 3; f->after = MST_AFTER_STAY;)

CHANGE(t_sees_none, t->sees[0].health = 0; t->sees[2].health = 0;)
CHANGE(t_old_views, t->sees[0].heartbeat_age_ms = 5000; t->sees[2].heartbeat_age_ms = 5000;)
CHANGE(t_one_way, p->sees[1].health = 0; o->sees[1].health = 0;)
CHANGE(t_blind_view, t->sees[0].known = false; t->sees[2].known = false;)
CHANGE(t_sees_one, t->sees[2].health = 0;)

CHANGE(link_to_t, t->sees[2].health = 0;)
CHANGE(link_p_o, p->sees[2].health = 0;)

CHANGE(busy_p, f->busy_member = 0;
       (void)mst_copy(f->busy_backup, 60, "backup 12 reads from db1:27017");)
CHANGE(busy_t, f->busy_member = 1;
       (void)mst_copy(f->busy_backup, 60, "backup 12 reads from db2:27017");)
CHANGE(busy_o, f->busy_member = 2;
       (void)mst_copy(f->busy_backup, 60, "backup 12 reads from db3:27017");)
CHANGE(busy_none, (void)mst_copy(f->busy_backup, 60, "verify 13 reads the store");)

CHANGE(t_older, (void)mst_copy(t->version, 16, "7.0.9");)
CHANGE(t_newer, (void)mst_copy(t->version, 16, "7.0.15");)
CHANGE(t_other_release, (void)mst_copy(t->version, 16, "8.0.1");)
CHANGE(t_fcv, (void)mst_copy(t->fcv, 16, "6.0");)
CHANGE(t_no_fcv, t->fcv[0] = '\0';)
CHANGE(t_no_stats, t->stats_known = false;)
CHANGE(t_version_text, (void)mst_copy(t->version, 16, "seven");)

CHANGE(window_24, t->window_s = 24 * 3600;)
CHANGE(window_23, t->window_s = 24 * 3600 - 1;)
CHANGE(window_2, t->window_s = 2 * 3600;)
CHANGE(window_1, t->window_s = 2 * 3600 - 1;)
CHANGE(window_blind, t->window_s = -1;)

CHANGE(up_299, t->uptime_s = 299;)
CHANGE(up_300, t->uptime_s = 300;)
CHANGE(rolled_back, t->rbid_changed_wall_ms = SW_NOW - 3599999;)
CHANGE(rolled_back_long_ago, t->rbid_changed_wall_ms = SW_NOW - 3600000;)

CHANGE(no_catch_up, f->catch_up_timeout_ms = 0;)
CHANGE(catch_up_limit, f->catch_up_timeout_ms = 30000;)

CHANGE(clock_2, t->clock_off_ms = -2000;)
CHANGE(clock_3, t->clock_off_ms = -2001;)
CHANGE(clock_10, o->clock_off_ms = 10001;)
CHANGE(clock_blind, o->clock_off_ms = INT64_MIN;)

static void access_off(struct switchset *s)
{
    for (size_t i = 0; i < s->f.n; i++) {
        s->m[i].authenticated = 0;
        s->m[i].may_state_change = s->m[i].may_note = s->m[i].may_configure = 0;
    }
}
CHANGE(no_access, access_off(s);)
CHANGE(no_access_no_status, access_off(s); o->status_known = false;)
CHANGE(no_state_change, o->may_state_change = 0;)
CHANGE(no_note, t->may_note = 0;)
CHANGE(no_note_o, o->may_note = 0;)
CHANGE(no_configure, t->may_configure = 0;)
CHANGE(no_configure_stay, t->may_configure = 0; f->after = MST_AFTER_STAY;)
CHANGE(rights_blind, o->may_state_change = -1;)
CHANGE(login_blind, o->authenticated = -1;)

CHANGE(shard, p->shard = true;)
CHANGE(config_server, p->config_server = p->shard = true;)
CHANGE(hours_in, (void)mst_copy(f->hours, 40, "Mon to Fri 02:00 to 04:00"); f->hours_ok = true;)
CHANGE(hours_out, (void)mst_copy(f->hours, 40, "Mon to Fri 02:00 to 04:00");)
CHANGE(other_act, (void)mst_copy(f->other_act, 60, "restore by alice on bastion-2");)
CHANGE(notes_blind, f->other_known = false;)
CHANGE(o_is_heir, f->target = 2;)
CHANGE(nobody_close, lags(t, 9000, 8000, 7000); lags(o, 9000, 8000, 7000);)
CHANGE(o_unreached_down, sw_down(s, 2); f->target = 1;)
CHANGE(o_unreached_blind, o->answered = false; p->sees[2].known = false;)
CHANGE(o_unreached_no_rival, o->answered = false; o->priority = 0;)
CHANGE(unproven, f->proven = false;)
CHANGE(unproven_sandbox, f->proven = false; f->sandbox_class = true;)

#define KNOWN false
#define UNKNOWN true
static const struct {
    enum mst_guard_id id;
    void (*change)(struct switchset *);
    enum mst_guard_result want;
    bool unknown;
    const char *text; /* in measured */
} rows[] = {
    {MST_P01, nothing, PASS, KNOWN, "3 of 3 answer"},
    {MST_P01, no_primary, BLOCK, KNOWN, "no writable primary"},
    {MST_P01, no_target, BLOCK, KNOWN, "no such target"},
    {MST_P01, wild_target, BLOCK, KNOWN, "no such target"},
    {MST_P01, target_is_primary, BLOCK, KNOWN, "db1:27017 is the primary already"},
    {MST_P01, target_down, BLOCK, KNOWN, "db2:27017: connection refused"},
    {MST_P01, other_down, WARN, KNOWN, "db3:27017: connection refused"},
    {MST_P01, other_unreached, WARN, KNOWN, "db3:27017: no answer"},
    {MST_P01, arbiter, PASS, KNOWN, "3 of 3"},
    {MST_P02, nothing, PASS, KNOWN, "rs0, id 5f1e0a"},
    {MST_P02, other_name, BLOCK, KNOWN, "db3:27017 is of set rs1"},
    {MST_P02, other_id, BLOCK, KNOWN, "db3:27017 has set id abcdef"},
    {MST_P02, no_id, BLOCK, UNKNOWN, "not known from the primary"},
    {MST_P02, no_id_there, BLOCK, UNKNOWN, "not known of db3:27017"},
    {MST_P02, arbiter, PASS, KNOWN, "rs0"},
    {MST_P02, other_down, PASS, KNOWN, "rs0"},
    {MST_P03, nothing, PASS, KNOWN, "1 writable, db1:27017, term 41"},
    {MST_P03, no_primary, BLOCK, KNOWN, "0 writable"},
    {MST_P03, two_writable, BLOCK, KNOWN, "2 writable; db3:27017 says it is primary too"},
    {MST_P03, claims_primary, BLOCK, KNOWN, "db3:27017 says it is primary too"},
    {MST_P03, term_differs, BLOCK, KNOWN, "db3:27017 is in term 40, not 41"},
    {MST_P03, term_unknown, BLOCK, UNKNOWN, "term not known of db3:27017"},
    {MST_P03, status_refused_there, BLOCK, UNKNOWN, "term not known of db3:27017"},
    {MST_P03, arbiter, PASS, KNOWN, "1 writable"},
    {MST_P04, nothing, PASS, KNOWN, "version 12 of term 39 on 3 voters"},
    {MST_P04, no_config_term, PASS, KNOWN, "version 12 on 3 voters"},
    {MST_P04, straggler, WARN, KNOWN, "db3:27017 has version 11"},
    {MST_P04, straggler_target, BLOCK, KNOWN, "2 of 3 voters"},
    {MST_P04, config_spread, BLOCK, KNOWN, "1 of 3 voters"},
    {MST_P04, minority_config, BLOCK, KNOWN, "2 of 5 voters"},
    {MST_P04, config_blind, BLOCK, UNKNOWN, "not known"},
    {MST_P04, config_blind_there, WARN, KNOWN, "db3:27017 not known"},
    {MST_P04, arbiter, PASS, KNOWN, "on 2 voters"},
    {MST_P05, nothing, PASS, KNOWN, "version 12 is committed"},
    {MST_P05, uncommitted, WARN, KNOWN, "false for version 12"},
    {MST_P05, uncommitted_stay, BLOCK, KNOWN, "false for version 12"},
    {MST_P05, commit_unknown, WARN, UNKNOWN, "not answered"},
    {MST_P05, commit_unknown_stay, BLOCK, UNKNOWN, "not answered"},
    {MST_P05, no_config, WARN, UNKNOWN, "could not be read"},
    {MST_P05, old_server, PASS, KNOWN, "this server has no commitmentStatus"},
    {MST_P05, old_server_arbiter, PASS, KNOWN, "this server has no commitmentStatus"},
    {MST_P05, old_server_straggler, WARN, KNOWN, "not version 12 on db3:27017"},
    {MST_P05, old_server_down, WARN, KNOWN, "db3:27017"},
    {MST_P06, nothing, PASS, KNOWN, "last election"},
    {MST_P06, elected_just_now, OVER, KNOWN, "last election"},
    {MST_P06, elected_in_future, OVER, KNOWN, "last election"},
    {MST_P06, elected_two_min, PASS, KNOWN, "2 in 10 min"},
    {MST_P06, elections, OVER, KNOWN, "3 elections in 10 min"},
    {MST_P06, not_watched, OVER, UNKNOWN, "watched for 60 s only"},
    {MST_P06, not_watched_old, PASS, KNOWN, "last election 10 m"},
    {MST_P06, elected_unknown, OVER, UNKNOWN, "not known"},
    {MST_P07, nothing, PASS, KNOWN, "db2:27017: priority 1, SECONDARY"},
    {MST_P07, t_priority_0, BLOCK, KNOWN, "priority 0"},
    {MST_P07, t_hidden, BLOCK, KNOWN, "hidden"},
    {MST_P07, t_delayed, BLOCK, KNOWN, "delayed"},
    {MST_P07, t_no_vote, BLOCK, KNOWN, "has no vote"},
    {MST_P07, t_no_indexes, BLOCK, KNOWN, "builds no indexes"},
    {MST_P07, t_arbiter, BLOCK, KNOWN, "an arbiter has no data"},
    {MST_P07, t_recovering, BLOCK, KNOWN, "is RECOVERING, not SECONDARY"},
    {MST_P07, t_unheard, BLOCK, KNOWN, "the primary does not hear db2:27017"},
    {MST_P07, t_opinion_unknown, BLOCK, UNKNOWN, "what the primary hears"},
    {MST_P07, target_status_refused, BLOCK, UNKNOWN, "is not known"},
    {MST_P07, target_down, BLOCK, UNKNOWN, "is not known"},
    {MST_P07, no_config, BLOCK, UNKNOWN, "is not known"},
    {MST_P07, target_is_primary, BLOCK, KNOWN, "is the primary already"},
    {MST_P07, wild_target, BLOCK, KNOWN, "no such target"},
    {MST_P08, nothing, PASS, KNOWN, "db2:27017: none"},
    {MST_P08, t_maintenance, BLOCK, KNOWN, "maintenance mode"},
    {MST_P08, t_stale, BLOCK, KNOWN, "too stale"},
    {MST_P08, t_initial, BLOCK, KNOWN, "initial sync"},
    {MST_P08, t_syncing, PASS, KNOWN, "none"},
    {MST_P08, t_message, BLOCK, KNOWN, "could not find member to sync?[2J"},
    {MST_P08, target_status_refused, BLOCK, UNKNOWN, "is not known"},
    {MST_P09, nothing, PASS, KNOWN, "3 votes up, 2 needed; 2 if the old primary is lost"},
    {MST_P09, five_members, PASS, KNOWN, "5 votes up, 3 needed; 4 if"},
    {MST_P09, three_of_five, OVER, KNOWN, "3 votes up, 3 needed; 2 if"},
    {MST_P09, other_down, OVER, KNOWN, "2 votes up, 2 needed; 1 if the old primary is lost"},
    {MST_P09, other_unreached, OVER, KNOWN, "2 votes up"},
    {MST_P09, both_down, BLOCK, KNOWN, "1 votes up, 2 needed"},
    {MST_P09, arbiter_silent, PASS, KNOWN, "3 votes up"},
    {MST_P09, arbiter_dead, OVER, KNOWN, "2 votes up"},
    {MST_P09, primary_status_refused, BLOCK, UNKNOWN, "not known"},
    {MST_P09, no_config, BLOCK, UNKNOWN, "not known"},
    {MST_P10, nothing, PASS, KNOWN, "3 data voters up, 2 needed"},
    {MST_P10, other_down, WARN, KNOWN, "2 data voters up, 2 needed: none to spare"},
    {MST_P10, both_down, BLOCK, KNOWN, "1 data voters up, 2 needed"},
    {MST_P10, arbiter, WARN, KNOWN, "2 data voters up, 2 needed"},
    {MST_P10, status_refused_there, WARN, KNOWN, "2 data voters up"},
    {MST_P10, no_config, BLOCK, UNKNOWN, "not known"},
    {MST_P11, nothing, PASS, KNOWN, "db2:27017 lag 0.3 s, 0.3 s, 0.3 s"},
    {MST_P11, lag_2, PASS, KNOWN, "2.0 s"},
    {MST_P11, lag_grows_small, PASS, KNOWN, "0.1 s"},
    {MST_P11, lag_3, WARN, KNOWN, "3.0 s"},
    {MST_P11, lag_grows, BLOCK, KNOWN, "growing"},
    {MST_P11, lag_10, WARN, KNOWN, "10 s"},
    {MST_P11, lag_11, BLOCK, KNOWN, "12 s"},
    {MST_P11, lag_unknown, BLOCK, UNKNOWN, "not measured 3 times"},
    {MST_P11, lag_two_samples, BLOCK, UNKNOWN, "not measured 3 times"},
    {MST_P11, later_term, BLOCK, KNOWN, "later term"},
    {MST_P12, nothing, PASS, KNOWN, "0.1 s behind"},
    {MST_P12, commit_2, PASS, KNOWN, "2.0 s behind"},
    {MST_P12, commit_3, WARN, KNOWN, "3.0 s behind"},
    {MST_P12, commit_10, WARN, KNOWN, "10 s behind"},
    {MST_P12, commit_11, BLOCK, KNOWN, "catch-up time 10 s"},
    {MST_P12, commit_blind, BLOCK, UNKNOWN, "not known"},
    {MST_P12, no_primary, BLOCK, UNKNOWN, "not known"},
    {MST_P13, nothing, PASS, KNOWN, "took 12 ms"},
    {MST_P13, probe_1, PASS, KNOWN, "1000 ms"},
    {MST_P13, probe_2, WARN, KNOWN, "1001 ms"},
    {MST_P13, probe_5, BLOCK, KNOWN, "5001 ms"},
    {MST_P13, probe_failed, BLOCK, KNOWN, "waited 5 s in vain"},
    {MST_P13, probe_none, BLOCK, UNKNOWN, "none was tried"},
    {MST_P14, nothing, PASS, KNOWN, "not lagged"},
    {MST_P14, flow, OVER, KNOWN, "holds writes back"},
    {MST_P14, flow_unknown, OVER, UNKNOWN, "not known"},
    {MST_P15, nothing, PASS, KNOWN, "no fsyncLock"},
    {MST_P15, locked_p, BLOCK, KNOWN, "fsyncLock on db1:27017"},
    {MST_P15, locked_t, BLOCK, KNOWN, "fsyncLock on db2:27017"},
    {MST_P15, locked_o, PASS, KNOWN, "no fsyncLock"},
    {MST_P15, ops_blind, BLOCK, UNKNOWN, "not known on db2:27017"},
    {MST_P15, op_60, PASS, KNOWN, "nothing above 60 s"},
    {MST_P15, op_61, WARN, KNOWN, "update shop.orders 61 s by billing"},
    {MST_P15, op_build, WARN, KNOWN, "update shop.orders 1 s"},
    {MST_P15, no_primary, BLOCK, UNKNOWN, "no primary"},
    {MST_P16, nothing, PASS, KNOWN, "catch-up 10 s, limit 15 s"},
    {MST_P16, fassert_10, BLOCK, KNOWN, "aborts at 10 s"},
    {MST_P16, fassert_11, PASS, KNOWN, "limit 11 s"},
    {MST_P16, fassert_off, PASS, KNOWN, "does not abort"},
    {MST_P16, fassert_blind, BLOCK, UNKNOWN, "could not be read"},
    {MST_P16, v_8_0_20, WARN, KNOWN, "version 8.0.20"},
    {MST_P16, v_8_0_21, PASS, KNOWN, "limit 15 s"},
    {MST_P16, v_unknown, WARN, UNKNOWN, "version is not known"},
    {MST_P17, nothing, PASS, KNOWN, "no priority above the 1 of db2:27017"},
    {MST_P17, p_higher, OVER, KNOWN,
     "db1:27017 has 2, above 1: it takes the seat back after about"},
    {MST_P17, p_higher_visit, WARN, KNOWN, "after about 71 s"},
    {MST_P17, o_higher, OVER, KNOWN, "db3:27017 has 3"},
    {MST_P17, o_higher_visit, WARN, KNOWN, "after about 11 s"},
    {MST_P17, p_higher_stay, INFO, KNOWN, "db2:27017 2, db1:27017 1"},
    {MST_P17, stay_uncommitted, BLOCK, KNOWN, "not known as committed"},
    {MST_P17, stay_no_right, BLOCK, KNOWN, "not allowed on db2:27017"},
    {MST_P17, stay_third, OVER, KNOWN, "leaves db3:27017 above both"},
    {MST_P17, no_config, OVER, UNKNOWN, "not known"},
    {MST_P17, no_target, OVER, UNKNOWN, "not known"},
    {MST_P18, nothing, PASS, KNOWN, "db2:27017: 3 votes, 2 needed"},
    {MST_P18, t_sees_one, PASS, KNOWN, "2 votes, 2 needed"},
    {MST_P18, t_sees_none, BLOCK, KNOWN, "1 votes, 2 needed"},
    {MST_P18, t_old_views, BLOCK, KNOWN, "not both ways with db1:27017, db3:27017"},
    {MST_P18, t_one_way, BLOCK, KNOWN, "1 votes, 2 needed"},
    {MST_P18, t_blind_view, BLOCK, UNKNOWN, "not known of"},
    {MST_P18, target_status_refused, BLOCK, UNKNOWN, "is not known"},
    {MST_P18, arbiter, PASS, KNOWN, "3 votes"},
    {MST_P19, nothing, PASS, KNOWN, "no link"},
    {MST_P19, link_to_t, OVER, KNOWN, "db2:27017 does not hear db3:27017"},
    {MST_P19, link_p_o, WARN, KNOWN, "db1:27017 does not hear db3:27017"},
    {MST_P19, status_refused_there, WARN, UNKNOWN, "not known of db3:27017"},
    {MST_P19, target_status_refused, OVER, UNKNOWN, "not known of db2:27017"},
    {MST_P19, other_down, PASS, KNOWN, "no link"},
    {MST_P19, arbiter, PASS, KNOWN, "no link"},
    {MST_P20, nothing, PASS, KNOWN, "nothing of ours"},
    {MST_P20, busy_p, OVER, KNOWN, "from db1:27017"},
    {MST_P20, busy_t, OVER, KNOWN, "from db2:27017"},
    {MST_P20, busy_o, INFO, KNOWN, "from db3:27017"},
    {MST_P20, busy_none, INFO, KNOWN, "verify 13"},
    {MST_P22, nothing, PASS, KNOWN, "db2:27017 7.0.14, primary 7.0.14, both 7.0"},
    {MST_P22, t_older, OVER, KNOWN, "7.0.9 is older than the primary's 7.0.14"},
    {MST_P22, t_newer, PASS, KNOWN, "7.0.15"},
    {MST_P22, t_other_release, WARN, KNOWN, "another release"},
    {MST_P22, t_fcv, WARN, KNOWN, "compatibility version 6.0, the primary 7.0"},
    {MST_P22, t_no_fcv, WARN, UNKNOWN, "not known"},
    {MST_P22, t_no_stats, OVER, UNKNOWN, "not known"},
    {MST_P22, t_version_text, OVER, UNKNOWN, "not known"},
    {MST_P27, nothing, PASS, KNOWN, "61 h"},
    {MST_P27, window_24, PASS, KNOWN, "24 h"},
    {MST_P27, window_23, WARN, KNOWN, "24.0 h"},
    {MST_P27, window_2, WARN, KNOWN, "2.0 h"},
    {MST_P27, window_1, OVER, KNOWN, "2.0 h"},
    {MST_P27, window_blind, OVER, UNKNOWN, "not known"},
    {MST_P28, nothing, PASS, KNOWN, "up 24 h"},
    {MST_P28, up_299, OVER, KNOWN, "started 299 s ago"},
    {MST_P28, up_300, PASS, KNOWN, "no rollback"},
    {MST_P28, rolled_back, OVER, KNOWN, "rolled back 59 min ago"},
    {MST_P28, rolled_back_long_ago, PASS, KNOWN, "no rollback"},
    {MST_P28, t_no_stats, OVER, UNKNOWN, "not known"},
    {MST_P30, nothing, PASS, KNOWN, "no limit"},
    {MST_P30, catch_up_limit, PASS, KNOWN, "30000 ms"},
    {MST_P30, no_catch_up, WARN, KNOWN, "is 0"},
    {MST_P30, no_config, WARN, UNKNOWN, "not known"},
    {MST_P31, nothing, PASS, KNOWN, "none"},
    {MST_P31, arbiter, WARN, KNOWN, "1 arbiter of 3"},
    {MST_P31, two_arbiters, OVER, KNOWN, "2 arbiters of 5"},
    {MST_P31, no_config, OVER, UNKNOWN, "not known"},
    {MST_P33, nothing, PASS, KNOWN, "0.0 s off"},
    {MST_P33, clock_2, PASS, KNOWN, "2.0 s"},
    {MST_P33, clock_3, WARN, KNOWN, "db2:27017 -2.0 s"},
    {MST_P33, clock_10, OVER, KNOWN, "db3:27017 +10.0 s"},
    {MST_P33, clock_blind, OVER, UNKNOWN, "not known of db3:27017"},
    {MST_P33, arbiter, PASS, KNOWN, "off ours"},
    {MST_P33, other_down, PASS, KNOWN, "off ours"},
    {MST_P34, nothing, PASS, KNOWN, "on 3 members"},
    {MST_P34, no_access, PASS, KNOWN, "no access control"},
    {MST_P34, no_access_no_status, BLOCK, KNOWN, "nobody is logged in at db3:27017"},
    {MST_P34, no_state_change, BLOCK, KNOWN, "replSetStateChange on db3:27017"},
    {MST_P34, no_note, BLOCK, KNOWN, "appendOplogNote on db2:27017"},
    {MST_P34, no_note_o, PASS, KNOWN, "on 3 members"},
    {MST_P34, no_configure, PASS, KNOWN, "on 3 members"},
    {MST_P34, no_configure_stay, BLOCK, KNOWN, "replSetConfigure on db2:27017"},
    {MST_P34, rights_blind, BLOCK, UNKNOWN, "not known on db3:27017"},
    {MST_P34, login_blind, BLOCK, UNKNOWN, "not known on db3:27017"},
    {MST_P34, target_down, BLOCK, UNKNOWN, "not known on db2:27017"},
    {MST_P34, other_down, PASS, KNOWN, "on 2 members"},
    {MST_P34, arbiter, PASS, KNOWN, "on 2 members"},
    {MST_P35, nothing, PASS, KNOWN, "no sharded cluster"},
    {MST_P35, shard, WARN, KNOWN, "a shard"},
    {MST_P35, config_server, OVER, KNOWN, "config server"},
    {MST_P35, v_unknown, OVER, UNKNOWN, "not known"},
    {MST_P36, nothing, PASS, KNOWN, "no hours"},
    {MST_P36, hours_in, PASS, KNOWN, "02:00"},
    {MST_P36, hours_out, OVER, KNOWN, "outside of Mon"},
    {MST_P37, nothing, PASS, KNOWN, "no open note"},
    {MST_P37, other_act, BLOCK, KNOWN, "restore by alice"},
    {MST_P37, notes_blind, BLOCK, UNKNOWN, "could not be read"},
    {MST_P38, nothing, PASS, KNOWN, "hands the seat to db2:27017"},
    {MST_P38, o_is_heir, INFO, KNOWN, "tries db2:27017 first"},
    {MST_P38, nobody_close, INFO, KNOWN, "nobody"},
    {MST_P40, nothing, PASS, KNOWN, "answers us"},
    {MST_P40, other_unreached, OVER, KNOWN, "up for the primary, not for us: db3:27017"},
    {MST_P40, o_unreached_down, PASS, KNOWN, "answers us"},
    {MST_P40, o_unreached_blind, OVER, UNKNOWN, "not known whether it is up: db3:27017"},
    {MST_P40, o_unreached_no_rival, PASS, KNOWN, "answers us"},
    {MST_P41, nothing, PASS, KNOWN, "run on 7.0.14 for real"},
    {MST_P41, unproven, OVER, KNOWN, "not run on 7.0.14"},
    {MST_P41, unproven_sandbox, PASS, KNOWN, "class SANDBOX may"},
};

static int broken; /* rows that do not hold: all are shown before the test fails */

static void hold(const struct mst_guard_check *c, size_t row, enum mst_guard_result want,
                 bool unknown, const char *text)
{
    if (c->result != want || c->unknown != unknown || !strstr(c->measured, text)) {
        print_error("row %zu, P%02d: %s%s \"%s\", wanted %s%s with \"%s\"\n", row, (int)c->id,
                    mst_guard_result_word(c->result), c->unknown ? " (unknown)" : "", c->measured,
                    mst_guard_result_word(want), unknown ? " (unknown)" : "", text);
        broken++;
    }
    if (!c->name[0] || !c->threshold[0] || !c->measured[0]) {
        print_error("row %zu, P%02d says nothing\n", row, (int)c->id);
        broken++;
    }
    if ((c->result == PASS) != !c->todo[0]) {
        print_error("row %zu, P%02d: a pass needs no advice, all else does: \"%s\"\n", row,
                    (int)c->id, c->todo);
        broken++;
    }
}

static void every_check_of_a_switchover_measures_and_says_what_it_should(void **state)
{
    static struct switchset s;

    (void)state;
    broken = 0;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        sw_init(&s, MST_GUARD_SWITCHOVER);
        rows[i].change(&s);
        hold(run(&s, rows[i].id), i, rows[i].want, rows[i].unknown, rows[i].text);
    }
    assert_int_equal(broken, 0);
}

static void every_check_has_a_row_that_passes_and_one_that_does_not(void **state)
{
    static struct switchset s;

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    n_checks = mst_guard_run(&s.f, checks);
    assert_int_equal(n_checks, 33);
    for (size_t i = 0; i < n_checks; i++) {
        bool passes = false, fails = false;

        for (size_t r = 0; r < MST_COUNT(rows); r++) {
            passes = passes || (rows[r].id == checks[i].id && rows[r].want == PASS);
            fails = fails || (rows[r].id == checks[i].id && rows[r].want != PASS);
        }
        if (!passes || !fails) {
            fail_msg("P%02d lacks a row", (int)checks[i].id);
        }
        assert_true(i == 0 || checks[i].id > checks[i - 1].id);
    }
}

static void a_set_of_which_nothing_is_known_passes_nothing_that_matters(void **state)
{
    struct mst_guard_facts f = {.primary = -1,
                                .target = -1,
                                .probe_ms = -1,
                                .config_committed = -1,
                                .has_commitment = true,
                                .busy_member = -1};
    char why[240];

    (void)state;
    for (int act = MST_GUARD_SWITCHOVER; act <= MST_GUARD_STEPDOWN; act++) {
        f.act = (enum mst_guard_act)act;
        n_checks = mst_guard_run(&f, checks);
        for (size_t i = 0; i < n_checks; i++) {
            switch ((int)checks[i].id) {
            case MST_P02:
            case MST_P04:
            case MST_P09:
            case MST_P11:
            case MST_P12:
            case MST_P13:
            case MST_P15:
            case MST_P16:
            case MST_P34:
            case MST_P37:
            case MST_P01:
            case MST_P03:
            case MST_P07:
            case MST_P08:
            case MST_P18:
                assert_int_equal(checks[i].result, BLOCK);
                break;
            case MST_P06:
            case MST_P14:
            case MST_P17:
            case MST_P35:
            case MST_P41:
            case MST_P31:
                assert_int_equal(checks[i].result, OVER);
                break;
            default:
                break;
            }
        }
        assert_false(mst_guard_may(&f, checks, n_checks, why));
    }
}

/* --- a step down --- */

CHANGE(lag_of_one, lags(t, 30000, 30000, 30000);)
CHANGE(lag_of_both, lags(t, 30000, 30000, 30000); lags(o, 30000, 30000, 30000);)
CHANGE(each_its_own, lags(t, 30000, 30000, 30000); o->uptime_s = 10;)
CHANGE(one_restarted, t->uptime_s = 10;)
CHANGE(nobody_else, t->priority = 0; o->priority = 0;)
CHANGE(heir_note, o->may_note = 0;)

static const struct {
    enum mst_guard_id id;
    void (*change)(struct switchset *);
    enum mst_guard_result want;
    bool unknown;
    const char *text;
} down_rows[] = {
    {MST_P07, nothing, PASS, KNOWN, "db2:27017: priority 1"},
    {MST_P07, t_recovering, WARN, KNOWN,
     "db3:27017: priority 1, SECONDARY, but db2:27017: is RECOVERING"},
    {MST_P07, t_hidden, PASS, KNOWN, "db3:27017"}, /* no candidate, so nothing to list */
    {MST_P07, nobody_else, BLOCK, KNOWN, "no member but the primary may be elected"},
    {MST_P11, nobody_else, BLOCK, KNOWN, "no member but the primary may be elected"},
    {MST_P11, lag_of_one, WARN, KNOWN, "db3:27017 lag 0.3 s, 0.3 s, 0.3 s, but db2:27017 lag 30 s"},
    {MST_P11, lag_of_both, BLOCK, KNOWN, "lag 30 s"},
    {MST_P11, each_its_own, WARN, KNOWN, "db3:27017 lag 0.3 s, 0.3 s, 0.3 s, but db2:27017"},
    {MST_P28, each_its_own, OVER, KNOWN, "db3:27017 started 10 s ago"}, /* the least bad of two */
    {MST_P28, one_restarted, WARN, KNOWN,
     "db3:27017 up 24 h, no rollback seen, but db2:27017 started 10 s ago"},
    {MST_P08, t_maintenance, WARN, KNOWN, "but db2:27017 is in maintenance mode"},
    {MST_P18, t_sees_none, WARN, KNOWN, "db3:27017: 2 votes"},
    {MST_P22, t_older, WARN, KNOWN, "is older"},
    {MST_P27, window_1, WARN, KNOWN,
     "db3:27017 reaches back 61 h, but db2:27017 reaches back 2.0 h"},
    {MST_P01, nothing, PASS, KNOWN, "3 of 3"},
    {MST_P01, target_down, WARN, KNOWN, "db2:27017"},
    {MST_P17, p_higher, OVER, KNOWN, "above 1"},
    {MST_P17, p_higher_stay, BLOCK, KNOWN, "not chosen"},
    {MST_P17, p_higher_visit, WARN, KNOWN, "about 71 s"},
    {MST_P20, busy_o, OVER, KNOWN, "db3:27017"}, /* it may get the seat */
    {MST_P34, heir_note, BLOCK, KNOWN, "appendOplogNote on db3:27017"},
    {MST_P38, nothing, PASS, KNOWN, "db2:27017"},
    {MST_P40, other_unreached, PASS, KNOWN, "freezes nobody"},
};

static void a_step_down_needs_one_member_that_passes_all_and_lists_the_others(void **state)
{
    static struct switchset s;

    (void)state;
    broken = 0;
    for (size_t i = 0; i < MST_COUNT(down_rows); i++) {
        sw_init(&s, MST_GUARD_STEPDOWN);
        down_rows[i].change(&s);
        hold(run(&s, down_rows[i].id), 1000 + i, down_rows[i].want, down_rows[i].unknown,
             down_rows[i].text);
    }
    assert_int_equal(broken, 0);
}

/* --- overrides --- */

static void override(struct switchset *s, enum mst_guard_id id, const char *reason)
{
    struct mst_guard_override *o = &s->f.overrides[s->f.n_overrides++];

    o->id = id;
    (void)mst_copy(o->reason, sizeof(o->reason), reason);
}

static bool may(struct switchset *s, char why[240])
{
    n_checks = mst_guard_run(&s->f, checks);
    return mst_guard_may(&s->f, checks, n_checks, why);
}

static void a_calm_set_may_be_switched(void **state)
{
    static struct switchset s;
    char why[240] = "old";

    (void)state;
    for (int act = MST_GUARD_SWITCHOVER; act <= MST_GUARD_STEPDOWN; act++) {
        sw_init(&s, (enum mst_guard_act)act);
        if (!may(&s, why)) {
            fail_msg("%s", why);
        }
        assert_string_equal(why, "");
    }
    assert_false(mst_guard_may(&s.f, checks, 0, why));
}

static void a_refusal_names_the_checks_that_say_no(void **state)
{
    static struct switchset s;
    char why[240];

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    t_recovering(&s);
    up_299(&s);
    assert_false(may(&s, why));
    assert_string_equal(why, "refused by P07 (target may be elected): nothing overrides it");
    sw_init(&s, MST_GUARD_SWITCHOVER);
    up_299(&s);
    unproven(&s);
    assert_false(may(&s, why));
    assert_string_equal(why, "refused by P28 (target had no trouble), P41 (proven on this version) "
                             "unless overridden by id with a reason");
}

static void an_override_takes_an_id_and_a_reason_of_ten_characters(void **state)
{
    static struct switchset s;
    char why[240];

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    up_299(&s);
    override(&s, MST_P28, "planned it"); /* nine without the blank */
    assert_false(may(&s, why));
    assert_string_equal(why, "the reason to override P28 needs 10 characters or more");
    assert_false(run(&s, MST_P28)->overridden);
    s.f.n_overrides = 0;
    override(&s, MST_P28, "planned it, CHG-4411");
    assert_true(may(&s, why));
    assert_true(run(&s, MST_P28)->overridden);
    assert_int_equal(run(&s, MST_P28)->result, OVER); /* what was measured stays */
    override(&s, MST_P28, "planned it, CHG-4412");
    assert_false(may(&s, why));
    assert_string_equal(why, "P28 is overridden twice, give one reason");
}

static void what_blocks_passed_or_does_not_exist_is_never_overridden(void **state)
{
    static struct switchset s;
    char why[240];

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    t_recovering(&s);
    override(&s, MST_P07, "it will be fine, trust me");
    assert_false(may(&s, why));
    assert_non_null(strstr(why, "refused by P07"));
    assert_false(run(&s, MST_P07)->overridden);
    sw_init(&s, MST_GUARD_SWITCHOVER);
    override(&s, MST_P28, "planned it, CHG-4411");
    assert_true(may(&s, why)); /* it may have been needed a moment ago */
    assert_false(run(&s, MST_P28)->overridden);
    sw_init(&s, MST_GUARD_SWITCHOVER);
    override(&s, (enum mst_guard_id)21, "planned it, CHG-4411");
    assert_false(may(&s, why));
    assert_string_equal(why, "there is no check P21, nothing to override");
}

static void three_overrides_are_the_most(void **state)
{
    static struct switchset s;
    char why[240];

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    up_299(&s);
    unproven(&s);
    hours_out(&s);
    override(&s, MST_P28, "planned it, CHG-4411");
    override(&s, MST_P41, "planned it, CHG-4411");
    override(&s, MST_P36, "planned it, CHG-4411");
    assert_true(may(&s, why));
    flow(&s);
    override(&s, MST_P14, "planned it, CHG-4411");
    assert_false(may(&s, why));
    assert_string_equal(why, "4 overrides are more than the 3 that may be given at once");
    assert_false(run(&s, MST_P28)->overridden);
}

static void ids_are_read_as_operators_type_them(void **state)
{
    static const struct {
        const char *text;
        int id;
    } ids[] = {{"P17", 17}, {"p17", 17}, {"17", 17}, {"P07", 7},  {"7", 7},    {"P7", 7},
               {"P21", 0},  {"P00", 0},  {"", 0},    {"P", 0},    {"P017", 0}, {"x17", 0},
               {"17x", 0},  {"-1", 0},   {"P 7", 0}, {"P41", 41}, {"P42", 0},  {"99", 0}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(ids); i++) {
        if (mst_guard_parse_id(ids[i].text) != ids[i].id) {
            fail_msg("'%s' was read as %d", ids[i].text, mst_guard_parse_id(ids[i].text));
        }
    }
    assert_string_equal(mst_guard_result_word(PASS), "pass");
    assert_string_equal(mst_guard_result_word(BLOCK), "blocks");
}

/* --- the server's rules --- */

static void the_heir_is_the_highest_priority_then_the_first(void **state)
{
    static struct switchset s;

    (void)state;
    sw_init(&s, MST_GUARD_STEPDOWN);
    assert_int_equal(mst_guard_heir(&s.f), 1);
    s.m[2].priority = 2;
    assert_int_equal(mst_guard_heir(&s.f), 2);
    lags(&s.m[2], 100, 100, 2001); /* not caught up */
    assert_int_equal(mst_guard_heir(&s.f), 1);
    s.m[1].maintenance = true;
    assert_int_equal(mst_guard_heir(&s.f), -1);
    sw_init(&s, MST_GUARD_STEPDOWN);
    s.m[1].answered = false; /* the primary's heartbeats are enough: it does not know of us */
    assert_int_equal(mst_guard_heir(&s.f), 1);
    s.m[0].sees[1].applied_wall_ms = SW_NOW - 60000;
    assert_int_equal(mst_guard_heir(&s.f), 2);
    s.m[0].sees[2].health = 0;
    assert_int_equal(mst_guard_heir(&s.f), -1);
    s.f.primary = -1;
    assert_int_equal(mst_guard_heir(&s.f), -1);
}

static void a_takeover_waits_by_rank_and_election_timeout(void **state)
{
    static struct switchset s;
    int64_t delay;

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    assert_int_equal(mst_guard_takeover(&s.f, 1, &delay), -1);
    assert_int_equal(delay, -1);
    s.m[0].priority = 2;
    assert_int_equal(mst_guard_takeover(&s.f, 1, &delay), 0);
    assert_int_equal(delay, 11500);
    s.m[2].priority = 3;
    s.m[2].hidden = true; /* counts for the rank, takes no seat */
    assert_int_equal(mst_guard_takeover(&s.f, 1, &delay), 0);
    assert_int_equal(delay, 23000);
    s.m[2].hidden = false;
    assert_int_equal(mst_guard_takeover(&s.f, 1, &delay), 2);
    assert_int_equal(delay, 11500);
    s.f.election_timeout_ms = 1000; /* a set with short intervals is quick */
    assert_int_equal(mst_guard_takeover(&s.f, 1, &delay), 2);
    assert_int_equal(delay, 1150);
    assert_int_equal(mst_guard_takeover(&s.f, -1, &delay), -1);
    assert_int_equal(mst_guard_takeover(&s.f, 9, &delay), -1);
}

static void long_names_and_many_members_stay_inside_a_line(void **state)
{
    static struct switchset s;
    static const char host[] = "a-very-long-name-of-a-member.in-a-deep.domain.example.com:27017";

    (void)state;
    sw_init(&s, MST_GUARD_SWITCHOVER);
    s.f.n = SW_MAX;
    sw_link(&s);
    for (size_t i = 2; i < SW_MAX; i++) {
        (void)mst_copy(s.m[i].name, sizeof(s.m[i].name), host);
        s.m[i].term = 40;
    }
    assert_int_equal(run(&s, MST_P03)->result, BLOCK);
    assert_string_equal(run(&s, MST_P03)->measured + strlen(run(&s, MST_P03)->measured) - 3, "...");
}

static void the_page_of_checks_has_a_row_of_each(void **state)
{
    static struct switchset s;
    static const char *const words[] = {"", "informs", "warns", "needs override", "blocks"};
    struct mst_buf file = {0};
    struct mst_err err = {0};
    char row[240];

    (void)state;
    assert_ok(mst_file_read(TEST_SOURCE "/docs/checks.md", 1 << 20, &file, &err), &err);
    mst_buf_add(&file, "", 1);
    sw_init(&s, MST_GUARD_SWITCHOVER);
    n_checks = mst_guard_run(&s.f, checks);
    for (size_t i = 0; i < n_checks; i++) {
        const char *at;

        (void)snprintf(row, sizeof(row), "\n| P%02d | %s | %s | ", (int)checks[i].id,
                       checks[i].name, checks[i].threshold);
        at = strstr((const char *)file.p, row);
        if (!at) {
            fail_msg("docs/checks.md lacks: %s", row + 1);
            return;
        }
        (void)mst_copy(row, sizeof(row), at + strlen(row));
        row[strcspn(row, "\n")] = '\0';
        for (size_t r = 0; r < MST_COUNT(rows); r++) { /* every result that it can have is said */
            if (rows[r].id == checks[i].id && rows[r].want > INFO &&
                !strstr(row, words[rows[r].want])) {
                fail_msg("docs/checks.md: P%02d %s", (int)checks[i].id, words[rows[r].want]);
            }
        }
    }
    mst_buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_check_of_a_switchover_measures_and_says_what_it_should),
        cmocka_unit_test(every_check_has_a_row_that_passes_and_one_that_does_not),
        cmocka_unit_test(a_set_of_which_nothing_is_known_passes_nothing_that_matters),
        cmocka_unit_test(a_step_down_needs_one_member_that_passes_all_and_lists_the_others),
        cmocka_unit_test(a_calm_set_may_be_switched),
        cmocka_unit_test(a_refusal_names_the_checks_that_say_no),
        cmocka_unit_test(an_override_takes_an_id_and_a_reason_of_ten_characters),
        cmocka_unit_test(what_blocks_passed_or_does_not_exist_is_never_overridden),
        cmocka_unit_test(three_overrides_are_the_most),
        cmocka_unit_test(ids_are_read_as_operators_type_them),
        cmocka_unit_test(the_heir_is_the_highest_priority_then_the_first),
        cmocka_unit_test(a_takeover_waits_by_rank_and_election_timeout),
        cmocka_unit_test(the_page_of_checks_has_a_row_of_each),
        cmocka_unit_test(long_names_and_many_members_stay_inside_a_line),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
