/* The handle of an agent: a thread reads views and replies; calls wait for theirs. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/cell.h"
#include "conc/thread.h"
#include "conc/wake.h"
#include "ipc/codec.h"
#include "ipc/frame.h"

#define CALL_MS 30000
#define HELLO_MS 5000

struct remote {
    struct mst_engine base;
    int fd;
    struct mst_buf in; /* of the reader, after the hello */
    struct mst_thread reader;
    struct mst_cell cell;
    struct mst_wake out;
    struct mst_view *last; /* of the reader: has its own reference */

    struct mst_mutex call_mtx; /* one call at a time */
    struct mst_mutex mtx;      /* guards what follows */
    struct mst_cond cond;
    int64_t seq;
    bson_t *reply;
    bool closing, lost;
};

/* --- views --- */

static void *ref(void *part)
{
    if (part) {
        mst_shared_ref(part);
    }
    return part;
}

static struct mst_view *next_view(const struct mst_view *from)
{
    struct mst_view *v = mst_view_new();

    v->info = ref(from->info);
    v->topo = ref(from->topo);
    v->jobs = ref(from->jobs);
    v->n_stores = from->n_stores;
    for (size_t i = 0; i < v->n_stores; i++) {
        v->stores[i] = ref(from->stores[i]);
        v->looks[i] = ref(from->looks[i]);
    }
    v->bucket = ref(from->bucket);
    v->detail = ref(from->detail);
    v->leavings = ref(from->leavings);
    v->messages = ref(from->messages);
    v->move = ref(from->move);
    v->gen = from->gen;
    return v;
}

static void replace(void *slot, void *part)
{
    void **p = slot;

    mst_shared_unref(*p);
    *p = part;
}

/* Indexes that screens follow without looking. */
static void check_topo(struct mst_topo_view *v)
{
    if (v->primary < -1 || v->primary >= (int)v->n) {
        v->primary = -1;
    }
    for (size_t i = 0; i < v->n_reasons; i++) {
        if (v->reasons[i].member >= (int)v->n) {
            v->reasons[i].member = -1;
        }
    }
}

/* "store3" after "store": 3; SIZE_MAX: another name. */
static size_t number_after(const char *name, const char *word)
{
    const size_t n = strlen(word);

    return strncmp(name, word, n) == 0 && name[n] >= '0' && name[n] <= '9' && !name[n + 1]
               ? (size_t)(name[n] - '0')
               : SIZE_MAX;
}

static enum mst_rc take_part(struct mst_view *v, const char *name, const bson_t *doc,
                             struct mst_err *err)
{
    enum mst_rc rc = MST_OK;
    size_t i;

#define PART(word, make, desc, at) \
    if (strcmp(name, word) == 0) { \
        replace(&v->at, make); \
        return ipc_decode(&(desc), doc, v->at, err); \
    }
    PART("info", mst_info_new(), ipc_info, info)
    PART("jobs", mst_jobs_new_take(NULL, 0), ipc_jobs, jobs)
    PART("detail", mst_detail_new(), ipc_detail, detail)
    PART("move", mst_switch_new(), ipc_move, move)
#undef PART
    i = number_after(name, "store");
    if (i < MST_VIEW_STORES) {
        replace(&v->stores[i], mst_bucket_new());
        return ipc_decode(&ipc_bucket, doc, v->stores[i], err);
    }
    i = number_after(name, "look");
    if (i < MST_VIEW_STORES) {
        replace(&v->looks[i], mst_look_new());
        return ipc_decode(&ipc_look, doc, v->looks[i], err);
    }
    /* These makers allocate an array; the decoder brings its own. */
    if (strcmp(name, "leavings") == 0) {
        replace(&v->leavings, mst_leavings_new(0));
        free(v->leavings->items);
        v->leavings->items = NULL;
        rc = ipc_decode(&ipc_leavings, doc, v->leavings, err);
    } else if (strcmp(name, "messages") == 0) {
        replace(&v->messages, mst_messages_new(0));
        free(v->messages->items);
        v->messages->items = NULL;
        rc = ipc_decode(&ipc_messages, doc, v->messages, err);
    } else if (strcmp(name, "topo") == 0) {
        const struct mst_topo_view empty = {.primary = -1};

        replace(&v->topo, mst_topo_part_new_take(&empty));
        rc = ipc_decode(&ipc_topo, doc, &v->topo->v, err);
        check_topo(&v->topo->v);
    }
    return rc;
}

