/* Beside the data of a backup stand its claim, its marks and its key objects. None of them carries
 * a document, so what is wrong with them damages no backup; but a hold that nobody can read, a mark
 * of another backup or an object that nobody of ours wrote is what somebody with a key to the
 * bucket leaves, and is said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/keyobj.h"
#include "catalog/marks.h"
#include "catalog/sums.h"
#include "catalog/verify_inner.h"

#define VERIFIED_READ 4 /* of marks about verifications only the newest count, and are many */

static const char *const always[] = {"header", "manifest", "manifest.copy", "sums"};

struct names { /* objects that the backup has, below its attempt */
    char (*v)[MST_KEY_MAX];
    size_t n, cap;
};

struct around {
    const struct mst_catalog *c;
    const struct mst_bkr *r;
    struct mst_task *task;
    struct mst_verify_result *res;
    struct names own;
    struct mst_marks marks;
    bool claim;
    size_t skip, said; /* said: how many warnings there were */
};

static void say(struct around *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The first one is the warning, when there is none yet; all of them are in the log. */
static void say(struct around *a, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    mst_text_sanitise(text);
    mst_task_log(a->task, "WARNING: %s", text);
    if (!a->res->warning[0]) {
        (void)mst_copy(a->res->warning, sizeof(a->res->warning), text);
    }
    a->said++;
}

/* --- which objects are its own ---------------------------------------------------------------- */

static void own(struct around *a, const char *name)
{
    mst_grow((void **)&a->own.v, &a->own.cap, a->own.n + 1, sizeof(a->own.v[0]));
    (void)mst_copy(a->own.v[a->own.n++], MST_KEY_MAX, name);
}

static enum mst_rc own_line(void *arg, const char *name, const uint8_t sha[MST_SHA256_LEN],
                            struct mst_err *err)
{
    (void)sha;
    (void)err;
    own(arg, name);
    return MST_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Out of the manifest, or of the sums when it was not opened; false: what is its own is not known,
 * and that is said elsewhere. */
static bool own_objects(struct around *a)
{
    const struct mst_man_object *o;
    const size_t n = mst_bkr_objects(a->r, &o);
    struct mst_buf sums = {0};
    struct mst_err ignore = {0};
    bool known = n > 0;

    for (size_t i = 0; i < n; i++) {
        own(a, o[i].key);
    }
    if (n == 0 && mst_bkr_header(a->r)->sealed) {
        known = mst_sums_read(a->c, a->r, &sums, &ignore) == MST_OK &&
                mst_sums_each((const char *)sums.p, sums.len, own_line, a, &ignore) == MST_OK;
    }
    mst_buf_release(&sums);
    for (size_t i = 0; i < MST_COUNT(always); i++) {
        own(a, always[i]);
    }
    qsort(a->own.v, a->own.n, sizeof(a->own.v[0]), by_name);
    return known;
}

/* --- claim and marks -------------------------------------------------------------------------- */

static enum mst_rc small(struct around *a, const char *name, struct mst_buf *buf,
                         struct mst_err *err)
{
    char key[MST_KEY_MAX];

    mst_catalog_key(a->c, mst_bkr_header(a->r)->id, "", name, key);
    mst_buf_reset(buf);
    return mst_store_read_all(a->c->store, key, MST_HEADER_MAX, buf, err);
}

/* Damage is said and goes on; what kept us from looking ends it. */
static enum mst_rc read_or_say(struct around *a, const char *name, enum mst_rc rc,
                               struct mst_err *err)
{
    if (rc == MST_E_INTEGRITY || rc == MST_E_STALE || rc == MST_E_LIMIT) {
        say(a, "%s: %.140s", name, err->msg);
        memset(err, 0, sizeof(*err));
        return MST_OK;
    }
    if (rc == MST_E_NOTFOUND) { /* it went while we looked */
        memset(err, 0, sizeof(*err));
        return MST_OK;
    }
    return rc;
}

static enum mst_rc check_claim(struct around *a, struct mst_buf *buf, struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(a->r);
    struct mst_claim claim = {.wall_ms = 0};
    enum mst_rc rc = small(a, "claim", buf, err);

    rc = rc == MST_OK ? mst_claim_get((const char *)buf->p, buf->len, &claim, err) : rc;
    if (rc != MST_OK) {
        return read_or_say(a, "claim", rc, err);
    }
    if (strcmp(claim.id, h->id) != 0 || strcmp(claim.attempt, h->attempt) != 0) {
        say(a, "claim: it is of the run %.16s of %.40s, not of the one that made this",
            claim.attempt, claim.id);
    }
    return MST_OK;
}

/* "2026-11-22T22-30-00.000Z-hold": of what kind does the name call it? */
static bool named_so(const char *name, const struct mst_mark *m)
{
    const char *word = mst_mark_kind_word(m->kind);
    const size_t n = strlen(name), k = strlen(word);

    return n > k + 1 && name[n - k - 1] == '-' && strcmp(name + n - k, word) == 0;
}

static enum mst_rc check_mark(struct around *a, const char *name, struct mst_buf *buf,
                              struct mst_err *err)
{
    const struct mst_commit *commit = mst_bkr_commit(a->r);
    char at[MST_MARK_NAME + 8];
    struct mst_mark m = {.kind = MST_MARK_OTHER};
    struct mst_judgement j;
    enum mst_rc rc;

    (void)snprintf(at, sizeof(at), "marks/%s", name);
    rc = small(a, at, buf, err);
    rc = rc == MST_OK ? mst_mark_get((const char *)buf->p, buf->len, &m, err) : rc;
    if (rc != MST_OK) {
        return read_or_say(a, at, rc, err);
    }
    mst_trust_judge(a->c->trust, (const char *)buf->p, buf->len, m.signer, m.signature, &j);
    if (strcmp(m.id, commit->id) != 0) {
        say(a, "%s: it is about %.40s and was put here", at, m.id);
    } else if (m.kind != MST_MARK_OTHER && !named_so(name, &m)) {
        say(a, "%s: it is a mark of another kind, %s, under this name", at,
            mst_mark_kind_word(m.kind));
    } else if (j.how == MST_SIGNED_FORGED) {
        say(a, "%s: it is FORGED: nobody whom seal.trusted names signed it so", at);
    } else if (j.how == MST_SIGNED_NOT && a->c->trust && a->c->trust->n) {
        say(a, "%s: it is UNSIGNED, and counts only where it warns or holds", at);
    }
    return MST_OK;
}

static enum mst_rc check_marks(struct around *a, struct mst_buf *buf, struct mst_err *err)
{
    unsigned verified = 0;
    enum mst_rc rc = MST_OK;

    for (size_t i = a->marks.n; i-- > 0 && rc == MST_OK;) {
        const char *kind = strrchr(a->marks.names[i], '-');

        if (kind && strcmp(kind, "-verified") == 0 && verified++ >= VERIFIED_READ) {
            continue;
        }
        rc = mst_task_check(a->task, err);
        rc = rc == MST_OK ? check_mark(a, a->marks.names[i], buf, err) : rc;
    }
    return rc;
}

/* --- key objects ------------------------------------------------------------------------------ */

static enum mst_rc check_keys(struct around *a, struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(a->r);
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_buf raw = {0};
    unsigned *v = NULL;
    size_t n = 0;
    char name[32];
    enum mst_rc rc = mst_keyobj_numbers(a->c, h->id, h->attempt, a->task, &v, &n, err);

    for (size_t i = 0; rc == MST_OK && i < n; i++) {
        rc = mst_keyobj_read(a->c, h, v[i], k, &raw, err);
        (void)snprintf(name, sizeof(name), "key object %u", v[i]);
        rc = rc == MST_OK ? rc : read_or_say(a, name, rc, err);
    }
    free(v);
    mst_buf_release(&raw);
    free(k);
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool dead_attempt(const char *rest, size_t len)
{
    return len == 16 && strspn(rest, "0123456789abcdef") == 16;
}

/* "2026-11-22T22-30-00.000Z-hold"; a kind that we do not know is a newer muster's */
static bool is_mark(const char *name)
{
    return strlen(name) > 25 && name[4] == '-' && name[10] == 'T' && name[23] == 'Z' &&
           name[24] == '-' && strspn(name + 25, "abcdefghijklmnopqrstuvwxyz") == strlen(name + 25);
}

static bool see(void *arg, const struct mst_store_item *item)
{
    struct around *a = arg;
    const struct mst_header *h = mst_bkr_header(a->r);
    const char *rest = strlen(item->key) > a->skip ? item->key + a->skip : "";
    const char *slash = strchr(rest, '/');
    const size_t len = slash ? (size_t)(slash - rest) : 0;

    if (strstr(rest, ".tmp-") || strcmp(rest, "COMMIT") == 0) {
        return true;
    }
    if (strcmp(rest, "claim") == 0) {
        a->claim = true;
    } else if (len == 5 && strncmp(rest, "marks", 5) == 0 && is_mark(slash + 1)) {
        (void)mst_marks_add(&a->marks, slash + 1);
    } else if (len == strlen(h->attempt) && strncmp(rest, h->attempt, len) == 0) {
        if (!bsearch(slash + 1, a->own.v, a->own.n, sizeof(a->own.v[0]), by_name)) {
            say(a, "%.100s: it is not an object of this backup", slash + 1);
        }
    } else if (!dead_attempt(rest, len)) {
        say(a, "%.100s: no run of muster writes such an object here", rest);
    }
    return true;
}

/* "d/0001-0", "oplog-0000", and those that have a name */
static bool shaped(const char *name)
{
    static const char digits[] = "0123456789";
    const char *at = strncmp(name, "d/", 2) == 0 ? name + 2 : "";
    const size_t n = strspn(at, digits);

    for (size_t i = 0; i < MST_COUNT(always); i++) {
        if (strcmp(name, always[i]) == 0) {
            return true;
        }
    }
    if (strncmp(name, "oplog-", 6) == 0) {
        return name[6] && !name[6 + strspn(name + 6, digits)];
    }
    return n > 0 && at[n] == '-' && at[n + 1] && !at[n + 1 + strspn(at + n + 1, digits)];
}

struct strange {
    size_t skip, n;
    char first[120];
};

static bool see_strange(void *arg, const struct mst_store_item *item)
{
    struct strange *s = arg;
    const char *rest = strlen(item->key) > s->skip ? item->key + s->skip : "";
    const char *slash = strchr(rest, '/');
    const size_t len = slash ? (size_t)(slash - rest) : 0;
    const bool mark = len == 5 && strncmp(rest, "marks", 5) == 0 && is_mark(slash + 1);

    if (!mark && !strstr(rest, ".tmp-") && strcmp(rest, "COMMIT") != 0 &&
        strcmp(rest, "claim") != 0 && !(dead_attempt(rest, len) && shaped(slash + 1))) {
        if (s->n++ == 0) {
            mst_text_clean(s->first, sizeof(s->first), rest, strlen(rest));
        }
    }
    return true;
}

void verify_strangers(const struct mst_catalog *c, const char *id, struct mst_task *task,
                      struct mst_err *err)
{
    const struct mst_err why = *err;
    struct mst_err ignore = {0};
    struct strange s = {.n = 0};
    char prefix[MST_KEY_MAX];

    if (!mst_catalog_id_ok(id, NULL, NULL)) {
        return;
    }
    mst_catalog_key(c, id, "", "", prefix);
    s.skip = strlen(prefix) + 1;
    if (mst_store_list(c->store, prefix, see_strange, &s, task, &ignore) == MST_OK && s.n > 0) {
        (void)mst_err_set(err, why.rc, "%.160s; %s stands there, which no run of muster writes",
                          why.msg, s.first);
    }
}

enum mst_rc verify_around(const struct mst_catalog *c, const struct mst_bkr *r,
                          struct mst_task *task, struct mst_verify_result *res, struct mst_err *err)
{
    struct around a = {.c = c, .r = r, .task = task, .res = res};
    struct mst_buf buf = {0};
    char prefix[MST_KEY_MAX];
    size_t at;
    enum mst_rc rc = MST_OK;

    mst_task_phase(task, "reading claim, marks and key objects");
    mst_catalog_key(c, mst_bkr_header(r)->id, "", "", prefix);
    a.skip = strlen(prefix) + 1;
    if (own_objects(&a)) {
        rc = mst_store_list(c->store, prefix, see, &a, task, err);
    }
    if (rc != MST_OK && rc != MST_E_CANCELLED) {
        say(&a, "its claim, marks and further key objects were not looked at: %.120s", err->msg);
        memset(err, 0, sizeof(*err));
        rc = MST_OK;
    } else {
        rc = rc == MST_OK && a.claim ? check_claim(&a, &buf, err) : rc;
        rc = rc == MST_OK ? check_marks(&a, &buf, err) : rc;
        rc = rc == MST_OK && mst_bkr_header(r)->sealed ? check_keys(&a, err) : rc;
    }
    at = strlen(res->warning);
    if (rc == MST_OK && a.said > 1) {
        (void)snprintf(res->warning + at, sizeof(res->warning) - at, ", and %zu more", a.said - 1);
    }
    mst_marks_release(&a.marks);
    mst_buf_release(&buf);
    free(a.own.v);
    return rc;
}
