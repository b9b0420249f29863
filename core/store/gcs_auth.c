#include "store/gcs_auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conc/thread.h"
#include "store/gcs_login.h"

#define EARLY_MS 300000 /* a new token is got so long before the old one ends */
#define LAST_MS 10000   /* an old one is not used closer to its end than this */
#define METADATA_PATH "/computeMetadata/v1/instance/service-accounts/default/token"

struct mst_gauth {
    struct mst_mutex mtx;
    struct mst_cond turned;
    bool asking;             /* one caller is getting the next token */
    struct mst_secret token; /* under mtx, as what follows */
    int64_t expires_wall_ms; /* of token */
    struct mst_glogin login; /* of the one who asks */
};

static enum mst_rc from_file(struct mst_gauth *a, const char *path, bool workload, bool plain,
                             struct mst_err *err)
{
    const char *what = workload ? "workload identity file" : "service account file";
    struct mst_buf file = {0};
    enum mst_rc rc;

    a->login.kind = workload ? MST_GLOGIN_WORKLOAD : MST_GLOGIN_SERVICE_ACCOUNT;
    (void)snprintf(a->login.source, sizeof(a->login.source), "the %s %.400s", what, path);
    rc = mst_glogin_file(path, what, false, &file, err);
    if (rc == MST_OK) {
        rc = workload ? mst_glogin_workload(file.p, file.len, plain, &a->login, err)
                      : mst_glogin_service_account(file.p, file.len, plain, &a->login, err);
        if (rc != MST_OK) {
            mst_err_prefix(err, "%s cannot be used", a->login.source);
        }
    }
    if (file.p) {
        mst_wipe(file.p, file.len);
    }
    mst_buf_release(&file);
    return rc;
}

static enum mst_rc from_metadata(struct mst_gauth *a, struct mst_err *err)
{
    const char *said = getenv("GCE_METADATA_HOST");
    const char *host = said && *said ? said : "metadata.google.internal";
    char *url = mst_xasprintf("http://%s" METADATA_PATH, host);
    char bare[256];
    enum mst_rc rc = mst_gcall_host(url, true, "GCE_METADATA_HOST", bare, sizeof(bare), err);

    a->login.kind = MST_GLOGIN_METADATA;
    if (rc == MST_OK && strcmp(bare, host) != 0) {
        rc = mst_err_set(err, MST_E_CONFIG, "GCE_METADATA_HOST must be a host, or host:port");
    }
    if (rc == MST_OK) {
        (void)snprintf(a->login.source, sizeof(a->login.source), "the metadata server %s", host);
        (void)mst_copy(a->login.who, sizeof(a->login.who), "the service account of this machine");
        (void)mst_copy(a->login.metadata_url, sizeof(a->login.metadata_url), url);
    }
    free(url);
    return rc;
}

static void from_command(struct mst_gauth *a, const struct mst_cfg_list *argv)
{
    a->login.kind = MST_GLOGIN_COMMAND;
    a->login.argv.n = argv->n;
    a->login.argv.item = mst_xmemdup(argv->item, argv->n * sizeof(*argv->item));
    (void)snprintf(a->login.source, sizeof(a->login.source), "the token command %.400s",
                   argv->item[0]);
    (void)snprintf(a->login.who, sizeof(a->login.who), "whom the command %.200s answers for",
                   argv->item[0]);
}

static enum mst_rc open_source(struct mst_gauth *a, const struct mst_gauth_opts *o,
                               struct mst_err *err)
{
    const bool command = o->token_command && o->token_command->n > 0;
    const int said = (o->service_account_file && *o->service_account_file) +
                     (o->workload_identity_file && *o->workload_identity_file) + command +
                     o->metadata;

    if (said != 1) {
        return mst_err_set(err, MST_E_CONFIG,
                           "%s: one of service_account_file, workload_identity_file, metadata and "
                           "token_command is needed",
                           said ? "more than one kind of credentials" : "no credentials");
    }
    if (o->service_account_file && *o->service_account_file) {
        return from_file(a, o->service_account_file, false, o->http.plain, err);
    }
    if (o->workload_identity_file && *o->workload_identity_file) {
        return from_file(a, o->workload_identity_file, true, o->http.plain, err);
    }
    if (command) {
        from_command(a, o->token_command);
        return MST_OK;
    }
    return from_metadata(a, err);
}

enum mst_rc mst_gauth_new(const struct mst_gauth_opts *o, struct mst_gauth **out,
                          struct mst_err *err)
{
    struct mst_gauth *a = mst_xcalloc(1, sizeof(*a));
    struct mst_http_opts http = o->http;
    enum mst_rc rc;

