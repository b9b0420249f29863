/* The commands. A row appears when its command works. */
#include "base/mem.h"
#include "cmd.h"
#include "sandbox/run/run.h"

static const struct arg_spec watch_opts[] = {{"for", "SECONDS", "end after this time", false},
                                             {NULL, NULL, NULL, false}};

static const struct arg_spec events_opts[] = {
    {"since", "TIME", "30m, 12h, 2d, 2026-11-27T03:00Z (24h)", false},
    {"limit", "N", "at most so many, the newest (1000)", false},
    {NULL, NULL, NULL, false}};

static const struct arg_spec console_opts[] = {
    {"theme", "NAME", "default, mono, or the path of a theme file", false},
    {"glyphs", "SET", "utf8 or ascii (by locale and terminal)", false},
    {"print", "SCREEN", "overview, topology, jobs or bucket as text, without a terminal", false},
    {"size", "COLSxROWS", "of --print (80x24)", false},
    {NULL, NULL, NULL, false}};

static const struct arg_spec backup_opts[] = {
    {"source", "MEMBER|tag:K=V", "member to read from (default: muster chooses)", false},
    {"from-primary", NULL, "the primary may be the source", false},
    {"rate", "BYTES", "most bytes read each second, e.g. 50MiB", false},
    {"scans", "N", "collections read at the same time, 1 to 16", false},
    {"include", "PATTERN", "only these namespaces, e.g. 'shop.*' (may repeat)", true},
    {"exclude", "PATTERN", "leave these out; the backup is then PARTIAL (may repeat)", true},
    {"store", "NAME", "into this store alone (default: backup.stores, or backup.store)", false},
    {NULL, NULL, NULL, false}};

#define STORE_OPT \
    { \
        "store", "NAME", "the store to read from (default: the newest good copy)", false \
    }
static const struct arg_spec store_opts[] = {STORE_OPT, {NULL, NULL, NULL, false}};
#define AS_OF_OPT \
    { \
        "as-of", "TIME", "the store as it stood then, of a bucket that keeps versions", false \
    }
static const struct arg_spec past_opts[] = {STORE_OPT, AS_OF_OPT, {NULL, NULL, NULL, false}};

#define ACT_OPTS \
    {"confirm", "PHRASE", "the phrase that the plan asks for, when nobody can type", false}, \
        {"reason", "TEXT", "goes into the audit file", false}, \
    { \
        "dry-run", NULL, "print the plan and stop", false \
    }

static const struct arg_spec restore_opts[] = {
    {"include", "PATTERN", "only these namespaces, e.g. 'shop.*' (may repeat)", true},
    {"exclude", "PATTERN", "leave these out (may repeat)", true},
    {"to", "URI", "another set than the configured one", false},
    {"rate", "BYTES", "most bytes loaded each second, e.g. 50MiB", false},
    STORE_OPT,
    AS_OF_OPT,
    ACT_OPTS,
    {NULL, NULL, NULL, false}};
static const struct arg_spec import_opts[] = {
    {"include", "PATTERN", "only these namespaces, e.g. 'shop.*' (may repeat)", true},
    {"exclude", "PATTERN", "leave these out (may repeat)", true},
    {"to", "URI", "another set than the configured one", false},
    {"rate", "BYTES", "most bytes loaded each second, e.g. 50MiB", false},
    ACT_OPTS,
    {NULL, NULL, NULL, false}};
static const struct arg_spec clean_opts[] = {
    {"to", "URI", "the set that the restore went to (default: as it is remembered)", false},
    {"store", "NAME", "the store to clean (default: the one with leavings)", false},
    ACT_OPTS,
    {NULL, NULL, NULL, false}};
static const struct arg_spec act_opts[] = {
    {"to", "URI", "the set that the restore went to (default: as it is remembered)", false},
    ACT_OPTS,
    {NULL, NULL, NULL, false}};

static const struct arg_spec ls_opts[] = {{"long", NULL, "size and time too", false},
                                          {"limit", "N", "at most so many (default: all)", false},
                                          {NULL, NULL, NULL, false}};
static const struct arg_spec orphans_opts[] = {
    {"older", "TIME", "only what was not touched for so long, e.g. 30m (1h)", false},
    {"remove", NULL, "remove them", false},
    ACT_OPTS,
    {NULL, NULL, NULL, false}};
