/* gjson.h: JSON as Google's services answer it: small, flat, read with ceilings. Pure. */
#ifndef MST_STORE_GJSON_H
#define MST_STORE_GJSON_H

#include <bson/bson.h>

#include "base/err.h"

#define MST_GJSON_MAX ((size_t)8 * 1024 * 1024)

/* One JSON object and nothing after it. MST_E_INTEGRITY says what it is instead: empty, an HTML
 * page, something else; what names it: "storage.googleapis.com answered 200". The caller
 * bson_destroy()s. */
enum mst_rc mst_gjson_parse(const char *what, const void *p, size_t n, bson_t **out,
                            struct mst_err *err) MST_MUST_CHECK;
/* A text by its dotted name; "" when it is absent, no text, or holds a NUL. Borrowed from b. */
const char *mst_gjson_text(const bson_t *b, const char *dotted);
/* A number, also where it stands as a text; -1 when it is absent, negative or no number. */
int64_t mst_gjson_number(const bson_t *b, const char *dotted);
bool mst_gjson_true(const bson_t *b, const char *dotted);

/* What an error says of itself: the API's {"error": {"code", "message", "errors": [{"reason"}]}},
 * or the token service's {"error": "invalid_grant", "error_description"}. Sanitised; false when it
 * is neither. */
struct mst_gerror {
    char reason[64], message[200];
};
bool mst_gjson_error(const void *p, size_t n, struct mst_gerror *out);

#endif
