#include "engine/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/credential.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypt/locked.h"
#include "crypt/paper.h"
#include "db/db.h"
#include "engine/inner.h"
#include "engine/keep.h"

#define RAW 32U
#define DAY_MS INT64_C(86400000)
#define TYPED_TRIES 3

void mst_keyring_process(void)
{
    mst_locked_process();
}

/* A file that is not there yet: it appears whole, under its name, or not at all. */
static enum mst_rc write_new(const char *path, const struct mst_str *text, struct mst_err *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    char why[128];
    enum mst_rc rc;

    if (fd < 0 && errno == EEXIST) {
        return mst_err_set(err, MST_E_EXISTS,
                           "%s is there already, and a key is never overwritten: name another file",
                           path);
    }
    if (fd < 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot make the key file %s: %s", path,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    rc = mst_fd_write(fd, text->p, text->len, path, err);
    if (rc == MST_OK && fsync(fd) != 0) {
        rc = mst_err_set_detail(err, MST_E_IO, errno, "cannot sync %s: %s", path,
                                mst_errno_text(errno, why, sizeof(why)));
    }
    (void)close(fd);
    if (rc == MST_OK) { /* its name too: backups will depend on it */
        rc = mst_dir_sync_parent(path, err);
    }
    if (rc != MST_OK) {
        (void)unlink(path);
    }
    return rc;
}

static enum mst_rc make_of(enum mst_key_kind kind, const uint8_t *secret, const char *path,
                           const char *label, const struct mst_secret *phrase,
                           struct mst_keyfile *out, struct mst_err *err)
{
    struct mst_str text = {0};
    enum mst_rc rc = MST_OK;

    if (phrase && phrase->p && phrase->len < MST_KEYRING_PHRASE_MIN) {
        rc = mst_err_set(err, MST_E_USAGE,
                         "the passphrase has %zu characters: it needs %d at least, and a few words "
                         "are better",
                         phrase->len, MST_KEYRING_PHRASE_MIN);
    }
    if (rc == MST_OK) {
        rc = mst_keyfile_put(kind, secret, label, mst_clock_utc_ms(NULL), phrase, &text, err);
    }
    if (rc == MST_OK) {
        rc = write_new(path, &text, err);
    }
    if (rc == MST_OK) {
        rc = mst_keyfile_read(path, out, NULL, err);
    }
    mst_keyfile_wipe(&text);
    return rc;
}

enum mst_rc mst_keyring_make(enum mst_key_kind kind, const char *path, const char *label,
                             const struct mst_secret *phrase, struct mst_keyfile *out,
                             struct mst_err *err)
{
    uint8_t *secret = mst_locked_new(RAW);
    enum mst_rc rc = mst_random(secret, RAW, "a key", err);

    if (rc == MST_OK) {
        rc = make_of(kind, secret, path, label, phrase, out, err);
    }
    mst_locked_free(secret, RAW);
    return rc;
}

enum mst_rc mst_keyring_from_paper(mst_cfg_ask_fn *ask, void *arg, const char *path,
                                   const char *label, const struct mst_secret *phrase,
                                   struct mst_keyfile *out, struct mst_err *err)
{
    uint8_t *secret = mst_locked_new(RAW);
    enum mst_rc rc = mst_keyring_typed(ask, arg, secret, err);

    if (rc == MST_OK) {
        rc = make_of(MST_KEY_RECIPIENT, secret, path, label, phrase, out, err);
    }
    mst_locked_free(secret, RAW);
    return rc;
}

enum mst_rc mst_keyring_show(const char *path, struct mst_keyfile *out, struct mst_err *err)
{
    return mst_keyfile_read(path, out, NULL, err);
}

static enum mst_rc prove_signer(const char *path, const struct mst_secret *phrase,
                                struct mst_err *err)
{
    static const char text[] = "muster key check";
    uint8_t signature[MST_SIGNATURE_LEN];
    struct mst_sign_key key = {0};
    enum mst_rc rc = mst_keyfile_signer(path, phrase, &key, err);

    if (rc == MST_OK) {
        rc = mst_sign(&key, text, sizeof(text), signature, err);
    }
    if (rc == MST_OK && !mst_sign_ok(key.pub, text, sizeof(text), signature)) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "what %s signs is not verified by its public key",
                         path);
    }
    mst_sign_key_release(&key);
    return rc;
}

static enum mst_rc prove_recipient(const char *path, const struct mst_secret *phrase,
                                   struct mst_err *err)
{
    static const struct mst_wrap_place place = {"key", "check", "here"};
    struct mst_wrap_slot *slot = mst_xcalloc(1, sizeof(*slot));
    struct mst_identity who = {0};
    struct mst_data_key key = {0}, got = {0};
    enum mst_rc rc = mst_keyfile_identity(path, phrase, &who, err);

