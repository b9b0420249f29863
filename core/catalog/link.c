/* The chain of COMMITs: what a new one says about those before it, and what is missing there. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/trust.h"

void mst_chain_join(const struct mst_before *before, const char *const *stores,
                    const uint64_t *seen, size_t n, struct mst_commit *c)
{
    size_t newest = 0;

    MST_ASSERT(n <= MST_COMMIT_STORES);
    c->counter = 0;
    c->previous[0] = '\0';
    c->n_places = n;
    for (size_t i = 0; i < n; i++) {
        struct mst_place *p = &c->places[i];

        (void)mst_copy(p->store, sizeof(p->store), stores[i]);
        (void)mst_copy(p->previous, sizeof(p->previous), before[i].sha);
        p->highest = before[i].counter > seen[i] ? before[i].counter : seen[i];
        c->counter = p->highest > c->counter ? p->highest : c->counter;
        if (before[i].asleep) {
            p->highest = before[i].counter; /* the one that was seen sleeps, and is not gone */
        }
        newest = strcmp(before[i].id, before[newest].id) > 0 ? i : newest;
    }
    if (n > 0) {
        (void)mst_copy(c->previous, sizeof(c->previous), before[newest].sha);
    }
    c->counter++;
}

void mst_chain_link(const struct mst_commit *c, const char *store, struct mst_link *out)
{
    (void)mst_copy(out->previous, sizeof(out->previous), c->previous);
    out->counter = c->counter;
    out->placed = false;
    out->highest = 0;
    (void)mst_copy(out->made_for, sizeof(out->made_for), c->n_places ? c->places[0].store : "");
    for (size_t i = 0; i < c->n_places; i++) {
        if (strcmp(c->places[i].store, store) == 0) {
            (void)mst_copy(out->previous, sizeof(out->previous), c->places[i].previous);
            out->placed = true;
            out->highest = c->places[i].highest;
            out->made_for[0] = '\0';
            return;
        }
    }
}

/* Its predecessor stands here. Did the store have a higher number, too, when this one was made? */
static void judge_number(const struct mst_link *l, uint64_t before, char out[200])
{
    if (l->placed && l->highest > before) {
        (void)snprintf(out, 200,
                       "number %llu was in this store before it was made, and was gone already: "
                       "backups were removed, or an older state was put back",
                       (unsigned long long)l->highest);
    }
}

void mst_chain_judge(const struct mst_link *links, size_t n, size_t i, char out[200])
{
    const struct mst_link *l = &links[i];
    bool older = false, asleep = false;

    out[0] = '\0';
    if (!l->good) {
        return;
    }
    if (!*l->previous) {
        judge_number(l, 0, out);
        return;
    }
    for (size_t k = 0; k < n; k++) {
        if (k != i && strcmp(links[k].sha, l->previous) == 0) {
            judge_number(l, links[k].good ? links[k].counter : 0, out);
            return;
        }
        older = older || (k < i && *links[k].sha);
        asleep = asleep || (k < i && links[k].counter == MST_COUNTER_ASLEEP);
    }
    if (asleep) {
        (void)snprintf(out, 200,
                       "whether the backup that was made before it is here is not known: an older "
                       "COMMIT cannot be read (an archive tier, or refused)");
        return;
    }
    if (*l->made_for) {
        (void)snprintf(out, 200,
                       "it was made for the store %.60s and the backup before it there (COMMIT "
                       "%.12s) is not here: whether one is missing here is not known",
                       l->made_for, l->previous);
        return;
    }
    (void)snprintf(out, 200,
                   older ? "the backup that was made before it (COMMIT %.12s) is missing here: it "
                           "was removed, changed or held back"
                         : "the backups before it (COMMIT %.12s and older) are not here any more",
                   l->previous);
}
