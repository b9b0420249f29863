/* inner.h: what plan.c and plan_json.c share; private to failover. */
#ifndef MST_FAILOVER_INNER_H
#define MST_FAILOVER_INNER_H

#include "failover/plan.h"

/* The canonical text that is hashed: one JSON object, fixed order, no spaces. */
void mst_fo_plan_canonical(const struct mst_fo_plan *p, struct mst_str *out);

#endif