    if (rc == MST_OK) {
        rc = mst_data_key_new(&key, err);
    }
    if (rc == MST_OK) {
        rc = mst_wrap_to(&key, &place, who.pub, who.label, slot, err);
    }
    if (rc == MST_OK) {
        rc = mst_unwrap(slot, &place, &who, &got, err);
    }
    if (rc == MST_OK && memcmp(key.p, got.p, MST_DATA_KEY_LEN) != 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "%s does not unwrap what is wrapped to it", path);
    }
    mst_data_key_release(&key);
    mst_data_key_release(&got);
    mst_identity_release(&who);
    free(slot);
    return rc;
}

enum mst_rc mst_keyring_check(const char *path, const char *phrase_file, mst_cfg_ask_fn *ask,
                              void *arg, struct mst_keyfile *out, struct mst_err *err)
{
    struct mst_secret phrase = {0};
    enum mst_rc rc = mst_keyfile_read(path, out, NULL, err);

    if (rc == MST_OK) {
        rc = mst_cfg_phrase(path, phrase_file, ask, arg, &phrase, err);
    }
    if (rc == MST_OK) {
        rc = out->kind == MST_KEY_SIGNER ? prove_signer(path, &phrase, err)
                                         : prove_recipient(path, &phrase, err);
    }
    mst_secret_release(&phrase);
    return rc;
}

static struct mst_keyring_row *add_row(struct mst_keyring *k, const char *role)
{
    struct mst_keyring_row *r = &k->rows[k->n < MST_KEYRING_MAX ? k->n++ : MST_KEYRING_MAX - 1];

    memset(r, 0, sizeof(*r));
    r->role = role;
    r->ok = true;
    r->tried_ms = -1;
    return r;
}

static void bad(struct mst_keyring_row *r, const char *text)
{
    r->ok = false;
    mst_text_clean(r->state, sizeof(r->state), text, strlen(text));
}

/* A file of a secret: is it there, and for nobody else? False: it cannot be read here. */
static bool file_state(struct mst_keyring_row *r, const char *path)
{
    struct stat st;
    struct mst_err err = {0};
    char at[MST_CREDENTIAL_PATH];

    if (mst_credential_path(path, at, &err) != MST_OK) { /* of the agent, perhaps, not of this */
        (void)mst_copy(r->state, sizeof(r->state), "not known here: a credential of a service");
        return false;
    }
    if (stat(at, &st) != 0) {
        bad(r, errno == ENOENT ? "missing" : "cannot be looked at");
    } else if (!S_ISREG(st.st_mode)) {
        bad(r, "not a regular file");
    } else if (!mst_credential_private(path, &st)) {
        bad(r, "others may read it: chmod 600");
    } else if (access(at, R_OK) != 0) {
        bad(r, "not readable by this user");
    } else {
        (void)mst_copy(r->state, sizeof(r->state), "readable");
    }
    return r->ok;
}

static void key_file_row(struct mst_keyring *k, const char *role, enum mst_key_kind kind,
                         const char *path, const char *phrase_file)
{
    struct mst_keyring_row *r = path[0] ? add_row(k, role) : NULL;
    struct mst_keyfile info;
    struct mst_err err = {0};

    if (!r) {
        return;
    }
    if (!file_state(r, path)) {
        return;
    }
    if (mst_keyfile_read(path, &info, NULL, &err) != MST_OK) {
        bad(r, err.msg);
        return;
    }
    (void)mst_copy(r->label, sizeof(r->label), info.label);
    (void)mst_copy(r->id, sizeof(r->id), info.id);
    if (info.kind != kind) {
        bad(r, kind == MST_KEY_SIGNER ? "it is the key of a recipient, not of a signer"
                                      : "it is the key of a signer, not of a recipient");
    } else if (info.locked && phrase_file[0]) {
        if (!file_state(r, phrase_file)) {
            char text[256];

            (void)snprintf(text, sizeof(text), "the file of its passphrase: %s", r->state);
            bad(r, text);
        }
    } else if (info.locked) {
        (void)mst_copy(r->state, sizeof(r->state),
                       "readable, its passphrase is asked: with --no-agent");
    }
}

static void word_rows(const struct mst_cfg *cfg, const struct mst_cfg_list *list,
                      enum mst_key_kind kind, struct mst_keyring *k)
{
    for (size_t i = 0; i < list->n; i++) {
        struct mst_keyring_row *r = add_row(k, kind == MST_KEY_SIGNER ? "trusted" : "recipient");
        struct mst_err err = {0};
        uint8_t pub[RAW];

        if (mst_cfg_pub(list->item[i], kind, pub, r->label, &err) != MST_OK) {
            bad(r, err.msg);
            continue;
        }
        mst_key_id_of(pub, r->id);
        (void)mst_copy(r->state, sizeof(r->state), "public");
        if (kind == MST_KEY_RECIPIENT && r->label[0] && mst_cfg_is_escrow(cfg, r->label)) {
            r->role = "escrow";
        }
    }
}