/* Stores come without a gap; home is the one that is meant where none is named. */
static void take_home(struct mst_view *v, int64_t home)
{
    v->n_stores = 0;
    while (v->n_stores < MST_VIEW_STORES && v->stores[v->n_stores]) {
        v->n_stores++;
    }
    if (home >= 0 && home < (int64_t)v->n_stores) {
        replace(&v->bucket, ref(v->stores[home]));
    }
}

static enum mst_rc take_view(struct remote *r, const bson_t *doc, struct mst_err *err)
{
    struct mst_view *v = next_view(r->last);
    bson_iter_t it;
    enum mst_rc rc = MST_OK;

    v->gen = (uint64_t)ipc_int(doc, "view", 0);
    v->now_mono_ms = ipc_int(doc, "mono", 0);
    v->now_wall_ms = ipc_int(doc, "wall", 0);
    if (bson_iter_init(&it, doc)) {
        while (rc == MST_OK && bson_iter_next(&it)) {
            bson_t sub;

            if (BSON_ITER_HOLDS_DOCUMENT(&it) && ipc_doc(doc, bson_iter_key(&it), &sub)) {
                rc = take_part(v, bson_iter_key(&it), &sub, err);
            }
        }
    }
    if (rc == MST_OK) {
        take_home(v, ipc_int(doc, "home", -1));
    }
    if (rc != MST_OK || !v->info || !v->topo || !v->jobs || !v->leavings || !v->messages) {
        mst_view_release(v);
        return rc ? rc : mst_err_set(err, MST_E_INTEGRITY, "a view without its parts");
    }
    mst_view_release(r->last);
    r->last = ref(v);
    mst_cell_publish_take(&r->cell, &v->shared);
    mst_wake_signal(&r->out);
    return MST_OK;
}

/* --- the reader --- */

static void take_reply(struct remote *r, const bson_t *doc)
{
    mst_mutex_lock(&r->mtx);
    if (ipc_int(doc, "r", -1) == r->seq && !r->reply) {
        r->reply = bson_copy(doc);
        mst_cond_broadcast(&r->cond);
    }
    mst_mutex_unlock(&r->mtx);
}

static enum mst_rc one_frame(struct remote *r, struct mst_err *err)
{
    bson_t doc;
    enum mst_rc rc = ipc_recv(r->fd, &r->in, 1000, &doc, err);

    if (rc == MST_E_TIMEOUT) {
        return MST_OK;
    }
    if (rc == MST_OK) {
        if (bson_has_field(&doc, "view")) {
            rc = take_view(r, &doc, err);
        } else {
            take_reply(r, &doc);
        }
        bson_destroy(&doc);
    }
    return rc;
}

/* The last picture stays, and says since when nobody answers. */
static void say_lost(struct remote *r)
{
    struct mst_view *v = next_view(r->last);
    struct mst_info_part *info = mst_info_new();
    const struct mst_shared keep = info->shared;

    *info = *v->info;
    info->shared = keep;
    info->agent_lost_ms = mst_clock_mono_ms(NULL);
    replace(&v->info, info);
    v->gen++;
    v->now_mono_ms = mst_clock_mono_ms(NULL);
    v->now_wall_ms = mst_clock_utc_ms(NULL);
    mst_cell_publish_take(&r->cell, &v->shared);
    mst_wake_signal(&r->out);
}

