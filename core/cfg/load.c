#include "cfg/load.h"

#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "base/credential.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cfg/options.h"

#define FILE_MAX ((size_t)1 << 20)
#define NAMES_MAX 32

struct load {
    struct mst_cfg *cfg;
    const char *file;
    struct mst_str *problems;
    size_t n_problems;
};

static void problem(struct load *l, const config_setting_t *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void problem(struct load *l, const config_setting_t *at, const char *fmt, ...)
{
    va_list ap;
    char text[512];

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    mst_text_sanitise(text);
    if (at) {
        const char *included = config_setting_source_file(at);

        mst_str_addf(l->problems, "%s:%u: %s\n", included ? included : l->file,
                     config_setting_source_line(at), text);
    } else {
        mst_str_addf(l->problems, "%s: %s\n", l->file, text);
    }
    l->n_problems++;
}

static const char *type_word(const config_setting_t *s)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_STRING:
        return "text";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        return "a list";
    case CONFIG_TYPE_GROUP:
        return "a group { }";
    default:
        return "nothing";
    }
}

static bool word_ok(struct load *l, const struct mst_option *o, const config_setting_t *s,
                    const char *path, const char *text)
{
    struct mst_str all = {0};
    size_t n = 0;

    for (; o->words[n]; n++) {
        if (strcmp(o->words[n], text) == 0) {
            mst_str_release(&all);
            return true;
        }
        mst_str_addf(&all, "%s%s", n ? ", " : "", o->words[n]);
    }
    problem(l, s, "%s is \"%s\": it must be one of %s", path, text, mst_str_c(&all));
    mst_str_release(&all);
    return false;
}

static void put_text(struct load *l, const struct mst_option *o, const config_setting_t *s,
                     const char *path, char *to)
{
    const char *v = config_setting_get_string(s);

    if (!v) {
        problem(l, s, "%s is %s: it must be text in double quotes", path, type_word(s));
    } else if (strlen(v) >= o->size) {
        problem(l, s, "%s is longer than %zu bytes", path, o->size - 1);
    } else if (*v == '\0' && o->type != MST_OPT_TEXT) {
        problem(l, s, "%s is empty", path);
    } else if (o->type == MST_OPT_WORD) {
        if (word_ok(l, o, s, path, v)) {
            (void)mst_copy(to, o->size, v);
        }
    } else if (o->type == MST_OPT_PATH && v[0] != '/' && !mst_credential_is(v)) {
        if ((size_t)snprintf(to, o->size, "%s/%s", l->cfg->dir, v) >= o->size) {
            problem(l, s, "%s below %s is too long", path, l->cfg->dir);
        }
    } else {
        (void)mst_copy(to, o->size, v);
    }
    if (o->type == MST_OPT_TEXT) {
        mst_text_sanitise(to);
    }
}

static void put_texts(struct load *l, const struct mst_option *o, const config_setting_t *s,
                      const char *path, struct mst_cfg_list *to)
{
    const int n = config_setting_length(s);

    if (!config_setting_is_aggregate(s) || config_setting_is_group(s)) {
        problem(l, s, "%s is %s: it must be a list of texts, [\"...\", \"...\"]", path,
                type_word(s));
        return;
    }
    if (n > o->max) {
        problem(l, s, "%s has %d elements: at most %lld are allowed", path, n, (long long)o->max);
        return;
    }
    to->item = mst_xcalloc((size_t)n + 1, sizeof(to->item[0]));
    for (int i = 0; i < n; i++) {
        const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
        const char *v = config_setting_get_string(e);

        if (!v || !*v) {
            problem(l, s, "%s holds %s: every element must be text", path,
                    v ? "an empty text" : type_word(e));
        } else if (strlen(v) >= sizeof(to->item[0])) {
            problem(l, s, "an element of %s is longer than %zu bytes", path,
                    sizeof(to->item[0]) - 1);
        } else if (o->type != MST_OPT_WORDS || word_ok(l, o, s, path, v)) {
            (void)mst_copy(to->item[to->n++], sizeof(to->item[0]), v);
        }
    }
}

