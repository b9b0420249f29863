/* reconfig.c: from one configuration to the next: which is newer, what may follow what, who has it.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "set/internal.h"

int sbx_config_cmp(const struct sbx_world *w, const struct sbx_config *a,
                   const struct sbx_config *b)
{
    if (w->profile->server != SBX_42 && a->term != b->term) {
        return a->term < b->term ? -1 : 1;
    }
    return a->version < b->version ? -1 : a->version > b->version;
}

void sbx_config_install(struct sbx_member *m, const struct sbx_config *c)
{
    m->config = *c;
    m->takeover_due_mono = 0;
    if (m->state == SBX_SECONDARY) {
        sbx_election_restart_timer(m);
    }
    if (sbx_config_cmp(m->w, c, &m->w->config) > 0) {
        m->w->config = *c;
    }
    m->topology++;
    sbx_changed(m->w);
}

static bool refuse(char *why, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool refuse(char *why, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, n, fmt, ap);
    va_end(ap);
    return false;
}

static bool same_set(const struct sbx_config *old, const struct sbx_config *next, char *why,
                     size_t n)
{
    char a[25], b[25];

    if (strcmp(old->set, next->set) != 0) {
        return refuse(why, n,
                      "New and old configurations differ in replica set name; old was %s, and new "
                      "is %s",
                      old->set, next->set);
    }
    if (!bson_oid_equal(&old->replica_set_id, &next->replica_set_id)) {
        bson_oid_to_string(&old->replica_set_id, a);
        bson_oid_to_string(&next->replica_set_id, b);
        return refuse(
            why, n,
            "New and old configurations differ in replica set ID; old was %s, and new is %s", a, b);
    }
    if (next->version <= old->version) {
        return refuse(why, n,
                      "New replica set configuration version must be greater than old, but %d is "
                      "not greater than %d for replica set %s",
                      next->version, old->version, next->set);
    }
    return true;
}

/* What a member is cannot change while it stays. */
static bool same_kinds(const struct sbx_config *old, const struct sbx_config *next, char *why,
                       size_t n)
{
    for (size_t i = 0; i < next->n; i++) {
        const struct sbx_member_config *a = &old->members[i], *b = &next->members[i];
        const char *field = a->build_indexes != b->build_indexes ? "buildIndexes"
                            : a->arbiter != b->arbiter           ? "arbiterOnly"
                                                                 : NULL;

        if (field != NULL) {
            return refuse(why, n,
                          "New and old configurations differ in the setting of the %s field for "
                          "member %s; to make this change, remove then re-add the member",
                          field, b->host);
        }
    }
    return true;
}

static int voters_changed(const struct sbx_config *old, const struct sbx_config *next)
{
    int n = 0;

    for (size_t i = 0; i < next->n; i++) {
        n += (old->members[i].votes > 0) != (next->members[i].votes > 0);
    }
    return n;
}

bool sbx_config_may_follow(const struct sbx_member *m, const struct sbx_config *next, char *why,
                           size_t n)
{
    const struct sbx_config *old = &m->config;
    const struct sbx_member_config *self = &next->members[m->index];

    if (!same_set(old, next, why, n) || !same_kinds(old, next, why, n)) {
        return false;
    }
    if (m->w->profile->server != SBX_42 && voters_changed(old, next) > 1) {
        return refuse(why, n,
                      "Non force replica set reconfig can only add or remove at most 1 voting "
                      "member");
    }
    if (self->priority <= 0) {
        return refuse(why, n,
                      "This node, %s, with _id %d is not electable under the new configuration "
                      "version %d for replica set %s",
                      self->host, self->id, next->version, next->set);
    }
    return true;
}

void sbx_reconfigure(struct sbx_member *m, const struct sbx_config *next)
{
    struct sbx_config c = *next;
    bson_t op = BSON_INITIALIZER, o;

    c.term = m->w->profile->server == SBX_42 ? 0 : m->term;
    m->config_op = m->applied.op;
    sbx_config_install(m, &c);
    BSON_APPEND_UTF8(&op, "op", "n");
    BSON_APPEND_UTF8(&op, "ns", "");
    BSON_APPEND_DOCUMENT_BEGIN(&op, "o", &o);
    BSON_APPEND_UTF8(&o, "msg", "Reconfig set");
    BSON_APPEND_INT32(&o, "version", c.version);
    bson_append_document_end(&op, &o);
    (void)sbx_log_server(m, &op);
    bson_destroy(&op);
    sbx_beat_soon(m);
}

bool sbx_config_committed(const struct sbx_member *m, bool with_ops)
{
    const struct sbx_config *c = &m->config;
    int n = 0;

    for (size_t i = 0; i < c->n; i++) {
        const struct sbx_opinion *o = &m->of[i];
        const bool has =
            i == m->index || (o->up && o->config_version == c->version &&
                              (m->w->profile->server == SBX_42 || o->config_term == c->term));
        n += has && c->members[i].votes > 0;
    }
    return n >= sbx_vote_majority(c) &&
           (!with_ops || mst_optime_cmp(m->committed.op, m->config_op) >= 0);
}
