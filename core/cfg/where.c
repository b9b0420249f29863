#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/credential.h"
#include "base/mem.h"
#include "base/text.h"
#include "cfg/cfg.h"
#include "cfg/load.h"
#include "cfg/options.h"

const char *mst_cred_act_word(enum mst_cred_act a)
{
    static const char *const words[MST_CRED_ACTS] = {"view", "backup", "restore", "switch"};

    return words[a];
}

static const char *env(const char *name)
{
    const char *v = getenv(name);

    return v && *v ? v : NULL;
}

static enum mst_rc join(char *out, size_t size, const char *a, const char *b, struct mst_err *err)
{
    if ((size_t)snprintf(out, size, "%s%s", a, b) >= size) {
        return mst_err_set(err, MST_E_CONFIG, "the path %.200s... is too long", a);
    }
    return MST_OK;
}

/* A directory by MUSTER_DIR, by an XDG variable, or below the home directory. */
static enum mst_rc base_dir(const char *xdg, const char *home_part, char *out, size_t size,
                            struct mst_err *err)
{
    const char *muster = env("MUSTER_DIR"), *x = env(xdg), *home = env("HOME");

    if (muster) {
        if (*muster != '/') {
            return mst_err_set(err, MST_E_CONFIG, "MUSTER_DIR is %s: it must start with /", muster);
        }
        return join(out, size, muster, "", err);
    }
    if (x && *x == '/') { /* the specification says to ignore relative ones */
        return join(out, size, x, "/muster", err);
    }
    if (!home || *home != '/') {
        return mst_err_set(err, MST_E_CONFIG, "neither MUSTER_DIR nor %s nor HOME is set", xdg);
    }
    return join(out, size, home, home_part, err);
}

static enum mst_rc places(struct mst_cfg *cfg, struct mst_err *err)
{
    const char *muster = env("MUSTER_DIR");
    enum mst_rc rc =
        base_dir("XDG_STATE_HOME", "/.local/state/muster", cfg->state_dir, MST_CFG_PATH, err);

    if (rc == MST_OK && muster) {
        /* A socket address has 108 bytes: a deep MUSTER_DIR fails with a sentence when it binds. */
        rc = join(cfg->socket_dir, MST_CFG_PATH, muster, "/run", err);
        if (rc == MST_OK) {
            rc = join(cfg->state_dir, MST_CFG_PATH, muster, "/state", err);
        }
    } else if (rc == MST_OK) {
        (void)snprintf(cfg->socket_dir, MST_CFG_PATH, "/tmp/muster-%u", (unsigned)geteuid());
    }
    return rc;
}

/* The file to read: named (then it must exist), or the usual one when it is there, else "". */
static enum mst_rc which_file(const struct mst_cfg_where *w, char *out, struct mst_err *err)
{
    const char *named = w->config ? w->config : env("MUSTER_CONFIG");
    char dir[MST_CFG_PATH];
    enum mst_rc rc;

    out[0] = '\0';
    if (named) {
        char cwd[MST_CFG_PATH] = "";

        if (*named != '/' && !getcwd(cwd, sizeof(cwd) - 1)) {
            return mst_err_set(err, MST_E_CONFIG, "the current directory has no name");
        }
        if (*named != '/') {
            const size_t n = strlen(cwd);

            cwd[n] = '/'; /* room: getcwd had one byte less */
            cwd[n + 1] = '\0';
        }
        return join(out, MST_CFG_PATH, cwd, named, err);
    }
    rc = base_dir("XDG_CONFIG_HOME", "/.config/muster", dir, sizeof(dir), err);
    if (rc == MST_OK && (rc = join(out, MST_CFG_PATH, dir, "/muster.conf", err)) == MST_OK &&
        access(out, F_OK) != 0) {
        out[0] = '\0';
    }
    return rc;
}

bool mst_cfg_uri_has_password(const char *uri)
{
    const char *s = strstr(uri, "://");
    const char *at, *end;

    if (!s) {
        return false;
    }
    s += 3;
    end = s + strcspn(s, "/?");
    if (!memchr(s, '@', (size_t)(end - s)) && strchr(end, '@')) {
        /* A password with a '/' or '?' that is not escaped: what is behind the colon is no port. */
        const char *colon = memchr(s, ':', (size_t)(end - s));

        if (colon && strspn(colon + 1, "0123456789") != strcspn(colon + 1, ",/?")) {
            return true;
        }
    }
    /* The last @ before the path ends the credentials, as drivers read it. */
    for (at = end; at > s && at[-1] != '@'; at--) {
    }
    return at > s && memchr(s, ':', (size_t)(at - 1 - s)) != NULL;
}

static enum mst_rc take_uri(struct mst_cfg *cfg, const struct mst_cfg_where *w, struct mst_err *err)
{
    const char *uri = w->uri ? w->uri : (w->config ? NULL : env("MUSTER_URI"));

