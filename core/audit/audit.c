#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "hash/hash.h"

#define LINE_BYTES 8192
#define ZERO_HASH "0000000000000000000000000000000000000000000000000000000000000000"
#define TAIL ",\"hash\":\""
#define TAIL_LEN (sizeof(TAIL) - 1)

struct mst_audit {
    int fd;
    char path[512];
    struct mst_db *db;
    const struct mst_clock *clock;
    uint64_t count;
    char hash[MST_SHA256_HEX];
    off_t size;
};

struct head {
    int64_t count; /* -1: the state file has none */
    char hash[MST_SHA256_HEX];
};

static bool take_head(void *arg, const struct mst_row *row)
{
    struct head *h = arg;

    h->count = mst_row_int(row, 0);
    (void)mst_copy(h->hash, sizeof(h->hash), mst_row_text(row, 1));
    return false;
}

static enum mst_rc read_head(struct mst_db *db, struct head *h, struct mst_err *err)
{
    h->count = -1;
    (void)mst_copy(h->hash, sizeof(h->hash), ZERO_HASH);
    return mst_db_query(db, take_head, h, err, "SELECT count, hash FROM audit_head", "");
}

static enum mst_rc write_head(struct mst_audit *a, struct mst_err *err)
{
    return mst_db_run(a->db, err,
                      "INSERT INTO audit_head (id, count, hash) VALUES (1, ?, ?) "
                      "ON CONFLICT (id) DO UPDATE SET count = excluded.count, hash = excluded.hash",
                      "it", (int64_t)a->count, a->hash);
}

/* --- one line --- */

struct chain {
    uint64_t count;
    char hash[MST_SHA256_HEX];
    char first[40], last[40];
};

/* The text between `"name":"` and the next quote; our own fields hold no escapes. */
static bool field(const char *line, const char *name, char *out, size_t size)
{
    char key[32];
    const char *p;
    size_t n;

    (void)snprintf(key, sizeof(key), "\"%s\":\"", name);
    p = strstr(line, key);
    if (!p) {
        return false;
    }
    p += strlen(key);
    n = strcspn(p, "\"");
    if (n >= size || p[n] != '"') {
        return false;
    }
    memcpy(out, p, n);
    out[n] = '\0';
    return true;
}

/* Why the line (terminated, without its newline) does not continue the chain, or NULL: then the
 * chain moved on. */
static const char *follow(struct chain *c, const char *line, size_t n)
{
    const size_t tail = TAIL_LEN + MST_SHA256_HEX - 1 + 2;
    char want[MST_SHA256_HEX], start[48], prev_at[96];
    uint8_t digest[MST_SHA256_LEN];

    if (n < tail || memcmp(line + n - tail, TAIL, TAIL_LEN) != 0 || line[n - 2] != '"' ||
        line[n - 1] != '}') {
        return "it is not a line of this file";
    }
    mst_sha256_of(line, n - tail, digest);
    (void)mst_hex(digest, sizeof(digest), want);
    if (memcmp(want, line + n - 2 - (MST_SHA256_HEX - 1), MST_SHA256_HEX - 1) != 0) {
        return "it was changed: its hash does not fit its text";
    }
    /* "prev" is the last field before "hash": texts inside the line cannot imitate it. */
    (void)snprintf(start, sizeof(start), "{\"seq\":%llu,", (unsigned long long)c->count + 1);
    (void)snprintf(prev_at, sizeof(prev_at), ",\"prev\":\"%s\"", c->hash);
    if (n < tail + strlen(prev_at) ||
        memcmp(line + n - tail - strlen(prev_at), prev_at, strlen(prev_at)) != 0) {
        return "it does not follow the line before it: a line was removed, inserted or moved";
    }
    if (strncmp(line, start, strlen(start)) != 0) {
        return "its number does not follow: a line was removed, inserted or moved";
    }
    c->count++;
    (void)mst_copy(c->hash, sizeof(c->hash), want);
    if (!field(line, "time", c->last, sizeof(c->last))) {
        c->last[0] = '\0';
    }
    if (c->count == 1) {
        (void)mst_copy(c->first, sizeof(c->first), c->last);
    }
    return NULL;
}

