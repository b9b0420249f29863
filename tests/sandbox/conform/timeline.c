#include "timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "set/set.h"

static void add(struct timeline *t, const struct moment *m)
{
    const struct moment *last = t->n > 0 ? &t->at[t->n - 1] : NULL;

    if (t->n < TIMELINE_MAX && (last == NULL || strcmp(last->state, m->state) != 0 ||
                                last->writable != m->writable || last->term != m->term)) {
        t->at[t->n++] = *m;
    }
}

/* Its next heartbeat tells a member what another one is now, and one is always due in time. */
static void look_at_opinion(struct watcher *k, size_t a, size_t b)
{
    const struct sbx_opinion *o = &k->w->members[a].of[b];
    const int64_t beat = k->w->config.heartbeat_ms;

    if (!k->w->members[a].has_config || !sbx_linked(k->w, a, b) || o->asking ||
        o->last_ok_mono <= k->since_mono[b]) {
        return;
    }
    if (o->next_ask_mono > o->last_ok_mono + beat) {
        mst_str_addf(&k->late, "%zu asks %zu too late; ", a, b);
    }
    if (k->owed[a][b]) {
        k->owed[a][b] = false;
        k->followed++;
        if (o->state != k->state[b] || !o->up) {
            mst_str_addf(&k->late, "%zu takes %zu for %s, which is %s; ", a, b,
                         sbx_state_name(o->state), sbx_state_name(k->state[b]));
        }
    }
}

static void look(struct sbx_world *w, void *arg)
{
    struct watcher *k = arg;

    for (size_t i = 0; i < w->n; i++) {
        const struct sbx_member *m = &w->members[i];
        struct moment now = {.writable = m->alive && m->writable, .term = m->term};

        mst_copy(now.state, sizeof now.state, m->alive ? sbx_state_name(m->state) : "DOWN");
        if (!m->frozen && m->alive && m->has_config) {
            add(&k->of[i], &now);
        }
        if (k->since_mono[i] == 0 || m->state != k->state[i]) {
            k->state[i] = m->state;
            k->since_mono[i] = sbx_mono(w);
            for (size_t j = 0; j < w->n; j++) {
                k->owed[j][i] = m->alive && j != i;
            }
        }
    }
    for (size_t i = 0; i < w->n; i++) {
        for (size_t j = 0; j < w->n; j++) {
            if (i != j) {
                look_at_opinion(k, i, j);
            }
        }
    }
}

void watcher_start(struct watcher *k, struct sbx_world *w)
{
    memset(k, 0, sizeof *k);
    k->w = w;
    sbx_lock(w);
    look(w, k);
    w->observer = look;
    w->observer_arg = k;
    sbx_unlock(w);
}

void watcher_stop(struct watcher *k)
{
    sbx_lock(k->w);
    look(k->w, k);
    k->w->observer = NULL;
    sbx_unlock(k->w);
}

void watcher_release(struct watcher *k)
{
    mst_str_release(&k->late);
}

/* "(10, 'PRIMARY', 1.0)" in the list of states, for the member itself. */
static bool own_state(const char *list, int id, char *out, size_t size)
{
    char head[32];
    const char *at, *end;

    (void)snprintf(head, sizeof head, "(%d, '", id);
    at = strstr(list, head);
    if (at == NULL) {
        return false;
    }
    at += strlen(head);
    end = strchr(at, '\'');
    (void)snprintf(out, size, "%.*s", (int)(end - at), at);
    return true;
}

static void recorded(const struct play *p, int port, int id, int from, int to, struct timeline *t)
{
    for (int i = from; i <= to && i <= p->n; i++) {
        const struct play_line *l = &p->lines[i - 1];
        const char *list = l->is_view ? sbx_doc_str(&l->view, "states_seen") : NULL;
        struct moment m = {.writable = false};

        if (l->is_view && l->member == port && list != NULL &&
            sbx_doc_int(&l->view, "term", &m.term) &&
            own_state(list, id, m.state, sizeof m.state)) {
            m.writable = sbx_doc_true(&l->view, "ismaster");
            add(t, &m);
        }
    }
}

static bool same(const struct moment *a, const struct moment *b)
{
    return strcmp(a->state, b->state) == 0 && a->writable == b->writable && a->term == b->term;
}

