#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id, int64_t per_s)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * per_s + (int64_t)ts.tv_nsec / (1000000000 / per_s);
}

/* MUSTER_FAULT="clock=SECONDS", or the path of a file that holds them, read anew each time. */
static int64_t wrong_by_ms(void)
{
    const char *fault = getenv("MUSTER_FAULT");
    const char *at = fault ? strstr(fault, "clock=") : NULL;
    char path[256], text[24] = "";
    size_t n;
    int fd;

    if (!at) {
        return 0;
    }
    at += strlen("clock=");
    n = strcspn(at, ",");
    if (*at != '/' || n >= sizeof(path)) {
        return strtoll(at, NULL, 10) * 1000;
    }
    memcpy(path, at, n);
    path[n] = '\0';
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        (void)close(fd);
    }
    return strtoll(text, NULL, 10) * 1000;
}

/* Not CLOCK_MONOTONIC: that one stands still while the host sleeps, and others do not wait. */
int64_t mst_clock_mono_ms(const struct mst_clock *clock)
{
    return clock && clock->mono_ms ? clock->mono_ms(clock->arg) : read_clock(CLOCK_BOOTTIME, 1000);
}

int64_t mst_clock_utc_ms(const struct mst_clock *clock)
{
    return clock && clock->utc_ms ? clock->utc_ms(clock->arg)
                                  : read_clock(CLOCK_REALTIME, 1000) + wrong_by_ms();
}

int64_t mst_clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

void mst_clock_sleep_ms(int64_t ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (ms > 0 && nanosleep(&ts, &ts) != 0 && errno == EINTR) {
    }
}

static struct tm split(int64_t utc_ms, int *ms)
{
    time_t s = (time_t)(utc_ms / 1000);
    struct tm tm;

    *ms = (int)(utc_ms % 1000);
    if (*ms < 0) {
        *ms += 1000;
        s--;
    }
    (void)gmtime_r(&s, &tm);
    return tm;
}

char *mst_time_iso(int64_t utc_ms, char *buf)
{
    int ms;
    const struct tm tm = split(utc_ms, &ms);

    (void)strftime(buf, MST_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return buf;
}

char *mst_time_iso_ms(int64_t utc_ms, char *buf)
{
    int ms;
    const struct tm tm = split(utc_ms, &ms);
    const size_t n = strftime(buf, MST_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);

    (void)snprintf(buf + n, MST_TIME_MAX - n, ".%03dZ", ms);
    return buf;
}

char *mst_time_clock(int64_t utc_ms, char *buf)
{
    int ms;
    const struct tm tm = split(utc_ms, &ms);

    (void)strftime(buf, MST_TIME_MAX, "%H:%M:%S", &tm);
    return buf;
}

int64_t mst_time_parse(const char *iso)
{
    struct tm tm = {0};
    int ms = 0;
    const char *end = strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!end) {
        return -1;
    }
    if (*end == '.') {
        int unit = 100;

        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10) {
            ms += (*end - '0') * unit;
        }
    }
    if (strcmp(end, "Z") != 0) {
        return -1;
    }
    return (int64_t)timegm(&tm) * 1000 + ms;
}
