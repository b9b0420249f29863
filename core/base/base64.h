/* base64.h: RFC 4648, with padding (section 4) or as it stands in URLs without it (section 5). */
#ifndef MST_BASE_BASE64_H
#define MST_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define MST_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* with its NUL */

/* Padded; out has MST_BASE64_SIZE(n) bytes. Returns out. */
char *mst_base64(const void *p, size_t n, char *out);
void mst_str_add_base64(struct mst_str *s, const void *p, size_t n);
void mst_str_add_base64_url(struct mst_str *s, const void *p, size_t n);
/* Exactly n bytes from padded text, and nothing else in it. */
bool mst_unbase64(const char *text, uint8_t *out, size_t n);

#endif