static const struct arg_spec thaw_opts[] = {
    {"days", "N", "a readable copy stays for so long, 1 to 365 (7)", false},
    {"dry-run", NULL, "ask for nothing, only say how it stands", false},
    AS_OF_OPT,
    {NULL, NULL, NULL, false}};
static const struct arg_spec copy_opts[] = {
    {"from", "STORE", "where it is read (default: the newest good copy)", false},
    {"to", "STORE", "where it goes", false},
    {NULL, NULL, NULL, false}};
static const struct arg_spec hold_opts[] = {
    {"until", "TIME", "2027-01-31, 2027-01-31T03:00Z, 90d from now, or ever", false},
    {"reason", "TEXT", "why: it is kept with the hold", false},
    {"store", "NAME", "only in this store (default: wherever it is)", false},
    {NULL, NULL, NULL, false}};
static const struct arg_spec unhold_opts[] = {
    {"store", "NAME", "only in this store (default: wherever it is)", false},
    ACT_OPTS,
    {NULL, NULL, NULL, false}};

#define SWITCH_OPTS \
    {"after", "WHAT", \
     "when another member has a higher priority: refuse (default), visit (it takes the seat " \
     "back), stay (swap the two priorities)", \
     false}, \
        {"override", "PNN=REASON", "go on although this check says no (may repeat)", true}, \
        {"plan-out", "FILE", "write the plan to a file for 'muster apply', and stop", false}, \
        ACT_OPTS

static const struct arg_spec switchover_opts[] = {
    {"to", "MEMBER", "the new primary", false}, SWITCH_OPTS, {NULL, NULL, NULL, false}};
static const struct arg_spec stepdown_opts[] = {SWITCH_OPTS, {NULL, NULL, NULL, false}};
static const struct arg_spec apply_opts[] = {
    {"plan", "FILE", "that --plan-out wrote, at most two minutes ago", false},
    {"code", "CODE", "the four letters that were shown with it", false},
    {NULL, NULL, NULL, false}};

static const struct arg_spec agent_opts[] = {
    {"foreground", NULL, "stay attached to the terminal and log to it", false},
    {"ready-fd", "N", NULL, false}, /* of the process that starts us */
    {NULL, NULL, NULL, false}};
static const struct arg_spec stop_opts[] = {{"force", NULL, "cancel its jobs", false},
                                            {NULL, NULL, NULL, false}};

static const struct arg_spec roles_opts[] = {
    {"act", "ACT", "view, switch, backup or restore", false},
    {"server", "VERSION", "of the set, e.g. 7.0", false},
    {"class", "CLASS", "of the set: PROD, TEST or SANDBOX", false},
    {NULL, NULL, NULL, false}};

#define TAKEOUT_OPTS \
    {"archive", "FILE", "write an archive, as mongodump --archive does; - is stdout", false}, \
        {"gzip", NULL, "compress what is written", false}, \
        {"include", "PATTERN", "only these namespaces, e.g. 'shop.*' (may repeat)", true}, \
        {"exclude", "PATTERN", "leave these out (may repeat)", true}, \
        {"key", "FILE", "key file that opens a sealed backup", false}, \
        {"passphrase-file", "FILE", "passphrase of it, or of the backup; else it is asked", \
         false}, \
        {"signer", "WORD", "mstsig-...: refuse what none of these signed (may repeat)", true}, \
    { \
        "no-oplog", NULL, \
            "without the oplog: the documents are then of no one moment, as they were scanned", \
            false \
    }

static const struct arg_spec export_opts[] = {
    {"dir", "DIR", "write a directory, as mongodump --out does", false},
    TAKEOUT_OPTS,
    {"store", "NAME", "of the configuration (default: that of backups)", false},
    AS_OF_OPT,
    {NULL, NULL, NULL, false}};
static const struct arg_spec open_opts[] = {
    {"out", "DIR", "write a directory, as mongodump --out does", false},
    TAKEOUT_OPTS,
    {"backup", "ID", "which one, or latest, when there are several", false},
    {"list", NULL, "only say which backups are in the folder", false},
    {NULL, NULL, NULL, false}};

#define PHRASE_OPT \
    { \
        "passphrase-file", "FILE", "its passphrase (default: asked on the terminal)", false \
    }
static const struct arg_spec key_new_opts[] = {
    {"recipient", "FILE", "a key that opens backups, into this file", false},
    {"signer", "FILE", "a key that signs them, into this file", false},
    {"from-paper", NULL, "the key of an escrow again: its lines are typed in", false},
    {"label", "NAME", "what it is called", false},
    PHRASE_OPT,
    {"no-passphrase", NULL, "its secret stands in the file as it is", false},
    {NULL, NULL, NULL, false}};
