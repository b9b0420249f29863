/* sandbox_kit.h: a simulated set for one test, with short words for what tests ask of it. */
#ifndef MST_TEST_SANDBOX_KIT_H
#define MST_TEST_SANDBOX_KIT_H

#include <string.h>

#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/ctl/ctl.h"
#include "sandbox/run/run.h"
#include "sandbox/set/set.h"
#include "sandbox/wire/client.h"

struct kit {
    struct sbx_world *w;
};

static inline void kit_start(struct kit *k, struct sbx_opts o)
{
    struct mst_err err = {0};

    assert_ok(sbx_world_start(&o, &k->w, &err), &err);
}

static inline void kit_stop(struct kit *k)
{
    sbx_world_stop(k->w);
    k->w = NULL;
}

static inline void kit_connect(struct kit *k, int member, struct sbx_client *c)
{
    struct mst_err err = {0};

    assert_ok(sbx_client_connect(c, "127.0.0.1", sbx_world_port(k->w, (size_t)member), 20000, &err),
              &err);
}

/* A command in JSON with ' for "; its error code, 0 when ok. reply is to be destroyed. */
static inline int kit_run(struct kit *k, int member, const char *db, bson_t *reply,
                          const char *json)
{
    struct sbx_client c;
    struct mst_err err = {0};
    bson_error_t bad;
    char *text = mst_xstrdup(json);

    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    bson_t *cmd = bson_new_from_json((const uint8_t *)text, -1, &bad);
    if (cmd == NULL) {
        fail_msg("%s: %s", json, bad.message);
        return -1;
    }
    kit_connect(k, member, &c);
    const enum mst_rc rc = sbx_client_command(&c, db, cmd, reply, &err);
    if (rc != MST_OK && rc != MST_E_SERVER) {
        fail_msg("%s: %s", json, err.msg);
    }
    sbx_client_close(&c);
    bson_destroy(cmd);
    free(text);
    return rc == MST_OK ? 0 : err.detail != 0 ? err.detail : -1;
}

static inline void kit_hello(struct kit *k, int member, bson_t *reply)
{
    assert_int_equal(kit_run(k, member, "admin", reply, "{'isMaster': 1}"), 0);
}

static inline void kit_status(struct kit *k, int member, bson_t *reply)
{
    assert_int_equal(kit_run(k, member, "admin", reply, "{'replSetGetStatus': 1}"), 0);
}

static inline int64_t kit_int(const bson_t *doc, const char *path)
{
    int64_t v = 0;

    if (!sbx_doc_int(doc, path, &v)) {
        char *text = bson_as_relaxed_extended_json(doc, NULL);
        fail_msg("no number %s in %s", path, text);
    }
    return v;
}

static inline void kit_ctl(struct kit *k, const char *verb, const char *a, const char *b)
{
    const char *words[] = {verb, a, b};
    struct mst_str out = {0};
    struct mst_err err = {0};

    assert_ok(sbx_ctl_verb(k->w, words, a == NULL ? 1u : b == NULL ? 2u : 3u, &out, &err), &err);
    mst_str_release(&out);
}

static inline enum sbx_state kit_state(struct kit *k, int member)
{
    sbx_lock(k->w);
    const enum sbx_state s = k->w->members[member].state;
    sbx_unlock(k->w);
    return s;
}

/* An entry that means nothing, on a primary. */
static inline void kit_noop(struct kit *k, int member)
{
    sbx_lock(k->w);
    (void)sbx_log_noop(&k->w->members[member], "test");
    sbx_unlock(k->w);
}

struct kit_want {
    int a, b;
    int64_t value;
};

static inline bool kit_has_state(struct sbx_world *w, void *arg)
{
    const struct kit_want *q = arg;
    return (int64_t)w->members[q->a].state == q->value;
}

static inline bool kit_wait_state(struct kit *k, int member, enum sbx_state s, int64_t ms)
{
    struct kit_want q = {member, 0, (int64_t)s};
    return sbx_world_wait(k->w, kit_has_state, &q, ms);
}

static inline bool kit_has_term(struct sbx_world *w, void *arg)
{
    const struct kit_want *q = arg;
    return w->members[q->a].term >= q->value;
}

static inline bool kit_wait_term(struct kit *k, int member, int64_t term, int64_t ms)
{
    struct kit_want q = {member, 0, term};
    return sbx_world_wait(k->w, kit_has_term, &q, ms);
}

static inline bool kit_has_opinion(struct sbx_world *w, void *arg)
{
    const struct kit_want *q = arg;
    return (int64_t)w->members[q->a].of[q->b].state == q->value;
}

static inline bool kit_wait_opinion(struct kit *k, int of, int about, enum sbx_state s, int64_t ms)
{
    struct kit_want q = {of, about, (int64_t)s};
    return sbx_world_wait(k->w, kit_has_opinion, &q, ms);
}

static inline bool kit_is_same(struct sbx_world *w, void *arg)
{
    const struct kit_want *q = arg;
    return mst_optime_cmp(w->members[q->a].applied.op, w->members[q->b].applied.op) == 0;
}

static inline bool kit_wait_same(struct kit *k, int a, int b, int64_t ms)
{
    struct kit_want q = {a, b, 0};
    return sbx_world_wait(k->w, kit_is_same, &q, ms);
}

#endif
