/* Keys as the configuration names them. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cfg/cfg.h"
#include "cfg/program.h"
#include "crypt/locked.h"
#include "hash/hash.h"
#include "log/log.h"

#define KEY_HEX ((size_t)2 * MST_DATA_KEY_LEN)

enum mst_rc mst_cfg_pub(const char *item, enum mst_key_kind kind, uint8_t pub[32], char label[64],
                        struct mst_err *err)
{
    const size_t n = strcspn(item, " ");
    char word[MST_CFG_WORD];

    (void)mst_copy(word, sizeof(word), item);
    word[n < sizeof(word) ? n : sizeof(word) - 1] = '\0';
    item += n + strspn(item + n, " ");
    if (strlen(item) >= 64) {
        return mst_err_set(err, MST_E_CONFIG, "the name behind the word is longer than 63 bytes");
    }
    mst_text_clean(label, 64, item, strlen(item));
    return mst_pub_parse(word, kind, pub, err);
}

bool mst_cfg_is_escrow(const struct mst_cfg *cfg, const char *label)
{
    for (size_t i = 0; i < cfg->seal.escrow.n; i++) {
        if (strcmp(cfg->seal.escrow.item[i], label) == 0) {
            return true;
        }
    }
    return false;
}

enum mst_rc mst_cfg_phrase(const char *path, const char *phrase_file, mst_cfg_ask_fn *ask,
                           void *arg, struct mst_secret *out, struct mst_err *err)
{
    struct mst_keyfile info;
    char what[MST_CFG_PATH + 32];
    enum mst_rc rc = mst_keyfile_read(path, &info, NULL, err);

    if (rc != MST_OK || !info.locked) {
        return rc;
    }
    if (phrase_file[0]) {
        rc = mst_secret_from_file(out, phrase_file, err);
    } else {
        (void)snprintf(what, sizeof(what), "passphrase of %s", path);
        rc = ask ? ask(arg, what, out, err)
                 : mst_err_set(err, MST_E_AUTH,
                               "the %s is asked on a terminal and there is none: name a file with "
                               "it",
                               what);
    }
    if (rc == MST_OK) {
        mst_log_redact(out);
    }
    return rc;
}

/* As mst_cfg_phrase, for a key of the configuration: an agent has no terminal. */
static enum mst_rc own_phrase(const char *path, const char *phrase_file, const char *option,
                              mst_cfg_ask_fn *ask, void *arg, struct mst_secret *out,
                              struct mst_err *err)
{
    const enum mst_rc rc = mst_cfg_phrase(path, phrase_file, ask, arg, out, err);

    return rc == MST_E_AUTH && !ask && !phrase_file[0]
               ? mst_err_set(err, MST_E_AUTH,
                             "%s needs its passphrase, and an agent asks nobody: name a file with "
                             "it in seal.%s, or add --no-agent and be asked",
                             path, option)
               : rc;
}

enum mst_rc mst_cfg_signer(const struct mst_cfg *cfg, mst_cfg_ask_fn *ask, void *arg,
                           struct mst_sign_key *out, struct mst_err *err)
{
    const char *path = cfg->seal.signer_file;
    struct mst_secret phrase = {0};
    enum mst_rc rc;

    if (!path[0]) {
        return mst_err_set(err, MST_E_CONFIG,
                           "no signing key is configured: make one with 'muster key new --signer "
                           "FILE' and name it in seal.signer_file");
    }
    rc = own_phrase(path, cfg->seal.signer_passphrase_file, "signer_passphrase_file", ask, arg,
                    &phrase, err);
    if (rc == MST_OK) {
        rc = mst_keyfile_signer(path, &phrase, out, err);
    }
    mst_secret_release(&phrase);
    return rc;
}

enum mst_rc mst_cfg_identity(const struct mst_cfg *cfg, mst_cfg_ask_fn *ask, void *arg,
                             struct mst_identity *out, struct mst_err *err)
{
    const char *path = cfg->seal.identity_file;
    struct mst_secret phrase = {0};
    enum mst_rc rc;

