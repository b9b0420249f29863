#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include "base/buf.h"
#include "base/mem.h"
#include "mongo/conn.h"
#include "mongo/srv.h"

static void uris_are_read(void **state)
{
    struct mst_uri u;
    struct mst_err err = {0};

    (void)state;
    assert_ok(
        mst_uri_parse("mongodb://db1,db2:27018,[::1]:9/?replicaSet=rs0&tls=true&tlsCAFile=%2Fca"
                      "&authSource=users&connectTimeoutMS=700&appName=x&retryWrites=true&w=1",
                      &u, &err),
        &err);
    assert_int_equal(u.n_hosts, 3);
    assert_string_equal(u.hosts[0], "db1:27017");
    assert_string_equal(u.hosts[1], "db2:27018");
    assert_string_equal(u.hosts[2], "[::1]:9");
    assert_string_equal(u.set_name, "rs0");
    assert_true(u.tls);
    assert_string_equal(u.ca_file, "/ca");
    assert_string_equal(u.auth_source, "users");
    assert_int_equal(u.connect_ms, 700);
    assert_int_equal(u.mech, MST_MECH_NONE);
    assert_ok(mst_uri_parse("mongodb://o%40ps@db1/admin?authMechanism=SCRAM-SHA-1", &u, &err),
              &err);
    assert_string_equal(u.user, "o@ps");
    assert_int_equal(u.mech, MST_MECH_SCRAM_SHA_1);
    assert_false(u.tls);
    assert_ok(mst_uri_parse("mongodb://ops@db1", &u, &err), &err);
    assert_int_equal(u.mech, MST_MECH_SCRAM);
    assert_ok(mst_uri_parse("mongodb+srv://set.example.net/?authMechanism=MONGODB-X509", &u, &err),
              &err);
    assert_true(u.srv);
    assert_true(u.tls); /* the rule of mongodb+srv */
    assert_string_equal(u.srv_host, "set.example.net");
    assert_int_equal(u.mech, MST_MECH_X509);
}

static void bad_uris_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *uri, *says;
    } rows[] = {
        {"", "starts with mongodb://"},
        {"http://db1", "starts with mongodb://"},
        {"mongodb://", "no host"},
        {"mongodb://db1,,db2", "not a host"},
        {"mongodb://db1:0", "not a host"},
        {"mongodb://db1:65536", "not a host"},
        {"mongodb://db1:x", "not a host"},
        {"mongodb://::1", "not a host"},
        {"mongodb://db 1", "not a host"},
        {"mongodb://ops:hunter2@db1", "holds a password"},
        {"mongodb://ops:@db1", "holds a password"},
        {"mongodb://%zz@db1", "user name"},
        {"mongodb://db1/?replicaset", "name=value"},
        {"mongodb://db1/?replicSet=rs0", "did you mean replicaSet"},
        {"mongodb://db1/?xyzzy=1", "unknown option 'xyzzy'"},
        {"mongodb://db1/?tls=yes", "true or false"},
        {"mongodb://db1/?tls=true&ssl=false", "both"},
        {"mongodb://db1/?tlsInsecure=true", "always checked"},
        {"mongodb://db1/?tlsAllowInvalidHostnames=true", "always checked"},
        {"mongodb://db1/?tlsCertificateKeyFilePassword=x", "refused"},
        {"mongodb://db1/?tls=false&tlsCAFile=/x", "tls=false"},
        {"mongodb://db1/?connectTimeoutMS=0", "1 to 600000"},
        {"mongodb://ops@db1/?authMechanism=GSSAPI", "GSSAPI is not supported"},
        {"mongodb://ops@db1/?authMechanism=PLAIN", "PLAIN is not supported"},
        {"mongodb://ops@db1/?authMechanism=MONGODB-AWS", "MONGODB-AWS is not supported"},
        {"mongodb://ops@db1/?authMechanism=SCRAM", "unknown authMechanism"},
        {"mongodb://db1/?authMechanism=SCRAM-SHA-256", "no user"},
        {"mongodb+srv://example.net", "three parts"},
        {"mongodb+srv://a.example.net:27017", "without a port"},
        {"mongodb+srv://a.example.net,b.example.net", "without a port"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct mst_uri u;
        struct mst_err err = {0};

        assert_rc(mst_uri_parse(rows[i].uri, &u, &err), MST_E_CONFIG, &err);
        if (!strstr(err.msg, rows[i].says)) {
            fail_msg("%s: '%s' does not say '%s'", rows[i].uri, err.msg, rows[i].says);
        }
        assert_null(strstr(err.msg, "hunter2"));
    }
}

/* A name service that answers from a table. */
struct table {
    const char *hosts[4];
    const char *txt;
    enum mst_rc rc;
    char asked[300];
};

