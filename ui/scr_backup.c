/* scr_backup.c: one backup in detail: what it holds, who sealed and signed it, its copies, locks
 * and holds; then its namespaces or objects. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "ui/bucket.h"
#include "ui/fmt.h"

#define LABEL_COLS 11

/* Lists are newest first. */
const struct mst_backup *ui_store_backup(const struct mst_bucket_part *p,
                                         const struct mst_backup *b)
{
    size_t low = 0, high = p->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = strcmp(p->backups[mid].id, b->id);

        if (order == 0) {
            return !b->header_sha[0] || !p->backups[mid].header_sha[0] ||
                           strcmp(b->header_sha, p->backups[mid].header_sha) == 0
                       ? &p->backups[mid]
                       : NULL;
        }
        low = order > 0 ? mid + 1 : low;
        high = order > 0 ? high : mid;
    }
    return NULL;
}

bool ui_backup_whole(const struct mst_backup *b)
{
    return b && (b->state == MST_BK_COMPLETE || b->state == MST_BK_PARTIAL);
}

bool ui_backup_held(const struct ui_ctx *x, const struct mst_backup *b)
{
    return b->hold_until_ms > x->st->now_wall_ms;
}

int ui_backup_share(const struct mst_bucket_part *from, const struct mst_backup *b)
{
    return from->backups_bytes
               ? (int)((double)b->stored_bytes * 100 / (double)from->backups_bytes + 0.5)
               : 0;
}

/* Side by side, one line a store: its sign, its state, and when it was verified there. */
static void copy_line(const struct ui_ctx *x, const struct mst_bucket_part *s,
                      const struct mst_backup *b, const char *label, struct ui_pen *p)
{
    const struct mst_backup *k = ui_store_backup(s, b);
    const bool old = s->problem[0] || !s->as_of_wall_ms || s->cached;
    char age[UI_NUM_MAX], verified[64] = "";

    if (!k) {
        ui_pen_pair(p, label, old || s->seen ? UI_STALE : UI_DIM, "%.20s %s", s->store,
                    old || s->seen ? "not known" : "not there");
        return;
    }
    if (k->verified_wall_ms) {
        (void)snprintf(verified, sizeof verified, ", %s %s", ui_verified_word(k),
                       ui_fmt_age(x->st->now_wall_ms - k->verified_wall_ms, age));
    }
    ui_pen_pair(p, label, ui_bucket_role(s, ui_backup_role(k)), "%.20s %s%s%s", s->store,
                old ? "was " : "", mst_backup_state_word(k->state), verified);
}

/* How many are whole, and by name only where it is not. */
static void copies_counted(const struct ui_ctx *x, const struct mst_backup *b, char text[300])
{
    size_t whole = 0, at;

    for (size_t i = 0; i < x->v->n_stores; i++) {
        whole += ui_backup_whole(ui_store_backup(x->v->stores[i], b));
    }
    (void)snprintf(text, 300, "%zu of %zu", whole, x->v->n_stores);
    for (size_t i = 0; i < x->v->n_stores; i++) {
        const struct mst_bucket_part *s = x->v->stores[i];
        const struct mst_backup *k = ui_store_backup(s, b);

        at = strlen(text);
        if (!k) {
            (void)snprintf(text + at, 300 - at, ", %s%s",
                           s->problem[0] || !s->as_of_wall_ms ? "unknown in " : "not in ",
                           s->store);
        } else if (!ui_backup_whole(k)) {
            (void)snprintf(text + at, 300 - at, ", %s %s", mst_backup_state_word(k->state),
                           s->store);
        }
    }
}

