/* checks.h: the table of checks and what they share; private to guard. */
#ifndef MST_GUARD_CHECKS_H
#define MST_GUARD_CHECKS_H

#include "guard/guard.h"

#define MST_GUARD_HOST "%.48s" /* a member's name in a line of 160 bytes */
#define MST_GUARD_FRESH_MS 5000
#define MST_GUARD_CLOSE_MS 2000
#define MST_GUARD_FAR_MS 10000

/* Of the set as a whole, or of one member that may get the seat. */
typedef void mst_guard_set_fn(const struct mst_guard_facts *f, struct mst_guard_check *c);
typedef void mst_guard_member_fn(const struct mst_guard_facts *f, size_t i,
                                 struct mst_guard_check *c);

/* What was measured, with its result; todo is one sentence what helps, not used on a pass. */
void mst_guard_ok(struct mst_guard_check *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void mst_guard_bad(struct mst_guard_check *c, enum mst_guard_result r, const char *todo,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* It could not be measured: a failure with the check's own verdict. */
void mst_guard_unknown(struct mst_guard_check *c, enum mst_guard_result r, const char *todo,
                       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Append to a list in a fixed buffer; what does not fit ends in "...". */
void mst_guard_list(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const char *mst_guard_s(int64_t ms, char buf[16]); /* duration; "?" when negative */

/* The chosen target, else NULL. The primary, else NULL. */
const struct mst_guard_member *mst_guard_target_of(const struct mst_guard_facts *f);
const struct mst_guard_member *mst_guard_primary_of(const struct mst_guard_facts *f);
/* May it be elected, by the configuration alone? why may be NULL. */
bool mst_guard_eligible(const struct mst_guard_member *m, char why[96]);
/* Nobody can ask it: an arbiter that gives no replSetGetStatus. */
bool mst_guard_exempt(const struct mst_guard_member *m);
/* Whoever may hold the seat after the act: the target, or without one every eligible other. */
bool mst_guard_candidate(const struct mst_guard_facts *f, size_t i);
int mst_guard_majority(const struct mst_guard_facts *f);
/* The primary hears it, and it answers us (an arbiter need not). */
bool mst_guard_up(const struct mst_guard_facts *f, size_t i);
/* Lag behind the primary at the same moment, by its newest sample; -1 unknown. */
int64_t mst_guard_lag(const struct mst_guard_member *m);
/* Major, minor and patch of "4.4.29-rc0"; false when it is none. */
bool mst_guard_version(const char *text, int out[3]);

mst_guard_set_fn mst_guard_p01, mst_guard_p02, mst_guard_p03, mst_guard_p04, mst_guard_p05,
    mst_guard_p06, mst_guard_p09, mst_guard_p10, mst_guard_p12, mst_guard_p13, mst_guard_p14,
    mst_guard_p15, mst_guard_p16, mst_guard_p17, mst_guard_p19, mst_guard_p20, mst_guard_p30,
    mst_guard_p31, mst_guard_p33, mst_guard_p34, mst_guard_p35, mst_guard_p36, mst_guard_p37,
    mst_guard_p38, mst_guard_p40, mst_guard_p41;
mst_guard_member_fn mst_guard_p07, mst_guard_p08, mst_guard_p11, mst_guard_p18, mst_guard_p22,
    mst_guard_p27, mst_guard_p28;

#endif
