#include "engine/takeout_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "log/log.h"

/* ---- whom to believe ---- */

static enum mst_rc believe(struct mst_takeout_keys *k, const char *item, struct mst_err *err)
{
    uint8_t pub[32];
    char label[64];

    if (mst_cfg_pub(item, MST_KEY_SIGNER, pub, label, err) != MST_OK) {
        return err->rc;
    }
    return mst_trust_add(&k->trust, pub, label, err);
}

/* This host's own signatures are believed where others are named; a file that cannot be read means
 * that less is believed. */
static enum mst_rc believe_own(struct mst_takeout_keys *k, struct mst_err *err)
{
    struct mst_keyfile own;
    struct mst_err ignored = {0};

    if (!k->trust.n || !k->cfg || !k->cfg->seal.signer_file[0] ||
        mst_keyfile_read(k->cfg->seal.signer_file, &own, NULL, &ignored) != MST_OK ||
        own.kind != MST_KEY_SIGNER) {
        return MST_OK;
    }
    return mst_trust_add(&k->trust, own.pub, own.label, err);
}

enum mst_rc mst_takeout_keys_init(struct mst_takeout_keys *k, const struct mst_cfg *cfg,
                                  const struct mst_takeout *t, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    memset(k, 0, sizeof(*k));
    k->cfg = cfg;
    k->t = t;
    for (size_t i = 0; rc == MST_OK && i < t->n_signers; i++) {
        rc = believe(k, t->signers[i], err);
        if (rc != MST_OK) {
            mst_err_prefix(err, "--signer");
        }
    }
    for (size_t i = 0; rc == MST_OK && cfg && i < cfg->seal.trusted.n; i++) {
        rc = believe(k, cfg->seal.trusted.item[i], err);
    }
    return rc == MST_OK ? believe_own(k, err) : rc;
}

void mst_takeout_keys_release(struct mst_takeout_keys *k)
{
    mst_data_key_release(&k->kept);
}

enum mst_rc mst_takeout_keys_allow(const struct mst_takeout_keys *k, const char *id,
                                   const struct mst_judgement *j, struct mst_err *err)
{
    if (!k->trust.n || j->how == MST_SIGNED_GOOD) {
        return MST_OK;
    }
    if (j->how == MST_SIGNED_FORGED) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s is FORGED: %s", id, j->why);
    }
    return mst_err_set(err, MST_E_PRECOND, "%s is UNSIGNED, and %s who must have signed it", id,
                       k->t->n_signers ? "--signer says"
                                       : "seal.trusted in the configuration says");
}

/* ---- what opens ---- */

static enum mst_rc phrase(const struct mst_takeout *t, const char *what, struct mst_secret *out,
                          struct mst_err *err)
{
    enum mst_rc rc;

    if (t->passphrase_file) {
        rc = mst_secret_from_file(out, t->passphrase_file, err);
    } else if (t->ask) {
        rc = t->ask(t->ask_arg, what, out, err);
    } else {
        rc = mst_err_set(err, MST_E_AUTH,
                         "the %s is needed: name a file with it by --passphrase-file", what);
    }
    if (rc == MST_OK) {
        mst_log_redact(out);
    }
    return rc;
}

/* The wrong file is named: whose it is, and whose it had to be. */
static enum mst_rc not_for(const struct mst_takeout *t, const struct mst_key_object *k,
                           const struct mst_keyfile *info, struct mst_err *err)
{
    struct mst_str who = {0};

    mst_key_object_who(k, &who);
    (void)mst_err_set(
        err, MST_E_AUTH, "%.200s is the key %.8s%s%s, which does not open it: that takes %.400s",
        t->key_file, info->id, info->label[0] ? " of " : "", info->label, mst_str_c(&who));
    mst_str_release(&who);
    return err->rc;
}

static bool is_among(const struct mst_key_object *k, const char *id)
{
    size_t i = 0;

    while (i < k->n && strcmp(k->slots[i].recipient, id) != 0) {
        i++;
    }
    return i < k->n;
}

static enum mst_rc by_key_file(const struct mst_takeout *t, const struct mst_key_object *k,
                               struct mst_data_key *out, struct mst_err *err)
{
    struct mst_keyfile info;
    struct mst_identity who = {0};
    struct mst_secret s = {0};
    struct mst_key_means means = {.identity = &who};
    char what[300];
    enum mst_rc rc = mst_keyfile_read(t->key_file, &info, NULL, err);

    if (rc == MST_OK && info.kind == MST_KEY_RECIPIENT && !is_among(k, info.id)) {
        rc = not_for(t, k, &info, err); /* before a passphrase is asked in vain */
    }
    if (rc == MST_OK && info.locked) {
        (void)snprintf(what, sizeof(what), "passphrase of %.270s", t->key_file);
        rc = phrase(t, what, &s, err);
    }
    rc = rc == MST_OK ? mst_keyfile_identity(t->key_file, &s, &who, err) : rc;
    rc = rc == MST_OK ? mst_key_object_open(k, &means, out, err) : rc;
    mst_identity_release(&who);
    mst_secret_release(&s);
    return rc;
}

