/* Frames of the wire protocol, well-formed and hostile, alone and against a running member. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox_kit.h"
#include "wire/check.h"
#include "wire/frame.h"

static bson_t *doc(const char *json)
{
    bson_error_t bad;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &bad);

    assert_non_null(b);
    return b;
}

/* A message of one body and, when name is not NULL, one sequence of two documents before it. */
static void build(struct mst_buf *out, uint32_t flags, const char *name, bool first, bool checksum)
{
    bson_t *body = doc("{\"insert\":\"c\",\"$db\":\"t\"}"), *d = doc("{\"a\":1}");
    uint8_t h[SBX_FRAME_HEAD] = {0}, w[4];
    struct mst_buf seq = {0};

    if (name != NULL) {
        const uint32_t size = (uint32_t)(4 + strlen(name) + 1 + 2 * d->len);
        mst_buf_add(&seq, "\1", 1);
        mst_put_le32(w, size);
        mst_buf_add(&seq, w, 4);
        mst_buf_add(&seq, name, strlen(name) + 1);
        mst_buf_add(&seq, bson_get_data(d), d->len);
        mst_buf_add(&seq, bson_get_data(d), d->len);
    }
    mst_buf_add(out, h, sizeof h);
    mst_put_le32(w, flags | (checksum ? SBX_MSG_CHECKSUM : 0));
    mst_buf_add(out, w, 4);
    if (first) {
        mst_buf_add(out, seq.p, seq.len);
    }
    mst_buf_add(out, "\0", 1);
    mst_buf_add(out, bson_get_data(body), body->len);
    if (!first && seq.len > 0) {
        mst_buf_add(out, seq.p, seq.len);
    }
    if (checksum) {
        mst_buf_add(out, "\1\2\3\4", 4);
    }
    mst_put_le32(out->p, (uint32_t)out->len);
    mst_put_le32(out->p + 4, 7);
    mst_put_le32(out->p + 12, SBX_OP_MSG);
    mst_buf_release(&seq);
    bson_destroy(body);
    bson_destroy(d);
}

static void a_sequence_is_folded_into_the_body_wherever_it_stands(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        for (int sum = 0; sum < 2; sum++) {
            struct mst_buf b = {0};
            struct sbx_frame f;
            struct mst_err err = {0};
            build(&b, 0, "documents", first, sum);
            assert_ok(sbx_frame_parse(b.p, b.len, &f, &err), &err);
            assert_int_equal(f.id, 7);
            assert_true(sbx_doc_has(&f.body, "documents.1.a"));
            assert_false(sbx_doc_has(&f.body, "documents.2"));
            assert_string_equal(sbx_doc_str(&f.body, "$db"), "t");
            sbx_frame_release(&f);
            sbx_frame_release(&f); /* twice is allowed */
            mst_buf_release(&b);
        }
    }
}

static void unknown_required_flags_are_refused_and_optional_ones_ignored(void **state)
{
    struct mst_buf b = {0};
    struct sbx_frame f;
    struct mst_err err = {0};

    (void)state;
    build(&b, 4, NULL, false, false);
    assert_rc(sbx_frame_parse(b.p, b.len, &f, &err), MST_E_INTEGRITY, &err);
    mst_buf_reset(&b);
    build(&b, 1u << 20, NULL, false, false);
    assert_ok(sbx_frame_parse(b.p, b.len, &f, &err), &err);
    sbx_frame_release(&f);
    mst_buf_release(&b);
}

static void every_cut_and_every_flipped_byte_is_survived(void **state)
{
    struct mst_buf b = {0};

    (void)state;
    build(&b, 0, "documents", true, true);
    for (size_t n = 0; n < b.len; n++) {
        struct sbx_frame f;
        struct mst_err err = {0};
        uint8_t *cut = mst_xmemdup(b.p, n + 1);
        mst_put_le32(b.p, (uint32_t)b.len);
        if (n >= SBX_FRAME_HEAD) {
            mst_put_le32(cut, (uint32_t)n);
        }
        assert_true(sbx_frame_parse(cut, n, &f, &err) != MST_OK);
        sbx_frame_release(&f);
        free(cut);
        for (int v = 0; v < 256; v += 51) {
            uint8_t *flip = mst_xmemdup(b.p, b.len);
            flip[n] = (uint8_t)(flip[n] ^ (v | 1));
            if (sbx_frame_parse(flip, b.len, &f, &err) == MST_OK) {
                sbx_frame_release(&f);
            }
            free(flip);
        }
    }
    mst_buf_release(&b);
}

static void lengths_out_of_range_are_no_frames(void **state)
{
    uint8_t h[SBX_FRAME_HEAD] = {0};

    (void)state;
    mst_put_le32(h, 15);
    assert_int_equal(sbx_frame_length(h), -1);
    mst_put_le32(h, 48000001);
    assert_int_equal(sbx_frame_length(h), -1);
    mst_put_le32(h, 0xffffffffu);
    assert_int_equal(sbx_frame_length(h), -1);
    mst_put_le32(h, 48000000);
    assert_int_equal(sbx_frame_length(h), 48000000);
}

