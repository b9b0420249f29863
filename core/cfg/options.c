#include "cfg/options.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SIZEOF(section, field) sizeof(((struct mst_cfg *)NULL)->section.field)
#define OFFSET(section, field) \
    (offsetof(struct mst_cfg, section.field) - offsetof(struct mst_cfg, section))
#define TEXT(section, field) \
    .type = MST_OPT_TEXT, .offset = OFFSET(section, field), .size = SIZEOF(section, field)
#define PATH(section, field) \
    .type = MST_OPT_PATH, .offset = OFFSET(section, field), .size = SIZEOF(section, field)
#define INT(section, field, def, low, high) \
    .type = MST_OPT_INT, .offset = OFFSET(section, field), .otherwise = (def), .min = (low), \
    .max = (high)
#define OF(type, field) \
    .offset = offsetof(struct type, field), .size = sizeof(((struct type *)NULL)->field)

#define DAY_MS 86400000

static const char *const classes[] = {"PROD", "TEST", "SANDBOX", NULL};
static const char *const acts[] = {"restore", "import", "discard", "clean", "switch", NULL};
static const char *const mechanisms[] = {"SCRAM-SHA-1", "SCRAM-SHA-256", "MONGODB-X509", NULL};

static const struct mst_option set_opts[] = {
    {.name = "name",
     TEXT(set, name),
     .doc = "name of the replica set (replSetName); a member of another set is refused. Absent: "
            "the set that the first seed belongs to"},
    {.name = "label", TEXT(set, label), .doc = "what screens call the set; absent: its name"},
    {.name = "class",
     .type = MST_OPT_WORD,
     .offset = OFFSET(set, cls),
     .size = SIZEOF(set, cls),
     .words = classes,
     .doc = "how dangerous a mistake is here; it stands on the first line of every screen. Without "
            "a class muster only views and backs up"},
    {.name = "note", TEXT(set, note), .doc = "a sentence that status shows"},
    {.name = "acts",
     .type = MST_OPT_WORDS,
     .offset = OFFSET(set, acts),
     .max = 8,
     .words = acts,
     .doc = "acts that may change this set. Absent: none"},
    {.name = "members",
     .type = MST_OPT_TEXTS,
     .offset = OFFSET(set, members),
     .max = MST_CFG_MEMBERS,
     .doc = "seeds, each \"host:port\" as in the configuration of the replica set; the others are "
            "found from it"},
    {.name = "switch_hours",
     .type = MST_OPT_TEXTS,
     .offset = OFFSET(set, switch_hours),
     .max = 8,
     .doc = "hours of the day in which the primary may be moved, each \"22:00-04:00\" in UTC; "
            "outside of them a switch needs an override with a reason. Absent: always"},
    {.name = "srv",
     TEXT(set, srv),
     .doc = "host name of a mongodb+srv seed list, instead of members"},
};
static const struct mst_option dial_opts[] = {
    {.name = "name",
     .type = MST_OPT_TEXT,
     OF(mst_cfg_dial, name),
     .needed = true,
     .doc = "a member, as in the configuration of the replica set"},
    {.name = "address",
     .type = MST_OPT_TEXT,
     OF(mst_cfg_dial, address),
     .needed = true,
     .doc = "where to connect for it: a tunnel or a mapped port. TLS still checks the name, and "
            "the member that answers must call itself by it"},
};
static const struct mst_option tls_opts[] = {
    {.name = "on",
     .type = MST_OPT_BOOL,
     OF(mst_cfg_tls, on),
     .doc = "connect with TLS; the host name is always checked"},
    {.name = "ca_file",
     .type = MST_OPT_PATH,
     OF(mst_cfg_tls, ca_file),
     .doc = "certificates that sign the members' ones (PEM); absent: the system's"},
    {.name = "cert_file",
     .type = MST_OPT_PATH,
     OF(mst_cfg_tls, cert_file),
     .doc = "our certificate and its key in one file (PEM)"},
    {.name = "cert_password_file",
     .type = MST_OPT_PATH,
     OF(mst_cfg_tls, cert_password_file),
     .doc = "file with the password of that key; only its owner may read it"},
};
static const struct mst_option cred_opts[] = {
    {.name = "user",
     .type = MST_OPT_TEXT,
     OF(mst_cfg_cred, user),
     .doc = "user name; for MONGODB-X509 absent means the subject of the certificate"},
    {.name = "mechanism",
     .type = MST_OPT_WORD,
     OF(mst_cfg_cred, mechanism),
     .words = mechanisms,
     .doc = "absent: the strongest SCRAM that the server offers for this user"},
    {.name = "source",
     .type = MST_OPT_TEXT,
     OF(mst_cfg_cred, source),
     .doc = "database that holds the user; absent: admin, or $external for MONGODB-X509"},
    {.name = "password_file",
     .type = MST_OPT_PATH,
     OF(mst_cfg_cred, password_file),
     .doc = "file whose first line is the password; only its owner may read it"},
    {.name = "password_command",
     .type = MST_OPT_TEXTS,
     OF(mst_cfg_cred, password_command),
     .max = MST_CFG_ARGV,
     .doc = "program and arguments that print the password on one line, run without a shell, given "
            "10 s"},
    {.name = "prompt",
     .type = MST_OPT_BOOL,
     OF(mst_cfg_cred, prompt),
     .doc = "ask for the password on the terminal"},
};
static const struct mst_option backup_opts[] = {
    {.name = "store", TEXT(backup, store), .doc = "store that backups go to; absent: the only one"},
    {.name = "stores",
     .type = MST_OPT_TEXTS,
     .offset = OFFSET(backup, stores),
     .max = MST_CFG_STORES,
     .doc = "stores that get a copy of every backup, all at once and read once from the set; the "
            "first is the one that is meant where none is named. Absent: `store` alone"},
    {.name = "regions",
     .type = MST_OPT_TEXTS,
     .offset = OFFSET(backup, regions),
     .max = MST_CFG_STORES,
     .doc = "regions in which backups and copies may be stored, compared with `region` of the "
            "store; a store elsewhere, or without one, is refused. Absent: anywhere"},
    {.name = "copies",
     INT(backup, copies, 1, 1, MST_CFG_STORES),
     .doc = "so many whole copies make a backup good; with fewer it is incomplete (status 15)"},
    {.name = "store_wait_s",
     INT(backup, store_wait_s, 600, 1, 86400),
     .doc = "a backup waits so long, all in all, for one store while the others could go on; then "
            "that store's copy fails"},
    {.name = "scans", INT(backup, scans, 2, 1, 16), .doc = "collections read at the same time"},
    {.name = "rate_bytes_per_s",
     INT(backup, rate_bytes_per_s, 0, 0, INT64_C(1) << 40),
     .doc = "most bytes read from the source each second; 0 is no limit"},
    {.name = "lag_pause_ms",
     INT(backup, lag_pause_ms, 10000, 100, DAY_MS),
     .doc = "a backup waits while its source lags more than this"},
    {.name = "lag_limit_ms",
     INT(backup, lag_limit_ms, 60000, 100, DAY_MS),
     .doc = "a member that lags more than this is not taken as source"},
};
#define LIST(section, field, most) \
    .type = MST_OPT_TEXTS, .offset = OFFSET(section, field), .max = (most)
