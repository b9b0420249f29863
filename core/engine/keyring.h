/* keyring.h: keys as people handle them: made, looked at, proved, kept on paper. For the front
 * ends.
 *
 * Nothing here needs an agent. Only what an escrow was last tried at is kept in the local state.
 */
#ifndef MST_ENGINE_KEYRING_H
#define MST_ENGINE_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cfg/cfg.h"

#define MST_KEYRING_PHRASE_MIN 8 /* bytes of a new passphrase */
#define MST_KEYRING_MAX (MST_CFG_RECIPIENTS + MST_CFG_TRUSTED + 4)

/* Once, where a process starts: no core files, passphrases in locked memory. */
void mst_keyring_process(void);
/* A new key in a new file (0600). phrase NULL or unset: its secret stands there as it is.
 * MST_E_EXISTS: there is a file. */
enum mst_rc mst_keyring_make(enum mst_key_kind kind, const char *path, const char *label,
                             const struct mst_secret *phrase, struct mst_keyfile *out,
                             struct mst_err *err) MST_MUST_CHECK;
/* What a file says of itself; nothing is opened. */
enum mst_rc mst_keyring_show(const char *path, struct mst_keyfile *out,
                             struct mst_err *err) MST_MUST_CHECK;
/* Open it, and prove it: what it signs is verified, what is wrapped to it is unwrapped. */
enum mst_rc mst_keyring_check(const char *path, const char *phrase_file, mst_cfg_ask_fn *ask,
                              void *arg, struct mst_keyfile *out,
                              struct mst_err *err) MST_MUST_CHECK;

struct mst_keyring_row {
    const char *role; /* recipient, escrow, passphrase, program, signer, trusted, identity */
    char label[64], id[MST_KEY_ID_HEX];
    char state[200]; /* "readable", "missing", "others may read it: chmod 600" ... */
    bool ok;
    int64_t tried_ms; /* of an escrow; 0 never, -1 not known or not one */
};
struct mst_keyring {
    size_t n;
    struct mst_keyring_row rows[MST_KEYRING_MAX];
    char remind[240]; /* what is missing before all keys are lost; "" nothing */
};
/* Keys of a configuration, each with its state. */
void mst_keyring_list(const struct mst_cfg *cfg, int64_t now_wall_ms, struct mst_keyring *out);
/* Do screens remind? Not in the training range, whose keys guard nothing; a list does. */
bool mst_keyring_reminds(const struct mst_cfg *cfg);
/* The reminder: no escrow, one never tried, one not tried for `days`. Pure. */
void mst_keyring_remind(const struct mst_keyring_row *rows, size_t n, int64_t days,
                        int64_t now_wall_ms, char *out, size_t size);

/* A secret as lines for paper; the caller wipes out (mst_keyfile_wipe). */
enum mst_rc mst_keyring_paper(const char *path, const char *phrase_file, mst_cfg_ask_fn *ask,
                              void *arg, struct mst_str *out, struct mst_err *err) MST_MUST_CHECK;
/* Which recipient of the configuration is this secret's? Its row into out; an escrow is written
 * down as tried. MST_E_NOTFOUND: none. */
enum mst_rc mst_keyring_tried(const struct mst_cfg *cfg, const uint8_t secret[32],
                              int64_t now_wall_ms, struct mst_keyring_row *out,
                              struct mst_err *err) MST_MUST_CHECK;
/* The same when the lines are typed: what for each is asked through ask, a slip is asked again. */
enum mst_rc mst_keyring_typed(mst_cfg_ask_fn *ask, void *arg, uint8_t secret[32],
                              struct mst_err *err) MST_MUST_CHECK;
/* The key of an escrow in a file again: its lines are typed. As mst_keyring_make otherwise. */
enum mst_rc mst_keyring_from_paper(mst_cfg_ask_fn *ask, void *arg, const char *path,
                                   const char *label, const struct mst_secret *phrase,
                                   struct mst_keyfile *out, struct mst_err *err) MST_MUST_CHECK;

#endif
