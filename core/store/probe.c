#include "store/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "hash/hash.h"

#define SMALL 65536U
#define LARGE (16U << 20)
#define CHUNK (1U << 20)
#define LISTED_MAX \
    1000U /* there are two of ours below the prefix: past it the listing is no help */

struct probe {
    struct mst_store *s;
    const struct mst_probe_opts *o;
    struct mst_task *task;
    struct mst_probe_result *res;
    char small[MST_KEY_MAX], large[MST_KEY_MAX];
    unsigned char *data; /* CHUNK */
    struct mst_err first;
};

static void say(struct probe *p, const char *what, bool ok, const char *text)
{
    char line[400];

    (void)snprintf(line, sizeof(line), "%-12s %-6s %.370s", what, ok ? "ok" : "FAILED", text);
    if (p->o->say) {
        p->o->say(p->o->arg, line);
    }
}

static bool passed(struct probe *p, const char *what, const char *text)
{
    p->res->passed++;
    say(p, what, true, text);
    return true;
}

static bool failed(struct probe *p, const char *what, const struct mst_err *err)
{
    p->res->failed++;
    if (p->first.rc == MST_OK) {
        p->first = *err;
    }
    say(p, what, false, err->msg);
    return false;
}

static bool check(struct probe *p, const char *what, enum mst_rc rc, struct mst_err *err,
                  const char *text)
{
    return rc == MST_OK ? passed(p, what, text) : failed(p, what, err);
}

static bool other(struct probe *p, const char *what, const char *why)
{
    struct mst_err err = {0};

    (void)mst_err_set(&err, MST_E_INTEGRITY, "%s", why);
    return failed(p, what, &err);
}

static bool try_write(struct probe *p)
{
    struct mst_err err = {0};

    return check(p, "write", mst_store_put_all(p->s, p->small, p->data, SMALL, &err), &err,
                 "an object of 64 KiB");
}

static void try_read(struct probe *p)
{
    struct mst_err err = {0};
    struct mst_buf b = {0};
    char part[1000];
    size_t got;
    enum mst_rc rc = mst_store_read_all(p->s, p->small, SMALL, &b, &err);

    if (rc == MST_OK && (b.len != SMALL || memcmp(b.p, p->data, SMALL) != 0)) {
        (void)other(p, "read", "what was written reads back differently");
    } else {
        (void)check(p, "read", rc, &err, "the same bytes");
    }
    mst_buf_release(&b);
    rc = mst_store_read(p->s, p->small, 12345, part, sizeof(part), &got, &err);
    if (rc == MST_OK && (got != sizeof(part) || memcmp(part, p->data + 12345, got) != 0)) {
        (void)other(p, "range", "a range of it reads back differently");
    } else {
        (void)check(p, "range", rc, &err, "1,000 bytes from the middle");
    }
}

struct found {
    const char *key;
    bool there;
    uint64_t bytes;
    size_t n;
};

static bool see(void *arg, const struct mst_store_item *item)
{
    struct found *f = arg;

    if (strcmp(item->key, f->key) == 0) {
        f->there = true;
        f->bytes = item->bytes;
    }
    return !f->there && ++f->n < LISTED_MAX;
}

static void try_list(struct probe *p)
{
    struct mst_err err = {0};
    struct found f = {.key = p->small};
    const enum mst_rc rc = mst_store_list(p->s, p->o->prefix, see, &f, p->task, &err);

    if (rc == MST_OK && (!f.there || f.bytes != SMALL)) {
        (void)other(p, "list",
                    f.there ? "the listing says another size"
                            : "the listing does not have an object that was just written");
    } else {
        (void)check(p, "list", rc, &err, "found with its size");
    }
}

static void try_create_only(struct probe *p)
{
    struct mst_err err = {0};
    struct mst_buf b = {0};
    enum mst_rc rc = mst_store_put_all(p->s, p->small, "x", 1, &err);
    const bool same = mst_store_read_all(p->s, p->small, SMALL, &b, &err) == MST_OK &&
                      b.len == SMALL && memcmp(b.p, p->data, SMALL) == 0;

    mst_buf_release(&b);
    if (rc == MST_E_EXISTS && same) {
        (void)passed(p, "create-only", "a second write of the name was refused");
    } else if (rc == MST_OK || !same) {
        (void)other(p, "create-only", "a second write of the name replaced the first");
    } else {
        (void)failed(p, "create-only", &err);
    }
}

/* A rate; 0 when it was too quick to say. */
static uint64_t rate(uint64_t bytes, int64_t ms)
{
    return ms > 0 ? bytes * 1000 / (uint64_t)ms : 0;
}

static enum mst_rc write_large(struct probe *p, size_t bytes, uint8_t sha[MST_SHA256_LEN],
                               struct mst_err *err)
{
    struct mst_store_put *put = NULL;
    struct mst_sha256 h;
    enum mst_rc rc = mst_store_put_begin(p->s, p->large, &put, err);

