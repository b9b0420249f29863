/* Oplog entries as they come out of a bucket or from a server. */
#include <bson/bson.h>
#include <stdint.h>

#include "base/str.h"
#include "oplog/oplog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mst_oplog_entry e = {0};
    struct mst_err err = {0};
    bson_t doc;

    if (size <= (1U << 20) && bson_init_static(&doc, data, size) &&
        bson_validate(&doc, BSON_VALIDATE_NONE, NULL) &&
        mst_oplog_parse(&doc, &e, &err) == MST_OK) {
        char ns[MST_NS_MAX];

        (void)mst_oplog_judge(&e);
        (void)mst_oplog_cmd_ns(&e, ns);
    }
    return 0;
}
