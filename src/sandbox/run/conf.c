/* conf.c: the configuration file that leads muster to its sandbox. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "run/inner.h"

#define MARK "# Written by muster sandbox; a new start writes it anew.\n"

enum mst_rc sbx_default_dir(char *out, size_t size, struct mst_err *err)
{
    const char *own = getenv("MUSTER_DIR"), *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n;

    if (own != NULL && own[0] != '\0') {
        n = snprintf(out, size, "%s", own);
    } else if (state != NULL && state[0] == '/') {
        n = snprintf(out, size, "%s/muster/sandbox", state);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(out, size, "%s/.local/state/muster/sandbox", home);
    } else {
        return mst_err_set(err, MST_E_USAGE, "no HOME: name a folder with --dir");
    }
    return n >= 0 && (size_t)n < size
               ? MST_OK
               : mst_err_set(err, MST_E_USAGE, "the folder's name is too long");
}

static void add_text(struct mst_str *s, const char *key, const char *value)
{
    mst_str_addf(s, "    %s = ", key);
    mst_str_add_json(s, value); /* the escapes are those of libconfig */
    mst_str_add(s, ";\n");
}

/* The file stands in another folder than the command line was typed in. */
static void add_path(struct mst_str *s, const char *key, const char *path)
{
    char *whole = realpath(path, NULL);

    add_text(s, key, whole != NULL ? whole : path);
    free(whole);
}

static void add_members(struct mst_str *s, const int *ports, size_t n)
{
    mst_str_add(s, "    members = [");
    for (size_t i = 0; i < n; i++) {
        mst_str_addf(s, "%s\"127.0.0.1:%d\"", i > 0 ? ", " : "", ports[i]);
    }
    mst_str_add(s, "];\n");
}

static void add_tls(struct mst_str *s, const struct sbx_cli *cli)
{
    if (cli->have_tls) {
        mst_str_add(s, "    tls = {\n    on = true;\n");
        if (cli->tls.ca != NULL) {
            add_path(s, "ca_file", cli->tls.ca);
        }
        mst_str_add(s, "    };\n");
    }
}

static void add_user(struct mst_str *s, const struct sbx_cli *cli)
{
    if (cli->opts.n_users == 0) {
        return;
    }
    char *name = mst_xstrdup(cli->users[0]);
    char *eq = strchr(name, '=');
    if (eq != NULL) {
        *eq = '\0';
        name[strcspn(name, ":")] = '\0'; /* its roles */
        char *at = strrchr(name, '@');
        if (at != NULL) {
            *at = '\0';
        }
        mst_str_add(s, "    credentials = { view = {\n");
        add_text(s, "user", name);
        add_text(s, "source", at != NULL ? at + 1 : "admin");
        add_path(s, "password_file", eq + 1);
        mst_str_add(s, "    }; };\n");
    }
    free(name);
}

static void build(struct mst_str *s, const struct sbx_cli *cli, const int *ports, size_t n)
{
    char note[128];
    const char *server = cli->opts.server != NULL ? cli->opts.server : "4.2";

    if (cli->mongod != NULL) {
        (void)snprintf(note, sizeof note, "sandbox of real servers");
    } else {
        (void)snprintf(note, sizeof note, "simulated server %s%s%s", server,
                       strcmp(server, "4.2") == 0 ? "" : ", made from the manual",
                       cli->opts.fast ? ", 10 times faster" : "");
    }
    mst_str_add(s, MARK "set = {\n");
    add_text(s, "name", cli->opts.set != NULL ? cli->opts.set : "rs0");
    add_text(s, "class", "SANDBOX");
    add_text(s, "note", note);
    mst_str_add(s, "    acts = [\"restore\", \"import\", \"discard\", \"clean\", \"switch\"];\n");
    add_members(s, ports, n);
    add_tls(s, cli);
    add_user(s, cli);
    mst_str_add(s, "};\nstores = ({ name = \"local\"; type = \"local\"; path = \"store\"; });\n"
                   "backup = { store = \"local\"; };\n"
                   "sandbox = { control = \"ctl.sock\"; };\n");
}

enum mst_rc sbx_conf_write(const struct sbx_cli *cli, const int *ports, size_t n,
                           struct mst_err *err)
{
    struct mst_str text = {0};
    struct mst_buf now = {0};
    struct mst_err absent = {0};
    char path[512];
    enum mst_rc rc;

    (void)snprintf(path, sizeof path, "%s/" SBX_CONF_FILE, cli->dir);
    rc = mst_file_read(path, 1u << 20, &now, &absent);
    if (rc == MST_OK && (now.len < strlen(MARK) || memcmp(now.p, MARK, strlen(MARK)) != 0)) {
        mst_buf_release(&now);
        return mst_err_set(err, MST_E_EXISTS,
                           "%s is not the sandbox's own: name another folder with --dir", path);
    }
    mst_buf_release(&now);
    build(&text, cli, ports, n);
    rc = mst_file_replace(path, 0600, mst_str_c(&text), text.len, err);
    mst_str_release(&text);
    if (rc == MST_OK) {
        (void)snprintf(path, sizeof path, "%s/store", cli->dir);
        rc = mst_dir_private(path, err);
    }
    return rc;
}