    *out = NULL;
    mst_mutex_init(&a->mtx);
    mst_cond_init(&a->turned);
    a->login.clock = o->clock;
    a->login.plain = o->http.plain;
    a->login.tries_max = o->tries_max;
    rc = open_source(a, o, err);
    if (rc == MST_OK && a->login.kind != MST_GLOGIN_COMMAND) {
        if (a->login.kind == MST_GLOGIN_METADATA) {
            http.proxy = NULL; /* it is this machine's neighbour and speaks plain http */
            http.plain = true;
            http.connect_ms = http.connect_ms ? http.connect_ms : 2000;
        }
        http.connections = 1;
        rc = mst_http_new(&http, &a->login.http, err);
    }
    if (rc != MST_OK) {
        mst_gauth_free(a);
        return rc;
    }
    *out = a;
    return MST_OK;
}

void mst_gauth_free(struct mst_gauth *a)
{
    if (a) {
        mst_secret_release(&a->token);
        mst_glogin_release(&a->login);
        mst_cond_release(&a->turned);
        mst_mutex_release(&a->mtx);
        free(a);
    }
}

/* Under the lock: is the present token good for so many more milliseconds? */
static bool good(const struct mst_gauth *a, int64_t more_ms)
{
    return a->token.p && a->expires_wall_ms - mst_clock_utc_ms(a->login.clock) > more_ms;
}

static enum mst_rc next_token(struct mst_gauth *a, struct mst_task *task, struct mst_err *err)
{
    struct mst_secret fresh = {0};
    int64_t expires_wall_ms = 0;
    enum mst_rc rc = mst_glogin_ask(&a->login, &fresh, &expires_wall_ms, task, err);

    mst_mutex_lock(&a->mtx);
    a->asking = false;
    if (rc == MST_OK) {
        const struct mst_secret old = a->token;

        a->token = fresh;
        a->expires_wall_ms = expires_wall_ms;
        fresh = old;
    }
    mst_cond_broadcast(&a->turned);
    mst_mutex_unlock(&a->mtx);
    mst_secret_release(&fresh);
    return rc;
}

enum mst_rc mst_gauth_token(struct mst_gauth *a, struct mst_secret *out, struct mst_task *task,
                            struct mst_err *err)
{
    struct mst_secret copy = {0};
    struct mst_err why = {0};
    enum mst_rc rc = MST_OK;
    bool mine;

    mst_mutex_lock(&a->mtx);
    while (a->asking && !good(a, LAST_MS) && !mst_task_cancelled(task)) {
        (void)mst_cond_wait_ms(&a->turned, &a->mtx, 500);
    }
    mine = !a->asking && !good(a, a->login.kind == MST_GLOGIN_COMMAND ? LAST_MS : EARLY_MS);
    a->asking |= mine;
    mst_mutex_unlock(&a->mtx);
    if (mine) {
        rc = next_token(a, task, &why);
    }
    mst_mutex_lock(&a->mtx);
    if (good(a, mine && rc == MST_OK ? 0 : LAST_MS)) {
        mst_secret_set(&copy, a->token.p, a->token.len);
        rc = MST_OK; /* what is there still serves when the next one could not be had */
    } else if (rc == MST_OK && mst_task_cancelled(task)) {
        rc = mst_err_set(&why, MST_E_CANCELLED, "stopped on request");
    } else if (rc == MST_OK) {
        rc = mst_err_set(&why, MST_E_AUTH, "%s gives tokens that have expired already",
                         a->login.source);
    }
    mst_mutex_unlock(&a->mtx);
    if (rc != MST_OK) {
        *err = why;
        return rc;
    }
    mst_secret_release(out);
    *out = copy;
    return MST_OK;
}

void mst_gauth_reject(struct mst_gauth *a, const struct mst_secret *token)
{
    struct mst_secret old = {0};

    mst_mutex_lock(&a->mtx);
    if (a->token.p && token->p && strcmp(a->token.p, token->p) == 0) {
        old = a->token;
        memset(&a->token, 0, sizeof(a->token));
        a->expires_wall_ms = 0;
    }
    mst_mutex_unlock(&a->mtx);
    mst_secret_release(&old);
}

void mst_gauth_who(struct mst_gauth *a, char *who, size_t size, int64_t *expires_wall_ms)
{
    mst_mutex_lock(&a->mtx);
    (void)mst_copy(who, size, a->login.who);
    *expires_wall_ms = a->login.kind == MST_GLOGIN_COMMAND ? 0 : a->expires_wall_ms;
    mst_mutex_unlock(&a->mtx);
}
