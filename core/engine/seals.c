#include "engine/seals.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "catalog/seen.h"
#include "engine/keyring.h"
#include "log/log.h"

/* --- who is believed -------------------------------------------------------------------------- */

void mst_seal_trust_of(const struct mst_cfg *cfg, struct mst_trust *t,
                       void (*say)(void *arg, const char *text), void *arg)
{
    struct mst_keyfile own;
    struct mst_err err = {0};
    uint8_t pub[32];
    char label[64];

    for (size_t i = 0; i < cfg->seal.trusted.n; i++) {
        if (mst_cfg_pub(cfg->seal.trusted.item[i], MST_KEY_SIGNER, pub, label, &err) == MST_OK &&
            mst_trust_add(t, pub, label, &err) != MST_OK) {
            say(arg, err.msg);
        }
    }
    if (!cfg->seal.signer_file[0]) {
        return;
    }
    if (mst_keyfile_read(cfg->seal.signer_file, &own, NULL, &err) != MST_OK) {
        mst_err_prefix(&err, "the signing key is not there");
        say(arg, err.msg);
    } else if (own.kind == MST_KEY_SIGNER && mst_trust_add(t, own.pub, own.label, &err) != MST_OK) {
        say(arg, err.msg);
    }
}

static void say_warning(void *arg, const char *text)
{
    mst_say(arg, MST_SEV_WARN, "%s", text);
}

void mst_seal_trust(struct local *l)
{
    mst_seal_trust_of(l->cfg, &l->trust, say_warning, l);
}

