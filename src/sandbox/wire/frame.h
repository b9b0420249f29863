/* frame.h: messages of the MongoDB wire protocol, taken apart and put together.
 *
 * Parsing works on one whole message in memory and never reads past it; every length in it is
 * checked and every document walked (check.h). The body owns its bytes; document sequences are
 * folded into it as arrays. Building appends one message to a buffer.
 */
#ifndef SBX_WIRE_FRAME_H
#define SBX_WIRE_FRAME_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SBX_FRAME_HEAD 16
#define SBX_FRAME_MAX 48000000
#define SBX_DOC_MAX (16 * 1024 * 1024)
#define SBX_DOC_ROOM (SBX_DOC_MAX + 16 * 1024) /* commands and replies may be a little larger */
#define SBX_FRAME_NS_MAX 255

enum sbx_opcode {
    SBX_OP_REPLY = 1,
    SBX_OP_QUERY = 2004,
    SBX_OP_COMPRESSED = 2012,
    SBX_OP_MSG = 2013
};
enum { SBX_MSG_CHECKSUM = 1u, SBX_MSG_MORE_TO_COME = 2u, SBX_MSG_EXHAUST_ALLOWED = 0x10000u };
enum { SBX_QUERY_SECONDARY_OK = 4 };

struct sbx_frame {
    int32_t id, response_to;
    int32_t opcode;                /* MSG, QUERY or REPLY */
    uint32_t flags;                /* of OP_MSG, OP_QUERY or OP_REPLY */
    char ns[SBX_FRAME_NS_MAX + 1]; /* of OP_QUERY, else "" */
    bson_t body;                   /* the command or reply; owned */
    bool has_body;
};

/* The length a header announces, or -1 when no frame may be that long or that short. */
int32_t sbx_frame_length(const uint8_t head[SBX_FRAME_HEAD]);
/* p holds exactly one frame of n bytes. MST_E_LIMIT or MST_E_INTEGRITY: close the connection;
 * MST_E_PRECOND: an opcode that is not spoken here. */
enum mst_rc sbx_frame_parse(const uint8_t *p, size_t n, struct sbx_frame *out,
                            struct mst_err *err) MST_MUST_CHECK;
void sbx_frame_release(struct sbx_frame *f);

void sbx_frame_msg(struct mst_buf *out, int32_t id, int32_t response_to, uint32_t flags,
                   const bson_t *doc);
void sbx_frame_reply(struct mst_buf *out, int32_t id, int32_t response_to, const bson_t *doc);
void sbx_frame_query(struct mst_buf *out, int32_t id, const char *ns, const bson_t *doc);

#endif
