#include "test.h"

#include <string.h>

#include "base/mem.h"
#include "store/gcs_call.h"
#include "store/gjson.h"

static void names_are_found_and_what_is_not_there_is_empty(void **state)
{
    static const char text[] = " {\"a\":{\"b\":\"x\",\"n\":\"12\",\"m\":7,\"t\":true},\"neg\":-3,"
                               "\"big\":\"99999999999999999999\",\"nul\":\"a\\u0000b\"}\n";
    struct mst_err err = {0};
    bson_t *b;

    (void)state;
    assert_ok(mst_gjson_parse("h answered 200", text, strlen(text), &b, &err), &err);
    assert_string_equal(mst_gjson_text(b, "a.b"), "x");
    assert_string_equal(mst_gjson_text(b, "a.c"), "");
    assert_string_equal(mst_gjson_text(b, "a"), "");
    assert_string_equal(mst_gjson_text(b, "nul"), "");
    assert_int_equal(mst_gjson_number(b, "a.n"), 12);
    assert_int_equal(mst_gjson_number(b, "a.m"), 7);
    assert_int_equal(mst_gjson_number(b, "a.b"), -1);
    assert_int_equal(mst_gjson_number(b, "neg"), -1);
    assert_int_equal(mst_gjson_number(b, "big"), -1);
    assert_true(mst_gjson_true(b, "a.t"));
    assert_false(mst_gjson_true(b, "a.b"));
    bson_destroy(b);
}

static void what_is_no_json_object_is_said(void **state)
{
    static const char *const texts[][2] = {
        {"", "h answered 200 with an empty body where JSON is expected"},
        {" \r\n ", "h answered 200 with an empty body where JSON is expected"},
        {"\n<html>", "h answered 200 with a web page instead of JSON: a proxy or the login page of "
                     "a network stands in between"},
        {"[1]", "h answered 200 with something that is not a JSON object"},
        {"{\"a\":1} {}", "h answered 200 with something that is not a JSON object"},
        {"{\"a\":1", "h answered 200 with something that is not a JSON object"},
        {"{\"a\":\"}", "h answered 200 with something that is not a JSON object"},
        {"oops", "h answered 200 with something that is not a JSON object"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(texts); i++) {
        struct mst_err err = {0};
        bson_t *b;

        assert_rc(mst_gjson_parse("h answered 200", texts[i][0], strlen(texts[i][0]), &b, &err),
                  MST_E_INTEGRITY, &err);
        assert_null(b);
        assert_string_equal(err.msg, texts[i][1]);
    }
}

static void both_forms_of_an_error_are_read(void **state)
{
    static const char api[] = "{\"error\":{\"code\":403,\"message\":\"no\\u001b[31m\",\"errors\":["
                              "{\"reason\":\"forbidden\"}]}}";
    static const char grant[] = "{\"error\":\"invalid_grant\",\"error_description\":\"old\"}";
    struct mst_gerror e;

    (void)state;
    assert_true(mst_gjson_error(api, strlen(api), &e));
    assert_string_equal(e.reason, "forbidden");
    assert_string_equal(e.message, "no?[31m");
    assert_true(mst_gjson_error(grant, strlen(grant), &e));
    assert_string_equal(e.reason, "invalid_grant");
    assert_string_equal(e.message, "old");
    assert_false(mst_gjson_error("<html>", 6, &e));
    assert_false(mst_gjson_error("{}", 2, &e));
    assert_true(mst_gjson_error("\xef\xbb\xbf{\"error\":\"x\"}", 16, &e)); /* an editor's mark */
    assert_string_equal(e.reason, "x");
}

static void only_what_may_be_reached_is_a_host(void **state)
{
    static const struct {
        const char *url, *host;
        bool plain;
    } cases[] = {{"https://storage.googleapis.com/x?y", "storage.googleapis.com", false},
                 {"http://127.0.0.1:80/x", "127.0.0.1:80", true},
                 {"http://127.0.0.1:80/x", NULL, false},
                 {"https://u:p@h/", NULL, true},
                 {"https://h\r\nx/", NULL, true},
                 {"https:///x", NULL, true},
                 {"ftp://h/", NULL, true},
                 {"", NULL, true}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct mst_err err = {0};
        char host[64] = "";

        assert_rc(
            mst_gcall_host(cases[i].url, cases[i].plain, "endpoint", host, sizeof(host), &err),
            cases[i].host ? MST_OK : MST_E_CONFIG, &err);
        assert_string_equal(host, cases[i].host ? cases[i].host : "");
    }
}

static void everything_but_plain_letters_is_encoded(void **state)
{
    struct mst_str s = {0};

    (void)state;
    mst_gcall_encode("a/b c-._~%\xc3\xa4?", &s);
    assert_string_equal(mst_str_c(&s), "a%2Fb%20c-._~%25%C3%A4%3F");
    mst_str_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_and_what_is_not_there_is_empty),
        cmocka_unit_test(what_is_no_json_object_is_said),
        cmocka_unit_test(both_forms_of_an_error_are_read),
        cmocka_unit_test(only_what_may_be_reached_is_a_host),
        cmocka_unit_test(everything_but_plain_letters_is_encoded),
    };
    return cmocka_run_group_tests_name("gjson", tests, NULL, NULL);
}
