/* when.h: times as people type them. Pure. */
#ifndef MST_BASE_WHEN_H
#define MST_BASE_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* "0s", "90s", "30m", "12h", "2d": so long. */
bool mst_when_span(const char *v, int64_t *ms);
/* 2026-11-27, 2026-11-27T03:00Z, 2026-11-27T03:00:00Z; -1: none of these. */
int64_t mst_when_moment(const char *v);

#endif
