/* From the configuration to what the modules below take. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/inner.h"

void mst_wire_release(struct wire *w)
{
    free(w->seeds);
    free(w->dial);
    mst_secret_release(&w->tls.cert_password);
    memset(w, 0, sizeof(*w));
}

enum mst_rc mst_wire_uri(struct wire *w, const char *uri, struct mst_err *err)
{
    struct mst_uri *u = mst_xcalloc(1, sizeof(*u));
    enum mst_rc rc = mst_uri_parse(uri, u, err);

    if (rc == MST_OK) {
        (void)mst_copy(w->set_name, sizeof(w->set_name), u->set_name);
        (void)mst_copy(w->srv_host, sizeof(w->srv_host), u->srv ? u->srv_host : "");
        w->n_seeds = u->n_hosts;
        w->seeds = mst_xcalloc(u->n_hosts + 1, sizeof(w->seeds[0]));
        memcpy(w->seeds, u->hosts, u->n_hosts * sizeof(w->seeds[0]));
        w->tls.on = u->tls;
        (void)mst_copy(w->tls.ca_file, sizeof(w->tls.ca_file), u->ca_file);
        (void)mst_copy(w->tls.cert_file, sizeof(w->tls.cert_file), u->cert_file);
    }
    free(u);
    return rc;
}

enum mst_rc mst_wire_cfg(struct wire *w, const struct mst_cfg *cfg, struct mst_err *err)
{
    if (cfg->uri[0]) {
        return mst_wire_uri(w, cfg->uri, err);
    }
    (void)mst_copy(w->set_name, sizeof(w->set_name), cfg->set.name);
    (void)mst_copy(w->srv_host, sizeof(w->srv_host), cfg->set.srv);
    w->seeds = mst_xcalloc(cfg->set.members.n + 1, sizeof(w->seeds[0]));
    for (size_t i = 0; i < cfg->set.members.n; i++) {
        if (!mst_addr_normal(cfg->set.members.item[i], w->seeds[w->n_seeds++])) {
            return mst_err_set(err, MST_E_CONFIG, "set.members: \"%s\" is no host:port",
                               cfg->set.members.item[i]);
        }
    }
    w->dial = mst_xcalloc(cfg->set.n_dial + 1, sizeof(w->dial[0]));
    for (size_t i = 0; i < cfg->set.n_dial; i++) {
        if (!mst_addr_normal(cfg->set.dial[i].name, w->dial[i].name) ||
            !mst_addr_normal(cfg->set.dial[i].address, w->dial[i].dial)) {
            return mst_err_set(err, MST_E_CONFIG, "set.dial: \"%s\" or \"%s\" is no host:port",
                               cfg->set.dial[i].name, cfg->set.dial[i].address);
        }
        w->n_dial++;
    }
    w->tls.on = cfg->set.tls.on;
    (void)mst_copy(w->tls.ca_file, sizeof(w->tls.ca_file), cfg->set.tls.ca_file);
    (void)mst_copy(w->tls.cert_file, sizeof(w->tls.cert_file), cfg->set.tls.cert_file);
    return cfg->set.tls.cert_password_file[0]
               ? mst_secret_from_file(&w->tls.cert_password, cfg->set.tls.cert_password_file, err)
               : MST_OK;
}

/* A URI's user with the password that was named for it. */
static enum mst_rc uri_cred(const char *uri, const struct mst_cfg_cred *base, enum mst_cred_act act,
                            mst_cfg_ask_fn *ask, void *arg, struct mst_cred *out, bool *has,
                            struct mst_err *err)
{
    struct mst_uri *u = mst_xcalloc(1, sizeof(*u));
    struct mst_cfg_cred how = *base;
    enum mst_rc rc = mst_uri_parse(uri, u, err);

    if (rc == MST_OK && (u->user[0] || u->mech == MST_MECH_X509)) {
        *has = true;
        out->mech = u->mech;
        (void)mst_copy(out->user, sizeof(out->user), u->user);
        (void)mst_copy(out->source, sizeof(out->source), u->auth_source);
        (void)mst_copy(how.user, sizeof(how.user), u->user);
        (void)mst_copy(how.mechanism, sizeof(how.mechanism),
                       u->mech == MST_MECH_X509 ? "MONGODB-X509" : "");
        rc = mst_cfg_password(&how, act, ask, arg, &out->password, err);
    }
    free(u);
    return rc;
}

