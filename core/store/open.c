#include "store/open.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/creds.h"
#include "store/gcs.h"
#include "store/s3_own.h"

#define TAGS_MAX 3000U /* of a header */

static const char *or_null(const char *s)
{
    return *s ? s : NULL;
}

/* "a=b&c=d", as a query has it. */
static enum mst_rc join_tags(const struct mst_cfg_store *c, struct mst_str *out,
                             struct mst_err *err)
{
    for (size_t i = 0; i < c->tags.n; i++) {
        const size_t name = strcspn(c->tags.item[i], "=");
        char word[MST_CFG_WORD];

        (void)mst_copy(word, sizeof(word), c->tags.item[i]);
        mst_str_add(out, i ? "&" : "");
        word[name] = '\0';
        mst_sig_encode(word, false, out);
        mst_str_addc(out, '=');
        mst_sig_encode(c->tags.item[i][name] ? c->tags.item[i] + name + 1 : "", false, out);
    }
    return out->len < TAGS_MAX
               ? MST_OK
               : mst_err_set(err, MST_E_CONFIG, "the tags of the store %s are more than %u bytes",
                             c->name, TAGS_MAX);
}

static enum mst_rc open_s3(const struct mst_cfg_store *c, const struct mst_store_marks *marks,
                           const struct mst_secret *login, bool write, struct mst_store **out,
                           struct mst_err *err)
{
    const struct mst_s3_conf conf = {
        .name = c->name,
        .profile = c->profile[0] ? c->profile : (c->endpoint[0] ? "other" : "aws"),
        .endpoint = or_null(c->endpoint),
        .region = or_null(c->region),
        .bucket = c->bucket,
        .prefix = c->prefix,
        .ca_file = or_null(c->ca_file),
        .proxy = or_null(c->proxy),
        .proxy_login = login,
        .storage_class = or_null(c->storage_class),
        .sse = or_null(c->sse),
        .sse_key = or_null(c->sse_key),
        .marks = *marks,
        .region_kept = c->region_kept,
        .path_style = c->path_style,
        .plain = c->plain_http,
        .single_writer = c->single_writer,
        .write = write,
        .rate_bytes_per_s = (uint64_t)c->rate_bytes_per_s,
        .part_bytes = (uint64_t)c->part_bytes,
        .connections = (unsigned)c->connections,
        .login = mst_creds_login,
        .login_arg = mst_creds_new(c),
        .login_free = mst_creds_free,
    };

    return mst_store_s3_open(&conf, out, err);
}

static enum mst_rc open_gcs(const struct mst_cfg_store *c, const struct mst_store_marks *marks,
                            const struct mst_secret *login, bool write, struct mst_store **out,
                            struct mst_err *err)
{
    const struct mst_http_opts http = {.ca_file = or_null(c->ca_file),
                                       .proxy = or_null(c->proxy),
                                       .proxy_login = login,
                                       .plain = c->plain_http,
                                       .rate_bytes_per_s = (uint64_t)c->rate_bytes_per_s};
    const struct mst_gcs_opts o = {.bucket = c->bucket,
                                   .prefix = c->prefix,
                                   .endpoint = c->endpoint,
                                   .storage_class = c->storage_class,
                                   .region = c->region_kept ? c->region : NULL,
                                   .marks = *marks,
                                   .write = write,
                                   /* Google's does; others that speak its API may not. */
                                   .ask_first = c->endpoint[0] != '\0' &&
                                                strcmp(c->endpoint, MST_GCS_ENDPOINT) != 0,
                                   .chunk_bytes = (size_t)c->chunk_bytes,
                                   .http = http};
    struct mst_gauth_opts a = {.service_account_file = c->service_account_file,
                               .workload_identity_file = c->workload_identity_file,
                               .token_command = &c->token_command,
                               .metadata = c->metadata,
                               .http = http};
    struct mst_gauth *auth = NULL;

    a.http.rate_bytes_per_s = 0;
    if (mst_gauth_new(&a, &auth, err) != MST_OK) {
        mst_err_prefix(err, "the store %s", c->name);
        return err->rc;
    }
    return mst_store_gcs_open_take(c->name, &o, auth, out, err);
}

enum mst_rc mst_store_open(const struct mst_cfg_store *cfg, bool write, struct mst_store **out,
                           struct mst_err *err)
{
    struct mst_str tags = {0};
    struct mst_secret login = {0};
    const bool s3 = strcmp(cfg->type, "s3") == 0;
    struct mst_store_marks marks = {.lock_days = cfg->lock_days, .lock_mode = cfg->lock_mode};
    enum mst_rc rc;

    if (!s3 && strcmp(cfg->type, "gcs") != 0) {
        return mst_store_local_open(cfg->name, cfg->path, write, out, err);
    }
    *out = NULL;
    rc = join_tags(cfg, &tags, err);
    marks.tags = mst_str_c(&tags);
    rc = rc == MST_OK ? mst_cfg_store_proxy_login(cfg, &login, err) : rc;
    if (rc == MST_OK) {
        rc = s3 ? open_s3(cfg, &marks, &login, write, out, err)
                : open_gcs(cfg, &marks, &login, write, out, err);
    }
    mst_secret_release(&login);
    mst_str_release(&tags);
    return rc;
}

static struct s3 *s3_from(struct mst_store *s)
{
    return s->ops->put_begin == mst_s3_put_begin ? s3_of(s) : NULL;
}

bool mst_store_who(struct mst_store *s, char *text, size_t size, int64_t *expires_wall_ms)
{
    struct s3 *s3 = s3_from(s);

    *expires_wall_ms = 0;
    if (mst_store_gcs_who(s, text, size, expires_wall_ms)) {
        return true;
    }
    return s3 && s3->login == mst_creds_login &&
           mst_creds_who(s3->login_arg, text, size, expires_wall_ms);
}
