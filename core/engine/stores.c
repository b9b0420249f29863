#include "engine/stores.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/orphans.h"
#include "cfg/cfg.h"
#include "engine/depot.h"
#include "engine/seals.h"
#include "log/log.h"
#include "store/open.h"
#include "store/s3.h"

#define DAY_MS INT64_C(86400000)
#define LOOK_BACK_MS (30 * DAY_MS)

static enum mst_rc open_one(const struct mst_cfg *cfg, const char *name, struct mst_store **out,
                            struct mst_err *err)
{
    const struct mst_cfg_store *c;

    *out = NULL;
    return mst_cfg_store(cfg, name, &c, err) == MST_OK ? mst_store_open(c, false, out, err)
                                                       : err->rc;
}

/* What the configuration says of it. */
static void say_configured(const struct mst_cfg_store *c, struct mst_store_facts *out)
{
    const bool s3 = strcmp(c->type, "s3") == 0;
    const char *word = c->profile[0] ? c->profile : c->endpoint[0] ? "other" : "aws";
    const struct mst_s3_profile *p = s3 ? mst_s3_profile(word) : NULL;

    (void)mst_copy(out->name, sizeof(out->name), c->name);
    (void)mst_copy(out->kind, sizeof(out->kind), c->type);
    (void)mst_copy(out->region, sizeof(out->region), c->region);
    (void)mst_copy(out->profile, sizeof(out->profile), p ? p->word : "");
    (void)mst_copy(out->known_from, sizeof(out->known_from), p ? p->known_from : "");
    mst_text_sanitise(out->region);
    out->single_writer = c->single_writer;
    out->lock_days = c->lock_days;
    (void)mst_copy(out->lock_mode, sizeof(out->lock_mode),
                   c->lock_days == 0 ? ""
                   : c->lock_mode[0] ? c->lock_mode
                                     : "GOVERNANCE");
    for (size_t i = 0; i < c->tags.n; i++) {
        const size_t n = strlen(out->tags);

        (void)snprintf(out->tags + n, sizeof(out->tags) - n, "%s%s", i ? ", " : "",
                       c->tags.item[i]);
    }
    mst_text_sanitise(out->tags);
    out->allow_unsealed = c->allow_unsealed;
}

/* What the bucket keeps is asked without a write, so also of who may only read. */
static void ask_keeps(struct mst_store *s, bool probed, struct mst_store_facts *out,
                      struct mst_err *err)
{
    const struct mst_store_caps *caps = mst_store_caps(s);
    struct mst_store_keeps keeps = {.versions = caps->versions, .locks = caps->lock};

    if (!out->local && (!probed || caps->unknown)) {
        mst_store_keeps(s, NULL, &keeps);
    }
    out->versions = keeps.versions > 0;
    out->lock = keeps.locks > 0;
    out->versions_known = keeps.versions >= 0;
    out->lock_known = keeps.locks >= 0;
    if (err->rc == MST_OK && keeps.text[0] && !caps->unknown) {
        (void)mst_err_set(err, MST_E_AUTH, "%s", keeps.text);
    }
}

/* Asked with a write; who may not, or does not want to, is told that it is not known. */
static void ask_it(const struct mst_cfg *cfg, struct mst_store *s, struct mst_store_facts *out)
{
    struct mst_err err = {0};
    bool reached = true;

    out->asked = out->local;
    if (!out->local && !cfg->read_only) {
        out->asked = mst_store_probe(s, NULL, &err) == MST_OK;
        reached = err.rc != MST_E_NET && err.rc != MST_E_TIMEOUT && err.rc != MST_E_TLS;
    }
    if (reached) {
        ask_keeps(s, out->asked, out, &err);
    }
    if (!mst_store_who(s, out->who, sizeof(out->who), &out->who_until_ms)) {
        out->who[0] = '\0';
    }
    (void)mst_copy(out->text, sizeof(out->text),
                   err.rc != MST_OK ? err.msg
                   : out->asked     ? mst_store_caps(s)->text
                                    : "");
    mst_text_sanitise(out->who);
    mst_text_sanitise(out->text);
}

enum mst_rc mst_engine_store_facts(const struct mst_cfg *cfg, const char *store,
                                   struct mst_store_facts *out, struct mst_err *err)
{
    const struct mst_cfg_store *c = NULL;
    const struct mst_store_caps *caps;
    struct mst_store *s = NULL;
    enum mst_rc rc = mst_cfg_store(cfg, store, &c, err);

