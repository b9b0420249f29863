/* The store's backups as text and JSON, with where that is known from and how old it is. */
#include "show_store.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "json.h"

void show_as_of(const struct mst_bucket_part *b, int64_t now_wall_ms, struct mst_str *s)
{
    char day[MST_TIME_MAX], age[MST_HUMAN_MAX];
    const int64_t ms = now_wall_ms - b->as_of_wall_ms;

    mst_str_addf(s, "as of %s, %s ago, from the local cache", mst_time_iso(b->as_of_wall_ms, day),
                 mst_text_duration(ms > 0 ? ms : 0, age));
}

static void json_origin(const struct mst_bucket_part *b, int64_t now_wall_ms, struct mst_str *s)
{
    js_text(s, "origin", b->as_of_wall_ms == 0 ? "" : b->cached ? "cache" : "store");
    js_time(s, "as_of", b->as_of_wall_ms);
    js_age(s, "age_ms", now_wall_ms, b->as_of_wall_ms);
}

static void json_backup(const struct mst_backup *b, struct mst_str *s)
{
    js_text(s, "id", b->id);
    js_text(s, "kind", b->kind);
    js_text(s, "state", mst_backup_state_word(b->state));
    js_text(s, "problem", b->problem);
    js_time(s, "started", b->started_wall_ms);
    js_time(s, "finished", b->finished_wall_ms);
    js_text(s, "source", b->source);
    js_text(s, "server_version", b->server_version);
    js_text(s, "fcv", b->fcv);
    js_int(s, "data_bytes", (int64_t)b->data_bytes);
    js_int(s, "stored_bytes", (int64_t)b->stored_bytes);
    js_int(s, "documents", (int64_t)b->documents);
    js_int(s, "namespaces", b->namespaces);
    js_int(s, "left_out", b->left_out);
    js_int(s, "consistent_at_t", b->last.ts.t);
    js_int(s, "consistent_at_i", b->last.ts.i);
    js_bool(s, "sealed", b->sealed);
    js_bool(s, "signed", b->is_signed);
    js_text(s, "signature", mst_signed_word(b->signature));
    js_text(s, "signer", b->signer);
    js_int(s, "counter", (int64_t)b->counter);
    js_text(s, "key_id", b->key_id);
    js_text(s, "chain", b->chain);
    js_bool(s, "unproven", b->unproven);
    js_int(s, "verified_level", b->verified_level);
    js_bool(s, "verified_ok", b->verified_ok);
    js_time(s, "verified", b->verified_wall_ms);
    js_text(s, "copied_to", b->copied_to);
    js_bool(s, "held", b->hold_until_ms != 0);
    js_time(s, "held_until", b->hold_until_ms == MST_HOLD_EVER ? 0 : b->hold_until_ms);
    js_text(s, "held_why", b->hold_text);
    js_text(s, "held_by", b->hold_by);
    js_int(s, "leftovers", b->leftovers);
    js_text(s, "storage_class", b->storage_class);
    js_int(s, "archived_objects", b->archived);
    js_int(s, "thawing_objects", b->thawing);
    js_int(s, "thawed_objects", b->thawed);
    js_time(s, "thawed_until", b->thawed_until_ms);
}

static void line_hold(const struct mst_backup *b, int64_t now_wall_ms, struct mst_str *s)
{
    char until[MST_TIME_MAX];

    if (b->hold_until_ms > now_wall_ms) {
        mst_str_addf(s, ", HELD%s%s", b->hold_until_ms == MST_HOLD_EVER ? "" : " until ",
                     b->hold_until_ms == MST_HOLD_EVER ? ""
                                                       : mst_time_iso(b->hold_until_ms, until));
    }
    if (b->copied_to[0]) {
        mst_str_addf(s, ", copied to %s", b->copied_to);
    }
}

static void line_backup(const struct mst_backup *b, int64_t now_wall_ms, struct mst_str *s)
{
    char data[MST_HUMAN_MAX], stored[MST_HUMAN_MAX], trust[160], checked[48];
    char class[160];

    if (b->verified_wall_ms == 0 || !b->verified_ok) {
        (void)mst_copy(checked, sizeof(checked),
                       b->verified_wall_ms == 0 ? "not verified" : "READ BACK, DAMAGED");
    } else {
        (void)snprintf(checked, sizeof(checked), "%s, good", mst_backup_level_words(b));
    }
    (void)mst_backup_trust_words(b, trust);
    mst_str_addf(s, "%-28s %-10s %9s %9s %10llu  %s%s%s%s", b->id, mst_backup_state_word(b->state),
                 mst_text_bytes(b->data_bytes, data), mst_text_bytes(b->stored_bytes, stored),
                 (unsigned long long)b->documents, checked, trust[0] ? ", " : "", trust,
                 b->unproven ? ", unproven" : "");
    line_hold(b, now_wall_ms, s);
    if (strcmp(b->storage_class, "STANDARD") != 0 && b->storage_class[0]) {
        mst_str_addf(s, ", %s", mst_backup_class_words(b, class));
    }
    mst_str_addf(s, "%s%s%s%s\n", b->problem[0] ? ", " : "", b->problem,
                 b->chain[0] ? ", WARNING: " : "", b->chain);
}

