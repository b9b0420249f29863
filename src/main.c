/* main.c: find the command, read what it needs, run it, report once, exit by table. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "cmd.h"
#include "conc/thread.h"
#include "conc/wake.h"
#include "engine/keyring.h"
#include "log/log.h"

static const struct arg_spec globals[] = {
    {"config", "FILE", "configuration (MUSTER_CONFIG)", false},
    {"uri", "URI", "replica set without a configuration (MUSTER_URI)", false},
    {"password-file", "FILE", "password of the URI's user", false},
    {"read-only", NULL, "refuse every act", false},
    {"no-agent", NULL, "work in this process", false},
    {"json", NULL, "one JSON object a line", false},
    {"plain", NULL, "sentences: no table, no colour, no progress bar", false},
    {"no-color", NULL, "attributes only (NO_COLOR)", false},
    {"debug", NULL, "diagnostic lines on stderr", false},
    {"version", NULL, "print the version", false},
    {"help", NULL, "this; after a command: its own", false},
    {NULL, NULL, NULL, false}};

#define HELP_COLUMNS 80U

static struct mst_wake signal_wake = {-1};
static volatile sig_atomic_t signal_got;

static void on_signal(int sig)
{
    const int keep = errno;

    signal_got = sig;
    mst_wake_signal(&signal_wake);
    errno = keep;
}

int cmd_signal(void)
{
    return signal_got;
}

int cmd_signal_fd(void)
{
    return signal_wake.fd;
}

enum mst_rc cmd_out(const char *text, struct mst_err *err)
{
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        char why[128];

        return mst_err_set_detail(err, MST_E_IO, errno, "cannot write the output: %s",
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    return MST_OK;
}

static void report(const struct cmd_ctx *c, const struct mst_err *err)
{
    struct mst_str line = {0};

    if (c->json) {
        mst_str_addf(&line, "{\"type\":\"error\",\"v\":1,\"code\":\"%s\",\"exit\":%d,\"text\":",
                     mst_rc_name(err->rc), mst_rc_exit(err->rc));
        mst_str_add_json(&line, err->msg);
        mst_str_add(&line, "}\n");
        (void)fputs(mst_str_c(&line), stdout);
        (void)fflush(stdout);
    } else {
        (void)fprintf(stderr, "muster: %s\n", err->msg);
    }
    mst_str_release(&line);
}

/* One family on the line that has room for it. */
static void help_words(struct mst_str *family, size_t *column, struct mst_str *out)
{
    if (family->len == 0) {
        return;
    }
    if (*column > 0 && *column + 2 + family->len >= HELP_COLUMNS) {
        mst_str_add(out, ",\n       ");
        *column = 7;
    } else {
        mst_str_add(out, *column ? ", " : "  and: ");
        *column += *column ? 2 : 7;
    }
    mst_str_add(out, mst_str_c(family));
    *column += family->len;
    mst_str_reset(family);
}

/* What has no line of its own, by name: "restore discard|recover". */
static void help_others(const struct cmd *t, size_t n, struct mst_str *out)
{
    const char *family = "", *last = "";
    struct mst_str words = {0};
    size_t column = 0;

    for (size_t i = 0; i < n; i++) {
        const size_t first = strcspn(t[i].name, " ");
        const bool sibling = strncmp(t[i].name, family, first) == 0;

        family = t[i].flags & CMD_HIDDEN ? family : t[i].name;
        if (t[i].flags & CMD_HIDDEN || !(sibling || t[i].flags & CMD_BRIEF)) {
            continue;
        }
        if (strncmp(t[i].name, last, first) == 0) {
            mst_str_addf(&words, "|%s", t[i].name + first + 1);
        } else {
            help_words(&words, &column, out);
            mst_str_add(&words, t[i].name);
        }
        last = t[i].name;
    }
    help_words(&words, &column, out);
    mst_str_release(&words);
}

/* A line for each family of commands, then the others by name: it fits a screen of 24 lines. */
static void help_all(struct mst_str *out)
{
    const char *family = "";
    size_t n;
    const struct cmd *t = cmd_table(&n);

    mst_str_add(out, "usage: muster [OPTION]... COMMAND [ARGUMENT]...\n\n");
    for (size_t i = 0; i < n; i++) {
        const size_t first = strcspn(t[i].name, " ");

        if (!(t[i].flags & (CMD_HIDDEN | CMD_BRIEF)) && strncmp(t[i].name, family, first) != 0) {
            mst_str_addf(out, "  %-13s %s\n", t[i].name, t[i].summary);
            family = t[i].name;
        }
    }
    help_others(t, n, out);
    mst_str_add(out, "\n"
                     "  which set: --config FILE, --uri URI, --password-file FILE\n"
                     "  how:       --json, --plain, --no-color, --read-only, --no-agent, --debug\n"
                     "  --version, --help; after a COMMAND, --help says all of it\n");
}

