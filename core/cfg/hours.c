/* Hours of the day. */
#include <stdio.h>

#include "cfg/cfg.h"

#define DAY_MIN 1440

bool mst_cfg_hours_parse(const char *text, int *from_min, int *to_min)
{
    int h1, m1, h2, m2, end = 0;

    if (sscanf(text, "%2d:%2d-%2d:%2d%n", &h1, &m1, &h2, &m2, &end) != 4 || text[end] != '\0' ||
        h1 < 0 || h1 > 23 || h2 < 0 || h2 > 24 || m1 < 0 || m1 > 59 || m2 < 0 || m2 > 59 ||
        (h2 == 24 && m2 > 0)) {
        return false;
    }
    *from_min = h1 * 60 + m1;
    *to_min = h2 * 60 + m2;
    return *from_min != *to_min;
}

bool mst_cfg_hours_now(const struct mst_cfg_list *hours, int64_t utc_ms)
{
    const int now = (int)(utc_ms / 60000 % DAY_MIN);

    for (size_t i = 0; i < hours->n; i++) {
        int from, to;

        if (mst_cfg_hours_parse(hours->item[i], &from, &to) &&
            (from < to ? now >= from && now < to : now >= from || now < to)) {
            return true;
        }
    }
    return hours->n == 0;
}
