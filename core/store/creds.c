#include "store/creds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/credential.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "log/log.h"
#include "store/creds_own.h"

#define EARLY_MS 300000
#define LAST_MS 10000  /* closer to their end the present ones are not used */
#define PAUSE_MS 10000 /* between two tries to get the next ones, while the present ones serve */
#define LOOK_MS 200

struct mst_creds {
    const struct mst_cfg_store *cfg;
    struct mst_mutex mtx; /* what follows; not held while something is read */
    struct mst_cond done;
    struct mst_login have;
    int64_t again_mono_ms; /* the next ones could not be had: not asked for before */
    bool known, reading;
};

struct mst_creds *mst_creds_new(const struct mst_cfg_store *cfg)
{
    struct mst_creds *c = mst_xcalloc(1, sizeof(*c));

    c->cfg = cfg;
    mst_mutex_init(&c->mtx);
    mst_cond_init(&c->done);
    return c;
}

void mst_creds_free(void *creds)
{
    struct mst_creds *c = creds;

    if (c) {
        mst_login_release(&c->have);
        mst_cond_release(&c->done);
        mst_mutex_release(&c->mtx);
        free(c);
    }
}

/* --- files of credentials --- */

struct field { /* of a line "name = value" */
    const char *name, *value;
    size_t name_n, value_n;
};

static void trim(const char **p, size_t *n)
{
    for (; *n > 0 && strchr(" \t\r\n", **p) && **p; (*n)--) {
        (*p)++;
    }
    for (; *n > 0 && strchr(" \t\r\n", (*p)[*n - 1]) && (*p)[*n - 1]; (*n)--) {
    }
}

static bool is(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(p, word, n) == 0;
}

static enum mst_rc take_field(const struct field *f, struct mst_login *out, struct mst_err *err)
{
    if (f->value_n == 0 || f->value_n > MST_SECRET_MAX || memchr(f->value, '\0', f->value_n)) {
        return mst_err_set(err, MST_E_CONFIG, "%.40s has no value that can be one",
                           is(f->name, f->name_n, "aws_access_key_id") ? "aws_access_key_id"
                                                                       : "a secret");
    }
    if (is(f->name, f->name_n, "aws_access_key_id")) {
        if (f->value_n >= sizeof(out->access_key)) {
            return mst_err_set(err, MST_E_CONFIG, "aws_access_key_id is too long");
        }
        memcpy(out->access_key, f->value, f->value_n);
        out->access_key[f->value_n] = '\0';
    } else if (is(f->name, f->name_n, "aws_secret_access_key")) {
        mst_secret_set(&out->secret, f->value, f->value_n);
    } else if (is(f->name, f->name_n, "aws_session_token")) {
        mst_secret_set(&out->token, f->value, f->value_n);
    }
    return MST_OK;
}

static bool is_ours(const struct field *f)
{
    return is(f->name, f->name_n, "aws_access_key_id") ||
           is(f->name, f->name_n, "aws_secret_access_key") ||
           is(f->name, f->name_n, "aws_session_token");
}

enum mst_rc mst_creds_parse(const char *text, size_t n, const char *section, struct mst_login *out,
                            struct mst_err *err)
{
    const size_t mark = mst_text_bom(text, n);
    bool in = false, found = false;

    text += mark;
    n -= mark;
    for (const char *end = text + n; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text)), *line = text, *eq;
        size_t len = (size_t)((stop ? stop : end) - text);

        text += len + 1;
        trim(&line, &len);
        if (len == 0 || *line == '#' || *line == ';') {
            continue;
        }
        if (*line == '[') {
            const char *name = line + 1;
            size_t name_n = len > 1 && line[len - 1] == ']' ? len - 2 : 0;

            trim(&name, &name_n);
            in = !found && is(name, name_n, section);
            found = found || in;
            continue;
        }
        eq = memchr(line, '=', len);
        if (in && eq) {
            struct field f = {line, eq + 1, (size_t)(eq - line), len - (size_t)(eq - line) - 1};

            trim(&f.name, &f.name_n);
            trim(&f.value, &f.value_n);
            if (is_ours(&f) && take_field(&f, out, err) != MST_OK) {
                return err->rc;
            }
        }
    }
    if (!found) {
        return mst_err_set(err, MST_E_NOTFOUND, "there is no section [%.60s]", section);
    }
    if (!out->access_key[0] || !out->secret.p) {
        return mst_err_set(err, MST_E_CONFIG, "the section [%.60s] has no %s", section,
                           out->access_key[0] ? "aws_secret_access_key" : "aws_access_key_id");
    }
    return MST_OK;
}

static enum mst_rc from_file(const char *path, const char *section, struct mst_login *out,
                             struct mst_err *err)
{
    struct mst_buf text = {0};
    struct stat st;
    char at[MST_CREDENTIAL_PATH];
    enum mst_rc rc = mst_credential_path(path, at, err);