/* The same in one line, where there is no room for more. */
static void copies_short(const struct ui_ctx *x, const struct mst_backup *b, struct ui_pen *p)
{
    char text[300] = "";

    for (size_t i = 0; i < x->v->n_stores; i++) {
        const struct mst_bucket_part *s = x->v->stores[i];
        const struct mst_backup *k = ui_store_backup(s, b);
        const size_t at = strlen(text);

        if (k || s->problem[0] || !s->as_of_wall_ms) {
            (void)snprintf(text + at, sizeof text - at, "%s%s%s%s", at ? ", " : "", s->store,
                           !k || ui_backup_whole(k) ? "" : " ",
                           !k                   ? " unknown"
                           : ui_backup_whole(k) ? ""
                                                : mst_backup_state_word(k->state));
        }
    }
    if (ui_cols(text) > p->a.w - LABEL_COLS) {
        copies_counted(x, b, text);
    }
    ui_pen_pair(p, "copies", UI_TEXT, "%s", text);
}

static void detail_copies(const struct ui_ctx *x, const struct mst_backup *b, struct ui_pen *p)
{
    char until[UI_NUM_MAX];

    if (x->v->n_stores > 1 && p->a.h >= 14) {
        for (size_t i = 0; i < x->v->n_stores; i++) {
            copy_line(x, x->v->stores[i], b, i ? "" : "copies", p);
        }
    } else if (x->v->n_stores > 1) {
        copies_short(x, b, p);
    } else if (b->copied_to[0]) {
        ui_pen_pair(p, "copies", UI_TEXT, "to %s, by its mark", b->copied_to);
    }
    if (ui_backup_held(x, b)) {
        ui_pen_pair(p, "held", UI_WARN, "%s%s%s%s",
                    b->hold_until_ms == MST_HOLD_EVER ? "until released" : "until ",
                    b->hold_until_ms == MST_HOLD_EVER ? "" : ui_fmt_day(b->hold_until_ms, until),
                    b->hold_by[0] ? " by " : "", b->hold_by);
        ui_pen_wrap(p, 11, UI_TEXT, b->hold_text);
    }
    if (b->leftovers > 0) {
        ui_pen_pair(p, "orphans", UI_WARN, "%u %s of dead runs", b->leftovers,
                    mst_text_noun(b->leftovers, "object", "objects"));
    }
    if (b->foreign > 0) {
        ui_pen_pair(p, "foreign", UI_WARN, "%u %s muster did not write", b->foreign,
                    mst_text_noun(b->foreign, "object", "objects"));
    }
}

const struct mst_detail_part *ui_backup_detail(const struct ui_ctx *x, const struct mst_backup *b)
{
    const struct mst_detail_part *d = x->v->detail;

    return b && d && strcmp(d->id, b->id) == 0 &&
                   (!d->store[0] || strcmp(d->store, ui_store(x)->store) == 0)
               ? d
               : NULL;
}

static void lock_words(const struct ui_ctx *x, const struct mst_detail_part *d, char out[300])
{
    char t[MST_TIME_MAX];

    if (!d->lock_known) {
        (void)snprintf(out, 300, "locks not known%s%s", d->lock_why[0] ? ": " : "", d->lock_why);
    } else if (d->locked_until_ms > x->st->now_wall_ms) {
        (void)snprintf(out, 300, "locked to %.10s %s%s%s", mst_time_iso(d->locked_until_ms, t),
                       d->lock_mode, d->hold[0] ? ", " : "", d->hold);
    } else {
        (void)mst_copy(out, 300, d->hold[0] ? d->hold : "not locked");
    }
}

/* What only the store can say of it: asked with the detail, so unknown until then. */
static void detail_locks(const struct ui_ctx *x, const struct mst_backup *b, struct ui_pen *p)
{
    const struct mst_detail_part *d = ui_backup_detail(x, b);
    char lock[300];

    if (strcmp(ui_store(x)->kind, "local") == 0) {
        return; /* a directory has neither classes nor locks */
    }
    if (!d || d->loading || d->n_objects == 0) {
        ui_pen_pair(p, "class", UI_DIM, "%s",
                    !d           ? "not asked: Enter asks"
                    : d->loading ? "asking"
                                 : "not known");
        return;
    }
    lock_words(x, d, lock);
    ui_pen_pair(p, "class", d->lock_known ? UI_TEXT : UI_STALE, "%s, %s",
                d->storage_class[0] ? d->storage_class : "unknown", lock);
}

