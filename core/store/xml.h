/* xml.h: the replies of object stores, within limits; private to store.
 *
 * No document type (and so no entities), at most 16 levels, 8 MiB, 64 KiB of text in an element.
 */
#ifndef MST_STORE_XML_H
#define MST_STORE_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define MST_XML_MAX ((size_t)8 * 1024 * 1024)
#define MST_XML_DEPTH 16
#define MST_XML_TEXT ((size_t)64 * 1024)

/* At the end of each element: its path "ListBucketResult/Contents/Key" and the text in it, that of
 * the elements inside not included. false ends the reading with MST_E_LIMIT. */
typedef bool mst_xml_fn(void *arg, const char *path, const char *text);
/* MST_E_SERVER when it is not XML or not within the limits; what was called before stays. */
enum mst_rc mst_xml_parse(const void *p, size_t n, mst_xml_fn *fn, void *arg,
                          struct mst_err *err) MST_MUST_CHECK;
/* Text as it stands in an element. */
void mst_xml_escape(struct mst_str *out, const char *text);

#endif
