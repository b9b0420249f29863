#include "ui/fmt.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

char *ui_fmt_age(int64_t ms, char *buf)
{
    const long long s = (long long)(ms / 1000);

    if (ms < 0) {
        (void)snprintf(buf, UI_NUM_MAX, "-");
    } else if (s < 120) {
        (void)snprintf(buf, UI_NUM_MAX, "%llds", s);
    } else if (s < 2 * 3600) {
        (void)snprintf(buf, UI_NUM_MAX, "%lldm", s / 60);
    } else if (s < 2 * 86400) {
        (void)snprintf(buf, UI_NUM_MAX, "%lldh", s / 3600);
    } else {
        (void)snprintf(buf, UI_NUM_MAX, "%lldd", s / 86400);
    }
    return buf;
}

char *ui_fmt_lag(int64_t ms, char *buf)
{
    const long long s = (long long)(ms / 1000);

    if (ms < 0) {
        (void)snprintf(buf, UI_NUM_MAX, "-");
    } else if (ms < 100000) {
        (void)snprintf(buf, UI_NUM_MAX, "%lld.%llds", s, (long long)(ms % 1000 / 100));
    } else if (s < 3600) {
        (void)snprintf(buf, UI_NUM_MAX, "%lldm%02llds", s / 60, s % 60);
    } else {
        (void)snprintf(buf, UI_NUM_MAX, "%lldh%02lldm", s / 3600, s / 60 % 60);
    }
    return buf;
}

char *ui_fmt_hours(int64_t s, char *buf)
{
    if (s < 0) {
        (void)snprintf(buf, UI_NUM_MAX, "-");
    } else if (s < 120) {
        (void)snprintf(buf, UI_NUM_MAX, "%llds", (long long)s);
    } else if (s < 7200) {
        (void)snprintf(buf, UI_NUM_MAX, "%lldm", (long long)(s / 60));
    } else if (s < 100 * 3600) {
        (void)snprintf(buf, UI_NUM_MAX, "%lld.%lldh", (long long)(s / 3600),
                       (long long)(s % 3600 / 360));
    } else {
        (void)snprintf(buf, UI_NUM_MAX, "%lldd", (long long)(s / 86400));
    }
    return buf;
}

char *ui_fmt_rtt(int64_t us, char *buf)
{
    if (us < 0) {
        (void)snprintf(buf, UI_NUM_MAX, "-");
    } else if (us < 1000) {
        (void)snprintf(buf, UI_NUM_MAX, "<1ms");
    } else {
        (void)snprintf(buf, UI_NUM_MAX, "%lldms", (long long)((us + 500) / 1000));
    }
    return buf;
}

char *ui_fmt_count(int64_t n, char *buf)
{
    char digits[24];
    size_t len, out = 0;

    if (n < 0) {
        (void)snprintf(buf, UI_NUM_MAX, "-");
        return buf;
    }
    (void)snprintf(digits, sizeof digits, "%lld", (long long)n);
    len = strlen(digits);
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            buf[out++] = ',';
        }
        buf[out++] = digits[i];
    }
    buf[out] = '\0';
    return buf;
}

char *ui_fmt_hms(int64_t ms, char *buf)
{
    const long long s = (long long)(ms / 1000);

    if (ms < 0) {
        (void)snprintf(buf, UI_NUM_MAX, "-");
    } else {
        (void)snprintf(buf, UI_NUM_MAX, "%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    }
    return buf;
}

char *ui_fmt_day(int64_t wall_ms, char *buf)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (wall_ms <= 0 || !gmtime_r(&t, &tm)) {
        (void)snprintf(buf, UI_NUM_MAX, "-");
    } else {
        (void)snprintf(buf, UI_NUM_MAX, "%s %02d %02d:%02d:%02d", months[tm.tm_mon], tm.tm_mday,
                       tm.tm_hour, tm.tm_min, tm.tm_sec);
    }
    return buf;
}

char *ui_fmt_clock_z(int64_t wall_ms, char *buf)
{
    char t[MST_TIME_MAX];

    (void)snprintf(buf, UI_NUM_MAX, "%.8sZ", mst_time_clock(wall_ms, t));
    return buf;
}

char *ui_fmt_optime(struct mst_optime t, char *buf)
{
    if (mst_ts_zero(t.ts)) {
        (void)snprintf(buf, UI_NUM_MAX, "-");
    } else if (t.term >= 0) {
        (void)snprintf(buf, UI_NUM_MAX, "%u:%u t%lld", t.ts.t, t.ts.i, (long long)t.term);
    } else {
        (void)snprintf(buf, UI_NUM_MAX, "%u:%u", t.ts.t, t.ts.i);
    }
    return buf;
}

bool ui_fmt_has(const char *text, const char *needle)
{
    const size_t n = strlen(needle);

    for (; n > 0 && *text; text++) {
        if (strncasecmp(text, needle, n) == 0) {
            return true;
        }
    }
    return n == 0;
}

size_t ui_fmt_wrap(const char *text, int w, size_t *skip)
{
    const size_t fit = mst_text_fit(text, w > 0 ? (size_t)w : 1);
    size_t cut = fit;

    if (text[fit] == '\0') {
        *skip = fit;
        return fit;
    }
    while (cut > 0 && text[cut] != ' ') {
        cut--;
    }
    if (cut == 0) {
        cut = fit > 0 ? fit : 1;
        *skip = cut;
        return cut;
    }
    *skip = cut + 1;
    return cut;
}