void mst_seal_remind(struct local *l)
{
    struct mst_keyring *k = mst_xcalloc(1, sizeof(*k));
    bool news;

    if (mst_keyring_reminds(l->cfg)) {
        mst_keyring_list(l->cfg, mst_clock_utc_ms(NULL), k);
    }
    mst_mutex_lock(&l->mtx);
    news = strcmp(l->key_remind, k->remind) != 0;
    (void)mst_copy(l->key_remind, sizeof(l->key_remind), k->remind);
    l->notes_changed = l->notes_changed || news;
    mst_mutex_unlock(&l->mtx);
    if (news && k->remind[0]) {
        mst_say(l, MST_SEV_WARN, "%s", k->remind);
    } else if (news) {
        mst_wake_signal(&l->stir);
    }
    free(k);
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum mst_rc by_program(void *arg, const struct mst_wrap_slot *slot, struct mst_data_key *out,
                              struct mst_err *err)
{
    return mst_cfg_unwrap(arg, slot, out, err);
}

/* The secret of the identity is read only when a slot is for it. */
static enum mst_rc load_identity(struct local *l, const struct mst_key_object *k,
                                 struct mst_identity *out, bool *has, struct mst_err *err)
{
    const struct mst_cfg *cfg = l->cfg;
    struct mst_keyfile info;

    *has = false;
    if (!cfg->seal.identity_file[0]) {
        return MST_OK;
    }
    if (mst_keyfile_read(cfg->seal.identity_file, &info, NULL, err) != MST_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < k->n && !*has; i++) {
        *has = k->slots[i].kind == MST_WRAP_X25519 && strcmp(k->slots[i].recipient, info.id) == 0;
    }
    return *has ? mst_cfg_identity(cfg, l->o.ask, l->o.ask_arg, out, err) : MST_OK;
}

static enum mst_rc load_phrase(struct local *l, const struct mst_key_object *k,
                               struct mst_secret *out, struct mst_err *err)
{
    bool wanted = false;

    for (size_t i = 0; i < k->n; i++) {
        wanted = wanted || k->slots[i].kind == MST_WRAP_SCRYPT;
    }
    if (!wanted || !l->cfg->seal.passphrase_file[0]) {
        return MST_OK;
    }
    if (mst_secret_from_file(out, l->cfg->seal.passphrase_file, err) == MST_OK) {
        mst_log_redact(out);
    }
    return err->rc;
}

static enum mst_rc unlock(void *arg, const struct mst_key_object *k, struct mst_data_key *out,
                          struct mst_err *err)
{
    struct local *l = arg;
    struct mst_identity identity = {0};
    struct mst_secret phrase = {0};
    struct mst_key_means means = {0};
    bool has = false;
    enum mst_rc rc = load_identity(l, k, &identity, &has, err);

    rc = rc == MST_OK ? load_phrase(l, k, &phrase, err) : rc;
    if (rc == MST_E_AUTH) {
        err->detail = MST_KEY_FAILED; /* it is for one of the slots */
    }
    if (rc == MST_OK) {
        means.identity = has ? &identity : NULL;
        means.phrase = phrase.p ? &phrase : NULL;
        if (l->cfg->seal.unwrap_command.n) {
            means.unwrap = by_program;
            means.unwrap_arg = (void *)(uintptr_t)l->cfg;
        }
        rc = mst_key_object_open(k, &means, out, err);
    }
    mst_identity_release(&identity);
    mst_secret_release(&phrase);
    return rc;
}

void mst_seal_catalog(struct local *l, struct mst_catalog *c)
{
    c->trust = &l->trust;
    c->unlock = unlock;
    c->unlock_arg = l;
}

/* --- writing ---------------------------------------------------------------------------------- */

enum mst_rc mst_seals_sign(struct local *l, struct mst_catalog *c, struct seals *s,
                           struct mst_err *err)
{
    memset(s, 0, sizeof(*s));
    if (!l->cfg->seal.signer_file[0]) {
        return MST_OK;
    }
    if (mst_cfg_signer(l->cfg, l->o.ask, l->o.ask_arg, &s->signer, err) != MST_OK) {
        return err->rc;
    }
    c->signer = &s->signer;
    return MST_OK;
}

/* Where the way back is configured too, it is gone at once: a program that prints rubbish is found
 * out before there is a backup that nobody opens. */
static enum mst_rc wrap(void *arg, const struct mst_data_key *key, struct mst_wrap_slot *out,
                        struct mst_err *err)
{
    const struct mst_cfg *cfg = arg;
    struct mst_data_key back = {0};
    enum mst_rc rc = mst_cfg_wrap(cfg, key, out, err);

    if (rc != MST_OK || cfg->seal.unwrap_command.n == 0) {
        return rc;
    }
    rc = mst_cfg_unwrap(cfg, out, &back, err);
    if (rc != MST_OK) {
        mst_err_prefix(err, "what the wrap command %s printed does not open again",
                       cfg->seal.wrap_command.item[0]);
    } else if (memcmp(back.p, key->p, MST_DATA_KEY_LEN) != 0) {
        rc = mst_err_set(err, MST_E_AUTH,
                         "the unwrap command %s makes another key of what the wrap command %s "
                         "printed",
                         cfg->seal.unwrap_command.item[0], cfg->seal.wrap_command.item[0]);
    }
    mst_data_key_release(&back);
    return rc;
}

enum mst_rc mst_seals_readers(struct local *l, struct seals *s, struct mst_err *err)
{
    const struct mst_cfg *cfg = l->cfg;
    struct mst_readers *r = &s->readers;

    for (size_t i = 0; i < cfg->seal.recipients.n; i++) {
        if (mst_cfg_pub(cfg->seal.recipients.item[i], MST_KEY_RECIPIENT, r->to[i].pub,
                        r->to[i].label, err) != MST_OK) {
            return err->rc;
        }
        r->n++;
    }
    if (cfg->seal.passphrase_file[0]) {
        if (mst_secret_from_file(&s->phrase, cfg->seal.passphrase_file, err) != MST_OK) {
            return err->rc;
        }
        mst_log_redact(&s->phrase);
        if (s->phrase.len < MST_KEYRING_PHRASE_MIN) { /* whoever reads the store may guess */
            return mst_err_set(err, MST_E_CONFIG,
                               "the passphrase in %s has %zu characters: it needs %d at least, and "
                               "a few words are better",
                               cfg->seal.passphrase_file, s->phrase.len, MST_KEYRING_PHRASE_MIN);
        }
        r->phrase = &s->phrase;
    }
    if (cfg->seal.wrap_command.n) {
        r->wrap = wrap;
        r->wrap_arg = (void *)(uintptr_t)cfg;
    }
    s->sealed = r->n > 0 || r->phrase || r->wrap;
    return MST_OK;
}

enum mst_rc mst_seal_allowed(bool sealed, bool local_store, bool allow_unsealed, const char *store,
                             struct mst_err *err)
{
    if (sealed || local_store || allow_unsealed) {
        return MST_OK;
    }
    return mst_err_set(err, MST_E_PRECOND,
                       "the store %s is not on this host and the backup would be UNSEALED: name "
                       "who may read it (seal.recipients), or let the store say allow_unsealed",
                       store);
}

enum mst_rc mst_seal_store_ok(struct local *l, bool sealed, const struct mst_store *store,
                              struct mst_err *err)
{
    bool allow = false;

    for (size_t i = 0; i < l->cfg->n_stores; i++) {
        const struct mst_cfg_store *s = &l->cfg->stores[i];

        allow = allow || (s->allow_unsealed && strcmp(s->name, mst_store_name(store)) == 0);
    }
    return mst_seal_allowed(sealed, mst_store_is_local(store), allow, mst_store_name(store), err);
}

bool mst_seal_wanted(const struct mst_cfg *cfg)
{
    return cfg->seal.recipients.n > 0 || cfg->seal.passphrase_file[0] ||
           cfg->seal.wrap_command.n > 0;
}

enum mst_rc mst_seals_open(struct local *l, struct mst_catalog *c, struct seals *s,
                           struct mst_err *err)
{
    return mst_seals_sign(l, c, s, err) == MST_OK ? mst_seals_readers(l, s, err) : err->rc;
}

void mst_seals_release(struct seals *s)
{
    mst_secret_release(&s->phrase);
    mst_sign_key_release(&s->signer);
}

/* --- what was seen ---------------------------------------------------------------------------- */

uint64_t mst_seal_seen(struct local *l, const char *set, const char *store)
{
    const struct mst_cache_key key = {set, store, ""};
    struct mst_seen seen = {0};
    struct mst_err err = {0};

    if (l->db && mst_seen_load(l->db, &key, &seen, &err) != MST_OK && err.rc != MST_E_NOTFOUND) {
        mst_say(l, MST_SEV_WARN, "%s", err.msg);
    }
    return seen.counter;
}

void mst_seal_rollback(struct local *l, const struct mst_catalog *c, struct mst_task *task,
                       char out[280])
{
    const struct mst_cache_key key = {c->set, mst_store_name(c->store), ""};
    struct mst_seen seen = {0};
    struct mst_err ignore = {0};
    struct mst_before now;

    out[0] = '\0';
    if (l->trust.n == 0) {
        return; /* no number is believed: the newest one that is signed is not known */
    }
    if (l->db && mst_seen_load(l->db, &key, &seen, &ignore) == MST_OK &&
        mst_catalog_before(c, "~", task, &now, &ignore) == MST_OK) { /* behind every id */
        mst_rollback_judge(seen.counter, seen.id, now.counter, out);
    }
}

/* What was seen may be one whose COMMIT cannot be read now: then nothing can be said. */
static bool asleep_since(const struct mst_bucket_part *p, const char *id)
{
    for (size_t i = 0; i < p->n; i++) {
        const enum mst_backup_state state = p->backups[i].state;

        if ((state == MST_BK_ARCHIVED || state == MST_BK_UNREAD) &&
            strcmp(p->backups[i].id, id) >= 0) {
            return true;
        }
    }
    return false;
}

void mst_seal_look(struct local *l, const char *set, struct mst_bucket_part *p)
{
    const struct mst_cache_key key = {set, p->store, ""};
    const struct mst_backup *newest = NULL;
    struct mst_seen seen = {0};
    struct mst_err err = {0};
    enum mst_rc rc;

    for (size_t i = 0; i < p->n; i++) {
        if (p->backups[i].signature == MST_SIGNED_GOOD &&
            (!newest || p->backups[i].counter > newest->counter)) {
            newest = &p->backups[i];
        }
    }
    if (!l->db || l->trust.n == 0) { /* where no number is believed, none went back */
        return;
    }
    rc = mst_seen_load(l->db, &key, &seen, &err);
    if (rc == MST_OK && !asleep_since(p, seen.id)) {
        mst_rollback_judge(seen.counter, seen.id, newest ? newest->counter : 0, p->rollback);
    }
    if (p->rollback[0]) {
        mst_say(l, MST_SEV_CRIT, "%s", p->rollback);
    } else if (newest && (rc == MST_OK || rc == MST_E_NOTFOUND)) {
        rc = mst_seen_save(l->db, &key, newest->id, newest->counter, &err);
    }
    if (rc != MST_OK && rc != MST_E_NOTFOUND) {
        mst_say(l, MST_SEV_WARN, "%s", err.msg);
    }
}
