/* clang-format off */
/* cfg.h: the configuration of one replica set, read from a libconfig file; immutable once loaded.
 *
 * One table of options drives parsing, `config check`, `config show` and docs/configuration.md.
 * A misspelt name, a wrong type, a value out of range or a syntax error is MST_E_CONFIG and names
 * file:line. Passwords never stand in this file: it names a file, a command or the prompt.
 *
 * A file, with everything that a sandbox needs:
 *
 *     set = {
 *         name = "rs0";                  # replSetName
 *         label = "rs0";                 # what screens call it; default: name
 *         class = "SANDBOX";             # PROD, TEST, SANDBOX; absent: only view and backup
 *         note = "simulated server 7.0"; # shown by status
 *         acts = ["restore", "import", "discard", "clean", "switch"];
 *         members = ["127.0.0.1:27101", "127.0.0.1:27102"]; # seeds; "srv" is the other way
 *         dial = ({ name = "db1:27017"; address = "127.0.0.1:4001"; });
 *         tls = { on = true; ca_file = "ca.pem"; cert_file = "client.pem"; };
 *         credentials = {                # view, backup, restore, switch
 *             view = { user = "m"; source = "admin"; password_file = "view.secret"; };
 *         };
 *     };
 *     stores = ({ name = "local"; type = "local"; path = "store"; });
 *     backup = { store = "local"; scans = 2; };
 *     seal = { recipients = ["mstpub-... ops", "mstpub-... safe"]; escrow = ["safe"];
 *              signer_file = "signer.key"; trusted = ["mstsig-... db1"]; };
 *     sandbox = { control = "ctl.sock"; };
 *
 * Relative paths are below the directory of the file. Everything is optional except set.members
 * (or set.srv, or a URI on the command line).
 */
/* clang-format on */
#ifndef MST_CFG_CFG_H
#define MST_CFG_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/keyfile.h"

#define MST_CFG_PATH 512
#define MST_CFG_WORD 272
#define MST_CFG_STORES 8
#define MST_CFG_MEMBERS 50
#define MST_CFG_ARGV 16
#define MST_CFG_RECIPIENTS 12 /* with a passphrase and a program they fit into a backup's slots */
#define MST_CFG_TRUSTED 32

enum mst_cred_act { MST_CRED_VIEW, MST_CRED_BACKUP, MST_CRED_RESTORE, MST_CRED_SWITCH };
#define MST_CRED_ACTS 4
const char *mst_cred_act_word(enum mst_cred_act a);

struct mst_cfg_list { /* of short texts */
    size_t n;
    char (*item)[MST_CFG_WORD];
};

struct mst_cfg_cred {
    bool set; /* the section exists; an act without one uses view's */
    char user[256];
    char mechanism[24]; /* "", SCRAM-SHA-1, SCRAM-SHA-256, MONGODB-X509 */
    char source[128];
    char password_file[MST_CFG_PATH];
    struct mst_cfg_list password_command; /* argv, no shell */
    bool prompt;
};

struct mst_cfg_dial {
    char name[MST_CFG_WORD];
    char address[MST_CFG_WORD];
};

#define MST_CFG_TAGS 10 /* of an object: Amazon has no more */

struct mst_cfg_store {
    char name[64];
    char type[16];
    char path[MST_CFG_PATH];
    bool allow_unsealed; /* backups in the clear may go there though it is not of this host */
    bool region_kept;    /* backup.regions is set: a bucket that is elsewhere is not used */
    /* What follows is of stores that are reached over the network. */
    char endpoint[256], region[64], bucket[200], prefix[256], profile[16];
    char access_key[160], secret_key_file[MST_CFG_PATH];
    struct mst_cfg_list secret_key_command; /* argv, no shell */
    char credentials_file[MST_CFG_PATH], credentials_profile[64];
    char role_arn[256], external_id[128];
    char ca_file[MST_CFG_PATH], proxy[256], proxy_login_file[MST_CFG_PATH];
    bool path_style, plain_http, single_writer;
    int64_t rate_bytes_per_s, connections, part_bytes;
    char storage_class[32], sse[16], sse_key[256];
    int64_t lock_days; /* what is written stays locked so long; 0: not */
    char lock_mode[16];
    struct mst_cfg_list tags; /* "name=value" of what is written */
    /* Google Cloud Storage: one of these says who one is there. */
    char service_account_file[MST_CFG_PATH], workload_identity_file[MST_CFG_PATH];
    struct mst_cfg_list token_command; /* argv, no shell */
    bool metadata;                     /* the metadata server of this machine */
    int64_t chunk_bytes;
};

