#include "mongo/conn.h"

#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "log/log.h"
#include "mongo/uri.h"

#define CONNECT_MS 5000

/* The driver's own idea of where it connects; our initiator goes elsewhere. */
#define PLACEHOLDER "mongodb://member.invalid:27017/?directConnection=true"

const char *mst_conn_where(const struct mst_conn *c, char out[2 * MST_ADDR_MAX])
{
    if (strcmp(c->name, c->dial) == 0) {
        (void)snprintf(out, 2 * MST_ADDR_MAX, "%s", c->name);
    } else {
        (void)snprintf(out, 2 * MST_ADDR_MAX, "%.255s (at %.255s)", c->name, c->dial);
    }
    return out;
}

static mongoc_stream_t *initiate(const mongoc_uri_t *uri, const mongoc_host_list_t *host, void *arg,
                                 bson_error_t *error)
{
    struct mst_conn *c = arg;
    struct mst_link *l = &c->link;
    mongoc_stream_t *s;
    char name[256];
    uint16_t port;

    (void)uri;
    (void)host;
    (void)error;
    if (c->asked || l->closing) { /* never again behind the caller's back */
        return mongoc_stream_buffered_new(mst_link_dead(l), 1024);
    }
    c->asked = true;
    s = mst_link_connect(l, c->dial);
    if (l->fd >= 0 && c->tls.on) {
        (void)mst_addr_split(c->name, name, sizeof(name), &port);
        s = mst_link_tls(l, s, name, &c->tls);
        if (!s) {
            s = mst_link_dead(l);
        }
    }
    l->wire = s;
    return mongoc_stream_buffered_new(mst_link_filter(l, s), 1024);
}

static enum mst_rc set_cred(mongoc_uri_t *uri, const struct mst_cred *cred, struct mst_err *err)
{
    static const char *const names[] = {
        [MST_MECH_SCRAM_SHA_1] = "SCRAM-SHA-1",
        [MST_MECH_SCRAM_SHA_256] = "SCRAM-SHA-256",
        [MST_MECH_X509] = "MONGODB-X509",
    };
    bool ok = true;

    if (!cred || cred->mech == MST_MECH_NONE) {
        return MST_OK;
    }
    if (cred->mech != MST_MECH_X509 && (!cred->user[0] || cred->password.len == 0)) {
        return mst_err_set(err, MST_E_AUTH, "no %s for the login",
                           cred->user[0] ? "password" : "user name");
    }
    if (cred->user[0]) {
        ok = mongoc_uri_set_username(uri, cred->user);
    }
    if (cred->mech != MST_MECH_X509) {
        ok = ok && mongoc_uri_set_password(uri, cred->password.p);
        ok = ok && mongoc_uri_set_auth_source(uri, cred->source[0] ? cred->source : "admin");
    }
    if (cred->mech != MST_MECH_SCRAM) {
        ok = ok && mongoc_uri_set_auth_mechanism(uri, names[cred->mech]);
    }
    return ok ? MST_OK
              : mst_err_set(err, MST_E_CONFIG, "the user name or password is not valid UTF-8");
}

static enum mst_rc make_client(struct mst_conn *c, const struct mst_conn_opts *o,
                               struct mst_err *err)
{
    mongoc_uri_t *uri = mongoc_uri_new(PLACEHOLDER);
    const int32_t ms = (int32_t)mst_link_left(&c->link, -1);
    enum mst_rc rc;

    MST_ASSERT(uri);
    (void)mongoc_uri_set_appname(uri, o->app ? o->app : "muster");
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, ms);
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, ms);
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, ms);
    rc = set_cred(uri, o->cred, err);
    if (rc == MST_OK) {
        c->client = mongoc_client_new_from_uri(uri);
        if (!c->client) {
            rc = mst_err_set(err, MST_E_CONFIG, "the driver refuses these connection options");
        }
    }
    mongoc_uri_destroy(uri);
    if (rc != MST_OK) {
        return rc;
    }
    (void)mongoc_client_set_error_api(c->client, MONGOC_ERROR_API_VERSION_2);
    if (o->tls.on) { /* x.509 reads the subject of the certificate from here */
        mongoc_ssl_opt_t ssl;

        mst_tls_to_driver(&o->tls, &ssl);
        mongoc_client_set_ssl_opts(c->client, &ssl);
    }
    mongoc_client_set_stream_initiator(c->client, initiate, c);
    return MST_OK;
}

