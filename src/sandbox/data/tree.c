#include "data/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define RUN_MAX 256

struct sbx_run {
    size_t n;
    void *v[RUN_MAX];
};

void sbx_tree_release(struct sbx_tree *t)
{
    for (size_t i = 0; i < t->n_runs; i++) {
        free(t->runs[i]);
    }
    free(t->runs);
    memset(t, 0, sizeof *t);
}

static void add_run(struct sbx_tree *t, size_t at, struct sbx_run *r)
{
    mst_grow((void **)&t->runs, &t->cap_runs, t->n_runs + 1, sizeof *t->runs);
    memmove(t->runs + at + 1, t->runs + at, (t->n_runs - at) * sizeof *t->runs);
    t->runs[at] = r;
    t->n_runs++;
}

/* First run whose last item is not below the key. */
static size_t find_run(const struct sbx_tree *t, const void *key, sbx_tree_cmp_fn *cmp)
{
    size_t lo = 0, hi = t->n_runs;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const struct sbx_run *r = t->runs[mid];

        if (cmp(key, r->v[r->n - 1]) > 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static size_t find_in(const struct sbx_run *r, const void *key, sbx_tree_cmp_fn *cmp)
{
    size_t lo = 0, hi = r->n;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if (cmp(key, r->v[mid]) > 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static size_t split(struct sbx_tree *t, size_t run, bool at_end)
{
    struct sbx_run *r = t->runs[run], *next = mst_xcalloc(1, sizeof *next);
    const size_t keep = at_end ? RUN_MAX : RUN_MAX / 2; /* appending fills runs */

    next->n = r->n - keep;
    memcpy(next->v, r->v + keep, next->n * sizeof *next->v);
    r->n = keep;
    add_run(t, run + 1, next);
    return keep;
}

void sbx_tree_add(struct sbx_tree *t, const void *key, sbx_tree_cmp_fn *cmp, void *item)
{
    size_t run = find_run(t, key, cmp), i;
    struct sbx_run *r;

    if (t->n_runs == 0) {
        add_run(t, 0, mst_xcalloc(1, sizeof *r));
    }
    run = run < t->n_runs ? run : t->n_runs - 1;
    r = t->runs[run];
    i = find_in(r, key, cmp);
    if (r->n == RUN_MAX) {
        const size_t keep = split(t, run, i == RUN_MAX && run + 1 == t->n_runs);

        if (i >= keep && !(i == keep && keep < RUN_MAX)) {
            run++;
            i -= keep;
        }
        r = t->runs[run];
    }
    memmove(r->v + i + 1, r->v + i, (r->n - i) * sizeof *r->v);
    r->v[i] = item;
    r->n++;
    t->count++;
}

void *sbx_tree_ge(const struct sbx_tree *t, const void *key, sbx_tree_cmp_fn *cmp,
                  struct sbx_tree_at *at)
{
    at->run = find_run(t, key, cmp);
    at->i = 0;
    if (at->run == t->n_runs) {
        return NULL;
    }
    at->i = find_in(t->runs[at->run], key, cmp);
    return t->runs[at->run]->v[at->i];
}

void *sbx_tree_next(const struct sbx_tree *t, struct sbx_tree_at *at)
{
    if (at->run >= t->n_runs) {
        return NULL;
    }
    if (++at->i >= t->runs[at->run]->n) {
        at->run++;
        at->i = 0;
    }
    return at->run < t->n_runs ? t->runs[at->run]->v[at->i] : NULL;
}

void *sbx_tree_prev(const struct sbx_tree *t, struct sbx_tree_at *at)
{
    if (at->run < t->n_runs && at->i > 0) {
        return t->runs[at->run]->v[--at->i];
    }
    if (at->run == 0 || t->n_runs == 0) {
        return NULL;
    }
    at->run--;
    at->i = t->runs[at->run]->n - 1;
    return t->runs[at->run]->v[at->i];
}

void *sbx_tree_first(const struct sbx_tree *t, struct sbx_tree_at *at)
{
    at->run = at->i = 0;
    return t->n_runs ? t->runs[0]->v[0] : NULL;
}

void *sbx_tree_last(const struct sbx_tree *t, struct sbx_tree_at *at)
{
    at->run = t->n_runs;
    at->i = 0;
    return sbx_tree_prev(t, at);
}

bool sbx_tree_del(struct sbx_tree *t, const void *key, sbx_tree_cmp_fn *cmp, const void *item)
{
    struct sbx_tree_at at;
    struct sbx_run *r;
    void *p = sbx_tree_ge(t, key, cmp, &at);

    while (p && p != item && cmp(key, p) == 0) {
        p = sbx_tree_next(t, &at);
    }
    if (!p || p != item) {
        return false;
    }
    r = t->runs[at.run];
    memmove(r->v + at.i, r->v + at.i + 1, (r->n - at.i - 1) * sizeof *r->v);
    t->count--;
    if (--r->n == 0) {
        free(r);
        memmove(t->runs + at.run, t->runs + at.run + 1, (t->n_runs - at.run - 1) * sizeof *t->runs);
        t->n_runs--;
    }
    return true;
}