    if (!uri) {
        return MST_OK;
    }
    if (mst_cfg_uri_has_password(uri)) {
        return mst_err_set(err, MST_E_USAGE,
                           "the URI holds a password, which other users can read in the process "
                           "list: take it out and use --password-file FILE, or password_file, "
                           "password_command or prompt in the configuration");
    }
    if (strlen(uri) >= sizeof(cfg->uri)) {
        return mst_err_set(err, MST_E_USAGE, "the URI is longer than %zu bytes",
                           sizeof(cfg->uri) - 1);
    }
    (void)mst_copy(cfg->uri, sizeof(cfg->uri), uri);
    return MST_OK;
}

/* An agent has another working directory than who starts it. */
static enum mst_rc make_absolute(char *path, size_t size, struct mst_err *err)
{
    char cwd[MST_CFG_PATH], *was;
    size_t n;
    enum mst_rc rc;

    if (!path[0] || path[0] == '/' || mst_credential_is(path)) {
        return MST_OK;
    }
    if (!getcwd(cwd, sizeof(cwd) - 1)) {
        return mst_err_set(err, MST_E_CONFIG, "the current directory has no name: give %s from /",
                           path);
    }
    n = strlen(cwd);
    cwd[n] = '/';
    cwd[n + 1] = '\0';
    was = mst_xstrdup(path);
    rc = join(path, size, cwd, was, err);
    free(was);
    return rc;
}

static enum mst_rc finish(struct mst_cfg *cfg, const struct mst_cfg_where *w, struct mst_err *err)
{
    const char *pw = w->password_file ? w->password_file : env("MUSTER_PASSWORD_FILE");

    if (pw) {
        struct mst_cfg_cred *view = &cfg->set.cred[MST_CRED_VIEW];

        if (!mst_copy(view->password_file, sizeof(view->password_file), pw)) {
            return mst_err_set(err, MST_E_USAGE, "the path of the password file is too long");
        }
        if (make_absolute(view->password_file, sizeof(view->password_file), err) != MST_OK) {
            return err->rc;
        }
        view->prompt = false;
        view->password_command.n = 0;
    }
    if (!cfg->uri[0] && cfg->set.members.n == 0 && !cfg->set.srv[0]) {
        return cfg->path[0]
                   ? mst_err_set(err, MST_E_CONFIG,
                                 "%s names no members: set.members = [\"host:port\"] or --uri",
                                 cfg->path)
                   : mst_err_set(err, MST_E_CONFIG,
                                 "no replica set is configured: give --uri mongodb://HOST:PORT or "
                                 "--config FILE, or start a training set with 'muster sandbox'");
    }
    if (cfg->uri[0]) { /* another set, perhaps: what was said about the configured one is not its */
        cfg->set.label[0] = cfg->set.cls[0] = cfg->set.note[0] = cfg->set.name[0] = '\0';
        cfg->set.acts.n = 0;
    }
    if (!cfg->set.label[0]) {
        (void)mst_copy(cfg->set.label, sizeof(cfg->set.label), cfg->set.name);
    }
    cfg->read_only = w->read_only;
    return MST_OK;
}

enum mst_rc mst_cfg_open(const struct mst_cfg_where *where, struct mst_cfg **out,
                         struct mst_str *problems, struct mst_err *err)
{
    struct mst_cfg *cfg = mst_xcalloc(1, sizeof(*cfg));
    struct mst_str own = {0};
    enum mst_rc rc;
    char *slash;

    mst_cfg_defaults(cfg);
    if ((rc = places(cfg, err)) != MST_OK || (rc = which_file(where, cfg->path, err)) != MST_OK ||
        (rc = make_absolute(cfg->path, sizeof(cfg->path), err)) != MST_OK) {
        goto out;
    }
    if (cfg->path[0]) {
        (void)mst_copy(cfg->dir, sizeof(cfg->dir), cfg->path);
        if ((slash = strrchr(cfg->dir, '/')) != NULL) {
            slash[slash == cfg->dir] = '\0';
        }
        rc = mst_cfg_read(cfg, cfg->path, problems ? problems : &own, err);
    }
    if (rc == MST_OK && (rc = take_uri(cfg, where, err)) == MST_OK) {
        rc = finish(cfg, where, err);
    }
out:
    mst_str_release(&own);
    if (rc != MST_OK) {
        mst_cfg_free(cfg);
        cfg = NULL;
    }
    *out = cfg;
    return rc;
}