static void detail_size(const struct mst_bucket_part *from, const struct mst_backup *b,
                        struct ui_pen *p)
{
    char h1[MST_HUMAN_MAX], h2[MST_HUMAN_MAX], n[UI_NUM_MAX];

    if (b->finished_wall_ms == 0) { /* no header that could be read says what is in it */
        ui_pen_pair(p, "size", UI_TEXT, "%s stored", mst_text_bytes(b->stored_bytes, h2));
        ui_pen_pair(p, "holds", UI_DIM, "not known");
        return;
    }
    ui_pen_pair(p, "size", UI_TEXT, "%s, %s stored %d%%", mst_text_bytes(b->data_bytes, h1),
                mst_text_bytes(b->stored_bytes, h2), ui_backup_share(from, b));
    ui_pen_pair(p, "holds", UI_TEXT, "%s %s, %u %s", ui_fmt_count((int64_t)b->documents, n),
                mst_text_noun(b->documents, "document", "documents"), b->namespaces,
                mst_text_noun(b->namespaces, "namespace", "namespaces"));
    if (b->left_out > 0) {
        ui_pen_pair(p, "left out", UI_WARN, "%u %s: PARTIAL", b->left_out,
                    mst_text_noun(b->left_out, "namespace", "namespaces"));
    }
}

static void detail_sealed(const struct mst_backup *b, struct ui_pen *p)
{
    char words[160];

    if (mst_backup_trust_words(b, words)[0]) {
        ui_pen_pair(p, "sealed",
                    b->signature == MST_SIGNED_FORGED ? UI_CRIT
                    : b->sealed && b->is_signed       ? UI_TEXT
                                                      : UI_WARN,
                    "%s", words);
    }
    if (b->chain[0]) {
        ui_pen_pair(p, "before it", UI_WARN, "%s", "");
        ui_pen_wrap(p, 11, UI_WARN, b->chain);
    }
}

static void detail_trust(const struct ui_ctx *x, const struct mst_backup *b, struct ui_pen *p)
{
    const struct mst_bucket_part *from = ui_store(x);
    char t[UI_NUM_MAX];

    if (b->verified_wall_ms == 0) {
        ui_pen_pair(p, "verified", UI_WARN, "never: V reads it back");
    } else {
        ui_pen_pair(p, "verified", ui_bucket_role(from, b->verified_ok ? UI_OK : UI_CRIT),
                    "%s%s %s ago (level %d)", from->cached ? "was " : "", ui_verified_word(b),
                    ui_fmt_age(x->st->now_wall_ms - b->verified_wall_ms, t), b->verified_level);
        if (b->verified_text[0]) {
            ui_pen_wrap(p, 11, b->verified_ok ? UI_TEXT : UI_CRIT, b->verified_text);
        }
    }
    if (b->unproven) {
        ui_pen_pair(p, "unproven", UI_WARN, "on server %s", b->server_version);
    }
}

static void detail_made(const struct mst_backup *b, struct ui_pen *p)
{
    char from[UI_NUM_MAX], to[UI_NUM_MAX];
    const char *end = ui_fmt_day(b->finished_wall_ms, to);

    (void)ui_fmt_day(b->started_wall_ms, from);
    if (strlen(end) > 7 && strncmp(from, end, 7) == 0) {
        end += 7; /* the same day */
    }
    ui_pen_pair(p, "made", UI_TEXT, "%s%s%s", from, b->finished_wall_ms ? " to " : ", no end",
                b->finished_wall_ms ? end : "");
}

