/* muster key new, list, show, check, escrow; add, remove, rotate. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cmd.h"
#include "engine/keyring.h"
#include "follow.h"
#include "json.h"

static const char *phrase_file(const struct cmd_ctx *c)
{
    const char *file = args_get(&c->args, "passphrase-file");

    return file ? file : "";
}

static bool has_terminal(void)
{
    const int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

/* Asked twice: a slip in the passphrase of a new key loses the key. */
static enum mst_rc new_phrase(const struct cmd_ctx *c, struct mst_secret *out, struct mst_err *err)
{
    struct mst_secret again = {0};
    enum mst_rc rc;

    if (args_has(&c->args, "no-passphrase")) {
        return args_has(&c->args, "passphrase-file")
                   ? mst_err_set(err, MST_E_USAGE,
                                 "--no-passphrase and --passphrase-file exclude each other")
                   : MST_OK;
    }
    if (args_has(&c->args, "passphrase-file")) {
        return mst_secret_from_file(out, phrase_file(c), err);
    }
    if (!has_terminal()) {
        return mst_err_set(err, MST_E_AUTH,
                           "the passphrase is asked on a terminal and there is none: use "
                           "--passphrase-file FILE, or --no-passphrase");
    }
    rc = cmd_ask(NULL, "passphrase of the new key", out, err);
    if (rc == MST_OK) {
        rc = cmd_ask(NULL, "the same again", &again, err);
    }
    if (rc == MST_OK && (again.len != out->len || memcmp(again.p, out->p, out->len) != 0)) {
        rc = mst_err_set(err, MST_E_USAGE, "the two passphrases differ: no key was made");
    }
    mst_secret_release(&again);
    return rc;
}

static void json_key(struct mst_str *out, const char *type, const char *path,
                     const struct mst_keyfile *k)
{
    char word[MST_PUB_WORD];

    mst_pub_word(k->kind, k->pub, word);
    js_begin(out, type, mst_clock_utc_ms(NULL));
    js_text(out, "file", path);
    js_text(out, "kind", mst_key_kind_word(k->kind));
    js_text(out, "id", k->id);
    js_text(out, "label", k->label);
    js_text(out, "word", word);
    js_bool(out, "passphrase", k->locked);
    js_time(out, "created", k->created_wall_ms);
    js_end(out);
}

static void say_key(struct mst_str *out, const char *path, const struct mst_keyfile *k)
{
    char word[MST_PUB_WORD], t[MST_TIME_MAX];

    mst_pub_word(k->kind, k->pub, word);
    mst_str_addf(out,
                 "%s: key of a %s%s%s, made %s, %s\n"
                 "  id:   %s\n"
                 "  word: %s\n",
                 path, mst_key_kind_word(k->kind), k->label[0] ? " called " : "", k->label,
                 mst_time_iso(k->created_wall_ms, t),
                 k->locked ? "needs a passphrase" : "needs no passphrase", k->id, word);
}

static void say_next(struct mst_str *out, const char *file, const struct mst_keyfile *k)
{
    char *whole = realpath(file, NULL);
    const char *path = whole ? whole : file, *gap = k->label[0] ? " " : "";
    char word[MST_PUB_WORD];

    mst_pub_word(k->kind, k->pub, word);
    mst_str_add(out, "\nFor the configuration, section seal:\n");
    if (k->kind == MST_KEY_SIGNER) {
        mst_str_addf(out,
                     "  signer_file = \"%s\";   # of the host that writes\n"
                     "  trusted = [\"%s%s%s\"];   # wherever backups are read\n",
                     path, word, gap, k->label);
    } else {
        mst_str_addf(
            out,
            "  recipients = [\"%s%s%s\"];   # of the host that writes\n"
            "  identity_file = \"%s\";   # only where backups are read\n"
            "\nMove the file to where backups are read, and write it down with 'muster key "
            "escrow':\nwithout it nobody reads what was sealed to it.\n",
            word, gap, k->label, path);
    }
    free(whole);
}

static enum mst_rc check_new(const struct cmd_ctx *c, struct mst_err *err)
{
    const char *recipient = args_get(&c->args, "recipient"), *signer = args_get(&c->args, "signer");
    const char *label = args_get(&c->args, "label"), *path = recipient ? recipient : signer;

    if (!path || (recipient && signer)) {
        return mst_err_set(err, MST_E_USAGE,
                           "say --recipient FILE for a key that opens backups, or --signer FILE "
                           "for one that signs them");
    }
    if (signer && args_has(&c->args, "from-paper")) {
        return mst_err_set(err, MST_E_USAGE,
                           "--from-paper is for --recipient: a signing key is not on paper");
    }
    if (label && (strlen(label) > 63 || strpbrk(label, "\"\\"))) {
        return mst_err_set(err, MST_E_USAGE,
                           "--label is at most 63 bytes, without quotes and backslashes");
    }
    if (access(path, F_OK) == 0) { /* before anybody typed a passphrase */
        return mst_err_set(err, MST_E_EXISTS,
                           "%s is there already, and a key is never overwritten: name another file",
                           path);
    }
    if (args_has(&c->args, "from-paper") && !has_terminal()) {
        return mst_err_set(err, MST_E_AUTH, "the lines are typed on a terminal, and there is none");
    }
    return MST_OK;
}