    mst_sha256_init(&h);
    for (size_t at = 0; rc == MST_OK && at < bytes; at += CHUNK) {
        const size_t n = bytes - at < CHUNK ? bytes - at : CHUNK;

        p->data[at / CHUNK % CHUNK] ^= 0x5aU; /* no two chunks alike */
        mst_sha256_add(&h, p->data, n);
        rc = mst_task_check(p->task, err);
        rc = rc == MST_OK ? mst_store_put_add(put, p->data, n, err) : rc;
    }
    mst_sha256_final(&h, sha);
    mst_sha256_release(&h);
    if (rc != MST_OK) {
        mst_store_put_abort_take(put);
        return rc;
    }
    return mst_store_put_finish_take(put, err);
}

static enum mst_rc read_large(struct probe *p, uint64_t *bytes, uint8_t sha[MST_SHA256_LEN],
                              struct mst_err *err)
{
    struct mst_sha256 h;
    size_t got = 0;
    enum mst_rc rc;

    *bytes = 0;
    mst_sha256_init(&h);
    do {
        rc = mst_store_read(p->s, p->large, *bytes, p->data, CHUNK, &got, err);
        mst_sha256_add(&h, p->data, rc == MST_OK ? got : 0);
        *bytes += rc == MST_OK ? got : 0;
        rc = rc == MST_OK ? mst_task_check(p->task, err) : rc;
    } while (rc == MST_OK && got > 0);
    mst_sha256_final(&h, sha);
    mst_sha256_release(&h);
    return rc;
}

static void try_large(struct probe *p)
{
    const size_t bytes = p->o->large_bytes ? p->o->large_bytes : LARGE;
    const int64_t t0 = mst_clock_mono_ms(NULL);
    struct mst_err err = {0};
    uint8_t wrote[MST_SHA256_LEN], read[MST_SHA256_LEN];
    char text[120], a[MST_HUMAN_MAX], b[MST_HUMAN_MAX], c[MST_HUMAN_MAX];
    uint64_t got = 0;
    int64_t t1, t2;
    enum mst_rc rc = write_large(p, bytes, wrote, &err);

    t1 = mst_clock_mono_ms(NULL);
    rc = rc == MST_OK ? read_large(p, &got, read, &err) : rc;
    t2 = mst_clock_mono_ms(NULL);
    if (rc == MST_OK && (got != bytes || memcmp(wrote, read, sizeof(wrote)) != 0)) {
        (void)other(p, "large", "a large object reads back differently");
        return;
    }
    p->res->write_bps = rc == MST_OK ? rate(bytes, t1 - t0) : 0;
    p->res->read_bps = rc == MST_OK ? rate(bytes, t2 - t1) : 0;
    (void)snprintf(text, sizeof(text), "%s, written at %s/s, read at %s/s",
                   mst_text_bytes(bytes, a), mst_text_bytes(p->res->write_bps, b),
                   mst_text_bytes(p->res->read_bps, c));
    (void)check(p, "large", rc, &err, text);
}

static void remove_one(struct probe *p, const char *key, bool *may_not)
{
    struct mst_err err = {0};
    const enum mst_rc rc = mst_store_delete(p->s, key, &err);

    if (rc == MST_OK || rc == MST_E_NOTFOUND) {
        return;
    }
    if (p->res->n_left < MST_PROBE_LEFT) {
        (void)mst_copy(p->res->left[p->res->n_left], MST_KEY_MAX, key);
    }
    p->res->n_left++;
    *may_not = *may_not || rc == MST_E_AUTH || rc == MST_E_PRECOND;
    if (rc != MST_E_AUTH && rc != MST_E_PRECOND) {
        (void)failed(p, "delete", &err);
    }
}

static void try_delete(struct probe *p)
{
    const unsigned before = p->res->failed;
    struct mst_err err = {0};
    struct found f = {.key = p->small};
    bool may_not = false;

    remove_one(p, p->small, &may_not);
    remove_one(p, p->large, &may_not);
    if (may_not) {
        (void)passed(p, "delete", "this key may not delete, which is right for a writer");
    } else if (p->res->failed == before &&
               mst_store_list(p->s, p->o->prefix, see, &f, p->task, &err) == MST_OK && f.there) {
        (void)other(p, "delete", "the listing still has what was deleted");
    } else if (p->res->failed == before) {
        (void)check(p, "delete", err.rc, &err, "both objects are gone");
    }
}

enum mst_rc mst_probe_run(struct mst_store *s, const struct mst_probe_opts *o,
                          struct mst_task *task, struct mst_probe_result *res, struct mst_err *err)
{
    struct probe p = {.s = s, .o = o, .task = task, .res = res};
    const struct mst_store_caps *caps = mst_store_caps(s);
    uint32_t x = 2463534242U;

    memset(res, 0, sizeof(*res));
    (void)snprintf(p.small, sizeof(p.small), "%.480s/small", o->prefix);
    (void)snprintf(p.large, sizeof(p.large), "%.480s/large", o->prefix);
    p.data = mst_xmalloc(CHUNK);
    for (size_t i = 0; i < CHUNK; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        p.data[i] = (unsigned char)x;
    }
    if (try_write(&p)) {
        try_read(&p);
        try_list(&p);
        try_create_only(&p);
        try_large(&p);
        if (caps->checksums) {
            (void)passed(&p, "checksum", "a false checksum is refused by the store");
        } else {
            say(&p, "checksum", true, "not checked by the store: muster reads back and hashes");
        }
        try_delete(&p);
    }
    free(p.data);
    *err = p.first;
    return p.first.rc;
}
