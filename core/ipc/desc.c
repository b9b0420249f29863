/* The tables: every member of every struct that crosses the socket. */
#include "base/mem.h"
#include "ipc/codec.h"

/* Type and size come from the member itself, so a member that changes its type cannot be wrong
 * here. */
#define TYPE_OF(m) \
    _Generic((m), char *: FT_TEXT, bool: FT_BOOL, int: FT_I32, unsigned: FT_U32, \
             int64_t: FT_I64, uint64_t: FT_U64, double: FT_DOUBLE, struct mst_ts: FT_TS, \
             struct mst_optime: FT_OPTIME)
#define AT(s, m) (((struct s *)NULL)->m)
#define F(s, m) \
    { \
#m, TYPE_OF(AT(s, m)), offsetof(struct s, m), sizeof(AT(s, m)), 0, 0, NULL \
    }
/* last: a value past it becomes it, so that no table of words is read past its end. */
#define ENUM(s, m, last) \
    { \
#m, FT_U32, offsetof(struct s, m), sizeof(AT(s, m)), 0, (last), NULL \
    }
#define ARRAY(s, m, kind, count, most, desc) \
    { \
#m, kind, offsetof(struct s, m), sizeof(AT(s, m)[0]), offsetof(struct s, count), most, \
            desc \
    }
#define DESC(name, s) const struct desc name = {sizeof(struct s), s##_fields, MST_COUNT(s##_fields)}

static const struct field mst_note_fields[] = {
    F(mst_note, act),    F(mst_note, agent),         F(mst_note, host),          F(mst_note, plan),
    F(mst_note, target), F(mst_note, since_mono_ms), F(mst_note, until_mono_ms),
};
static DESC(ipc_note, mst_note);

static const struct field mst_opinion_fields[] = {
    F(mst_opinion, known),
    F(mst_opinion, health),
    ENUM(mst_opinion, state, MST_MS_REMOVED),
    F(mst_opinion, ping_ms),
    F(mst_opinion, heartbeat_age_ms),
    F(mst_opinion, applied),
    F(mst_opinion, applied_wall_ms),
};
static DESC(ipc_opinion, mst_opinion);

static const struct field mst_topo_member_fields[] = {
    F(mst_topo_member, name),
    F(mst_topo_member, dial),
    F(mst_topo_member, id),
    F(mst_topo_member, configured),
    F(mst_topo_member, priority),
    F(mst_topo_member, votes),
    F(mst_topo_member, hidden),
    F(mst_topo_member, arbiter),
    F(mst_topo_member, builds_indexes),
    F(mst_topo_member, delay_s),
    F(mst_topo_member, tags),
    ENUM(mst_topo_member, reach, MST_REACH_PROTOCOL),
    F(mst_topo_member, reach_text),
    F(mst_topo_member, reach_at_ms),
    F(mst_topo_member, hello_at_ms),
    F(mst_topo_member, hello_rtt_us),
    F(mst_topo_member, writable),
    F(mst_topo_member, secondary),
    F(mst_topo_member, last_write),
    F(mst_topo_member, hello_term),
    F(mst_topo_member, min_wire),
    F(mst_topo_member, max_wire),
    F(mst_topo_member, is_hidden_hello),
    F(mst_topo_member, is_arbiter_hello),
    F(mst_topo_member, status_at_ms),
    F(mst_topo_member, before_at_ms),
    F(mst_topo_member, before_wall_ms),
    F(mst_topo_member, before_applied),
    F(mst_topo_member, status_wall_ms),
    F(mst_topo_member, status_missing),
    ENUM(mst_topo_member, state, MST_MS_REMOVED),
    F(mst_topo_member, term),
    F(mst_topo_member, applied),
    F(mst_topo_member, durable),
    F(mst_topo_member, committed),
    F(mst_topo_member, applied_wall_ms),
    F(mst_topo_member, committed_wall_ms),
    F(mst_topo_member, sync_source),
    F(mst_topo_member, election_wall_ms),
    F(mst_topo_member, catching_up),
    F(mst_topo_member, seen_at_election),
    F(mst_topo_member, catch_up_ops),
    F(mst_topo_member, catch_up_to),
    F(mst_topo_member, election_reason),
    F(mst_topo_member, stood_wall_ms),
    F(mst_topo_member, vote_reason),
    F(mst_topo_member, info),
    F(mst_topo_member, too_stale),
    F(mst_topo_member, config_version),
    F(mst_topo_member, config_term),
    F(mst_topo_member, link_text),
    F(mst_topo_member, link_from),
    F(mst_topo_member, stats_at_ms),
    F(mst_topo_member, stats_missing),
    F(mst_topo_member, version),
    F(mst_topo_member, fcv),
    F(mst_topo_member, uptime_s),
    F(mst_topo_member, connections),
    F(mst_topo_member, connections_available),
    F(mst_topo_member, ops_per_s),
    F(mst_topo_member, repl_per_s),
    F(mst_topo_member, oplog_first),
    F(mst_topo_member, oplog_last),
    F(mst_topo_member, rbid),
    F(mst_topo_member, mem_resident_mb),
    F(mst_topo_member, flow_lagged),
    ENUM(mst_topo_member, shown, MST_SHOW_UNREACHABLE),
    F(mst_topo_member, lag_ms),
    F(mst_topo_member, window_s),
    F(mst_topo_member, headroom_s),
    F(mst_topo_member, can_win),
    F(mst_topo_member, why_not),
    ARRAY(mst_topo_member, sees, FT_TRIM, sees, MST_TOPO_MAX, &ipc_opinion),
};
static DESC(ipc_topo_member, mst_topo_member);