    if (rc != MST_OK) {
        return rc;
    }
    if (stat(at, &st) == 0 && !mst_credential_private(path, &st)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the credentials file %s can be read by others (mode %04o): chmod 600 "
                           "it",
                           path, (unsigned)st.st_mode & 07777U);
    }
    rc = mst_file_read(at, MST_CREDS_FILE_MAX, &text, err);
    if (rc == MST_OK) {
        rc = mst_creds_parse((const char *)text.p, text.len, section, out, err);
        if (rc != MST_OK) {
            mst_err_prefix(err, "the credentials file %s", path);
        }
    }
    if (text.p) {
        mst_wipe(text.p, text.len);
    }
    mst_buf_release(&text);
    (void)snprintf(out->from, sizeof(out->from), "section %.30s of %.50s", section, path);
    return rc;
}

/* --- the order --- */

static enum mst_rc from_env(struct mst_login *out, struct mst_err *err)
{
    const char *key = mst_creds_env("AWS_ACCESS_KEY_ID"),
               *secret = mst_creds_env("AWS_SECRET_ACCESS_KEY");
    const char *token = mst_creds_env("AWS_SESSION_TOKEN");
    size_t key_n = key ? strlen(key) : 0, secret_n = secret ? strlen(secret) : 0;
    size_t token_n = token ? strlen(token) : 0;

    if (!key || !secret) {
        return mst_err_set(err, MST_E_NOTFOUND, "no key in the environment");
    }
    trim(&key, &key_n); /* what was read from a file has a line's end */
    trim(&secret, &secret_n);
    if (key_n >= sizeof(out->access_key)) {
        return mst_err_set(err, MST_E_CONFIG, "AWS_ACCESS_KEY_ID is too long");
    }
    memcpy(out->access_key, key, key_n);
    out->access_key[key_n] = '\0';
    mst_secret_set(&out->secret, secret, secret_n);
    if (token) {
        trim(&token, &token_n);
        mst_secret_set(&out->token, token, token_n);
    }
    (void)mst_copy(out->from, sizeof(out->from), "the environment");
    return MST_OK;
}

static enum mst_rc usual_file(const char *section, struct mst_login *out, struct mst_err *err)
{
    const char *named = mst_creds_env("AWS_SHARED_CREDENTIALS_FILE"), *home = mst_creds_env("HOME");
    char path[MST_CFG_PATH];

    if (!named && !home) {
        return mst_err_set(err, MST_E_NOTFOUND, "HOME is not set");
    }
    (void)snprintf(path, sizeof(path), "%s%s", named ? named : home,
                   named ? "" : "/.aws/credentials");
    return from_file(path, section, out, err);
}

/* Half a key is a mistake, and not another identity's turn. */
static enum mst_rc half_env(struct mst_err *err)
{
    const bool key = mst_creds_env("AWS_ACCESS_KEY_ID") != NULL;
    const bool secret = mst_creds_env("AWS_SECRET_ACCESS_KEY") != NULL;

    return key == secret ? MST_OK
                         : mst_err_set(err, MST_E_CONFIG,
                                       "the environment has %s and no %s: set both or none",
                                       key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                                       key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
}

/* The first that has one. Who names a section means that and nothing else. */
static enum mst_rc first_of(const struct mst_cfg_store *cfg, const char *section,
                            struct mst_login *out, struct mst_task *task, struct mst_err *err)
{
    const bool amazon = !cfg->endpoint[0] || strcmp(cfg->profile, "aws") == 0;
    enum mst_rc rc = MST_E_NOTFOUND;

    if (!cfg->credentials_profile[0]) {
        rc = half_env(err);
        rc = rc == MST_OK ? from_env(out, err) : rc;
        rc = rc == MST_E_NOTFOUND ? mst_creds_web_identity(cfg, out, task, err) : rc;
    }
    rc = rc == MST_E_NOTFOUND ? usual_file(section, out, err) : rc;
    if (rc == MST_E_NOTFOUND && !cfg->credentials_profile[0] && !mst_creds_env("AWS_PROFILE")) {
        const struct mst_err why = *err;

        rc = mst_creds_container(out, task, err);
        rc = rc == MST_E_NOTFOUND && amazon ? mst_creds_instance(out, task, err) : rc;
        *err = rc == MST_E_NOTFOUND ? why : *err;
    }
    return rc;
}

static enum mst_rc find_base(const struct mst_cfg_store *cfg, struct mst_login *out,
                             struct mst_task *task, struct mst_err *err)
{
    const char *profile = mst_creds_env("AWS_PROFILE");
    const char *section = cfg->credentials_profile[0] ? cfg->credentials_profile
                          : profile                   ? profile
                                                      : "default";
    enum mst_rc rc;