int ui_backup_draw(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_backup *b = ui_backup_selected(x);
    const struct mst_detail_part *d = ui_backup_detail(x, b);
    char t[UI_NUM_MAX], opt[UI_NUM_MAX], word[32] = "";
    struct ui_area in;
    struct ui_pen p;
    bool known;

    if (b) {
        (void)snprintf(word, sizeof word, "%s%s", ui_store(x)->cached ? "was " : "",
                       mst_backup_state_word(b->state));
    }
    in = ui_pane_box(a, focus, b ? b->id : "Backup", word,
                     b ? ui_bucket_role(ui_store(x), ui_backup_role(b)) : UI_DIM);
    p = ui_pen_start(&in, ui_bucket_scroll(x, UI_P_DETAIL));
    if (!b) {
        return 0;
    }
    if (b->problem[0]) {
        ui_pen_wrap(&p, 0, ui_backup_role(b) == UI_TEXT ? UI_WARN : ui_backup_role(b), b->problem);
    }
    detail_made(b, &p);
    if (!mst_ts_zero(b->last.ts)) {
        ui_pen_pair(&p, "state of", UI_TEXT, "%sZ", ui_fmt_day((int64_t)b->last.ts.t * 1000, t));
        ui_pen_pair(&p, "optime", UI_TEXT, "%s", ui_fmt_optime(b->last, opt));
    }
    detail_size(ui_store(x), b, &p);
    /* A small screen has room for the first of these; the list says what is verified as well. */
    known = b->finished_wall_ms > 0 || b->verified_wall_ms > 0;
    if (known) {
        detail_sealed(b, &p);
    }
    detail_copies(x, b, &p);
    detail_locks(x, b, &p);
    if (known) {
        detail_trust(x, b, &p);
    }
    if (d && d->opens[0]) {
        ui_pen_pair(&p, "opened by", UI_TEXT, "%s", d->opens);
    }
    ui_pen_pair(&p, "from", UI_TEXT, "%s", b->source[0] ? b->source : "-");
    ui_pen_pair(&p, "server", UI_TEXT, "%s, fcv %s", b->server_version[0] ? b->server_version : "-",
                b->fcv[0] ? b->fcv : "-");
    if (ui_store(x)->where[0]) {
        ui_pen_wrap(&p, 0, UI_DIM, ui_store(x)->where);
    }
    return p.y;
}

static void draw_namespaces(const struct mst_detail_part *d, struct ui_pen *p)
{
    char n[UI_NUM_MAX], h[MST_HUMAN_MAX];
    size_t first;
    const size_t n_seen = ui_pen_window(p, d->n_ns, &first);

    for (size_t i = first; i < first + n_seen; i++) {
        const struct mst_backup_ns *s = &d->ns[i];
        const int y = ui_pen_next(p);
        const int w = p->a.w - 24;

        (void)ui_put_cut(&p->a, y, 0, w, s->left_out ? UI_WARN : UI_TEXT, s->ns);
        if (s->left_out) {
            (void)ui_put_right(&p->a, y, w, 24, UI_WARN, "left out");
        } else if (s->type[0] && strcmp(s->type, "collection") != 0) {
            (void)ui_put_right(&p->a, y, w, 24, UI_DIM, s->type);
        } else {
            (void)ui_put_right(&p->a, y, w, 11, UI_TEXT, ui_fmt_count((int64_t)s->documents, n));
            (void)ui_put_right(&p->a, y, w + 11, 9, UI_TEXT, mst_text_bytes(s->data_bytes, h));
            (void)ui_putf(&p->a, y, w + 20, UI_DIM, "%3ui", s->indexes > 999 ? 999 : s->indexes);
        }
    }
    p->y += (int)(d->n_ns - first - n_seen);
}

/* When these bytes were read back or hashed; "-" never, "?" it is not known which are bad. Marks
 * and claims are no part of what a verification reads. */