static void documents_too_deep_or_broken_are_refused_and_odd_ones_pass(void **state)
{
    bson_t *b = bson_new();
    static const uint8_t bad_utf8[] = {15, 0, 0, 0, 2, 'a', 0, 3, 0, 0, 0, 0xff, 0xfe, 0, 0};
    static const uint8_t empty_key[] = {11, 0, 0, 0, 16, 0, 1, 0, 0, 0, 0};
    static const uint8_t unknown[] = {9, 0, 0, 0, 0x20, 'a', 0, 1, 0};

    (void)state;
    assert_true(sbx_bson_check(bad_utf8, sizeof bad_utf8));
    assert_true(sbx_bson_check(empty_key, sizeof empty_key));
    assert_false(sbx_bson_check(unknown, sizeof unknown));
    assert_false(sbx_bson_check(bad_utf8, sizeof bad_utf8 - 1));
    for (int depth = 1; depth < 300; depth++) {
        bson_t *outer = bson_new();
        BSON_APPEND_DOCUMENT(outer, "", b);
        bson_destroy(b);
        b = outer;
        assert_int_equal(sbx_bson_check(bson_get_data(b), b->len), depth < SBX_BSON_DEPTH_MAX);
    }
    bson_destroy(b);
}

/* ---- against a member ---- */

static void closes(struct kit *k, const void *bytes, size_t n)
{
    struct sbx_client c;
    struct sbx_frame f;
    struct mst_err err = {0};

    kit_connect(k, 0, &c);
    c.timeout_ms = 3000;
    assert_ok(sbx_client_raw(&c, bytes, n, &err), &err);
    assert_rc(sbx_client_receive(&c, &f, &err), MST_E_NET, &err);
    sbx_client_close(&c);
}

static void hostile_frames_close_the_connection_and_nothing_else(void **state)
{
    static const uint8_t tiny[16] = {15}, huge[16] = {0xff, 0xff, 0xff, 0x7f},
                         odd[16] = {16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdc, 7, 0, 0},
                         empty[20] = {20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0};
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 1});
    closes(&k, tiny, sizeof tiny);
    closes(&k, huge, sizeof huge);
    closes(&k, odd, sizeof odd); /* compressed: never offered */
    closes(&k, empty, sizeof empty);
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'ping': 1}"), 0);
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_frame_may_come_byte_by_byte(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct sbx_frame f;
    struct mst_err err = {0};
    struct mst_buf b = {0};
    bson_t *ping = doc("{\"ping\":1,\"$db\":\"admin\"}");

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 1});
    kit_connect(&k, 0, &c);
    sbx_frame_msg(&b, 99, 0, 0, ping);
    for (size_t i = 0; i < b.len; i++) {
        assert_ok(sbx_client_raw(&c, b.p + i, 1, &err), &err);
    }
    assert_ok(sbx_client_receive(&c, &f, &err), &err);
    assert_int_equal(f.response_to, 99);
    assert_true(sbx_doc_true(&f.body, "ok"));
    sbx_frame_release(&f);
    sbx_client_close(&c);
    mst_buf_release(&b);
    bson_destroy(ping);
    kit_stop(&k);
}

static void the_old_handshake_is_answered_and_other_old_queries_are_not(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct mst_err err = {0};
    bson_t r, *hello = doc("{\"isMaster\":1,\"helloOk\":true}"), *ping = doc("{\"ping\":1}");

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 1});
    kit_connect(&k, 0, &c);
    assert_ok(sbx_client_query(&c, "admin", hello, &r, &err), &err);
    assert_string_equal(sbx_doc_str(&r, "setName"), "rs0");
    assert_false(sbx_doc_has(&r, "helloOk")); /* 4.2.8 does not know it */
    bson_destroy(&r);
    assert_rc(sbx_client_query(&c, "admin", ping, &r, &err), MST_E_SERVER, &err);
    assert_int_equal(err.detail, 352);
    bson_destroy(&r);
    sbx_client_close(&c);
    bson_destroy(hello);
    bson_destroy(ping);
    kit_stop(&k);
}

static void a_request_that_wants_no_answer_gets_none(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct sbx_frame f;
    struct mst_err err = {0};
    int32_t silent, loud;
    bson_t *ping = doc("{\"ping\":1}");

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 1});
    kit_connect(&k, 0, &c);
    assert_ok(sbx_client_send(&c, "admin", ping, SBX_MSG_MORE_TO_COME, &silent, &err), &err);
    assert_ok(sbx_client_send(&c, "admin", ping, 0, &loud, &err), &err);
    assert_ok(sbx_client_receive(&c, &f, &err), &err);
    assert_int_equal(f.response_to, loud);
    sbx_frame_release(&f);
    sbx_client_close(&c);
    bson_destroy(ping);
    kit_stop(&k);
}