static const struct mst_option seal_opts[] = {
    {.name = "recipients",
     LIST(seal, recipients, MST_CFG_RECIPIENTS),
     .doc = "public words of who may read backups, each `mstpub-...` and perhaps a name behind it; "
            "this host needs no secret of theirs"},
    {.name = "escrow",
     LIST(seal, escrow, MST_CFG_RECIPIENTS),
     .doc = "names of the recipients whose secret is kept on paper or in a safe, for the day on "
            "which all others are lost"},
    {.name = "escrow_days",
     INT(seal, escrow_days, 180, 1, 3650),
     .doc = "a reminder is shown when an escrow was not tried for so many days"},
    {.name = "passphrase_file",
     PATH(seal, passphrase_file),
     .doc = "file with a passphrase that opens backups as well; whoever has this file can read "
            "them"},
    {.name = "signer_file",
     PATH(seal, signer_file),
     .doc = "key file of this host, with which it signs what it writes"},
    {.name = "signer_passphrase_file",
     PATH(seal, signer_passphrase_file),
     .doc = "file with the passphrase of signer_file; absent: it is asked, which takes "
            "--no-agent and a terminal"},
    {.name = "trusted",
     LIST(seal, trusted, MST_CFG_TRUSTED),
     .doc = "public words of the signers whose backups are believed, each `mstsig-...` and perhaps "
            "a name behind it"},
    {.name = "identity_file",
     PATH(seal, identity_file),
     .doc = "key file that opens backups; only where they are verified or restored"},
    {.name = "identity_passphrase_file",
     PATH(seal, identity_passphrase_file),
     .doc = "file with the passphrase of identity_file; absent: it is asked, which takes "
            "--no-agent and a terminal"},
    {.name = "wrap_command",
     LIST(seal, wrap_command, MST_CFG_ARGV),
     .doc = "program and arguments that wrap a data key: 64 hex digits on its standard input, at "
            "most 1024 bytes on its standard output, run without a shell, given 10 s"},
    {.name = "unwrap_command",
     LIST(seal, unwrap_command, MST_CFG_ARGV),
     .doc = "the way back: those bytes in, the 64 hex digits out"},
};
static const struct mst_option limit_opts[] = {
    {.name = "hello_silent_ms",
     INT(limits, hello_silent_ms, 2000, 200, 60000),
     .doc = "no answer for this long: the member is shown as silent"},
    {.name = "stale_ms",
     INT(limits, stale_ms, 3000, 500, 600000),
     .doc = "a value older than this is shown as stale"},
    {.name = "lag_warn_ms",
     INT(limits, lag_warn_ms, 10000, 10, DAY_MS),
     .doc = "replication lag that is a warning"},
    {.name = "lag_crit_ms",
     INT(limits, lag_crit_ms, 60000, 10, DAY_MS),
     .doc = "replication lag that is critical"},
    {.name = "headroom_warn_s",
     INT(limits, headroom_warn_s, 86400, 1, 31536000),
     .doc = "time until a member falls off the oplog of its source: warning below this"},
    {.name = "headroom_crit_s",
     INT(limits, headroom_crit_s, 14400, 1, 31536000),
     .doc = "the same, critical"},
    {.name = "commit_lag_warn_ms",
     INT(limits, commit_lag_warn_ms, 5000, 10, DAY_MS),
     .doc = "writes that no majority has yet, older than this: warning"},
    {.name = "no_primary_crit_ms",
     INT(limits, no_primary_crit_ms, 20000, 100, DAY_MS),
     .doc = "time without a primary that is critical"},
};
static const struct mst_option agent_opts[] = {
    {.name = "workers", INT(agent, workers, 2, 1, 8), .doc = "jobs that run at the same time"},
    {.name = "idle_exit_s",
     INT(agent, idle_exit_s, 600, 0, 86400),
     .doc = "a private agent without client and job ends after this time; 0 is never"},
    {.name = "log_file",
     PATH(agent, log_file),
     .doc = "file for diagnostic lines; absent: agent.log in the state directory"},
};
static const struct mst_option sandbox_opts[] = {
    {.name = "control",
     PATH(sandbox, control),
     .doc = "control socket of the sandbox that this configuration belongs to; written by `muster "
            "sandbox`"},
};