/* --- reading the whole file --- */

/* Follow the file; *at gets the head that the chain had after `stop` lines. */
static enum mst_rc read_chain(FILE *f, const char *path, struct chain *c, uint64_t stop,
                              char at[MST_SHA256_HEX], uint64_t *bad, struct mst_err *err)
{
    char *line = mst_xmalloc(LINE_BYTES);
    enum mst_rc rc = MST_OK;

    (void)mst_copy(c->hash, sizeof(c->hash), ZERO_HASH);
    (void)mst_copy(at, MST_SHA256_HEX, stop == 0 ? ZERO_HASH : "");
    *bad = 0;
    while (rc == MST_OK && fgets(line, LINE_BYTES, f)) {
        const size_t n = strlen(line);
        const char *why = n == 0 || line[n - 1] != '\n'
                              ? "it is longer than a line can be, cut short, or holds a NUL byte"
                              : NULL;

        if (!why) {
            line[n - 1] = '\0';
            why = follow(c, line, n - 1);
        }
        if (why) {
            *bad = c->count + 1;
            rc = mst_err_set(err, MST_E_INTEGRITY, "%s line %llu: %s", path,
                             (unsigned long long)*bad, why);
        } else if (c->count == stop) {
            (void)mst_copy(at, MST_SHA256_HEX, c->hash);
        }
    }
    if (rc == MST_OK && ferror(f)) {
        rc = mst_err_set(err, MST_E_IO, "cannot read %s", path);
    }
    free(line);
    return rc;
}

static enum mst_rc compare(const char *path, const struct chain *c, const struct head *h,
                           const char *at, uint64_t *bad, struct mst_err *err)
{
    if (h->count < 0) {
        if (c->count == 0) {
            return MST_OK;
        }
        *bad = 1;
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s has %llu %s, the state file knows none: it was put back or lost",
                           path, (unsigned long long)c->count,
                           mst_text_noun(c->count, "line", "lines"));
    }
    if (c->count < (uint64_t)h->count) {
        *bad = c->count + 1;
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s ends after line %llu, the state file knows %lld: the last lines "
                           "were removed",
                           path, (unsigned long long)c->count, (long long)h->count);
    }
    if (strcmp(at, h->hash) != 0) {
        *bad = (uint64_t)h->count;
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s line %lld is not the one that the state file knows: the file was "
                           "written anew",
                           path, (long long)h->count);
    }
    if (c->count > (uint64_t)h->count + 1) {
        *bad = (uint64_t)h->count + 2;
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s has %llu %s, the state file knows %lld: lines were added by "
                           "somebody else, or the state file was put back",
                           path, (unsigned long long)c->count,
                           mst_text_noun(c->count, "line", "lines"), (long long)h->count);
    }
    return MST_OK;
}

static enum mst_rc check(const char *path, struct mst_db *db, struct chain *c,
                         struct mst_audit_check *out, struct mst_err *err)
{
    struct head h = {.count = -1};
    char at[MST_SHA256_HEX] = ZERO_HASH, why[128];
    enum mst_rc rc = MST_OK;
    FILE *f;

    (void)mst_copy(c->hash, sizeof(c->hash), ZERO_HASH);
    if (db && (rc = read_head(db, &h, err)) != MST_OK) {
        return rc;
    }
    f = fopen(path, "re");
    if (!f && errno != ENOENT) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot read %s: %s", path,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    if (f) {
        rc = read_chain(f, path, c, h.count > 0 ? (uint64_t)h.count : 0, at, &out->bad_line, err);
        (void)fclose(f);
    }
    if (rc == MST_OK && db) {
        rc = compare(path, c, &h, at, &out->bad_line, err);
        out->anchored = rc == MST_OK;
    }
    out->lines = c->count;
    (void)mst_copy(out->hash, sizeof(out->hash), c->hash);
    (void)mst_copy(out->first, sizeof(out->first), c->first);
    (void)mst_copy(out->last, sizeof(out->last), c->last);
    return rc;
}

