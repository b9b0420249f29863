#include "test.h"

#include "base/buf.h"
#include "canned.h"
#include "http/http.h"
#include "http/pool.h"

#define OK \
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"e\"\r\nX-Unknown: no\r\n" \
    "Date: Sun, 30 Aug 2015 12:36:00 GMT\r\n\r\nok"

struct one { /* a server, a client, a call */
    struct canned srv;
    struct mst_http *http;
    struct mst_http_reply reply;
    struct mst_http_headers *headers;
    struct mst_err err;
};

static void open_with(struct one *o, const struct canned_answer *a, size_t n,
                      const struct mst_http_opts *opts)
{
    memset(o, 0, sizeof(*o));
    canned_start(&o->srv, a, n);
    o->headers = mst_xcalloc(1, sizeof(*o->headers));
    assert_ok(mst_http_new(opts, &o->http, &o->err), &o->err);
}

static void open_one(struct one *o, const struct canned_answer *a, size_t n)
{
    const struct mst_http_opts opts = {.plain = true, .stall_ms = 300, .connect_ms = 200};

    open_with(o, a, n, &opts);
}

static void close_one(struct one *o)
{
    mst_http_free(o->http);
    mst_http_reply_release(&o->reply);
    canned_stop(&o->srv);
    free(o->headers);
}

static enum mst_rc call(struct one *o, const char *method, const char *path, const void *body,
                        size_t n, struct mst_task *task)
{
    char url[200];
    const struct mst_http_request q = {
        .method = method, .url = url, .headers = o->headers, .body = body, .body_n = n};

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", o->srv.port, path);
    return mst_http_do(o->http, &q, &o->reply, task, &o->err);
}

static void a_request_goes_out_as_it_was_given(void **state)
{
    const struct canned_answer a[] = {{.text = OK}, {.text = OK}, {.text = OK}};
    struct one o;

    (void)state;
    open_one(&o, a, 3);
    assert_ok(mst_http_add(o.headers, "X-Amz-Date", "20150830T123600Z", &o.err), &o.err);
    assert_ok(call(&o, "PUT", "/b/../a//k%20?x=%2F&y=", "hello", 5, NULL), &o.err);
    assert_int_equal(o.reply.status, 200);
    assert_true(o.reply.sent_all);
    assert_true(mst_http_heard(o.http));
    assert_false(o.reply.resent);
    assert_int_equal(o.reply.body.len, 2);
    assert_string_equal(mst_http_header(&o.reply.headers, "etag"), "\"e\"");
    assert_null(mst_http_header(&o.reply.headers, "x-unknown"));
    assert_int_equal(o.reply.date_ms, 1440938160000);
    assert_ok(call(&o, "DELETE", "/k", NULL, 0, NULL), &o.err);
    assert_ok(call(&o, "POST", "/k?uploads=", NULL, 0, NULL), &o.err);
    assert_int_equal(atomic_load(&o.srv.connections), 1); /* kept */
    assert_ptr_equal(strstr(o.srv.seen[0].p, "PUT /b/../a//k%20?x=%2F&y= HTTP/1.1\r\n"),
                     o.srv.seen[0].p);
    assert_non_null(strstr(o.srv.seen[0].p, "x-amz-date: 20150830T123600Z\r\n"));
    assert_non_null(strstr(o.srv.seen[0].p, "\r\n\r\nhello"));
    assert_null(strcasestr(o.srv.seen[0].p, "expect:"));
    assert_null(strcasestr(o.srv.seen[0].p, "accept-encoding"));
    assert_ptr_equal(strstr(o.srv.seen[1].p, "DELETE /k "), o.srv.seen[1].p);
    assert_ptr_equal(strstr(o.srv.seen[2].p, "POST /k?uploads= "), o.srv.seen[2].p);
    assert_non_null(strcasestr(o.srv.seen[2].p, "content-length: 0\r\n"));
    assert_null(strcasestr(o.srv.seen[2].p, "content-type"));
    close_one(&o);
}

static void a_refusal_is_an_answer_with_its_body(void **state)
{
    const struct canned_answer a[] = {
        {.text = "HTTP/1.1 307 Go\r\nLocation: http://evil.test/\r\nContent-Length: 3\r\n\r\nbye"},
        {.text = "HTTP/1.1 404 No\r\nContent-Length: 99\r\nRetry-After: 7\r\n\r\n"}};
    struct one o;

    (void)state;
    open_one(&o, a, 2);
    assert_ok(call(&o, "GET", "/", NULL, 0, NULL), &o.err);
    assert_int_equal(o.reply.status, 307); /* and nobody went there */
    assert_memory_equal(o.reply.body.p, "bye", 3);
    assert_string_equal(mst_http_header(&o.reply.headers, "location"), "http://evil.test/");
    assert_ok(call(&o, "HEAD", "/", NULL, 0, NULL), &o.err);
    assert_int_equal(o.reply.status, 404);
    assert_string_equal(mst_http_header(&o.reply.headers, "retry-after"), "7");
    close_one(&o);
}