static const struct field mst_reason_fields[] = {
    ENUM(mst_reason, kind, MST_RS_SHARDED),
    ENUM(mst_reason, severity, MST_SEV_CRIT),
    F(mst_reason, text),
    F(mst_reason, since_ms),
    F(mst_reason, member),
};
static DESC(ipc_reason, mst_reason);

static const struct field mst_event_fields[] = {
    F(mst_event, seq),
    F(mst_event, wall_ms),
    F(mst_event, mono_ms),
    ENUM(mst_event, kind, MST_EV_LAST),
    ENUM(mst_event, severity, MST_SEV_CRIT),
    F(mst_event, member),
    F(mst_event, text),
};
static DESC(ipc_event, mst_event);

static const struct field mst_topo_view_fields[] = {
    F(mst_topo_view, now_mono_ms),
    F(mst_topo_view, now_wall_ms),
    F(mst_topo_view, set_name),
    F(mst_topo_view, set_name_known),
    ENUM(mst_topo_view, verdict, MST_V_MONGOS),
    F(mst_topo_view, headline),
    ARRAY(mst_topo_view, reasons, FT_FIXED, n_reasons, MST_TOPO_REASONS, &ipc_reason),
    F(mst_topo_view, sharded),
    ARRAY(mst_topo_view, members, FT_ROWS, n, MST_TOPO_MAX, &ipc_topo_member),
    F(mst_topo_view, primary),
    F(mst_topo_view, term),
    F(mst_topo_view, config_version),
    F(mst_topo_view, config_at_ms),
    F(mst_topo_view, config_missing),
    F(mst_topo_view, election_timeout_ms),
    F(mst_topo_view, config_forced),
    F(mst_topo_view, votes_total),
    F(mst_topo_view, votes_up),
    F(mst_topo_view, votes_needed),
    F(mst_topo_view, data_up),
    F(mst_topo_view, write_majority),
    F(mst_topo_view, no_primary_since_ms),
    F(mst_topo_view, tail_at_risk_ms),
    F(mst_topo_view, if_primary_dies),
    ARRAY(mst_topo_view, events, FT_ROWS, n_events, MST_TOPO_EVENTS, &ipc_event),
    F(mst_topo_view, failover.any),
    F(mst_topo_view, failover.over),
    F(mst_topo_view, failover.old),
    F(mst_topo_view, failover.last_seen_ms),
    F(mst_topo_view, failover.lost_ms),
    F(mst_topo_view, failover.noticed_ms),
    F(mst_topo_view, failover.noticed_by),
    F(mst_topo_view, failover.old_last),
    F(mst_topo_view, failover.tail_ms),
    F(mst_topo_view, failover.winner),
    F(mst_topo_view, failover.term),
    F(mst_topo_view, failover.stood_ms),
    F(mst_topo_view, failover.reason),
    F(mst_topo_view, failover.writable_ms),
    F(mst_topo_view, failover.gap_ms),
    ENUM(mst_topo_view, failover.loss, MST_LOSS_SOME),
    F(mst_topo_view, failover.loss_ms),
    F(mst_topo_view, failover.winner_had),
    F(mst_topo_view, failover.catch_up_ops),
    F(mst_topo_view, failover.back_ms),
    F(mst_topo_view, failover.rollback_ms),
    F(mst_topo_view, failover.rbid_before),
    F(mst_topo_view, failover.rbid_after),
};
DESC(ipc_topo, mst_topo_view);

