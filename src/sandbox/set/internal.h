/* internal.h: between the files of the set. */
#ifndef SBX_SET_INTERNAL_H
#define SBX_SET_INTERNAL_H

#include "set/set.h"

#define SBX_NO_OPTIME ((struct mst_optime){{0, 0}, -1})

/* beat.c */
void sbx_beat_tick(struct sbx_member *m, int64_t now);
void sbx_beat_soon(struct sbx_member *m); /* ask everybody now */
void sbx_opinion_reset(struct sbx_opinion *o);
/* election.c */
void sbx_election_tick(struct sbx_member *m, int64_t now);
void sbx_election_restart_timer(struct sbx_member *m);
/* From a heartbeat: a primary stops writing at once, and steps down when its operations ended. */
void sbx_hear_term(struct sbx_member *m, int64_t term);
void sbx_see_term(struct sbx_member *m, int64_t term);
int sbx_voters_up(const struct sbx_member *m);
void sbx_set_state(struct sbx_member *m, enum sbx_state state);
/* takeover.c: a better member than the primary plans to stand */
void sbx_takeover_plan(struct sbx_member *m, const struct sbx_member *primary, int64_t now);
void sbx_takeover_tick(struct sbx_member *m, int64_t now);
struct mst_optime sbx_newest_known(const struct sbx_member *m);
bool sbx_electable(const struct sbx_member *m);
/* reconfig.c: which of two is the newer: > 0 the first */
int sbx_config_cmp(const struct sbx_world *w, const struct sbx_config *a,
                   const struct sbx_config *b);
/* drain.c: a new primary before it is writable */
void sbx_win(struct sbx_member *m);
void sbx_drain_tick(struct sbx_member *m, int64_t now);
/* pull.c */
void sbx_pull_tick(struct sbx_member *m, int64_t now);
void sbx_report(struct sbx_member *m);
/* commit.c */
void sbx_commit_tick(struct sbx_member *m);
void sbx_learn_commit(struct sbx_member *m, struct sbx_pos pos);

void sbx_first_version(struct sbx_member *m); /* featureCompatibilityVersion */
void sbx_newborn(struct sbx_member *m);       /* the very first primary's first entries */

#endif
