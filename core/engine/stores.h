/* stores.h: questions about one store that the calling process asks by itself. Calls block, as long
 * as the store does: for the command line, never for a screen. Texts are sanitised.
 */
#ifndef MST_ENGINE_STORES_H
#define MST_ENGINE_STORES_H

#include "base/err.h"
#include "engine/view.h"

struct mst_cfg;

struct mst_store_facts {
    char name[64], kind[16], where[256];
    bool local; /* a directory of this host */
    bool create_only, checksums, multipart, ranges, versions, lock, space;
    int64_t lock_days; /* what is written is locked so long; 0: not */
    char lock_mode[16], tags[400];
    bool asked; /* else what it can do is not known, but for the next two */
    bool versions_known, lock_known;
    bool single_writer, allow_unsealed;
    char region[64], profile[16], known_from[64]; /* "" where there is none */
    char who[200];                                /* whose key it works with; "" not known */
    int64_t who_until_ms;                         /* 0: for ever, or not known */
    char text[512];                               /* what was noticed about it */
    uint64_t free_bytes, total_bytes;             /* 0 unknown */
};
enum mst_rc mst_engine_store_facts(const struct mst_cfg *cfg, const char *store,
                                   struct mst_store_facts *out, struct mst_err *err) MST_MUST_CHECK;

struct mst_store_line {
    char key[512];
    char what[16]; /* of orphans: dead, half, upload, probe, foreign */
    uint64_t bytes;
    int64_t modified_wall_ms;
    char storage_class[32];
};
typedef bool mst_store_line_fn(void *arg, const struct mst_store_line *o); /* false: enough */
/* In key order, as the store gives them: the first ones are there before the last are known. prefix
 * "" is all of it; *left_out: names that cannot be muster's and are not shown. */
enum mst_rc mst_engine_store_ls(const struct mst_cfg *cfg, const char *store, const char *prefix,
                                mst_store_line_fn *fn, void *arg, uint64_t *left_out,
                                struct mst_err *err) MST_MUST_CHECK;

struct mst_orphan_sum {
    size_t n, foreign, young, held, doubtful;
    uint64_t left_out; /* names that cannot be shown: foreign too, and not among n */
    uint64_t bytes;
};
enum mst_rc mst_engine_store_orphans(const struct mst_cfg *cfg, const char *store, const char *set,
                                     int64_t older_ms, mst_store_line_fn *fn, void *arg,
                                     struct mst_orphan_sum *sum,
                                     struct mst_err *err) MST_MUST_CHECK;

/* How a store fills, from its listed backups. Pure. */
struct mst_usage {
    uint64_t backups_bytes;
    int64_t per_day_bytes; /* -1 not known: fewer than two backups, or of less than a day */
    int64_t days_left;     /* -1 not known; free space at that rate */
};
void mst_usage_of(const struct mst_bucket_part *p, int64_t now_wall_ms, struct mst_usage *out);

#endif