static const struct field mst_info_part_fields[] = {
    F(mst_info_part, set_label),   F(mst_info_part, set_class),
    F(mst_info_part, may_act),     F(mst_info_part, may_not_why),
    F(mst_info_part, may_switch),  F(mst_info_part, may_not_switch_why),
    F(mst_info_part, read_only),   F(mst_info_part, key_remind),
    F(mst_info_part, agent),       F(mst_info_part, agent_note),
    F(mst_info_part, set_note),    F(mst_info_part, sandbox_ctl),
    F(mst_info_part, config_path), ARRAY(mst_info_part, notes, FT_FIXED, n_notes, 8, &ipc_note),
    F(mst_info_part, notes_at_ms), F(mst_info_part, agent_lost_ms),
};
DESC(ipc_info, mst_info_part);

static const struct field mst_job_fields[] = {
    F(mst_job, id),
    ENUM(mst_job, kind, MST_JOB_THAW),
    ENUM(mst_job, state, MST_JOB_INTERRUPTED),
    F(mst_job, backup_id),
    F(mst_job, target),
    F(mst_job, who),
    F(mst_job, phase),
    F(mst_job, done_bytes),
    F(mst_job, total_bytes),
    F(mst_job, items_done),
    F(mst_job, items_total),
    F(mst_job, rate_bps),
    F(mst_job, eta_ms),
    F(mst_job, stalled_ms),
    F(mst_job, queued_wall_ms),
    F(mst_job, started_wall_ms),
    F(mst_job, ended_wall_ms),
    F(mst_job, result),
    F(mst_job, exit_status),
    ARRAY(mst_job, log, FT_LINES, n_log, MST_JOB_LOG_LINES, NULL),
};
static DESC(ipc_job, mst_job);

static const struct field mst_jobs_part_fields[] = {
    ARRAY(mst_jobs_part, jobs, FT_ROWS, n, 1000, &ipc_job),
};
DESC(ipc_jobs, mst_jobs_part);

static const struct field mst_backup_fields[] = {
    F(mst_backup, id),
    F(mst_backup, kind),
    ENUM(mst_backup, state, MST_BK_UNREAD),
    F(mst_backup, problem),
    F(mst_backup, started_wall_ms),
    F(mst_backup, finished_wall_ms),
    F(mst_backup, first),
    F(mst_backup, last),
    F(mst_backup, data_bytes),
    F(mst_backup, stored_bytes),
    F(mst_backup, documents),
    F(mst_backup, namespaces),
    F(mst_backup, left_out),
    F(mst_backup, source),
    F(mst_backup, server_version),
    F(mst_backup, fcv),
    F(mst_backup, sealed),
    F(mst_backup, is_signed),
    F(mst_backup, unproven),
    F(mst_backup, verified_level),
    F(mst_backup, verified_wall_ms),
    F(mst_backup, verified_ok),
    F(mst_backup, verified_text),
    ENUM(mst_backup, signature, MST_SIGNED_FORGED),
    F(mst_backup, signer),
    F(mst_backup, key_id),
    F(mst_backup, chain),
    F(mst_backup, counter),
    F(mst_backup, attempt),
    F(mst_backup, header_sha),
    F(mst_backup, hold_until_ms),
    F(mst_backup, hold_text),
    F(mst_backup, hold_by),
    F(mst_backup, copied_to),
    F(mst_backup, leftovers),
    F(mst_backup, foreign),
    F(mst_backup, storage_class),
    F(mst_backup, archived),
    F(mst_backup, thawing),
    F(mst_backup, thawed),
    F(mst_backup, thawed_until_ms),
};
static DESC(ipc_backup, mst_backup);

static const struct field mst_backup_change_fields[] = {
    F(mst_backup_change, id),
    ENUM(mst_backup_change, kind, MST_CHANGE_STATE),
    ENUM(mst_backup_change, was, MST_BK_UNREAD),
};
static DESC(ipc_backup_change, mst_backup_change);