static void reader(void *arg)
{
    struct remote *r = arg;
    struct mst_err err = {0};
    bool closing = false;

    while (!closing && one_frame(r, &err) == MST_OK) {
        mst_mutex_lock(&r->mtx);
        closing = r->closing;
        mst_mutex_unlock(&r->mtx);
    }
    mst_mutex_lock(&r->mtx);
    closing = r->closing;
    r->lost = true;
    mst_cond_broadcast(&r->cond);
    mst_mutex_unlock(&r->mtx);
    if (!closing) {
        say_lost(r);
    }
}

/* --- calls --- */

/* What a request without a reply leaves behind. */
static enum mst_rc no_reply(const bson_t *q, bool lost, struct mst_err *err)
{
    char op[16];

    (void)ipc_text(q, "op", op, sizeof(op));
    if (strcmp(op, "submit") == 0 || strcmp(op, "commit") == 0) {
        return mst_err_set(err, MST_E_UNKNOWN, "the agent %s: 'muster jobs' says what became of it",
                           lost ? "ended before it answered" : "did not answer");
    }
    return lost ? mst_err_set(err, MST_E_NET, "the agent ended: run this again")
                : mst_err_set(err, MST_E_TIMEOUT, "the agent did not answer within %d s",
                              CALL_MS / 1000);
}

/* Send q and wait for its reply, which the caller destroys. */
static enum mst_rc call(struct remote *r, bson_t *q, bson_t **reply, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + CALL_MS;
    bool lost;
    enum mst_rc rc;

    *reply = NULL;
    mst_mutex_lock(&r->call_mtx);
    mst_mutex_lock(&r->mtx);
    BSON_APPEND_INT64(q, "q", ++r->seq);
    lost = r->lost;
    mst_mutex_unlock(&r->mtx);
    rc = lost ? mst_err_set(err, MST_E_NET, "the agent ended: run this again")
              : ipc_send(r->fd, q, err);
    mst_mutex_lock(&r->mtx);
    while (rc == MST_OK && !r->reply && !r->lost && mst_clock_mono_ms(NULL) < end) {
        (void)mst_cond_wait_ms(&r->cond, &r->mtx, 1000);
    }
    if (rc == MST_OK && !r->reply) {
        rc = no_reply(q, r->lost, err);
    }
    *reply = r->reply;
    r->reply = NULL;
    r->seq += rc != MST_OK; /* a late reply is nobody's */
    mst_mutex_unlock(&r->mtx);
    mst_mutex_unlock(&r->call_mtx);
    if (rc == MST_OK && (rc = (enum mst_rc)ipc_int(*reply, "rc", MST_E_BUG)) != MST_OK) {
        bson_t e;

        rc = rc > MST_OK && rc < MST_RC_COUNT ? rc : MST_E_BUG;
        (void)mst_err_set(err, rc, "the agent refused");
        if (ipc_doc(*reply, "err", &e)) {
            struct mst_err ignore = {0};

            (void)!ipc_decode(&ipc_err, &e, err, &ignore);
            err->rc = rc;
        }
    }
    return rc;
}

static enum mst_rc with_cmd(struct mst_engine *e, const char *op, const struct mst_cmd *cmd,
                            const char *result, uint64_t *out, struct mst_err *err)
{
    bson_t q, sub, *reply = NULL;
    enum mst_rc rc;

    bson_init(&q);
    BSON_APPEND_UTF8(&q, "op", op);
    bson_append_document_begin(&q, "cmd", -1, &sub);
    ipc_encode(&ipc_cmd, cmd, &sub);
    bson_append_document_end(&q, &sub);
    rc = call((struct remote *)(void *)e, &q, &reply, err);
    *out = rc == MST_OK ? (uint64_t)ipc_int(reply, result, 0) : 0;
    bson_destroy(&q);
    bson_destroy(reply);
    return rc;
}

static enum mst_rc remote_submit(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *job,
                                 struct mst_err *err)
{
    return with_cmd(e, "submit", cmd, "job", job, err);
}

static enum mst_rc remote_prepare(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *handle,
                                  struct mst_err *err)
{
    return with_cmd(e, "prepare", cmd, "handle", handle, err);
}

