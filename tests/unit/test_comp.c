#include "test.h"

#include "base/mem.h"
#include "comp/comp.h"

/* printf 'hello ' | gzip -n; printf 'world' | gzip -n */
static const uint8_t two_members[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd,
    0xc9, 0xc9, 0x57, 0x00, 0x00, 0xf6, 0xf9, 0x81, 0xed, 0x06, 0x00, 0x00, 0x00,
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x2b, 0xcf, 0x2f,
    0xca, 0x49, 0x01, 0x00, 0x43, 0x11, 0x77, 0x3a, 0x05, 0x00, 0x00, 0x00};

struct src {
    const uint8_t *p;
    size_t n, step;
};

static enum mst_rc give(void *arg, void *buf, size_t n, size_t *got, struct mst_err *err)
{
    struct src *s = arg;

    (void)err;
    *got = s->n < s->step ? s->n : s->step;
    *got = *got < n ? *got : n;
    memcpy(buf, s->p, *got);
    s->p += *got;
    s->n -= *got;
    return MST_OK;
}

static enum mst_rc gunzip(const uint8_t *p, size_t n, size_t step, char *out, size_t size,
                          struct mst_err *err)
{
    struct src s = {p, n, step};
    struct mst_gunzip *g = mst_gunzip_new(give, &s);
    size_t total = 0, got = 1;
    enum mst_rc rc = MST_OK;

    while (rc == MST_OK && got) {
        rc = mst_gunzip_read(g, out + total, size - total - 1, &got, err);
        total += got;
    }
    out[total] = '\0';
    mst_gunzip_free(g);
    return rc;
}

static void a_frame_comes_back(void **state)
{
    struct mst_zenc *z = mst_zenc_new(MST_ZSTD_LEVEL);
    struct mst_zdec *d = mst_zdec_new();
    struct mst_buf out = {0};
    struct mst_err err = {0};
    uint8_t *in = mst_xcalloc(1, 3000000), *back = mst_xcalloc(1, 3000000);
    enum mst_zwhat what;
    size_t stored, content;

    (void)state;
    for (size_t i = 0; i < 3000000; i++) {
        in[i] = (uint8_t)(i * i >> 7);
    }
    assert_ok(mst_zenc_frame(z, in, 3000000, &out, &err), &err);
    for (size_t n = 0; n < 30; n++) { /* the header in pieces: never wrong, only more */
        assert_ok(mst_zpeek(out.p, n, 4000000, &what, &stored, &content, &err), &err);
        assert_int_equal(what, MST_Z_MORE);
    }
    assert_ok(mst_zpeek(out.p, out.len - 1, 4000000, &what, &stored, &content, &err), &err);
    assert_int_equal(what, MST_Z_MORE);
    assert_ok(mst_zpeek(out.p, out.len, 4000000, &what, &stored, &content, &err), &err);
    assert_int_equal(what, MST_Z_FRAME);
    assert_int_equal(stored, out.len);
    assert_int_equal(content, 3000000);
    assert_ok(mst_zdec_frame(d, out.p, stored, back, content, &err), &err);
    assert_memory_equal(in, back, 3000000);
    assert_rc(mst_zpeek(out.p, out.len, 2999999, &what, &stored, &content, &err), MST_E_LIMIT,
              &err);
    out.p[out.len / 2] ^= 1;
    err = (struct mst_err){0};
    (void)(mst_zdec_frame(d, out.p, out.len, back, 3000000, &err) == MST_OK); /* must not crash */
    out.p[0] ^= 1;
    assert_rc(mst_zpeek(out.p, out.len, 4000000, &what, &stored, &content, &err), MST_E_INTEGRITY,
              &err);
    free(in);
    free(back);
    mst_buf_release(&out);
    mst_zenc_free(z);
    mst_zdec_free(d);
}

static void a_skippable_frame_is_seen_with_its_content(void **state)
{
    struct mst_buf out = {0};
    struct mst_err err = {0};
    enum mst_zwhat what;
    size_t stored, content;

    (void)state;
    mst_zskip_add(&out, 13, "twelve bytes", 12);
    assert_ok(mst_zpeek(out.p, 19, 100, &what, &stored, &content, &err), &err);
    assert_int_equal(what, MST_Z_MORE);
    assert_ok(mst_zpeek(out.p, 20, 100, &what, &stored, &content, &err), &err);
    assert_int_equal(what, MST_Z_SKIP);
    assert_int_equal(stored, 20);
    assert_int_equal(content, 12);
    assert_rc(mst_zpeek(out.p, 20, 11, &what, &stored, &content, &err), MST_E_LIMIT, &err);
    mst_buf_release(&out);
}

static void a_frame_that_lies_about_its_size_is_damage(void **state)
{
    struct mst_zenc *z = mst_zenc_new(MST_ZSTD_LEVEL);
    struct mst_zdec *d = mst_zdec_new();
    struct mst_buf out = {0};
    struct mst_err err = {0};
    char back[64];

    (void)state;
    assert_ok(mst_zenc_frame(z, "0123456789", 10, &out, &err), &err);
    assert_rc(mst_zdec_frame(d, out.p, out.len, back, 9, &err), MST_E_INTEGRITY, &err);
    assert_rc(mst_zdec_frame(d, out.p, out.len, back, 11, &err), MST_E_INTEGRITY, &err);
    mst_buf_release(&out);
    mst_zenc_free(z);
    mst_zdec_free(d);
}

static void gzip_members_in_a_row_are_one_stream(void **state)
{
    struct mst_err err = {0};
    char out[64];

    (void)state;
    assert_ok(gunzip(two_members, sizeof(two_members), 1000, out, sizeof(out), &err), &err);
    assert_string_equal(out, "hello world");
    assert_ok(gunzip(two_members, sizeof(two_members), 1, out, sizeof(out), &err), &err);
    assert_string_equal(out, "hello world");
}

static void gzip_that_is_cut_or_flipped_or_nothing_is_damage(void **state)
{
    struct mst_err err = {0};
    char out[64];
    uint8_t copy[sizeof(two_members)];

    (void)state;
    for (size_t n = 0; n < sizeof(two_members); n++) {
        if (n == 26) {
            continue; /* exactly the first member: a whole stream */
        }
        assert_rc(gunzip(two_members, n, 7, out, sizeof(out), &err), MST_E_INTEGRITY, &err);
    }
    memcpy(copy, two_members, sizeof(copy));
    copy[18] ^= 1; /* its checksum */
    assert_rc(gunzip(copy, sizeof(copy), 7, out, sizeof(out), &err), MST_E_INTEGRITY, &err);
    assert_rc(gunzip((const uint8_t *)"plain text", 10, 7, out, sizeof(out), &err), MST_E_INTEGRITY,
              &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_comes_back),
        cmocka_unit_test(a_skippable_frame_is_seen_with_its_content),
        cmocka_unit_test(a_frame_that_lies_about_its_size_is_damage),
        cmocka_unit_test(gzip_members_in_a_row_are_one_stream),
        cmocka_unit_test(gzip_that_is_cut_or_flipped_or_nothing_is_damage),
    };
    return cmocka_run_group_tests_name("comp", tests, NULL, NULL);
}
