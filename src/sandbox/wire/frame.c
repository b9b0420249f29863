#include "wire/frame.h"

#include <string.h>

#include "base/mem.h"
#include "wire/check.h"

/* Bits 0 to 15 of OP_MSG's flags must be understood; the rest may be ignored. */
#define REQUIRED_BITS 0xffffu
#define KNOWN_BITS (SBX_MSG_CHECKSUM | SBX_MSG_MORE_TO_COME)

int32_t sbx_frame_length(const uint8_t head[SBX_FRAME_HEAD])
{
    const uint32_t len = mst_le32(head);

    return len < SBX_FRAME_HEAD || len > SBX_FRAME_MAX ? -1 : (int32_t)len;
}

/* One document at *p; *p moves behind it. NULL when it is broken. */
static const uint8_t *take_doc(const uint8_t **p, const uint8_t *end, size_t *len)
{
    const uint8_t *at = *p;

    if (end - at < 5) {
        return NULL;
    }
    *len = mst_le32(at);
    if (*len > (size_t)(end - at) || *len > SBX_DOC_ROOM * 3u || !sbx_bson_check(at, *len)) {
        return NULL;
    }
    *p = at + *len;
    return at;
}

static void copy_body(struct sbx_frame *out, const uint8_t *p, size_t n)
{
    bson_t view;

    MST_ASSERT(bson_init_static(&view, p, n));
    bson_copy_to(&view, &out->body);
    out->has_body = true;
}

/* A document sequence: its documents become the array `id` of the body. */
static enum mst_rc fold(struct sbx_frame *out, const uint8_t *p, const uint8_t *end,
                        struct mst_err *err)
{
    const uint8_t *nul = memchr(p, 0, (size_t)(end - p));
    bson_t array;
    uint32_t i = 0;

    if (nul == NULL || nul == p) {
        return mst_err_set(err, MST_E_INTEGRITY, "a document sequence without a name");
    }
    const char *id = (const char *)p;
    p = nul + 1;
    if (bson_has_field(&out->body, id) || strchr(id, '.') != NULL) {
        return mst_err_set(err, MST_E_INTEGRITY, "a document sequence that repeats a field");
    }
    bson_append_array_begin(&out->body, id, -1, &array);
    while (p < end) {
        size_t len;
        bson_t view;
        char key[16];
        const char *k;
        const uint8_t *doc = take_doc(&p, end, &len);
        if (doc == NULL) {
            bson_append_array_end(&out->body, &array);
            return mst_err_set(err, MST_E_INTEGRITY, "a broken document in a sequence");
        }
        MST_ASSERT(bson_init_static(&view, doc, len));
        const size_t klen = bson_uint32_to_string(i++, &k, key, sizeof key);
        bson_append_document(&array, k, (int)klen, &view);
    }
    bson_append_array_end(&out->body, &array);
    return MST_OK;
}

/* The one section of kind 0: it may stand behind the sequences, so it is found first. */
static enum mst_rc find_body(const uint8_t *p, const uint8_t *end, struct sbx_frame *out,
                             struct mst_err *err)
{
    while (p < end) {
        const uint8_t kind = *p++;
        if (kind == 0) {
            size_t len;
            const uint8_t *doc = take_doc(&p, end, &len);
            if (doc == NULL || out->has_body) {
                return mst_err_set(err, MST_E_INTEGRITY, "a broken or second body");
            }
            copy_body(out, doc, len);
        } else if (kind == 1) {
            if (end - p < 5 || mst_le32(p) < 5 || mst_le32(p) > (size_t)(end - p)) {
                return mst_err_set(err, MST_E_INTEGRITY, "a broken document sequence");
            }
            p += mst_le32(p);
        } else {
            return mst_err_set(err, MST_E_INTEGRITY, "an unknown section of kind %d", kind);
        }
    }
    return out->has_body ? MST_OK : mst_err_set(err, MST_E_INTEGRITY, "a message without a body");
}

static enum mst_rc parse_msg(const uint8_t *p, const uint8_t *end, struct sbx_frame *out,
                             struct mst_err *err)
{
    if (end - p < 4) {
        return mst_err_set(err, MST_E_INTEGRITY, "a message without flags");
    }
    out->flags = mst_le32(p);
    p += 4;
    if ((out->flags & REQUIRED_BITS & ~(uint32_t)KNOWN_BITS) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "a message with unknown flags 0x%x", out->flags);
    }
    if ((out->flags & SBX_MSG_CHECKSUM) != 0) {
        if (end - p < 4) {
            return mst_err_set(err, MST_E_INTEGRITY, "a message without its checksum");
        }
        end -= 4; /* 4.2 does not compare it for plain connections */
    }
    enum mst_rc rc = find_body(p, end, out, err);
    if (rc != MST_OK) {
        return rc;
    }
    while (p < end) {
        if (*p == 0) {
            p += 1 + mst_le32(p + 1);
            continue;
        }
        const size_t size = mst_le32(p + 1);
        if ((rc = fold(out, p + 5, p + 1 + size, err)) != MST_OK) {
            return rc;
        }
        p += 1 + size;
    }
    return MST_OK;
}

