#include "store/netfs.h"

#include <stddef.h>

#include "base/mem.h"

#define NET \
    "a network filesystem: a lost server makes every call wait, and what fsync and rename " \
    "promise is what the server keeps"

const char *mst_store_netfs(uint64_t magic)
{
    static const struct {
        uint64_t magic;
        const char *words;
    } known[] = {
        {0x6969, "NFS, " NET},
        {0xff534d42, "CIFS, " NET},
        {0xfe534d42, "SMB, " NET},
        {0x517b, "SMB, " NET},
        {0x00c36400, "Ceph, " NET},
        {0x5346414f, "AFS, " NET},
        {0x01021997, "9P, " NET},
        {0x65735546, "FUSE: a program stands behind it, and only that one knows what fsync and "
                     "rename promise"},
    };

    for (size_t i = 0; i < MST_COUNT(known); i++) {
        if (known[i].magic == magic) {
            return known[i].words;
        }
    }
    return "";
}
