#include "mongo/frame.h"

#include "base/buf.h"

/* How many bytes decide about a message with this opcode. */
static size_t head_size(int32_t opcode)
{
    return opcode == MST_OP_REPLY ? 40 : 25;
}

static int32_t le32(const uint8_t *p)
{
    return (int32_t)mst_le32(p);
}

static const char *check_header(const uint8_t *h, int32_t asked)
{
    const int32_t len = le32(h), opcode = le32(h + 12);

    if (len < 16 || len > MST_FRAME_MAX) {
        return "a message length out of range";
    }
    if (opcode != MST_OP_MSG && opcode != MST_OP_REPLY) {
        return "an unknown kind of message";
    }
    if (asked == MST_OP_MSG && opcode == MST_OP_REPLY) {
        return "an old reply to a new request";
    }
    if (asked == MST_OP_QUERY && opcode == MST_OP_MSG) {
        return "a new reply to an old request";
    }
    if ((size_t)len < head_size(opcode) + 1) {
        return "a message too short for its kind";
    }
    return NULL;
}

static const char *check_reply(const uint8_t *h)
{
    const int32_t len = le32(h), doc = le32(h + 36);

    if (le32(h + 32) != 1) {
        return "a reply that does not hold one document";
    }
    if (doc < 5 || doc != len - 36) {
        return "a document length that does not fit its message";
    }
    return NULL;
}

static const char *check_msg(const uint8_t *h)
{
    const int32_t len = le32(h), doc = le32(h + 21);
    const uint32_t flags = mst_le32(h + 16);

    if (flags & 1U) {
        return "a checksum nobody asked for";
    }
    if (flags & 0xffffU) { /* moreToCome too: nobody asked for a stream */
        return "flags nobody asked for";
    }
    if (h[20] != 0) {
        return "a section that is not a document";
    }
    if (doc < 5 || doc != len - 21) {
        return "more than one section, or a length that does not fit";
    }
    return NULL;
}

static const char *check(const struct mst_framer *f)
{
    return le32(f->head + 12) == MST_OP_REPLY ? check_reply(f->head) : check_msg(f->head);
}

const char *mst_framer_got(struct mst_framer *f, const uint8_t *p, size_t n, int32_t asked)
{
    while (n > 0) {
        size_t take, want = f->have < 16 ? 16 : head_size(le32(f->head + 12));
        const char *wrong = NULL;

        if (f->left > 0) {
            take = n < f->left ? n : f->left;
            f->left -= take;
            p += take;
            n -= take;
            continue;
        }
        take = n < want - f->have ? n : want - f->have;
        memcpy(f->head + f->have, p, take);
        f->have += take;
        p += take;
        n -= take;
        if (f->have == 16) {
            wrong = check_header(f->head, asked);
        } else if (f->have > 16 && f->have == want) {
            wrong = check(f);
            f->left = mst_le32(f->head) - f->have;
            f->have = 0;
        }
        if (wrong) {
            return wrong;
        }
    }
    return NULL;
}

void mst_framer_sent(struct mst_framer *f, const uint8_t *p, size_t n, int32_t *opcode)
{
    while (n > 0) {
        size_t take = 0;

        if (f->left > 0) {
            take = n < f->left ? n : f->left;
            f->left -= take;
        } else {
            take = n < 16 - f->have ? n : 16 - f->have;
            memcpy(f->head + f->have, p, take);
            f->have += take;
            if (f->have == 16) {
                const uint32_t len = mst_le32(f->head);

                *opcode = le32(f->head + 12);
                f->left = len > 16 ? len - 16 : 0;
                f->have = 0;
            }
        }
        p += take;
        n -= take;
    }
}

const char *mst_frame_msg(const uint8_t *msg, size_t n, size_t *off, size_t *len)
{
    const char *wrong;

    if (n < 26 || (size_t)mst_le32(msg) != n) {
        return "a message too short for its kind";
    }
    wrong = check_header(msg, MST_OP_MSG);
    if (!wrong) {
        wrong = check_msg(msg);
    }
    if (!wrong && msg[n - 1] != 0) {
        wrong = "a document without its end";
    }
    *off = 21;
    *len = n - 21;
    return wrong;
}