#define OPTS(t) .opts = (t), .n_opts = MST_COUNT(t)
#define CRED(i, path_, doc_) \
    { \
        .path = (path_), \
        .base = offsetof(struct mst_cfg, set.cred) + (i) * sizeof(struct mst_cfg_cred), \
        .set_offset = offsetof(struct mst_cfg, set.cred) + (i) * sizeof(struct mst_cfg_cred) + \
                      offsetof(struct mst_cfg_cred, set), \
        OPTS(cred_opts), .doc = (doc_) \
    }

static const struct mst_section sections[] = {
    {.path = "set",
     .base = offsetof(struct mst_cfg, set),
     OPTS(set_opts),
     .doc = "The replica set."},
    {.path = "set.dial",
     .base = offsetof(struct mst_cfg, set.dial),
     .elem = sizeof(struct mst_cfg_dial),
     .n_offset = offsetof(struct mst_cfg, set.n_dial),
     .max = MST_CFG_MEMBERS,
     OPTS(dial_opts),
     .doc = "Members that are reached at another address than their name."},
    {.path = "set.tls",
     .base = offsetof(struct mst_cfg, set.tls),
     OPTS(tls_opts),
     .doc = "How connections to the members are protected."},
    {.path = "set.credentials",
     .doc = "One section for each act. What has none of its own uses `view`."},
    CRED(0, "set.credentials.view", "The user that watches: `clusterMonitor`."),
    CRED(1, "set.credentials.backup", "The user that reads for a backup: `backup`."),
    CRED(2, "set.credentials.restore", "The user that restores and imports: `restore`."),
    CRED(3, "set.credentials.switch",
         "The user that moves a primary: the role of `muster roles --act switch`, or "
         "`clusterManager`."),
    {.path = "stores",
     .base = offsetof(struct mst_cfg, stores),
     .elem = sizeof(struct mst_cfg_store),
     .n_offset = offsetof(struct mst_cfg, n_stores),
     .max = MST_CFG_STORES,
     .type_offset = offsetof(struct mst_cfg_store, type),
     .opts = mst_cfg_store_opts,
     .n_opts = MST_CFG_STORE_OPTS,
     .doc = "Where backups are kept."},
    {.path = "backup",
     .base = offsetof(struct mst_cfg, backup),
     OPTS(backup_opts),
     .doc = "How backups are taken."},
    {.path = "seal",
     .base = offsetof(struct mst_cfg, seal),
     OPTS(seal_opts),
     .doc = "Who can read backups, and who says that they are true. Words and files come from "
            "`muster key new`."},
    {.path = "limits",
     .base = offsetof(struct mst_cfg, limits),
     OPTS(limit_opts),
     .doc = "Measurements past these become a reason in the verdict of the set."},
    {.path = "agent",
     .base = offsetof(struct mst_cfg, agent),
     OPTS(agent_opts),
     .doc = "The process that watches and works."},
    {.path = "sandbox",
     .base = offsetof(struct mst_cfg, sandbox),
     OPTS(sandbox_opts),
     .doc = "The training range."},
};

