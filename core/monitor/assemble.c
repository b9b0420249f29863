#include "monitor/assemble.h"

#include <strings.h>

#include "base/mem.h"
#include "topo/why.h"

/* The newest configuration that a member holds. A forced one raises the version by thousands, so
 * the version alone orders them well enough for a view. */
static const struct mst_probe *newest_config(struct mst_probe *const *probes, size_t n)
{
    const struct mst_probe *best = NULL;

    for (size_t i = 0; i < n; i++) {
        const struct mst_probe *p = probes[i];

        if (p->config.n > 0 &&
            (!best || p->config.version > best->config.version ||
             (p->config.version == best->config.version && p->config.term > best->config.term))) {
            best = p;
        }
    }
    return best;
}

static const struct mst_probe *newest_hello(struct mst_probe *const *probes, size_t n)
{
    const struct mst_probe *best = NULL;

    for (size_t i = 0; i < n; i++) {
        const struct mst_probe *p = probes[i];

        if (p->hello.n_hosts > 0 && (!best || p->hello.set_version > best->hello.set_version)) {
            best = p;
        }
    }
    return best;
}

size_t mst_members_now(struct mst_probe *const *probes, size_t n, char (*names)[MST_HOST_MAX])
{
    const struct mst_probe *p = newest_config(probes, n);
    size_t count = 0;

    if (p) {
        for (; count < p->config.n; count++) {
            (void)mst_copy(names[count], MST_HOST_MAX, p->config.members[count].name);
        }
        return count;
    }
    p = newest_hello(probes, n);
    for (; p && count < p->hello.n_hosts; count++) {
        (void)mst_copy(names[count], MST_HOST_MAX, p->hello.hosts[count]);
    }
    return count;
}

static const struct mst_probe *find_probe(struct mst_probe *const *probes, size_t n,
                                          const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(probes[i]->name, name) == 0) {
            return probes[i];
        }
    }
    return NULL;
}

/* What a login or a look at the commands found wrong outweighs a hello that answers. */
static void judge_reach(const struct mst_probe *p, struct mst_topo_member *m)
{
    if (m->reach != MST_REACH_OK) {
        return;
    }
    if (p->lookalike_text[0]) {
        m->reach = MST_REACH_NOT_REPLSET;
        (void)mst_copy(m->reach_text, sizeof(m->reach_text), p->lookalike_text);
    } else if (p->auth_text[0]) {
        m->reach = MST_REACH_AUTH;
        (void)mst_copy(m->reach_text, sizeof(m->reach_text), p->auth_text);
    }
}

static void take_config(const struct mst_topo_member *from, struct mst_topo_member *m)
{
    m->configured = true;
    m->id = from->id;
    m->priority = from->priority;
    m->votes = from->votes;
    m->hidden = from->hidden;
    m->arbiter = from->arbiter;
    m->builds_indexes = from->builds_indexes;
    m->delay_s = from->delay_s;
    memcpy(m->tags, from->tags, sizeof(m->tags));
}

/* One of what the others got is kept: a refusal says more than silence. */
static void take_message(struct mst_topo_member *of, const struct mst_heard *h, size_t from)
{
    if (h->message[0] &&
        (of->link_from < 0 || (!mst_topo_refusal(of->link_text) && mst_topo_refusal(h->message)))) {
        (void)mst_copy(of->link_text, sizeof(of->link_text), h->message);
        of->link_from = (int)from;
    }
}

static void take_opinions(const struct mst_probe *p, struct mst_topo_view *v, size_t i)
{
    const struct mst_topo_member *m = &v->members[i];

    for (size_t k = 0; k < p->status.n; k++) {
        const struct mst_heard *h = &p->status.heard[k];
        const int j = mst_topo_find(v, h->name);
        struct mst_opinion *o;

        if (j < 0) {
            continue;
        }
        o = &v->members[i].sees[j];
        *o = h->o;
        take_message(&v->members[j], h, i);
        if (h->heartbeat_wall_ms > 0 && m->status_wall_ms >= h->heartbeat_wall_ms) {
            o->heartbeat_age_ms =
                m->status_wall_ms - h->heartbeat_wall_ms + (v->now_mono_ms - m->status_at_ms);
        }
    }
}

/* A seed answered under another name, and that name cannot be reached: say how to map it. */
static void hint_alias(struct mst_probe *const *probes, size_t n, struct mst_topo_member *m)
{
    for (size_t i = 0; i < n; i++) {
        const struct mst_probe *p = probes[i];
        char text[sizeof(m->reach_text)];

        if (p->is_seed && !p->listed && p->facts.reach == MST_REACH_OK && p->hello.me[0] &&
            strcasecmp(p->hello.me, m->name) == 0 && strcasecmp(p->name, m->name) != 0) {
            (void)snprintf(text, sizeof(text), "%.130s; %.50s is this member: map its name to it",
                           m->reach_text, p->name);
            (void)mst_copy(m->reach_text, sizeof(m->reach_text), text);
            return;
        }
    }
}

static void take_set(struct mst_probe *const *probes, size_t n, struct mst_topo_view *v)
{
    const struct mst_probe *c = newest_config(probes, n);
    const char *set = n > 0 ? probes[0]->all->set_name : "";
    bool newer = false;

    (void)mst_copy(v->set_name, sizeof(v->set_name), set);
    v->set_name_known = set[0] != '\0';
    for (size_t i = 0; i < n; i++) {
        v->sharded = v->sharded || probes[i]->sharded;
        newer = newer || probes[i]->facts.max_wire >= 9; /* 4.4: configurations have a term */
        if (!c && probes[i]->config_missing[0]) {
            (void)mst_copy(v->config_missing, sizeof(v->config_missing), probes[i]->config_missing);
        }
    }
    v->config_version = c ? c->config.version : -1;
    v->config_at_ms = c ? c->config_at_ms : 0;
    v->election_timeout_ms = c ? c->config.election_timeout_ms : 0;
    v->config_forced = c && newer && c->config.term < 0;
}

void mst_assemble(struct mst_probe *const *probes, size_t n, const char (*names)[MST_HOST_MAX],
                  size_t n_names, int64_t mono_ms, int64_t wall_ms, struct mst_topo_view *v)
{
    const struct mst_probe *c = newest_config(probes, n);
    const size_t want = n_names > 0 ? n_names : n;

    memset(v, 0, sizeof(*v));
    v->now_mono_ms = mono_ms;
    v->now_wall_ms = wall_ms;
    v->primary = -1;
    v->term = -1;
    take_set(probes, n, v);
    v->members = mst_xcalloc(want > 0 ? want : 1, sizeof(*v->members));
    v->n = want;
    for (size_t i = 0; i < want; i++) {
        const struct mst_probe *p = n_names > 0 ? find_probe(probes, n, names[i]) : probes[i];
        struct mst_topo_member *m = &v->members[i];

        if (p) {
            *m = p->facts;
            judge_reach(p, m);
        } else {
            mst_member_init(m, names[i], NULL);
        }
        for (size_t k = 0; c && k < c->config.n; k++) {
            if (strcasecmp(c->config.members[k].name, m->name) == 0) {
                take_config(&c->config.members[k], m);
            }
        }
        if (m->reach == MST_REACH_REFUSED || m->reach == MST_REACH_SILENT) {
            hint_alias(probes, n, m);
        }
    }
    for (size_t i = 0; i < want; i++) {
        const struct mst_probe *p = find_probe(probes, n, v->members[i].name);

        if (p) {
            take_opinions(p, v, i);
        }
    }
}
