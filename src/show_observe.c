#include "show_observe.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "json.h"

static const char *severity(enum mst_severity s)
{
    return s == MST_SEV_CRIT ? "CRIT" : s == MST_SEV_WARN ? "WARN" : "INFO";
}

static void line(struct mst_str *out, int64_t wall_ms, enum mst_severity s, const char *text)
{
    char time[MST_TIME_MAX];

    mst_str_addf(out, "%s %s%s%s\n", mst_time_iso_ms(wall_ms, time),
                 s == MST_SEV_INFO ? "" : severity(s), s == MST_SEV_INFO ? "" : ": ", text);
}

bool show_writable(const struct mst_topo_view *t)
{
    return t->primary >= 0 && t->votes_total > 0 && t->data_up >= t->write_majority;
}

void show_findings(const struct mst_why *w, size_t n, struct mst_str *out)
{
    for (size_t i = 0; i < n; i++) {
        mst_str_addf(out, "%s: %s\n", mst_why_word(w[i].kind), w[i].what);
        if (w[i].evidence[0]) {
            mst_str_addf(out, "  measured: %s\n", w[i].evidence);
        }
        if (w[i].command[0]) {
            mst_str_addf(out, "  helps:    %s\n", w[i].command);
        }
    }
}

void show_tale(const struct mst_failover *f, unsigned *told, struct mst_str *out)
{
    struct mst_tale_line lines[MST_TALES];
    const size_t n = mst_failover_lines(f, lines);

    for (size_t i = 0; i < n; i++) {
        const unsigned bit = 1u << lines[i].what;

        if (!(*told & bit) && (lines[i].what != MST_TALE_NEXT || f->over)) {
            *told |= bit;
            line(out, lines[i].wall_ms, lines[i].severity, lines[i].text);
        }
    }
}

void show_candidates(const struct mst_topo_view *t, struct mst_str *out)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct mst_topo_member *m = &t->members[i];

        if ((int)i != t->primary) {
            mst_str_addf(
                out, "  %-24s %-12s %s%s\n", m->name, mst_shown_word(m->shown),
                m->can_win ? "could win" : "could not win: ", m->can_win ? "" : m->why_not);
        }
    }
}

static void failover_json(const struct mst_failover *f, struct mst_str *out)
{
    static const char *const losses[] = {"", "none", "some"};
    struct mst_tale_line lines[MST_TALES];
    const size_t n = mst_failover_lines(f, lines);

    js_open(out, "failover", '{');
    js_text(out, "old", f->old);
    js_time(out, "last_seen", f->last_seen_ms);
    js_time(out, "noticed", f->noticed_ms);
    js_text(out, "noticed_by", f->noticed_by);
    js_known(out, "tail_at_risk_ms", f->tail_ms);
    js_text(out, "winner", f->winner);
    js_known(out, "term", f->term);
    js_text(out, "reason", f->reason);
    js_time(out, "stood", f->stood_ms);
    js_time(out, "writable", f->writable_ms);
    js_known(out, "gap_ms", f->gap_ms);
    js_text(out, "loss", losses[f->loss]);
    js_known(out, "loss_ms", f->loss == MST_LOSS_UNKNOWN ? -1 : f->loss_ms);
    js_time(out, "old_back", f->back_ms);
    js_time(out, "rollback", f->rollback_ms);
    js_bool(out, "over", f->over);
    js_text(out, "next", n > 0 ? lines[n - 1].text + strlen("next: ") : "");
    js_close(out, '}');
}

void show_observed(const struct mst_view *v, const struct mst_why *w, size_t n, struct mst_str *out)
{
    const struct mst_topo_view *t = &v->topo->v;

    js_begin(out, "observe", v->now_wall_ms);
    js_text(out, "verdict", mst_verdict_word(t->verdict));
    js_text(out, "headline", t->headline);
    js_text(out, "primary", t->primary >= 0 ? t->members[t->primary].name : "");
    js_bool(out, "writable", show_writable(t));
    js_open(out, "findings", '[');
    for (size_t i = 0; i < n; i++) {
        js_open(out, NULL, '{');
        js_text(out, "kind", mst_why_word(w[i].kind));
        js_text(out, "what", w[i].what);
        js_text(out, "measured", w[i].evidence);
        js_text(out, "helps", w[i].command);
        js_close(out, '}');
    }
    js_close(out, ']');
    if (t->failover.any) {
        failover_json(&t->failover, out);
    } else {
        js_text(out, "failover", "");
    }
    js_end(out);
}

/* --- what was written down --- */

static void event_row(const struct mst_hist_event *e, enum show_form form, struct mst_str *out)
{
    if (form != SHOW_JSON) {
        line(out, e->wall_ms, e->severity, e->text);
        return;
    }
    js_begin(out, "event", e->wall_ms);
    js_text(out, "source", mst_hist_source_word(e->source));
    js_text(out, "kind", e->source == MST_HIST_TOPO ? show_event_kind(e->kind) : "");
    js_text(out, "severity", severity(e->severity));
    js_text(out, "member", e->member);
    js_text(out, "text", e->text);
    js_end(out);
}

static void gap_row(const struct mst_hist_gap *g, enum show_form form, struct mst_str *out)
{
    char text[160];

    if (form == SHOW_JSON) {
        js_begin(out, "gap", g->from_ms);
        js_time(out, "from", g->from_ms);
        js_time(out, "to", g->to_ms);
        js_int(out, "ms", g->to_ms - g->from_ms);
        js_end(out);
    } else {
        mst_str_addf(out, "-- %s --\n", mst_history_gap_text(g, text, sizeof(text)));
    }
}

static void summary(const struct mst_history *h, enum show_form form, struct mst_str *out)
{
    const int64_t all = h->now_ms - h->since_ms;
    int64_t watched = all;
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX], since[MST_TIME_MAX];

    for (size_t i = 0; i < h->n_gaps; i++) {
        watched -= h->gaps[i].to_ms - h->gaps[i].from_ms;
    }
    if (form == SHOW_JSON) {
        js_begin(out, "watched", h->now_ms);
        js_time(out, "since", h->since_ms);
        js_time(out, "until", h->now_ms);
        js_int(out, "watched_ms", watched);
        js_int(out, "events", (int64_t)h->n);
        js_bool(out, "older_not_shown", h->cut);
        js_end(out);
        return;
    }
    mst_str_addf(out, "%zu %s since %s; somebody watched %s of these %s\n", h->n,
                 mst_text_noun(h->n, "event", "events"), mst_time_iso(h->since_ms, since),
                 watched == all ? "all" : mst_text_duration(watched, a), mst_text_duration(all, b));
    if (h->cut) {
        mst_str_add(out, "there are older ones in this time: --limit N shows more\n");
    }
    if (h->n == 0 && watched < all) {
        mst_str_add(out, "nothing is known of the time in which nobody watched: 'muster agent "
                         "--foreground' as a service watches always\n");
    }
}

void show_history(const struct mst_history *h, enum show_form form, struct mst_str *out)
{
    const int64_t shown_from = h->cut && h->n > 0 ? h->events[0].wall_ms : h->since_ms;
    size_t e = 0, g = 0;

    while (e < h->n || g < h->n_gaps) {
        if (g < h->n_gaps && (e == h->n || h->gaps[g].from_ms < h->events[e].wall_ms)) {
            if (h->gaps[g].to_ms > shown_from) {
                gap_row(&h->gaps[g], form, out);
            }
            g++;
        } else {
            event_row(&h->events[e++], form, out);
        }
    }
    summary(h, form, out);
}
