/* cli.c: the options of `muster sandbox start`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "run/inner.h"

struct opt {
    const char *name, *arg; /* arg NULL: a switch */
    enum mst_rc (*take)(struct sbx_cli *cli, const char *value, struct mst_err *err);
    const char *help;
};

static enum mst_rc number(const char *text, long long min, long long max, long long *out,
                          const char *what, struct mst_err *err)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*end != '\0' || end == text || errno != 0 || *out < min || *out > max) {
        return mst_err_set(err, MST_E_USAGE, "%s takes a number from %lld to %lld, not %.60s", what,
                           min, max, text);
    }
    return MST_OK;
}

static enum mst_rc take_members(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    long long n = 0;
    const enum mst_rc rc = number(v, 1, SBX_VOTERS_MAX, &n, "--members", err);

    cli->opts.members = (int)n;
    return rc;
}

static enum mst_rc take_arbiter(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)v, (void)err;
    cli->opts.arbiter = true;
    return MST_OK;
}

static enum mst_rc take_member(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    if (cli->n_specs == SBX_VOTERS_MAX) {
        return mst_err_set(err, MST_E_USAGE, "at most %d members", SBX_VOTERS_MAX);
    }
    cli->specs[cli->n_specs++] = v;
    return MST_OK;
}

static enum mst_rc take_moves(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)v, (void)err;
    cli->opts.moves = true;
    return MST_OK;
}

static enum mst_rc take_server(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    cli->opts.server = v;
    return sbx_profile_find(v) != NULL
               ? MST_OK
               : mst_err_set(err, MST_E_USAGE, "no server profile %.40s: 4.2 and 7.0 exist", v);
}

static enum mst_rc take_fast(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)v, (void)err;
    cli->opts.fast = true;
    return MST_OK;
}

static enum mst_rc take_port(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    long long n = 0;
    const enum mst_rc rc = number(v, 0, 65535 - SBX_MEMBERS_MAX, &n, "--port", err);

    cli->opts.port = (int)n;
    return rc;
}

static enum mst_rc take_dir(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    return v[0] != '\0' && mst_copy(cli->dir, sizeof cli->dir, v)
               ? MST_OK
               : mst_err_set(err, MST_E_USAGE, "--dir is empty or too long");
}

static enum mst_rc take_set(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    cli->opts.set = v;
    return v[0] != '\0' && strlen(v) < 64
               ? MST_OK
               : mst_err_set(err, MST_E_USAGE, "--set takes 1 to 63 characters");
}

static enum mst_rc take_seed(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    long long n = 0;
    const enum mst_rc rc = number(v, 1, INT64_MAX, &n, "--seed", err);

    cli->opts.seed = (uint64_t)n;
    return rc;
}

static enum mst_rc take_oplog(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    long long n = 0;
    const enum mst_rc rc = number(v, 4096, 1LL << 40, &n, "--oplog-bytes", err);

    cli->opts.oplog_bytes = (size_t)n;
    return rc;
}

static enum mst_rc take_txn(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    long long n = 0;
    const enum mst_rc rc = number(v, 1024, 16LL << 20, &n, "--max-txn-bytes", err);

    cli->opts.max_txn_bytes = n;
    return rc;
}

static enum mst_rc take_rate(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    return number(v, 0, 100000, &cli->rate, "--rate", err);
}

static enum mst_rc take_fill(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    char bytes[32];
    const char *comma = strchr(v, ',');
    long long n = 0, colls = 1;

    (void)mst_copy(bytes, sizeof bytes, v);
    if (comma != NULL && (size_t)(comma - v) < sizeof bytes) {
        bytes[comma - v] = '\0';
    }
    enum mst_rc rc = number(bytes, 1, 1LL << 42, &n, "--fill", err);
    if (rc == MST_OK && comma != NULL) {
        rc = number(comma + 1, 1, 100000, &colls, "--fill", err);
    }
    cli->opts.fill_bytes = n;
    cli->opts.fill_colls = (int)colls;
    return rc;
}

static enum mst_rc take_user(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    if (cli->opts.n_users == SBX_USERS_MAX) {
        return mst_err_set(err, MST_E_USAGE, "at most %d users", SBX_USERS_MAX);
    }
    cli->users[cli->opts.n_users++] = v;
    return MST_OK;
}

