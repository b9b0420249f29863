/* names.c: what mongodump's files are called and what their metadata say. */
#include "restore/import/names.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "hash/hash.h"
#include "restore/import/ejson.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Query escaping: %XX, and '+' for a space. */
static bool unescape(const char *s, size_t n, char *out, size_t size)
{
    size_t i, k = 0;

    for (i = 0; i < n; i++) {
        char c = s[i];

        if (c == '%') {
            const int hi = i + 2 < n ? hex_digit(s[i + 1]) : -1;
            const int lo = i + 2 < n ? hex_digit(s[i + 2]) : -1;

            if (i + 2 == n - 0 || hi < 0 || lo < 0 || (hi == 0 && lo == 0)) {
                return false;
            }
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (k + 1 >= size) {
            return false;
        }
        out[k++] = c;
    }
    out[k] = 0;
    return k > 0;
}

static bool cut_suffix(const char *s, size_t *n, const char *suffix)
{
    const size_t m = strlen(suffix);

    if (*n <= m || strncmp(s + *n - m, suffix, m) != 0) {
        return false;
    }
    *n -= m;
    return true;
}

/* A name that was cut to 208 bytes, perhaps inside of an escape, and ends in %24 and a hash: only
 * the metadata have all of it. */
static bool cut_name(const char *s, size_t n, char coll[MST_COLL_MAX])
{
    size_t end = 208;

    if (n != 238 || strncmp(s + end, "%24", 3) != 0) {
        return false;
    }
    while (end > 206 && s[end - 1] != '%') {
        end--;
    }
    return unescape(s, s[end - 1] == '%' ? end - 1 : 208, coll, MST_COLL_MAX);
}

bool mst_dump_name(const char *file, char coll[MST_COLL_MAX], enum mst_dump_file *what, bool *gz)
{
    size_t n = strlen(file);

    *gz = cut_suffix(file, &n, ".gz");
    if (cut_suffix(file, &n, ".metadata.json")) {
        *what = MST_DUMP_METADATA;
    } else if (cut_suffix(file, &n, ".bson")) {
        *what = MST_DUMP_BSON;
    } else {
        return false;
    }
    return unescape(file, n, coll, MST_COLL_MAX) || cut_name(file, n, coll);
}

static bool take_doc(const bson_iter_t *it, bool array, bson_t **out)
{
    const uint8_t *p = NULL;
    uint32_t n = 0;
    bson_t *fresh;

    if (array ? !BSON_ITER_HOLDS_ARRAY(it) : !BSON_ITER_HOLDS_DOCUMENT(it)) {
        return false;
    }
    if (array) {
        bson_iter_array(it, &n, &p);
    } else {
        bson_iter_document(it, &n, &p);
    }
    fresh = bson_new_from_data(p, n);
    if (!fresh) {
        return false;
    }
    bson_destroy(*out);
    *out = fresh;
    return true;
}

enum mst_rc mst_dump_metadata(const char *text, size_t n, struct mst_src_coll *c,
                              struct mst_err *err)
{
    bson_t *doc = NULL;
    bson_iter_t it;
    bool ok = true;

    if (!n) {
        return MST_OK;
    }
    if (mst_ejson_parse(text, n, &doc, err) != MST_OK) {
        mst_err_prefix(err, "metadata");
        return err->rc;
    }
    ok = bson_iter_init(&it, doc);
    while (ok && bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);

        if (strcmp(key, "options") == 0) {
            ok = take_doc(&it, false, &c->options);
        } else if (strcmp(key, "indexes") == 0) {
            ok = take_doc(&it, true, &c->indexes);
        } else if (strcmp(key, "uuid") == 0) {
            ok = BSON_ITER_HOLDS_UTF8(&it) && mst_unhex(bson_iter_utf8(&it, NULL), c->uuid, 16);
            c->has_uuid = ok;
        } else if (strcmp(key, "collectionName") == 0) {
            ok = BSON_ITER_HOLDS_UTF8(&it) &&
                 mst_copy(c->coll, sizeof c->coll, bson_iter_utf8(&it, NULL));
        } else if (strcmp(key, "type") == 0) {
            const char *type = BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : "?";

            ok = strcmp(type, "collection") == 0 || strcmp(type, "view") == 0 || !type[0];
            if (strcmp(type, "view") == 0) {
                c->kind = MST_SRC_VIEW;
            }
        }
    }
    if (ok && bson_has_field(c->options, "viewOn")) {
        c->kind = MST_SRC_VIEW;
    }
    bson_destroy(doc);
    return ok ? MST_OK
              : mst_err_set(err, MST_E_INTEGRITY,
                            "metadata: a field of another type, or a kind "
                            "of collection this version does not carry");
}
