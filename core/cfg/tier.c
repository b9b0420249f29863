#include "cfg/tier.h"

#include <string.h>

#include "base/mem.h"

static const struct tier {
    const char *storage_class;
    bool sleeps; /* all of it; else some of its objects */
    const char *takes;
} tiers[] = {
    {"GLACIER", true, "3 to 5 hours"},
    {"DEEP_ARCHIVE", true, "up to 12 hours"},
    {MST_TIER_INTELLIGENT, false, "3 to 12 hours"},
};

static const struct tier *find(const char *storage_class)
{
    for (size_t i = 0; i < MST_COUNT(tiers); i++) {
        if (strcmp(tiers[i].storage_class, storage_class) == 0) {
            return &tiers[i];
        }
    }
    return NULL;
}

bool mst_tier_sleeps(const char *storage_class)
{
    const struct tier *t = find(storage_class);

    return t && t->sleeps;
}

bool mst_tier_may_sleep(const char *storage_class)
{
    return find(storage_class) != NULL;
}

const char *mst_tier_takes(const char *storage_class)
{
    const struct tier *t = find(storage_class);

    return t ? t->takes : "";
}