static enum mst_rc table_srv(void *arg, const char *name, struct mst_srv_record *out, size_t max,
                             size_t *n, struct mst_err *err)
{
    struct table *t = arg;

    (void)mst_copy(t->asked, sizeof(t->asked), name);
    *n = 0;
    if (t->rc != MST_OK) {
        return mst_err_set(err, t->rc, "as told");
    }
    while (*n < 4 && *n < max && t->hosts[*n]) {
        (void)mst_copy(out[*n].host, sizeof(out[*n].host), t->hosts[*n]);
        out[*n].port = (uint16_t)(27017 + *n);
        (*n)++;
    }
    return MST_OK;
}

static enum mst_rc table_txt(void *arg, const char *name, char *out, size_t size,
                             struct mst_err *err)
{
    const struct table *t = arg;

    (void)name;
    (void)err;
    (void)mst_copy(out, size, t->txt ? t->txt : "");
    return MST_OK;
}

static enum mst_rc resolve(struct table *t, const char *uri, struct mst_uri *u, struct mst_err *err)
{
    const struct mst_srv_resolver r = {table_srv, table_txt, t};

    assert_ok(mst_uri_parse(uri, u, err), err);
    return mst_srv_resolve(u, &r, err);
}

static void a_seed_list_comes_from_the_name_service(void **state)
{
    struct table t = {.hosts = {"db1.example.net", "db2.example.net"},
                      .txt = "authSource=users&replicaSet=rs9"};
    struct mst_uri u;
    struct mst_err err = {0};

    (void)state;
    assert_ok(resolve(&t, "mongodb+srv://set.example.net", &u, &err), &err);
    assert_string_equal(t.asked, "_mongodb._tcp.set.example.net");
    assert_int_equal(u.n_hosts, 2);
    assert_string_equal(u.hosts[1], "db2.example.net:27018");
    assert_string_equal(u.set_name, "rs9");
    assert_string_equal(u.auth_source, "users");
    assert_ok(resolve(&t, "mongodb+srv://set.example.net/?replicaSet=mine", &u, &err), &err);
    assert_string_equal(u.set_name, "mine"); /* the URI wins */
}

static void a_name_service_may_not_lead_elsewhere_or_set_more(void **state)
{
    struct table t = {.hosts = {"db1.example.net", "db1.evil.test"}};
    struct mst_uri u;
    struct mst_err err = {0};

    (void)state;
    assert_rc(resolve(&t, "mongodb+srv://set.example.net", &u, &err), MST_E_INTEGRITY, &err);
    assert_int_equal(u.n_hosts, 0);
    t.hosts[1] = "xexample.net";
    assert_rc(resolve(&t, "mongodb+srv://set.example.net", &u, &err), MST_E_INTEGRITY, &err);
    t.hosts[1] = NULL;
    t.txt = "tls=false";
    assert_rc(resolve(&t, "mongodb+srv://set.example.net", &u, &err), MST_E_CONFIG, &err);
    t.txt = "authSource=a&tls=false";
    assert_rc(resolve(&t, "mongodb+srv://set.example.net", &u, &err), MST_E_CONFIG, &err);
    t.txt = NULL;
    t.hosts[0] = NULL;
    assert_rc(resolve(&t, "mongodb+srv://set.example.net", &u, &err), MST_E_NOTFOUND, &err);
    t.rc = MST_E_NET;
    assert_rc(resolve(&t, "mongodb+srv://set.example.net", &u, &err), MST_E_NET, &err);
}

/* An answer with one SRV record for a.b.c: db1.b.c:27018. */
static const uint8_t srv_answer[] = {
    0,  1,   0x81, 0x80, 0,    0,    0, 1,   0,   0,   0, 0, /* header: one answer */
    1,  'a', 1,    'b',  1,    'c',  0, 0,   33,  0,   1, 0,   0, 0,   60, 0,
    16, /* name, SRV, 16 bytes */
    0,  0,   0,    5,    0x69, 0x8a, 3, 'd', 'b', '1', 1, 'b', 1, 'c', 0,  0};