enum mst_rc mst_audit_verify(const char *path, struct mst_db *db, struct mst_audit_check *out,
                             struct mst_err *err)
{
    struct chain c = {0};

    memset(out, 0, sizeof(*out));
    return check(path, db, &c, out, err);
}

const char *mst_audit_limits(void)
{
    return "this cannot notice a file and a state file that were both rewritten to fit each "
           "other, nor both put back to an older copy; compare the number of lines and the last "
           "hash with a note kept elsewhere";
}

/* --- writing --- */

enum mst_rc mst_audit_open(const char *path, struct mst_db *db, const struct mst_clock *clock,
                           struct mst_audit **out, struct mst_err *err)
{
    struct mst_audit *a = mst_xcalloc(1, sizeof(*a));
    struct mst_audit_check res = {0};
    struct chain c = {0};
    struct stat st;
    char why[128];
    enum mst_rc rc;

    a->fd = -1;
    a->db = db;
    a->clock = clock;
    (void)mst_copy(a->path, sizeof(a->path), path);
    rc = check(path, db, &c, &res, err);
    if (rc == MST_OK) {
        a->count = c.count;
        (void)mst_copy(a->hash, sizeof(a->hash), c.hash);
        a->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (a->fd < 0 || fstat(a->fd, &st) != 0) {
            rc = mst_err_set_detail(err, MST_E_IO, errno, "cannot write %s: %s", path,
                                    mst_errno_text(errno, why, sizeof(why)));
        } else {
            a->size = st.st_size;
            rc = write_head(a, err); /* adopt a last line that died before its row */
        }
    }
    if (rc != MST_OK) {
        mst_audit_close(a);
        a = NULL;
    }
    *out = a;
    return rc;
}

void mst_audit_close(struct mst_audit *a)
{
    if (!a) {
        return;
    }
    if (a->fd >= 0) {
        (void)close(a->fd);
    }
    free(a);
}

static void put(struct mst_str *s, const char *name, const char *text)
{
    char clean[600];

    mst_text_clean(clean, sizeof(clean), text ? text : "", text ? strlen(text) : 0);
    mst_str_addf(s, ",\"%s\":", name);
    mst_str_add_json(s, clean);
}

enum mst_rc mst_audit_add(struct mst_audit *a, const struct mst_audit_event *ev,
                          struct mst_err *err)
{
    struct mst_str s = {0};
    uint8_t digest[MST_SHA256_LEN];
    char hash[MST_SHA256_HEX], time[MST_TIME_MAX], why[128];
    enum mst_rc rc;

    mst_str_addf(&s, "{\"seq\":%llu,\"time\":\"%s\"", (unsigned long long)a->count + 1,
                 mst_time_iso_ms(mst_clock_utc_ms(a->clock), time));
    put(&s, "who", ev->who);
    put(&s, "act", ev->act);
    put(&s, "target", ev->target);
    put(&s, "plan", ev->plan);
    put(&s, "outcome", ev->outcome);
    put(&s, "text", ev->text);
    mst_str_addf(&s, ",\"prev\":\"%s\"", a->hash);
    mst_sha256_of(s.p, s.len, digest);
    mst_str_addf(&s, TAIL "%s\"}\n", mst_hex(digest, sizeof(digest), hash));
    rc = mst_fd_write(a->fd, s.p, s.len, a->path, err);
    if (rc == MST_OK && fdatasync(a->fd) != 0) {
        rc = mst_err_set_detail(err, MST_E_IO, errno, "cannot make %s durable: %s", a->path,
                                mst_errno_text(errno, why, sizeof(why)));
    }
    if (rc != MST_OK) {
        /* Half a line would break the chain: take it back. */
        if (ftruncate(a->fd, a->size) != 0) {
            mst_err_prefix(err, "the last line may be cut short");
        }
    } else {
        a->size += (off_t)s.len;
        a->count++;
        (void)mst_copy(a->hash, sizeof(a->hash), hash);
        rc = write_head(a, err);
    }
    mst_str_release(&s);
    return rc;
}