struct mst_cfg_tls {
    bool on;
    char ca_file[MST_CFG_PATH];
    char cert_file[MST_CFG_PATH];
    char cert_password_file[MST_CFG_PATH];
};

struct mst_cfg {
    char path[MST_CFG_PATH]; /* the file; "" when there is none */
    char dir[MST_CFG_PATH];  /* of the file */
    char state_dir[MST_CFG_PATH];
    char socket_dir[MST_CFG_PATH]; /* of the agent */
    char uri[1024];                /* --uri or MUSTER_URI; replaces members, set name, TLS */
    bool read_only;                /* --read-only: acts are refused */

    struct {
        char name[128], label[128], cls[16], note[200];
        struct mst_cfg_list acts, members, switch_hours;
        char srv[256];
        size_t n_dial;
        struct mst_cfg_dial dial[MST_CFG_MEMBERS];
        struct mst_cfg_tls tls;
        struct mst_cfg_cred cred[MST_CRED_ACTS];
    } set;

    size_t n_stores;
    struct mst_cfg_store stores[MST_CFG_STORES];

    struct {
        char store[64];
        struct mst_cfg_list stores;  /* each gets a copy; none: store alone */
        struct mst_cfg_list regions; /* copies of data go nowhere else; none: anywhere */
        int64_t copies;              /* so many make a backup good */
        int64_t store_wait_s;        /* others wait so long for a slow one, all in all */
        int64_t scans;
        int64_t rate_bytes_per_s;
        int64_t lag_pause_ms; /* a running backup waits while its source lags more */
        int64_t lag_limit_ms; /* a member that lags more is not taken as a source */
    } backup;

    struct { /* items of recipients and trusted: a public word, then perhaps a name */
        struct mst_cfg_list recipients, escrow, trusted;
        char passphrase_file[MST_CFG_PATH];
        char signer_file[MST_CFG_PATH], signer_passphrase_file[MST_CFG_PATH];
        char identity_file[MST_CFG_PATH], identity_passphrase_file[MST_CFG_PATH];
        struct mst_cfg_list wrap_command, unwrap_command;
        int64_t escrow_days;
    } seal;

    struct {
        int64_t hello_silent_ms, stale_ms, lag_warn_ms, lag_crit_ms, headroom_warn_s;
        int64_t headroom_crit_s, commit_lag_warn_ms, no_primary_crit_ms;
    } limits;

    struct {
        int64_t workers, idle_exit_s;
        char log_file[MST_CFG_PATH];
    } agent;

    struct {
        char control[MST_CFG_PATH];
    } sandbox;
};

/* What the command line and the environment said; NULL members mean nothing was said. */
struct mst_cfg_where {
    const char *config, *uri, *password_file;
    bool read_only;
};

/* Find and read the configuration: --config, MUSTER_CONFIG, $MUSTER_DIR/muster.conf,
 * $XDG_CONFIG_HOME/muster/muster.conf, ~/.config/muster/muster.conf. A URI alone is enough.
 * MST_E_CONFIG names file:line and every wrong line, one a line of err only for the first; all of
 * them go to problems when it is not NULL. */
enum mst_rc mst_cfg_open(const struct mst_cfg_where *where, struct mst_cfg **out,
                         struct mst_str *problems, struct mst_err *err) MST_MUST_CHECK;
void mst_cfg_free(struct mst_cfg *cfg);

/* Every option with its value as a configuration file; what is not set is a comment. */
void mst_cfg_show(const struct mst_cfg *cfg, struct mst_str *out);
/* docs/configuration.md, made from the option table. */
void mst_cfg_doc(struct mst_str *out);

/* The credential section of an act (its own or view's), NULL when there is none. */
const struct mst_cfg_cred *mst_cfg_cred(const struct mst_cfg *cfg, enum mst_cred_act act);
/* How a prompt is answered: fill s, or fail. what is "password of alice for backup". */
typedef enum mst_rc mst_cfg_ask_fn(void *arg, const char *what, struct mst_secret *s,
                                   struct mst_err *err);
/* Read the password of a credential from its file, command or prompt (ask may be NULL: then
 * MST_E_AUTH). An x.509 credential has none. */
enum mst_rc mst_cfg_password(const struct mst_cfg_cred *cred, enum mst_cred_act act,
                             mst_cfg_ask_fn *ask, void *arg, struct mst_secret *out,
                             struct mst_err *err) MST_MUST_CHECK;