static void answers_of_the_name_service_are_parsed_and_damage_is_refused(void **state)
{
    struct mst_srv_record r[2];
    struct mst_err err = {0};
    uint8_t bad[sizeof(srv_answer)];
    char txt[64];
    size_t n;

    (void)state;
    assert_ok(mst_srv_parse_answer(srv_answer, sizeof(srv_answer), r, 2, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_string_equal(r[0].host, "db1.b.c");
    assert_int_equal(r[0].port, 27018);
    assert_ok(mst_srv_parse_txt(srv_answer, sizeof(srv_answer), txt, sizeof(txt), &err), &err);
    assert_string_equal(txt, "");
    for (size_t cut = 0; cut < sizeof(srv_answer); cut++) {
        assert_true(mst_srv_parse_answer(srv_answer, cut, r, 2, &n, &err) != MST_OK);
    }
    for (size_t i = 0; i < sizeof(srv_answer); i++) { /* no byte may make it read outside */
        memcpy(bad, srv_answer, sizeof(bad));
        bad[i] ^= 0xff;
        if (mst_srv_parse_answer(bad, sizeof(bad), r, 2, &n, &err) == MST_OK) {
            assert_true(strlen(r[0].host) < sizeof(r[0].host));
        }
    }
}

static void addresses_take_a_port_and_nothing_odd(void **state)
{
    static const char *const good[][2] = {{"db1", "db1:27017"},
                                          {"db1:1", "db1:1"},
                                          {"[::1]", "[::1]:27017"},
                                          {"10.0.0.1:65535", "10.0.0.1:65535"}};
    static const char *const bad[] = {"",     ":1",    "db1:", "db1:+1", "[::1",
                                      "[]:1", "a:b:1", "a\nb", "a/b:1"};
    char out[MST_ADDR_MAX];

    (void)state;
    for (size_t i = 0; i < MST_COUNT(good); i++) {
        assert_true(mst_addr_normal(good[i][0], out));
        assert_string_equal(out, good[i][1]);
    }
    for (size_t i = 0; i < MST_COUNT(bad); i++) {
        if (mst_addr_normal(bad[i], out)) {
            fail_msg("'%s' was taken as %s", bad[i], out);
        }
    }
}

static void server_codes_become_what_the_caller_does_next(void **state)
{
    static const struct {
        int code;
        enum mst_rc want;
    } rows[] = {{13, MST_E_AUTH},       {18, MST_E_AUTH},       {10107, MST_E_PRECOND},
                {13435, MST_E_PRECOND}, {13436, MST_E_PRECOND}, {189, MST_E_PRECOND},
                {11602, MST_E_PRECOND}, {10058, MST_E_PRECOND}, {91, MST_E_NET},
                {11600, MST_E_NET},     {50, MST_E_TIMEOUT},    {59, MST_E_SERVER},
                {26, MST_E_SERVER},     {48, MST_E_SERVER},     {11000, MST_E_SERVER},
                {43, MST_E_SERVER},     {0, MST_E_SERVER}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        bson_t cmd = BSON_INITIALIZER, reply = BSON_INITIALIZER;
        struct mst_err err = {0};

        (void)BSON_APPEND_INT32(&cmd, "ping", 1);
        (void)BSON_APPEND_DOUBLE(&reply, "ok", 0);
        (void)BSON_APPEND_INT32(&reply, "code", rows[i].code);
        (void)BSON_APPEND_UTF8(&reply, "errmsg", "no \x1b[31m");
        assert_rc(mst_reply_check("db1:27017", &cmd, &reply, &err), rows[i].want, &err);
        assert_int_equal(err.detail, rows[i].code);
        assert_non_null(strstr(err.msg, "db1:27017: ping: no "));
        assert_null(strchr(err.msg, '\x1b'));
        bson_destroy(&cmd);
        bson_destroy(&reply);
    }
}

static void failures_inside_an_ok_reply_are_found(void **state)
{
    static const struct {
        const char *json;
        enum mst_rc want;
        int code;
    } rows[] = {
        {"{\"n\": 1, \"ok\": 1}", MST_OK, 0},
        {"{\"n\": 0, \"writeErrors\": [{\"index\": 4, \"code\": 11000, \"errmsg\": \"E11000\"}], "
         "\"ok\": 1}",
         MST_E_SERVER, 11000},
        {"{\"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting\"}, \"ok\": 1}",
         MST_E_TIMEOUT, 64},
        {"{\"writeConcernError\": {\"code\": 10107, \"errmsg\": \"gone\"}, \"ok\": 1}",
         MST_E_PRECOND, 10107},
        {"{\"writeErrors\": [], \"ok\": 1}", MST_OK, 0},
        {"{\"writeErrors\": [5], \"ok\": 1}", MST_E_INTEGRITY, 0},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        bson_t *b = bson_new_from_json((const uint8_t *)rows[i].json, -1, NULL);
        struct mst_err err = {0};

        assert_rc(mst_reply_write_error(b, &err), rows[i].want, &err);
        assert_int_equal(err.detail, rows[i].code);
        bson_destroy(b);
    }
}

static size_t make_frame(uint8_t *out, int32_t opcode, uint32_t flags, uint8_t kind)
{
    static const uint8_t doc[] = {5, 0, 0, 0, 0};

    memset(out, 0, 64);
    mst_put_le32(out + 12, (uint32_t)opcode);
    if (opcode == MST_OP_MSG) {
        mst_put_le32(out, 26);
        mst_put_le32(out + 16, flags);
        out[20] = kind;
        memcpy(out + 21, doc, 5);
        return 26;
    }
    mst_put_le32(out, 41);
    mst_put_le32(out + 32, 1);
    memcpy(out + 36, doc, 5);
    return 41;
}

static void frames_pass_in_any_pieces_and_bad_ones_do_not(void **state)
{
    uint8_t b[128];
    size_t n = make_frame(b, MST_OP_MSG, 0, 0);

    (void)state;
    memcpy(b + n, b, n); /* two in a row, in pieces of every size */
    for (size_t piece = 1; piece <= 2 * n; piece++) {
        struct mst_framer f = {0};

        for (size_t at = 0; at < 2 * n; at += piece) {
            assert_null(
                mst_framer_got(&f, b + at, 2 * n - at < piece ? 2 * n - at : piece, MST_OP_MSG));
        }
        assert_int_equal(f.have, 0);
        assert_int_equal(f.left, 0);
    }
    assert_non_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_QUERY));
    n = make_frame(b, MST_OP_REPLY, 0, 0);
    assert_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_QUERY));
    assert_non_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_MSG));
    n = make_frame(b, MST_OP_MSG, 1, 0);
    assert_non_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_MSG));
    n = make_frame(b, MST_OP_MSG, 2, 0);
    assert_non_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_MSG));
    n = make_frame(b, MST_OP_MSG, 0, 1);
    assert_non_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_MSG));
    n = make_frame(b, MST_OP_MSG, 0, 0);
    mst_put_le32(b + 21, 6);
    assert_non_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_MSG));
    mst_put_le32(b, 15);
    assert_non_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_MSG));
    mst_put_le32(b, 0x80000000U);
    assert_non_null(mst_framer_got(&(struct mst_framer){0}, b, n, MST_OP_MSG));
}