static enum mst_rc take_auth(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)v, (void)err;
    cli->opts.auth = true;
    return MST_OK;
}

static enum mst_rc take_refuse(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    const char *eq = strchr(v, '=');

    if (eq == NULL || eq == v || eq[1] == '\0') {
        return mst_err_set(err, MST_E_USAGE, "--refuse takes USER=COMMAND, not %.60s", v);
    }
    if (cli->opts.n_refused == SBX_USERS_MAX) {
        return mst_err_set(err, MST_E_USAGE, "at most %d refusals", SBX_USERS_MAX);
    }
    cli->refused[cli->opts.n_refused++] = v;
    return MST_OK;
}

static enum mst_rc take_tls_cert(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)err;
    cli->tls.cert = v;
    cli->have_tls = true;
    return MST_OK;
}

static enum mst_rc take_tls_ca(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)err;
    cli->tls.ca = v;
    return MST_OK;
}

static enum mst_rc take_tls_client(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)v, (void)err;
    cli->tls.require_client = true;
    return MST_OK;
}

static enum mst_rc take_mongod(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)err;
    cli->mongod = v;
    return MST_OK;
}

static enum mst_rc take_daemon(struct sbx_cli *cli, const char *v, struct mst_err *err)
{
    (void)v, (void)err;
    cli->daemon = true;
    return MST_OK;
}

static const struct opt opts[] = {
    {"members", "N", take_members, "data-bearing members, 1 to 7 (3)"},
    {"arbiter", NULL, take_arbiter, "one arbiter more"},
    {"member", "SPEC", take_member, "one member by name: see below; instead of the two above"},
    {"server", "VERSION", take_server, "4.2 as recorded (default), or 7.0 from the manual"},
    {"fast", NULL, take_fast, "heartbeats and elections 10 times faster"},
    {"rate", "N", take_rate, "writes a second of the built-in shop (50; 0: none)"},
    {"fill", "BYTES[,N]", take_fill, "documents computed on read, in N collections"},
    {"moves", NULL, take_moves, "a document that grows moves: a scan may meet it twice"},
    {"port", "PORT", take_port, "of the first member, the others follow (0: any)"},
    {"set", "NAME", take_set, "name of the replica set (rs0)"},
    {"dir", "DIR", take_dir, "where configuration, socket and store are kept"},
    {"seed", "N", take_seed, "of everything that chance decides"},
    {"oplog-bytes", "N", take_oplog, "cap of each oplog (512 MiB)"},
    {"max-txn-bytes", "N", take_txn, "size at which a transaction becomes a chain"},
    {"auth", NULL, take_auth, "access control, with no user yet: see below; no shop then"},
    {"user", "USER=FILE", take_user, "a user, its password in FILE; repeatable; no shop then"},
    {"refuse", "USER=COMMAND", take_refuse,
     "refuse a command to a user (* is anybody); repeatable"},
    {"tls-cert", "FILE", take_tls_cert, "speak TLS with this certificate and key; no shop then"},
    {"tls-ca", "FILE", take_tls_ca, "who signed the certificates"},
    {"tls-require-client", NULL, take_tls_client, "no client without a certificate"},
    {"mongod", "PATH", take_mongod, "real servers of this program instead"},
    {"daemon", NULL, take_daemon, "return when the set is ready; muster sandbox stop ends it"},
};

const char *sbx_cli_help(void)
{
    static char text[4096]; /* filled once, by the main thread */
    struct mst_str s = {0};

    mst_str_add(&s, "usage: muster sandbox [start] [OPTION]...\n"
                    "       muster sandbox ctl [--dir DIR] VERB [MEMBER]...\n"
                    "       muster sandbox stop [--dir DIR]\n\n"
                    "A simulated replica set on this machine, until Ctrl-C.\n\n");
    for (size_t i = 0; i < MST_COUNT(opts); i++) {
        char left[40];
        (void)snprintf(left, sizeof left, "--%s %s", opts[i].name,
                       opts[i].arg != NULL ? opts[i].arg : "");
        mst_str_addf(&s, "  %-22s %s\n", left, opts[i].help);
    }
    mst_str_add(&s, "\nSPEC is a list of: priority=N votes=N hidden delay=SECONDS tag.NAME=TEXT "
                    "arbiter,\nfor instance --member priority=2 --member '' --member "
                    "hidden,delay=3600,tag.dc=east\n");
    mst_str_add(&s, "\nUSER is NAME, NAME@DATABASE, or either with roles behind a colon (root "
                    "otherwise):\n--user watcher:clusterMonitor=pw1 --user "
                    "dump:backup,readWrite@shop=pw2\nWith --auth alone the first user is made with "
                    "createUser from this machine, as on a server.\n");
    mst_str_add(&s, "\nVerbs: " SBX_CTL_VERBS ".\n");
    (void)mst_copy(text, sizeof text, mst_str_c(&s));
    mst_str_release(&s);
    return text;
}

