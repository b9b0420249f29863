/* keys.h: keys as people handle them: made, looked at, proved, kept on paper. For the front ends.
 *
 * Nothing here needs an agent. Only what an escrow was last tried at is kept in the local state.
 */
#ifndef MST_ENGINE_KEYS_H
#define MST_ENGINE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cfg/cfg.h"

#define MST_KEYS_PHRASE_MIN 8 /* bytes of a new passphrase */
#define MST_KEYS_MAX (MST_CFG_RECIPIENTS + MST_CFG_TRUSTED + 4)

/* Once, where a process starts: no core files, passphrases in locked memory. */
void mst_keys_process(void);
/* A new key in a new file (0600). phrase NULL or unset: its secret stands there as it is.
 * MST_E_EXISTS: there is a file. */
enum mst_rc mst_keys_make(enum mst_key_kind kind, const char *path, const char *label,
                          const struct mst_secret *phrase, struct mst_keyfile *out,
                          struct mst_err *err) MST_MUST_CHECK;
/* What a file says of itself; nothing is opened. */
enum mst_rc mst_keys_show(const char *path, struct mst_keyfile *out,
                          struct mst_err *err) MST_MUST_CHECK;
/* Open it, and prove it: what it signs is verified, what is wrapped to it is unwrapped. */
enum mst_rc mst_keys_check(const char *path, const char *phrase_file, mst_cfg_ask_fn *ask,
                           void *arg, struct mst_keyfile *out, struct mst_err *err) MST_MUST_CHECK;

struct mst_keys_row {
    const char *role; /* recipient, escrow, passphrase, program, signer, trusted, identity */
    char label[64], id[MST_KEY_ID_HEX];
    char state[200]; /* "readable", "missing", "others may read it: chmod 600" ... */
    bool ok;
    int64_t tried_ms; /* of an escrow; 0 never, -1 not known or not one */
};
struct mst_keys {
    size_t n;
    struct mst_keys_row rows[MST_KEYS_MAX];
    char remind[240]; /* what is missing before all keys are lost; "" nothing */
};
/* Keys of a configuration, each with its state. */
void mst_keys_list(const struct mst_cfg *cfg, int64_t now_wall_ms, struct mst_keys *out);
/* The reminder: no escrow, one never tried, one not tried for `days`. Pure. */
void mst_keys_remind(const struct mst_keys_row *rows, size_t n, int64_t days, int64_t now_wall_ms,
                     char *out, size_t size);

/* A secret as lines for paper; the caller wipes out (mst_keyfile_wipe). */
enum mst_rc mst_keys_paper(const char *path, const char *phrase_file, mst_cfg_ask_fn *ask,
                           void *arg, struct mst_str *out, struct mst_err *err) MST_MUST_CHECK;
/* Which recipient of the configuration is this secret's? Its row into out; an escrow is written
 * down as tried. MST_E_NOTFOUND: none. */
enum mst_rc mst_keys_tried(const struct mst_cfg *cfg, const uint8_t secret[32], int64_t now_wall_ms,
                           struct mst_keys_row *out, struct mst_err *err) MST_MUST_CHECK;
/* The same when the lines are typed: what for each is asked through ask, a slip is asked again. */
enum mst_rc mst_keys_typed(mst_cfg_ask_fn *ask, void *arg, uint8_t secret[32],
                           struct mst_err *err) MST_MUST_CHECK;

#endif
