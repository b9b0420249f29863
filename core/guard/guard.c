/* guard.c: the table of checks, and what may go on. */
#include "guard/guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "guard/checks.h"

struct row {
    enum mst_guard_id id;
    const char *name, *threshold;
    mst_guard_set_fn *of_set;
    mst_guard_member_fn *of_member;
};

static const struct row table[] = {
    {MST_P01, "members answer", "primary and target; others count in P09", mst_guard_p01, NULL},
    {MST_P02, "one set", "the same name and id everywhere", mst_guard_p02, NULL},
    {MST_P03, "one primary, one term", "1 writable, the same term on every voter", mst_guard_p03,
     NULL},
    {MST_P04, "one configuration", "the same on primary, target and a majority", mst_guard_p04,
     NULL},
    {MST_P05, "configuration is committed", "true; must be where priorities change", mst_guard_p05,
     NULL},
    {MST_P06, "set is calm", "last election 120 s ago or more, at most 2 in 10 min", mst_guard_p06,
     NULL},
    {MST_P07, "target may be elected", "priority, vote, data, SECONDARY, health 1", NULL,
     mst_guard_p07},
    {MST_P08, "target in no special state", "no maintenance, initial sync, staleness, message",
     NULL, mst_guard_p08},
    {MST_P09, "votes", "spare votes at least 0 now, and with the old primary lost", mst_guard_p09,
     NULL},
    {MST_P10, "write majority", "spare data voters at least 0, 1 or more is comfortable",
     mst_guard_p10, NULL},
    {MST_P11, "target is close", "at most 10 s and not growing, above 2 s is a warning", NULL,
     mst_guard_p11},
    {MST_P12, "majority is close", "at most the catch-up time, above 2 s is a warning",
     mst_guard_p12, NULL},
    {MST_P13, "majority write works", "at most 5 s, above 1 s is a warning", mst_guard_p13, NULL},
    {MST_P14, "flow control", "not lagged", mst_guard_p14, NULL},
    {MST_P15, "state change lock is free", "no fsyncLock; builds and operations above 60 s warn",
     mst_guard_p15, NULL},
    {MST_P16, "step down cannot abort", "catch-up below fassertOnLockTimeoutForStepUpDown",
     mst_guard_p16, NULL},
    {MST_P17, "nobody takes the seat back", "no priority above the target's", mst_guard_p17, NULL},
    {MST_P18, "target sees the voters", "a majority, both ways, less than 5 s old", NULL,
     mst_guard_p18},
    {MST_P19, "links work both ways", "no link works one way only", mst_guard_p19, NULL},
    {MST_P20, "no backup or restore", "none on primary or target", mst_guard_p20, NULL},
    {MST_P22, "versions", "the same release, target not older than the primary", NULL,
     mst_guard_p22},
    {MST_P27, "oplog of the target", "24 h, below 2 h needs an override", NULL, mst_guard_p27},
    {MST_P28, "target had no trouble", "up 300 s or more, no rollback in the last hour", NULL,
     mst_guard_p28},
    {MST_P30, "catch-up is on", "settings.catchUpTimeoutMillis is not 0", mst_guard_p30, NULL},
    {MST_P31, "arbiters", "none; 1 is a warning, more need an override", mst_guard_p31, NULL},
    {MST_P33, "clocks", "within 2 s of ours; above 10 s needs an override", mst_guard_p33, NULL},
    {MST_P34, "rights", "replSetStateChange everywhere, appendOplogNote on primary and target",
     mst_guard_p34, NULL},
    {MST_P35, "sharded cluster", "no config server; a shard is a warning", mst_guard_p35, NULL},
    {MST_P36, "hours", "inside the configured hours", mst_guard_p36, NULL},
    {MST_P37, "nobody else acts", "no open note of another", mst_guard_p37, NULL},
    {MST_P38, "hand-off", "highest priority, then first in the configuration, caught up",
     mst_guard_p38, NULL},
    {MST_P40, "rivals can be frozen", "we reach every electable member", mst_guard_p40, NULL},
    {MST_P41, "proven on this version", "this act was run on it for real", mst_guard_p41, NULL},
};
#define ROWS MST_COUNT(table)
_Static_assert(ROWS <= MST_GUARD_MAX, "the checks do not fit");

const char *mst_guard_result_word(enum mst_guard_result r)
{
    static const char *const words[] = {"pass", "info", "warn", "needs override", "blocks"};

    return (size_t)r < MST_COUNT(words) ? words[r] : "?";
}

/* --- writing a line --- */

