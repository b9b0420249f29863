/* wake.h: an eventfd: many signals, one wake-up. Signal from any thread, poll and drain on one. */
#ifndef MST_CONC_WAKE_H
#define MST_CONC_WAKE_H

#include "base/err.h"

struct mst_wake {
    int fd; /* poll it for reading; -1 when not open */
};

enum mst_rc mst_wake_init(struct mst_wake *w, struct mst_err *err) MST_MUST_CHECK;
void mst_wake_release(struct mst_wake *w);
void mst_wake_signal(struct mst_wake *w); /* async-signal-safe */
void mst_wake_drain(struct mst_wake *w);

#endif
