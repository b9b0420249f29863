/* What dead runs left: interrupted backups and copies in the stores, and restores whose old
 * collections are still there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "engine/inner.h"
#include "engine/runs.h"

struct leavings {
    struct mst_leaving_line *items;
    size_t n, cap;
};

static struct mst_leaving_line *one_more(struct leavings *v)
{
    mst_grow((void **)&v->items, &v->cap, v->n + 1, sizeof(v->items[0]));
    memset(&v->items[v->n], 0, sizeof(v->items[0]));
    return &v->items[v->n++];
}

/* Backups and copies that work, so that they are not taken for dead ones. */
struct working {
    size_t n;
    struct {
        char id[MST_ID_MAX], store[64];
    } copy[16];
    int64_t backups;
};

static bool see_copy(void *arg, const struct mst_row *row)
{
    struct working *w = arg;

    (void)mst_copy(w->copy[w->n].id, sizeof(w->copy[0].id), mst_row_text(row, 0));
    (void)mst_copy(w->copy[w->n].store, sizeof(w->copy[0].store), mst_row_text(row, 1));
    return ++w->n < MST_COUNT(w->copy);
}

static void look_working(struct local *l, struct working *w)
{
    struct mst_err err = {0};

    (void)!mst_db_int(l->db, 0, &w->backups, &err,
                      "SELECT count(*) FROM jobs WHERE kind = 0 AND state IN (1, 2)", "");
    (void)!mst_db_query(l->db, see_copy, w, &err,
                        "SELECT backup, target FROM jobs WHERE kind = ? AND state IN (0, 1, 2)",
                        "i", (int64_t)MST_JOB_COPY);
}

/* A store that has this backup whole; NULL none. */
static const struct mst_bucket_part *whole_in(struct mst_bucket_part *const *p, size_t n,
                                              const char *id)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < p[i]->n; k++) {
            if (strcmp(p[i]->backups[k].id, id) == 0 &&
                (p[i]->backups[k].state == MST_BK_COMPLETE ||
                 p[i]->backups[k].state == MST_BK_PARTIAL)) {
                return p[i];
            }
        }
    }
    return NULL;
}

static void say_left(struct leavings *v, const struct mst_bucket_part *in,
                     const struct mst_bucket_part *from, const struct mst_backup *b, bool several)
{
    struct mst_leaving_line *item = one_more(v);
    char store[80] = "";

    (void)mst_copy(item->id, sizeof(item->id), b->id);
    (void)mst_copy(item->store, sizeof(item->store), in->store);
    item->since_wall_ms = b->started_wall_ms;
    if (several) {
        (void)snprintf(store, sizeof(store), " --store %s", in->store);
    }
    if (from) {
        (void)mst_copy(item->from, sizeof(item->from), from->store);
        (void)snprintf(
            item->what, sizeof(item->what),
            "the copy of %.40s in %s is not whole: 'muster copy %.40s --from %s --to %s' ends "
            "it, 'muster clean %.40s%s' removes it",
            b->id, in->store, b->id, from->store, in->store, b->id, store);
    } else if (b->state == MST_BK_INCOMPLETE) {
        (void)snprintf(item->what, sizeof(item->what),
                       "backup %s was interrupted: 'muster clean %s%s' removes its objects", b->id,
                       b->id, store);
    } else {
        (void)snprintf(item->what, sizeof(item->what),
                       "%u %s beside backup %s: 'muster clean %s%s' removes what dead runs left",
                       b->leftovers, mst_text_noun(b->leftovers, "object", "objects"), b->id, b->id,
                       store);
    }
}

/* The backup in work looks like an interrupted one: the newest ids without a COMMIT are it. */
static bool in_work(const struct working *w, struct mst_bucket_part *const *p, size_t n,
                    const struct mst_bucket_part *in, const struct mst_backup *b)
{
    char newest[MST_ID_MAX] = "";
    int64_t left = w->backups;

    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->copy[i].id, b->id) == 0 && strcmp(w->copy[i].store, in->store) == 0) {
            return true;
        }
    }
    while (left-- > 0) { /* the next newest id that nobody has whole */
        char next[MST_ID_MAX] = "";

        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < p[i]->n; k++) {
                const struct mst_backup *o = &p[i]->backups[k];

                if (o->state == MST_BK_INCOMPLETE && !whole_in(p, n, o->id) &&
                    (!*newest || strcmp(o->id, newest) < 0) && strcmp(o->id, next) > 0) {
                    (void)mst_copy(next, sizeof(next), o->id);
                }
            }
        }
        if (!*next || strcmp(next, b->id) == 0) {
            return *next != '\0';
        }
        (void)mst_copy(newest, sizeof(newest), next);
    }
    return false;
}

/* gen: of the listings that were looked at. */
static void left_in_stores(struct local *l, const struct depot *d, struct mst_bucket_part *fresh,
                           struct leavings *v, uint64_t *gen)
{
    struct mst_bucket_part *p[MST_CFG_STORES];
    struct working w = {0};
    size_t n = 0;

    if (l->db) {
        look_working(l, &w);
    }
    mst_mutex_lock(&l->mtx);
    *gen = l->listings_gen;
    for (size_t i = 0; i < l->n_depots; i++) {
        struct mst_bucket_part *one = &l->depots[i] == d ? fresh : l->depots[i].part;

        if (one->read_at_ms && !one->cached && !one->seen) { /* seen: half a listing */
            p[n] = one;
            mst_shared_ref(&p[n++]->shared);
        }
    }
    mst_mutex_unlock(&l->mtx);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < p[i]->n; k++) {
            const struct mst_backup *b = &p[i]->backups[k];
            const bool half = b->state == MST_BK_INCOMPLETE;

            if ((half || b->leftovers > 0) && !in_work(&w, p, n, p[i], b)) {
                say_left(v, p[i], half ? whole_in(p, n, b->id) : NULL, b, l->n_depots > 1);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        mst_shared_unref(&p[i]->shared);
    }
}

static struct mst_leavings_part *look(struct local *l, const struct depot *d,
                                      struct mst_bucket_part *fresh, uint64_t *gen)
{
    struct leavings v = {0};
    struct mst_leavings_part *p;
    struct mst_err err = {0};
    struct mst_leaving_line *runs = NULL;
    int64_t running = 0;

    if (l->db) {
        (void)!mst_db_int(l->db, 0, &running, &err,
                          "SELECT count(*) FROM jobs WHERE kind IN (2, 4) AND state IN (1, 2)", "");
        v.n = mst_runs_lines(l, running, &runs);
        v.items = runs;
        v.cap = v.n;
    }
    left_in_stores(l, d, fresh, &v, gen);
    p = mst_leavings_new(v.n);
    if (v.n > 0) {
        memcpy(p->items, v.items, v.n * sizeof(v.items[0]));
    }
    free(v.items);
    return p;
}

void mst_leavings_put(struct local *l, struct depot *d, struct mst_bucket_part *fresh)
{
    struct mst_leavings_part *p;
    uint64_t gen = 0;

    /* Again only when another store's listing came meanwhile. */
    do {
        p = look(l, d, fresh, &gen);
    } while (!mst_put_listing_take(l, d, fresh, p, gen));
}