static void put(struct mst_guard_check *c, enum mst_guard_result r, const char *todo,
                const char *fmt, va_list ap)
{
    const int n = vsnprintf(c->measured, sizeof(c->measured), fmt, ap);

    if (n >= (int)sizeof(c->measured)) {
        (void)mst_copy(c->measured + sizeof(c->measured) - 4, 4, "...");
    }
    (void)mst_copy(c->todo, sizeof(c->todo), todo);
    c->result = r;
}

void mst_guard_ok(struct mst_guard_check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(c, MST_GUARD_PASS, "", fmt, ap);
    va_end(ap);
    c->unknown = false;
}

void mst_guard_bad(struct mst_guard_check *c, enum mst_guard_result r, const char *todo,
                   const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(c, r, todo, fmt, ap);
    va_end(ap);
    c->unknown = false;
}

void mst_guard_unknown(struct mst_guard_check *c, enum mst_guard_result r, const char *todo,
                       const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(c, r, todo, fmt, ap);
    va_end(ap);
    c->unknown = true;
}

void mst_guard_list(char *buf, size_t size, const char *fmt, ...)
{
    size_t at = strlen(buf);
    va_list ap;
    int n;

    if (at + 1 >= size || (at >= 3 && strcmp(buf + at - 3, "...") == 0)) {
        return;
    }
    if (at > 0 && at + 3 < size) {
        (void)mst_copy(buf + at, size - at, ", ");
        at += 2;
    }
    va_start(ap, fmt);
    n = vsnprintf(buf + at, size - at, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= size - at) {
        (void)mst_copy(buf + size - 4, 4, "...");
    }
}

const char *mst_guard_s(int64_t ms, char buf[16])
{
    return ms < 0 ? "?" : mst_text_duration(ms, buf);
}

/* --- the seven that speak of whoever gets the seat --- */

/* How bad is this candidate: its worst result, then how often it is that bad. */
static int badness(const struct mst_guard_facts *f, size_t i)
{
    struct mst_guard_check c;
    int worst = 0, sum = 0;

    for (size_t r = 0; r < ROWS; r++) {
        if (table[r].of_member) {
            memset(&c, 0, sizeof(c));
            table[r].of_member(f, i, &c);
            worst = (int)c.result > worst ? (int)c.result : worst;
            sum += (int)c.result;
        }
    }
    return worst * 100 + sum;
}

/* Whom the lines of a step down are about: the one that passes most; on a tie the predicted heir,
 * then the first. -1 nobody may be elected. */
static int best_candidate(const struct mst_guard_facts *f)
{
    const int heir = mst_guard_heir(f);
    int best = -1, least = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (mst_guard_candidate(f, i)) {
            const int bad = badness(f, i);

            if (best < 0 || bad < least || (bad == least && (int)i == heir)) {
                best = (int)i;
                least = bad;
            }
        }
    }
    return best;
}

/* The others of a step down stand behind it; one that fails is no reason to refuse. */
static void add_others(const struct mst_guard_facts *f, const struct row *row, int best,
                       struct mst_guard_check *c)
{
    struct mst_guard_check other;

    for (size_t i = 0; i < f->n; i++) {
        if ((int)i == best || !mst_guard_candidate(f, i)) {
            continue;
        }
        memset(&other, 0, sizeof(other));
        row->of_member(f, i, &other);
        if (other.result >= MST_GUARD_OVERRIDE) {
            mst_guard_list(c->measured, sizeof(c->measured), "but %s", other.measured);
            if (c->result < MST_GUARD_WARN) {
                c->result = MST_GUARD_WARN;
                (void)mst_copy(c->todo, sizeof(c->todo), other.todo);
            }
        }
    }
}

static void run_member(const struct mst_guard_facts *f, const struct row *row, int best,
                       struct mst_guard_check *c)
{
    if (f->act == MST_GUARD_SWITCHOVER) {
        best = mst_guard_target_of(f) ? f->target : -1;
    }
    if (best < 0) {
        mst_guard_bad(c, MST_GUARD_BLOCK,
                      f->act == MST_GUARD_SWITCHOVER ? "choose a member of the set"
                                                     : "give another data member a priority above "
                                                       "0",
                      f->act == MST_GUARD_SWITCHOVER ? "no such target"
                                                     : "no member but the primary may be elected");
        return;
    }
    row->of_member(f, (size_t)best, c);
    if (f->act == MST_GUARD_STEPDOWN) {
        add_others(f, row, best, c);
    }
}

/* --- overrides --- */

static size_t reason_length(const char *reason)
{
    size_t n = 0;

    for (; *reason; reason++) {
        n += *reason != ' ' && ((unsigned char)*reason & 0xC0) != 0x80;
    }
    return n;
}

