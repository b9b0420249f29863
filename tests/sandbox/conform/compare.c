#include "compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PATH_MAX_BYTES 512
#define BATCH_MAX 512

void conf_forget(struct conf *c)
{
    c->n_pairs = c->n_ts = c->n_hosts = 0;
}

void conf_release(struct conf *c)
{

    free(c->exceptions);
    free(c->pairs);
    free(c->ts);
    mst_str_release(&c->diffs);
    memset(c, 0, sizeof *c);
}

void conf_host(struct conf *c, const char *want, const char *got)
{
    struct conf_host *h = &c->hosts[c->n_hosts++];

    mst_copy(h->want, sizeof h->want, want);
    mst_copy(h->got, sizeof h->got, got);
}

void conf_note(struct conf *c, const char *fmt, ...)
{
    va_list ap;

    c->wrong = true;
    if (c->silent) {
        return;
    }
    mst_str_addf(&c->diffs, "%s:%d %s ", c->file, c->line, c->command);
    va_start(ap, fmt);
    mst_str_vaddf(&c->diffs, fmt, ap);
    va_end(ap);
    mst_str_addc(&c->diffs, '\n');
}

/* ---- what was learnt ---- */

struct conf_pair *conf_find_pair(struct conf *c, uint8_t type, const void *p, size_t n, bool got)
{
    for (size_t i = 0; i < c->n_pairs; i++) {
        struct conf_pair *q = &c->pairs[i];

        if (q->type == type && q->n == n && memcmp(got ? q->got : q->want, p, n) == 0) {
            return q;
        }
    }
    return NULL;
}

/* The same recorded value is always the same one in the run, and the other way round. */
static bool same_id(struct conf *c, uint8_t type, const void *want, const void *got, size_t n)
{
    const struct conf_pair *a = conf_find_pair(c, type, want, n, false);
    const struct conf_pair *b = conf_find_pair(c, type, got, n, true);
    struct conf_pair *p;

    if (a != NULL || b != NULL) {
        return a == b;
    }
    if (!c->silent) {
        mst_grow((void **)&c->pairs, &c->cap_pairs, c->n_pairs + 1, sizeof *c->pairs);
        p = &c->pairs[c->n_pairs++];
        memset(p, 0, sizeof *p);
        p->type = type;
        p->n = (uint8_t)n;
        memcpy(p->want, want, n);
        memcpy(p->got, got, n);
    }
    return true;
}

/* loose: the run may have moved on meanwhile (a no-op), but never back. */
static bool same_ts(struct conf *c, uint64_t want, uint64_t got, bool loose)
{
    if ((want == 0) != (got == 0)) {
        return false;
    }
    for (size_t i = 0; i < c->n_ts && want != 0; i++) {
        const struct conf_ts *t = &c->ts[i];

        if (t->want == want && t->got != got && !loose) {
            return false;
        }
        if (!loose && ((t->want < want && t->got > got) || (t->want > want && t->got < got))) {
            return false;
        }
    }
    if (want != 0 && !c->silent && !loose) {
        mst_grow((void **)&c->ts, &c->cap_ts, c->n_ts + 1, sizeof *c->ts);
        c->ts[c->n_ts++] = (struct conf_ts){want, got};
    }
    return true;
}

/* "2026-11-22T23:20:07.240+0000" in a message is when it ran; five letters of a temporary
 * collection's name are chance. */
static void mask_chance(char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.ddd+dddd";
    static const char temporary[] = ".convertToCapped.";

    for (; *text != '\0'; text++) {
        size_t i = 0;

        if (strncmp(text, "tmp", 3) == 0 && strlen(text) > 8 &&
            strncmp(text + 8, temporary, sizeof temporary - 1) == 0) {
            memset(text + 3, '0', 5);
        }

        while (shape[i] != '\0' &&
               (shape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == shape[i])) {
            i++;
        }
        if (shape[i] == '\0') {
            memset(text, '0', i);
        }
    }
}

/* ---- comparison ---- */

static char *show(const bson_iter_t *it)
{
    bson_t one = BSON_INITIALIZER;
    char *text;

    bson_append_iter(&one, "v", 1, it);
    text = bson_as_canonical_extended_json(&one, NULL);
    bson_destroy(&one);
    if (strlen(text) > 300) {
        text[300] = '\0';
    }
    return text;
}

static void differ(struct conf *c, const char *path, const bson_iter_t *want,
                   const bson_iter_t *got)
{
    char *a = show(want), *b = show(got);

    conf_note(c, "%s: recorded %s, got %s", path, a, b);
    bson_free(a);
    bson_free(b);
}

static bool ends_with(const char *s, const char *end)
{
    const size_t a = strlen(s), b = strlen(end);

    return a >= b && strcmp(s + a - b, end) == 0;
}

static bool cursor_path(const char *path)
{
    return strcmp(path, "cursor.id") == 0 || strncmp(path, "cursors", 7) == 0;
}

