#include "store/store.h"

#include <string.h>

#include "base/mem.h"
#include "store/impl.h"

#define SEGMENT_MAX 200U /* a file name of 255 bytes minus room for temporary names */

bool mst_store_key_ok(const char *key)
{
    size_t seg = 0, len = 0;

    for (const char *p = key; *p; p++, len++) {
        const unsigned char c = (unsigned char)*p;

        if (c < 0x20 || c == 0x7f || c == '\\') {
            return false;
        }
        if (c == '/') {
            if (seg == 0) {
                return false;
            }
            seg = 0;
            continue;
        }
        if ((seg == 0 && c == '.') || ++seg > SEGMENT_MAX) {
            return false;
        }
    }
    return seg > 0 && len < MST_KEY_MAX;
}

static enum mst_rc check(const char *key, struct mst_err *err)
{
    if (!mst_store_key_ok(key)) {
        return mst_err_set(err, MST_E_USAGE, "'%.80s' is not a key of a store", key);
    }
    return MST_OK;
}

void mst_store_free(struct mst_store *s)
{
    if (s) {
        s->ops->close(s);
    }
}

const char *mst_store_name(const struct mst_store *s)
{
    return s->name;
}

const char *mst_store_where(const struct mst_store *s)
{
    return s->where;
}

enum mst_rc mst_store_put_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                                struct mst_err *err)
{
    *out = NULL;
    return check(key, err) == MST_OK ? s->ops->put_begin(s, key, out, err) : err->rc;
}

enum mst_rc mst_store_put_add(struct mst_store_put *p, const void *data, size_t n,
                              struct mst_err *err)
{
    return p->store->ops->put_add(p, data, n, err);
}

enum mst_rc mst_store_put_finish_take(struct mst_store_put *p, struct mst_err *err)
{
    return p->store->ops->put_finish(p, err);
}

void mst_store_put_abort_take(struct mst_store_put *p)
{
    if (p) {
        p->store->ops->put_abort(p);
    }
}

enum mst_rc mst_store_put_all(struct mst_store *s, const char *key, const void *data, size_t n,
                              struct mst_err *err)
{
    struct mst_store_put *p;

    if (mst_store_put_begin(s, key, &p, err) != MST_OK) {
        return err->rc;
    }
    if (n && mst_store_put_add(p, data, n, err) != MST_OK) {
        mst_store_put_abort_take(p);
        return err->rc;
    }
    return mst_store_put_finish_take(p, err);
}

/* A store that overwrites says who came last: two that write at one time both look, and the one
 * whose bytes are not there has lost. One that refuses says so also to whoever did not hear that
 * it had succeeded. */
static enum mst_rc is_mine(struct mst_store *s, const char *key, const void *data, size_t n,
                           struct mst_err *err)
{
    struct mst_buf b = {0};
    enum mst_rc rc = mst_store_read_all(s, key, n, &b, err);

    if (rc == MST_E_LIMIT || (rc == MST_OK && (b.len != n || memcmp(b.p, data, n) != 0))) {
        rc = mst_err_set(err, MST_E_EXISTS, "%s in the store %s is another run's", key, s->name);
    }
    mst_buf_release(&b);
    return rc;
}

enum mst_rc mst_store_claim(struct mst_store *s, const char *key, const void *data, size_t n,
                            struct mst_err *err)
{
    struct mst_err put = {0}, look = {0};
    enum mst_rc rc;

    if (s->ops->claim) {
        return check(key, err) == MST_OK ? s->ops->claim(s, key, data, n, err) : err->rc;
    }
    rc = mst_store_put_all(s, key, data, n, &put);
    if (rc == MST_E_EXISTS || (rc == MST_OK && !mst_store_caps(s)->create_only)) {
        return is_mine(s, key, data, n, err);
    }
    if (rc == MST_OK || (rc != MST_E_UNKNOWN && rc != MST_E_CANCELLED &&
                         is_mine(s, key, data, n, &look) == MST_OK)) {
        return MST_OK; /* at most the answer was lost */
    }
    *err = put;
    return rc;
}

enum mst_rc mst_store_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                           size_t *got, struct mst_err *err)
{
    *got = 0;
    return check(key, err) == MST_OK ? s->ops->read(s, key, from, buf, n, got, err) : err->rc;
}

enum mst_rc mst_store_read_all(struct mst_store *s, const char *key, size_t max,
                               struct mst_buf *out, struct mst_err *err)
{
    for (;;) {
        const size_t step = s->local ? 65536 : 1048576; /* elsewhere each read is a journey */
        const size_t room = max - out->len + 1 < step ? max - out->len + 1 : step;
        size_t got;

        if (mst_store_read(s, key, out->len, mst_buf_room(out, room), room, &got, err) != MST_OK) {
            return err->rc;
        }
        out->len += got;
        if (out->len > max) {
            return mst_err_set(err, MST_E_LIMIT, "%s is larger than %zu bytes", key, max);
        }
        if (got < room) {
            return MST_OK;
        }
    }
}

bool mst_store_unread(enum mst_rc rc)
{
    return rc == MST_E_AUTH || rc == MST_E_NET || rc == MST_E_TLS || rc == MST_E_TIMEOUT ||
           rc == MST_E_CANCELLED || rc == MST_E_SERVER;
}