static enum mst_rc remote_ticket(struct mst_engine *e, uint64_t handle, struct mst_ticket **out,
                                 struct mst_err *err)
{
    bson_t q, sub, *reply = NULL;
    enum mst_rc rc;

    *out = NULL;
    bson_init(&q);
    BSON_APPEND_UTF8(&q, "op", "ticket");
    BSON_APPEND_INT64(&q, "handle", (int64_t)handle);
    rc = call((struct remote *)(void *)e, &q, &reply, err);
    if (rc == MST_OK) {
        *out = mst_xcalloc(1, sizeof(**out));
        rc = ipc_doc(reply, "ticket", &sub)
                 ? ipc_decode(&ipc_ticket, &sub, *out, err)
                 : mst_err_set(err, MST_E_INTEGRITY, "a reply without its ticket");
        if (rc != MST_OK) {
            mst_ticket_free(*out);
            *out = NULL;
        }
    }
    bson_destroy(&q);
    bson_destroy(reply);
    return rc;
}

static enum mst_rc remote_commit(struct mst_engine *e, const struct mst_ticket *t,
                                 const char *typed, uint64_t *job, struct mst_err *err)
{
    bson_t q, *reply = NULL;
    enum mst_rc rc;

    bson_init(&q);
    BSON_APPEND_UTF8(&q, "op", "commit");
    BSON_APPEND_UTF8(&q, "plan", t->plan_hash); /* the agent has the ticket itself */
    BSON_APPEND_UTF8(&q, "typed", typed ? typed : "");
    rc = call((struct remote *)(void *)e, &q, &reply, err);
    *job = rc == MST_OK ? (uint64_t)ipc_int(reply, "job", 0) : 0;
    bson_destroy(&q);
    bson_destroy(reply);
    return rc;
}

static int remote_wake_fd(const struct mst_engine *e)
{
    return ((const struct remote *)(const void *)e)->out.fd;
}

static const struct mst_view *remote_view(struct mst_engine *e)
{
    struct remote *r = (struct remote *)(void *)e;

    mst_wake_drain(&r->out);
    return (const struct mst_view *)(void *)mst_cell_load(&r->cell);
}

static void remote_close(struct mst_engine *e)
{
    struct remote *r = (struct remote *)(void *)e;

    mst_mutex_lock(&r->mtx);
    r->closing = true;
    mst_mutex_unlock(&r->mtx);
    if (r->fd >= 0) {
        (void)shutdown(r->fd, SHUT_RDWR);
    }
    mst_thread_join(&r->reader);
    if (r->fd >= 0) {
        (void)close(r->fd);
    }
    mst_view_release(r->last);
    mst_cell_release(&r->cell);
    mst_wake_release(&r->out);
    mst_buf_release(&r->in);
    if (r->reply) {
        bson_destroy(r->reply);
    }
    mst_cond_release(&r->cond);
    mst_mutex_release(&r->mtx);
    mst_mutex_release(&r->call_mtx);
    free(r);
}

static const struct mst_engine_ops remote_ops = {.close = remote_close,
                                                 .wake_fd = remote_wake_fd,
                                                 .view = remote_view,
                                                 .submit = remote_submit,
                                                 .prepare = remote_prepare,
                                                 .ticket = remote_ticket,
                                                 .commit = remote_commit};

/* --- attaching --- */

/* Our hello, theirs, and what is different. */
static enum mst_rc greet(int fd, struct mst_buf *in, const char *path, const struct mst_cfg *cfg,
                         struct mst_err *err)
{
    bson_t q, theirs;
    char version[40], config[33], mine[33];
    enum mst_rc rc;