static bool same_scalar(struct conf *c, const char *path, const bson_iter_t *want,
                        const bson_iter_t *got)
{
    bson_t a = BSON_INITIALIZER, b = BSON_INITIALIZER;
    bool same;

    if (BSON_ITER_HOLDS_UTF8(want)) {
        char *text = conf_text(c, bson_iter_utf8(want, NULL));
        char *other = mst_xstrdup(bson_iter_utf8(got, NULL));

        mask_chance(text);
        mask_chance(other);
        same = strcmp(text, other) == 0;
        free(text);
        free(other);
        return same;
    }
    if (BSON_ITER_HOLDS_TIMESTAMP(want)) {
        uint32_t t1, i1, t2, i2;

        bson_iter_timestamp(want, &t1, &i1);
        bson_iter_timestamp(got, &t2, &i2);
        return same_ts(c, (uint64_t)t1 << 32 | i1, (uint64_t)t2 << 32 | i2,
                       !ends_with(path, "opTime.ts") && strncmp(path, "ts", 3) != 0);
    }
    if (BSON_ITER_HOLDS_OID(want)) {
        const bson_oid_t *o1 = bson_iter_oid(want), *o2 = bson_iter_oid(got);

        if (o1->bytes[0] == 0x7f && o1->bytes[1] == 0xff) { /* an election's: made of its term */
            return bson_oid_equal(o1, o2);
        }
        return same_id(c, BSON_TYPE_OID, o1->bytes, o2->bytes, 12);
    }
    if (BSON_ITER_HOLDS_BINARY(want)) {
        bson_subtype_t s1, s2;
        uint32_t n1, n2;
        const uint8_t *p1, *p2;

        bson_iter_binary(want, &s1, &n1, &p1);
        bson_iter_binary(got, &s2, &n2, &p2);
        if (s1 == BSON_SUBTYPE_UUID && s2 == s1 && n1 == 16 && n2 == 16) {
            return same_id(c, BSON_TYPE_BINARY, p1, p2, 16);
        }
        return s1 == s2 && n1 == n2 && memcmp(p1, p2, n1) == 0;
    }
    if (BSON_ITER_HOLDS_INT64(want) && (cursor_path(path) || ends_with(path, "signature.keyId"))) {
        const int64_t v1 = bson_iter_int64(want), v2 = bson_iter_int64(got);

        return v1 == 0 || v2 == 0 ? v1 == v2 : same_id(c, BSON_TYPE_INT64, &v1, &v2, 8);
    }
    if (c->fast &&
        (ends_with(path, "heartbeatIntervalMillis") || ends_with(path, "electionTimeoutMillis") ||
         ends_with(path, "heartbeatTimeoutSecs") ||
         ends_with(path, "catchUpTakeoverDelayMillis"))) {
        return bson_iter_as_int64(want) == 10 * bson_iter_as_int64(got);
    }
    bson_append_iter(&a, "v", 1, want);
    bson_append_iter(&b, "v", 1, got);
    same = bson_equal(&a, &b);
    bson_destroy(&a);
    bson_destroy(&b);
    return same;
}

static void compare_doc(struct conf *c, const char *path, const bson_iter_t *want,
                        const bson_iter_t *got);

static void count_compared(struct conf *c)
{
    c->compared += !c->silent;
}

static void compare_value(struct conf *c, const char *path, const bson_iter_t *want,
                          const bson_iter_t *got)
{
    struct conf_exception *e;

    if (bson_iter_type(want) != bson_iter_type(got)) {
        differ(c, path, want, got);
        return;
    }
    e = conf_excepted(c, path);
    if (e != NULL && (e->from[0] != '\0' || (e->kind == CONF_ID && conf_is_zero(want)))) {
        count_compared(c);
        if (e->from[0] != '\0' ? !conf_same_second(c, e, path, got) : !conf_is_zero(got)) {
            differ(c, path, want, got);
        }
        return;
    }
    if (e != NULL && !conf_plausible(c, e, want, got)) {
        differ(c, path, want, got);
    }
    if (e != NULL && !c->silent) {
        c->excepted++;
        c->by_kind[e->kind]++;
        e->used = true;
    }
    if (e != NULL) {
        return;
    }
    if (BSON_ITER_HOLDS_DOCUMENT(want) || BSON_ITER_HOLDS_ARRAY(want)) {
        compare_doc(c, path, want, got);
        return;
    }
    count_compared(c);
    if (!same_scalar(c, path, want, got)) {
        differ(c, path, want, got);
    }
}

