#include "mongo/srv.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

#define ANSWER_MAX 65536

static enum mst_rc bad(struct mst_err *err)
{
    return mst_err_set(err, MST_E_INTEGRITY, "the name service sent an answer that is not valid");
}

static enum mst_rc take_srv(const ns_msg *m, const ns_rr *rr, struct mst_srv_record *out,
                            struct mst_err *err)
{
    const uint8_t *p = ns_rr_rdata(*rr);
    char name[NS_MAXDNAME];
    size_t n;

    if (ns_rr_rdlen(*rr) < 7 ||
        dn_expand(ns_msg_base(*m), ns_msg_end(*m), p + 6, name, sizeof(name)) < 0) {
        return bad(err);
    }
    out->port = (uint16_t)ns_get16(p + 4);
    mst_text_clean(out->host, sizeof(out->host), name, strlen(name));
    n = strlen(out->host);
    if (n > 0 && out->host[n - 1] == '.') {
        out->host[n - 1] = '\0';
    }
    return out->host[0] && out->port ? MST_OK : bad(err);
}

enum mst_rc mst_srv_parse_answer(const uint8_t *msg, size_t len, struct mst_srv_record *out,
                                 size_t max, size_t *n, struct mst_err *err)
{
    ns_msg m;
    ns_rr rr;

    *n = 0;
    if (len > ANSWER_MAX || ns_initparse(msg, (int)len, &m) != 0) {
        return bad(err);
    }
    for (int i = 0; i < ns_msg_count(m, ns_s_an); i++) {
        enum mst_rc rc;

        if (ns_parserr(&m, ns_s_an, i, &rr) != 0) {
            return bad(err);
        }
        if (ns_rr_type(rr) != ns_t_srv) {
            continue;
        }
        if (*n >= max) {
            return mst_err_set(err, MST_E_LIMIT, "more than %zu SRV records", max);
        }
        rc = take_srv(&m, &rr, &out[*n], err);
        if (rc != MST_OK) {
            return rc;
        }
        (*n)++;
    }
    return *n > 0 ? MST_OK : mst_err_set(err, MST_E_NOTFOUND, "there are no SRV records");
}

static enum mst_rc take_txt(const ns_rr *rr, char *out, size_t size, struct mst_err *err)
{
    const uint8_t *p = ns_rr_rdata(*rr);
    size_t left = ns_rr_rdlen(*rr), at = 0;

    while (left > 0) { /* one byte of length, then so many characters */
        const size_t n = p[0];

        if (n + 1 > left || at + n >= size) {
            return bad(err);
        }
        memcpy(out + at, p + 1, n);
        at += n;
        p += n + 1;
        left -= n + 1;
    }
    out[at] = '\0';
    if (strlen(out) != at) {
        return bad(err);
    }
    mst_text_sanitise(out);
    return MST_OK;
}

enum mst_rc mst_srv_parse_txt(const uint8_t *msg, size_t len, char *out, size_t size,
                              struct mst_err *err)
{
    ns_msg m;
    ns_rr rr;
    bool found = false;

    out[0] = '\0';
    if (len > ANSWER_MAX || ns_initparse(msg, (int)len, &m) != 0) {
        return bad(err);
    }
    for (int i = 0; i < ns_msg_count(m, ns_s_an); i++) {
        enum mst_rc rc;

        if (ns_parserr(&m, ns_s_an, i, &rr) != 0) {
            return bad(err);
        }
        if (ns_rr_type(rr) != ns_t_txt) {
            continue;
        }
        if (found) {
            return mst_err_set(err, MST_E_INTEGRITY, "there are several TXT records");
        }
        found = true;
        rc = take_txt(&rr, out, size, err);
        if (rc != MST_OK) {
            return rc;
        }
    }
    return MST_OK;
}

/* len of the answer in *msg (freed by the caller). */
static enum mst_rc ask(const char *name, int type, uint8_t **msg, size_t *len, struct mst_err *err)
{
    struct __res_state st = {0};
    int n, why;

