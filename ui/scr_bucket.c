/* scr_bucket.c: what the store holds: backups, one in detail, its namespaces and objects, and what
 * restores kept aside. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/fmt.h"
#include "ui/screen.h"
#include "ui/table.h"

enum { P_LIST, P_DETAIL, P_CONTENT, P_LEFT };
enum { C_SIGN, C_ID, C_STATE, C_DATA, C_SIZE, C_VERIFIED, C_FROM, C_COPIES };

static int scroll_of(const struct ui_ctx *x, int pane)
{
    return x->st->s[UI_SCR_BUCKET].top[pane];
}

static int compare(const struct ui_ctx *x, size_t col, size_t a, size_t b)
{
    const struct mst_backup *i = &ui_store(x)->backups[a], *k = &ui_store(x)->backups[b];

    switch (col) {
    case C_ID:
        return strcmp(i->id, k->id);
    case C_STATE:
        return strcmp(mst_backup_state_word(i->state), mst_backup_state_word(k->state));
    case C_DATA:
        return UI_CMP(i->data_bytes, k->data_bytes);
    case C_SIZE:
        return UI_CMP(i->stored_bytes, k->stored_bytes);
    default:
        return UI_CMP(i->verified_wall_ms, k->verified_wall_ms);
    }
}

static void rows(const struct ui_ctx *x, struct ui_rows *out)
{
    const struct mst_bucket_part *b = ui_store(x);
    const char *f = x->st->s[UI_SCR_BUCKET].find;

    for (size_t i = 0; b && i < b->n; i++) {
        if (ui_fmt_has(b->backups[i].id, f) ||
            ui_fmt_has(mst_backup_state_word(b->backups[i].state), f) ||
            ui_fmt_has(b->backups[i].source, f)) {
            ui_rows_add(out, i);
        }
    }
    ui_rows_sort(x, UI_SCR_BUCKET, compare, out);
}

static size_t selected(const struct ui_ctx *x)
{
    const struct mst_backup *b = ui_backup_selected(x);

    return b ? (size_t)(b - ui_store(x)->backups) : SIZE_MAX;
}

static void pick(const struct mst_view *v, struct ui_state *st, size_t idx)
{
    const struct ui_ctx x = {v, st};
    const struct mst_bucket_part *b = ui_store(&x);

    if (b && idx < b->n) {
        (void)mst_copy(st->backup, sizeof st->backup, b->backups[idx].id);
        st->s[UI_SCR_BUCKET].top[P_DETAIL] = st->s[UI_SCR_BUCKET].top[P_CONTENT] = 0;
    }
}

struct rows_arg {
    const struct ui_ctx *x;
    const struct ui_rows *r;
};

static void verified_cell(const struct mst_backup *b, const struct ui_ctx *x, char *out,
                          enum ui_role *role)
{
    char age[UI_NUM_MAX];

    if (b->verified_wall_ms == 0) {
        (void)snprintf(out, UI_CELL_MAX, "-");
        return;
    }
    *role = ui_bucket_role(ui_store(x), b->verified_ok ? UI_OK : UI_CRIT);
    (void)snprintf(out, UI_CELL_MAX, "%s %s", ui_verified_word(b),
                   ui_fmt_age(x->st->now_wall_ms - b->verified_wall_ms, age));
}

/* The same backup in a store, whose list is newest first; NULL: not there. */
static const struct mst_backup *in_store(const struct mst_bucket_part *p,
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

static bool whole(const struct mst_backup *b)
{
    return b && (b->state == MST_BK_COMPLETE || b->state == MST_BK_PARTIAL);
}

static bool held(const struct ui_ctx *x, const struct mst_backup *b)
{
    return b->hold_until_ms > x->st->now_wall_ms;
}

/* "2/3", of the stores that were read; held ones say so. */
static void copies_cell(const struct ui_ctx *x, const struct mst_backup *b, char *out,
                        enum ui_role *role)
{
    size_t n = 0;
    bool all = true;

    for (size_t i = 0; i < x->v->n_stores; i++) {
        const struct mst_bucket_part *p = x->v->stores[i];

        n += whole(in_store(p, b));
        all = all && p->as_of_wall_ms && !p->problem[0];
    }
    (void)snprintf(out, UI_CELL_MAX, "%zu%s/%zu%s", n, all ? "" : "?", x->v->n_stores,
                   held(x, b) ? " held" : "");
    *role = n == 0 ? UI_CRIT : UI_TEXT;
}

static void cell(const void *arg, size_t row, size_t col, char *out, enum ui_role *role)
{
    const struct rows_arg *r = arg;
    const struct mst_backup *b = &ui_store(r->x)->backups[r->r->idx[row]];

    switch (col) {
    case C_SIGN:
        (void)snprintf(out, UI_CELL_MAX, "%c", ui_backup_sign(b));
        *role = ui_bucket_role(ui_store(r->x), ui_backup_role(b));
        break;
    case C_ID:
        (void)mst_copy(out, UI_CELL_MAX, b->id);
        break;
    case C_STATE:
        (void)mst_copy(out, UI_CELL_MAX, mst_backup_state_word(b->state));
        *role = ui_bucket_role(ui_store(r->x), ui_backup_role(b));
        break;
    case C_DATA:
        (void)mst_text_bytes(b->data_bytes, out);
        break;
    case C_FROM:
        (void)mst_copy(out, UI_CELL_MAX, b->source);
        break;
    case C_SIZE:
        (void)mst_text_bytes(b->stored_bytes, out);
        break;
    case C_COPIES:
        copies_cell(r->x, b, out, role);
        break;
    default:
        verified_cell(b, r->x, out, role);
        break;
    }
}

/* Below the list, that its rows stay where they are: how old the list is, and the problem. */
static struct ui_area draw_origin(const struct ui_ctx *x, const struct ui_area *in)
{
    struct ui_area none = *in, below;
    struct ui_pen p;
    int h;

    none.h = 0;
    p = ui_pen_start(&none, 0);
    ui_bucket_origin(x, ui_store(x), &p); /* only counts */
    h = p.y < in->h - 3 ? p.y : in->h > 3 ? in->h - 3 : 0;
    below = ui_area_sub(in, in->h - h, 0, h, in->w);
    p = ui_pen_start(&below, 0);
    ui_bucket_origin(x, ui_store(x), &p);
    return ui_area_sub(in, 0, 0, in->h - h, in->w);
}

/* One line with every store, the shown one in brackets, what cannot be read with a '!'. */
static struct ui_area draw_stores(const struct ui_ctx *x, const struct ui_area *in)
{
    const struct mst_bucket_part *shown = ui_store(x);
    int at = 0;

    if (x->v->n_stores < 2 || in->h < 4) {
        return *in;
    }
    for (size_t i = 0; i < x->v->n_stores; i++) {
        const struct mst_bucket_part *p = x->v->stores[i];
        const bool bad = p->problem[0] != '\0';
        char word[80];

        (void)snprintf(word, sizeof word, "%s%s%s%s", p == shown ? "<" : " ", p->store,
                       bad ? "!" : "", p == shown ? ">" : " ");
        (void)ui_put_cut(in, 0, at, in->w - at,
                         bad          ? UI_CRIT
                         : p == shown ? UI_TITLE_FOCUS
                                      : UI_DIM,
                         word);
        at += ui_cols(word) + 1;
    }
    if (at + 9 < in->w) {
        (void)ui_put_right(in, 0, in->w - 9, 9, UI_DIM, "< > store");
    }
    return ui_area_sub(in, 1, 0, in->h - 1, in->w);
}

static int draw_list(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    static const struct ui_col cols[] = {
        [C_SIGN] = {"", 1, false, 0},           [C_ID] = {"backup", 25, false, 0},
        [C_STATE] = {"state", 10, false, 3},    [C_DATA] = {"data", 8, true, 4},
        [C_SIZE] = {"stored", 8, true, 2},      [C_VERIFIED] = {"verified", 8, false, 1},
        [C_FROM] = {"read from", 15, false, 5}, [C_COPIES] = {"copies", 9, false, 2}};
    const struct mst_bucket_part *b = ui_store(x);
    const char *f = x->st->s[UI_SCR_BUCKET].find;
    struct ui_rows r = {0};
    struct rows_arg arg = {x, &r};
    struct ui_table t = {.cols = cols,
                         .n_cols = x->v->n_stores > 1 ? MST_COUNT(cols) : C_COPIES,
                         .grow = C_ID,
                         .head = true,
                         .focus = true,
                         .sort = x->st->s[UI_SCR_BUCKET].sort,
                         .down = x->st->s[UI_SCR_BUCKET].down,
                         .cell = cell,
                         .arg = &arg};
    char title[200], note[UI_NOTE_MAX], count[UI_NOTE_MAX + 48];
    struct ui_area in;

    (void)snprintf(title, sizeof title, "%s%s%s", b ? b->store : "Bucket", f[0] ? " filter: " : "",
                   f);
    rows(x, &r);
    (void)ui_bucket_note(x, b, note);
    if (!b || b->loading || (b->problem[0] && !b->cached) || b->read_at_ms == 0) {
        (void)mst_copy(count, sizeof count, note); /* how many there are is not known */
    } else if (f[0]) {
        (void)snprintf(count, sizeof count, "%zu of %zu, %s", r.n, b->n, note);
    } else {
        (void)snprintf(count, sizeof count, "%zu, %s", b->n, note);
    }
    in = ui_pane_box(a, focus, title, count, b ? ui_bucket_role(b, UI_DIM) : UI_DIM);
    in = draw_stores(x, &in);
    if (b && (b->cached || b->rollback[0])) {
        in = draw_origin(x, &in);
    }
    t.n = r.n;
    t.sel = ui_rows_find(&r, selected(x));
    (void)ui_table_draw(&t, &in);
    if (r.n == 0) {
        struct ui_pen p = ui_pen_start(&in, -1);

        ui_pen_wrap(&p, 0, b && !b->problem[0] ? UI_DIM : UI_CRIT,
                    !b              ? "no store is configured: name one in the configuration"
                    : b->problem[0] ? (b->cached ? "there were no backups" : b->problem)
                    : f[0]          ? "no backup matches"
                    : b->cached     ? "there were no backups"
                    : b->read_at_ms ? "the store is empty: B makes the first backup"
                                    : "not read yet");
    }
    ui_rows_release(&r);
    return (int)t.n + 1;
}

/* Of all that backups take in its store, in percent. */
static int share_of(const struct mst_bucket_part *from, const struct mst_backup *b)
{
    uint64_t all = 0;

    for (size_t i = 0; i < from->n; i++) {
        all += from->backups[i].stored_bytes;
    }
    return all ? (int)((double)b->stored_bytes * 100 / (double)all + 0.5) : 0;
}

static void detail_copies(const struct ui_ctx *x, const struct mst_backup *b, struct ui_pen *p)
{
    char text[300] = "", until[UI_NUM_MAX];

    for (size_t i = 0; i < x->v->n_stores && x->v->n_stores > 1; i++) {
        const struct mst_bucket_part *s = x->v->stores[i];
        const struct mst_backup *k = in_store(s, b);
        const size_t at = strlen(text);

        if (k || s->problem[0] || !s->as_of_wall_ms) {
            (void)snprintf(text + at, sizeof text - at, "%s%s%s%s", at ? ", " : "", s->store,
                           !k || whole(k) ? "" : " ",
                           !k         ? " unknown"
                           : whole(k) ? ""
                                      : mst_backup_state_word(k->state));
        }
    }
    if (text[0]) {
        ui_pen_pair(p, "copies", UI_TEXT, "%s", text);
    } else if (b->copied_to[0]) {
        ui_pen_pair(p, "copies", UI_TEXT, "to %s, by its mark", b->copied_to);
    }
    if (held(x, b)) {
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
    ui_pen_pair(p, "size", UI_TEXT, "%s, %s stored, %d%%", mst_text_bytes(b->data_bytes, h1),
                mst_text_bytes(b->stored_bytes, h2), share_of(from, b));
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

static int draw_detail(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_backup *b = ui_backup_selected(x);
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
    p = ui_pen_start(&in, scroll_of(x, P_DETAIL));
    if (!b) {
        return 0;
    }
    if (b->problem[0]) {
        ui_pen_wrap(&p, 0, ui_backup_role(b) == UI_TEXT ? UI_WARN : ui_backup_role(b), b->problem);
    }
    ui_pen_pair(&p, "started", UI_TEXT, "%s", ui_fmt_day(b->started_wall_ms, t));
    ui_pen_pair(&p, "finished", UI_TEXT, "%s", ui_fmt_day(b->finished_wall_ms, t));
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
    if (known) {
        detail_trust(x, b, &p);
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

static void draw_objects(const struct mst_detail_part *d, struct ui_pen *p)
{
    char h[MST_HUMAN_MAX];
    size_t first;
    const size_t n_seen = ui_pen_window(p, d->n_objects, &first);

    for (size_t i = first; i < first + n_seen; i++) {
        const int y = ui_pen_next(p);

        const char *at = strstr(d->objects[i].key, d->id), *key = d->objects[i].key;

        /* all begin with the folder of the backup, which the frame names */
        key = at && at[strlen(d->id)] == '/' ? at + strlen(d->id) + 1 : key;
        (void)ui_put_cut(&p->a, y, 0, p->a.w - 10, UI_TEXT, key);
        (void)ui_put_right(&p->a, y, p->a.w - 9, 9, UI_TEXT,
                           mst_text_bytes(d->objects[i].bytes, h));
    }
    p->y += (int)(d->n_objects - first - n_seen);
}

static int draw_content(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_backup *b = ui_backup_selected(x);
    const struct mst_detail_part *d = x->v->detail;
    const bool objects = x->st->s[UI_SCR_BUCKET].other;
    const bool mine = b && d && strcmp(d->id, b->id) == 0 &&
                      (!d->store[0] || strcmp(d->store, ui_store(x)->store) == 0);
    char note[32] = "";
    struct ui_area in;
    struct ui_pen p;

    if (mine && !d->loading) {
        (void)snprintf(note, sizeof note, "%zu", objects ? d->n_objects : d->n_ns);
    }
    in = ui_pane_box(a, focus, objects ? "Objects" : "Namespaces: documents, data, indexes", note,
                     UI_DIM);
    p = ui_pen_start(&in, scroll_of(x, P_CONTENT));
    if (!mine) {
        ui_pen_line(&p, UI_DIM, b ? "Enter reads the manifest" : "");
    } else if (d->loading) {
        ui_pen_line(&p, UI_RUN, "reading the manifest");
    } else {
        if (d->problem[0]) {
            ui_pen_wrap(&p, 0, UI_CRIT, d->problem);
        }
        if (objects) {
            draw_objects(d, &p);
        } else {
            draw_namespaces(d, &p);
        }
    }
    return p.y;
}

static int draw_left(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_leavings_part *l = x->v->leavings;
    char note[32], age[UI_NUM_MAX];
    struct ui_area in;
    struct ui_pen p;

    (void)snprintf(note, sizeof note, "%zu", l->n);
    in = ui_pane_box(a, focus, "Kept aside, left over", note, l->n ? UI_WARN : UI_DIM);
    p = ui_pen_start(&in, scroll_of(x, P_LEFT));
    if (l->n == 0) {
        ui_pen_line(&p, UI_DIM, "nothing");
    }
    for (size_t i = 0; i < l->n; i++) {
        ui_pen_wrap(&p, 0, UI_TEXT, l->items[i].what);
        if (l->items[i].since_wall_ms > 0) {
            ui_pen_line(&p, UI_DIM, "  for %s: D",
                        ui_fmt_age(x->st->now_wall_ms - l->items[i].since_wall_ms, age));
        }
    }
    return p.y;
}

static void layout(const struct ui_ctx *x, int h, int w, struct ui_rect r[UI_PANES])
{
    const int left = w >= 170 ? w / 2 : w >= 110 ? 58 : 38;
    const int kept = x->v->leavings->n > 0 ? (h >= 30 ? 8 : 6) : 0;
    const int detail = h >= 30 ? 16 : 12;

    r[P_LIST] = (struct ui_rect){0, 0, h - kept, left};
    r[P_LEFT] = (struct ui_rect){h - kept, 0, kept, left};
    r[P_DETAIL] = (struct ui_rect){0, left, detail, w - left};
    r[P_CONTENT] = (struct ui_rect){detail, left, h - detail, w - left};
}

static const struct ui_sort sorts[] = {{C_STATE, "state", false}, {C_DATA, "data", true},
                                       {C_SIZE, "stored", true},  {C_VERIFIED, "verified", true},
                                       {C_ID, "backup", true},    {0, NULL, false}};

const struct ui_screen ui_scr_bucket = {
    .tab = "Bucket",
    .title = "Bucket",
    .bit = UI_ON_BUCKET,
    .n_panes = 4,
    .pane = {{"Backups", draw_list, true},
             {"Detail", draw_detail, false},
             {"Contents", draw_content, false},
             {"Kept aside", draw_left, false}},
    .layout = layout,
    .rows = rows,
    .selected = selected,
    .select = pick,
    .sorts = sorts,
};