static void a_cut_or_silent_connection_has_its_own_sentence(void **state)
{
    const struct canned_answer a[] = {
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", .closes = true},
        {.resets = true},
        {.text = "HTTP/1.1 200 OK\r\n", .stall_ms = 450, .closes = true},
        {.text = "<html>hello</html>\r\n\r\n", .closes = true}};
    struct one o;

    (void)state;
    open_one(&o, a, 4);
    assert_rc(call(&o, "GET", "/?X-Amz-Signature=tell", NULL, 0, NULL), MST_E_NET, &o.err);
    assert_non_null(strstr(o.err.msg, "was cut"));
    assert_null(strstr(o.err.msg, "tell"));
    assert_rc(call(&o, "GET", "/", NULL, 0, NULL), MST_E_NET, &o.err);
    assert_rc(call(&o, "PUT", "/", "x", 1, NULL), MST_E_TIMEOUT, &o.err);
    assert_non_null(strstr(o.err.msg, "nothing moved"));
    assert_true(o.reply.sent_all);
    assert_rc(call(&o, "GET", "/", NULL, 0, NULL), MST_E_SERVER, &o.err);
    assert_non_null(strstr(o.err.msg, "does not speak HTTP"));
    close_one(&o);
    open_one(&o, a, 1); /* and nobody listens */
    canned_stop(&o.srv);
    assert_rc(call(&o, "GET", "/", NULL, 0, NULL), MST_E_NET, &o.err);
    assert_non_null(strstr(o.err.msg, "cannot connect to 127.0.0.1"));
    assert_false(o.reply.sent_all);
    mst_http_free(o.http);
    mst_http_reply_release(&o.reply);
    free(o.headers);
}

static void silence_counts_from_the_connection_on(void **state)
{
    const struct canned_answer a[] = {{.text = OK}, {.text = OK, .stall_ms = 8000}};
    const struct mst_http_opts opts = {.plain = true, .stall_ms = 300, .connect_ms = 20000};
    struct one o;
    int64_t start;

    (void)state;
    open_with(&o, a, 2, &opts);
    assert_ok(call(&o, "GET", "/", NULL, 0, NULL), &o.err);
    start = mst_clock_mono_ms(NULL);
    assert_rc(call(&o, "GET", "/", NULL, 0, NULL), MST_E_TIMEOUT, &o.err);
    assert_true(mst_clock_mono_ms(NULL) - start < 5000);
    assert_non_null(strstr(o.err.msg, "nothing moved between here and 127.0.0.1"));
    close_one(&o);
}

static void a_server_may_ask_for_patience_in_seconds_or_by_a_date(void **state)
{
    static const struct {
        const char *value;
        int64_t want;
    } all[] = {{"7", 7},
               {"0", 0},
               {"-3", -1},
               {"soon", -1},
               {"7 or so", -1},
               {"", -1},
               {"Sun, 30 Aug 2015 12:36:09 GMT", 9},
               {"Sun, 30 Aug 2015 12:00:00 GMT", 0},
               {"99999999999999999999", INT64_MAX}};
    struct mst_http_reply *r = mst_xcalloc(1, sizeof(*r));
    struct mst_err err = {0};

    (void)state;
    r->date_ms = mst_http_time("Sun, 30 Aug 2015 12:36:00 GMT");
    assert_int_equal(mst_http_retry_after_s(r), -1);
    for (size_t i = 0; i < MST_COUNT(all); i++) {
        r->headers.n = 0;
        assert_ok(mst_http_add(&r->headers, "retry-after", all[i].value, &err), &err);
        if (mst_http_retry_after_s(r) != all[i].want) {
            fail_msg("\"%s\": %lld", all[i].value, (long long)mst_http_retry_after_s(r));
        }
    }
    free(r);
}

