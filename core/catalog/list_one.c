/* One backup of a listing: what its COMMIT, header and marks say, held against what the walk saw.
 */
#include "catalog/list_own.h"

#include "base/mem.h"
#include "base/text.h"

static void fill(struct mst_backup *b, const struct mst_header *h, const struct mst_commit *c)
{
    b->started_wall_ms = h->started_wall_ms;
    b->finished_wall_ms = h->finished_wall_ms;
    b->first = h->first;
    b->last = h->last;
    b->data_bytes = h->data_bytes;
    b->stored_bytes = h->stored_bytes + c->header_bytes + 2 * c->manifest_bytes + h->sums_bytes;
    b->documents = h->documents;
    b->namespaces = h->namespaces;
    b->left_out = h->left_out;
    (void)mst_copy(b->kind, sizeof(b->kind), h->kind);
    (void)mst_copy(b->source, sizeof(b->source), h->source);
    (void)mst_copy(b->server_version, sizeof(b->server_version), h->server_version);
    (void)mst_copy(b->fcv, sizeof(b->fcv), h->fcv);
    b->sealed = h->sealed;
    b->counter = c->counter;
    (void)mst_copy(b->key_id, sizeof(b->key_id), h->key_id);
    (void)mst_copy(b->attempt, sizeof(b->attempt), c->attempt);
    (void)mst_copy(b->header_sha, sizeof(b->header_sha), c->header_sha);
    b->unproven = h->unproven;
}

/* MST_OK with the object in buf; else the backup's state says why. */
static enum mst_rc get(const struct mst_catalog *c, const struct list_group *g, const char *attempt,
                       const char *name, struct mst_buf *buf, struct mst_backup *b,
                       struct mst_err *err)
{
    char key[MST_KEY_MAX];

    mst_catalog_key(c, g->id, attempt, name, key);
    mst_buf_reset(buf);
    if (mst_store_read_all(c->store, key, MST_HEADER_MAX, buf, err) != MST_OK) {
        if (err->rc == MST_E_NOTFOUND) {
            LIST_PROBLEM(b, MST_BK_DAMAGED, "its %s is missing", name);
        } else if (err->rc == MST_E_PRECOND) {
            LIST_PROBLEM(b, MST_BK_ARCHIVED,
                         "its %s is in an archive tier: 'muster store thaw %s %s'", name,
                         mst_store_name(c->store), g->id);
        } else {
            LIST_PROBLEM(b, mst_store_unread(err->rc) ? MST_BK_UNREAD : MST_BK_DAMAGED,
                         "its %s cannot be read: %.150s", name, err->msg);
        }
    }
    return err->rc;
}

static void refuse(struct mst_backup *b, const char *name, const struct mst_err *err)
{
    LIST_PROBLEM(b, err->rc == MST_E_STALE ? MST_BK_NEWER : MST_BK_DAMAGED, "its %s %.170s", name,
                 err->msg);
}

static void check_sizes(struct mst_backup *b, const struct list_attempt *a,
                        const struct mst_header *h, const struct mst_commit *c)
{
    const int64_t want = (int64_t)c->manifest_bytes;

    if (a->objects != h->objects || a->bytes != h->stored_bytes) {
        LIST_PROBLEM(
            b, MST_BK_DAMAGED,
            "objects: %llu of %u are there, with %llu of %llu bytes: verify it for their names",
            (unsigned long long)a->objects, h->objects, (unsigned long long)a->bytes,
            (unsigned long long)h->stored_bytes);
    } else if (a->manifest != want && a->copy != want) {
        LIST_PROBLEM(b, MST_BK_DAMAGED, "its manifest and its copy are missing or cut short");
    } else if (a->manifest != want || a->copy != want) {
        LIST_PROBLEM(
            b, MST_BK_DAMAGED,
            "one copy of its manifest (%s) is missing or cut short, the other is used: make a "
            "new backup",
            a->manifest != want ? "manifest" : "manifest.copy");
    } else if (h->sealed && a->sums != (int64_t)h->sums_bytes) {
        LIST_PROBLEM(b, MST_BK_DAMAGED,
                     "its list of sums is missing or cut short: make a new backup");
    }
}

static const struct list_attempt *attempt_named(const struct list_group *g, const char *name)
{
    for (size_t i = 0; i < g->n_attempts; i++) {
        if (strcmp(g->attempts[i].name, name) == 0) {
            return &g->attempts[i];
        }
    }
    return NULL;
}

/* COMMIT as it stands, judged. */
static enum mst_rc read_commit(const struct list_look *k, const struct list_group *g,
                               struct mst_backup *b, struct mst_commit *commit,
                               struct mst_judgement *j)
{
    struct mst_err err = {0};
    uint8_t sha[MST_SHA256_LEN];