/* In how many terms was it writable? A failed step down is writable again in the same one. */
static unsigned terms(const struct timeline *t, size_t from)
{
    unsigned n = 0;
    int64_t last = -2;

    for (size_t i = from; i < t->n; i++) {
        n += t->at[i].writable && t->at[i].term != last;
        last = t->at[i].writable ? t->at[i].term : last;
    }
    return n;
}

static void show(const struct timeline *t, struct mst_str *s)
{
    for (size_t i = 0; i < t->n; i++) {
        mst_str_addf(s, " %s%s:%lld", t->at[i].state, t->at[i].writable ? "(w)" : "",
                     (long long)t->at[i].term);
    }
}

static void check_one(struct play *p, int port, const struct timeline *want,
                      const struct timeline *got)
{
    struct mst_str a = {0}, b = {0};
    size_t at = 0, hit = 0, first = 0;
    const char *why = NULL;

    for (size_t i = 0; i < got->n && hit < want->n; i++) {
        if (same(&want->at[hit], &got->at[i])) {
            first = hit == 0 ? i : first;
            hit++;
            at = i;
        }
    }
    if (want->n > 0 && hit < want->n) {
        why = "moments are missing";
    } else if (want->n > 0 && at + 1 != got->n) {
        why = "it went on";
    } else if (want->n > 0 && terms(want, 0) != terms(got, first)) {
        why = "reigns differ";
    }
    if (why != NULL) {
        show(want, &a);
        show(got, &b);
        conf_note(p->conf, "timeline of %d: %s: recorded%s; got%s", port, why, mst_str_c(&a),
                  mst_str_c(&b));
        p->conf->failed++;
    }
    mst_str_release(&a);
    mst_str_release(&b);
}

unsigned timeline_check(struct play *p, const struct watcher *k, int from, int to)
{
    unsigned n = 0;

    p->conf->file = p->file;
    p->conf->line = from;
    p->conf->command = "view";
    p->conf->silent = false;
    for (int i = 0; i < PLAY_MEMBERS; i++) {
        const size_t index = p->index_of[i];
        struct timeline want = {.n = 0};

        recorded(p, PLAY_FIRST_PORT + i, p->w->config.members[index].id, from, to, &want);
        check_one(p, PLAY_FIRST_PORT + i, &want, &k->of[index]);
        n += (unsigned)want.n;
    }
    if (k->late.len > 0) {
        conf_note(p->conf, "opinions did not follow: %s", mst_str_c(&k->late));
        p->conf->failed++;
    }
    return n;
}

struct expected {
    struct play *p;
    int line;
};

static bool member_is(const struct play *p, const struct sbx_member *m,
                      const struct play_line *view)
{
    const char *list = sbx_doc_str(&view->view, "states_seen");
    const char *primary = sbx_doc_str(&view->view, "primary");
    const int seen = sbx_primary_seen(m);
    char state[24];
    int64_t term = 0;

    if (list == NULL || !sbx_doc_int(&view->view, "term", &term) ||
        !own_state(list, p->w->config.members[m->index].id, state, sizeof state)) {
        return true;
    }
    if (strcmp(state, sbx_state_name(m->state)) != 0 || term != m->term ||
        sbx_doc_true(&view->view, "ismaster") != m->writable) {
        return false;
    }
    if (primary == NULL) {
        return true; /* it has not heard yet, or heard it is over: which comes first is chance */
    }
    return seen >= 0 &&
           (size_t)seen ==
               p->index_of[strtol(strrchr(primary, ':') + 1, NULL, 10) - PLAY_FIRST_PORT];
}

static bool as_expected(struct sbx_world *w, void *arg)
{
    const struct expected *e = arg;

    for (int i = 0; i < PLAY_MEMBERS; i++) {
        const struct sbx_member *m = &w->members[e->p->index_of[i]];
        const struct play_line *last = NULL;

        for (int n = 1; n < e->line; n++) {
            const struct play_line *l = &e->p->lines[n - 1];

            if (l->is_view && l->member == PLAY_FIRST_PORT + i) {
                last = l;
            }
        }
        if (last != NULL && m->alive && !m->frozen && !member_is(e->p, m, last)) {
            return false;
        }
    }
    return true;
}

bool timeline_await(struct play *p, int line, int64_t ms)
{
    struct expected e = {p, line};

    return sbx_world_wait(p->w, as_expected, &e, ms);
}