static const struct arg_spec key_check_opts[] = {PHRASE_OPT, {NULL, NULL, NULL, false}};
static const struct arg_spec key_escrow_opts[] = {
    {"check", NULL, "type the lines in; the configuration says whose they are", false},
    PHRASE_OPT,
    {NULL, NULL, NULL, false}};

static const struct arg_spec rekey_opts[] = {
    {"backup", "BACKUP", "only this one (default: all that are sealed)", false},
    {"store", "NAME", "only the backups in this store (default: every store)", false},
    ACT_OPTS,
    {NULL, NULL, NULL, false}};

static const struct cmd commands[] = {
    {.name = "console",
     .fn = cmd_console,
     .flags = CMD_AGENT | CMD_CONFIG,
     .opts = console_opts,
     .summary = "the full screen; also muster without a command on a terminal"},
    {.name = "status",
     .fn = cmd_status,
     .flags = CMD_CONFIG | CMD_JSON,
     .summary = "health of the set; exit 0 healthy, 1 not, 3 unreachable"},
    {.name = "topology",
     .fn = cmd_topology,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .summary = "every member: configuration, oplog, who sees whom"},
    {.name = "watch",
     .fn = cmd_watch,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .opts = watch_opts,
     .summary = "follow the set: events as they happen"},
    {.name = "observe",
     .fn = cmd_observe,
     .flags = CMD_CONFIG | CMD_JSON,
     .opts = watch_opts,
     .summary = "why there is no primary, until there is one; exit 0 writable",
     .help = "Each finding with what was measured and the one command that would help; changes\n"
             "nothing. With a primary it says so and ends, or with --for waits for its loss.\n"
             "Exit 0: a writable primary with a majority at the end, 1: not, 3: nobody answers.\n"},
    {.name = "events",
     .fn = cmd_events,
     .flags = CMD_CONFIG | CMD_JSON,
     .opts = events_opts,
     .summary = "what happened while an agent watched, and when nobody did"},
    {.name = "backup",
     .fn = cmd_backup,
     .flags = CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = backup_opts,
     .summary = "full backup of the running set into the store"},
    {.name = "bucket ls",
     .fn = cmd_bucket_ls,
     .opts = past_opts,
     .flags = CMD_CONFIG | CMD_JSON,
     .summary = "backups in the store, and what dead runs left there"},
    {.name = "bucket show",
     .fn = cmd_bucket_show,
     .opts = past_opts,
     .flags = CMD_CONFIG | CMD_JSON,
     .max_operands = 1,
     .operands = "[BACKUP]",
     .summary = "namespaces and objects of one backup (default: latest)"},
    {.name = "store list",
     .fn = cmd_store_list,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .summary = "every store: reachable or not, free space, backups"},
    {.name = "store show",
     .fn = cmd_store_show,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .max_operands = 1,
     .operands = "[STORE]",
     .summary = "what a store can do, and how that is known"},
    {.name = "store test",
     .fn = cmd_store_test,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .max_operands = 1,
     .operands = "[STORE]",
     .summary = "write, read, list and delete under a prefix of its own"},
    {.name = "store ls",
     .fn = cmd_store_ls,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .opts = ls_opts,
     .max_operands = 2,
     .operands = "[STORE [PREFIX]]",
     .summary = "objects as they are stored"},
    {.name = "store du",
     .fn = cmd_store_du,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .max_operands = 1,
     .operands = "[STORE]",
     .summary = "size and share of every backup"},
    {.name = "store usage",
     .fn = cmd_store_usage,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .max_operands = 1,
     .operands = "[STORE]",
     .summary = "free space, growth a day, days left"},
    {.name = "store orphans",
     .fn = cmd_store_orphans,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = orphans_opts,
     .max_operands = 1,
     .operands = "[STORE]",
     .summary = "objects of no backup; --remove"},
    {.name = "store thaw",
     .fn = cmd_store_thaw,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = thaw_opts,
     .min_operands = 2,
     .max_operands = 2,
     .operands = "STORE BACKUP",
     .summary = "readable copies of what is in an archive tier; again: how far",
     .help =
         "Asks for those objects of the backup that cannot be read and were not asked for yet;\n"
         "the store charges for it, so it is a job and in the audit file. Exit 0: all of it can\n"
         "be read now, 10: not yet.\n"},
    {.name = "copy",
     .fn = cmd_copy,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = copy_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "BACKUP",
     .summary = "a backup into another store; goes on where it was interrupted"},
    {.name = "hold",
     .fn = cmd_hold,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = hold_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "BACKUP",
     .summary = "keep a backup from being removed"},
    {.name = "release",
     .fn = cmd_release,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = unhold_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "BACKUP",
     .summary = "take the hold off a backup"},
    {.name = "catalog rebuild",
     .fn = cmd_catalog_rebuild,
     .opts = store_opts,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .summary = "read the list of backups anew from the store; exit 5: one is damaged",
     .help = "Reads COMMIT, header, marks and manifest of every backup, replaces the local cache,\n"
             "and says what is not as it was there: + appeared, - vanished, * changed.\n"},
    {.name = "verify",
     .fn = cmd_verify,
     .opts = past_opts,
     .flags = CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .max_operands = 1,
     .operands = "[BACKUP]",
     .summary = "read a backup back, every byte (default: latest)"},
    {.name = "restore",
     .fn = cmd_restore,
     .flags = CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = restore_opts,
     .max_operands = 1,
     .operands = "[BACKUP]",
     .summary = "put a backup back (default: latest); old collections are kept",
     .help = "Data is staged, compared and then swapped in; what it replaces stays aside until\n"
             "'muster restore discard RUN'. Needs \"restore\" in set.acts and a class.\n"},
    {.name = "restore discard",
     .fn = cmd_discard,
     .flags = CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = act_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "RUN",
     .summary = "drop the old collections that a restore kept aside"},
    {.name = "restore recover",
     .fn = cmd_recover,
     .flags = CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "RUN",
     .summary = "end the swap of a restore that died in it; an agent does so by itself"},
    {.name = "restore release",
     .fn = cmd_release_ttl,
     .flags = CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = act_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "RUN",
     .summary = "let the TTL indexes of a restore expire documents again"},
    {.name = "clean",
     .fn = cmd_clean,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = clean_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "BACKUP|RUN",
     .summary = "remove what an interrupted backup or restore left"},
    {.name = "import",
     .fn = cmd_import,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = import_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "PATH",
     .summary = "read a mongodump archive or directory into the set"},
    {.name = "export",
     .fn = cmd_export,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .opts = export_opts,
     .max_operands = 1,
     .operands = "[BACKUP]",
     .summary = "write a backup as what mongorestore reads (default: latest)",
     .help = "Every object is checked first. 'mongorestore --oplogReplay' brings what it loads to\n"
             "the moment of the backup. Nothing is written over. It runs in this process and as\n"
             "this user; neither the set nor an agent is asked.\n"},
    {.name = "open",
     .fn = cmd_open,
     .flags = CMD_BRIEF | CMD_JSON,
     .opts = open_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "FOLDER",
     .summary = "the same from any folder of objects, without configuration, set or network",
     .help = "FOLDER is a copy of a bucket, of a part of it, or of one backup's folder.\n"},
    {.name = "switchover",
     .fn = cmd_switchover,
     .flags = CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = switchover_opts,
     .summary = "move the primary to a chosen member, and prove nothing is lost",
     .help = "Checks first, each with its measured value; then a plan with a code, a phrase to\n"
             "type, and a run that is done only when the new primary will stay. Needs \"switch\"\n"
             "in set.acts and a class.\n"},
    {.name = "stepdown",
     .fn = cmd_stepdown,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = stepdown_opts,
     .summary = "the primary steps down; whoever is elected takes over"},
    {.name = "failback",
     .fn = cmd_failback,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = stepdown_opts,
     .max_operands = 1,
     .operands = "[SWITCH]",
     .summary = "move the primary back to where a switch took it from (default: latest)"},
    {.name = "apply",
     .fn = cmd_apply,
     .flags = CMD_BRIEF | CMD_AGENT | CMD_CONFIG | CMD_JSON,
     .opts = apply_opts,
     .summary = "carry out a plan that was written to a file and looked at"},
    {.name = "jobs",
     .fn = cmd_jobs,
     .flags = CMD_CONFIG | CMD_JSON,
     .summary = "what runs and what ran"},
    {.name = "jobs cancel",
     .fn = cmd_jobs_cancel,
     .flags = CMD_CONFIG,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "JOB",
     .summary = "ask a job to stop"},
    {.name = "jobs log",
     .fn = cmd_jobs_log,
     .flags = CMD_CONFIG,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "JOB",
     .summary = "the newest lines of a job's log"},
    {.name = "agent",
     .fn = cmd_agent,
     .flags = CMD_CONFIG,
     .opts = agent_opts,
     .summary = "start the process that watches and works; others attach to it"},
    {.name = "agent status",
     .fn = cmd_agent_status,
     .flags = CMD_CONFIG,
     .summary = "does an agent run, and what does it do"},
    {.name = "agent stop",
     .fn = cmd_agent_stop,
     .flags = CMD_CONFIG,
     .opts = stop_opts,
     .summary = "end it"},
    {.name = "key new",
     .fn = cmd_key_new,
     .flags = CMD_BRIEF | CMD_JSON,
     .opts = key_new_opts,
     .summary = "make a key that opens backups (--recipient) or signs them (--signer)",
     .help = "Prints the public word and the line for the configuration. The file is made for its\n"
             "owner only and never overwritten; its passphrase is asked twice. --from-paper makes\n"
             "the file of a lost key again, from what 'muster key escrow FILE' printed.\n"},
    {.name = "key list",
     .fn = cmd_key_list,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .summary = "keys of the configuration, each with its state; exit 1: one is not usable"},
    {.name = "key show",
     .fn = cmd_key_show,
     .flags = CMD_BRIEF | CMD_JSON,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "FILE",
     .summary = "what a key file says of itself; its secret stays closed"},
    {.name = "key check",
     .fn = cmd_key_check,
     .flags = CMD_BRIEF | CMD_JSON,
     .opts = key_check_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "FILE",
     .summary = "open a key file and prove that it works"},
    {.name = "key add",
     .fn = cmd_key_add,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .opts = rekey_opts,
     .min_operands = 1,
     .max_operands = 2,
     .operands = "WORD [NAME]",
     .summary = "let one more recipient read the sealed backups that exist",
     .help =
         "Their data keys are wrapped anew; no data is read or written. Needs a key that opens\n"
         "them here (seal.identity_file, passphrase_file or unwrap_command).\n"},
    {.name = "key remove",
     .fn = cmd_key_remove,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .opts = rekey_opts,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "NAME",
     .summary = "take a recipient (name or id), the passphrase or the program out of them",
     .help = "The last one who can read a backup is not taken out. Older key objects are removed;\n"
             "who kept a copy of one, and the secret, still reads the backup.\n"},
    {.name = "key rotate",
     .fn = cmd_key_rotate,
     .flags = CMD_BRIEF | CMD_CONFIG | CMD_JSON,
     .opts = rekey_opts,
     .summary = "let only those whom the configuration names now read them"},
    {.name = "key escrow",
     .fn = cmd_key_escrow,
     .flags = CMD_BRIEF,
     .opts = key_escrow_opts,
     .max_operands = 1,
     .operands = "[FILE]",
     .summary = "print a key as lines for paper; --check types them back",
     .help =
         "Prints the SECRET of a recipient's key file: eight lines to write down and lock away.\n"
         "With --check the lines are typed, compared with the recipients of the configuration,\n"
         "and an escrow (seal.escrow) is written down as tried.\n"},
    {.name = "audit verify",
     .fn = cmd_audit_verify,
     .flags = CMD_BRIEF | CMD_CONFIG,
     .summary = "check the record of acts, line by line"},
    {.name = "config check",
     .fn = cmd_config_check,
     .summary = "read the configuration and name every mistake"},
    {.name = "config show",
     .fn = cmd_config_show,
     .flags = CMD_CONFIG,
     .summary = "print every option with its value"},
    {.name = "roles",
     .fn = cmd_roles,
     .flags = CMD_BRIEF,
     .opts = roles_opts,
     .summary = "print the script that makes a user with the least rights for an act",
     .help = "For mongosh on the primary; it asks for the password there. Example:\n"
             "muster roles --act backup --server 7.0 --class PROD > roles.js\n"},
    {.name = "sandbox",
     .raw = sbx_main,
     .summary = "a simulated replica set to train on; sandbox --help"},
    {.name = "doc",
     .fn = cmd_doc,
     .flags = CMD_HIDDEN,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "NAME",
     .summary = "print a document that is made from a table"},
};

const struct cmd *cmd_table(size_t *n)
{
    *n = MST_COUNT(commands);
    return commands;
}
