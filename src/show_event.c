#include "show.h"

#include "base/clock.h"
#include "base/text.h"
#include "json.h"

const char *show_severity(enum mst_severity s)
{
    return s == MST_SEV_CRIT ? "crit" : s == MST_SEV_WARN ? "warn" : "info";
}

const char *show_event_kind(enum mst_event_kind k)
{
    static const char *const kinds[] = {"state",  "primary", "no_primary", "lag", "rbid",
                                        "config", "reach",   "earlier",    "gap"};

    return (size_t)k < sizeof(kinds) / sizeof(kinds[0]) ? kinds[k] : "";
}

void show_event(const struct mst_event *e, const struct mst_topo_view *t, enum show_form form,
                struct mst_str *out)
{
    char time[MST_TIME_MAX];

    if (form != SHOW_JSON) {
        mst_str_addf(out, "%s %s%s%s\n", mst_time_iso_ms(e->wall_ms, time),
                     e->severity == MST_SEV_INFO ? "" : show_severity(e->severity),
                     e->severity == MST_SEV_INFO ? "" : ": ", e->text);
        return;
    }
    js_begin(out, "event", e->wall_ms);
    js_int(out, "seq", (int64_t)e->seq);
    js_text(out, "kind", show_event_kind(e->kind));
    js_text(out, "severity", show_severity(e->severity));
    js_text(out, "member",
            e->member >= 0 && (size_t)e->member < t->n ? t->members[e->member].name : "");
    js_text(out, "text", e->text);
    js_end(out);
}

void show_job(const struct mst_job *j, int64_t now_wall_ms, enum show_form form,
              struct mst_str *out)
{
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX], c[MST_HUMAN_MAX], d[MST_HUMAN_MAX];
    char items[MST_JOB_ITEMS_MAX];

    if (form == SHOW_JSON) {
        js_begin(out, "job", now_wall_ms);
        js_int(out, "id", (int64_t)j->id);
        js_text(out, "kind", mst_job_kind_word(j->kind));
        js_text(out, "state", mst_job_state_word(j->state));
        js_text(out, "backup", j->backup_id);
        js_text(out, "target", j->target);
        js_text(out, "who", j->who);
        js_text(out, "phase", j->phase);
        js_int(out, "done_bytes", (int64_t)j->done_bytes);
        js_known(out, "total_bytes", j->total_bytes ? (int64_t)j->total_bytes : -1);
        js_int(out, "items_done", (int64_t)j->items_done);
        js_known(out, "items_total", j->items_total ? (int64_t)j->items_total : -1);
        js_known(out, "rate_bytes_per_s", j->rate_bps ? (int64_t)j->rate_bps : -1);
        js_known(out, "eta_ms", j->eta_ms);
        js_int(out, "stalled_ms", j->stalled_ms);
        js_time(out, "queued", j->queued_wall_ms);
        js_time(out, "started", j->started_wall_ms);
        js_time(out, "ended", j->ended_wall_ms);
        js_text(out, "result", j->result);
        js_known(out, "exit", j->ended_wall_ms ? j->exit_status : -1);
        js_end(out);
        return;
    }
    mst_str_addf(out, "job %llu %s: %s", (unsigned long long)j->id, mst_job_kind_word(j->kind),
                 mst_job_state_word(j->state));
    if (j->ended_wall_ms) {
        mst_str_addf(out, "%s%s\n", j->result[0] ? ", " : "", j->result);
        return;
    }
    if (j->kind == MST_JOB_SWITCH) { /* counts no bytes */
        mst_str_addf(out, "%s%s\n", j->phase[0] ? ", " : "", j->phase);
        return;
    }
    mst_str_addf(out, "%s%s, %s", j->phase[0] ? ", " : "", j->phase,
                 mst_text_bytes(j->done_bytes, a));
    if (j->total_bytes) {
        mst_str_addf(out, " of %s, %d percent", mst_text_bytes(j->total_bytes, b),
                     (int)((double)j->done_bytes * 100.0 / (double)j->total_bytes));
    }
    if (mst_job_items(j, items)[0]) {
        mst_str_addf(out, ", %s", items);
    }
    if (j->rate_bps) {
        mst_str_addf(out, ", %s/s", mst_text_bytes(j->rate_bps, c));
    }
    if (j->eta_ms >= 0) {
        mst_str_addf(out, ", %s left", mst_text_duration(j->eta_ms, d));
    }
    if (j->stalled_ms) {
        mst_str_addf(out, ", nothing moved for %s", mst_text_duration(j->stalled_ms, d));
    }
    mst_str_addc(out, '\n');
}