static void help_one(const struct cmd *cmd, struct mst_str *out)
{
    mst_str_addf(out, "usage: muster %s%s%s%s\n\n%s\n", cmd->name, cmd->opts ? " [OPTION]..." : "",
                 cmd->operands ? " " : "", cmd->operands ? cmd->operands : "", cmd->summary);
    if (cmd->help) {
        mst_str_addf(out, "\n%s", cmd->help);
    }
    if (cmd->opts) {
        mst_str_addc(out, '\n');
        args_help(cmd->opts, out);
    }
    mst_str_add(out, "\nOptions of every command:\n");
    args_help(globals, out);
}

/* The command that argv[*at...] names (one or two words); *at moves behind it. */
static const struct cmd *find_command(int argc, char **argv, int *at)
{
    size_t n;
    const struct cmd *t = cmd_table(&n);

    for (int words = 2; words >= 1; words--) {
        char name[96];

        if (*at + words > argc) {
            continue;
        }
        (void)snprintf(name, sizeof(name), words == 2 ? "%s %s" : "%s", argv[*at],
                       words == 2 ? argv[*at + 1] : "");
        for (size_t i = 0; i < n; i++) {
            if (strcmp(t[i].name, name) == 0) {
                *at += words;
                return &t[i];
            }
        }
    }
    return NULL;
}

/* The only name that begins with what was typed. */
static const char *only_with(const char *word, const char *const *names, size_t n)
{
    const char *one = NULL;

    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], word, strlen(word)) == 0) {
            if (one) {
                return NULL;
            }
            one = names[i];
        }
    }
    return one;
}

/* The commands of one family, "key", each with its line; false when there is no such family. */
static bool help_family(const char *word, struct mst_str *out)
{
    const size_t len = strlen(word), before = out->len;
    size_t n;
    const struct cmd *t = cmd_table(&n);

    for (size_t i = 0; i < n; i++) {
        if (strncmp(t[i].name, word, len) == 0 && t[i].name[len] == ' ' &&
            !(t[i].flags & CMD_HIDDEN)) {
            mst_str_addf(out, "  %-18s %s\n", t[i].name, t[i].summary);
        }
    }
    if (out->len == before) {
        return false;
    }
    mst_str_addf(out, "\nmuster %s COMMAND --help: all of it\n", word);
    return true;
}

static enum mst_rc no_command(const char *word, const char *next, struct mst_err *err)
{
    size_t n, len = strlen(word);
    const struct cmd *t = cmd_table(&n);
    const char *names[64], *near;
    struct mst_str subs = {0};
    char both[96];
    enum mst_rc rc;

    for (size_t i = 0; i < n && i < MST_COUNT(names); i++) {
        names[i] = t[i].name;
        if (strncmp(t[i].name, word, len) == 0 && t[i].name[len] == ' ') {
            mst_str_addf(&subs, "%s%s", subs.len ? ", " : "", t[i].name + len + 1);
        }
    }
    if (subs.len) {
        rc = next && *next != '-'
                 ? mst_err_set(err, MST_E_USAGE, "no command %s %s: %s knows %s", word, next, word,
                               mst_str_c(&subs))
                 : mst_err_set(err, MST_E_USAGE, "%s needs one of %s", word, mst_str_c(&subs));
    } else {
        (void)snprintf(both, sizeof(both), "%s%s%s", word, next ? " " : "", next ? next : "");
        near = only_with(word, names, MST_COUNT(names) < n ? MST_COUNT(names) : n);
        near = near ? near
                    : mst_text_nearest(word, names, MST_COUNT(names) < n ? MST_COUNT(names) : n);
        near = near ? near
                    : mst_text_nearest(both, names, MST_COUNT(names) < n ? MST_COUNT(names) : n);
        rc = near ? mst_err_set(err, MST_E_USAGE, "no command %s: did you mean %s", word, near)
                  : mst_err_set(err, MST_E_USAGE, "no command %s: see muster --help", word);
    }
    mst_str_release(&subs);
    return rc;
}

static void settings(struct cmd_ctx *c)
{
    const char *no_color = getenv("NO_COLOR");

    c->tty = isatty(STDOUT_FILENO) == 1;
    c->json = args_has(&c->args, "json");
    c->plain = args_has(&c->args, "plain");
    c->color = c->tty && !c->plain && !args_has(&c->args, "no-color") && !(no_color && *no_color);
    if (args_has(&c->args, "debug")) {
        mst_log_to_stderr(true, MST_LOG_DEBUG);
    }
}

static enum mst_rc check_use(const struct cmd_ctx *c, struct mst_err *err)
{
    const struct cmd *cmd = c->cmd;

    if (c->args.n_operands < cmd->min_operands || c->args.n_operands > cmd->max_operands) {
        return c->args.n_operands > cmd->max_operands
                   ? mst_err_set(err, MST_E_USAGE, "%s: unexpected argument %s", cmd->name,
                                 c->args.operands[cmd->max_operands])
                   : mst_err_set(err, MST_E_USAGE, "%s needs %s", cmd->name, cmd->operands);
    }
    if (c->json && !(cmd->flags & CMD_JSON)) {
        return mst_err_set(err, MST_E_USAGE, "%s knows no --json", cmd->name);
    }
    return MST_OK;
}