static void put_int(struct load *l, const struct mst_option *o, const config_setting_t *s,
                    const char *path, void *to)
{
    const int type = config_setting_type(s);
    int64_t v;

    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
        problem(l, s, "%s is %s: it must be a whole number from %lld to %lld", path, type_word(s),
                (long long)o->min, (long long)o->max);
        return;
    }
    v = config_setting_get_int64(s);
    if (v < o->min || v > o->max) {
        problem(l, s, "%s is %lld: it must be from %lld to %lld", path, (long long)v,
                (long long)o->min, (long long)o->max);
        return;
    }
    memcpy(to, &v, sizeof(v));
}

static void put_option(struct load *l, const struct mst_option *o, const config_setting_t *s,
                       const char *path, char *base)
{
    switch (o->type) {
    case MST_OPT_TEXT:
    case MST_OPT_WORD:
    case MST_OPT_PATH:
        put_text(l, o, s, path, base + o->offset);
        break;
    case MST_OPT_INT:
        put_int(l, o, s, path, base + o->offset);
        break;
    case MST_OPT_BOOL:
        if (config_setting_type(s) != CONFIG_TYPE_BOOL) {
            problem(l, s, "%s is %s: it must be true or false", path, type_word(s));
        } else {
            const bool v = config_setting_get_bool(s) != 0;

            memcpy(base + o->offset, &v, sizeof(v));
        }
        break;
    case MST_OPT_TEXTS:
    case MST_OPT_WORDS:
        put_texts(l, o, s, path, (struct mst_cfg_list *)(void *)(base + o->offset));
        break;
    }
}

static const struct mst_section *find_section(const char *path)
{
    size_t n;
    const struct mst_section *sec = mst_cfg_sections(&n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(sec[i].path, path) == 0) {
            return &sec[i];
        }
    }
    return NULL;
}

static const struct mst_option *find_option(const struct mst_section *sec, const char *name)
{
    for (size_t i = 0; sec && i < sec->n_opts; i++) {
        if (strcmp(sec->opts[i].name, name) == 0) {
            return &sec->opts[i];
        }
    }
    return NULL;
}

/* Names that may stand directly in a section: its options and the sections below it. */
static size_t names_of(const struct mst_section *in, const char *names[NAMES_MAX])
{
    const size_t len = in ? strlen(in->path) : 0;
    size_t n_sec, n = 0;
    const struct mst_section *sec = mst_cfg_sections(&n_sec);

    for (size_t i = 0; in && i < in->n_opts && n < NAMES_MAX; i++) {
        names[n++] = in->opts[i].name;
    }
    for (size_t i = 0; i < n_sec && n < NAMES_MAX; i++) {
        const char *p = sec[i].path;

        if (in) {
            if (strncmp(p, in->path, len) != 0 || p[len] != '.') {
                continue;
            }
            p += len + 1;
        }
        if (!strchr(p, '.')) {
            names[n++] = p;
        }
    }
    return n;
}

