/* gcs_login.h: the four ways to an access token, one question each. Private to gcs_auth.c and the
 * tests. */
#ifndef MST_STORE_GCS_LOGIN_H
#define MST_STORE_GCS_LOGIN_H

#include "store/gcs_auth.h"
#include "store/gcs_call.h"

#define MST_GLOGIN_FILE_MAX ((size_t)64 * 1024)

enum mst_glogin_kind {
    MST_GLOGIN_SERVICE_ACCOUNT,
    MST_GLOGIN_WORKLOAD,
    MST_GLOGIN_METADATA,
    MST_GLOGIN_COMMAND
};
struct mst_glogin {
    enum mst_glogin_kind kind;
    char source[512]; /* for sentences: "the service account file /a/b" */
    char who[256];    /* "" not known yet */
    /* service account */
    struct mst_secret key;
    char key_id[128];
    char token_url[512];
    /* workload identity */
    char audience[512], subject_type[128], impersonate_url[512];
    char subject_file[512], subject_field[64]; /* field "": the file is the token */
    /* metadata */
    char metadata_url[300];
    /* command */
    struct mst_cfg_list argv;
    struct mst_http *http;
    const struct mst_clock *clock;
    bool plain;
    unsigned tries_max;
    int64_t ahead_ms; /* what the token service's clock is ahead of ours */
};

/* What a key file says. Pure; MST_E_CONFIG without the path in front. */
enum mst_rc mst_glogin_service_account(const void *p, size_t n, bool plain, struct mst_glogin *out,
                                       struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_glogin_workload(const void *p, size_t n, bool plain, struct mst_glogin *out,
                                struct mst_err *err) MST_MUST_CHECK;
/* Reads a file of at most MST_GLOGIN_FILE_MAX bytes that only its owner may read. */
enum mst_rc mst_glogin_file(const char *path, const char *what, bool open_to_others,
                            struct mst_buf *out, struct mst_err *err) MST_MUST_CHECK;
/* Ask: expires_wall_ms by our clock. */
enum mst_rc mst_glogin_ask(struct mst_glogin *g, struct mst_secret *token, int64_t *expires_wall_ms,
                           struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;
void mst_glogin_release(struct mst_glogin *g);

#endif