/* A batch whose order nobody asked for: each recorded element has one of its own in the run. */
static void compare_set(struct conf *c, const char *path, const bson_iter_t *want,
                        const bson_iter_t *got)
{
    struct {
        bson_iter_t it; /* padded to its alignment */
    } items[BATCH_MAX];
    bson_iter_t a, b;
    bool used[BATCH_MAX] = {false};
    size_t n = 0;

    bson_iter_recurse(got, &b);
    while (n < BATCH_MAX && bson_iter_next(&b)) {
        items[n++].it = b;
    }
    bson_iter_recurse(want, &a);
    while (bson_iter_next(&a)) {
        const bool was_silent = c->silent, was_wrong = c->wrong;
        size_t i;
        char sub[PATH_MAX_BYTES];

        (void)snprintf(sub, sizeof sub, "%s.%s", path, bson_iter_key(&a));
        for (i = 0; i < n; i++) {
            c->silent = true;
            c->wrong = false;
            if (!used[i]) {
                compare_value(c, sub, &a, &items[i].it);
            }
            if (!used[i] && !c->wrong) {
                break;
            }
        }
        c->silent = was_silent;
        c->wrong = was_wrong;
        if (i == n) {
            char *text = show(&a);

            conf_note(c, "%s: no element like %s", sub, text);
            bson_free(text);
            continue;
        }
        used[i] = true;
        compare_value(c, sub, &a, &items[i].it); /* now learn and count */
    }
    for (size_t i = 0; i < n; i++) {
        if (!used[i] && !c->subset) {
            char *text = show(&items[i].it);

            conf_note(c, "%s: too much: %s", path, text);
            bson_free(text);
        }
    }
}

/* Parts of a reply that the simulator may leave out: sections it does not model. */
static bool optional_here(struct conf *c, const char *path)
{
    struct conf_exception *e = conf_excepted(c, path);

    if (e != NULL && e->absent) {
        if (!c->silent) {
            e->used = true;
            c->excepted++;
            c->by_kind[e->kind]++;
        }
        return true;
    }
    /* Rules of two commands. serverStatus: what must be there is checked apart. */
    return strcmp(c->command, "serverStatus") == 0 ||
           (strcmp(c->command, "collStats") == 0 && strcmp(path, "wiredTiger") == 0);
}

static void compare_doc(struct conf *c, const char *path, const bson_iter_t *want,
                        const bson_iter_t *got)
{
    bson_iter_t a, b;
    bool more_a, more_b;
    char sub[PATH_MAX_BYTES];

    if (c->unsorted && BSON_ITER_HOLDS_ARRAY(want) && ends_with(path, "Batch")) {
        compare_set(c, path, want, got);
        return;
    }
    bson_iter_recurse(want, &a);
    bson_iter_recurse(got, &b);
    more_a = bson_iter_next(&a);
    more_b = bson_iter_next(&b);
    while (more_a || more_b) {
        const char *ka = more_a ? bson_iter_key(&a) : NULL, *kb = more_b ? bson_iter_key(&b) : NULL;

        (void)snprintf(sub, sizeof sub, "%s%s%s", path, path[0] != '\0' ? "." : "",
                       ka != NULL ? ka : kb);
        if (ka != NULL && kb != NULL && strcmp(ka, kb) == 0) {
            compare_value(c, sub, &a, &b);
            more_a = bson_iter_next(&a);
            more_b = bson_iter_next(&b);
        } else if (ka != NULL && optional_here(c, sub)) {
            more_a = bson_iter_next(&a);
        } else {
            bson_iter_t find;
            const bool later =
                ka != NULL && bson_iter_recurse(got, &find) && bson_iter_find(&find, ka);

            conf_note(c, "%s: recorded field '%s', got '%s'%s", path, ka != NULL ? ka : "(end)",
                      kb != NULL ? kb : "(end)", later ? " (order)" : "");
            if (ka == NULL || (later && kb != NULL)) {
                more_b = bson_iter_next(&b);
            } else {
                more_a = bson_iter_next(&a);
            }
        }
    }
}

bool conf_document(struct conf *c, const char *file, int line, const char *command,
                   const bson_t *want, const bson_t *got)
{
    bson_t box_a = BSON_INITIALIZER, box_b = BSON_INITIALIZER;
    bson_iter_t a, b;

    c->file = file;
    c->line = line;
    c->command = command;
    c->root = got;
    c->wrong = false;
    c->silent = false;
    BSON_APPEND_DOCUMENT(&box_a, "d", want);
    BSON_APPEND_DOCUMENT(&box_b, "d", got);
    if (!bson_iter_init_find(&a, &box_a, "d") || !bson_iter_init_find(&b, &box_b, "d")) {
        abort();
    }
    compare_doc(c, "", &a, &b);
    bson_destroy(&box_a);
    bson_destroy(&box_b);
    return !c->wrong;
}

bool conf_reply(struct conf *c, const char *file, int line, const char *command, const bson_t *sent,
                const bson_t *want, const bson_t *got)
{
    c->unsorted = !bson_has_field(sent, "sort") && !bson_has_field(sent, "tailable") &&
                  strcmp(command, "getMore") != 0 && strcmp(command, "listIndexes") != 0;
    if (!conf_document(c, file, line, command, want, got)) {
        c->failed++;
        return false;
    }
    c->replayed++;
    return true;
}