void show_backup(const struct mst_backup *b, const struct mst_bucket_part *from,
                 int64_t now_wall_ms, bool json, struct mst_str *s)
{
    if (json) {
        js_begin(s, "backup", now_wall_ms);
        js_text(s, "store", from->store);
        json_backup(b, s);
        json_origin(from, now_wall_ms, s);
        js_end(s);
    } else {
        line_backup(b, now_wall_ms, s);
    }
}

/* --- status ----------------------------------------------------------------------------------- */

static const struct mst_backup *newest_good(const struct mst_bucket_part *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->backups[i].state == MST_BK_COMPLETE || b->backups[i].state == MST_BK_PARTIAL) {
            return &b->backups[i];
        }
    }
    return NULL;
}

static size_t in_state(const struct mst_bucket_part *b, enum mst_backup_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++) {
        n += b->backups[i].state == state;
    }
    return n;
}

void show_store_json(const struct mst_bucket_part *b, int64_t now_wall_ms, struct mst_str *s)
{
    const struct mst_backup *good = b ? newest_good(b) : NULL;

    if (!b) {
        js_text(s, "backups", "");
        return;
    }
    js_open(s, "backups", '{');
    js_text(s, "store", b->store);
    js_text(s, "where", b->where);
    js_text(s, "problem", b->problem);
    js_text(s, "rollback", b->rollback);
    js_bool(s, "reading", b->loading);
    json_origin(b, now_wall_ms, s);
    js_known(s, "n", b->as_of_wall_ms ? (int64_t)b->n : -1);
    js_known(s, "damaged", b->as_of_wall_ms ? (int64_t)in_state(b, MST_BK_DAMAGED) : -1);
    js_known(s, "forged", b->as_of_wall_ms ? (int64_t)in_state(b, MST_BK_FORGED) : -1);
    js_text(s, "last_good", good ? good->id : "");
    js_text(s, "state", good ? mst_backup_state_word(good->state) : "");
    js_time(s, "verified", good ? good->verified_wall_ms : 0);
    js_close(s, '}');
}

/* "last good 2026-..., read back 3 h ago"; what is cached is in the past tense. */
static void newest(const struct mst_bucket_part *b, int64_t now, struct mst_str *s)
{
    const struct mst_backup *good = newest_good(b);
    const size_t bad = in_state(b, MST_BK_DAMAGED), forged = in_state(b, MST_BK_FORGED);
    char age[MST_HUMAN_MAX];

    mst_str_addf(s, "%zu in %s, %s%s%s", b->n, b->store,
                 b->cached ? "the last good was " : "last good ", good ? good->id : "none",
                 good && good->state == MST_BK_PARTIAL ? " (PARTIAL)" : "");
    if (good && good->verified_wall_ms) {
        const int64_t ms = now - good->verified_wall_ms;

        mst_str_addf(s, ", %s %s ago", mst_backup_level_words(good),
                     mst_text_duration(ms > 0 ? ms : 0, age));
    } else if (good) {
        mst_str_add(s, b->cached ? ", not verified then" : ", not verified");
    }
    if (bad > 0) {
        mst_str_addf(s, ", %zu DAMAGED", bad);
    }
    if (forged > 0) {
        mst_str_addf(s, ", %zu FORGED", forged);
    }
}

void show_store(const struct mst_bucket_part *b, int64_t now_wall_ms, const char *end,
                struct mst_str *s)
{
    if (!b) {
        return;
    }
    if (b->problem[0]) {
        mst_str_addf(s, "the store cannot be read: %s%s", b->problem, end);
    }
    if (b->rollback[0]) {
        mst_str_addf(s, "WARNING: %s%s", b->rollback, end);
    }
    if (b->as_of_wall_ms == 0) {
        mst_str_addf(s, "backups: %s%s", b->loading ? "the store is being read" : "not known", end);
        return;
    }
    mst_str_add(s, "backups: ");
    if (b->cached) {
        show_as_of(b, now_wall_ms, s);
        mst_str_add(s, b->loading ? " (the store is being read): " : ": ");
    }
    newest(b, now_wall_ms, s);
    mst_str_add(s, end);
}
