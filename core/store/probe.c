#include "store/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "hash/hash.h"
#include "store/probe_own.h"

#define SMALL 65536U
#define LARGE (16U << 20)
#define CHUNK (1U << 20)
#define LISTED_MAX \
    1000U /* there are two of ours below the prefix: past it the listing is no help */

static void say(struct probe *p, const char *what, const char *word, const char *text)
{
    char line[480];

    (void)snprintf(line, sizeof(line), "%-12s %-11s %.440s", what, word, text);
    if (p->o->say) {
        p->o->say(p->o->arg, line);
    }
}

bool probe_passed(struct probe *p, const char *what, const char *text)
{
    p->res->passed++;
    say(p, what, "ok", text);
    return true;
}

bool probe_failed(struct probe *p, const char *what, const struct mst_err *err)
{
    p->res->failed++;
    if (p->first.rc == MST_OK) {
        p->first = *err;
    }
    say(p, what, "FAILED", err->msg);
    return false;
}

void probe_open(struct probe *p, const char *what, const char *why)
{
    p->res->unchecked++;
    say(p, what, "not checked", why);
}

void probe_cannot(struct probe *p, const char *what, const char *why)
{
    p->res->cannot++;
    say(p, what, "cannot", why);
}

void probe_warn(struct probe *p, const char *what, const char *text)
{
    p->res->warnings++;
    say(p, what, "WARNING", text);
}

bool probe_check(struct probe *p, const char *what, enum mst_rc rc, struct mst_err *err,
                 const char *text)
{
    return rc == MST_OK ? probe_passed(p, what, text) : probe_failed(p, what, err);
}

bool probe_other(struct probe *p, const char *what, const char *why)
{
    struct mst_err err = {0};

    (void)mst_err_set(&err, MST_E_INTEGRITY, "%s", why);
    return probe_failed(p, what, &err);
}

void probe_left(struct probe *p, const char *key, int64_t until_ms)
{
    struct mst_probe_left *l = &p->res->left[p->res->n_left];

    for (size_t i = 0; i < p->res->n_left && i < MST_PROBE_LEFT; i++) {
        if (strcmp(p->res->left[i].key, key) == 0) {
            return;
        }
    }
    if (p->res->n_left < MST_PROBE_LEFT) {
        (void)mst_copy(l->key, MST_KEY_MAX, key);
        l->until_ms = until_ms;
    }
    p->res->n_left++;
}

static bool try_write(struct probe *p)
{
    struct mst_err err = {0};

    return probe_check(p, "write", mst_store_put_all(p->s, p->small, p->data, SMALL, &err), &err,
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
        (void)probe_other(p, "read", "what was written reads back differently");
    } else {
        (void)probe_check(p, "read", rc, &err, "the same bytes");
    }
    mst_buf_release(&b);
    rc = mst_store_read(p->s, p->small, 12345, part, sizeof(part), &got, &err);
    if (rc == MST_OK && (got != sizeof(part) || memcmp(part, p->data + 12345, got) != 0)) {
        (void)probe_other(p, "range", "a range of it reads back differently");
    } else {
        (void)probe_check(p, "range", rc, &err, "1,000 bytes from the middle");
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
        (void)probe_other(p, "list",
                          f.there ? "the listing says another size"
                                  : "the listing does not have an object that was just written");
    } else {
        (void)probe_check(p, "list", rc, &err, "found with its size");
    }
}

/* What a second write of the name did, and whether the first one still stands: what could not be
 * read back is not said to be replaced. */
static void try_create_only(struct probe *p)
{
    struct mst_err put = {0}, read = {0};
    struct mst_buf b = {0};
    const enum mst_rc rc = mst_store_put_all(p->s, p->small, "x", 1, &put);
    const bool there = mst_store_read_all(p->s, p->small, SMALL, &b, &read) == MST_OK;
    const bool same = there && b.len == SMALL && memcmp(b.p, p->data, SMALL) == 0;

    mst_buf_release(&b);
    if (rc != MST_OK && rc != MST_E_EXISTS) {
        (void)probe_failed(p, "create-only", &put);
    } else if (there && !same) {
        (void)probe_other(p, "create-only",
                          rc == MST_OK
                              ? "a second write of the name replaced the first"
                              : "a second write of the name was refused, and replaced the first");
    } else if (rc == MST_OK) {
        (void)probe_other(p, "create-only", "a second write of the name was not refused");
    } else if (!there) {
        mst_err_prefix(&read, "a second write of the name was refused; what stands there could not "
                              "be read back");
        (void)probe_failed(p, "create-only", &read);
    } else {
        (void)probe_passed(p, "create-only", "a second write of the name was refused");
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
        (void)probe_other(p, "large", "a large object reads back differently");
        return;
    }
    p->res->write_bps = rc == MST_OK ? rate(bytes, t1 - t0) : 0;
    p->res->read_bps = rc == MST_OK ? rate(bytes, t2 - t1) : 0;
    (void)snprintf(text, sizeof(text), "%s, written at %s/s, read at %s/s",
                   mst_text_bytes(bytes, a), mst_text_bytes(p->res->write_bps, b),
                   mst_text_bytes(p->res->read_bps, c));
    (void)probe_check(p, "large", rc, &err, text);
}

