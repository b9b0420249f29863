/* excuse.c: what a run cannot have in common with the recording, and what must hold of it still. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "compare.h"

#define PATH_MAX_BYTES 512

static const char *const kind_names[CONF_KINDS] = {"address", "id", "time", "size", "build"};

void conf_init(struct conf *c, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[512];

    memset(c, 0, sizeof *c);
    c->begun_ms = mst_clock_utc_ms(NULL) / 1000 * 1000; /* an optime's date is a whole second */
    if (f == NULL) {
        fprintf(stderr, "no %s\n", path);
        abort();
    }
    while (fgets(line, sizeof line, f) != NULL) {
        char command[64], where[160], kind[16], may[160];
        struct conf_exception *e;
        int k = 0;

        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        if (sscanf(line, "%63s %159s %15s %159s", command, where, kind, may) != 4) {
            fprintf(stderr, "%s: malformed line: %s", path, line);
            abort();
        }
        while (k < CONF_KINDS && strcmp(kind_names[k], kind) != 0) {
            k++;
        }
        if (k == CONF_KINDS) {
            fprintf(stderr, "%s: unknown kind '%s'\n", path, kind);
            abort();
        }
        c->exceptions = mst_xrealloc(c->exceptions, (c->n_exceptions + 1) * sizeof *c->exceptions);
        e = &c->exceptions[c->n_exceptions++];
        memset(e, 0, sizeof *e);
        mst_copy(e->command, sizeof e->command, command);
        mst_copy(e->path, sizeof e->path, where);
        e->kind = (enum conf_kind)k;
        e->absent = strcmp(may, "absent") == 0;
        (void)mst_copy(e->from, sizeof e->from, may[0] == '=' ? may + 1 : "");
    }
    (void)fclose(f);
}

/* A pattern's parts match a path's one by one; "*" is any part, "**" the whole rest. */
static bool path_match(const char *pattern, const char *path)
{
    for (;;) {
        const size_t a = strcspn(pattern, "."), b = strcspn(path, ".");

        if (a == 2 && memcmp(pattern, "**", 2) == 0) {
            return true;
        }
        if (!(a == 1 && *pattern == '*') && (a != b || memcmp(pattern, path, a) != 0)) {
            return false;
        }
        pattern += a;
        path += b;
        if (*pattern == '\0' || *path == '\0') {
            return *pattern == *path;
        }
        pattern++;
        path++;
    }
}

/* "*", "find" or, in one recording only, "find@05". */
static bool applies(const struct conf *c, const char *command)
{
    const char *at = strchr(command, '@');

    if (at != NULL) {
        return strncmp(at + 1, c->file, 2) == 0 && strlen(c->command) == (size_t)(at - command) &&
               strncmp(command, c->command, (size_t)(at - command)) == 0;
    }
    return strcmp(command, "*") == 0 || strcmp(command, c->command) == 0;
}

struct conf_exception *conf_excepted(struct conf *c, const char *path)
{
    for (size_t i = 0; i < c->n_exceptions; i++) {
        struct conf_exception *e = &c->exceptions[i];

        if (applies(c, e->command) && path_match(e->path, path)) {
            return e;
        }
    }
    return NULL;
}

bool conf_is_zero(const bson_iter_t *it)
{
    bson_subtype_t sub;
    uint32_t n = 0;
    const uint8_t *p = NULL;

    if (BSON_ITER_HOLDS_INT64(it)) {
        return bson_iter_int64(it) == 0;
    }
    if (!BSON_ITER_HOLDS_BINARY(it)) {
        return false;
    }
    bson_iter_binary(it, &sub, &n, &p);
    while (n > 0 && p[n - 1] == 0) {
        n--;
    }
    return n == 0;
}

/* A relation's "*" stands for what the path has at that part. */
static void resolve(const char *pattern, const char *path, char *out, size_t size)
{
    size_t at = 0;

    while (*pattern != '\0' && at + 1 < size) {
        const size_t a = strcspn(pattern, "."), b = strcspn(path, ".");
        const bool star = a == 1 && *pattern == '*';

        at += (size_t)snprintf(out + at, size - at, "%s%.*s", at > 0 ? "." : "",
                               (int)(star ? b : a), star ? path : pattern);
        at = at < size ? at : size - 1;
        pattern += a + (pattern[a] == '.');
        path += b + (path[b] == '.');
    }
}

bool conf_same_second(struct conf *c, const struct conf_exception *e, const char *path,
                      const bson_iter_t *got)
{
    bson_iter_t it, at;
    char where[PATH_MAX_BYTES] = "";
    uint32_t t = 0, i = 0;

    resolve(e->from, path, where, sizeof where);
    if (!BSON_ITER_HOLDS_DATE_TIME(got) || !bson_iter_init(&it, c->root) ||
        !bson_iter_find_descendant(&it, where, &at) || !BSON_ITER_HOLDS_TIMESTAMP(&at)) {
        return false;
    }
    bson_iter_timestamp(&at, &t, &i);
    return bson_iter_date_time(got) == (int64_t)t * 1000;
}

bool conf_plausible(const struct conf *c, const struct conf_exception *e, const bson_iter_t *want,
                    const bson_iter_t *got)
{
    if (BSON_ITER_HOLDS_DATE_TIME(want) && e->kind == CONF_TIME) {
        const int64_t ms = bson_iter_date_time(got), now = mst_clock_utc_ms(NULL);

        return ms == 0 || bson_iter_date_time(want) == 0 ? ms == bson_iter_date_time(want)
                                                         : ms >= c->begun_ms && ms <= now;
    }
    if (BSON_ITER_HOLDS_NUMBER(want)) {
        return bson_iter_as_double(want) < 0 || bson_iter_as_double(got) >= 0;
    }
    return !BSON_ITER_HOLDS_UTF8(want) ||
           (bson_iter_utf8(want, NULL)[0] == '\0') == (bson_iter_utf8(got, NULL)[0] == '\0');
}