enum mst_rc mst_store_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                           struct mst_err *err)
{
    *bytes = 0;
    return check(key, err) == MST_OK ? s->ops->stat(s, key, bytes, err) : err->rc;
}

enum mst_rc mst_store_list(struct mst_store *s, const char *prefix,
                           bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                           struct mst_task *task, struct mst_err *err)
{
    if (*prefix && check(prefix, err) != MST_OK) {
        return err->rc;
    }
    return s->ops->list(s, prefix, fn, arg, task, err);
}

static _Thread_local uint64_t left_out;

void mst_store_leave_out(uint64_t n)
{
    left_out += n;
}

uint64_t mst_store_left_out_take(void)
{
    const uint64_t n = left_out;

    left_out = 0;
    return n;
}

enum mst_rc mst_store_delete(struct mst_store *s, const char *key, struct mst_err *err)
{
    int64_t until;

    return check(key, err) == MST_OK && mst_store_free_to_go(s, key, &until, err) == MST_OK
               ? s->ops->remove(s, key, err)
               : err->rc;
}

enum mst_rc mst_store_space(struct mst_store *s, uint64_t *free_bytes, uint64_t *total_bytes,
                            struct mst_err *err)
{
    *free_bytes = *total_bytes = 0;
    return s->ops->space ? s->ops->space(s, free_bytes, total_bytes, err) : MST_OK;
}

/* --- what not every kind of store has --- */

static enum mst_rc cannot(const struct mst_store *s, const char *what, struct mst_err *err)
{
    return mst_err_set(err, MST_E_CONFIG, "the store %s (%s) cannot %s", s->name, s->where, what);
}

const struct mst_store_caps *mst_store_caps(const struct mst_store *s)
{
    return s->ops->caps ? s->ops->caps(s) : &s->caps;
}

enum mst_rc mst_store_probe(struct mst_store *s, struct mst_task *task, struct mst_err *err)
{
    return s->ops->probe ? s->ops->probe(s, task, err) : MST_OK;
}

void mst_store_keeps(struct mst_store *s, struct mst_task *task, struct mst_store_keeps *out)
{
    memset(out, 0, sizeof(*out));
    if (s->ops->keeps) {
        s->ops->keeps(s, task, out);
    } else if (!s->local) { /* a directory does neither */
        out->versions = out->locks = -1;
        (void)mst_copy(out->text, sizeof(out->text), "this kind of store cannot be asked");
    }
}

static _Thread_local struct mst_task *works_for;

void mst_store_work_for(struct mst_task *task)
{
    works_for = task;
}

struct mst_task *mst_store_works_for(void)
{
    return works_for;
}

bool mst_store_is_local(const struct mst_store *s)
{
    return s->local;
}

enum mst_rc mst_store_info(struct mst_store *s, const char *key, struct mst_store_info *out,
                           struct mst_err *err)
{
    memset(out, 0, sizeof(*out));
    if (check(key, err) != MST_OK) {
        return err->rc;
    }
    return s->ops->info ? s->ops->info(s, key, out, err) : mst_store_stat(s, key, &out->bytes, err);
}

enum mst_rc mst_store_versions(struct mst_store *s, const char *prefix,
                               bool (*fn)(void *arg, const struct mst_store_version *v), void *arg,
                               struct mst_task *task, struct mst_err *err)
{
    if (*prefix && check(prefix, err) != MST_OK) {
        return err->rc;
    }
    return s->ops->versions ? s->ops->versions(s, prefix, fn, arg, task, err)
                            : cannot(s, "keep versions", err);
}

enum mst_rc mst_store_uploads(struct mst_store *s, const char *prefix,
                              bool (*fn)(void *arg, const struct mst_store_upload *u), void *arg,
                              struct mst_task *task, struct mst_err *err)
{
    if (*prefix && check(prefix, err) != MST_OK) {
        return err->rc;
    }
    return s->ops->uploads ? s->ops->uploads(s, prefix, fn, arg, task, err) : MST_OK;
}

enum mst_rc mst_store_abort_upload(struct mst_store *s, const struct mst_store_upload *u,
                                   struct mst_err *err)
{
    return s->ops->abort_upload ? s->ops->abort_upload(s, u, err)
                                : cannot(s, "have unfinished uploads", err);
}

enum mst_rc mst_store_lock(struct mst_store *s, const char *key, const char *mode,
                           int64_t until_wall_ms, struct mst_err *err)
{
    if (check(key, err) != MST_OK) {
        return err->rc;
    }
    return s->ops->lock ? s->ops->lock(s, key, mode, until_wall_ms, err)
                        : cannot(s, "lock objects", err);
}

enum mst_rc mst_store_thaw(struct mst_store *s, const char *key, int days, struct mst_err *err)
{
    if (check(key, err) != MST_OK) {
        return err->rc;
    }
    return s->ops->thaw ? s->ops->thaw(s, key, NULL, days, err)
                        : cannot(s, "thaw objects: nothing in it is archived", err);
}

enum mst_rc mst_store_read_version(struct mst_store *s, const char *key, const char *version,
                                   uint64_t from, void *buf, size_t n, size_t *got,
                                   struct mst_err *err)
{
    *got = 0;
    if (check(key, err) != MST_OK) {
        return err->rc;
    }
    return s->ops->read_version ? s->ops->read_version(s, key, version, from, buf, n, got, err)
                                : cannot(s, "read older versions", err);
}
