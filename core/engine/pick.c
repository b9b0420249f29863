#include "engine/pick.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct found {
    size_t store;
    const struct mst_backup *b; /* NULL: none */
};

static const struct mst_backup *of_id(const struct mst_bucket_part *p, const char *id)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->backups[i].id, id) == 0) {
            return &p->backups[i];
        }
    }
    return NULL;
}

static const struct mst_backup *newest(const struct mst_bucket_part *p, enum mst_backup_state st)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->backups[i].state == st) {
            return &p->backups[i];
        }
    }
    return NULL;
}

/* Home is looked at first, so that an equal one elsewhere does not replace it. */
static size_t nth(size_t i, size_t home)
{
    return i == 0 ? home : i <= home ? i - 1 : i;
}

/* A copy that cannot be read before it is thawed is the second choice. */
static bool asleep(const struct mst_backup *b)
{
    return b->archived > b->thawed;
}

static struct found latest(const struct mst_listed *s, size_t n, size_t home)
{
    static const enum mst_backup_state order[] = {MST_BK_COMPLETE, MST_BK_PARTIAL};
    struct found f = {0, NULL};

    for (size_t k = 0; k < MST_COUNT(order) && !f.b; k++) {
        for (size_t i = 0; i < n; i++) {
            const size_t at = nth(i, home);
            const struct mst_backup *b = s[at].fresh ? newest(s[at].part, order[k]) : NULL;

            if (b && (!f.b || strcmp(b->id, f.b->id) > 0 ||
                      (strcmp(b->id, f.b->id) == 0 && asleep(f.b) && !asleep(b)))) {
                f = (struct found){at, b};
            }
        }
    }
    return f;
}

static int rank(const struct mst_backup *b)
{
    const int whole = b->state == MST_BK_COMPLETE ? 3 : b->state == MST_BK_PARTIAL ? 2 : 1;

    return 2 * whole - asleep(b);
}

static struct found named(const struct mst_listed *s, size_t n, size_t home, const char *id)
{
    struct found f = {0, NULL};

    for (size_t i = 0; i < n; i++) {
        const size_t at = nth(i, home);
        const struct mst_backup *b = s[at].fresh ? of_id(s[at].part, id) : NULL;

        if (b && (!f.b || rank(b) > rank(f.b))) {
            f = (struct found){at, b};
        }
    }
    return f;
}

static bool has_left(const struct mst_backup *b)
{
    return b->state == MST_BK_INCOMPLETE || b->leftovers > 0;
}

static enum mst_rc left(const struct mst_listed *s, size_t n, size_t home, const char *id,
                        struct found *f, struct mst_err *err)
{
    *f = named(s, n, home, id);
    if (f->b && has_left(f->b)) {
        f->b = NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const struct mst_backup *b = s[i].fresh ? of_id(s[i].part, id) : NULL;

        if (!b || !has_left(b)) {
            continue;
        }
        if (f->b && has_left(f->b)) {
            return mst_err_set(err, MST_E_PRECOND,
                               "%s has leavings in %s and in %s: name one with --store", id,
                               s[f->store].part->store, s[i].part->store);
        }
        *f = (struct found){i, b};
    }
    return MST_OK;
}

static void name_missing(const struct mst_listed *s, size_t n, char *note, size_t size)
{
    size_t at = 0;

    note[0] = '\0';
    for (size_t i = 0; i < n && at < size; i++) {
        if (!s[i].fresh) {
            at +=
                (size_t)snprintf(note + at, size - at, "%sthe store %s was not read: %.120s",
                                 at ? "; " : "", s[i].part->store,
                                 s[i].part->problem[0] ? s[i].part->problem : "it does not answer");
        }
    }
}

enum mst_rc mst_pick(const struct mst_listed *s, size_t n, size_t home, const char *id,
                     enum mst_want want, size_t *store, char out_id[MST_ID_MAX], char *note,
                     size_t size, struct mst_err *err)
{
    struct found f = {0, NULL};
    const bool any = strcmp(id, "latest") == 0;

    name_missing(s, n, note, size);
    if (want == MST_WANT_LEFT) {
        if (left(s, n, home, id, &f, err) != MST_OK) {
            return err->rc;
        }
    } else {
        f = any ? latest(s, n, home) : named(s, n, home, id);
    }
    if (!f.b) {
        return mst_err_set(
            err, MST_E_NOTFOUND, "there is no %s%.64s in any store that was read%s%s",
            any ? "complete backup" : "backup ", any ? "" : id, note[0] ? "; " : "", note);
    }
    *store = f.store;
    (void)mst_copy(out_id, MST_ID_MAX, f.b->id);
    return MST_OK;
}
