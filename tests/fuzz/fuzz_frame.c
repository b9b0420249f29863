/* The wire frames that the simulator reads. */
#include <stdint.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sbx_frame f = {0};
    struct mst_err err = {0};

    if (size >= SBX_FRAME_HEAD && sbx_frame_length(data) == (int32_t)size) {
        (void)(sbx_frame_parse(data, size, &f, &err) == MST_OK);
        sbx_frame_release(&f);
    }
    return 0;
}