static void unknown(struct load *l, const struct mst_section *in, const config_setting_t *s,
                    const char *path)
{
    const char *names[NAMES_MAX];
    const size_t n = names_of(in, names);
    const char *name = config_setting_name(s);
    const char *near;
    struct mst_str all = {0};

    if (strcmp(name, "secret_key") == 0) {
        problem(l, s,
                "%s: a secret does not stand in this file: use secret_key_file or "
                "secret_key_command",
                path);
        return;
    }
    if (strcmp(name, "password") == 0 || strcmp(name, "passwd") == 0) {
        problem(l, s,
                "%s: a password does not stand in this file: use password_file, password_command "
                "or prompt",
                path);
        return;
    }
    near = mst_text_nearest(name, names, n);
    if (near) {
        problem(l, s, "unknown option %s: did you mean %s", path, near);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        mst_str_addf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    problem(l, s, "unknown option %s: %s knows %s", path, in ? in->path : "the file",
            mst_str_c(&all));
    mst_str_release(&all);
}

static void read_group(struct load *l, const struct mst_section *in, const config_setting_t *group,
                       char *base);

static void check_group(struct load *l, const struct mst_section *sec, const config_setting_t *e,
                        const char *base, int number)
{
    for (size_t o = 0; o < sec->n_opts; o++) {
        const config_setting_t *have = config_setting_get_member(e, sec->opts[o].name);

        if (!have && sec->opts[o].needed) {
            problem(l, e, "%s number %d has no %s", sec->path, number, sec->opts[o].name);
        } else if (have && !mst_cfg_of_type(sec, &sec->opts[o], base)) {
            problem(l, have, "%s.%s is for the type \"%s\" only", sec->path, sec->opts[o].name,
                    sec->opts[o].of_type);
        }
    }
}

static void read_list(struct load *l, const struct mst_section *sec, const config_setting_t *s)
{
    const int n = config_setting_length(s);
    size_t count = 0;

    if (!config_setting_is_list(s)) {
        problem(l, s, "%s is %s: it must be a list of groups, ({ ... }, { ... })", sec->path,
                type_word(s));
        return;
    }
    if ((size_t)n > sec->max) {
        problem(l, s, "%s has %d groups: at most %zu are allowed", sec->path, n, sec->max);
        return;
    }
    for (int i = 0; i < n; i++) {
        const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);

        if (!config_setting_is_group(e)) {
            problem(l, e, "%s holds %s: every element must be a group { }", sec->path,
                    type_word(e));
            continue;
        }
        read_group(l, sec, e, (char *)l->cfg + sec->base + count * sec->elem);
        check_group(l, sec, e, (char *)l->cfg + sec->base + count * sec->elem, i + 1);
        count++;
    }
    memcpy((char *)l->cfg + sec->n_offset, &count, sizeof(count));
}

static void read_section(struct load *l, const struct mst_section *sec, const config_setting_t *s)
{
    const bool yes = true;

    if (sec->elem > 0) {
        read_list(l, sec, s);
        return;
    }
    if (!config_setting_is_group(s)) {
        problem(l, s, "%s is %s: it must be a group { }", sec->path, type_word(s));
        return;
    }
    if (sec->set_offset > 0) {
        memcpy((char *)l->cfg + sec->set_offset, &yes, sizeof(yes));
    }
    read_group(l, sec, s, (char *)l->cfg + sec->base);
}

static void read_group(struct load *l, const struct mst_section *in, const config_setting_t *group,
                       char *base)
{
    const int n = config_setting_length(group);

    for (int i = 0; i < n; i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        const struct mst_section *sec;
        const struct mst_option *o;
        char path[256];

        (void)snprintf(path, sizeof(path), "%s%s%s", in ? in->path : "", in ? "." : "",
                       config_setting_name(s));
        sec = find_section(path);
        o = find_option(in, config_setting_name(s));
        if (sec) {
            read_section(l, sec, s);
        } else if (o) {
            put_option(l, o, s, path, base);
        } else {
            unknown(l, in, s, path);
        }
    }
}

/* Public words, each with its sentence; names that are used for one key only. */
static void check_words(struct load *l, const config_setting_t *at, const char *name,
                        const struct mst_cfg_list *list, enum mst_key_kind kind)
{
    for (size_t i = 0; i < list->n; i++) {
        struct mst_err err = {0};
        uint8_t pub[32], other[32];
        char label[64], other_label[64];

        if (mst_cfg_pub(list->item[i], kind, pub, label, &err) != MST_OK) {
            problem(l, at, "seal.%s, number %zu: %s", name, i + 1, err.msg);
            continue;
        }
        for (size_t j = 0; j < i; j++) {
            if (mst_cfg_pub(list->item[j], kind, other, other_label, &err) != MST_OK) {
                continue;
            }
            if (memcmp(pub, other, sizeof(pub)) == 0) {
                problem(l, at, "seal.%s holds the same key twice, number %zu and %zu", name, j + 1,
                        i + 1);
            } else if (label[0] && strcmp(label, other_label) == 0) {
                problem(l, at, "seal.%s gives two keys the name \"%s\"", name, label);
            }
        }
    }
}