static const struct field mst_bucket_part_fields[] = {
    F(mst_bucket_part, store),
    F(mst_bucket_part, kind),
    F(mst_bucket_part, target),
    F(mst_bucket_part, seen),
    F(mst_bucket_part, where),
    F(mst_bucket_part, region),
    F(mst_bucket_part, storage_class),
    F(mst_bucket_part, allow_unsealed),
    F(mst_bucket_part, single_writer),
    F(mst_bucket_part, problem),
    F(mst_bucket_part, problem_rc),
    F(mst_bucket_part, read_at_ms),
    F(mst_bucket_part, loading),
    F(mst_bucket_part, cached),
    F(mst_bucket_part, as_of_wall_ms),
    F(mst_bucket_part, rollback),
    F(mst_bucket_part, free_bytes),
    F(mst_bucket_part, total_bytes),
    F(mst_bucket_part, rebuilt_wall_ms),
    F(mst_bucket_part, compared_wall_ms),
    ARRAY(mst_bucket_part, changes, FT_ROWS, n_changes, 200000, &ipc_backup_change),
    ARRAY(mst_bucket_part, backups, FT_ROWS, n, 100000, &ipc_backup),
    F(mst_bucket_part, backups_bytes),
    F(mst_bucket_part, foreign),
    F(mst_bucket_part, per_day_bytes),
    F(mst_bucket_part, days_left),
};
DESC(ipc_bucket, mst_bucket_part);

static const struct field mst_look_part_fields[] = {
    F(mst_look_part, read_at_ms),    F(mst_look_part, loading), F(mst_look_part, problem),
    F(mst_look_part, versions),      F(mst_look_part, locks),   F(mst_look_part, uploads),
    F(mst_look_part, since_wall_ms), F(mst_look_part, who),     F(mst_look_part, who_until_wall_ms),
};
DESC(ipc_look, mst_look_part);

static const struct field mst_backup_ns_fields[] = {
    F(mst_backup_ns, ns),         F(mst_backup_ns, type),    F(mst_backup_ns, documents),
    F(mst_backup_ns, data_bytes), F(mst_backup_ns, indexes), F(mst_backup_ns, left_out),
};
static DESC(ipc_backup_ns, mst_backup_ns);

static const struct field mst_object_fields[] = {
    F(mst_object, key),           F(mst_object, bytes),           F(mst_object, modified_wall_ms),
    F(mst_object, storage_class), F(mst_object, asked),           F(mst_object, archived),
    F(mst_object, thawing),       F(mst_object, thawed_until_ms),
};
static DESC(ipc_object, mst_object);

static const struct field mst_detail_part_fields[] = {
    F(mst_detail_part, store),
    F(mst_detail_part, id),
    F(mst_detail_part, read_at_ms),
    F(mst_detail_part, loading),
    F(mst_detail_part, problem),
    F(mst_detail_part, problem_rc),
    ARRAY(mst_detail_part, ns, FT_ROWS, n_ns, 1000000, &ipc_backup_ns),
    ARRAY(mst_detail_part, objects, FT_ROWS, n_objects, 1000000, &ipc_object),
    F(mst_detail_part, opens),
    F(mst_detail_part, storage_class),
    F(mst_detail_part, lock_known),
    F(mst_detail_part, lock_mode),
    F(mst_detail_part, locked_until_ms),
    F(mst_detail_part, hold),
    F(mst_detail_part, version),
    F(mst_detail_part, lock_why),
};
DESC(ipc_detail, mst_detail_part);

static const struct field mst_leaving_line_fields[] = {
    F(mst_leaving_line, what),  F(mst_leaving_line, id),   F(mst_leaving_line, by_restore),
    F(mst_leaving_line, store), F(mst_leaving_line, from), F(mst_leaving_line, since_wall_ms),
};
static DESC(ipc_leaving_line, mst_leaving_line);

static const struct field mst_leavings_part_fields[] = {
    ARRAY(mst_leavings_part, items, FT_ROWS, n, 10000, &ipc_leaving_line),
};
DESC(ipc_leavings, mst_leavings_part);

static const struct field mst_message_fields[] = {
    F(mst_message, seq),
    F(mst_message, wall_ms),
    ENUM(mst_message, severity, MST_SEV_CRIT),
    F(mst_message, text),
};
static DESC(ipc_message, mst_message);

static const struct field mst_messages_part_fields[] = {
    ARRAY(mst_messages_part, items, FT_ROWS, n, 1000, &ipc_message),
};
DESC(ipc_messages, mst_messages_part);

static const struct field mst_switch_line_fields[] = {
    F(mst_switch_line, state),
    F(mst_switch_line, from_ms),
    F(mst_switch_line, to_ms),
    F(mst_switch_line, detail),
};
static DESC(ipc_switch_line, mst_switch_line);