static bool override_of(const struct mst_guard_facts *f, enum mst_guard_id id)
{
    for (size_t i = 0; i < f->n_overrides && f->n_overrides <= MST_GUARD_OVERRIDES; i++) {
        if (f->overrides[i].id == id && reason_length(f->overrides[i].reason) >= MST_GUARD_REASON) {
            return true;
        }
    }
    return false;
}

size_t mst_guard_run(const struct mst_guard_facts *f, struct mst_guard_check out[MST_GUARD_MAX])
{
    const int best = f->act == MST_GUARD_STEPDOWN ? best_candidate(f) : -1;

    MST_ASSERT(f->n <= MST_TOPO_MAX);
    for (size_t r = 0; r < ROWS; r++) {
        struct mst_guard_check *c = &out[r];

        memset(c, 0, sizeof(*c));
        c->id = table[r].id;
        (void)mst_copy(c->name, sizeof(c->name), table[r].name);
        (void)mst_copy(c->threshold, sizeof(c->threshold), table[r].threshold);
        if (table[r].of_set) {
            table[r].of_set(f, c);
        } else {
            run_member(f, &table[r], best, c);
        }
        c->overridden = c->result == MST_GUARD_OVERRIDE && override_of(f, c->id);
        mst_text_sanitise(c->measured);
        mst_text_sanitise(c->todo);
    }
    return ROWS;
}

static const struct mst_guard_check *check_of(const struct mst_guard_check *c, size_t n,
                                              enum mst_guard_id id)
{
    for (size_t i = 0; i < n; i++) {
        if (c[i].id == id) {
            return &c[i];
        }
    }
    return NULL;
}

/* Is this override one that may be given? */
static bool override_fits(const struct mst_guard_facts *f, size_t k,
                          const struct mst_guard_check *c, size_t n, char why[240])
{
    const struct mst_guard_override *o = &f->overrides[k];
    const struct mst_guard_check *of = check_of(c, n, o->id);

    for (size_t i = 0; i < k; i++) {
        if (f->overrides[i].id == o->id) {
            (void)snprintf(why, 240, "P%02d is overridden twice, give one reason", (int)o->id);
            return false;
        }
    }
    if (!of) {
        (void)snprintf(why, 240, "there is no check P%02d, nothing to override", (int)o->id);
    } else if (of->result == MST_GUARD_BLOCK) {
        (void)snprintf(why, 240, "P%02d (%s) blocks and cannot be overridden: %.120s", (int)o->id,
                       of->name, of->todo);
    } else if (reason_length(o->reason) < MST_GUARD_REASON) {
        (void)snprintf(why, 240, "the reason to override P%02d needs %d characters or more",
                       (int)o->id, MST_GUARD_REASON);
    } else {
        return true;
    }
    return false;
}

static size_t name_those(const struct mst_guard_check *c, size_t n, enum mst_guard_result r,
                         char *list, size_t size)
{
    size_t count = 0;

    list[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (c[i].result == r && !c[i].overridden) {
            mst_guard_list(list, size, "P%02d (%s)", (int)c[i].id, c[i].name);
            count++;
        }
    }
    return count;
}

bool mst_guard_may(const struct mst_guard_facts *f, const struct mst_guard_check *c, size_t n,
                   char why[240])
{
    char list[160];
    size_t count;

    why[0] = '\0';
    if (n == 0) {
        (void)snprintf(why, 240, "nothing was checked, run the checks first");
        return false;
    }
    if (f->n_overrides > MST_GUARD_OVERRIDES) {
        (void)snprintf(why, 240, "%zu overrides are more than the %d that may be given at once",
                       f->n_overrides, MST_GUARD_OVERRIDES);
        return false;
    }
    count = name_those(c, n, MST_GUARD_BLOCK, list, sizeof(list));
    if (count > 0) {
        (void)snprintf(why, 240, "refused by %s: nothing overrides %s", list,
                       count == 1 ? "it" : "them");
        return false;
    }
    for (size_t k = 0; k < f->n_overrides; k++) {
        if (!override_fits(f, k, c, n, why)) {
            return false;
        }
    }
    count = name_those(c, n, MST_GUARD_OVERRIDE, list, sizeof(list));
    if (count > 0) {
        (void)snprintf(why, 240, "refused by %s unless overridden by id with a reason", list);
        return false;
    }
    return true;
}

int mst_guard_parse_id(const char *text)
{
    const char *digits = text[0] == 'P' || text[0] == 'p' ? text + 1 : text;
    int id = 0;

    if (!digits[0] || strlen(digits) > 2 || strspn(digits, "0123456789") != strlen(digits)) {
        return 0;
    }
    for (; *digits; digits++) {
        id = id * 10 + (*digits - '0');
    }
    for (size_t r = 0; r < ROWS; r++) {
        if ((int)table[r].id == id) {
            return id;
        }
    }
    return 0;
}
