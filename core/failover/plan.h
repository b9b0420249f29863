/* plan.h: the plan of a switch: what will be sent to whom, what undoes it, what it costs. Pure.
 *
 * Its hash is the SHA-256 of a canonical text of everything that must not move between looking and
 * doing: set, term, primary, configuration, members, thresholds, overrides and steps. Its code is
 * four letters of that hash; typing it says "this plan".
 */
#ifndef MST_FAILOVER_PLAN_H
#define MST_FAILOVER_PLAN_H

#include "base/str.h"
#include "guard/guard.h"

#define MST_FO_CODE 5 /* four characters of A-Z 2-7, and a NUL */
#define MST_FO_VALID_MS 120000
#define MST_FO_STEPS 16

struct mst_fo_plan {
    enum mst_guard_act act;
    enum mst_guard_after after;
    char set_name[128], set_id[40];
    size_t n;
    struct {
        char name[MST_HOST_MAX];
        int id;
        double priority;
        int votes;
        bool arbiter, data; /* data: bears data, also without a vote */
        bool electable;     /* may win: frozen when it is a rival */
        bool reachable;     /* we talk to it directly */
        int64_t rbid;       /* before; -1 unknown */
    } members[MST_TOPO_MAX];
    int primary, target; /* target -1: any heir */
    int heir;            /* whom the server will hand the seat to, -1 nobody */
    int64_t term, config_version, config_term;
    int64_t election_timeout_ms, heartbeat_ms;
    int64_t step_down_s, catch_up_s, freeze_s;
    int64_t lag_ok_ms;            /* S7: target and majority within this, 4 samples */
    int64_t hard_stop_ms;         /* from the step down to a writable target: 30 s; less with
                                     short freezes, which must outlast it */
    int64_t takeover_ms;          /* DONE waits so long with the same primary */
    int64_t return_ms;            /* visit: the old primary is back about so long after; -1 never */
    double swap_target, swap_old; /* stay: priorities after; NAN: no reconfig */
    bool step_up; /* send replSetStepUp ourselves when the hand-off goes elsewhere */
    char reason[160], who[64], host[64];
    bool failback; /* of an earlier run, in the opposite direction */
    char of_run[17];
    size_t n_overrides;
    struct mst_guard_override overrides[MST_GUARD_OVERRIDES];

    char hash[65];
    char code[MST_FO_CODE];
    char phrase[MST_HOST_MAX + 160]; /* "rs0 to db2:27017 7F3K" */
    size_t n_steps;
    char steps[MST_FO_STEPS][160];
    int stop_step; /* index of the step in which writes stop */
    char undo[280];
    /* measured, so it moves and is not in the hash: "writes stop for 0.4 to 2.0 s, at most 30 s
     * before the undo; tail at risk: none, ..." */
    char expect[160];
};

/* The longest that a freeze and a penalty may stand, and writes may wait for the catch-up. */
#define MST_FO_HOLD_MAX_S 60
#define MST_FO_CATCH_UP_MAX_S 10

/* Fails with MST_E_PRECOND when there is no primary or target to plan for, MST_E_USAGE when one of
 * its numbers is out of bounds. Facts that refuse are planned all the same: the checks say no, not
 * the plan; but a catch-up time at which the server aborts is shortened to below that. */
enum mst_rc mst_fo_plan_make(const struct mst_guard_facts *f, const char *set_name,
                             const char *reason, const char *who, const char *host,
                             struct mst_fo_plan *out, struct mst_err *err) MST_MUST_CHECK;
/* Hash, code and phrase anew, after failback and of_run were set by the caller. */
void mst_fo_plan_seal(struct mst_fo_plan *p);
/* So long the set must be calm after the switch before it is called settled. */
int64_t mst_fo_plan_calm_ms(const struct mst_fo_plan *p);
/* Must this rival stay frozen until the reconfig of a `stay`? It is above the target, but not above
 * the priority that the target gets: thawed before that, it would take the seat. */
bool mst_fo_plan_thaws_late(const struct mst_fo_plan *p, size_t i);
/* Canonical JSON with the hash as its last field, for --plan-out; and back: MST_E_INTEGRITY when it
 * was edited or cut, MST_E_CONFIG when it is no plan. What does not come back byte for byte from
 * what was read is refused: white space counts as an edit. */
#define MST_FO_JSON_MAX ((size_t)128 * 1024)
void mst_fo_plan_json(const struct mst_fo_plan *p, int64_t made_wall_ms, struct mst_str *out);
enum mst_rc mst_fo_plan_parse(const char *json, size_t n, struct mst_fo_plan *out,
                              int64_t *made_wall_ms, struct mst_err *err) MST_MUST_CHECK;
/* Does what is true now still fit? MST_E_STALE names what moved. What only varies (lag, the
 * predicted heir) does not make a plan stale: the checks judge it. */
enum mst_rc mst_fo_plan_fits(const struct mst_fo_plan *p, const struct mst_guard_facts *now,
                             struct mst_err *err) MST_MUST_CHECK;

#endif
