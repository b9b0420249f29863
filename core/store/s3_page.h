/* s3_page.h: one page of a listing, as it is read; private to the S3 driver. */
#ifndef MST_STORE_S3_PAGE_H
#define MST_STORE_S3_PAGE_H

#include "store/s3_own.h"
#include "store/xml.h"

struct s3_raw { /* as it was sent */
    char *key;
    struct mst_store_item item;
    char id[256]; /* of a version or an upload */
    bool newest, deleted;
};

struct s3_page {
    struct s3 *s;
    const char *root;
    bool (*take)(struct s3_page *pg, const char *leaf, const char *text);
    struct s3_raw *raw;
    size_t n, cap;
    bool open, more, encoded, seen;
    struct mst_str next, next_also;
    size_t foreign; /* over all pages */
};
bool mst_s3_page_take(void *arg, const char *path, const char *text); /* a mst_xml_fn */
bool mst_s3_take_object(struct s3_page *pg, const char *leaf, const char *text);
bool mst_s3_take_version(struct s3_page *pg, const char *leaf, const char *text);
bool mst_s3_take_upload(struct s3_page *pg, const char *leaf, const char *text);
enum mst_rc mst_s3_page_get(struct s3_page *pg, struct s3_req *r, struct mst_err *err);
/* The name below the prefix; false when it is none of ours. */
bool mst_s3_page_key(struct s3_page *pg, const char *text, char out[MST_KEY_MAX]);
/* Do the tokens go in a circle? One is kept at growing distances, so a circle of any length is
 * noticed within three rounds. */
struct s3_cycle {
    struct mst_str seen;
    unsigned steps, keep_at;
};
bool mst_s3_cycle(struct s3_cycle *c, const char *token);
void mst_s3_page_reset(struct s3_page *pg);
void mst_s3_page_release(struct s3_page *pg);
enum mst_rc mst_s3_page_endless(const struct s3 *s, struct mst_err *err);
void mst_s3_page_say_foreign(const struct s3 *s, size_t n);

#endif