static const struct field mst_switch_member_fields[] = {
    F(mst_switch_member, name),  F(mst_switch_member, state),
    F(mst_switch_member, role),  F(mst_switch_member, writable),
    F(mst_switch_member, term),  F(mst_switch_member, applied),
    F(mst_switch_member, at_ms), F(mst_switch_member, held_until_ms),
};
static DESC(ipc_switch_member, mst_switch_member);

static const struct field mst_switch_part_fields[] = {
    F(mst_switch_part, run),
    F(mst_switch_part, job),
    F(mst_switch_part, live),
    F(mst_switch_part, exit),
    F(mst_switch_part, act),
    F(mst_switch_part, from),
    F(mst_switch_part, to),
    F(mst_switch_part, code),
    F(mst_switch_part, who),
    F(mst_switch_part, reason),
    F(mst_switch_part, state),
    F(mst_switch_part, text),
    F(mst_switch_part, at_ms),
    F(mst_switch_part, begun_ms),
    F(mst_switch_part, begun_wall_ms),
    F(mst_switch_part, t0_ms),
    F(mst_switch_part, writable_ms),
    F(mst_switch_part, gap_ms),
    F(mst_switch_part, hard_stop_ms),
    F(mst_switch_part, certificate),
    F(mst_switch_part, certificate_text),
    F(mst_switch_part, probes),
    ARRAY(mst_switch_part, lines, FT_FIXED, n_lines, MST_SWITCH_LINES, &ipc_switch_line),
    ARRAY(mst_switch_part, members, FT_FIXED, n_members, MST_TOPO_MAX, &ipc_switch_member),
    ARRAY(mst_switch_part, problems, FT_CELLS, n_problems, MST_SWITCH_PROBLEMS, NULL),
};
DESC(ipc_move, mst_switch_part);

static const struct field mst_cmd_fields[] = {
    ENUM(mst_cmd, kind, MST_CMD_STORE_LOOK),
    F(mst_cmd, job),
    F(mst_cmd, backup),
    F(mst_cmd, source),
    F(mst_cmd, from_primary),
    F(mst_cmd, rate_bps),
    F(mst_cmd, scans),
    ARRAY(mst_cmd, include, FT_CELLS, n_include, MST_CMD_PATTERNS, NULL),
    ARRAY(mst_cmd, exclude, FT_CELLS, n_exclude, MST_CMD_PATTERNS, NULL),
    F(mst_cmd, target_uri),
    F(mst_cmd, path),
    F(mst_cmd, dry_run),
    F(mst_cmd, reason),
    F(mst_cmd, store),
    F(mst_cmd, to_store),
    F(mst_cmd, until_ms),
    F(mst_cmd, older_ms),
    F(mst_cmd, as_of_ms),
    F(mst_cmd, days),
    F(mst_cmd, member),
    F(mst_cmd, key),
    ENUM(mst_cmd, after, MST_CMD_AFTER_STAY),
    ARRAY(mst_cmd, overrides, FT_CELLS, n_overrides, MST_CMD_OVERRIDES, NULL),
};
DESC(ipc_cmd, mst_cmd);

static const struct field mst_rule_line_fields[] = {
    ENUM(mst_rule_line, result, MST_RULE_REFUSE),
    F(mst_rule_line, name),
    F(mst_rule_line, text),
    F(mst_rule_line, may_override),
};
static DESC(ipc_rule_line, mst_rule_line);

static const struct field mst_ticket_fields[] = {
    {"cmd", FT_SUB, offsetof(struct mst_ticket, cmd), sizeof(struct mst_cmd), 0, 0, &ipc_cmd},
    F(mst_ticket, plan_hash),
    F(mst_ticket, expires_mono_ms),
    F(mst_ticket, refused),
    F(mst_ticket, phrase),
    F(mst_ticket, summary),
    F(mst_ticket, command),
    ARRAY(mst_ticket, rules, FT_ROWS, n_rules, 1000, &ipc_rule_line),
    ARRAY(mst_ticket, steps, FT_LINES, n_steps, 100000, NULL),
    F(mst_ticket, need_bytes),
    F(mst_ticket, free_bytes),
    F(mst_ticket, code),
    ARRAY(mst_ticket, file, FT_LINES, n_file, 1000, NULL),
};
DESC(ipc_ticket, mst_ticket);

static const struct field mst_err_fields[] = {
    ENUM(mst_err, rc, MST_E_BUG),
    F(mst_err, detail),
    F(mst_err, line),
    F(mst_err, msg),
};
DESC(ipc_err, mst_err);
