#include "mongo/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"

#define LOOKUPS_MAX 64 /* that hang at the same time */

struct lookup {
    atomic_int refs; /* the asker and the thread */
    struct mst_wake done;
    char host[256], port[8];
    int rc, sys;
    struct mst_resolved found;
};

static atomic_int in_flight;
static _Atomic(mst_getaddrinfo_fn *) lookup_fn;

void mst_resolve_with(mst_getaddrinfo_fn *fn)
{
    atomic_store(&lookup_fn, fn);
}

static void lookup_unref(struct lookup *l)
{
    if (atomic_fetch_sub(&l->refs, 1) == 1) {
        mst_wake_release(&l->done);
        free(l);
    }
}

static int look(const char *host, const char *port, int flags, struct mst_resolved *out)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    mst_getaddrinfo_fn *const fn = atomic_load(&lookup_fn);
    struct addrinfo *ai = NULL;
    int rc;

    rc = fn && !(flags & AI_NUMERICHOST) ? fn(host, port, &hints, &ai)
                                         : getaddrinfo(host, port, &hints, &ai);
    if (rc != 0) {
        return rc;
    }
    for (const struct addrinfo *a = ai; a && out->n < MST_RESOLVE_MAX; a = a->ai_next) {
        if (a->ai_addrlen <= sizeof(out->at[0].sa)) {
            memcpy(&out->at[out->n].sa, a->ai_addr, a->ai_addrlen);
            out->at[out->n++].len = a->ai_addrlen;
        }
    }
    freeaddrinfo(ai);
    return out->n > 0 ? 0 : EAI_NONAME;
}

static void lookup_thread(void *arg)
{
    struct lookup *l = arg;

    errno = 0;
    l->rc = look(l->host, l->port, 0, &l->found);
    l->sys = errno;
    mst_wake_signal(&l->done);
    lookup_unref(l);
    atomic_fetch_sub(&in_flight, 1);
}

static enum mst_rc lookup_start(const char *host, const char *port, struct lookup **out,
                                struct mst_err *err)
{
    struct lookup *l;
    enum mst_rc rc;

    if (atomic_fetch_add(&in_flight, 1) >= LOOKUPS_MAX) {
        atomic_fetch_sub(&in_flight, 1);
        return mst_err_set(
            err, MST_E_NET,
            "cannot look up %s: the name service does not answer (lookups that hang: %d)", host,
            LOOKUPS_MAX);
    }
    l = mst_xcalloc(1, sizeof(*l));
    atomic_init(&l->refs, 2);
    (void)mst_copy(l->host, sizeof(l->host), host);
    (void)mst_copy(l->port, sizeof(l->port), port);
    rc = mst_wake_init(&l->done, err);
    if (rc == MST_OK) {
        rc = mst_thread_spawn("lookup", lookup_thread, l, err);
    }
    if (rc != MST_OK) {
        atomic_fetch_sub(&in_flight, 1);
        mst_wake_release(&l->done);
        free(l);
        return rc;
    }
    *out = l;
    return MST_OK;
}

static enum mst_rc lookup_wait(struct lookup *l, int64_t deadline_ms, const struct mst_task *task,
                               struct mst_err *err)
{
    struct pollfd p[2] = {{.fd = l->done.fd, .events = POLLIN},
                          {.fd = task ? task->wake.fd : -1, .events = POLLIN}};

    for (;;) {
        const int64_t left = deadline_ms - mst_clock_mono_ms(NULL);

        if (left > 0) {
            (void)poll(p, 2, (int)(left > 60000 ? 60000 : left));
        }
        if (p[0].revents) {
            return MST_OK;
        }
        if (mst_task_cancelled(task)) {
            return mst_err_set(err, MST_E_CANCELLED, "stopped on request");
        }
        if (left <= 0) {
            return mst_err_set(err, MST_E_TIMEOUT,
                               "cannot look up %s: the name service did not answer in time",
                               l->host);
        }
    }
}

enum mst_rc mst_resolve(const char *host, uint16_t port, int64_t deadline_ms,
                        const struct mst_task *task, struct mst_resolved *out, struct mst_err *err)
{
    char service[8], why[128];
    struct lookup *l;
    enum mst_rc rc;

    out->n = 0;
    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    if (look(host, service, AI_NUMERICHOST | AI_NUMERICSERV, out) == 0) {
        return MST_OK;
    }
    rc = lookup_start(host, service, &l, err);
    if (rc != MST_OK) {
        return rc;
    }
    rc = lookup_wait(l, deadline_ms, task, err);
    if (rc == MST_OK) {
        if (l->rc == 0) {
            *out = l->found;
        } else {
            rc = mst_err_set(err, MST_E_NET, "cannot look up %s: %s", host,
                             l->rc == EAI_SYSTEM ? mst_errno_text(l->sys, why, sizeof(why))
                                                 : gai_strerror(l->rc));
        }
    }
    lookup_unref(l);
    return rc;
}