/* The local state of this set, made when it is not there. */
static enum mst_rc open_state(const struct mst_cfg *cfg, struct mst_db **out, struct mst_err *err)
{
    struct wire *w = mst_xcalloc(1, sizeof(*w));
    char key[160], path[MST_CFG_PATH + 208];
    enum mst_rc rc = mst_wire_cfg(w, cfg, err);

    if (rc == MST_OK) {
        rc = mst_dir_private(cfg->state_dir, err);
    }
    if (rc == MST_OK) {
        mst_wire_key(cfg, w, key, sizeof(key));
        (void)snprintf(path, sizeof(path), "%s/%s", cfg->state_dir, key);
        rc = mst_dir_private(path, err);
    }
    if (rc == MST_OK) {
        (void)snprintf(path, sizeof(path), "%s/%s/muster.db", cfg->state_dir, key);
        rc = mst_db_open(path, out, err);
    }
    mst_wire_release(w);
    free(w);
    return rc;
}

/* When each escrow was tried; not known when there is a state that cannot be read. */
static void tried_times(const struct mst_cfg *cfg, struct mst_keyring *k)
{
    struct mst_db *db = NULL;
    struct mst_err err = {0};
    const enum mst_rc rc = mst_keep_open(cfg, &db, &err);

    for (size_t i = 0; i < k->n; i++) {
        struct mst_keyring_row *r = &k->rows[i];

        if (strcmp(r->role, "escrow") != 0) {
            continue;
        }
        r->tried_ms = rc == MST_E_NOTFOUND ? 0 : -1;
        if (rc == MST_OK &&
            mst_db_int(db, 0, &r->tried_ms, &err,
                       "SELECT wall_ms FROM escrow_tries WHERE key_id = ?", "t", r->id) != MST_OK) {
            r->tried_ms = -1;
        }
    }
    mst_db_close(db);
}

bool mst_keyring_reminds(const struct mst_cfg *cfg)
{
    return cfg->sandbox.control[0] == '\0';
}

void mst_keyring_remind(const struct mst_keyring_row *rows, size_t n, int64_t days,
                        int64_t now_wall_ms, char *out, size_t size)
{
    size_t readers = 0, escrows = 0;
    const struct mst_keyring_row *worst = NULL;

    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const bool escrow = strcmp(rows[i].role, "escrow") == 0;

        readers += escrow || strcmp(rows[i].role, "recipient") == 0 ||
                   strcmp(rows[i].role, "passphrase") == 0 || strcmp(rows[i].role, "program") == 0;
        escrows += escrow;
        if (escrow && (!worst || rows[i].tried_ms < worst->tried_ms)) {
            worst = &rows[i];
        }
    }
    if (readers == 0) {
        return; /* nothing is sealed: that is said elsewhere */
    }
    if (escrows == 0) {
        (void)snprintf(out, size,
                       "no recipient is an escrow: when these keys are lost, so is every backup");
    } else if (worst->tried_ms == 0) {
        (void)snprintf(out, size,
                       "the escrow %s was never tried: type it in with 'muster key escrow --check'",
                       worst->label);
    } else if (worst->tried_ms < 0) {
        (void)snprintf(out, size, "it is not known when the escrow %s was tried", worst->label);
    } else if (now_wall_ms - worst->tried_ms > days * DAY_MS) {
        (void)snprintf(out, size,
                       "the escrow %s was last tried %lld days ago: type it in with 'muster key "
                       "escrow --check'",
                       worst->label, (long long)((now_wall_ms - worst->tried_ms) / DAY_MS));
    }
}

static bool runs(const char *program)
{
    return !strchr(program, '/') || access(program, X_OK) == 0; /* else PATH is looked through */
}

/* Whether what it wraps opens again is tried at every backup, where both are configured. */
static void program_state(const struct mst_cfg *cfg, struct mst_keyring_row *r)
{
    const bool both = cfg->seal.unwrap_command.n > 0;

    if (!runs(cfg->seal.wrap_command.item[0])) {
        bad(r, "it cannot be run");
    } else if (both && !runs(cfg->seal.unwrap_command.item[0])) {
        bad(r, "the unwrap command cannot be run");
    } else {
        (void)mst_copy(r->state, sizeof(r->state),
                       both ? "wraps data keys, and opens them"
                            : "wraps data keys; whether they open is not known here");
    }
}