static enum mst_rc run(struct cmd_ctx *c, struct mst_err *err)
{
    const struct mst_cfg_where where = {.config = args_get(&c->args, "config"),
                                        .uri = args_get(&c->args, "uri"),
                                        .password_file = args_get(&c->args, "password-file"),
                                        .read_only = args_has(&c->args, "read-only")};
    enum mst_rc rc = check_use(c, err);

    if (rc == MST_OK && (c->cmd->flags & CMD_CONFIG)) {
        rc = mst_cfg_open(&where, &c->cfg, NULL, err);
    }
    if (rc == MST_OK) {
        rc = c->cmd->fn(c, err);
    }
    mst_cfg_free(c->cfg);
    c->cfg = NULL;
    return rc;
}

static void prepare_process(void)
{
    struct mst_err err = {0};
    struct sigaction sa = {.sa_handler = on_signal};

    (void)setlocale(LC_CTYPE, "");
    /* A closed standard stream would give its number to a socket. */
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", O_RDWR);
        }
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file past the limit is an error of its write */
    if (mst_wake_init(&signal_wake, &err) == MST_OK) {
        (void)sigaction(SIGINT, &sa, NULL);
        (void)sigaction(SIGTERM, &sa, NULL);
        (void)sigaction(SIGHUP, &sa, NULL);
    }
}

/* Options before the command, the command, its options. */
static enum mst_rc understand(struct cmd_ctx *c, int argc, char **argv, bool *raw, int *at,
                              struct mst_err *err)
{
    const struct arg_spec *const only_globals[] = {globals, NULL};
    const struct arg_spec *both[] = {globals, NULL, NULL};
    enum mst_rc rc = MST_OK;
    int i = 1;

    while (i < argc && argv[i][0] == '-' && rc == MST_OK) {
        const int takes = strchr(argv[i], '=') == NULL && i + 1 < argc &&
                          (strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "--uri") == 0 ||
                           strcmp(argv[i], "--password-file") == 0);

        rc = args_parse(&c->args, 1 + takes, argv + i, only_globals, err);
        i += 1 + takes;
    }
    if (rc != MST_OK) {
        return rc;
    }
    *at = i;
    if (i >= argc) {
        char word[] = "console";
        char *console[] = {word};
        int zero = 0;

        if (!args_has(&c->args, "help") && !args_has(&c->args, "version") &&
            isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) {
            c->cmd = find_command(1, console, &zero);
        }
        return MST_OK;
    }
    c->cmd = find_command(argc, argv, at);
    if (!c->cmd) {
        return no_command(argv[i], i + 1 < argc ? argv[i + 1] : NULL, err);
    }
    if (c->cmd->raw) {
        *raw = true;
        return MST_OK;
    }
    both[1] = c->cmd->opts;
    return args_parse(&c->args, argc - *at, argv + *at, both, err);
}

/* The driver's library made it before main, for a tool that nobody runs; it would stay after a
 * kill -9, and the next process with this number would hear of it. */
static void leave_no_file(void)
{
    char name[48];

    (void)snprintf(name, sizeof(name), "/mongoc-%d", (int)getpid());
    (void)shm_unlink(name);
}

int main(int argc, char **argv)
{
    struct cmd_ctx c = {.program = argc > 0 ? argv[0] : "muster"};
    struct mst_err err = {0};
    struct mst_str text = {0};
    bool raw = false;
    int at = 0;
    enum mst_rc rc;

    leave_no_file();
    mst_keyring_process();
    rc = understand(&c, argc, argv, &raw, &at, &err);
    if (raw) {
        return c.cmd->raw(argc - at + 1, argv + at - 1);
    }
    prepare_process();
    settings(&c);
    if (rc == MST_OK && args_has(&c.args, "version")) {
        rc = cmd_out("muster " MST_VERSION "\n", &err);
    } else if (!c.cmd && at + 2 == argc && strcmp(argv[at + 1], "--help") == 0 &&
               help_family(argv[at], &text)) {
        rc = cmd_out(mst_str_c(&text), &err);
    } else if (rc == MST_OK && args_has(&c.args, "help")) {
        if (c.cmd) {
            help_one(c.cmd, &text);
        } else {
            help_all(&text);
        }
        rc = cmd_out(mst_str_c(&text), &err);
    } else if (rc == MST_OK && !c.cmd) {
        help_all(&text);
        (void)fputs(mst_str_c(&text), stderr);
        c.exit_status = mst_rc_exit(MST_E_USAGE);
    } else if (rc == MST_OK) {
        rc = run(&c, &err);
    }
    if (rc != MST_OK) {
        report(&c, &err);
        c.exit_status = mst_rc_exit(rc);
    }
    mst_str_release(&text);
    mst_wake_release(&signal_wake);
    return c.exit_status;
}