/* ---- hello of the newer profile ---- */

static bson_t *await_hello(const bson_t *last, int ms)
{
    bson_t *cmd = bson_new();
    bson_iter_t tv;

    BSON_APPEND_INT32(cmd, "hello", 1);
    assert_true(bson_iter_init_find(&tv, last, "topologyVersion"));
    bson_append_iter(cmd, "topologyVersion", -1, &tv);
    BSON_APPEND_INT64(cmd, "maxAwaitTimeMS", ms);
    return cmd;
}

static void hello_waits_for_a_change_or_for_its_time(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct mst_err err = {0};
    bson_t first, r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.server = "7.0", .seed = 1});
    assert_int_equal(kit_run(&k, 0, "admin", &first, "{'hello': 1, 'helloOk': true}"), 0);
    assert_true(sbx_doc_true(&first, "isWritablePrimary"));
    assert_true(sbx_doc_true(&first, "helloOk"));
    assert_int_equal(kit_int(&first, "maxWireVersion"), 21);
    kit_connect(&k, 0, &c);
    bson_t *cmd = await_hello(&first, 150);
    const int64_t from = mst_clock_mono_ms(NULL);
    assert_ok(sbx_client_command(&c, "admin", cmd, &r, &err), &err);
    assert_true(mst_clock_mono_ms(NULL) - from >= 150);
    assert_int_equal(kit_int(&r, "topologyVersion.counter"),
                     kit_int(&first, "topologyVersion.counter"));
    bson_destroy(&r);
    bson_destroy(cmd);
    sbx_client_close(&c);
    bson_destroy(&first);
    kit_stop(&k);
}

static void hello_streams_changes_without_being_asked_again(void **state)
{
    struct kit k;
    struct sbx_client c;
    struct sbx_frame f;
    struct mst_err err = {0};
    bson_t first, r;
    int32_t id;

    (void)state;
    kit_start(&k, (struct sbx_opts){.server = "7.0", .fast = true, .seed = 1});
    assert_int_equal(kit_run(&k, 0, "admin", &first, "{'hello': 1}"), 0);
    kit_connect(&k, 0, &c);
    bson_t *cmd = await_hello(&first, 10000);
    assert_ok(sbx_client_send(&c, "admin", cmd, SBX_MSG_EXHAUST_ALLOWED, &id, &err), &err);
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetStepDown': 60}"), 0);
    bson_destroy(&r);
    int64_t counter = kit_int(&first, "topologyVersion.counter");
    bool secondary = false;
    for (int i = 0; i < 20 && !secondary; i++) {
        assert_ok(sbx_client_receive(&c, &f, &err), &err);
        assert_int_equal(f.response_to, id);
        assert_true((f.flags & SBX_MSG_MORE_TO_COME) != 0);
        assert_true(kit_int(&f.body, "topologyVersion.counter") > counter);
        counter = kit_int(&f.body, "topologyVersion.counter");
        secondary = sbx_doc_true(&f.body, "secondary");
        id = f.id;
        sbx_frame_release(&f);
    }
    assert_true(secondary);
    sbx_client_close(&c);
    bson_destroy(cmd);
    bson_destroy(&first);
    kit_stop(&k);
}

static void errors_of_the_newer_profile_have_its_names_and_carry_the_topology(void **state)
{
    struct kit k;
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.server = "7.0", .fast = true, .seed = 1});
    assert_int_equal(kit_run(&k, 1, "admin", &r, "{'replSetStepDown': 1}"), 10107);
    assert_string_equal(sbx_doc_str(&r, "codeName"), "NotWritablePrimary");
    assert_true(sbx_doc_has(&r, "topologyVersion.counter"));
    bson_destroy(&r);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sequence_is_folded_into_the_body_wherever_it_stands),
        cmocka_unit_test(unknown_required_flags_are_refused_and_optional_ones_ignored),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_survived),
        cmocka_unit_test(lengths_out_of_range_are_no_frames),
        cmocka_unit_test(documents_too_deep_or_broken_are_refused_and_odd_ones_pass),
        cmocka_unit_test(hostile_frames_close_the_connection_and_nothing_else),
        cmocka_unit_test(a_frame_may_come_byte_by_byte),
        cmocka_unit_test(the_old_handshake_is_answered_and_other_old_queries_are_not),
        cmocka_unit_test(a_request_that_wants_no_answer_gets_none),
        cmocka_unit_test(hello_waits_for_a_change_or_for_its_time),
        cmocka_unit_test(hello_streams_changes_without_being_asked_again),
        cmocka_unit_test(errors_of_the_newer_profile_have_its_names_and_carry_the_topology),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