void mst_keyring_list(const struct mst_cfg *cfg, int64_t now_wall_ms, struct mst_keyring *out)
{
    memset(out, 0, sizeof(*out));
    word_rows(cfg, &cfg->seal.recipients, MST_KEY_RECIPIENT, out);
    if (cfg->seal.passphrase_file[0]) {
        (void)file_state(add_row(out, "passphrase"), cfg->seal.passphrase_file);
    }
    if (cfg->seal.wrap_command.n > 0) {
        struct mst_keyring_row *r = add_row(out, "program");

        mst_text_clean(r->label, sizeof(r->label), cfg->seal.wrap_command.item[0],
                       strlen(cfg->seal.wrap_command.item[0]));
        program_state(cfg, r);
    }
    key_file_row(out, "signer", MST_KEY_SIGNER, cfg->seal.signer_file,
                 cfg->seal.signer_passphrase_file);
    word_rows(cfg, &cfg->seal.trusted, MST_KEY_SIGNER, out);
    key_file_row(out, "identity", MST_KEY_RECIPIENT, cfg->seal.identity_file,
                 cfg->seal.identity_passphrase_file);
    tried_times(cfg, out);
    mst_keyring_remind(out->rows, out->n, cfg->seal.escrow_days, now_wall_ms, out->remind,
                       sizeof(out->remind));
}

enum mst_rc mst_keyring_paper(const char *path, const char *phrase_file, mst_cfg_ask_fn *ask,
                              void *arg, struct mst_str *out, struct mst_err *err)
{
    struct mst_secret phrase = {0};
    struct mst_identity who = {0};
    char word[MST_PUB_WORD], line[MST_PAPER_LINE];
    enum mst_rc rc = mst_cfg_phrase(path, phrase_file, ask, arg, &phrase, err);

    if (rc == MST_OK) {
        rc = mst_keyfile_identity(path, &phrase, &who, err);
    }
    if (rc == MST_OK) {
        mst_pub_word(MST_KEY_RECIPIENT, who.pub, word);
        mst_str_addf(out,
                     "muster escrow of %s, id %s\n"
                     "Whoever has these lines can read every backup that was sealed to\n%s\n"
                     "Typed in, they are its key again: muster key new --recipient FILE "
                     "--from-paper\n\n",
                     who.label[0] ? who.label : "(no name)", who.id, word);
        for (int i = 1; i <= MST_PAPER_LINES; i++) {
            mst_paper_line(who.secret, i, line);
            mst_str_addf(out, "    %s\n", line);
        }
        mst_wipe(line, sizeof(line));
    }
    mst_identity_release(&who);
    mst_secret_release(&phrase);
    return rc;
}

enum mst_rc mst_keyring_typed(mst_cfg_ask_fn *ask, void *arg, uint8_t secret[32],
                              struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    for (int i = 1; i <= MST_PAPER_LINES && rc == MST_OK; i++) {
        char what[48] = "";

        rc = MST_E_CONFIG;
        for (int t = 0; t < TYPED_TRIES && rc == MST_E_CONFIG; t++) {
            struct mst_secret typed = {0};

            (void)snprintf(what, sizeof(what), "%sline %d of %d", t ? "a slip; again, " : "", i,
                           MST_PAPER_LINES);
            rc = ask(arg, what, &typed, err);
            if (rc == MST_OK) {
                rc = mst_paper_read(typed.p, i, secret, err);
            }
            mst_secret_release(&typed);
        }
    }
    return rc;
}

enum mst_rc mst_keyring_tried(const struct mst_cfg *cfg, const uint8_t secret[32],
                              int64_t now_wall_ms, struct mst_keyring_row *out, struct mst_err *err)
{
    struct mst_keyring *k = mst_xcalloc(1, sizeof(*k));
    struct mst_identity who = {0};
    struct mst_db *db = NULL;
    bool found = false;
    enum mst_rc rc = mst_identity_set(&who, secret, err);

    word_rows(cfg, &cfg->seal.recipients, MST_KEY_RECIPIENT, k);
    for (size_t i = 0; rc == MST_OK && i < k->n && !found; i++) {
        found = strcmp(k->rows[i].id, who.id) == 0;
        *out = k->rows[i];
    }
    if (rc == MST_OK && !found) {
        rc = mst_err_set(err, MST_E_NOTFOUND,
                         "these lines are a key, %s, but of no recipient of the configuration",
                         who.id);
    }
    if (rc == MST_OK && strcmp(out->role, "escrow") == 0) {
        rc = open_state(cfg, &db, err);
        if (rc == MST_OK) {
            rc = mst_db_run(db, err, "INSERT OR REPLACE INTO escrow_tries VALUES (?, ?)", "ti",
                            out->id, now_wall_ms);
        }
        out->tried_ms = now_wall_ms;
    }
    mst_db_close(db);
    mst_identity_release(&who);
    free(k);
    return rc;
}
