/* stepdown.c: who would be handed the seat, if the primary stepped down now. */
#include <stdio.h>

#include "base/text.h"
#include "topo/derive.h"

/* Two looks a second apart cannot show less; a second more and it is said to be behind. */
#define CLOSE_MS 2000
#define CATCH_UP_S 10

/* The server's order: the highest priority, then the first in the configuration. */
static bool before(const struct mst_topo_view *v, int a, int b)
{
    return b < 0 || v->members[a].priority > v->members[b].priority;
}

struct ranked { /* the first of its kind by that order; -1 none */
    int ready, unknown, late;
};

static void rank(const struct mst_topo_view *v, struct ranked *r)
{
    *r = (struct ranked){-1, -1, -1};
    for (size_t i = 0; i < v->n; i++) {
        const struct mst_topo_member *m = &v->members[i];
        int *of = m->lag_ms < 0 ? &r->unknown : m->lag_ms > CLOSE_MS ? &r->late : &r->ready;

        if (m->can_win && (int)i != v->primary && before(v, (int)i, *of)) {
            *of = (int)i;
        }
    }
}

static void say_heir(const struct mst_topo_view *v, const struct ranked *r, char out[200])
{
    const struct mst_topo_member *m = &v->members[r->ready], *old = &v->members[v->primary];
    char back[100] = "", lag[32];

    if (r->unknown >= 0 &&
        (v->members[r->unknown].priority > m->priority ||
         (v->members[r->unknown].priority == m->priority && r->unknown < r->ready))) {
        mst_topo_put(out, 200, "%.60s, or %.60s before it, whose lag is not known", m->name,
                     v->members[r->unknown].name);
        return;
    }
    if (old->configured && old->priority > m->priority) {
        mst_topo_put(back, sizeof(back), "; %.60s (priority %g) takes it back later", old->name,
                     old->priority);
    }
    mst_topo_put(out, 200, "%.60s is handed the seat (priority %g, %s behind)%s", m->name,
                 m->priority, mst_text_duration(m->lag_ms, lag), back);
}

int mst_topo_if_stepped_down(const struct mst_topo_view *v, char out[200])
{
    struct ranked r;
    char lag[32];

    out[0] = '\0';
    if (v->primary < 0 || (size_t)v->primary >= v->n) {
        return -1;
    }
    rank(v, &r);
    if (v->votes_total == 0) {
        mst_topo_put(out, 200, "not known: the configuration was not read yet");
    } else if (v->write_majority > 0 && v->data_up < v->write_majority) {
        mst_topo_put(out, 200,
                     "no majority can catch up (%d of %d): writes stop for up to %d s, then the "
                     "server refuses",
                     v->data_up, v->write_majority, CATCH_UP_S);
    } else if (r.ready >= 0) {
        say_heir(v, &r, out);
        return r.ready;
    } else if (r.unknown >= 0) {
        mst_topo_put(out, 200, "not known: the lag of %.60s is not measured",
                     v->members[r.unknown].name);
    } else if (r.late >= 0) {
        mst_topo_put(out, 200,
                     "nobody has caught up: %.60s is %s behind; writes stop for up to %d s, and "
                     "%.60s stays if it does not get there",
                     v->members[r.late].name, mst_text_duration(v->members[r.late].lag_ms, lag),
                     CATCH_UP_S, v->members[v->primary].name);
    } else {
        mst_topo_put(
            out, 200,
            "nobody can take the seat: writes stop for up to %d s, then the server refuses",
            CATCH_UP_S);
    }
    return -1;
}
