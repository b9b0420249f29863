#include "catalog/marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

static bool is_kind(const char *name, const char *kind)
{
    const size_t n = strlen(name), k = strlen(kind);

    return n > k + 1 && name[n - k - 1] == '-' && strcmp(name + n - k, kind) == 0;
}

static bool keeps(const char *name)
{
    return is_kind(name, "hold") || is_kind(name, "release");
}

bool mst_marks_add(struct mst_marks *m, const char *name)
{
    size_t drop = 0;

    if (strlen(name) >= MST_MARK_NAME) {
        return false;
    }
    if (m->n >= MST_MARKS_MAX) {
        while (drop < m->n && keeps(m->names[drop])) {
            drop++;
        }
        if (drop == m->n && !keeps(name)) {
            return true;
        }
        if (drop < m->n) {
            memmove(m->names[drop], m->names[drop + 1], (m->n - drop - 1) * sizeof(m->names[0]));
            m->n--;
        }
    }
    mst_grow((void **)&m->names, &m->cap, m->n + 1, sizeof(m->names[0]));
    (void)mst_copy(m->names[m->n++], MST_MARK_NAME, name);
    return true;
}

void mst_marks_release(struct mst_marks *m)
{
    free(m->names);
    memset(m, 0, sizeof(*m));
}

/* --- reading ---------------------------------------------------------------------------------- */

/* MST_E_INTEGRITY: it is damaged or of another backup. */
static enum mst_rc get(const struct mst_catalog *c, const char *id, const char *name,
                       struct mst_buf *buf, struct mst_mark *m)
{
    struct mst_err ignore = {0};
    char key[MST_KEY_MAX], at[MST_MARK_NAME + 8];
    enum mst_rc rc;

    (void)snprintf(at, sizeof(at), "marks/%s", name);
    mst_catalog_key(c, id, "", at, key);
    mst_buf_reset(buf);
    rc = mst_store_read_all(c->store, key, MST_HEADER_MAX, buf, &ignore);
    if (rc == MST_OK && (mst_mark_get((const char *)buf->p, buf->len, m, &ignore) != MST_OK ||
                         strcmp(m->id, id) != 0)) {
        rc = MST_E_INTEGRITY;
    }
    return rc;
}

/* What makes a backup look better, or less guarded, counts only when somebody who is believed
 * signed it, where signers are named; what warns or holds always does. */
static bool counts(const struct mst_catalog *c, const struct mst_buf *buf, const struct mst_mark *m)
{
    struct mst_judgement j;
    struct mst_err ignore = {0};

    if ((m->kind == MST_MARK_VERIFIED && !m->ok) || m->kind == MST_MARK_HOLD) {
        return true;
    }
    mst_trust_judge(c->trust, (const char *)buf->p, buf->len, m->signer, m->signature, &j);
    return mst_trust_allow(c->trust, m->id, &j, &ignore) == MST_OK;
}

static void verified(const struct mst_mark *m, struct mst_backup *b)
{
    b->verified_wall_ms = m->wall_ms;
    b->verified_ok = m->ok;
    b->verified_level = m->level;
    (void)mst_copy(b->verified_text, sizeof(b->verified_text), m->text);
    if (!m->ok && (b->state == MST_BK_COMPLETE || b->state == MST_BK_PARTIAL)) {
        b->state = MST_BK_DAMAGED;
        (void)snprintf(b->problem, sizeof(b->problem), "%s found: %.180s",
                       m->level == 1 ? "rebuild" : "verify", m->text);
        mst_text_sanitise(b->problem);
    }
}

/* A later hold never ends an earlier one sooner. */
static void held(const struct mst_mark *m, struct mst_backup *b)
{
    if (m->until_ms >= b->hold_until_ms) {
        b->hold_until_ms = m->until_ms;
        (void)mst_copy(b->hold_text, sizeof(b->hold_text), m->text);
        (void)mst_copy(b->hold_by, sizeof(b->hold_by), m->by);
    }
}

static void held_unread(struct mst_backup *b)
{
    b->hold_until_ms = MST_HOLD_EVER;
    (void)mst_copy(b->hold_text, sizeof(b->hold_text), "its hold cannot be read");
    b->hold_by[0] = '\0';
}

static void released(struct mst_backup *b)
{
    b->hold_until_ms = 0;
    b->hold_text[0] = b->hold_by[0] = '\0';
}

static void copied(const struct mst_mark *m, struct mst_backup *b)
{
    const size_t len = strlen(m->store), at = strlen(b->copied_to);

    for (const char *p = b->copied_to; (p = strstr(p, m->store)) != NULL; p += len) {
        if (len == 0 || ((p == b->copied_to || p[-1] == ' ') && (p[len] == ',' || !p[len]))) {
            return;
        }
    }
    (void)snprintf(b->copied_to + at, sizeof(b->copied_to) - at, "%s%s", at ? ", " : "", m->store);
}