    memset(out, 0, sizeof(*out));
    rc = rc == MST_OK ? mst_store_open(c, !cfg->read_only, &s, err) : rc;
    if (rc != MST_OK) {
        return rc;
    }
    say_configured(c, out);
    (void)mst_copy(out->where, sizeof(out->where), mst_store_where(s));
    mst_text_sanitise(out->where);
    out->local = mst_store_is_local(s);
    ask_it(cfg, s, out);
    caps = mst_store_caps(s);
    out->create_only = caps->create_only;
    out->checksums = caps->checksums;
    out->multipart = caps->multipart;
    out->ranges = caps->ranges;
    out->space = caps->space;
    rc = mst_store_space(s, &out->free_bytes, &out->total_bytes, err);
    mst_store_free(s);
    return rc;
}

struct each {
    mst_store_line_fn *fn;
    void *arg;
};

static void fill(struct mst_store_line *o, const char *key, uint64_t bytes, int64_t modified)
{
    memset(o, 0, sizeof(*o));
    mst_text_clean(o->key, sizeof(o->key), key, strlen(key));
    o->bytes = bytes;
    o->modified_wall_ms = modified;
}

static bool see(void *arg, const struct mst_store_item *item)
{
    const struct each *e = arg;
    struct mst_store_line o;

    fill(&o, item->key, item->bytes, item->modified_wall_ms);
    mst_text_clean(o.storage_class, sizeof(o.storage_class), item->storage_class,
                   strlen(item->storage_class));
    return e->fn(e->arg, &o);
}

enum mst_rc mst_engine_store_ls(const struct mst_cfg *cfg, const char *store, const char *prefix,
                                mst_store_line_fn *fn, void *arg, uint64_t *left_out,
                                struct mst_err *err)
{
    struct each e = {fn, arg};
    struct mst_store *s;
    enum mst_rc rc;

    *left_out = 0;
    if (open_one(cfg, store, &s, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_store_left_out_take();
    rc = mst_store_list(s, prefix, see, &e, NULL, err);
    *left_out = mst_store_left_out_take();
    mst_store_free(s);
    return rc;
}

static void log_warning(void *arg, const char *text)
{
    (void)arg;
    mst_log(MST_LOG_WARN, "store", "%s", text);
}

enum mst_rc mst_engine_store_orphans(const struct mst_cfg *cfg, const char *store, const char *set,
                                     int64_t older_ms, mst_store_line_fn *fn, void *arg,
                                     struct mst_orphan_sum *sum, struct mst_err *err)
{
    const int64_t now = mst_clock_utc_ms(NULL);
    struct mst_orphans all = {0};
    struct mst_trust trust = {0};
    struct mst_catalog c;
    struct mst_store *s;
    enum mst_rc rc = open_one(cfg, store, &s, err);

    memset(sum, 0, sizeof(*sum));
    rc = rc == MST_OK ? mst_catalog_init(&c, s, "", set, err) : rc;
    mst_seal_trust_of(cfg, &trust, log_warning, NULL); /* who is not known is not believed */
    c.trust = &trust;
    (void)mst_store_left_out_take();
    rc = rc == MST_OK ? mst_orphans_find(&c, now - older_ms, now, NULL, &all, err) : rc;
    for (size_t i = 0; rc == MST_OK && i < all.n; i++) {
        struct mst_store_line o;

        fill(&o, all.items[i].key, all.items[i].bytes, all.items[i].modified_wall_ms);
        (void)mst_copy(o.what, sizeof(o.what), mst_orphan_word(all.items[i].kind));
        if (!fn(arg, &o)) {
            break;
        }
    }
    sum->left_out = mst_store_left_out_take();
    sum->n = all.n;
    sum->foreign = all.foreign;
    sum->young = all.young;
    sum->held = all.held;
    sum->doubtful = all.doubtful;
    sum->bytes = all.bytes;
    mst_orphans_release(&all);
    mst_store_free(s);
    return rc;
}

void mst_usage_of(const struct mst_bucket_part *p, int64_t now_wall_ms, struct mst_usage *out)
{
    int64_t first = INT64_MAX;
    uint64_t recent = 0;
    size_t n = 0;

    memset(out, 0, sizeof(*out));
    out->per_day_bytes = out->days_left = -1;
    for (size_t i = 0; i < p->n; i++) {
        const struct mst_backup *b = &p->backups[i];

        out->backups_bytes += b->stored_bytes;
        if (b->state != MST_BK_FOREIGN && b->started_wall_ms >= now_wall_ms - LOOK_BACK_MS &&
            b->started_wall_ms <= now_wall_ms) {
            recent += b->stored_bytes;
            first = b->started_wall_ms < first ? b->started_wall_ms : first;
            n++;
        }
    }
    if (n < 2 || now_wall_ms - first < DAY_MS) {
        return; /* one backup says nothing about a rate */
    }
    out->per_day_bytes = (int64_t)((double)recent / ((double)(now_wall_ms - first) / DAY_MS));
    if (p->free_bytes > 0 && out->per_day_bytes > 0) {
        out->days_left = (int64_t)(p->free_bytes / (uint64_t)out->per_day_bytes);
    }
}