/* kept: the bucket locks, or holds, whatever is written there; it says why. */
static void remove_one(struct probe *p, const char *key, bool *may_not, struct mst_err *kept)
{
    struct mst_err err = {0}, ignore = {0};
    struct mst_store_info info = {0};
    const enum mst_rc rc = mst_store_delete(p->s, key, &err);

    if (rc == MST_OK || rc == MST_E_NOTFOUND) {
        return;
    }
    if (rc == MST_E_PRECOND) {
        *kept = err;
        (void)!mst_store_info(p->s, key, &info, &ignore);
    }
    probe_left(p, key, info.locked_until_ms);
    *may_not = *may_not || rc == MST_E_AUTH;
    if (rc != MST_E_AUTH && rc != MST_E_PRECOND) {
        (void)probe_failed(p, "delete", &err);
    }
}

static void try_delete(struct probe *p)
{
    const unsigned before = p->res->failed;
    struct mst_err err = {0}, kept = {0};
    struct found f = {.key = p->small};
    bool may_not = false;

    remove_one(p, p->small, &may_not, &kept);
    remove_one(p, p->large, &may_not, &kept);
    if (may_not) {
        (void)probe_passed(p, "delete", "this key may not delete, which is right for a writer");
    } else if (kept.rc != MST_OK) { /* whether the key may is not known then */
        probe_open(p, "delete", kept.msg);
    } else if (p->res->failed == before &&
               mst_store_list(p->s, p->o->prefix, see, &f, p->task, &err) == MST_OK && f.there) {
        (void)probe_other(p, "delete", "the listing still has what was deleted");
    } else if (p->res->failed == before) {
        (void)probe_check(p, "delete", err.rc, &err,
                          mst_store_caps(p->s)->versions
                              ? "both objects are gone from the listing: their versions stay, "
                                "behind a marker"
                              : "both objects are gone");
    }
}

static void try_checksum(struct probe *p)
{
    if (p->unknown) {
        probe_open(p, "checksum", "whether the store compares checksums could not be asked");
    } else if (mst_store_caps(p->s)->checksums) {
        (void)probe_passed(p, "checksum", "a false checksum is refused by the store");
    } else {
        probe_cannot(p, "checksum", "the store does not check: muster reads back and hashes");
    }
}

void mst_probe_sum(const struct mst_probe_result *res, char *out, size_t size)
{
    size_t n;

    (void)snprintf(out, size, "%u of %u checks passed", res->passed, res->passed + res->failed);
    n = strlen(out);
    if (res->cannot || res->unchecked) {
        (void)snprintf(out + n, size - n, ", %u it cannot do, %u not checked", res->cannot,
                       res->unchecked);
    }
    n = strlen(out);
    if (res->warnings) {
        (void)snprintf(out + n, size - n, ", %u %s", res->warnings,
                       res->warnings == 1 ? "warning" : "warnings");
    }
}

enum mst_rc mst_probe_run(struct mst_store *s, const struct mst_probe_opts *o,
                          struct mst_task *task, struct mst_probe_result *res, struct mst_err *err)
{
    struct probe p = {.s = s, .o = o, .task = task, .res = res};
    uint32_t x = 2463534242U;

    memset(res, 0, sizeof(*res));
    (void)snprintf(p.small, sizeof(p.small), "%.480s/small", o->prefix);
    (void)snprintf(p.large, sizeof(p.large), "%.480s/large", o->prefix);
    (void)snprintf(p.locked, sizeof(p.locked), "%.480s/locked", o->prefix);
    p.data = mst_xmalloc(CHUNK);
    for (size_t i = 0; i < CHUNK; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        p.data[i] = (unsigned char)x;
    }
    if (try_write(&p)) {
        probe_learn(&p);
        try_read(&p);
        try_list(&p);
        if (!probe_overwrites(&p)) {
            try_create_only(&p);
        }
        try_large(&p);
        try_checksum(&p);
        probe_tags(&p);
        probe_keeps(&p);
        probe_privileges(&p);
        try_delete(&p);
        probe_versions_away(&p);
    }
    free(p.data);
    *err = p.first;
    return p.first.rc;
}