    if (cfg->access_key[0]) {
        (void)mst_copy(out->access_key, sizeof(out->access_key), cfg->access_key);
        (void)mst_copy(out->from, sizeof(out->from), "the configuration");
        return mst_cfg_store_secret(cfg, &out->secret, err);
    }
    if (cfg->credentials_file[0]) {
        rc = from_file(cfg->credentials_file, section, out, err);
        if (rc == MST_E_NOTFOUND) {
            mst_err_prefix(err, "credentials_file");
        }
        return rc;
    }
    rc = first_of(cfg, section, out, task, err);
    if (rc == MST_E_NOTFOUND) {
        const struct mst_err why = *err;

        rc = mst_err_set(err, MST_E_AUTH,
                         "the store %s has no access key: neither access_key nor credentials_file "
                         "is set, %s, and %s",
                         cfg->name,
                         cfg->credentials_profile[0] ? "a section is asked for"
                                                     : "the environment has none",
                         why.msg);
    }
    return rc;
}

static enum mst_rc find(const struct mst_cfg_store *cfg, struct mst_login *out,
                        struct mst_task *task, struct mst_err *err)
{
    struct mst_login base = {0};
    enum mst_rc rc = find_base(cfg, cfg->role_arn[0] ? &base : out, task, err);

    if (rc == MST_OK && cfg->role_arn[0]) {
        mst_log_redact(&base.secret);
        rc = mst_creds_assume(cfg, &base, out, task, err);
    }
    mst_login_release(&base);
    return rc;
}

static void copy_login(struct mst_login *to, const struct mst_login *from)
{
    *to = *from;
    memset(&to->secret, 0, sizeof(to->secret));
    memset(&to->token, 0, sizeof(to->token));
    mst_secret_set(&to->secret, from->secret.p, from->secret.len);
    if (from->token.p) {
        mst_secret_set(&to->token, from->token.p, from->token.len);
    }
}

static bool lasts(const struct mst_creds *c, int64_t more_ms)
{
    return c->known && (c->have.expires_wall_ms == 0 ||
                        mst_clock_utc_ms(NULL) < c->have.expires_wall_ms - more_ms);
}

static bool good(const struct mst_creds *c)
{
    return lasts(c, mst_clock_mono_ms(NULL) < c->again_mono_ms ? LAST_MS : EARLY_MS);
}

/* Under the lock: the next ones could not be had; do the present ones still serve? */
static bool serves(struct mst_creds *c, const struct mst_err *why)
{
    if (why->rc == MST_E_CANCELLED || !lasts(c, LAST_MS)) {
        return false;
    }
    c->again_mono_ms = mst_clock_mono_ms(NULL) + PAUSE_MS;
    mst_log(MST_LOG_WARN, "store",
            "the next keys of the store %s cannot be had yet, the present ones serve: %s",
            c->cfg->name, why->msg);
    return true;
}

enum mst_rc mst_creds_login(void *creds, bool fresh, struct mst_login *out, struct mst_task *task,
                            struct mst_err *err)
{
    struct mst_creds *c = creds;
    struct mst_login found = {0};
    enum mst_rc rc;

    mst_mutex_lock(&c->mtx);
    while (c->reading && !mst_task_cancelled(task)) {
        (void)mst_cond_wait_ms(&c->done, &c->mtx, LOOK_MS);
        fresh = false; /* what another thread got is fresh */
    }
    if (c->reading || (good(c) && !fresh)) {
        const bool yes = !c->reading;

        if (yes) {
            copy_login(out, &c->have);
        }
        mst_mutex_unlock(&c->mtx);
        return yes ? MST_OK : mst_task_check(task, err);
    }
    c->reading = true;
    mst_mutex_unlock(&c->mtx);
    rc = find(c->cfg, &found, task, err);
    if (rc == MST_OK) {
        if (found.expires_wall_ms != 0 || found.token.p) {
            mst_log_redact_lent(&found.secret);
            mst_log_redact_lent(&found.token);
        } else {
            mst_log_redact(&found.secret);
        }
        copy_login(out, &found);
    }
    mst_mutex_lock(&c->mtx);
    c->reading = false;
    if (rc == MST_OK) {
        mst_login_release(&c->have);
        c->have = found;
        c->known = true;
        c->again_mono_ms = 0;
    } else if (!fresh && serves(c, err)) {
        memset(err, 0, sizeof(*err));
        mst_login_release(&found);
        copy_login(out, &c->have);
        rc = MST_OK;
    }
    mst_cond_broadcast(&c->done);
    mst_mutex_unlock(&c->mtx);
    if (rc != MST_OK) {
        mst_login_release(&found);
    }
    return rc;
}

bool mst_creds_who(struct mst_creds *c, char *text, size_t size, int64_t *expires_wall_ms)
{
    bool known;

    mst_mutex_lock(&c->mtx);
    known = c->known;
    *expires_wall_ms = c->have.expires_wall_ms;
    if (known) {
        (void)snprintf(text, size, "%s (%s)", c->have.access_key, c->have.from);
        mst_text_sanitise(text);
    }
    mst_mutex_unlock(&c->mtx);
    return known;
}
