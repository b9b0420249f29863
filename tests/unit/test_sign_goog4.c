/* Google's published signed URLs (tests/data/goog4). Those are signed with RSA and ours with HMAC;
 * everything before the signature differs in that one word, so the published canonical request with
 * our word in it must be exactly what we sign. */
#include "test.h"

#include <bson/bson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "hash/mac.h"
#include "http/sign.h"

#define SECRET "a secret/with+signs"
#define ACCESS "test-iam-credentials@dummy-project-id.iam.gserviceaccount.com"

static const char *text_of(const bson_iter_t *in, const char *name)
{
    bson_iter_t it, at;

    return bson_iter_recurse(in, &it) && bson_iter_find_descendant(&it, name, &at) &&
                   BSON_ITER_HOLDS_UTF8(&at)
               ? bson_iter_utf8(&at, NULL)
               : "";
}

/* RSA's word becomes HMAC's. */
static void in_our_words(const char *text, struct mst_str *out)
{
    static const char theirs[] = "GOOG4-RSA-SHA256";

    for (const char *at; (at = strstr(text, theirs)); text = at + strlen(theirs)) {
        mst_str_addn(out, text, (size_t)(at - text));
        mst_str_add(out, "GOOG4-HMAC-SHA256");
    }
    mst_str_add(out, text);
}

static char *line_of(const char *text, unsigned n)
{
    while (n-- > 0) {
        text = strchr(text, '\n') + 1;
    }
    return mst_xstrndup(text, strcspn(text, "\n"));
}

/* From the published texts alone: what an HMAC key makes of them. */
static void signature_of(const char *canonical, const char *to_sign, char hex[MST_SHA256_HEX])
{
    char *stamp = line_of(to_sign, 1), *scope = line_of(to_sign, 2), *hash = line_of(to_sign, 3);
    char *step[4] = {mst_xstrndup(scope, 8), mst_xstrdup("auto"), mst_xstrdup("storage"),
                     mst_xstrdup("goog4_request")};
    struct mst_str text = {0};
    uint8_t key[MST_SHA256_LEN], digest[MST_SHA256_LEN];

    mst_sha256_of(canonical, strlen(canonical), digest);
    assert_string_equal(mst_hex(digest, sizeof(digest), hex), hash); /* the data fits together */
    in_our_words(canonical, &text);
    mst_sha256_of(text.p, text.len, digest);
    mst_str_reset(&text);
    mst_str_addf(&text, "GOOG4-HMAC-SHA256\n%s\n%s\n%s", stamp, scope,
                 mst_hex(digest, sizeof(digest), hex));
    mst_hmac_sha256("GOOG4" SECRET, strlen("GOOG4" SECRET), step[0], strlen(step[0]), key);
    for (size_t i = 1; i < 4; i++) {
        memcpy(digest, key, sizeof(digest));
        mst_hmac_sha256(digest, sizeof(digest), step[i], strlen(step[i]), key);
    }
    mst_hmac_sha256(key, sizeof(key), text.p, text.len, digest);
    (void)mst_hex(digest, sizeof(digest), hex);
    mst_str_release(&text);
    for (size_t i = 0; i < 4; i++) {
        free(step[i]);
    }
    free(stamp);
    free(scope);
    free(hash);
}

/* Members of an object as pairs; the names are borrowed. */
static size_t pairs_of(const bson_iter_t *in, const char *name, struct mst_sig_pair *out)
{
    bson_iter_t it, at;
    size_t n = 0;

    if (bson_iter_recurse(in, &it) && bson_iter_find(&it, name) && bson_iter_recurse(&it, &at)) {
        while (bson_iter_next(&at)) {
            out[n++] = (struct mst_sig_pair){bson_iter_key(&at), bson_iter_utf8(&at, NULL)};
        }
    }
    return n;
}

/* As it is signed: the cases leave a port out, whatever it is. */
static char *host_of(const char *canonical)
{
    const char *from = strstr(canonical, "\nhost:") + 6;

    return mst_xstrndup(from, strcspn(from, "\n"));
}

