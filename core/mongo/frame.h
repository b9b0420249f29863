/* frame.h: what a message of the wire protocol must look like before the driver may see it. Pure.
 * The driver of this system crashes on some malformed replies; none of them passes here. Internal.
 */
#ifndef MST_MONGO_FRAME_H
#define MST_MONGO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_OP_REPLY 1
#define MST_OP_QUERY 2004
#define MST_OP_MSG 2013
#define MST_FRAME_MAX 48000000 /* the server's own limit of a message */
#define MST_FRAME_HEAD 40      /* bytes that decide */

struct mst_framer {
    uint8_t head[MST_FRAME_HEAD]; /* of the message that is passing */
    size_t have;
    size_t left; /* bytes of it that may pass unseen */
};

/* Outgoing bytes: remembers the opcode of the newest message in *opcode. */
void mst_framer_sent(struct mst_framer *f, const uint8_t *p, size_t n, int32_t *opcode);
/* Incoming bytes; asked is the opcode of the request. NULL when all is well, else what is wrong: a
 * literal. */
const char *mst_framer_got(struct mst_framer *f, const uint8_t *p, size_t n, int32_t asked);

/* A whole reply to OP_MSG in memory: offset and length of its one document. */
const char *mst_frame_msg(const uint8_t *msg, size_t n, size_t *off, size_t *len);

#endif
