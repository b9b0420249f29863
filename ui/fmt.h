/* fmt.h: numbers as the screens write them: short, right-aligned, with their unit. */
#ifndef UI_FMT_H
#define UI_FMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ts.h"

#define UI_NUM_MAX 40

char *ui_fmt_age(int64_t ms, char *buf);             /* "0s" "12s" "3m" "2h" "4d"; negative "-" */
char *ui_fmt_lag(int64_t ms, char *buf);             /* "0.3s" "42s" "3m10s"; negative "-" */
char *ui_fmt_hours(int64_t s, char *buf);            /* "31.2h" "45m" "9d"; negative "-" */
char *ui_fmt_rtt(int64_t us, char *buf);             /* "0.4ms" "38ms"; negative "-" */
char *ui_fmt_count(int64_t n, char *buf);            /* "4,120"; negative "-" */
char *ui_fmt_hms(int64_t ms, char *buf);             /* "00:05:50"; negative "-" */
char *ui_fmt_day(int64_t wall_ms, char *buf);        /* "Nov 22 01:00:09"; 0 "-" */
char *ui_fmt_clock_z(int64_t wall_ms, char *buf);    /* "14:03:22Z" */
char *ui_fmt_optime(struct mst_optime t, char *buf); /* "1732284192:17 t41"; zero "-" */
/* Case-insensitive for ASCII; an empty needle is in everything. */
bool ui_fmt_has(const char *text, const char *needle);
/* Break text into lines of at most w columns at blanks; returns the bytes of the first line and
 * in *skip the bytes to the next. */
size_t ui_fmt_wrap(const char *text, int w, size_t *skip);

#endif