enum mst_rc mst_wire_cred(const struct mst_cfg *cfg, enum mst_cred_act act, mst_cfg_ask_fn *ask,
                          void *arg, struct mst_cred *out, bool *has, struct mst_err *err)
{
    const struct mst_cfg_cred *c;

    *has = false;
    if (cfg->uri[0]) {
        return uri_cred(cfg->uri, &cfg->set.cred[MST_CRED_VIEW], act, ask, arg, out, has, err);
    }
    c = mst_cfg_cred(cfg, act);
    if (!c) {
        return MST_OK;
    }
    *has = true;
    out->mech = MST_MECH_SCRAM;
    if (c->mechanism[0] && mst_mech_parse(c->mechanism, &out->mech, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_copy(out->user, sizeof(out->user), c->user);
    (void)mst_copy(out->source, sizeof(out->source), c->source);
    return mst_cfg_password(c, act, ask, arg, &out->password, err);
}

enum mst_rc mst_wire_cred_for(const struct mst_cfg *cfg, enum mst_cred_act act, const char *uri,
                              mst_cfg_ask_fn *ask, void *arg, struct mst_cred *out, bool *has,
                              struct mst_err *err)
{
    const struct mst_cfg_cred *base = mst_cfg_cred(cfg, act);
    enum mst_rc rc = MST_OK;

    *has = false;
    if (uri[0]) {
        rc = uri_cred(uri, base ? base : &cfg->set.cred[act], act, ask, arg, out, has, err);
    }
    return rc == MST_OK && !*has ? mst_wire_cred(cfg, act, ask, arg, out, has, err) : rc;
}

void mst_wire_key(const struct mst_cfg *cfg, const struct wire *w, char *out, size_t size)
{
    const bool labelled = cfg->set.label[0] && strcmp(cfg->set.label, cfg->set.name) != 0;
    const char *seed = w->n_seeds > 0 ? w->seeds[0] : w->srv_host;
    char text[600];
    size_t n = 0;

    /* Many sets are called rs0: without a label of its own the first seed tells them apart. */
    (void)snprintf(text, sizeof(text), "%s%s%s", labelled ? cfg->set.label : w->set_name,
                   labelled ? "" : "@", labelled ? "" : seed);
    for (const char *p = text; *p && n + 4 < size; p++) {
        if (isalnum((unsigned char)*p) || strchr("-_@", *p) || (*p == '.' && n > 0)) {
            out[n++] = *p;
        } else {
            n += (size_t)snprintf(out + n, size - n, "%%%02X", (unsigned)(unsigned char)*p);
        }
    }
    out[n] = '\0';
}

enum mst_rc mst_reach_member(void *arg, const char *member, bool login, const char *app,
                             int64_t connect_ms, struct mst_task *task, struct mst_conn **out,
                             struct mst_err *err)
{
    struct reach *r = arg;
    struct mst_conn_opts o = {.check_me = true,
                              .set_name = r->wire->set_name,
                              .tls = r->wire->tls,
                              .cred = login && r->has_cred ? &r->cred : NULL,
                              .app = app,
                              .connect_ms = connect_ms,
                              .task = task};

    (void)mst_copy(o.name, sizeof(o.name), member);
    for (size_t i = 0; i < r->wire->n_dial; i++) {
        if (strcmp(r->wire->dial[i].name, member) == 0) {
            (void)mst_copy(o.dial, sizeof(o.dial), r->wire->dial[i].dial);
        }
    }
    return mst_conn_open(&o, out, err);
}

enum mst_rc mst_reach_connect(void *arg, const char *member, const char *app, struct mst_task *task,
                              struct mst_conn **out, struct mst_err *err)
{
    return mst_reach_member(arg, member, true, app, 0, task, out, err);
}

void mst_reach_release(struct reach *r)
{
    if (r) {
        mst_wire_release(&r->own);
        mst_secret_release(&r->cred.password);
        free(r);
    }
}

enum mst_rc mst_reach_primary(struct reach *r, struct mst_task *task, char out[MST_HOST_MAX],
                              struct mst_err *err)
{
    enum mst_rc rc = mst_err_set(err, MST_E_NET, "no member is named");

    for (size_t i = 0; i < r->wire->n_seeds; i++) {
        struct mst_conn *c = NULL;
        const char *seed = r->wire->seeds[i];

        struct mst_conn_opts o = {.set_name = r->wire->set_name, .tls = r->wire->tls, .task = task};

        (void)mst_copy(o.name, sizeof(o.name), seed);
        rc = mst_conn_open(&o, &c, err);
        if (rc == MST_OK) {
            const bool found = mst_bson_text(mst_conn_hello(c), "primary", out, MST_HOST_MAX);

            mst_conn_free(c);
            if (found) {
                return MST_OK;
            }
            rc = mst_err_set(err, MST_E_PRECOND, "%s knows no primary of its set", seed);
        }
    }
    return rc;
}
