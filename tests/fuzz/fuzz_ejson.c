/* Extended JSON of metadata.json takes any bytes, and what it makes is valid BSON. */
#include <stdint.h>

#include "restore/import/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mst_src_coll c = {.options = bson_new(), .indexes = bson_new()};
    struct mst_err err = {0};

    if (mst_dump_metadata((const char *)data, size, &c, &err) != MST_OK && !err.msg[0]) {
        __builtin_trap();
    }
    if (!bson_validate(c.options, BSON_VALIDATE_NONE, NULL)) {
        __builtin_trap();
    }
    bson_destroy(c.options);
    bson_destroy(c.indexes);
    return 0;
}