    if (!path[0]) {
        return mst_err_set(err, MST_E_CONFIG,
                           "no key that opens backups is configured here: name its file in "
                           "seal.identity_file");
    }
    rc = own_phrase(path, cfg->seal.identity_passphrase_file, "identity_passphrase_file", ask, arg,
                    &phrase, err);
    if (rc == MST_OK) {
        rc = mst_keyfile_identity(path, &phrase, out, err);
    }
    mst_secret_release(&phrase);
    return rc;
}

enum mst_rc mst_cfg_wrap(const struct mst_cfg *cfg, const struct mst_data_key *key,
                         struct mst_wrap_slot *out, struct mst_err *err)
{
    const struct mst_cfg_list *cmd = &cfg->seal.wrap_command;
    char *hex, got[MST_WRAP_BYTES + 1];
    size_t n = 0;
    enum mst_rc rc;

    if (cmd->n == 0) {
        return mst_err_set(err, MST_E_CONFIG, "seal.wrap_command is not configured");
    }
    memset(out, 0, sizeof(*out));
    out->kind = MST_WRAP_COMMAND;
    mst_text_clean(out->label, sizeof(out->label), cmd->item[0], strlen(cmd->item[0]));
    hex = mst_locked_new(KEY_HEX + 1);
    (void)mst_hex(key->p, MST_DATA_KEY_LEN, hex);
    rc = mst_cfg_run(cmd, "wrap command", hex, KEY_HEX, got, sizeof(got), &n, err);
    if (rc == MST_OK && n == 0) {
        rc = mst_err_set(err, MST_E_AUTH, "the wrap command %s printed nothing", cmd->item[0]);
    }
    if (rc == MST_OK && memmem(got, n, hex, KEY_HEX)) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "the wrap command %s printed the key as it is: it must wrap it",
                         cmd->item[0]);
    }
    if (rc == MST_OK) {
        memcpy(out->bytes, got, n);
        out->n = n;
    }
    mst_wipe(got, sizeof(got));
    mst_locked_free(hex, KEY_HEX + 1);
    return rc;
}

enum mst_rc mst_cfg_unwrap(const struct mst_cfg *cfg, const struct mst_wrap_slot *slot,
                           struct mst_data_key *out, struct mst_err *err)
{
    const struct mst_cfg_list *cmd = &cfg->seal.unwrap_command;
    char *hex;
    uint8_t *raw;
    size_t n = 0;
    enum mst_rc rc;

    if (cmd->n == 0) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the key of this backup was wrapped by a program, and "
                           "seal.unwrap_command is not configured");
    }
    if (slot->n > MST_WRAP_BYTES) {
        return mst_err_set(err, MST_E_INTEGRITY, "the key slot %s is damaged", slot->label);
    }
    hex = mst_locked_new(KEY_HEX + 8);
    raw = mst_locked_new(MST_DATA_KEY_LEN);
    rc = mst_cfg_run(cmd, "unwrap command", slot->bytes, slot->n, hex, KEY_HEX + 8, &n, err);
    while (rc == MST_OK && n > 0 && (hex[n - 1] == '\n' || hex[n - 1] == '\r')) {
        n--;
    }
    if (rc == MST_OK) {
        hex[n] = '\0'; /* there is room: a program that printed as much has failed */
    }
    if (rc == MST_OK && (n != KEY_HEX || !mst_unhex(hex, raw, MST_DATA_KEY_LEN))) {
        rc = mst_err_set(err, MST_E_AUTH, "the unwrap command %s did not print 64 hex digits",
                         cmd->item[0]);
    }
    if (rc == MST_OK) {
        mst_data_key_set(out, raw);
    }
    mst_locked_free(raw, MST_DATA_KEY_LEN);
    mst_locked_free(hex, KEY_HEX + 8);
    return rc;
}
