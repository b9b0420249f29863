/* config.c: the replica set configuration: from a document, with the server's checks, and back. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "set/set.h"

struct why {
    int *code;
    char *text;
    size_t n;
};

static bool refuse(const struct why *why, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(const struct why *why, int code, const char *fmt, ...)
{
    va_list ap;

    *why->code = code;
    va_start(ap, fmt);
    (void)vsnprintf(why->text, why->n, fmt, ap);
    va_end(ap);
    return false;
}

void sbx_config_defaults(struct sbx_config *c, int fast)
{
    *c = (struct sbx_config){
        .set = "rs0",
        .version = 1,
        .heartbeat_ms = 2000 / fast,
        .heartbeat_timeout_s = 10 / fast,
        .election_timeout_ms = 10000 / fast,
        .catch_up_timeout_ms = -1,
        .catch_up_takeover_delay_ms = 30000 / fast,
        .chaining = true,
    };
}

static bool parse_tags(bson_iter_t *it, struct sbx_member_config *m, const struct why *why)
{
    bson_iter_t tag;

    if (!BSON_ITER_HOLDS_DOCUMENT(it) || !bson_iter_recurse(it, &tag)) {
        return refuse(why, 14, "tags must be an object");
    }
    while (bson_iter_next(&tag)) {
        if (!BSON_ITER_HOLDS_UTF8(&tag) || m->n_tags == SBX_TAGS_MAX) {
            return refuse(why, 14, "tags.%s field has non-string value of type %d",
                          bson_iter_key(&tag), (int)bson_iter_type(&tag));
        }
        (void)mst_copy(m->tags[m->n_tags].key, sizeof m->tags[0].key, bson_iter_key(&tag));
        (void)mst_copy(m->tags[m->n_tags].value, sizeof m->tags[0].value,
                       bson_iter_utf8(&tag, NULL));
        m->n_tags++;
    }
    return true;
}

static bool parse_field(bson_iter_t *it, struct sbx_member_config *m, bool *have,
                        bool *have_priority, const struct why *why)
{
    const char *key = bson_iter_key(it);

    if (strcmp(key, "_id") == 0 && BSON_ITER_HOLDS_NUMBER(it)) {
        m->id = (int)bson_iter_as_int64(it);
        have[0] = true;
    } else if (strcmp(key, "host") == 0 && BSON_ITER_HOLDS_UTF8(it)) {
        (void)mst_copy(m->host, sizeof m->host, bson_iter_utf8(it, NULL));
        have[1] = true;
    } else if (strcmp(key, "arbiterOnly") == 0) {
        m->arbiter = bson_iter_as_bool(it);
    } else if (strcmp(key, "hidden") == 0) {
        m->hidden = bson_iter_as_bool(it);
    } else if (strcmp(key, "buildIndexes") == 0) {
        m->build_indexes = bson_iter_as_bool(it);
    } else if (strcmp(key, "priority") == 0 && BSON_ITER_HOLDS_NUMBER(it)) {
        m->priority = bson_iter_as_double(it);
        *have_priority = true;
    } else if (strcmp(key, "votes") == 0 && BSON_ITER_HOLDS_NUMBER(it)) {
        m->votes = (int)bson_iter_as_int64(it);
    } else if ((strcmp(key, "slaveDelay") == 0 || strcmp(key, "secondaryDelaySecs") == 0) &&
               BSON_ITER_HOLDS_NUMBER(it)) {
        m->delay_s = bson_iter_as_int64(it);
    } else if (strcmp(key, "tags") == 0) {
        return parse_tags(it, m, why);
    } else {
        return refuse(why, 2, "Unexpected field %s in replica set member configuration", key);
    }
    return true;
}

static bool check_member(const struct sbx_member_config *m, const struct why *why)
{
    if (m->priority < 0 || m->priority > 1000) {
        return refuse(why, 2, "priority field value of %g is out of range", m->priority);
    }
    if (m->votes != 0 && m->votes != 1) {
        return refuse(why, 2, "votes field value is %d but must be 0 or 1", m->votes);
    }
    if (m->arbiter && m->votes == 0) {
        return refuse(why, 2, "Arbiter must vote (cannot have 0 votes)");
    }
    if (m->arbiter && m->priority > 0) {
        return refuse(why, 2, "priority must be 0 for arbiters");
    }
    if (m->delay_s < 0 || m->delay_s > 3600 * 24 * 366) {
        return refuse(why, 2, "slaveDelay field value of %lld seconds is out of range",
                      (long long)m->delay_s);
    }
    if (m->votes == 0 && m->priority > 0) {
        return refuse(why, 2, "priority must be 0 when non-voting (votes:0)");
    }
    if (m->delay_s > 0 && m->priority > 0) {
        return refuse(why, 2, "priority must be 0 when slaveDelay is used");
    }
    if (m->hidden && m->priority > 0) {
        return refuse(why, 2, "priority must be 0 when hidden=true");
    }
    if (!m->build_indexes && m->priority > 0) {
        return refuse(why, 2, "priority must be 0 when buildIndexes=false");
    }
    return true;
}

static bool parse_member(const bson_iter_t *at, struct sbx_member_config *m, const struct why *why)
{
    bson_iter_t it;
    bool have[2] = {false, false}, have_priority = false;

    *m = (struct sbx_member_config){.build_indexes = true, .priority = 1, .votes = 1};
    if (!BSON_ITER_HOLDS_DOCUMENT(at) || !bson_iter_recurse(at, &it)) {
        return refuse(why, 14, "Expected a member document");
    }
    while (bson_iter_next(&it)) {
        if (!parse_field(&it, m, have, &have_priority, why)) {
            return false;
        }
    }
    if (m->arbiter && !have_priority) {
        m->priority = 0;
    }
    if (!have[0] || !have[1]) {
        return refuse(why, 4, "Missing expected field \"%s\"", have[0] ? "host" : "_id");
    }
    return true;
}

static void parse_settings(const bson_iter_t *at, struct sbx_config *c)
{
    bson_iter_t it;

    if (!BSON_ITER_HOLDS_DOCUMENT(at) || !bson_iter_recurse(at, &it)) {
        return;
    }
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        const int v = BSON_ITER_HOLDS_NUMBER(&it) ? (int)bson_iter_as_int64(&it) : 0;
        if (strcmp(key, "heartbeatIntervalMillis") == 0 && v > 0) {
            c->heartbeat_ms = v;
        } else if (strcmp(key, "heartbeatTimeoutSecs") == 0 && v > 0) {
            c->heartbeat_timeout_s = v;
        } else if (strcmp(key, "electionTimeoutMillis") == 0 && v > 0) {
            c->election_timeout_ms = v;
        } else if (strcmp(key, "catchUpTimeoutMillis") == 0) {
            c->catch_up_timeout_ms = v;
        } else if (strcmp(key, "catchUpTakeoverDelayMillis") == 0) {
            c->catch_up_takeover_delay_ms = v;
        } else if (strcmp(key, "replicaSetId") == 0 && BSON_ITER_HOLDS_OID(&it)) {
            bson_oid_copy(bson_iter_oid(&it), &c->replica_set_id);
        } else if (strcmp(key, "chainingAllowed") == 0) {
            c->chaining = bson_iter_as_bool(&it);
        }
    }
}

static bool check_all(const struct sbx_config *c, const struct why *why)
{
    int voters = 0;
    bool electable = false;

    if (c->n == 0 || c->set[0] == '\0') {
        return refuse(why, 2, "Replica set configuration must have a name and members");
    }
    for (size_t i = 0; i < c->n; i++) {
        voters += c->members[i].votes;
        electable = electable || c->members[i].priority > 0;
        for (size_t j = 0; j < i; j++) {
            if (c->members[i].id == c->members[j].id ||
                strcmp(c->members[i].host, c->members[j].host) == 0) {
                return refuse(why, 2, "Found two member configurations with the same _id or host");
            }
        }
    }
    if (voters == 0 || voters > SBX_VOTERS_MAX) {
        return refuse(why, 2,
                      "Replica set configuration contains %d voting members, but must be at least "
                      "1 and no more than %d",
                      voters, SBX_VOTERS_MAX);
    }
    return electable || refuse(why, 2,
                               "Replica set configuration must contain at least one non-arbiter "
                               "member with priority > 0");
}

bool sbx_config_check(const struct sbx_config *c, int *code, char *text, size_t n)
{
    const struct why why = {code, text, n};

    for (size_t i = 0; i < c->n; i++) {
        if (!check_member(&c->members[i], &why)) {
            return false;
        }
    }
    return check_all(c, &why);
}

bool sbx_config_parse(const bson_t *doc, struct sbx_config *out, int *code, char *text, size_t n)
{
    return sbx_config_read(doc, out, code, text, n) && sbx_config_check(out, code, text, n);
}

bool sbx_config_read(const bson_t *doc, struct sbx_config *out, int *code, char *text, size_t n)
{
    const struct why why = {code, text, n};
    bson_iter_t it, member;

    out->set[0] = '\0';
    out->n = 0;
    if (!bson_iter_init(&it, doc)) {
        return refuse(&why, 22, "broken document");
    }
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        if (strcmp(key, "_id") == 0 && BSON_ITER_HOLDS_UTF8(&it)) {
            (void)mst_copy(out->set, sizeof out->set, bson_iter_utf8(&it, NULL));
        } else if (strcmp(key, "version") == 0) {
            out->version = (int)bson_iter_as_int64(&it);
        } else if (strcmp(key, "settings") == 0) {
            parse_settings(&it, out);
        } else if (strcmp(key, "members") == 0 && BSON_ITER_HOLDS_ARRAY(&it) &&
                   bson_iter_recurse(&it, &member)) {
            while (bson_iter_next(&member)) {
                if (out->n == SBX_MEMBERS_MAX) {
                    return refuse(&why, 2, "more than %d members", SBX_MEMBERS_MAX);
                }
                if (!parse_member(&member, &out->members[out->n++], &why)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static void append_member(const struct sbx_world *w, const struct sbx_member_config *m, bson_t *out)
{
    bson_t tags;

    BSON_APPEND_INT32(out, "_id", m->id);
    BSON_APPEND_UTF8(out, "host", m->host);
    BSON_APPEND_BOOL(out, "arbiterOnly", m->arbiter);
    BSON_APPEND_BOOL(out, "buildIndexes", m->build_indexes);
    BSON_APPEND_BOOL(out, "hidden", m->hidden);
    BSON_APPEND_DOUBLE(out, "priority", m->priority);
    bson_append_document_begin(out, "tags", -1, &tags);
    for (size_t i = 0; i < m->n_tags; i++) {
        BSON_APPEND_UTF8(&tags, m->tags[i].key, m->tags[i].value);
    }
    bson_append_document_end(out, &tags);
    bson_append_int64(out, w->profile->server == SBX_42 ? "slaveDelay" : "secondaryDelaySecs", -1,
                      m->delay_s);
    BSON_APPEND_INT32(out, "votes", m->votes);
}

static void append_settings(const struct sbx_config *c, bson_t *out)
{
    bson_t modes, defaults;

    BSON_APPEND_BOOL(out, "chainingAllowed", c->chaining);
    BSON_APPEND_INT32(out, "heartbeatIntervalMillis", c->heartbeat_ms);
    BSON_APPEND_INT32(out, "heartbeatTimeoutSecs", c->heartbeat_timeout_s);
    BSON_APPEND_INT32(out, "electionTimeoutMillis", c->election_timeout_ms);
    BSON_APPEND_INT32(out, "catchUpTimeoutMillis", c->catch_up_timeout_ms);
    BSON_APPEND_INT32(out, "catchUpTakeoverDelayMillis", c->catch_up_takeover_delay_ms);
    bson_append_document_begin(out, "getLastErrorModes", -1, &modes);
    bson_append_document_end(out, &modes);
    bson_append_document_begin(out, "getLastErrorDefaults", -1, &defaults);
    BSON_APPEND_INT32(&defaults, "w", 1);
    BSON_APPEND_INT32(&defaults, "wtimeout", 0);
    bson_append_document_end(out, &defaults);
    BSON_APPEND_OID(out, "replicaSetId", &c->replica_set_id);
}

void sbx_config_append(const struct sbx_world *w, const struct sbx_config *c, bson_t *out)
{
    bson_t members, doc;
    char key[16];
    const char *k;

    BSON_APPEND_UTF8(out, "_id", c->set);
    BSON_APPEND_INT32(out, "version", c->version);
    if (w->profile->server != SBX_42) {
        BSON_APPEND_INT64(out, "term", c->term);
    }
    if (w->profile->server == SBX_42) {
        BSON_APPEND_INT64(out, "protocolVersion", 1);
        BSON_APPEND_BOOL(out, "writeConcernMajorityJournalDefault", true);
    }
    bson_append_array_begin(out, "members", -1, &members);
    for (size_t i = 0; i < c->n; i++) {
        bson_uint32_to_string((uint32_t)i, &k, key, sizeof key);
        bson_append_document_begin(&members, k, -1, &doc);
        append_member(w, &c->members[i], &doc);
        bson_append_document_end(&members, &doc);
    }
    bson_append_array_end(out, &members);
    if (w->profile->server != SBX_42) {
        BSON_APPEND_INT64(out, "protocolVersion", 1);
        BSON_APPEND_BOOL(out, "writeConcernMajorityJournalDefault", true);
    }
    bson_append_document_begin(out, "settings", -1, &doc);
    append_settings(c, &doc);
    bson_append_document_end(out, &doc);
}

int sbx_vote_majority(const struct sbx_config *c)
{
    int voters = 0;

    for (size_t i = 0; i < c->n; i++) {
        voters += c->members[i].votes;
    }
    return voters / 2 + 1;
}

int sbx_write_majority(const struct sbx_config *c)
{
    const int majority = sbx_vote_majority(c);
    int bearing = 0;

    for (size_t i = 0; i < c->n; i++) {
        bearing += c->members[i].votes > 0 && !c->members[i].arbiter;
    }
    return majority < bearing ? majority : bearing;
}
