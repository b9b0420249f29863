/* gcs_auth.h: OAuth access tokens for Google Cloud Storage: from a service account's key file, from
 * the metadata server of a machine at Google, from a workload identity file, or from a command.
 *
 * A token is kept until five minutes before it expires; then one caller gets the next one while the
 * others go on with the old one as long as it is good. Any thread; calls block.
 */
#ifndef MST_STORE_GCS_AUTH_H
#define MST_STORE_GCS_AUTH_H

#include "base/clock.h"
#include "cfg/cfg.h"
#include "http/http.h"

#define MST_GAUTH_TOKEN_MAX \
    2000 /* what a token may have; Google's have up to 2048 with "Bearer " */

struct mst_gauth;
struct mst_gauth_opts { /* exactly one of the four sources */
    const char *service_account_file;
    const char *workload_identity_file;
    const struct mst_cfg_list *token_command; /* argv; copied */
    bool metadata;                            /* GCE_METADATA_HOST, else metadata.google.internal */
    struct mst_http_opts http;                /* of the way to the token service */
    const struct mst_clock *clock;            /* NULL: the real one */
    unsigned tries_max;                       /* of each call; 0: 6 */
};
/* Reads and checks the file, asks nobody yet. MST_E_CONFIG names the file and what is wrong. */
enum mst_rc mst_gauth_new(const struct mst_gauth_opts *o, struct mst_gauth **out,
                          struct mst_err *err) MST_MUST_CHECK;
void mst_gauth_free(struct mst_gauth *a);
/* A token that is good now, copied. MST_E_AUTH when whoever gives them refuses. */
enum mst_rc mst_gauth_token(struct mst_gauth *a, struct mst_secret *out, struct mst_task *task,
                            struct mst_err *err) MST_MUST_CHECK;
/* The store did not accept this one: the next call gets another. */
void mst_gauth_reject(struct mst_gauth *a, const struct mst_secret *token);
/* Who one is and until when the present token is good: 0 not known, or none was needed yet. */
void mst_gauth_who(struct mst_gauth *a, char *who, size_t size, int64_t *expires_wall_ms);

#endif