    bson_init(&q);
    BSON_APPEND_UTF8(&q, "hello", IPC_HELLO);
    rc = ipc_send(fd, &q, err);
    bson_destroy(&q);
    if (rc == MST_OK) {
        rc = ipc_recv(fd, in, HELLO_MS, &theirs, err);
    }
    if (rc != MST_OK) {
        mst_err_prefix(err, "agent at %s", path);
        return rc;
    }
    if (!ipc_text(&theirs, "hello", version, sizeof(version))) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "what listens at %s is no agent", path);
    } else if (strcmp(version, IPC_HELLO) != 0) {
        rc =
            mst_err_set(err, MST_E_STALE,
                        "the agent is muster %s, this is %s: 'muster agent stop' ends it, then run "
                        "this again",
                        version, MST_VERSION);
    } else {
        ipc_cfg_hash(cfg, mine);
        (void)ipc_text(&theirs, "cfg", config, sizeof(config));
        if (strcmp(config, mine) != 0) {
            rc = mst_err_set_detail(err, MST_E_CONFIG, MST_IPC_OTHER_CONFIG,
                                    "the configuration changed since the agent was started: "
                                    "'muster agent stop' ends it, then run this again");
        }
    }
    bson_destroy(&theirs);
    return rc;
}

enum mst_rc mst_ipc_attach(const char *path, const struct mst_cfg *cfg, struct mst_engine **out,
                           struct mst_err *err)
{
    struct remote *r = mst_xcalloc(1, sizeof(*r));
    enum mst_rc rc;

    r->base.ops = &remote_ops;
    r->fd = r->out.fd = -1;
    r->last = mst_view_new();
    mst_cell_init(&r->cell);
    mst_mutex_init(&r->mtx);
    mst_mutex_init(&r->call_mtx);
    mst_cond_init(&r->cond);
    rc = mst_wake_init(&r->out, err);
    if (rc == MST_OK) {
        rc = ipc_connect(path, &r->fd, err);
    }
    if (rc == MST_OK) {
        rc = greet(r->fd, &r->in, path, cfg, err);
    }
    while (rc == MST_OK && !r->last->info) { /* the first view, before there is a reader */
        bson_t doc;

        rc = ipc_recv(r->fd, &r->in, HELLO_MS, &doc, err);
        if (rc == MST_OK) {
            rc = bson_has_field(&doc, "view") ? take_view(r, &doc, err) : MST_OK;
            bson_destroy(&doc);
        }
    }
    if (rc == MST_OK) {
        rc = mst_thread_start(&r->reader, "mst-ipc", reader, r, err);
    }
    if (rc != MST_OK) {
        remote_close(&r->base);
        r = NULL;
    }
    *out = r ? &r->base : NULL;
    return rc;
}

enum mst_rc mst_ipc_stop(const char *path, bool force, struct mst_err *err)
{
    struct mst_buf in = {0};
    bson_t q, reply;
    int fd = -1;
    enum mst_rc rc = ipc_connect(path, &fd, err);
    struct ucred who = {0};
    socklen_t n = sizeof(who);

    if (rc == MST_OK) {
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n);
    }
    bson_init(&q);
    BSON_APPEND_UTF8(&q, "stop", MST_VERSION); /* understood by every version */
    BSON_APPEND_BOOL(&q, "force", force);
    if (rc == MST_OK) {
        rc = ipc_send(fd, &q, err);
    }
    while (rc == MST_OK) {
        rc = ipc_recv(fd, &in, HELLO_MS, &reply, err);
        if (rc == MST_OK && bson_has_field(&reply, "stop")) {
            rc = ipc_int(&reply, "stop", 0)
                     ? MST_OK
                     : mst_err_set(err, MST_E_BUSY,
                                   "jobs run in the agent: cancel them, wait, or stop it with "
                                   "--force");
            bson_destroy(&reply);
            break;
        }
        if (rc == MST_OK) {
            bson_destroy(&reply);
        }
    }
    for (int i = 0; rc == MST_OK && who.pid > 0 && kill(who.pid, 0) == 0; i++) {
        if (i == CALL_MS / 20) {
            rc = mst_err_set(err, MST_E_TIMEOUT, "the agent, pid %d, has not ended yet",
                             (int)who.pid);
        }
        mst_clock_sleep_ms(20);
    }
    bson_destroy(&q);
    mst_buf_release(&in);
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}
