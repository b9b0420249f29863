/* main.c: `muster sandbox`: start, ctl, stop. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "run/inner.h"

/* --dir DIR or --dir=DIR anywhere among the words; the rest goes to words. */
static enum mst_rc take_words(int argc, char **argv, char *dir, size_t size, const char **words,
                              size_t *n, struct mst_err *err)
{
    *n = 0;
    for (int i = 0; i < argc; i++) {
        const char *value = NULL;
        if (strncmp(argv[i], "--dir=", 6) == 0) {
            value = argv[i] + 6;
        } else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
            value = argv[++i];
        } else if (argv[i][0] == '-') {
            return mst_err_set(err, MST_E_USAGE, "only --dir DIR is known here, not %.60s",
                               argv[i]);
        }
        if (value != NULL && !mst_copy(dir, size, value)) {
            return mst_err_set(err, MST_E_USAGE, "--dir is too long");
        }
        if (value == NULL) {
            if (*n == SBX_CTL_WORDS) {
                return mst_err_set(err, MST_E_USAGE, "too many words");
            }
            words[(*n)++] = argv[i];
        }
    }
    return MST_OK;
}

static enum mst_rc ask(const char *dir, const char *const *words, size_t n, struct mst_err *err)
{
    struct mst_str out = {0};
    char path[512];

    (void)snprintf(path, sizeof path, "%s/" SBX_CTL_FILE, dir);
    const enum mst_rc rc = sbx_ctl_ask(path, words, n, &out, err);
    if (rc == MST_OK) {
        (void)fputs(mst_str_c(&out), stdout);
    }
    mst_str_release(&out);
    return rc;
}

static enum mst_rc do_ctl(int argc, char **argv, struct mst_err *err)
{
    char dir[400];
    const char *words[SBX_CTL_WORDS];
    size_t n;
    enum mst_rc rc = sbx_default_dir(dir, sizeof dir, err);

    if (rc == MST_OK) {
        rc = take_words(argc, argv, dir, sizeof dir, words, &n, err);
    }
    if (rc == MST_OK && n == 0) {
        rc = mst_err_set(err, MST_E_USAGE, "sandbox ctl needs a verb: " SBX_CTL_VERBS);
    }
    return rc == MST_OK ? ask(dir, words, n, err) : rc;
}

static enum mst_rc do_stop(int argc, char **argv, struct mst_err *err)
{
    char dir[400], path[512];
    const char *words[SBX_CTL_WORDS], *quit[] = {"quit"};
    size_t n;
    struct mst_str out = {0};
    enum mst_rc rc = sbx_default_dir(dir, sizeof dir, err);

    if (rc == MST_OK) {
        rc = take_words(argc, argv, dir, sizeof dir, words, &n, err);
    }
    if (rc == MST_OK && n > 0) {
        rc = mst_err_set(err, MST_E_USAGE, "sandbox stop takes no argument: %.60s", words[0]);
    }
    if (rc != MST_OK) {
        return rc;
    }
    (void)snprintf(path, sizeof path, "%s/" SBX_CTL_FILE, dir);
    rc = sbx_ctl_ask(path, quit, 1, &out, err);
    mst_str_release(&out);
    /* Its socket goes last but for the members' threads: then it is as good as gone. */
    (void)snprintf(path, sizeof path, "%s/" SBX_PID_FILE, dir);
    const int64_t until = mst_clock_mono_ms(NULL) + 30000;
    while (rc == MST_OK) {
        struct mst_buf now = {0};
        struct mst_err gone = {0};
        const enum mst_rc there = mst_file_read(path, 64, &now, &gone);
        mst_buf_release(&now);
        if (there != MST_OK) {
            break;
        }
        if (mst_clock_mono_ms(NULL) > until) {
            rc = mst_err_set(err, MST_E_TIMEOUT, "the sandbox in %s does not end", dir);
        }
        mst_clock_sleep_ms(20);
    }
    return rc;
}

static enum mst_rc do_start(int argc, char **argv, struct mst_err *err)
{
    struct sbx_cli cli = {.rate = -1};
    enum mst_rc rc = sbx_cli_parse(&cli, argc, argv, err);

    if (rc == MST_OK && cli.dir[0] == '\0') {
        rc = sbx_default_dir(cli.dir, sizeof cli.dir, err);
    }
    if (rc == MST_OK && cli.mongod == NULL && getenv("MUSTER_MONGOD") != NULL &&
        cli.opts.server == NULL && !cli.opts.fast && !cli.have_tls && cli.opts.n_users == 0 &&
        !cli.opts.auth && cli.opts.n_refused == 0 && cli.opts.fill_bytes == 0 && !cli.opts.moves &&
        cli.n_specs == 0) {
        cli.mongod = getenv("MUSTER_MONGOD");
    }
    if (rc == MST_OK) {
        rc = sbx_start(&cli, err);
    }
    if (cli.opts.config != NULL) {
        bson_destroy(&cli.config);
    }
    return rc;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

int sbx_main(int argc, char **argv)
{
    struct mst_err err = {0};
    enum mst_rc rc;
    const char *what = argc > 1 && argv[1][0] != '-' ? argv[1] : "start";
    const int skip = argc > 1 && argv[1][0] != '-' ? 2 : 1;

    if (wants_help(argc, argv)) {
        (void)fputs(sbx_cli_help(), stdout);
        return 0;
    }
    if (strcmp(what, "start") == 0) {
        rc = do_start(argc - skip, argv + skip, &err);
    } else if (strcmp(what, "ctl") == 0) {
        rc = do_ctl(argc - skip, argv + skip, &err);
    } else if (strcmp(what, "stop") == 0) {
        rc = do_stop(argc - skip, argv + skip, &err);
    } else {
        rc = mst_err_set(&err, MST_E_USAGE, "sandbox knows start, ctl and stop, not %.60s", what);
    }
    if (rc != MST_OK) {
        (void)fprintf(stderr, "muster sandbox: %s\n", err.msg);
    }
    return mst_rc_exit(rc);
}