static void who_is_asked_for_less_makes_half_the_calls(void **state)
{
    const struct mst_http_opts opts = {.plain = true, .connections = 8};
    struct slot *slots[8];
    struct mst_http *h;
    struct mst_err err = {0};
    struct mst_task task;

    (void)state;
    assert_ok(mst_task_init(&task, &err), &err);
    assert_ok(mst_http_new(&opts, &h, &err), &err);
    for (size_t i = 0; i < 8; i++) {
        assert_ok(mst_http_take(h, &slots[i], &task, &err), &err);
    }
    mst_http_give(h, slots[7]);
    mst_http_slower(h); /* said to the one that just ended; seven others are on their way */
    assert_int_equal(mst_http_at_once(h), 4);
    for (size_t i = 0; i < 4; i++) {
        mst_http_give(h, slots[i]);
    }
    assert_ok(mst_http_take(h, &slots[0], &task, &err), &err); /* the fourth */
    mst_task_cancel(&task);
    assert_rc(mst_http_take(h, &slots[1], &task, &err), MST_E_CANCELLED, &err); /* no fifth */
    for (int i = 0; i < 16; i++) {
        mst_http_earned(h);
    }
    assert_int_equal(mst_http_at_once(h), 5);
    for (int i = 0; i < 8; i++) {
        mst_http_slower(h);
    }
    assert_int_equal(mst_http_at_once(h), 1); /* never none */
    for (int i = 0; i < 1000; i++) {
        mst_http_earned(h);
    }
    assert_int_equal(mst_http_at_once(h), 8); /* never more than there were */
    mst_http_give(h, slots[0]);
    for (size_t i = 4; i < 7; i++) {
        mst_http_give(h, slots[i]);
    }
    mst_http_free(h);
    mst_task_release(&task);
}

static bool take(void *arg, const void *p, size_t n)
{
    struct mst_buf *b = arg;

    if (b->len + n > 6) {
        return false;
    }
    mst_buf_add(b, p, n);
    return true;
}

