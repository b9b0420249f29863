/* header.h: the clear-text objects of a backup: header, COMMIT and marks, as canonical JSON that
 * ends with the SHA-256 of its own bytes. Pure: text in, struct out. A damaged text is
 * MST_E_INTEGRITY; a newer format, or a required feature this program does not know, is MST_E_STALE
 * (caller says NEWER). Unknown optional fields are ignored.
 */
#ifndef MST_CATALOG_HEADER_H
#define MST_CATALOG_HEADER_H

#include "base/str.h"
#include "catalog/segment.h"
#include "crypt/sign.h"

#define MST_HEADER_MAX 65536 /* bytes of any of these objects */

struct mst_header {
    int format;
    char id[MST_ID_MAX], attempt[17], kind[16], parent[MST_ID_MAX];
    char set[128], set_id[32]; /* set_id: settings.replicaSetId in hex; "" unknown */
    char muster[24];           /* version that wrote it */
    char source[MST_HOST_MAX], source_why[160];
    char server_version[40], fcv[16], storage_engine[24];
    int64_t started_wall_ms, finished_wall_ms;
    struct mst_optime first; /* replay from here (fetch point) */
    struct mst_optime
        apply; /* newest entry when the scan began: ordinary entries before it are in */
    struct mst_optime last; /* consistent at */
    uint32_t objects, namespaces, left_out;
    uint64_t documents, data_bytes, stored_bytes; /* objects without header, manifest, COMMIT */
    uint64_t oplog_entries;
    bool unproven, sealed;
    char key_id[65];               /* "" while not sealed */
    char sums_sha[MST_SHA256_HEX]; /* of the object "sums"; sealed backups have one */
    uint64_t sums_bytes;
    char point_proof[16]; /* "majority": last was majority-committed and read again at both ends */
};

struct mst_commit {
    int format;
    char id[MST_ID_MAX], attempt[17];
    char header_sha[MST_SHA256_HEX], manifest_sha[MST_SHA256_HEX];
    uint64_t header_bytes, manifest_bytes;
    int64_t lease_epoch; /* 0: no lease */
    int64_t committed_wall_ms;
    char previous[MST_SHA256_HEX];   /* SHA-256 of the COMMIT before it; "" none, or not signed */
    uint64_t counter;                /* rises with every signed COMMIT; 0 not signed */
    char signer[65], signature[129]; /* "" while not signed */
};

enum mst_mark_kind {
    MST_MARK_VERIFIED,
    MST_MARK_COPIED,
    MST_MARK_HOLD,
    MST_MARK_RELEASE,
    MST_MARK_TOMBSTONE, /* reserved: removed on purpose */
    MST_MARK_OTHER
};
const char *mst_mark_kind_word(enum mst_mark_kind k);
struct mst_mark {
    int format;
    enum mst_mark_kind kind;
    char id[MST_ID_MAX], attempt[17];
    char header_sha[MST_SHA256_HEX]; /* what was looked at */
    int level;                       /* 2: read back */
    bool ok;
    int64_t wall_ms;
    uint64_t objects, documents, data_bytes, stored_bytes;
    char text[200];
    char by[64];
    char signer[65], signature[129]; /* "" while not signed */
    char store[64];                  /* COPIED: where to, by its name */
    int64_t until_ms;                /* HOLD: wall clock, INT64_MAX without an end */
};

struct mst_claim { /* which run has an id, before there is anything else below it */
    char id[MST_ID_MAX], attempt[17];
    int64_t wall_ms;
    char by[160]; /* host and process */
};

void mst_claim_put(const struct mst_claim *c, struct mst_str *out);
enum mst_rc mst_claim_get(const char *text, size_t n, struct mst_claim *c,
                          struct mst_err *err) MST_MUST_CHECK;
void mst_header_put(const struct mst_header *h, struct mst_str *out);
enum mst_rc mst_header_get(const char *text, size_t n, struct mst_header *h,
                           struct mst_err *err) MST_MUST_CHECK;
/* Signed with key when it is not NULL: its id and signature are written, not those in c. */
enum mst_rc mst_commit_put(const struct mst_commit *c, const struct mst_sign_key *key,
                           struct mst_str *out, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_commit_get(const char *text, size_t n, struct mst_commit *c,
                           struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_mark_put(const struct mst_mark *m, const struct mst_sign_key *key,
                         struct mst_str *out, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_mark_get(const char *text, size_t n, struct mst_mark *m,
                         struct mst_err *err) MST_MUST_CHECK;

#endif