static void check_seal(struct load *l, const config_setting_t *at)
{
    const struct mst_cfg *c = l->cfg;

    check_words(l, at, "recipients", &c->seal.recipients, MST_KEY_RECIPIENT);
    check_words(l, at, "trusted", &c->seal.trusted, MST_KEY_SIGNER);
    for (size_t e = 0; e < c->seal.escrow.n; e++) {
        bool found = false;

        for (size_t i = 0; i < c->seal.recipients.n && !found; i++) {
            struct mst_err err = {0};
            uint8_t pub[32];
            char label[64];

            found = mst_cfg_pub(c->seal.recipients.item[i], MST_KEY_RECIPIENT, pub, label, &err) ==
                        MST_OK &&
                    strcmp(label, c->seal.escrow.item[e]) == 0;
        }
        if (!found) {
            problem(
                l, at,
                "seal.escrow names \"%s\": no recipient is called so (write the name behind its "
                "word)",
                c->seal.escrow.item[e]);
        }
    }
    if (c->seal.signer_passphrase_file[0] && !c->seal.signer_file[0]) {
        problem(l, at, "seal.signer_passphrase_file is of no use without signer_file");
    }
    if (c->seal.identity_passphrase_file[0] && !c->seal.identity_file[0]) {
        problem(l, at, "seal.identity_passphrase_file is of no use without identity_file");
    }
}

struct about {
    struct load *l;
    const config_setting_t *at;
};

static void say_about(void *arg, const char *text)
{
    const struct about *a = arg;

    problem(a->l, a->at, "%s", text);
}

static void check_stores(struct load *l, const config_setting_t *list)
{
    const struct mst_cfg *c = l->cfg;

    for (size_t i = 0; i < c->n_stores; i++) {
        /* The groups of a list are its elements, unless something else was among them. */
        const config_setting_t *e = config_setting_get_elem(list, (unsigned)i);
        struct about a = {l, e && config_setting_is_group(e) ? e : list};

        l->cfg->stores[i].region_kept = c->backup.regions.n > 0 && c->stores[i].region[0];
        mst_cfg_check_store(c, &c->stores[i], say_about, &a);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(c->stores[i].name, c->stores[j].name) == 0) {
                problem(l, a.at, "two stores are called \"%s\"", c->stores[i].name);
            }
        }
    }
}

static void check_members(struct load *l, const config_setting_t *set)
{
    const struct mst_cfg *c = l->cfg;

    if (c->set.members.n > 0 && c->set.srv[0]) {
        problem(l, set, "set.members and set.srv exclude each other: keep one");
    }
    for (size_t i = 0; i < c->set.members.n; i++) {
        if (strchr(c->set.members.item[i], '@')) { /* not repeated: a password may stand there */
            problem(l, set,
                    "set.members, number %zu: a member is host:port; a user and how to get the "
                    "password stand in set.credentials",
                    i + 1);
        }
    }
}

static void check_targets(struct load *l, const config_setting_t *backup)
{
    const struct mst_cfg *c = l->cfg;
    const struct mst_cfg_store *s;
    size_t targets[MST_CFG_STORES], n;
    struct mst_err err = {0};

    if (c->backup.store[0] && mst_cfg_store(c, c->backup.store, &s, &err) != MST_OK) {
        problem(l, backup, "backup.store is \"%s\": no store has this name", c->backup.store);
    }
    if (c->backup.stores.n > 0 && mst_cfg_targets(c, targets, &n, &err) != MST_OK) {
        problem(l, backup, "%s", err.msg);
    }
}