/* The bucket is in the path where the name of the host does not have it. */
static char *path_of(const bson_iter_t *c)
{
    const char *style = text_of(c, "urlStyle");

    return mst_xasprintf("%s%s%s%s", *style ? "" : "/", *style ? "" : text_of(c, "bucket"),
                         *text_of(c, "object") ? "/" : "", text_of(c, "object"));
}

/* One was published with the hash of another request than the one beside it. */
static bool fits_together(const bson_iter_t *c)
{
    return strcmp(text_of(c, "description"), "Universe domain with virtual hosted style") != 0;
}

static void check(const bson_iter_t *c)
{
    const char *canonical = text_of(c, "expectedCanonicalRequest");
    char *host = host_of(canonical), *path = path_of(c);
    struct mst_http_headers *hs = mst_xcalloc(1, sizeof(*hs));
    struct mst_sig_pair query[8], headers[8];
    struct mst_secret secret = {0};
    const struct mst_sig_keys keys = {ACCESS, &secret, NULL};
    struct mst_sig_request q = {.kind = MST_SIG_GOOG4,
                                .method = text_of(c, "method"),
                                .host = host,
                                .path = path,
                                .query = query,
                                .n_query = pairs_of(c, "queryParameters", query),
                                .region = "auto",
                                .service = "storage",
                                .now_ms = mst_time_parse(text_of(c, "timestamp")),
                                .payload_hash = strrchr(canonical, '\n') + 1};
    struct mst_str target = {0}, wanted = {0}, ours = {0};
    struct mst_err err = {0};
    char hex[MST_SHA256_HEX], *line[2];
    bson_iter_t it;

    for (size_t i = 0, n = pairs_of(c, "headers", headers); i < n; i++) {
        assert_ok(mst_http_add(hs, headers[i].name, headers[i].value, &err), &err);
    }
    assert_true(bson_iter_recurse(c, &it) && bson_iter_find(&it, "expiration"));
    mst_secret_set(&secret, SECRET, strlen(SECRET));
    assert_ok(mst_sig_query(&q, &keys, hs, bson_iter_as_int64(&it), &target, &err), &err);
    signature_of(canonical, text_of(c, "expectedStringToSign"), hex);
    in_our_words(canonical, &ours);
    line[0] = line_of(ours.p, 1);
    line[1] = line_of(ours.p, 2);
    mst_str_addf(&wanted, "%s?%s&X-Goog-Signature=%s", line[0], line[1], hex);
    if (strcmp(mst_str_c(&target), mst_str_c(&wanted)) != 0) {
        fail_msg("%s:\n%s, wanted\n%s", text_of(c, "description"), mst_str_c(&target),
                 mst_str_c(&wanted));
    }
    free(line[0]);
    free(line[1]);
    free(host);
    free(path);
    free(hs);
    mst_secret_release(&secret);
    mst_str_release(&target);
    mst_str_release(&wanted);
    mst_str_release(&ours);
}

static void the_published_urls_are_signed_as_published(void **state)
{
    struct mst_buf file = {0};
    struct mst_err err = {0};
    bson_error_t bad;
    bson_iter_t it, c;
    bson_t *b;
    size_t n = 0, all = 0;

    (void)state;
    assert_ok(mst_file_read(TEST_DATA "/goog4/cases.json", (size_t)1 << 20, &file, &err), &err);
    b = bson_new_from_json(file.p, (ssize_t)file.len, &bad);
    if (!b) {
        fail_msg("%s", bad.message);
    }
    assert_true(bson_iter_init_find(&it, b, "signingV4Tests") && bson_iter_recurse(&it, &c));
    for (; bson_iter_next(&c); all++) {
        if (fits_together(&c)) {
            check(&c);
            n++;
        }
    }
    assert_int_equal(all, 29);
    assert_int_equal(n, 28);
    bson_destroy(b);
    mst_buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_urls_are_signed_as_published),
    };

    return cmocka_run_group_tests_name("goog4", tests, NULL, NULL);
}
