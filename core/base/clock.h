/* clock.h: time, injected. A NULL clock is the real one; tests own theirs.
 *
 * Monotonic milliseconds count from an unknown point and never jump, also while the host sleeps;
 * UTC milliseconds count from 1970 and may jump. Durations come from the first, labels from the
 * second. MUSTER_FAULT="clock=SECONDS" makes the real UTC wrong by so much.
 */
#ifndef MST_BASE_CLOCK_H
#define MST_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct mst_clock {
    int64_t (*mono_ms)(void *arg);
    int64_t (*utc_ms)(void *arg);
    void *arg;
};

int64_t mst_clock_mono_ms(const struct mst_clock *clock);
int64_t mst_clock_utc_ms(const struct mst_clock *clock);
int64_t mst_clock_mono_us(void);
void mst_clock_sleep_ms(int64_t ms);

#define MST_TIME_MAX 32
/* "2026-11-22T22:30:00Z" and "2026-11-22T22:30:00.123Z"; buf has MST_TIME_MAX bytes. Returns buf.
 */
char *mst_time_iso(int64_t utc_ms, char *buf);
char *mst_time_iso_ms(int64_t utc_ms, char *buf);
char *mst_time_clock(int64_t utc_ms, char *buf); /* "22:30:00" */
/* Parse either ISO form; -1 when it is not one. */
int64_t mst_time_parse(const char *iso);

#endif