/* First line of what a program prints; argv, no shell, ten seconds. what names it in a sentence:
 * "password command". MST_E_CONFIG when it cannot be run, MST_E_AUTH when it fails. */
enum mst_rc mst_cfg_command(const struct mst_cfg_list *cmd, const char *what,
                            struct mst_secret *out, struct mst_err *err) MST_MUST_CHECK;
/* Secret of a store's access key, from secret_key_file or secret_key_command; unset when the
 * configuration has neither. */
enum mst_rc mst_cfg_store_secret(const struct mst_cfg_store *store, struct mst_secret *out,
                                 struct mst_err *err) MST_MUST_CHECK;
/* "user:password" of its proxy_login_file; unset when the configuration has none. */
enum mst_rc mst_cfg_store_proxy_login(const struct mst_cfg_store *store, struct mst_secret *out,
                                      struct mst_err *err) MST_MUST_CHECK;
/* Do both write to the same directory, or below the same prefix? By what is written there. */
bool mst_cfg_same_place(const struct mst_cfg_store *a, const struct mst_cfg_store *b);
/* "directory /srv/backups", "bucket vault/site at s3.example.com"; not more than its options say.
 */
void mst_cfg_store_where(const struct mst_cfg_store *store, char *out, size_t size);
/* "mstpub-... ops": the key and what it is called ("" when nothing follows). MST_E_CONFIG. */
enum mst_rc mst_cfg_pub(const char *item, enum mst_key_kind kind, uint8_t pub[32], char label[64],
                        struct mst_err *err) MST_MUST_CHECK;
/* Does seal.escrow name this label? */
bool mst_cfg_is_escrow(const struct mst_cfg *cfg, const char *label);
/* The passphrase of a key file: from phrase_file, or asked when that is "" (ask NULL: MST_E_AUTH);
 * unset when the file needs none. */
enum mst_rc mst_cfg_phrase(const char *path, const char *phrase_file, mst_cfg_ask_fn *ask,
                           void *arg, struct mst_secret *out, struct mst_err *err) MST_MUST_CHECK;
/* The key of this host that signs, the key that opens backups: from their files, with the
 * passphrase of theirs, or ask when a file needs one and none is configured (NULL: MST_E_AUTH).
 * MST_E_CONFIG when none is configured. */
enum mst_rc mst_cfg_signer(const struct mst_cfg *cfg, mst_cfg_ask_fn *ask, void *arg,
                           struct mst_sign_key *out, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_cfg_identity(const struct mst_cfg *cfg, mst_cfg_ask_fn *ask, void *arg,
                             struct mst_identity *out, struct mst_err *err) MST_MUST_CHECK;
/* By seal.wrap_command: the key as 64 hex digits goes in, what comes out is the slot. And back by
 * seal.unwrap_command; the caller compares the id of the key that it gives. */
enum mst_rc mst_cfg_wrap(const struct mst_cfg *cfg, const struct mst_data_key *key,
                         struct mst_wrap_slot *out, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_cfg_unwrap(const struct mst_cfg *cfg, const struct mst_wrap_slot *slot,
                           struct mst_data_key *out, struct mst_err *err) MST_MUST_CHECK;
bool mst_cfg_may(const struct mst_cfg *cfg, const char *act, char *why, size_t n);
/* "22:00-04:00", UTC, the end not included; it may lie after midnight. Minutes of the day. */
bool mst_cfg_hours_parse(const char *text, int *from_min, int *to_min);
/* Is this moment in one of them? True when there are none. Pure. */
bool mst_cfg_hours_now(const struct mst_cfg_list *hours, int64_t utc_ms);
/* The store named, or the only one when name is "". MST_E_CONFIG says what there is. */
enum mst_rc mst_cfg_store(const struct mst_cfg *cfg, const char *name,
                          const struct mst_cfg_store **out, struct mst_err *err) MST_MUST_CHECK;
/* The stores that a backup goes to, as indexes of cfg->stores: backup.stores, or the one store.
 * out has room for MST_CFG_STORES. MST_E_CONFIG names one that does not exist or stands there
 * twice, and copies that are more than the stores. */
enum mst_rc mst_cfg_targets(const struct mst_cfg *cfg, size_t *out, size_t *n,
                            struct mst_err *err) MST_MUST_CHECK;
/* "user:password@" in a URI: a password in argv or the environment is refused by its readers. */
bool mst_cfg_uri_has_password(const char *uri);

#endif