    if (get(k->c, g, "", "COMMIT", k->buf, b, &err) != MST_OK) {
        return err.rc;
    }
    mst_sha256_of(k->buf->p, k->buf->len, sha);
    (void)mst_hex(sha, sizeof(sha), k->link->sha);
    if (mst_commit_get((const char *)k->buf->p, k->buf->len, commit, &err) != MST_OK) {
        refuse(b, "COMMIT", &err);
        return err.rc;
    }
    mst_trust_judge(k->c->trust, (const char *)k->buf->p, k->buf->len, commit->signer,
                    commit->signature, j);
    b->signature = j->how;
    b->is_signed = j->how == MST_SIGNED_GOOD;
    (void)mst_copy(b->signer, sizeof(b->signer), j->who);
    mst_chain_link(commit, mst_store_name(k->c->store), k->link);
    k->link->good = b->is_signed;
    return MST_OK;
}

static enum mst_rc read_header(const struct list_look *k, const struct list_group *g,
                               struct mst_backup *b, const struct mst_commit *commit,
                               struct mst_header *h)
{
    struct mst_err err = {0};
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    if (get(k->c, g, commit->attempt, "header", k->buf, b, &err) != MST_OK) {
        return err.rc;
    }
    mst_sha256_of(k->buf->p, k->buf->len, sha);
    if (mst_header_get((const char *)k->buf->p, k->buf->len, h, &err) != MST_OK) {
        refuse(b, "header", &err);
        return err.rc;
    }
    if (strcmp(mst_hex(sha, sizeof(sha), hex), commit->header_sha) != 0 ||
        strcmp(h->id, g->id) != 0 || strcmp(h->attempt, commit->attempt) != 0) {
        LIST_PROBLEM(b, MST_BK_DAMAGED, "its header is not the one that COMMIT names");
        return MST_E_INTEGRITY;
    }
    if (strcmp(h->set, k->c->set) != 0) {
        LIST_PROBLEM(b, MST_BK_DAMAGED, "it is a backup of the set %.64s, not of %.64s", h->set,
                     k->c->set);
        return MST_E_INTEGRITY;
    }
    return MST_OK;
}

static void committed(const struct list_look *k, const struct list_group *g, struct mst_backup *b)
{
    struct mst_commit commit;
    struct mst_judgement j = {0};
    struct mst_header h;
    const struct list_attempt *a;

    if (read_commit(k, g, b, &commit, &j) != MST_OK) {
        return;
    }
    a = attempt_named(g, commit.attempt);
    if (strcmp(commit.id, g->id) != 0 || !a) {
        LIST_PROBLEM(b, MST_BK_DAMAGED, "its COMMIT names %s/%s, which is not here", commit.id,
                     commit.attempt);
        return;
    }
    if (read_header(k, g, b, &commit, &h) != MST_OK) {
        return;
    }
    fill(b, &h, &commit);
    b->leftovers = (uint32_t)g->half;
    for (size_t i = 0; i < g->n_attempts; i++) {
        b->leftovers += &g->attempts[i] == a ? 0 : (uint32_t)g->attempts[i].all;
    }
    b->state = h.left_out ? MST_BK_PARTIAL : MST_BK_COMPLETE;
    if (h.left_out) {
        LIST_PROBLEM(b, MST_BK_PARTIAL, "%u %s left out by name", h.left_out,
                     mst_text_noun(h.left_out, "collection was", "collections were"));
    }
    check_sizes(b, a, &h, &commit);
    mst_marks_read(k->c, g->id, &g->marks, commit.header_sha, b);
    if (j.how == MST_SIGNED_FORGED) {
        LIST_PROBLEM(b, MST_BK_FORGED, "%s", j.why);
    } else if (j.how == MST_SIGNED_NOT && k->c->trust && k->c->trust->n &&
               (b->state == MST_BK_COMPLETE || b->state == MST_BK_PARTIAL)) {
        LIST_PROBLEM(b, MST_BK_UNSIGNED, "%s", j.why);
    }
}

static void count_foreign(const struct list_group *g, struct mst_backup *b)
{
    uint64_t n = g->foreign;

    for (size_t i = 0; i < g->n_attempts && b->state == MST_BK_FOREIGN; i++) {
        n += g->attempts[i].all;
    }
    b->foreign = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void mst_list_examine(const struct list_look *k, const struct list_group *g, struct mst_backup *b)
{
    memset(b, 0, sizeof(*b));
    (void)mst_copy(b->id, sizeof(b->id), g->id);
    b->stored_bytes = g->bytes;
    mst_classes_say(&g->classes, b);
    if (!mst_catalog_id_ok(g->id, &b->started_wall_ms, b->kind)) {
        LIST_PROBLEM(b, MST_BK_FOREIGN, "not a name that muster gives: it is left alone");
    } else if (g->commit) {
        committed(k, g, b);
        if (b->state == MST_BK_ARCHIVED || b->state == MST_BK_UNREAD) {
            k->link->counter = MST_COUNTER_ASLEEP;
        }
    } else if (g->n_attempts || g->claim || g->half || g->key_alone) {
        LIST_PROBLEM(
            b, MST_BK_INCOMPLETE,
            "no COMMIT: its run is still going on, or died; 'muster clean' removes what is left "
            "of dead runs");
        mst_marks_read(k->c, g->id, &g->marks, "", b);
    } else {
        LIST_PROBLEM(b, MST_BK_FOREIGN, "holds nothing that muster wrote: it is left alone");
    }
    count_foreign(g, b);
}
