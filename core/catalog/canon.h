/* canon.h: canonical JSON of the small clear-text objects; private to catalog. One object on one
 * line, fields in a fixed order, no spaces, ", \\ and control bytes escaped as mst_str_add_json
 * does, then "sha256" of everything before its comma.
 */
#ifndef MST_CATALOG_CANON_H
#define MST_CATALOG_CANON_H

#include <bson/bson.h>

#include "base/err.h"
#include "base/str.h"
#include "topo/topo.h"

#define CANON_MAX 65536 /* bytes of one object */

/* needs: a word that a reader must know, or NULL. */
void canon_begin(struct mst_str *s, const char *type, const char *needs);
void canon_end(struct mst_str *s);
void canon_put_text(struct mst_str *s, const char *name, const char *text);
void canon_put_int(struct mst_str *s, const char *name, int64_t v);
void canon_put_bool(struct mst_str *s, const char *name, bool v);
void canon_put_optime(struct mst_str *s, const char *name, const struct mst_optime *o);

struct canon { /* a parsed object; ok turns false at the first field that does not fit */
    bson_t doc;
    bool ok;
};

/* MST_E_INTEGRITY damaged or not of this type, MST_E_STALE newer; close it when it was opened. */
enum mst_rc canon_open(const char *s, size_t n, const char *type, struct canon *in,
                       struct mst_err *err) MST_MUST_CHECK;
enum mst_rc canon_close(struct canon *in, struct mst_err *err) MST_MUST_CHECK;
/* Exactly this text: what would have to be cleaned or cut does not fit. */
void canon_text(struct canon *in, const char *name, char *out, size_t size);
/* The same, and "" where there is no such field. */
void canon_text_if(struct canon *in, const char *name, char *out, size_t size);
/* A sentence: cleaned and cut, never a reason to refuse. */
void canon_prose(struct canon *in, const char *name, char *out, size_t size);
int64_t canon_integer(struct canon *in, const char *name, int64_t min, int64_t max);
/* The same, and 0 where there is no such field. */
int64_t canon_integer_if(struct canon *in, const char *name, int64_t min, int64_t max);
bool canon_boolean(struct canon *in, const char *name);
void canon_optime(struct canon *in, const char *name, struct mst_optime *out);

#endif
