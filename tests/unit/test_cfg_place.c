/* What can be the place of a store, and when two of them are one. */
#include "test.h"

#include <string.h>

#include "base/mem.h"
#include "cfg/options.h"

static struct mst_cfg_store store(const char *type, const char *endpoint, const char *bucket,
                                  const char *prefix)
{
    struct mst_cfg_store s = {0};

    (void)mst_copy(s.type, sizeof(s.type), type);
    (void)mst_copy(s.endpoint, sizeof(s.endpoint), endpoint);
    (void)mst_copy(s.bucket, sizeof(s.bucket), bucket);
    (void)mst_copy(s.prefix, sizeof(s.prefix), prefix);
    return s;
}

static void said(const char *what, const char *fault, const char *want)
{
    if (want ? !fault || !strstr(fault, want) : fault != NULL) {
        fail_msg("%s: %s, wanted %s", what, fault ? fault : "nothing", want ? want : "nothing");
    }
}

static void an_endpoint_is_a_scheme_a_host_and_a_port(void **state)
{
    static const struct {
        const char *type, *endpoint, *want;
    } all[] = {
        {"s3", "https://minio.example.com", NULL},
        {"s3", "https://minio.example.com:9000", NULL},
        {"s3", "https://[::1]", NULL},
        {"s3", "https://[2001:db8::7]:65535", NULL},
        {"s3", "https://s3.eu-central-1.amazonaws.com", NULL},
        {"s3", "https://vault.example.com", NULL}, /* a host may be called so */
        {"gcs", "https://storage.example.com/", NULL},
        {"s3", "https://h/", "nothing stands behind"},
        {"s3", "https://h/vault", "nothing stands behind"},
        {"s3", "https://h?x", "nothing stands behind"},
        {"gcs", "https://h/vault", "nothing stands behind"},
        {"s3", "https://", "no name of a host"},
        {"s3", "https://:9000", "no name of a host"},
        {"s3", "https://a b", "no name of a host"},
        {"s3", "https://h:", "from 1 to 65535"},
        {"s3", "https://h:0", "from 1 to 65535"},
        {"s3", "https://h:65536", "from 1 to 65535"},
        {"s3", "https://h:99999999999", "from 1 to 65535"},
        {"s3", "https://h:9000x", "from 1 to 65535"},
        {"s3", "https://[::1]9000", "from 1 to 65535"},
        {"s3", "https://::1:9000", "in brackets"},
        {"s3", "https://[::1", "in brackets"},
        {"s3", "https://[]:9000", "no IPv6 address"},
        {"s3", "https://[::z]:9000", "no IPv6 address"},
        {"s3", "https://vault.s3.eu-central-1.amazonaws.com", "not in front of the host"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(all); i++) {
        const struct mst_cfg_store s = store(all[i].type, all[i].endpoint, "vault", "");

        said(all[i].endpoint, mst_cfg_endpoint_fault(&s), all[i].want);
    }
}

static void a_bucket_is_a_name_and_a_prefix_names(void **state)
{
    static const char *const good[] = {"vault", "my.vault-2_x", "ab"};
    static const char *const paths[] = {"vault/site", "s3://vault", "/vault"};
    static const char *const bad[] = {"my vault", "v", "..", "a..b", ".a", "caf\xc3\xa9"};
    static const char *const slashes[] = {"/site", "site/", "a//b", "/"};
    struct mst_cfg_store s;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(good); i++) {
        s = store("s3", "", good[i], "a/b");
        said(good[i], mst_cfg_bucket_fault(&s), NULL);
        said(good[i], mst_cfg_prefix_fault(&s), NULL);
    }
    for (size_t i = 0; i < MST_COUNT(paths); i++) {
        s = store("s3", "", paths[i], "");
        said(paths[i], mst_cfg_bucket_fault(&s), "what is below it is the prefix");
        said(paths[i], mst_cfg_prefix_fault(&s), NULL);
    }
    for (size_t i = 0; i < MST_COUNT(bad); i++) {
        s = store("s3", "", bad[i], "");
        said(bad[i], mst_cfg_bucket_fault(&s), "not the name of a bucket");
    }
    for (size_t i = 0; i < MST_COUNT(slashes); i++) {
        s = store("s3", "", "vault", slashes[i]);
        said(slashes[i], mst_cfg_prefix_fault(&s), "a slash stands between two names");
    }
}

static void two_names_of_one_place_are_found(void **state)
{
    struct mst_cfg_store a = store("s3", "https://h:1", "vault", "a");
    struct mst_cfg_store b = store("s3", "https://h:1", "vault", "a");

    (void)state;
    assert_true(mst_cfg_same_place(&a, &b));
    b = store("s3", "https://h:1", "vault", "b");
    assert_false(mst_cfg_same_place(&a, &b));
    b = store("s3", "https://h:2", "vault", "a");
    assert_false(mst_cfg_same_place(&a, &b));
    b = store("s3", "https://h:1", "vault", "");
    assert_false(mst_cfg_same_place(&a, &b));
    a = store("s3", "", "vault", "");
    (void)mst_copy(a.profile, sizeof(a.profile), "gcs");
    b = store("gcs", "", "vault", "");
    assert_true(mst_cfg_same_place(&a, &b)); /* Google by its two doors */
    b = store("gcs", "https://storage.googleapis.com/", "vault", "");
    assert_true(mst_cfg_same_place(&a, &b));
    b = store("s3", "", "vault", "");
    assert_false(mst_cfg_same_place(&a, &b)); /* Amazon */
    a = b = store("local", "", "", "");
    (void)mst_copy(a.path, sizeof(a.path), "/srv/backups");
    (void)mst_copy(b.path, sizeof(b.path), "/srv/backups//");
    assert_true(mst_cfg_same_place(&a, &b));
    (void)mst_copy(b.path, sizeof(b.path), "/srv/backups2");
    assert_false(mst_cfg_same_place(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_is_a_scheme_a_host_and_a_port),
        cmocka_unit_test(a_bucket_is_a_name_and_a_prefix_names),
        cmocka_unit_test(two_names_of_one_place_are_found),
    };

    return cmocka_run_group_tests_name("places of stores", tests, NULL, NULL);
}