    if (res_ninit(&st) != 0) {
        return mst_err_set(err, MST_E_NET, "cannot look up %s: no name service is configured",
                           name);
    }
    st.retrans = 2;
    st.retry = 2;
    *msg = mst_xmalloc(ANSWER_MAX);
    n = res_nquery(&st, name, ns_c_in, type, *msg, ANSWER_MAX);
    why = st.res_h_errno;
    res_nclose(&st);
    if (n < 0) {
        free(*msg);
        *msg = NULL;
        return why == HOST_NOT_FOUND || why == NO_DATA
                   ? mst_err_set(err, MST_E_NOTFOUND, "%s has no such record", name)
                   : mst_err_set(err, MST_E_NET,
                                 "cannot look up %s: the name service does not answer", name);
    }
    *len = (size_t)n < ANSWER_MAX ? (size_t)n : ANSWER_MAX;
    return MST_OK;
}

static enum mst_rc system_srv(void *arg, const char *name, struct mst_srv_record *out, size_t max,
                              size_t *n, struct mst_err *err)
{
    uint8_t *msg;
    size_t len;
    enum mst_rc rc = ask(name, ns_t_srv, &msg, &len, err);

    (void)arg;
    if (rc == MST_OK) {
        rc = mst_srv_parse_answer(msg, len, out, max, n, err);
        free(msg);
    }
    return rc;
}

static enum mst_rc system_txt(void *arg, const char *name, char *out, size_t size,
                              struct mst_err *err)
{
    uint8_t *msg;
    size_t len;
    struct mst_err mine = {0};
    enum mst_rc rc = ask(name, ns_t_txt, &msg, &len, &mine);

    (void)arg;
    out[0] = '\0';
    if (rc == MST_E_NOTFOUND) {
        return MST_OK;
    }
    if (rc != MST_OK) {
        *err = mine;
        return rc;
    }
    rc = mst_srv_parse_txt(msg, len, out, size, err);
    free(msg);
    return rc;
}

static const struct mst_srv_resolver system_resolver = {system_srv, system_txt, NULL};

/* "a.b.example.net" may name hosts below "b.example.net" only. */
static bool in_parent(const char *srv_host, const char *host)
{
    const char *parent = strchr(srv_host, '.');
    const size_t n = parent ? strlen(parent) : 0, len = strlen(host);

    return n > 0 && len > n && strcasecmp(host + len - n, parent) == 0;
}

enum mst_rc mst_srv_resolve(struct mst_uri *u, const struct mst_srv_resolver *resolver,
                            struct mst_err *err)
{
    const struct mst_srv_resolver *r = resolver ? resolver : &system_resolver;
    struct mst_srv_record *found = mst_xcalloc(MST_SRV_MAX, sizeof(*found));
    char name[300], txt[1024] = "";
    size_t n = 0;
    enum mst_rc rc;

    (void)snprintf(name, sizeof(name), "_mongodb._tcp.%s", u->srv_host);
    rc = r->srv(r->arg, name, found, MST_SRV_MAX, &n, err);
    for (size_t i = 0; rc == MST_OK && i < n; i++) {
        char addr[MST_ADDR_MAX];

        if (!in_parent(u->srv_host, found[i].host)) {
            rc = mst_err_set(err, MST_E_INTEGRITY,
                             "the SRV record of %s names %s, which is outside of its domain",
                             u->srv_host, found[i].host);
            break;
        }
        (void)snprintf(addr, sizeof(addr), "%s:%u", found[i].host, (unsigned)found[i].port);
        if (!mst_addr_normal(addr, u->hosts[i])) {
            rc = bad(err);
        }
        u->n_hosts = i + 1;
    }
    if (rc == MST_OK && n == 0) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "%s has no SRV records", name);
    }
    if (rc == MST_OK) {
        rc = r->txt(r->arg, u->srv_host, txt, sizeof(txt), err);
    }
    if (rc == MST_OK && txt[0]) {
        rc = mst_uri_apply_txt(u, txt, err);
    }
    free(found);
    if (rc != MST_OK) {
        u->n_hosts = 0;
    }
    return rc;
}