enum mst_rc cmd_key_new(struct cmd_ctx *c, struct mst_err *err)
{
    const char *recipient = args_get(&c->args, "recipient"), *signer = args_get(&c->args, "signer");
    const char *label = args_get(&c->args, "label"), *path = recipient ? recipient : signer;
    const enum mst_key_kind kind = recipient ? MST_KEY_RECIPIENT : MST_KEY_SIGNER;
    struct mst_secret phrase = {0};
    struct mst_keyfile k = {0};
    struct mst_str out = {0};
    enum mst_rc rc = check_new(c, err);

    label = label ? label : "";
    if (rc == MST_OK) {
        rc = new_phrase(c, &phrase, err);
    }
    if (rc == MST_OK) {
        rc = args_has(&c->args, "from-paper")
                 ? mst_keyring_from_paper(cmd_ask, NULL, path, label, &phrase, &k, err)
                 : mst_keyring_make(kind, path, label, &phrase, &k, err);
    }
    if (rc == MST_OK && c->json) {
        json_key(&out, "key", path, &k);
    } else if (rc == MST_OK) {
        say_key(&out, path, &k);
        say_next(&out, path, &k);
    }
    if (rc == MST_OK) {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_secret_release(&phrase);
    mst_str_release(&out);
    return rc;
}

enum mst_rc cmd_key_show(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_keyfile k = {0};
    struct mst_str out = {0};
    enum mst_rc rc = mst_keyring_show(c->args.operands[0], &k, err);

    if (rc == MST_OK) {
        (c->json ? json_key(&out, "key", c->args.operands[0], &k)
                 : say_key(&out, c->args.operands[0], &k));
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}

enum mst_rc cmd_key_check(struct cmd_ctx *c, struct mst_err *err)
{
    const char *path = c->args.operands[0];
    struct mst_keyfile k = {0};
    struct mst_str out = {0};
    enum mst_rc rc =
        mst_keyring_check(path, phrase_file(c), has_terminal() ? cmd_ask : NULL, NULL, &k, err);

    if (rc == MST_OK && c->json) {
        json_key(&out, "key", path, &k);
    } else if (rc == MST_OK) {
        say_key(&out, path, &k);
        mst_str_add(&out, k.kind == MST_KEY_SIGNER
                              ? "  proved: its signature is verified by its public word\n"
                              : "  proved: it opens what is wrapped to its public word\n");
    }
    if (rc == MST_OK) {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}

static void say_row(struct mst_str *out, const struct mst_keyring_row *r, int64_t now_ms)
{
    char t[MST_HUMAN_MAX];

    mst_str_addf(out, "%-10s  %-20s  %.8s  %s", r->role, r->label[0] ? r->label : "-",
                 r->id[0] ? r->id : "-       ", r->state);
    if (strcmp(r->role, "escrow") == 0) {
        if (r->tried_ms > 0) {
            mst_str_addf(out, ", tried %s ago", mst_text_duration(now_ms - r->tried_ms, t));
        } else {
            mst_str_add(out, r->tried_ms == 0 ? ", never tried" : ", not known when tried");
        }
    }
    mst_str_addc(out, '\n');
}

static void json_row(struct mst_str *out, const struct mst_keyring_row *r, int64_t now_ms)
{
    js_begin(out, "key_row", now_ms);
    js_text(out, "role", r->role);
    js_text(out, "label", r->label);
    js_text(out, "id", r->id);
    js_bool(out, "ok", r->ok);
    js_text(out, "state", r->state);
    js_time(out, "tried", r->tried_ms > 0 ? r->tried_ms : 0);
    js_end(out);
}

enum mst_rc cmd_key_list(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_keyring *k = mst_xcalloc(1, sizeof(*k));
    const int64_t now_ms = mst_clock_utc_ms(NULL);
    struct mst_str out = {0};
    bool ok = true;
    enum mst_rc rc;

    mst_keyring_list(c->cfg, now_ms, k);
    for (size_t i = 0; i < k->n; i++) {
        ok = ok && k->rows[i].ok;
        (c->json ? json_row : say_row)(&out, &k->rows[i], now_ms);
    }
    if (!c->json && k->n == 0) {
        mst_str_add(&out,
                    "no key is configured: backups are neither sealed nor signed; 'muster key "
                    "new --help'\n");
    } else if (k->remind[0] && c->json) {
        js_begin(&out, "key_reminder", now_ms);
        js_text(&out, "text", k->remind);
        js_end(&out);
    } else if (k->remind[0]) {
        mst_str_addf(&out, "\nreminder: %s\n", k->remind);
    }
    c->exit_status = ok ? 0 : mst_rc_exit(MST_E_UNHEALTHY);
    rc = cmd_out(mst_str_c(&out), err);
    mst_str_release(&out);
    free(k);
    return rc;
}

/* The lines, typed: whose are they? */
static enum mst_rc escrow_check(struct cmd_ctx *c, struct mst_err *err)
{
    const struct mst_cfg_where where = {.config = args_get(&c->args, "config"),
                                        .uri = args_get(&c->args, "uri")};
    struct mst_keyring_row row = {0};
    struct mst_str out = {0};
    uint8_t secret[32] = {0};
    enum mst_rc rc = mst_cfg_open(&where, &c->cfg, NULL, err);

    if (rc == MST_OK && !has_terminal()) {
        rc = mst_err_set(err, MST_E_AUTH, "the lines are typed on a terminal, and there is none");
    }
    if (rc == MST_OK) {
        rc = mst_keyring_typed(cmd_ask, NULL, secret, err);
    }
    if (rc == MST_OK) {
        rc = mst_keyring_tried(c->cfg, secret, mst_clock_utc_ms(NULL), &row, err);
    }
    mst_wipe(secret, sizeof(secret));
    if (rc == MST_OK) {
        mst_str_addf(&out, "these lines are the key of the %s %s, id %s%s\n", row.role,
                     row.label[0] ? row.label : "(no name)", row.id,
                     row.tried_ms > 0 ? ": written down as tried" : "");
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}

enum mst_rc cmd_key_escrow(struct cmd_ctx *c, struct mst_err *err)
{
    const bool check = args_has(&c->args, "check");
    struct mst_str out = {0};
    enum mst_rc rc;

    if (check != (c->args.n_operands == 0)) {
        return mst_err_set(err, MST_E_USAGE,
                           "key escrow needs a key FILE to print, or --check to type its lines");
    }
    if (check) {
        return escrow_check(c, err);
    }
    rc = mst_keyring_paper(c->args.operands[0], phrase_file(c), has_terminal() ? cmd_ask : NULL,
                           NULL, &out, err);
    if (rc == MST_OK) {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_keyfile_wipe(&out);
    return rc;
}

/* Who may read backups that exist: planned, shown, typed, carried out. */
static enum mst_rc rekey(struct cmd_ctx *c, enum mst_cmd_kind kind, struct mst_err *err)
{
    const char *backup = args_get(&c->args, "backup"), *reason = args_get(&c->args, "reason");
    const char *store = args_get(&c->args, "store");
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    enum mst_rc rc = MST_OK;

    cmd->kind = kind;
    cmd->dry_run = args_has(&c->args, "dry-run");
    for (size_t i = 0; rc == MST_OK && i < c->args.n_operands; i++) { /* a word, then its name */
        const size_t n = strlen(cmd->key);

        if ((size_t)snprintf(cmd->key + n, sizeof(cmd->key) - n, "%s%s", i ? " " : "",
                             c->args.operands[i]) >= sizeof(cmd->key) - n) {
            rc = mst_err_set(err, MST_E_USAGE, "the name of the key is too long");
        }
    }
    if (rc == MST_OK && backup && !mst_copy(cmd->backup, sizeof(cmd->backup), backup)) {
        rc = mst_err_set(err, MST_E_USAGE, "%s is no backup's id", backup);
    }
    if (rc == MST_OK && store) {
        rc = cmd_store_named(c, store, err);
        (void)mst_copy(cmd->store, sizeof(cmd->store), store);
    }
    if (reason) {
        (void)mst_copy(cmd->reason, sizeof(cmd->reason), reason);
        mst_text_sanitise(cmd->reason);
    }
    if (rc == MST_OK) {
        rc = cmd_guarded(c, cmd, err);
    }
    free(cmd);
    return rc;
}

enum mst_rc cmd_key_add(struct cmd_ctx *c, struct mst_err *err)
{
    uint8_t pub[32];
    char label[64];

    if (mst_cfg_pub(c->args.operands[0], MST_KEY_RECIPIENT, pub, label, err) != MST_OK) {
        return err->rc;
    }
    return rekey(c, MST_CMD_KEY_ADD, err);
}

enum mst_rc cmd_key_remove(struct cmd_ctx *c, struct mst_err *err)
{
    return rekey(c, MST_CMD_KEY_REMOVE, err);
}

enum mst_rc cmd_key_rotate(struct cmd_ctx *c, struct mst_err *err)
{
    return rekey(c, MST_CMD_KEY_ROTATE, err);
}