static void a_request_tells_its_kind_in_any_pieces(void **state)
{
    uint8_t b[128];
    const size_t n = make_frame(b, MST_OP_QUERY, 0, 0);
    struct mst_framer f = {0};
    int32_t opcode = 0;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        mst_framer_sent(&f, b + i, 1, &opcode);
    }
    assert_int_equal(opcode, MST_OP_QUERY);
    assert_int_equal(f.left, 0);
}

static void numbers_of_any_type_are_read_and_odd_ones_are_not(void **state)
{
    bson_t *b = bson_new_from_json(
        (const uint8_t *)"{\"i\": 3, \"l\": {\"$numberLong\": \"4\"}, \"d\": 5.5, \"s\": \"6\", "
                         "\"nan\": {\"$numberDouble\": \"NaN\"}, \"big\": 1e300, \"t\": true, "
                         "\"sub\": {\"a\": [7]}, \"ts\": {\"$timestamp\": {\"t\": 8, \"i\": 9}}}",
        -1, NULL);
    struct mst_ts ts;
    bson_t sub;

    (void)state;
    assert_int_equal(mst_bson_i64(b, "i", -1), 3);
    assert_int_equal(mst_bson_i64(b, "l", -1), 4);
    assert_int_equal(mst_bson_i64(b, "d", -1), 5);
    assert_int_equal(mst_bson_i64(b, "s", -1), -1);
    assert_int_equal(mst_bson_i64(b, "nan", -1), -1);
    assert_int_equal(mst_bson_i64(b, "big", -1), -1);
    assert_int_equal(mst_bson_i64(b, "sub.a.0", -1), 7);
    assert_int_equal(mst_bson_i64(b, "sub.a.1", -1), -1);
    assert_true(mst_bson_bool(b, "t", false));
    assert_true(mst_bson_bool(b, "i", false));
    assert_true(mst_bson_ts(b, "ts", &ts));
    assert_int_equal(ts.i, 9);
    assert_false(mst_bson_ts(b, "i", &ts));
    assert_true(mst_bson_doc(b, "sub", &sub));
    assert_false(mst_bson_doc(b, "i", &sub));
    bson_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_are_read),
        cmocka_unit_test(bad_uris_are_refused_with_a_reason),
        cmocka_unit_test(a_seed_list_comes_from_the_name_service),
        cmocka_unit_test(a_name_service_may_not_lead_elsewhere_or_set_more),
        cmocka_unit_test(answers_of_the_name_service_are_parsed_and_damage_is_refused),
        cmocka_unit_test(addresses_take_a_port_and_nothing_odd),
        cmocka_unit_test(server_codes_become_what_the_caller_does_next),
        cmocka_unit_test(failures_inside_an_ok_reply_are_found),
        cmocka_unit_test(frames_pass_in_any_pieces_and_bad_ones_do_not),
        cmocka_unit_test(a_request_tells_its_kind_in_any_pieces),
        cmocka_unit_test(numbers_of_any_type_are_read_and_odd_ones_are_not),
    };

    return cmocka_run_group_tests_name("mongo", tests, NULL, NULL);
}