const struct mst_section *mst_cfg_sections(size_t *n)
{
    *n = MST_COUNT(sections);
    return sections;
}

/* Is type one of the words of "s3 or gcs"? */
static bool is_among(const char *list, const char *type)
{
    const size_t n = strlen(type);

    for (const char *at = n ? strstr(list, type) : NULL; at; at = strstr(at + 1, type)) {
        if ((at == list || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' ')) {
            return true;
        }
    }
    return false;
}

bool mst_cfg_of_type(const struct mst_section *sec, const struct mst_option *o, const void *base)
{
    return !o->of_type || sec->type_offset == 0 ||
           is_among(o->of_type, (const char *)base + sec->type_offset);
}

void mst_cfg_defaults(struct mst_cfg *cfg)
{
    for (size_t s = 0; s < MST_COUNT(sections); s++) {
        const struct mst_section *sec = &sections[s];

        for (size_t i = 0; i < sec->n_opts * (sec->elem ? sec->max : 1); i++) {
            const struct mst_option *o = &sec->opts[i % sec->n_opts];

            if (o->type == MST_OPT_INT) {
                memcpy((char *)cfg + sec->base + i / sec->n_opts * sec->elem + o->offset,
                       &o->otherwise, sizeof(o->otherwise));
            }
        }
    }
}

static void doc_range(const struct mst_option *o, struct mst_str *out)
{
    switch (o->type) {
    case MST_OPT_TEXT:
        mst_str_add(out, "text | ");
        break;
    case MST_OPT_PATH:
        mst_str_add(out, "path | ");
        break;
    case MST_OPT_BOOL:
        mst_str_add(out, "true or false | false");
        break;
    case MST_OPT_INT:
        mst_str_addf(out, "%lld to %lld | %lld", (long long)o->min, (long long)o->max,
                     (long long)o->otherwise);
        break;
    case MST_OPT_TEXTS:
        mst_str_addf(out, "up to %lld texts | ", (long long)o->max);
        break;
    case MST_OPT_WORD:
    case MST_OPT_WORDS:
        mst_str_add(out, o->type == MST_OPT_WORD ? "one of " : "any of ");
        for (size_t i = 0; o->words[i]; i++) {
            mst_str_addf(out, "%s`%s`", i ? ", " : "", o->words[i]);
        }
        mst_str_add(out, " | ");
        break;
    }
}

void mst_cfg_doc(struct mst_str *out)
{
    mst_str_add(
        out, "# Configuration\n\n"
             "Made from the option table by `muster doc configuration`; do not edit.\n\n"
             "The file is found by `--config FILE`, `MUSTER_CONFIG`, `$MUSTER_DIR/muster.conf` or\n"
             "`$XDG_CONFIG_HOME/muster/muster.conf` (`~/.config` when unset), in this order. "
             "`--uri URI` or\n`MUSTER_URI` replaces the members, the set name, the user and TLS of "
             "the file, and needs none.\n"
             "Its set has no label, note, class or acts: it can be looked at and backed up.\n"
             "`MUSTER_DIR` moves configuration, state and socket into one directory; without it "
             "state is in\n`$XDG_STATE_HOME/muster` and the socket in `/tmp/muster-UID`.\n\n"
             "`muster config check` names every mistake with its file and line; `muster config "
             "show` prints\nevery option with its value. Relative paths are below the directory of "
             "the file. A password\nnever stands in the file. A file with a secret may be named "
             "`credential:NAME`: it is then the one that\nsystemd gave to the agent's unit with "
             "`LoadCredential=NAME:...` or `LoadCredentialEncrypted=`. That is\nnot for "
             "certificates (`cert_file`, `ca_file`).\n");
    for (size_t s = 0; s < MST_COUNT(sections); s++) {
        const struct mst_section *sec = &sections[s];

        mst_str_addf(out, "\n## %s%s\n\n%s\n", sec->path, sec->elem ? " (a list of groups)" : "",
                     sec->doc);
        if (sec->n_opts > 0) {
            mst_str_add(out, "\n| option | value | default | meaning |\n|---|---|---|---|\n");
        }
        for (size_t i = 0; i < sec->n_opts; i++) {
            mst_str_addf(out, "| `%s` | ", sec->opts[i].name);
            doc_range(&sec->opts[i], out);
            mst_str_addf(out, " | %s%s%s |\n", sec->opts[i].of_type ? sec->opts[i].of_type : "",
                         sec->opts[i].of_type ? ": " : "", sec->opts[i].doc);
        }
    }
}