/* Our own record of what went wrong is exact; the driver's words come second. */
static enum mst_rc open_failed(struct mst_conn *c, const struct mst_conn_opts *o,
                               const bson_error_t *e, struct mst_err *err)
{
    char where[2 * MST_ADDR_MAX], text[300];

    (void)mst_conn_where(c, where);
    if (c->link.tls && !c->link.answered && mst_link_left(&c->link, -1) > 0 &&
        (c->link.err.rc == MST_OK || c->link.err.rc == MST_E_NET)) {
        /* With TLS 1.3 a server judges our certificate after our side of the handshake. */
        return mst_err_set_detail(err, MST_E_TLS, MST_CD_TLS_OTHER,
                                  "%s: TLS: the connection ended right after the handshake; the "
                                  "server may want a client certificate, or another one",
                                  where);
    }
    if (c->link.err.rc != MST_OK) {
        *err = c->link.err;
        if (err->rc == MST_E_TIMEOUT && c->link.heard) {
            return mst_err_set(err, MST_E_TIMEOUT, "%s: no complete answer in time", where);
        }
        mst_err_prefix(err, "%s", where);
        return err->rc;
    }
    mst_text_clean(text, sizeof(text), e->message, strnlen(e->message, sizeof(e->message)));
    if ((e->domain == MONGOC_ERROR_CLIENT && e->code == MONGOC_ERROR_CLIENT_AUTHENTICATE) ||
        (e->domain == MONGOC_ERROR_SERVER && (e->code == 18 || e->code == 13)) ||
        e->domain == MONGOC_ERROR_SCRAM) {
        return mst_err_set_detail(err, MST_E_AUTH, MST_SC_AUTH_FAILED,
                                  "%s: login as '%s' failed: %s", where,
                                  o->cred ? o->cred->user : "", text);
    }
    if (mst_link_left(&c->link, -1) == 0) {
        return mst_err_set(err, MST_E_TIMEOUT, "%s: no complete answer in time", where);
    }
    if (e->domain == MONGOC_ERROR_PROTOCOL && e->code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION) {
        return mst_err_set(err, MST_E_SERVER, "%s: %s", where, text);
    }
    if (e->domain == MONGOC_ERROR_SERVER) {
        return mst_err_set_detail(err, mst_server_rc((int)e->code), (int)e->code, "%s: %s", where,
                                  text);
    }
    return mst_err_set_detail(err, MST_E_INTEGRITY, MST_CD_PROTOCOL,
                              "%s: the answer to hello is not valid (%s)", where, text);
}

static enum mst_rc check_hello(struct mst_conn *c, const struct mst_conn_opts *o,
                               const bson_t *hello, struct mst_err *err)
{
    char where[2 * MST_ADDR_MAX], set[128], me[MST_ADDR_MAX], msg[32];
    const bool has_set = mst_bson_text(hello, "setName", set, sizeof(set));

    (void)mst_conn_where(c, where);
    if (mst_bson_text(hello, "msg", msg, sizeof(msg)) && strcmp(msg, "isdbgrid") == 0) {
        return mst_err_set_detail(err, MST_E_PRECOND, MST_CD_MONGOS,
                                  "%s is a mongos router, not a member of a replica set; name the "
                                  "members of one shard",
                                  where);
    }
    if (!has_set && mst_bson_bool(hello, "isreplicaset", false)) {
        return mst_err_set_detail(err, MST_E_PRECOND, MST_CD_UNINIT,
                                  "%s runs with a set name but has no configuration: never "
                                  "initiated, or removed from its set",
                                  where);
    }
    if (!has_set) {
        return mst_err_set_detail(err, MST_E_PRECOND, MST_CD_NOT_REPLSET,
                                  "%s is a standalone server, not a member of a replica set",
                                  where);
    }
    if (o->set_name && o->set_name[0] && strcmp(o->set_name, set) != 0) {
        return mst_err_set_detail(err, MST_E_PRECOND, MST_CD_WRONG_SET,
                                  "%s belongs to the set '%s', not to '%s'", where, set,
                                  o->set_name);
    }
    if (o->check_me && mst_bson_text(hello, "me", me, sizeof(me)) && strcasecmp(me, c->name) != 0) {
        return mst_err_set_detail(err, MST_E_PRECOND, MST_CD_WRONG_MEMBER,
                                  "%s answers as %s: the addresses of two members are swapped, or "
                                  "a tunnel leads to the wrong one",
                                  where, me);
    }
    return MST_OK;
}

static uint32_t limit(const bson_t *hello, const char *path, uint32_t otherwise, uint32_t most)
{
    const int64_t v = mst_bson_i64(hello, path, otherwise);

    return v < 1 ? otherwise : v > most ? most : (uint32_t)v;
}

static enum mst_rc take_hello(struct mst_conn *c, const struct mst_conn_opts *o,
                              struct mst_err *err)
{
    mongoc_server_description_t *sd;
    bson_error_t e = {0};
    uint32_t id;
    enum mst_rc rc;

