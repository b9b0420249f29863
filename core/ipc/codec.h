/* codec.h: structs to BSON and back by table; private to ipc. A decoder takes any bytes: texts are
 * cut and sanitised, numbers that are not there are zero, arrays have ceilings. */
#ifndef MST_IPC_CODEC_H
#define MST_IPC_CODEC_H

#include <bson/bson.h>

#include "engine/handle.h"

struct desc;

enum field_type {
    FT_TEXT,
    FT_BOOL,
    FT_I32,
    FT_U32,
    FT_I64,
    FT_U64,
    FT_DOUBLE,
    FT_TS,
    FT_OPTIME,
    FT_ROWS,  /* pointer to n structs, allocated by the decoder */
    FT_LINES, /* pointer to n texts of size bytes, allocated by the decoder */
    FT_FIXED, /* array inside the struct, n of them used */
    FT_CELLS, /* texts inside the struct, n of them used */
    FT_SUB,   /* a struct inside the struct */
    FT_TRIM   /* array inside the struct, sent up to its last element that is not zero */
};

struct field {
    const char *name;
    enum field_type type;
    size_t offset, size; /* of the member; of one element for arrays */
    size_t n_offset;     /* of the size_t that counts the elements */
    size_t max;          /* ceiling of the elements; of an enum: its last value */
    const struct desc *of;
};

struct desc {
    size_t size;
    const struct field *fields;
    size_t n;
};

void ipc_encode(const struct desc *d, const void *from, bson_t *out);
/* to is zeroed before; what was allocated is in it also on failure. */
enum mst_rc ipc_decode(const struct desc *d, const bson_t *from, void *to,
                       struct mst_err *err) MST_MUST_CHECK;

extern const struct desc ipc_info, ipc_topo, ipc_jobs, ipc_bucket, ipc_look, ipc_detail,
    ipc_leavings, ipc_move, ipc_messages, ipc_cmd, ipc_ticket, ipc_err;
#endif
