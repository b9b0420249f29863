#include "world/world.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

static const struct sbx_profile profiles[] = {
    {SBX_42, "4.2", "4.2.8", {4, 2, 8, 0}, 8, false, false, "4.2"},
    {SBX_70, "7.0", "7.0.14", {7, 0, 14, 0}, 21, true, true, "7.0"},
};

const struct sbx_profile *sbx_profile_find(const char *name)
{
    for (size_t i = 0; i < MST_COUNT(profiles); i++) {
        if (strcmp(profiles[i].name, name) == 0) {
            return &profiles[i];
        }
    }
    return NULL;
}

const char *sbx_state_name(enum sbx_state s)
{
    switch (s) {
    case SBX_STARTUP:
        return "STARTUP";
    case SBX_PRIMARY:
        return "PRIMARY";
    case SBX_SECONDARY:
        return "SECONDARY";
    case SBX_RECOVERING:
        return "RECOVERING";
    case SBX_STARTUP2:
        return "STARTUP2";
    case SBX_ARBITER:
        return "ARBITER";
    case SBX_DOWN:
        return "DOWN";
    case SBX_ROLLBACK:
        return "ROLLBACK";
    case SBX_REMOVED:
        return "REMOVED";
    case SBX_UNKNOWN:
        break;
    }
    return "UNKNOWN";
}

int64_t sbx_mono(const struct sbx_world *w)
{
    return mst_clock_mono_ms(w->clock);
}

int64_t sbx_utc(const struct sbx_world *w)
{
    return mst_clock_utc_ms(w->clock);
}

uint64_t sbx_random(struct sbx_world *w)
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sbx_lock(struct sbx_world *w)
{
    mst_mutex_lock(&w->mu);
}

void sbx_unlock(struct sbx_world *w)
{
    mst_mutex_unlock(&w->mu);
}

void sbx_changed(struct sbx_world *w)
{
    mst_cond_broadcast(&w->changed);
    if (w->observer != NULL) {
        w->observer(w, w->observer_arg);
    }
}

void sbx_conns_close(struct sbx_member *m)
{
    for (struct sbx_conn *c = m->w->conns; c != NULL; c = c->next) {
        if (c->m == m) {
            c->dead = true;
            (void)shutdown(c->fd, SHUT_RDWR);
        }
    }
    sbx_changed(m->w);
}

void sbx_ops_kill(struct sbx_member *m)
{
    m->moves.running = 0;
    for (struct sbx_conn *c = m->w->conns; c != NULL; c = c->next) {
        if (c->m == m && c->op != NULL && c->op_writes && c->killed_op == 0) {
            c->killed_op = 11602;
            m->moves.killed++;
        }
        m->moves.running += c->m == m && c->op != NULL && c->killed_op == 0;
    }
    sbx_changed(m->w);
}

bool sbx_linked(const struct sbx_world *w, size_t a, size_t b)
{
    const struct sbx_member *x = &w->members[a], *y = &w->members[b];

    return x->alive && y->alive && !x->frozen && !y->frozen && !w->cut[a][b];
}

struct sbx_member *sbx_member_by_name(struct sbx_world *w, const char *name)
{
    char number[24];

    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->members[i].host, name) == 0) {
            return &w->members[i];
        }
        (void)snprintf(number, sizeof number, "%d", w->members[i].port);
        if (strcmp(number, name) == 0) {
            return &w->members[i];
        }
    }
    for (size_t i = 0; i < w->n; i++) {
        (void)snprintf(number, sizeof number, "%zu", i);
        if (strcmp(number, name) == 0) {
            return &w->members[i];
        }
    }
    return NULL;
}

const struct sbx_member_config *sbx_member_cfg(const struct sbx_member *m)
{
    return m->has_config ? &m->config.members[m->index] : &m->w->config.members[m->index];
}

void sbx_see_cluster_time(struct sbx_member *m, struct mst_ts ts)
{
    if (mst_ts_cmp(ts, m->cluster_time) > 0) {
        m->cluster_time = ts;
    }
}

struct mst_ts sbx_next_ts(struct sbx_member *m)
{
    const uint32_t now = (uint32_t)(sbx_utc(m->w) / 1000);

    if (now > m->cluster_time.t) {
        m->cluster_time = (struct mst_ts){now, 1};
    } else {
        m->cluster_time.i++;
    }
    return m->cluster_time;
}

void sbx_append_ts(bson_t *b, const char *key, struct mst_ts ts)
{
    bson_append_timestamp(b, key, -1, ts.t, ts.i);
}

void sbx_append_optime(bson_t *b, const char *key, struct mst_optime op)
{
    bson_t sub;

    bson_append_document_begin(b, key, -1, &sub);
    sbx_append_ts(&sub, "ts", op.ts);
    BSON_APPEND_INT64(&sub, "t", op.term);
    bson_append_document_end(b, &sub);
}

void sbx_append_topology_version(const struct sbx_member *m, bson_t *b)
{
    bson_t sub;

    bson_append_document_begin(b, "topologyVersion", -1, &sub);
    BSON_APPEND_OID(&sub, "processId", &m->process);
    BSON_APPEND_INT64(&sub, "counter", m->topology);
    bson_append_document_end(b, &sub);
}

void sbx_append_cluster_time(bson_t *b, struct mst_ts ts, const uint8_t hash[20], int64_t key_id)
{
    bson_t sub, sig;

    bson_append_document_begin(b, "$clusterTime", -1, &sub);
    sbx_append_ts(&sub, "clusterTime", ts);
    bson_append_document_begin(&sub, "signature", -1, &sig);
    BSON_APPEND_BINARY(&sig, "hash", BSON_SUBTYPE_BINARY, hash, 20);
    BSON_APPEND_INT64(&sig, "keyId", key_id);
    bson_append_document_end(&sub, &sig);
    bson_append_document_end(b, &sub);
}