static void what_comes_has_a_ceiling(void **state)
{
    const struct canned_answer a[] = {
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", .closes = true},
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n012345"},
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", .closes = true}};
    struct mst_buf got = {0};
    struct one o;
    char url[64];
    struct mst_http_request q = {.method = "GET", .url = url, .body_max = 9};

    (void)state;
    open_one(&o, a, 3);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", o.srv.port);
    assert_rc(mst_http_do(o.http, &q, &o.reply, NULL, &o.err), MST_E_LIMIT, &o.err);
    q.sink = take;
    q.sink_arg = &got;
    assert_ok(mst_http_do(o.http, &q, &o.reply, NULL, &o.err), &o.err);
    assert_memory_equal(got.p, "012345", 6);
    assert_rc(mst_http_do(o.http, &q, &o.reply, NULL, &o.err), MST_E_LIMIT, &o.err);
    mst_buf_release(&got);
    close_one(&o);
}

static void headers_without_end_are_refused(void **state)
{
    struct mst_str text = {0};
    struct canned_answer a = {.closes = true};
    struct one o;

    (void)state;
    mst_str_add(&text, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 3000; i++) {
        mst_str_addf(&text, "x-amz-meta-%d: 0123456789012345678901234567890123456789\r\n", i);
    }
    mst_str_add(&text, "\r\n");
    a.text = text.p;
    open_one(&o, &a, 1);
    assert_rc(call(&o, "GET", "/", NULL, 0, NULL), MST_E_LIMIT, &o.err);
    assert_int_equal(o.reply.headers.n, MST_HTTP_HEADERS);
    close_one(&o);
    mst_str_release(&text);
}

static void a_dead_kept_connection_is_replaced_and_said(void **state)
{
    const struct canned_answer a[] = {{.text = OK}, {.closes = true}, {.text = OK}};
    struct one o;

    (void)state;
    open_one(&o, a, 3);
    assert_ok(call(&o, "PUT", "/", "hello", 5, NULL), &o.err);
    assert_ok(call(&o, "PUT", "/", "hello", 5, NULL), &o.err);
    assert_int_equal(atomic_load(&o.srv.connections), 2);
    assert_true(o.reply.resent); /* so a refusal may be about ourselves */
    assert_non_null(strstr(o.srv.seen[2].p, "\r\n\r\nhello"));
    close_one(&o);
}

struct later {
    struct mst_task *task;
    struct canned *srv;
};

static void cancel_when_asked(void *arg)
{
    struct later *l = arg;

    while (l->srv->seen[0].len == 0) { /* the request is there */
        mst_clock_sleep_ms(5);
    }
    mst_task_cancel(l->task);
}

static void a_cancelled_task_ends_a_call_at_once(void **state)
{
    const struct canned_answer a[] = {{.text = OK, .stall_ms = 10000}};
    const struct mst_http_opts opts = {.plain = true, .stall_ms = 20000};
    struct mst_task task;
    struct mst_thread t = {0};
    struct one o;
    struct later l = {&task, &o.srv};
    const int64_t start = mst_clock_mono_ms(NULL);

    (void)state;
    open_with(&o, a, 1, &opts);
    assert_ok(mst_task_init(&task, &o.err), &o.err);
    assert_ok(mst_thread_start(&t, "later", cancel_when_asked, &l, &o.err), &o.err);
    assert_rc(call(&o, "GET", "/", NULL, 0, &task), MST_E_CANCELLED, &o.err);
    assert_true(mst_clock_mono_ms(NULL) - start < 3000);
    mst_thread_join(&t);
    close_one(&o);
    mst_task_release(&task);
}

static void a_deadline_ends_a_drip(void **state)
{
    const struct canned_answer a[] = {{.text = OK, .drip_ms = 100}};
    const struct mst_http_opts opts = {.plain = true, .stall_ms = 5000};
    struct one o;
    char url[64];
    const struct mst_http_request q = {.method = "GET", .url = url, .deadline_ms = 700};
    int64_t start;

    (void)state;
    open_with(&o, a, 1, &opts);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", o.srv.port);
    start = mst_clock_mono_ms(NULL);
    assert_rc(mst_http_do(o.http, &q, &o.reply, NULL, &o.err), MST_E_TIMEOUT, &o.err);
    assert_true(mst_clock_mono_ms(NULL) - start >= 700);
    assert_non_null(strstr(o.err.msg, "did not answer within 0.7 s"));
    close_one(&o);
}

static void a_rate_is_kept_over_all_calls(void **state)
{
    const struct canned_answer a[] = {{.text = OK}, {.text = OK}};
    const struct mst_http_opts opts = {.plain = true, .rate_bytes_per_s = 200000, .stall_ms = 100};
    char *body = mst_xcalloc(1, 100000);
    struct one o;
    int64_t start;

    (void)state;
    open_with(&o, a, 2, &opts);
    start = mst_clock_mono_ms(NULL);
    assert_ok(call(&o, "PUT", "/", body, 100000, NULL), &o.err);
    assert_ok(call(&o, "PUT", "/", body, 100000, NULL), &o.err);
    assert_true(mst_clock_mono_ms(NULL) - start >= 800); /* 1 s less the first slice */
    close_one(&o);
    free(body);
}

/* It stands for the proxy: what it is asked, and what it is not told. */
static void a_proxy_is_used_when_it_is_named_and_sees_no_secret(void **state)
{
    const struct canned_answer a[] = {
        {.text = OK, .closes = true},
        {.text = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", .closes = true}};
    struct canned direct;
    struct mst_http_opts opts = {.plain = true, .stall_ms = 2000, .connect_ms = 2000};
    char proxy[64], url[64];
    struct mst_http_request q = {.method = "GET", .url = url};
    struct one o;

    (void)state;
    canned_start(&direct, a, 1);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", direct.port);
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1); /* the environment has no say */
    open_with(&o, a, 2, &opts);
    assert_ok(mst_http_do(o.http, &q, &o.reply, NULL, &o.err), &o.err);
    assert_int_equal(direct.requests, 1);
    assert_int_equal(o.srv.requests, 0);
    mst_http_free(o.http);
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", o.srv.port);
    opts.proxy = proxy;
    assert_ok(mst_http_new(&opts, &o.http, &o.err), &o.err);
    assert_ok(mst_http_do(o.http, &q, &o.reply, NULL, &o.err), &o.err);
    assert_int_equal(direct.requests, 1);
    assert_int_equal(strncmp(o.srv.seen[0].p, "GET http://127.0.0.1:", 21), 0);
    assert_ok(mst_http_add(o.headers, "authorization", "tell nobody", &o.err), &o.err);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/x", direct.port);
    q.headers = o.headers;
    assert_int_not_equal(mst_http_do(o.http, &q, &o.reply, NULL, &o.err), MST_OK);
    assert_int_equal(strncmp(o.srv.seen[1].p, "CONNECT 127.0.0.1:", 18), 0);
    assert_null(strstr(o.srv.seen[1].p, "tell"));
    assert_int_equal(o.err.rc, MST_E_AUTH); /* asking again helps nobody */
    assert_non_null(strstr(o.err.msg, "wants a login (HTTP 407)"));
    (void)unsetenv("http_proxy");
    canned_stop(&direct);
    close_one(&o);
}

static enum mst_rc call_tls(struct one *o)
{
    char url[64];
    const struct mst_http_request q = {.method = "GET", .url = url};

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", o->srv.port);
    return mst_http_do(o->http, &q, &o->reply, NULL, &o->err);
}

static void a_port_without_tls_is_said_to_be_one(void **state)
{
    const struct canned_answer silent[] = {{.text = OK}}; /* waits for a request, which is none */
    const struct mst_http_opts patient = {.plain = true, .stall_ms = 5000, .connect_ms = 5000};
    const struct canned_answer plain[] = {
        {.text = "HTTP/1.1 400 Bad Request\r\n\r\n", .closes_unread = true}};
    struct one o;

    (void)state;
    open_one(&o, silent, 1);
    assert_rc(call_tls(&o), MST_E_TIMEOUT, &o.err);
    assert_non_null(strstr(o.err.msg, "takes the connection and answers no TLS within 0.2 s"));
    assert_false(mst_http_heard(o.http));
    close_one(&o);
    open_with(&o, plain, 1, &patient);
    assert_rc(call_tls(&o), MST_E_TLS, &o.err);
    assert_non_null(strstr(o.err.msg, "does not answer with TLS"));
    assert_false(mst_http_heard(o.http));
    close_one(&o);
}

static void a_port_for_https_is_said_to_be_one(void **state)
{
    const struct canned_answer a[] = {
        {.text =
             "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
         .closes = true},
        {.text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nHTTPS"}};
    struct one o;

    (void)state;
    open_one(&o, a, 2);
    assert_rc(call(&o, "GET", "/", NULL, 0, NULL), MST_E_CONFIG, &o.err);
    assert_non_null(strstr(o.err.msg, "wants TLS: its address begins with https://"));
    assert_ok(call(&o, "GET", "/", NULL, 0, NULL), &o.err); /* whatever that means */
    assert_int_equal(o.reply.status, 400);
    close_one(&o);
}

static void who_never_answered_is_not_waited_for_as_long(void **state)
{
    const struct mst_http_opts opts[] = {{0}, {.stall_ms = 300}};
    const int64_t first[] = {15000, 300}, then[] = {30000, 300};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct mst_http *h;
        struct mst_err err = {0};

        assert_ok(mst_http_new(&opts[i], &h, &err), &err);
        assert_int_equal(mst_http_patience_ms(h), first[i]);
        mst_http_hear(h);
        assert_int_equal(mst_http_patience_ms(h), then[i]);
        mst_http_free(h);
    }
}

static void plain_http_is_refused_unless_said(void **state)
{
    const struct mst_http_opts opts = {0};
    struct mst_http_headers *hs = mst_xcalloc(1, sizeof(*hs));
    struct mst_http_request q = {.method = "GET", .url = "http://127.0.0.1:1/k?secret=1"};
    struct mst_http_reply reply = {0};
    struct mst_http *h;
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_http_new(&opts, &h, &err), &err);
    assert_rc(mst_http_do(h, &q, &reply, NULL, &err), MST_E_CONFIG, &err);
    assert_string_equal(err.msg, "127.0.0.1:1 would be reached without TLS");
    assert_rc(mst_http_add(hs, "x-amz-meta-a", "b\r\nx-evil: 1", &err), MST_E_CONFIG, &err);
    assert_rc(mst_http_add(hs, "x-amz: evil", "b", &err), MST_E_CONFIG, &err);
    for (size_t i = 0; i < MST_HTTP_HEADERS; i++) {
        assert_ok(mst_http_add(hs, "x-amz-meta-a", "", &err), &err);
    }
    assert_rc(mst_http_add(hs, "x-amz-meta-a", "", &err), MST_E_LIMIT, &err);
    mst_http_free(h);
    free(hs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_out_as_it_was_given),
        cmocka_unit_test(a_refusal_is_an_answer_with_its_body),
        cmocka_unit_test(a_cut_or_silent_connection_has_its_own_sentence),
        cmocka_unit_test(silence_counts_from_the_connection_on),
        cmocka_unit_test(a_server_may_ask_for_patience_in_seconds_or_by_a_date),
        cmocka_unit_test(who_is_asked_for_less_makes_half_the_calls),
        cmocka_unit_test(what_comes_has_a_ceiling),
        cmocka_unit_test(headers_without_end_are_refused),
        cmocka_unit_test(a_dead_kept_connection_is_replaced_and_said),
        cmocka_unit_test(a_cancelled_task_ends_a_call_at_once),
        cmocka_unit_test(a_deadline_ends_a_drip),
        cmocka_unit_test(a_rate_is_kept_over_all_calls),
        cmocka_unit_test(a_proxy_is_used_when_it_is_named_and_sees_no_secret),
        cmocka_unit_test(a_port_without_tls_is_said_to_be_one),
        cmocka_unit_test(a_port_for_https_is_said_to_be_one),
        cmocka_unit_test(who_never_answered_is_not_waited_for_as_long),
        cmocka_unit_test(plain_http_is_refused_unless_said),
    };

    mst_thread_block_signals();
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
