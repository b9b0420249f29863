/* switch.h: the log of switches of the primary, and the way from a plan to a part of the view.
 * Private to engine.
 */
#ifndef MST_ENGINE_SWITCH_H
#define MST_ENGINE_SWITCH_H

#include "engine/acts.h"
#include "failover/run.h"

/* --- switchlog.c: rows before effects --- */

enum mst_rc mst_switchlog_begin(struct local *l, const char *run, uint64_t job,
                                const struct mst_fo_plan *plan, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_switchlog_step(struct local *l, const char *run, const struct mst_fo_step_row *row,
                               struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_switchlog_end(struct local *l, const char *run, int exit, const char *result,
                              const char *detail, struct mst_err *err) MST_MUST_CHECK;
/* What became of it, as the result of its interrupted job. */
void mst_switchlog_tell(struct local *l, const char *run, const char *text);
/* The plan of a run; "latest" is the newest one that ended with the primary moved. MST_E_NOTFOUND.
 */
enum mst_rc mst_switchlog_plan(struct local *l, const char *run, struct mst_fo_plan *out,
                               char id[17], struct mst_err *err) MST_MUST_CHECK;

struct mst_switch_open { /* a run that a dead process left */
    char run[17];
    char state[24]; /* the last state it entered */
    size_t n;       /* freezes whose time is not over */
    struct {
        char member[MST_HOST_MAX];
        int64_t until_wall_ms;
    } frozen[MST_TOPO_MAX];
};
/* The oldest of them; false when there is none. */
bool mst_switchlog_open(struct local *l, int64_t now_wall_ms, struct mst_switch_open *out);

/* --- switch.c --- */

/* The plan that a ticket of this hash was made of; false when this process does not know it. */
bool mst_switch_known(struct local *l, const char *hash, struct mst_fo_plan *out);
/* Everything the checks need: what the members say, sampled gap_ms apart (0: a heartbeat and a
 * half), and what is ours. */
enum mst_rc mst_switch_facts(struct local *l, const struct mst_cmd *cmd, struct reach *reach,
                             int64_t gap_ms, bool probe, struct mst_task *task,
                             struct mst_guard_facts *out, struct mst_err *err) MST_MUST_CHECK;
/* The part of a view that shows a run. */
struct mst_switch_part *mst_switch_part_of(const struct mst_fo *f, const struct mst_fo_picture *p,
                                           const char *run, uint64_t job);

#endif
