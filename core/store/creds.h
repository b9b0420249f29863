/* creds.h: where the access key of a store comes from.
 *
 * In this order: access_key of the store with its secret; the file of credentials that the store
 * names; AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN) of the environment;
 * AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, through STS; AWS_SHARED_CREDENTIALS_FILE or
 * ~/.aws/credentials; the container's service (AWS_CONTAINER_CREDENTIALS_*); for Amazon's own S3
 * the instance's metadata service, version 2. With role_arn they are exchanged for that role's.
 * What was found is kept, and got anew five minutes before it expires or when a store calls it
 * expired. Thread-safe.
 */
#ifndef MST_STORE_CREDS_H
#define MST_STORE_CREDS_H

#include "cfg/cfg.h"
#include "store/s3.h"

#define MST_CREDS_FILE_MAX ((size_t)64 * 1024)

struct mst_creds;
struct mst_creds *mst_creds_new(const struct mst_cfg_store *cfg); /* cfg outlives it */
void mst_creds_free(void *creds);
/* A mst_login_fn. MST_E_AUTH says where was looked. */
enum mst_rc mst_creds_login(void *creds, bool fresh, struct mst_login *out, struct mst_task *task,
                            struct mst_err *err);
/* Who it is and until when, without asking anybody: the text for a screen; false: not known yet. */
bool mst_creds_who(struct mst_creds *creds, char *text, size_t size, int64_t *expires_wall_ms);
/* The section of a file of credentials. MST_E_NOTFOUND when it has none of that name; MST_E_CONFIG
 * says what it lacks. Never a value in a message. */
enum mst_rc mst_creds_parse(const char *text, size_t n, const char *section, struct mst_login *out,
                            struct mst_err *err) MST_MUST_CHECK;

#endif
