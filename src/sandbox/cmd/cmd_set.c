/* cmd_set.c: the configuration, and the rollback id. */
#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/facts.h"
#include "set/set.h"
#include "wire/client.h"

static void cmd_get_config(struct sbx_call *c)
{
    bson_t doc;

    if (!sbx_need_config(c)) {
        return;
    }
    bson_append_document_begin(c->reply, "config", -1, &doc);
    sbx_config_append(c->w, &c->m->config, &doc);
    bson_append_document_end(c->reply, &doc);
    if (c->w->profile->server != SBX_42 && sbx_doc_true(c->cmd, "commitmentStatus")) {
        if (!c->m->writable) {
            sbx_fail(c, 10107, "commitmentStatus is only supported on primary.");
            return;
        }
        BSON_APPEND_BOOL(c->reply, "commitmentStatus", sbx_config_committed(c->m, true));
    }
}

static void cmd_initiate(struct sbx_call *c)
{
    struct sbx_config cfg;
    bson_iter_t it;
    bson_t doc;
    const uint8_t *p;
    uint32_t n;
    int code = 0;
    char why[256];

    if (c->m->has_config) {
        sbx_fail(c, 23, "already initialized");
        return;
    }
    if (!bson_iter_init_find(&it, c->cmd, "replSetInitiate") || !BSON_ITER_HOLDS_DOCUMENT(&it)) {
        sbx_fail(c, 14, "replSetInitiate needs a configuration document");
        return;
    }
    bson_iter_document(&it, &n, &p);
    if (!bson_init_static(&doc, p, n)) {
        sbx_fail(c, 22, "broken document");
        return;
    }
    sbx_config_defaults(&cfg, c->w->fast);
    cfg.version = 1;
    if (!sbx_config_parse(&doc, &cfg, &code, why, sizeof why)) {
        sbx_fail(c, code, "%s", why);
        return;
    }
    if (cfg.n != c->w->n) {
        sbx_fail(c, 74, "this sandbox has %zu members, the configuration %zu", c->w->n, cfg.n);
        return;
    }
    for (size_t i = 0; i < cfg.n; i++) {
        if (strcmp(cfg.members[i].host, c->w->members[i].host) != 0 ||
            cfg.members[i].arbiter != (c->w->members[i].data == NULL)) {
            sbx_fail(c, 74,
                     "No host described in new configuration %d for replica set %s maps to "
                     "member %zu of this sandbox",
                     cfg.version, cfg.set, i);
            return;
        }
    }
    sbx_set_initiate(c->m, &cfg);
}

static void cmd_rbid(struct sbx_call *c)
{
    if (sbx_need_config(c)) {
        BSON_APPEND_INT32(c->reply, "rbid", (int32_t)c->m->rbid);
    }
}

const struct sbx_cmd sbx_cmds_set[] = {
    {"replSetGetConfig", cmd_get_config, SBX_CMD_ADMIN, NULL},
    {"replSetInitiate", cmd_initiate, SBX_CMD_ADMIN, NULL},
    {"replSetGetRBID", cmd_rbid, SBX_CMD_ADMIN, NULL},
    {0},
};