/* The newest one that counts. What is damaged or about something else proves nothing; of one that
 * could not be read it is not known what it says, and those before it are not the last word. */
static void read_verdict(const struct mst_catalog *c, const char *id, const struct mst_marks *m,
                         const char *header_sha, struct mst_backup *b)
{
    struct mst_buf buf = {0};
    struct mst_mark mark;
    bool on = *header_sha != '\0';

    for (size_t i = m->n; i-- > 0 && on;) {
        enum mst_rc rc;

        if (!is_kind(m->names[i], "verified")) {
            continue;
        }
        rc = get(c, id, m->names[i], &buf, &mark);
        if (rc == MST_OK && mark.kind == MST_MARK_VERIFIED &&
            strcmp(mark.header_sha, header_sha) == 0 && counts(c, &buf, &mark)) {
            verified(&mark, b);
            on = false;
        }
        on = on && (rc == MST_OK || mst_catalog_is_none(rc));
    }
    mst_buf_release(&buf);
}

void mst_marks_read(const struct mst_catalog *c, const char *id, const struct mst_marks *m,
                    const char *header_sha, struct mst_backup *b)
{
    struct mst_buf buf = {0};
    struct mst_mark mark;

    read_verdict(c, id, m, header_sha, b);
    for (size_t i = 0; i < m->n; i++) {
        const bool hold = is_kind(m->names[i], "hold");
        bool good;

        if (!hold && !is_kind(m->names[i], "release") && !is_kind(m->names[i], "copied")) {
            continue;
        }
        good = get(c, id, m->names[i], &buf, &mark) == MST_OK;
        if (hold && !good) {
            held_unread(b);
        } else if (good && counts(c, &buf, &mark) &&
                   (!*header_sha || strcmp(mark.header_sha, header_sha) == 0)) {
            if (mark.kind == MST_MARK_HOLD) {
                held(&mark, b);
            } else if (mark.kind == MST_MARK_RELEASE) {
                released(b);
            } else if (mark.kind == MST_MARK_COPIED) {
                copied(&mark, b);
            }
        }
    }
    mst_buf_release(&buf);
}

struct seen {
    struct mst_marks marks;
    size_t skip;
};

static bool see(void *arg, const struct mst_store_item *item)
{
    struct seen *s = arg;

    if (strlen(item->key) > s->skip) {
        (void)mst_marks_add(&s->marks, item->key + s->skip);
    }
    return true;
}

enum mst_rc mst_marks_held(const struct mst_catalog *c, const char *id, int64_t now_wall_ms,
                           struct mst_task *task, struct mst_err *err)
{
    struct mst_backup b = {.state = MST_BK_COMPLETE};
    struct seen s = {.skip = 0};
    char prefix[MST_KEY_MAX], until[MST_TIME_MAX];
    enum mst_rc rc;

    mst_catalog_key(c, id, "", "marks", prefix);
    s.skip = strlen(prefix) + 1;
    rc = mst_store_list(c->store, prefix, see, &s, task, err);
    if (rc == MST_OK) {
        mst_marks_read(c, id, &s.marks, "", &b);
    }
    if (rc == MST_OK && b.hold_until_ms > now_wall_ms) {
        const bool ever = b.hold_until_ms == MST_HOLD_EVER;

        rc = mst_err_set(err, MST_E_PRECOND,
                         "%s in the store %s is held %s%s%s%s (%.100s): 'muster release %s' takes "
                         "the hold off",
                         id, mst_store_name(c->store), ever ? "without an end" : "until ",
                         ever ? "" : mst_time_iso(b.hold_until_ms, until),
                         b.hold_by[0] ? " by " : "", b.hold_by, b.hold_text, id);
    }
    mst_marks_release(&s.marks);
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

enum mst_rc mst_marks_write(const struct mst_catalog *c, const struct mst_mark *m,
                            struct mst_err *err)
{
    struct mst_mark full = *m;
    struct mst_commit commit;
    enum mst_rc rc = mst_commit_read(c, m->id, &commit, err);

    if (rc == MST_E_NOTFOUND) {
        rc = mst_err_set(err, rc, "there is no whole backup %.64s in the store %s", m->id,
                         mst_store_name(c->store));
    }
    if (rc == MST_OK) {
        (void)mst_copy(full.attempt, sizeof(full.attempt), commit.attempt);
        (void)mst_copy(full.header_sha, sizeof(full.header_sha), commit.header_sha);
        mst_text_sanitise(full.text);
        mst_text_sanitise(full.by);
        rc = mst_catalog_mark(c, &full, err);
    }
    return rc;
}
