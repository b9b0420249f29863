/* paths.h: putting a value at a dotted path, taking one away. Private to query. */
#ifndef SBX_QUERY_PATHS_H
#define SBX_QUERY_PATHS_H

#include "query/query.h"

/* Write doc with v at path (SBX_EOO: without it). Code 28 when the path is barred by a value that
 * is no document; lenient: the document is then written unchanged. */
bool sbx_path_put(struct sbx_doc doc, const char *path, struct sbx_val v, bool lenient,
                  struct sbx_out *out, struct sbx_why *why);

/* One modification: computes what stands at the path afterwards. */
struct sbx_modify {
    const char *op, *path;
    struct sbx_val arg;
    struct sbx_val old;     /* what stands there now */
    struct sbx_val id;      /* of the document, for messages */
    struct sbx_out out;     /* holds the value in a document of one field when made */
    struct sbx_val now;     /* SBX_EOO and unset: to be removed */
    bool unset, keep;       /* keep: leave as it is */
    unsigned appended_from; /* $push at the end: index of the first new element */
    bool appended;
};
bool sbx_modify_number(struct sbx_modify *m, struct sbx_why *why);
bool sbx_modify_array(struct sbx_modify *m, struct sbx_why *why);
void sbx_modify_take(struct sbx_modify *m); /* now = the value in out */

#endif
