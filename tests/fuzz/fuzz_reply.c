/* What a server or a name service answers, and what somebody types as a URI. The first byte says
 * which parser gets the rest. */
#include <stdlib.h>

#include "base/mem.h"
#include "mongo/frame.h"
#include "mongo/srv.h"
#include "monitor/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reply(const uint8_t *p, size_t n)
{
    struct mst_topo_member m;
    struct mst_parsed_hello h;
    struct mst_parsed_status *s = mst_xcalloc(1, sizeof(*s));
    struct mst_parsed_counters before = {.at_ms = 1};
    struct mst_parsed_config c;
    struct mst_err err = {0};
    bool oplog, sharded;
    bson_t b;

    if (bson_init_static(&b, p, n)) {
        mst_member_init(&m, "db1:27017", NULL);
        mst_parse_hello(&b, 5, &m, &h);
        mst_parse_status(&b, 5, &m, s);
        mst_parse_stats(&b, 5, &m, &before, &oplog, &sharded);
        if (mst_parse_config(&b, &c)) {
            mst_parsed_config_release(&c);
        }
        (void)(mst_reply_write_error(&b, &err) == MST_OK);
    }
    free(s);
}

static void frames(const uint8_t *p, size_t n)
{
    struct mst_framer in = {0}, out = {0};
    int32_t opcode = MST_OP_MSG;
    size_t off, len;
    const size_t half = n / 2;

    if (!mst_framer_got(&in, p, half, opcode)) {
        (void)mst_framer_got(&in, p + half, n - half, opcode);
    }
    mst_framer_sent(&out, p, n, &opcode);
    if (!mst_frame_msg(p, n, &off, &len) && off + len > n) {
        abort();
    }
}

static void names(const uint8_t *p, size_t n)
{
    struct mst_srv_record r[4];
    struct mst_err err = {0};
    char txt[300];
    size_t found;

    (void)(mst_srv_parse_answer(p, n, r, 4, &found, &err) == MST_OK);
    (void)(mst_srv_parse_txt(p, n, txt, sizeof(txt), &err) == MST_OK);
}

static void uri(const uint8_t *p, size_t n)
{
    char *text = mst_xstrndup((const char *)p, n);
    struct mst_uri u;
    struct mst_err err = {0};

    if (mst_uri_parse(text, &u, &err) == MST_OK) {
        for (size_t i = 0; i < u.n_hosts; i++) {
            char again[MST_ADDR_MAX];

            if (!mst_addr_normal(u.hosts[i], again) || strcmp(again, u.hosts[i]) != 0) {
                abort(); /* a normal form stays as it is */
            }
        }
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    switch (data[0] % 4) {
    case 0:
        reply(data + 1, size - 1);
        break;
    case 1:
        frames(data + 1, size - 1);
        break;
    case 2:
        names(data + 1, size - 1);
        break;
    default:
        uri(data + 1, size - 1);
        break;
    }
    return 0;
}