void mst_cfg_free(struct mst_cfg *cfg)
{
    if (!cfg) {
        return;
    }
    free(cfg->set.acts.item);
    free(cfg->set.members.item);
    free(cfg->set.switch_hours.item);
    free(cfg->backup.stores.item);
    free(cfg->backup.regions.item);
    for (size_t i = 0; i < MST_CFG_STORES; i++) {
        free(cfg->stores[i].secret_key_command.item);
        free(cfg->stores[i].token_command.item);
        free(cfg->stores[i].tags.item);
    }
    free(cfg->seal.recipients.item);
    free(cfg->seal.escrow.item);
    free(cfg->seal.trusted.item);
    free(cfg->seal.wrap_command.item);
    free(cfg->seal.unwrap_command.item);
    for (size_t a = 0; a < MST_CRED_ACTS; a++) {
        free(cfg->set.cred[a].password_command.item);
    }
    free(cfg);
}

const struct mst_cfg_cred *mst_cfg_cred(const struct mst_cfg *cfg, enum mst_cred_act act)
{
    if (cfg->set.cred[act].set) {
        return &cfg->set.cred[act];
    }
    return cfg->set.cred[MST_CRED_VIEW].set ? &cfg->set.cred[MST_CRED_VIEW] : NULL;
}

bool mst_cfg_may(const struct mst_cfg *cfg, const char *act, char *why, size_t n)
{
    why[0] = '\0';
    if (cfg->read_only) {
        (void)snprintf(why, n, "--read-only was given");
    } else if (cfg->uri[0]) {
        (void)snprintf(
            why, n,
            "a set that a URI names has no class: it can be looked at and backed up, the "
            "others need it in a configuration");
    } else if (!cfg->set.cls[0]) {
        (void)snprintf(why, n,
                       "the configuration gives this set no class: set.class = \"PROD\", \"TEST\" "
                       "or \"SANDBOX\"");
    } else {
        for (size_t i = 0; i < cfg->set.acts.n; i++) {
            if (strcmp(cfg->set.acts.item[i], act) == 0) {
                return true;
            }
        }
        (void)snprintf(why, n, "the configuration does not list \"%s\" in set.acts", act);
    }
    return false;
}

enum mst_rc mst_cfg_store(const struct mst_cfg *cfg, const char *name,
                          const struct mst_cfg_store **out, struct mst_err *err)
{
    struct mst_str all = {0};
    enum mst_rc rc;

    if (!*name) {
        name = cfg->backup.store;
    }
    if (!*name && cfg->backup.stores.n > 0) {
        name = cfg->backup.stores.item[0];
    }
    for (size_t i = 0; i < cfg->n_stores; i++) {
        if (strcmp(cfg->stores[i].name, name) == 0 || (!*name && cfg->n_stores == 1)) {
            *out = &cfg->stores[i];
            mst_str_release(&all);
            return MST_OK;
        }
        mst_str_addf(&all, "%s%s", i ? ", " : "", cfg->stores[i].name);
    }
    if (cfg->n_stores == 0) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "no store is configured: stores = ({ name = \"local\"; type = \"local\"; "
                         "path = \"DIRECTORY\"; })");
    } else if (!*name) {
        rc = mst_err_set(err, MST_E_CONFIG, "several stores are configured (%s): name one",
                         mst_str_c(&all));
    } else {
        rc = mst_err_set(err, MST_E_CONFIG, "no store is called %s: there is %s", name,
                         mst_str_c(&all));
    }
    mst_str_release(&all);
    return rc;
}

enum mst_rc mst_cfg_targets(const struct mst_cfg *cfg, size_t *out, size_t *n, struct mst_err *err)
{
    const struct mst_cfg_list *all = &cfg->backup.stores;
    const struct mst_cfg_store *s;

    *n = 0;
    if (all->n == 0) {
        if (mst_cfg_store(cfg, "", &s, err) != MST_OK) {
            return err->rc;
        }
        out[(*n)++] = (size_t)(s - cfg->stores);
    }
    for (size_t i = 0; i < all->n; i++) {
        if (mst_cfg_store(cfg, all->item[i], &s, err) != MST_OK) {
            mst_err_prefix(err, "backup.stores");
            return err->rc;
        }
        for (size_t k = 0; k < *n; k++) {
            if (out[k] == (size_t)(s - cfg->stores)) {
                return mst_err_set(err, MST_E_CONFIG, "backup.stores names %s twice", s->name);
            }
            if (mst_cfg_same_place(s, &cfg->stores[out[k]])) {
                return mst_err_set(err, MST_E_CONFIG,
                                   "backup.stores names %s and %s, which are one place: two copies "
                                   "there would be one",
                                   cfg->stores[out[k]].name, s->name);
            }
        }
        out[(*n)++] = (size_t)(s - cfg->stores);
    }
    if (cfg->backup.copies > (int64_t)*n) {
        return mst_err_set(err, MST_E_CONFIG,
                           "backup.copies is %lld and backup.stores names %zu: no backup can be "
                           "good",
                           (long long)cfg->backup.copies, *n);
    }
    return MST_OK;
}
