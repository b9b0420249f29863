#include "base/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

bool mst_when_span(const char *v, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 24LL * 3600 * 1000}};
    char *end = NULL;
    const long long n = strtoll(v, &end, 10);

    if (end == v || *v < '0' || *v > '9' || n < 0 || n > 100000 || !*end || end[1]) {
        return false;
    }
    for (size_t i = 0; i < MST_COUNT(units); i++) {
        if (*end == units[i].unit) {
            *ms = n * units[i].ms;
            return true;
        }
    }
    return false;
}

int64_t mst_when_moment(const char *v)
{
    char full[MST_TIME_MAX] = "";
    const size_t n = strlen(v);

    if (n == 10) {
        (void)snprintf(full, sizeof(full), "%sT00:00:00Z", v);
    } else if (n == 17 && v[16] == 'Z') {
        (void)snprintf(full, sizeof(full), "%.16s:00Z", v);
    } else {
        (void)mst_copy(full, sizeof(full), v);
    }
    return mst_time_parse(full);
}