static const struct opt *find(const char *name, size_t len)
{
    for (size_t i = 0; i < MST_COUNT(opts); i++) {
        if (strlen(opts[i].name) == len && strncmp(opts[i].name, name, len) == 0) {
            return &opts[i];
        }
    }
    return NULL;
}

static enum mst_rc unknown(const char *name, struct mst_err *err)
{
    const char *names[MST_COUNT(opts)];

    for (size_t i = 0; i < MST_COUNT(opts); i++) {
        names[i] = opts[i].name;
    }
    const char *near = mst_text_nearest(name, names, MST_COUNT(names));
    return mst_err_set(err, MST_E_USAGE, "no option --%.60s%s%s", name,
                       near != NULL ? ": did you mean --" : "", near != NULL ? near : "");
}

static enum mst_rc check(const struct sbx_cli *cli, struct mst_err *err)
{
    if (cli->n_specs > 0 && (cli->opts.members > 0 || cli->opts.arbiter)) {
        return mst_err_set(err, MST_E_USAGE, "--member takes the place of --members and --arbiter");
    }
    if (cli->opts.members + cli->opts.arbiter > SBX_VOTERS_MAX) {
        return mst_err_set(err, MST_E_USAGE, "at most %d members with the arbiter", SBX_VOTERS_MAX);
    }
    if (!cli->have_tls && (cli->tls.ca != NULL || cli->tls.require_client)) {
        return mst_err_set(err, MST_E_USAGE, "--tls-ca and --tls-require-client need --tls-cert");
    }
    if ((cli->have_tls || cli->opts.auth || cli->opts.n_users > 0) && cli->rate > 0) {
        return mst_err_set(err, MST_E_USAGE,
                           "the built-in shop speaks neither TLS nor passwords: --rate 0");
    }
    if (cli->mongod != NULL &&
        (cli->have_tls || cli->opts.auth || cli->opts.n_users > 0 || cli->opts.n_refused > 0 ||
         cli->opts.fast || cli->opts.server != NULL || cli->opts.fill_bytes > 0 ||
         cli->opts.moves || cli->n_specs > 0)) {
        return mst_err_set(err, MST_E_USAGE, "--mongod takes no option of the simulator");
    }
    return MST_OK;
}

enum mst_rc sbx_cli_parse(struct sbx_cli *cli, int argc, char **argv, struct mst_err *err)
{
    for (int i = 0; i < argc; i++) {
        const char *name = argv[i] + 2, *value;
        if (strncmp(argv[i], "--", 2) != 0) {
            return mst_err_set(err, MST_E_USAGE, "unexpected argument %.80s", argv[i]);
        }
        const size_t len = strcspn(name, "=");
        const struct opt *o = find(name, len);
        if (o == NULL) {
            return unknown(name, err);
        }
        if (o->arg == NULL && name[len] == '=') {
            return mst_err_set(err, MST_E_USAGE, "--%s takes no value", o->name);
        }
        value = name[len] == '=' ? name + len + 1 : NULL;
        if (o->arg != NULL && value == NULL) {
            if (i + 1 == argc) {
                return mst_err_set(err, MST_E_USAGE, "--%s needs %s", o->name, o->arg);
            }
            value = argv[++i];
        }
        const enum mst_rc rc = o->take(cli, value, err);
        if (rc != MST_OK) {
            return rc;
        }
    }
    if (cli->opts.oplog_bytes == 0) {
        cli->opts.oplog_bytes = 512U << 20;
    }
    cli->opts.users = cli->users;
    cli->opts.refused = cli->refused;
    cli->opts.tls = cli->have_tls ? &cli->tls : NULL;
    const enum mst_rc rc = check(cli, err);
    return rc == MST_OK ? sbx_members_build(cli, err) : rc;
}