static enum mst_rc parse_query(const uint8_t *p, const uint8_t *end, struct sbx_frame *out,
                               struct mst_err *err)
{
    if (end - p < 4 + 1 + 8) {
        return mst_err_set(err, MST_E_INTEGRITY, "a query that is too short");
    }
    out->flags = mst_le32(p);
    p += 4;
    const uint8_t *nul = memchr(p, 0, (size_t)(end - p));
    if (nul == NULL || nul - p > SBX_FRAME_NS_MAX || end - nul < 1 + 8) {
        return mst_err_set(err, MST_E_INTEGRITY, "a query with a broken namespace");
    }
    (void)mst_copy(out->ns, sizeof out->ns, (const char *)p);
    p = nul + 1 + 8; /* numberToSkip, numberToReturn */
    size_t len;
    const uint8_t *doc = take_doc(&p, end, &len);
    if (doc == NULL) {
        return mst_err_set(err, MST_E_INTEGRITY, "a query with a broken document");
    }
    copy_body(out, doc, len);
    return MST_OK;
}

static enum mst_rc parse_reply(const uint8_t *p, const uint8_t *end, struct sbx_frame *out,
                               struct mst_err *err)
{
    if (end - p < 20) {
        return mst_err_set(err, MST_E_INTEGRITY, "a reply that is too short");
    }
    out->flags = mst_le32(p);
    p += 20;
    size_t len;
    const uint8_t *doc = take_doc(&p, end, &len);
    if (doc == NULL) {
        return mst_err_set(err, MST_E_INTEGRITY, "a reply with a broken document");
    }
    copy_body(out, doc, len);
    return MST_OK;
}

enum mst_rc sbx_frame_parse(const uint8_t *p, size_t n, struct sbx_frame *out, struct mst_err *err)
{
    enum mst_rc rc;

    memset(out, 0, sizeof *out);
    if (n < SBX_FRAME_HEAD || sbx_frame_length(p) != (int32_t)n) {
        return mst_err_set(err, MST_E_LIMIT, "a frame of the wrong length");
    }
    out->id = (int32_t)mst_le32(p + 4);
    out->response_to = (int32_t)mst_le32(p + 8);
    out->opcode = (int32_t)mst_le32(p + 12);
    const uint8_t *at = p + SBX_FRAME_HEAD, *end = p + n;
    switch (out->opcode) {
    case SBX_OP_MSG:
        rc = parse_msg(at, end, out, err);
        break;
    case SBX_OP_QUERY:
        rc = parse_query(at, end, out, err);
        break;
    case SBX_OP_REPLY:
        rc = parse_reply(at, end, out, err);
        break;
    default:
        rc = mst_err_set(err, MST_E_PRECOND, "opcode %d is not spoken here", out->opcode);
        break;
    }
    if (rc != MST_OK) {
        sbx_frame_release(out);
    }
    return rc;
}

void sbx_frame_release(struct sbx_frame *f)
{
    if (f != NULL && f->has_body) {
        bson_destroy(&f->body);
        f->has_body = false;
    }
}

static void head(struct mst_buf *out, size_t payload, int32_t id, int32_t response_to, int opcode)
{
    uint8_t h[SBX_FRAME_HEAD];

    MST_ASSERT(payload <= INT32_MAX - SBX_FRAME_HEAD);
    mst_put_le32(h, (uint32_t)(SBX_FRAME_HEAD + payload));
    mst_put_le32(h + 4, (uint32_t)id);
    mst_put_le32(h + 8, (uint32_t)response_to);
    mst_put_le32(h + 12, (uint32_t)opcode);
    mst_buf_add(out, h, sizeof h);
}

void sbx_frame_msg(struct mst_buf *out, int32_t id, int32_t response_to, uint32_t flags,
                   const bson_t *doc)
{
    uint8_t h[5];

    mst_put_le32(h, flags & ~(uint32_t)SBX_MSG_CHECKSUM);
    h[4] = 0;
    head(out, sizeof h + doc->len, id, response_to, SBX_OP_MSG);
    mst_buf_add(out, h, sizeof h);
    mst_buf_add(out, bson_get_data(doc), doc->len);
}

void sbx_frame_reply(struct mst_buf *out, int32_t id, int32_t response_to, const bson_t *doc)
{
    uint8_t h[20] = {8}; /* AwaitCapable; cursor 0, from 0 */

    mst_put_le32(h + 16, 1);
    head(out, sizeof h + doc->len, id, response_to, SBX_OP_REPLY);
    mst_buf_add(out, h, sizeof h);
    mst_buf_add(out, bson_get_data(doc), doc->len);
}

void sbx_frame_query(struct mst_buf *out, int32_t id, const char *ns, const bson_t *doc)
{
    uint8_t flags[4] = {SBX_QUERY_SECONDARY_OK}, h[8] = {0};
    const size_t n = strlen(ns) + 1;

    mst_put_le32(h + 4, (uint32_t)-1);
    head(out, sizeof flags + n + sizeof h + doc->len, id, 0, SBX_OP_QUERY);
    mst_buf_add(out, flags, sizeof flags);
    mst_buf_add(out, ns, n);
    mst_buf_add(out, h, sizeof h);
    mst_buf_add(out, bson_get_data(doc), doc->len);
}