static enum mst_rc by_phrase(const struct mst_takeout *t, const struct mst_key_object *k,
                             struct mst_data_key *out, struct mst_err *err)
{
    struct mst_secret s = {0};
    struct mst_key_means means = {.phrase = &s};
    char what[MST_ID_MAX + 32];
    enum mst_rc rc;

    (void)snprintf(what, sizeof(what), "passphrase of %s", k->id);
    rc = phrase(t, what, &s, err);
    rc = rc == MST_OK ? mst_key_object_open(k, &means, out, err) : rc;
    mst_secret_release(&s);
    return rc;
}

static bool has(const struct mst_key_object *k, enum mst_wrap_kind kind)
{
    size_t i = 0;

    while (i < k->n && k->slots[i].kind != kind) {
        i++;
    }
    return i < k->n;
}

static enum mst_rc unwrap(void *arg, const struct mst_wrap_slot *slot, struct mst_data_key *out,
                          struct mst_err *err)
{
    return mst_cfg_unwrap(arg, slot, out, err);
}

/* Is a slot for the key in this file? Its passphrase is asked for only then. */
static bool is_for(const struct mst_key_object *k, const char *file)
{
    struct mst_keyfile info;
    struct mst_err ignored = {0};

    if (mst_keyfile_read(file, &info, NULL, &ignored) != MST_OK) {
        return true; /* to be said where it is opened */
    }
    return is_among(k, info.id);
}

/* What the configuration of this host can open. */
static enum mst_rc by_config(const struct mst_takeout_keys *k, const struct mst_key_object *o,
                             struct mst_data_key *out, struct mst_err *err)
{
    struct mst_cfg *cfg = (struct mst_cfg *)(uintptr_t)k->cfg;
    struct mst_identity who = {0};
    struct mst_secret s = {0};
    struct mst_key_means means = {0};
    enum mst_rc rc = MST_OK;

    if (cfg->seal.identity_file[0] && is_for(o, cfg->seal.identity_file)) {
        rc = mst_cfg_identity(cfg, k->t->ask, k->t->ask_arg, &who, err);
        means.identity = &who;
    }
    if (rc == MST_OK && cfg->seal.passphrase_file[0] && has(o, MST_WRAP_SCRYPT)) {
        rc = mst_secret_from_file(&s, cfg->seal.passphrase_file, err);
        means.phrase = &s;
    }
    if (cfg->seal.unwrap_command.n) {
        means.unwrap = unwrap;
        means.unwrap_arg = cfg;
    }
    rc = rc == MST_OK ? mst_key_object_open(o, &means, out, err) : rc;
    mst_identity_release(&who);
    mst_secret_release(&s);
    return rc;
}

static enum mst_rc open_it(const struct mst_takeout_keys *k, const struct mst_key_object *o,
                           struct mst_data_key *out, struct mst_err *err)
{
    static const struct mst_key_means nothing = {0};

    if (k->t->key_file) {
        return by_key_file(k->t, o, out, err);
    }
    if (k->t->passphrase_file) {
        return by_phrase(k->t, o, out, err);
    }
    if (k->cfg && (k->cfg->seal.identity_file[0] || k->cfg->seal.passphrase_file[0] ||
                   k->cfg->seal.unwrap_command.n)) {
        return by_config(k, o, out, err);
    }
    if (k->t->ask && has(o, MST_WRAP_SCRYPT)) {
        return by_phrase(k->t, o, out, err);
    }
    if (mst_key_object_open(o, &nothing, out, err) != MST_OK && err->rc == MST_E_AUTH) {
        const struct mst_err why = *err;

        return mst_err_set(err, MST_E_AUTH,
                           "%.380s; give it with --key FILE or --passphrase-file "
                           "FILE",
                           why.msg);
    }
    return err->rc;
}

static enum mst_rc unlock(void *arg, const struct mst_key_object *o, struct mst_data_key *out,
                          struct mst_err *err)
{
    struct mst_takeout_keys *k = arg;

    if (k->kept.p && strcmp(k->kept_id, o->key_id) == 0) {
        mst_data_key_set(out, k->kept.p);
        return MST_OK;
    }
    if (open_it(k, o, out, err) != MST_OK) {
        return err->rc;
    }
    mst_data_key_release(&k->kept);
    mst_data_key_set(&k->kept, out->p);
    (void)mst_copy(k->kept_id, sizeof(k->kept_id), o->key_id);
    return MST_OK;
}

void mst_takeout_keys_use(struct mst_takeout_keys *k, struct mst_catalog *c)
{
    c->trust = &k->trust;
    c->unlock = unlock;
    c->unlock_arg = k;
}
