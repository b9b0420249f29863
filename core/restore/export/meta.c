/* meta.c: names that leave the program, and the text beside every collection. */
#include "restore/export/meta.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "hash/hash.h"
#include "restore/export/ejson_put.h"
#include "restore/import/names.h"

#define ESCAPED_MAX 238U /* what leaves room for ".metadata.json.gz" */
#define CUT_AT 208U

static bool plain(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

void mst_dump_file_name(const char *coll, const char *suffix, char out[MST_DUMP_FILE_MAX])
{
    static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct mst_str s = {0};
    uint8_t sha[MST_SHA1_LEN + 1] = {0};
    size_t i, k;

    for (i = 0; coll[i]; i++) {
        const unsigned char c = (unsigned char)coll[i];

        if (plain(c)) {
            mst_str_addc(&s, (char)c);
        } else if (c == ' ') {
            mst_str_addc(&s, '+');
        } else {
            mst_str_addf(&s, "%%%02X", c);
        }
    }
    if (s.len > ESCAPED_MAX) {
        char hash[32] = "";

        mst_sha1_of(coll, strlen(coll), sha);
        for (i = 0, k = 0; i + 2 < sizeof sha;
             i += 3) { /* 20 bytes without padding are 27 digits */
            const uint32_t bits = (uint32_t)sha[i] << 16 | (uint32_t)sha[i + 1] << 8 | sha[i + 2];
            size_t d;

            for (d = 0; d < 4 && k < 27; d++) {
                hash[k++] = b64[bits >> (18 - 6 * d) & 63];
            }
        }
        (void)snprintf(out, MST_DUMP_FILE_MAX, "%.*s%%24%s%s", (int)CUT_AT, s.p, hash, suffix);
    } else {
        (void)snprintf(out, MST_DUMP_FILE_MAX, "%s%s", mst_str_c(&s), suffix);
    }
    mst_str_release(&s);
}

enum mst_rc mst_dump_dir_ok(const char *db, struct mst_err *err)
{
    const unsigned char *p = (const unsigned char *)db;
    char show[80];

    while (*p > 0x20 && *p != 0x7f && !strchr("/\\.\"$", *p)) {
        p++;
    }
    if (*db && !*p) {
        return MST_OK;
    }
    mst_text_clean(show, sizeof show, db, strlen(db));
    return mst_err_set(err, MST_E_INTEGRITY,
                       "the backup has a database \"%s\", which no server allows and which cannot "
                       "be a folder's name",
                       show);
}

/* What was written, read again by the importer: is it the same? */
static bool survives(const struct mst_content_ns *ns, const struct mst_str *text)
{
    struct mst_src_coll back = {.options = bson_new(), .indexes = bson_new()};
    struct mst_err ignored = {0};
    const bool ok = mst_dump_metadata(text->p, text->len, &back, &ignored) == MST_OK &&
                    bson_equal(back.options, ns->options) &&
                    bson_equal(back.indexes, ns->indexes) && strcmp(back.coll, ns->coll) == 0;

    bson_destroy(back.options);
    bson_destroy(back.indexes);
    return ok;
}

enum mst_rc mst_dump_metadata_put(const struct mst_content_ns *ns, struct mst_str *out,
                                  struct mst_err *err)
{
    char hex[33], show[MST_NS_MAX];
    bool ok = true;

    mst_str_addc(out, '{');
    if (!bson_empty(ns->options)) {
        mst_str_add(out, "\"options\":");
        ok = mst_ejson_put(ns->options, false, out);
        mst_str_addc(out, ',');
    }
    mst_str_add(out, "\"indexes\":");
    ok = ok && mst_ejson_put(ns->indexes, true, out);
    if (ns->has_uuid) {
        mst_str_addf(out, ",\"uuid\":\"%s\"", mst_hex(ns->uuid, sizeof ns->uuid, hex));
    }
    mst_str_add(out, ",\"collectionName\":");
    mst_ejson_put_text(ns->coll, strlen(ns->coll), out);
    mst_str_addf(out, ",\"type\":\"%s\"}", ns->view ? "view" : "collection");
    (void)snprintf(show, sizeof show, "%s.%s", ns->db, ns->coll);
    mst_text_sanitise(show);
    if (mst_str_cut(out)) {
        return mst_err_set(err, MST_E_LIMIT, "the metadata of %s are larger than 16 MiB", show);
    }
    if (!ok || !survives(ns, out)) {
        return mst_err_set(err, MST_E_PRECOND,
                           "the options or indexes of %s cannot be written as Extended JSON "
                           "without becoming others: leave it out with --exclude",
                           show);
    }
    return MST_OK;
}