/* What no single option can know. */
static void check_whole(struct load *l, const config_setting_t *root)
{
    struct mst_cfg *c = l->cfg;
    config_setting_t *set = config_setting_get_member(root, "set");

    check_members(l, set);
    for (size_t i = 0; i < c->set.switch_hours.n; i++) {
        int from, to;

        if (!mst_cfg_hours_parse(c->set.switch_hours.item[i], &from, &to)) {
            problem(l, set, "set.switch_hours: \"%s\" is not like \"22:00-04:00\"",
                    c->set.switch_hours.item[i]);
        }
    }
    for (size_t a = 0; a < MST_CRED_ACTS; a++) {
        const struct mst_cfg_cred *k = &c->set.cred[a];
        const int ways = (k->password_file[0] != 0) + (k->password_command.n > 0) + k->prompt;
        const char *act = mst_cred_act_word((enum mst_cred_act)a);

        if (!k->set) {
            continue;
        }
        if (strcmp(k->mechanism, "MONGODB-X509") == 0) {
            if (ways > 0) {
                problem(l, set, "set.credentials.%s: MONGODB-X509 takes no password", act);
            }
        } else if (!k->user[0]) {
            problem(l, set, "set.credentials.%s has no user", act);
        } else if (ways != 1) {
            problem(l, set,
                    "set.credentials.%s needs exactly one of password_file, password_command and "
                    "prompt",
                    act);
        }
    }
    check_stores(l, config_setting_get_member(root, "stores"));
    check_targets(l, config_setting_get_member(root, "backup"));
    check_seal(l, config_setting_get_member(root, "seal"));
    if (c->limits.lag_crit_ms < c->limits.lag_warn_ms ||
        c->limits.headroom_crit_s > c->limits.headroom_warn_s) {
        problem(l, config_setting_get_member(root, "limits"),
                "a critical limit is milder than its warning");
    }
}

static void syntax_problem(const struct load *l, const config_t *conf, const char *text,
                           const char *path)
{
    const char *included = config_error_file(conf);
    const int line = config_error_line(conf);
    char why[256], at[80];

    mst_text_clean(why, sizeof(why), config_error_text(conf), strlen(config_error_text(conf)));
    if (strstr(why, "include")) {
        for (int i = 1; i < line && *text; i++) {
            text += strcspn(text, "\n");
            text += *text == '\n';
        }
        mst_text_clean(at, sizeof(at), text, strcspn(text, "\n"));
        mst_str_addf(l->problems, "%s:%d: %s: %s: paths are below the directory of the file\n",
                     path, line, why, at);
        return;
    }
    mst_str_addf(l->problems, "%s:%d: %s: look for a missing ';', quote or brace here or above\n",
                 included ? included : path, line, why);
}

enum mst_rc mst_cfg_read(struct mst_cfg *cfg, const char *path, struct mst_str *problems,
                         struct mst_err *err)
{
    struct load l = {.cfg = cfg, .file = path, .problems = problems};
    struct mst_buf text = {0};
    config_t conf;
    enum mst_rc rc = mst_file_read(path, FILE_MAX, &text, err);

    rc = rc == MST_OK ? mst_file_others_write(path, err) : rc; /* it names programs that are run */
    if (rc != MST_OK) {
        const struct mst_err why = *err;

        mst_buf_release(&text);
        return rc == MST_E_NOTFOUND
                   ? mst_err_set(err, MST_E_CONFIG,
                                 "cannot read the configuration %s: no such file", path)
                   : mst_err_set(err, MST_E_CONFIG, "the configuration: %s", why.msg);
    }
    config_init(&conf);
    config_set_include_dir(&conf, cfg->dir); /* like every relative path */
    mst_buf_add(&text, "", 1);
    if (memchr(text.p, 0, text.len - 1)) {
        problem(&l, NULL, "the file holds a NUL byte: it is not a configuration");
    } else if (config_read_string(&conf, (const char *)text.p + mst_text_bom(text.p, text.len)) !=
               CONFIG_TRUE) {
        syntax_problem(&l, &conf, (const char *)text.p, path);
        l.n_problems++;
    } else {
        read_group(&l, NULL, config_root_setting(&conf), (char *)cfg);
        check_whole(&l, config_root_setting(&conf));
    }
    if (l.n_problems > 0) {
        const char *all = mst_str_c(problems);

        rc = mst_err_set(err, MST_E_CONFIG, "%.*s", (int)strcspn(all, "\n"), all);
    }
    config_destroy(&conf);
    mst_buf_release(&text);
    return rc;
}