static const char *object_verified(const struct ui_ctx *x, const struct mst_backup *b,
                                   const struct mst_object *o, const char *name, char *out,
                                   enum ui_role *role)
{
    *role = UI_DIM;
    if (!b->verified_wall_ms || o->modified_wall_ms > b->verified_wall_ms ||
        strncmp(name, "marks/", 6) == 0 || strcmp(name, "claim") == 0) {
        return "-";
    }
    if (!b->verified_ok) {
        const char *leaf = strchr(name, '/');
        const bool named = strstr(b->verified_text, leaf ? leaf + 1 : name) != NULL;

        *role = named ? UI_CRIT : UI_STALE;
        return named ? "BAD" : "?";
    }
    if (b->verified_level < 2 && !b->sealed) {
        return "-"; /* its manifest was read, nothing else */
    }
    *role = UI_TEXT;
    return ui_fmt_age(x->st->now_wall_ms - b->verified_wall_ms, out);
}

static void draw_object(const struct ui_ctx *x, const struct mst_backup *b,
                        const struct mst_detail_part *d, size_t i, struct ui_pen *p)
{
    const bool wide = p->a.w >= 56;
    const int w = p->a.w - (wide ? 29 : 16), y = ui_pen_next(p);
    const struct mst_object *o = &d->objects[i];
    const char *at = strstr(o->key, d->id), *key = o->key, *verified;
    char h[MST_HUMAN_MAX], age[UI_NUM_MAX];
    enum ui_role role;

    /* all begin with the folder of the backup, which the frame names */
    key = at && at[strlen(d->id)] == '/' ? at + strlen(d->id) + 1 : key;
    if (b->attempt[0] && strncmp(key, b->attempt, strlen(b->attempt)) == 0 &&
        key[strlen(b->attempt)] == '/') {
        key += strlen(b->attempt) + 1; /* the attempt that counts; others are named */
    }
    verified = object_verified(x, b, o, key, age, &role);
    (void)ui_put_cut(&p->a, y, 0, w, UI_TEXT, key);
    (void)ui_put_right(&p->a, y, w, 9, UI_TEXT, mst_text_bytes(o->bytes, h));
    if (wide) {
        (void)ui_put_cut(&p->a, y, w + 10, 12, UI_DIM,
                         o->storage_class[0] ? o->storage_class : "-");
    }
    (void)ui_put_right(&p->a, y, p->a.w - 6, 6, role, verified);
}

static void draw_objects(const struct ui_ctx *x, const struct mst_backup *b,
                         const struct mst_detail_part *d, struct ui_pen *p)
{
    size_t first;
    const size_t n_seen = ui_pen_window(p, d->n_objects, &first);

    for (size_t i = first; i < first + n_seen; i++) {
        draw_object(x, b, d, i, p);
    }
    p->y += (int)(d->n_objects - first - n_seen);
}

int ui_content_draw(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_backup *b = ui_backup_selected(x);
    const struct mst_detail_part *d = ui_backup_detail(x, b);
    const bool objects = x->st->s[UI_SCR_BUCKET].other;
    char note[32] = "";
    struct ui_area in;
    struct ui_pen p;

    if (d && !d->loading) {
        (void)snprintf(note, sizeof note, "%zu", objects ? d->n_objects : d->n_ns);
    }
    in = ui_pane_box(a, focus,
                     objects ? "Objects: size, class, verified"
                             : "Namespaces: documents, data, indexes",
                     note, UI_DIM);
    p = ui_pen_start(&in, ui_bucket_scroll(x, UI_P_CONTENT));
    if (!d) {
        ui_pen_line(&p, UI_DIM, b ? "Enter reads the manifest" : "");
    } else if (d->loading) {
        ui_pen_line(&p, UI_RUN, "reading the manifest");
    } else {
        if (d->problem[0]) {
            ui_pen_wrap(&p, 0, UI_CRIT, d->problem);
        }
        if (objects) {
            draw_objects(x, b, d, &p);
        } else {
            draw_namespaces(d, &p);
        }
    }
    return p.y;
}
