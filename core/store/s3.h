/* s3.h: a bucket that speaks Amazon's S3, as a store.
 *
 * Objects are created only (If-None-Match), or, where a store knows no such condition, only by the
 * one writer that the configuration promises. Small objects go in one request, larger ones in parts
 * of one size. Memory: at most `connections` parts on their way for the whole store, and one that
 * fills for each object being written; with the defaults (4 of 8 MiB, 2 objects) 48 MiB.
 * Who reads an object in order (three reads and 2 MiB one behind the other) has at most 4 ranges of
 * 4 MiB on their way ahead of it, all readers of the store together at most 8 (32 MiB); beside
 * them 8 windows of 2 MiB, or of what one read asks for. All ranges insist on the ETag of the
 * first. Other reads are one request each. Freeing the store cancels and joins what is on its way.
 * Every request is signed, its body's hash included; certificates are always checked. What passes
 * is repeated (http/retry.h) within the time that a call may wait; a call ends within a second of
 * the cancel of its task, or of the thread's (mst_store_work_for). To delete what is not there is
 * no error, as S3 has it.
 */
#ifndef MST_STORE_S3_H
#define MST_STORE_S3_H

#include "base/secret.h"
#include "store/store.h"

#define MST_S3_PART ((uint64_t)8 * 1024 * 1024)
#define MST_S3_PART_MIN ((uint64_t)5 * 1024 * 1024)
#define MST_S3_PART_MAX ((uint64_t)1024 * 1024 * 1024)
#define MST_S3_PARTS 10000U
#define MST_S3_CONNECTIONS 4U
#define MST_S3_CONNECTIONS_MAX 32U

/* Who signs; released by the caller. */
struct mst_login {
    char access_key[160];
    struct mst_secret secret, token; /* token: of a session, or unset */
    int64_t expires_wall_ms;         /* 0: never */
    char from[96];                   /* "the environment", "profile backup of ~/.aws/credentials" */
};
void mst_login_release(struct mst_login *l);
/* Fill out; fresh: what was given before was refused as expired. Any thread. */
typedef enum mst_rc mst_login_fn(void *arg, bool fresh, struct mst_login *out,
                                 struct mst_task *task, struct mst_err *err);

struct mst_s3_conf { /* copied; NULL and 0 mean the default */
    const char *name;
    const char *profile;  /* "aws" ...: s3_profile.c */
    const char *endpoint; /* "https://host:port"; NULL with profile aws: by the region */
    const char *region;   /* NULL: us-east-1 */
    const char *bucket, *prefix;
    const char *ca_file, *proxy;
    const struct mst_secret *proxy_login; /* borrowed while it is opened */
    const char *storage_class;            /* of what is written */
    const char *sse, *sse_key;            /* "AES256", "aws:kms" and the key's name */
    struct mst_store_marks marks;
    bool region_kept;   /* a bucket that says it is in another region is refused, not followed */
    bool path_style;    /* the bucket is part of the path whatever the profile says */
    bool plain;         /* http:// is allowed */
    bool single_writer; /* nobody else writes below the prefix */
    bool write;         /* false: puts and deletes are refused */
    uint64_t rate_bytes_per_s, part_bytes;
    unsigned connections;
    int64_t stall_ms, wait_ms; /* 0: 30 s; 90 s that a call may wait between its tries */
    mst_login_fn *login;
    void *login_arg; /* lives as long as the store */
    void (*login_free)(void *arg);
};
/* Does not speak to the store yet. MST_E_CONFIG. Consumes login_arg, also when it fails. */
enum mst_rc mst_store_s3_open(const struct mst_s3_conf *conf, struct mst_store **out,
                              struct mst_err *err) MST_MUST_CHECK;

/* What is known about a kind of S3 store. */
struct mst_s3_profile {
    const char *word;
    bool path_style, list_v1, list_plain; /* list_plain: no url-encoding of listings */
    char checksum;                        /* 's' SHA-256 headers, 'm' Content-MD5 only */
    bool google;                          /* Google's names and signatures: s3_google.c */
    bool conditions_ignored; /* accepts If-None-Match and overwrites all the same: do not ask */
    bool no_tags;            /* refuses them, or takes them and forgets */
    bool thaw_listed;        /* a listing says, when asked, what is thawed until when */
    /* Version ids are ULIDs, and the times beside them not those of the writes: versitygw gives an
     * older version the time at which it was replaced, and a marker that of what it hides. */
    bool ulid_versions;
    const char *known_from; /* what our knowledge of it rests on */
};
const struct mst_s3_profile *mst_s3_profile(const char *word); /* NULL: none of that name */
const struct mst_s3_profile *mst_s3_profiles(size_t *n);

#endif