    sd = mongoc_client_select_server(c->client, false, NULL, &e);
    if (!sd) {
        return open_failed(c, o, &e, err);
    }
    /* Before the login: a wrong password at a wrong member is the second problem. */
    id = mongoc_server_description_id(sd);
    bson_destroy(&c->hello);
    bson_copy_to(mongoc_server_description_hello_response(sd), &c->hello);
    mongoc_server_description_destroy(sd);
    if (!mst_bson_bool(&c->hello, "ok",
                       false)) { /* the driver drops what follows a damaged field */
        return open_failed(c, o, &(bson_error_t){.message = "a document that is not valid"}, err);
    }
    rc = check_hello(c, o, &c->hello, err);
    if (rc != MST_OK) {
        return rc;
    }
    sd = mongoc_client_get_handshake_description(c->client, id, NULL, &e);
    if (!sd) {
        return open_failed(c, o, &e, err);
    }
    mongoc_server_description_destroy(sd);
    if (!c->link.wire || c->link.err.rc != MST_OK) {
        return open_failed(c, o, &e, err);
    }
    c->wire = (int)mst_bson_i64(&c->hello, "maxWireVersion", 0);
    c->max_bson = limit(&c->hello, "maxBsonObjectSize", 16777216, 16777216);
    c->max_message = limit(&c->hello, "maxMessageSizeBytes", MST_FRAME_MAX, MST_FRAME_MAX);
    c->max_batch = limit(&c->hello, "maxWriteBatchSize", 1000, 100000);
    return MST_OK;
}

enum mst_rc mst_conn_open(const struct mst_conn_opts *o, struct mst_conn **out, struct mst_err *err)
{
    struct mst_conn *c;
    const int64_t start = mst_clock_mono_us();
    enum mst_rc rc = MST_OK;

    if (o->tls.on) {
        rc = mst_tls_files(&o->tls, err);
    }
    if (rc == MST_OK && o->cred && o->cred->mech == MST_MECH_X509 &&
        (!o->tls.on || !o->tls.cert_file[0])) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "MONGODB-X509 needs TLS and a client certificate (tlsCertificateKeyFile)");
    }
    if (rc != MST_OK) {
        return rc;
    }
    c = mst_xcalloc_aligned(_Alignof(struct mst_conn), sizeof(*c));
    bson_init(&c->hello);
    if (!mst_addr_normal(o->name, c->name) ||
        !mst_addr_normal(o->dial[0] ? o->dial : o->name, c->dial)) {
        rc = mst_err_set(err, MST_E_CONFIG, "'%.200s' is not an address of the form host:port",
                         o->name);
        goto out;
    }
    c->tls = o->tls;
    c->link.fd = -1;
    c->link.task = o->task;
    c->link.deadline_ms =
        mst_clock_mono_ms(NULL) + (o->connect_ms > 0 ? o->connect_ms : CONNECT_MS);
    rc = make_client(c, o, err);
    if (rc == MST_OK) {
        rc = take_hello(c, o, err);
    }
    c->rtt_us = mst_clock_mono_us() - start;
    c->link.deadline_ms = 0;
out:
    if (rc == MST_OK) {
        *out = c;
    } else {
        mst_conn_free(c);
    }
    return rc;
}

void mst_conn_free(struct mst_conn *c)
{
    if (!c) {
        return;
    }
    c->link.closing = true; /* nothing the driver does from here on may wait */
    if (c->client) {
        mongoc_client_destroy(c->client);
    }
    bson_destroy(&c->hello);
    mst_buf_release(&c->in);
    free(c);
}

const bson_t *mst_conn_hello(const struct mst_conn *c)
{
    return &c->hello;
}

const char *mst_conn_name(const struct mst_conn *c)
{
    return c->name;
}

int mst_conn_wire(const struct mst_conn *c)
{
    return c->wire;
}

bool mst_conn_broken(const struct mst_conn *c)
{
    return c->broken || !c->link.wire;
}

int64_t mst_conn_rtt_us(const struct mst_conn *c)
{
    return c->rtt_us;
}

uint32_t mst_conn_max_bson(const struct mst_conn *c)
{
    return c->max_bson;
}

uint32_t mst_conn_max_message(const struct mst_conn *c)
{
    return c->max_message;
}

uint32_t mst_conn_max_batch(const struct mst_conn *c)
{
    return c->max_batch;
}

bool mst_conn_hold_cancel(struct mst_conn *c, bool hold)
{
    const bool before = c->link.ignore_cancel;

    c->link.ignore_cancel = hold;
    return before;
}

void mst_conn_idle(struct mst_conn *c, int64_t ms, int wake_fd)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;
    int fd = mst_conn_broken(c) ? -1 : c->link.fd;

    for (;;) {
        const int64_t left = end - mst_clock_mono_ms(NULL);
        struct pollfd p[3] = {{.fd = fd, .events = POLLIN},
                              {.fd = c->link.task ? c->link.task->wake.fd : -1, .events = POLLIN},
                              {.fd = wake_fd, .events = POLLIN}};
        char b;

        if (left <= 0) {
            return;
        }
        (void)poll(p, 3, left > 60000 ? 60000 : (int)left);
        if (p[1].revents || p[2].revents) {
            return;
        }
        if (p[0].revents) {
            if (recv(fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
                c->broken = true;
                return;
            }
            fd = -1; /* TLS speaks to itself, or says good-bye: the next command will tell */
        }
    }
}
