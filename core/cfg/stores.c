/* Options of stores: the table, and what does not fit together in one. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cfg/options.h"
#include "cfg/program.h"
#include "cfg/tier.h"
#include "log/log.h"

#define FIELD(field) \
    .offset = offsetof(struct mst_cfg_store, field), \
    .size = sizeof(((struct mst_cfg_store *)NULL)->field)
#define TEXT(field) .type = MST_OPT_TEXT, FIELD(field)
#define WORD(field, list) .type = MST_OPT_WORD, FIELD(field), .words = (list)
#define PATH(field) .type = MST_OPT_PATH, FIELD(field)
#define BOOL(field) .type = MST_OPT_BOOL, FIELD(field)
#define INT(field, def, low, high) \
    .type = MST_OPT_INT, FIELD(field), .otherwise = (def), .min = (low), .max = (high)

static const char *const types[] = {"local", "s3", "gcs", NULL};
static const char *const profiles[] = {"aws",       "minio",  "versitygw", "ceph", "garage",
                                       "seaweedfs", "wasabi", "backblaze", "r2",   "gcs",
                                       "rclone",    "other",  NULL};
static const char *const encryption[] = {"AES256", "aws:kms", NULL};
static const char *const lock_modes[] = {"GOVERNANCE", "COMPLIANCE", NULL};

const struct mst_option mst_cfg_store_opts[MST_CFG_STORE_OPTS] = {
    {.name = "name", TEXT(name), .needed = true, .doc = "what backup.store and --store call it"},
    {.name = "type", WORD(type, types), .needed = true, .doc = "kind of store"},
    {.name = "allow_unsealed",
     BOOL(allow_unsealed),
     .doc = "a store that is not a directory of this host takes sealed backups only; with this it "
            "takes others too, and every screen says UNSEALED"},
    {.name = "path",
     PATH(path),
     .of_type = "local",
     .doc = "directory of the store; it exists already, belongs to this user or to root, and not "
            "everybody may write to it"},
    {.name = "bucket",
     TEXT(bucket),
     .of_type = "s3 or gcs",
     .doc = "name of the bucket; it exists already"},
    {.name = "prefix",
     TEXT(prefix),
     .of_type = "s3 or gcs",
     .doc =
         "everything of this store is below it, and nothing else is looked at; absent: the whole "
         "bucket"},
    {.name = "endpoint",
     TEXT(endpoint),
     .of_type = "s3 or gcs",
     .doc = "`https://host` or `https://host:port`; absent with profile aws: Amazon's, by the "
            "region; with profile or type gcs: Google's"},
    {.name = "region",
     TEXT(region),
     .doc = "where the store is, as backup.regions has it; with type s3 also the region to sign "
            "for: absent us-east-1, and auto with profile gcs"},
    {.name = "profile",
     WORD(profile, profiles),
     .of_type = "s3",
     .doc = "which kind of server it is; absent: aws without an endpoint, else other"},
    {.name = "path_style",
     BOOL(path_style),
     .of_type = "s3",
     .doc = "the bucket is part of the path and not of the host name; all profiles but aws do so "
            "anyway"},
    {.name = "access_key",
     TEXT(access_key),
     .of_type = "s3",
     .doc = "access key; absent: from credentials_file, the environment or "
            "`~/.aws/credentials`"},
    {.name = "secret_key_file",
     PATH(secret_key_file),
     .of_type = "s3",
     .doc = "file whose first line is the secret of access_key; only its owner may read it"},
    {.name = "secret_key_command",
     .type = MST_OPT_TEXTS,
     FIELD(secret_key_command),
     .max = MST_CFG_ARGV,
     .of_type = "s3",
     .doc = "program and arguments that print that secret on one line, run without a shell, given "
            "10 s"},
    {.name = "credentials_file",
     PATH(credentials_file),
     .of_type = "s3",
     .doc = "file with sections of access keys, as other tools use it; only its owner may read it"},
    {.name = "credentials_profile",
     TEXT(credentials_profile),
     .of_type = "s3",
     .doc = "section of that file, or of `~/.aws/credentials`; absent: `AWS_PROFILE`, then "
            "default"},
    {.name = "role_arn",
     TEXT(role_arn),
     .of_type = "s3",
     .doc = "role that STS lends for an hour at a time in exchange for that key"},
    {.name = "external_id",
     TEXT(external_id),
     .of_type = "s3",
     .doc = "what the owner of that role wants to be told"},
    {.name = "ca_file",
     PATH(ca_file),
     .of_type = "s3 or gcs",
     .doc = "certificates that sign the server's one (PEM), instead of the system's; it cannot be "
            "switched off that it is checked"},
    {.name = "proxy",
     TEXT(proxy),
     .of_type = "s3 or gcs",
     .doc = "`http://host:port` or `socks5h://host:port`; absent: none, whatever the environment "
            "says"},
    {.name = "proxy_login_file",
     PATH(proxy_login_file),
     .of_type = "s3 or gcs",
     .doc = "file whose first line is `user:password` for that proxy; only its owner may read it"},
    {.name = "plain_http",
     BOOL(plain_http),
     .of_type = "s3 or gcs",
     .doc = "the endpoint may be http://; for a set of class PROD only on this host"},
    {.name = "single_writer",
     BOOL(single_writer),
     .of_type = "s3",
     .doc = "nobody but this host writes below the prefix; needed for stores that cannot refuse to "
            "overwrite, and shown"},
    {.name = "rate_bytes_per_s",
     INT(rate_bytes_per_s, 0, 0, INT64_C(1) << 40),
     .of_type = "s3 or gcs",
     .doc = "most bytes both ways each second; 0 is no limit"},
    {.name = "connections",
     INT(connections, 4, 1, 32),
     .of_type = "s3",
     .doc = "parts that are sent at the same time; memory is this times part_bytes, and one more "
            "part for each object that is written"},
    {.name = "part_bytes",
     INT(part_bytes, 8388608, 5242880, INT64_C(1) << 30),
     .of_type = "s3",
     .doc = "size of the parts of a large object, of which there are at most 10000"},
    {.name = "storage_class",
     TEXT(storage_class),
     .of_type = "s3 or gcs",
     .doc = "class of what is written, as the store calls it: `STANDARD_IA`, `NEARLINE`"},
    {.name = "sse",
     WORD(sse, encryption),
     .of_type = "s3",
     .doc = "encryption by the store, besides the sealing of muster"},
    {.name = "sse_key", TEXT(sse_key), .of_type = "s3", .doc = "name of the key for sse aws:kms"},
    {.name = "lock_days",
     INT(lock_days, 0, 0, 36500),
     .of_type = "s3 or gcs",
     .doc = "nobody can remove or replace what a backup wrote for so many days, to the end of the "
            "last one in UTC, by object lock; a bucket that cannot lock is refused; 0 is no lock"},
    {.name = "lock_mode",
     WORD(lock_mode, lock_modes),
     .of_type = "s3 or gcs",
     .doc = "GOVERNANCE (absent: that one): a key with a right of its own can take the lock off; "
            "COMPLIANCE: nobody can, its owner included"},
    {.name = "tags",
     .type = MST_OPT_TEXTS,
     FIELD(tags),
     .max = MST_CFG_TAGS,
     .of_type = "s3 or gcs",
     .doc = "`name=value` each, at most ten: tags of what is written; with type gcs they are "
            "metadata of the objects"},
    {.name = "service_account_file",
     PATH(service_account_file),
     .of_type = "gcs",
     .doc = "key file of a service account (JSON); only its owner may read it"},
    {.name = "workload_identity_file",
     PATH(workload_identity_file),
     .of_type = "gcs",
     .doc = "credential configuration of a workload identity federation (JSON) whose token stands "
            "in a file; only its owner may read it"},
    {.name = "token_command",
     .type = MST_OPT_TEXTS,
     FIELD(token_command),
     .max = MST_CFG_ARGV,
     .of_type = "gcs",
     .doc = "program and arguments that print an access token on one line, run without a shell, "
            "given 10 s; asked anew every four minutes"},
    {.name = "metadata",
     BOOL(metadata),
     .of_type = "gcs",
     .doc = "tokens come from the metadata server of this machine at Google"},
    {.name = "chunk_bytes",
     INT(chunk_bytes, 16777216, 262144, 67108864),
     .of_type = "gcs",
     .doc = "larger objects go in pieces of this size, a multiple of 262144; each object that is "
            "written holds one in memory"},
};

static void say_it(mst_cfg_say_fn *say, void *arg, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void say_it(mst_cfg_say_fn *say, void *arg, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say(arg, text);
}

/* "http://127.0.0.1:9000": does it stay on this host? */
static bool is_loopback(const char *url)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    const char *host = strstr(url, "://");

    for (size_t i = 0; host && i < MST_COUNT(hosts); i++) {
        const size_t n = strlen(hosts[i]);

        if (strncmp(host + 3, hosts[i], n) == 0 && strchr(":/", host[3 + n])) {
            return true;
        }
    }
    return false;
}

static void check_way(const struct mst_cfg *cfg, const struct mst_cfg_store *s, mst_cfg_say_fn *say,
                      void *arg)
{
    const bool http = strncmp(s->endpoint, "http://", 7) == 0;
    const bool prod = strcmp(cfg->set.cls, "PROD") == 0;
    const bool known = strcmp(s->type, "gcs") == 0 || !s->profile[0] ||
                       strcmp(s->profile, "aws") == 0 || strcmp(s->profile, "gcs") == 0;

    if (strchr(s->endpoint, '@') || strchr(s->proxy, '@')) { /* first: the others repeat it */
        say_it(say, arg,
               "the store \"%s\": no name or password stands in an address: that of a proxy "
               "stands in proxy_login_file",
               s->name);
        return;
    }
    if (!s->endpoint[0] && !known) {
        say_it(say, arg, "the store \"%s\" has no endpoint: say where it is", s->name);
    }
    if (s->endpoint[0] && !http && strncmp(s->endpoint, "https://", 8) != 0) {
        say_it(say, arg, "stores.endpoint is \"%s\": it must be like https://host:port",
               s->endpoint);
    } else if (http && !s->plain_http) {
        say_it(say, arg,
               "stores.endpoint is \"%s\": without TLS only when the store says plain_http = true",
               s->endpoint);
    } else if (http && prod && !is_loopback(s->endpoint)) {
        say_it(say, arg, "stores.endpoint is \"%s\": a set of class PROD is not sent without TLS",
               s->endpoint);
    } else if (http && prod && s->proxy[0] && !is_loopback(s->proxy)) {
        say_it(say, arg,
               "stores.proxy is \"%s\": a set of class PROD is not sent there without TLS",
               s->proxy);
    } else if (s->endpoint[0] && mst_cfg_endpoint_fault(s)) {
        say_it(say, arg, "stores.endpoint is \"%s\": %s", s->endpoint, mst_cfg_endpoint_fault(s));
    }
    if (s->proxy_login_file[0] && !s->proxy[0]) {
        say_it(say, arg, "the store \"%s\": proxy_login_file is of use with proxy only", s->name);
    }
    if (s->proxy[0] && strncmp(s->proxy, "http://", 7) != 0 &&
        strncmp(s->proxy, "https://", 8) != 0 && strncmp(s->proxy, "socks5h://", 10) != 0) {
        say_it(say, arg,
               "stores.proxy is \"%s\": it must be like http://host:port or socks5h://host:port",
               s->proxy);
    }
}

static void check_keys(const struct mst_cfg_store *s, mst_cfg_say_fn *say, void *arg)
{
    const int secrets = (s->secret_key_file[0] != 0) + (s->secret_key_command.n > 0);

    if (s->access_key[strcspn(s->access_key, " \t\r\n/,=")]) {
        say_it(say, arg,
               "the store \"%s\": its access_key has a blank or another sign in it that no key has",
               s->name);
    }
    if (s->access_key[0] && secrets != 1) {
        say_it(say, arg,
               "the store \"%s\" has an access_key: it needs exactly one of secret_key_file and "
               "secret_key_command",
               s->name);
    } else if (!s->access_key[0] && secrets > 0) {
        say_it(say, arg, "the store \"%s\" has a secret and no access_key", s->name);
    }
    if (s->access_key[0] && (s->credentials_file[0] || s->credentials_profile[0])) {
        say_it(say, arg,
               "the store \"%s\": access_key and a file of credentials exclude each other: keep "
               "one",
               s->name);
    }
}

static void check_tokens(const struct mst_cfg_store *s, mst_cfg_say_fn *say, void *arg)
{
    const int ways = (s->service_account_file[0] != 0) + (s->workload_identity_file[0] != 0) +
                     (s->token_command.n > 0) + s->metadata;

    if (ways != 1) {
        say_it(say, arg,
               "the store \"%s\" needs exactly one of service_account_file, "
               "workload_identity_file, token_command and metadata = true",
               s->name);
    }
    if (s->chunk_bytes % 262144 != 0) {
        say_it(say, arg, "the store \"%s\": chunk_bytes is not a multiple of 262144", s->name);
    }
}

static bool tag_ok(const char *tag)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  " +-=._:/@";
    const size_t name = strcspn(tag, "=");

    return name > 0 && name <= 128 && tag[name] == '=' && strlen(tag + name + 1) <= 256 &&
           strspn(tag, allowed) == strlen(tag) && strncmp(tag, "muster-put=", 11) != 0;
}

/* Class, locks and tags: what is written has them, so what is wrong is said before. */
static void check_marks(const struct mst_cfg_store *s, mst_cfg_say_fn *say, void *arg)
{
    if (mst_tier_sleeps(s->storage_class)) {
        say_it(say, arg,
               "the store \"%s\": nothing can be read back out of storage_class %s, so no backup "
               "could end there: use GLACIER_IR, or a lifecycle rule that moves it later",
               s->name, s->storage_class);
    }
    if (s->lock_days > 0 && strcmp(s->profile, "gcs") == 0) {
        say_it(say, arg,
               "the store \"%s\": lock_days is not to be had by this API of Google's: use type "
               "gcs",
               s->name);
    }
    if (s->tags.n > 0 && strcmp(s->profile, "gcs") == 0) {
        say_it(say, arg, "the store \"%s\": tags need type gcs or another profile", s->name);
    }
    for (size_t i = 0; i < s->tags.n; i++) {
        const size_t name = strcspn(s->tags.item[i], "=");

        if (!tag_ok(s->tags.item[i])) {
            say_it(say, arg,
                   "the store \"%s\": \"%.60s\" is no tag: name=value, letters, digits, blanks "
                   "and + - = . _ : / @",
                   s->name, s->tags.item[i]);
        }
        for (size_t k = 0; k < i; k++) {
            if (strncmp(s->tags.item[i], s->tags.item[k], name + 1) == 0) {
                say_it(say, arg, "the store \"%s\" has the tag %.*s twice", s->name, (int)name,
                       s->tags.item[i]);
            }
        }
    }
}

void mst_cfg_check_store(const struct mst_cfg *cfg, const struct mst_cfg_store *s,
                         mst_cfg_say_fn *say, void *arg)
{
    if (strcmp(s->type, "local") == 0) {
        if (!s->path[0]) {
            say_it(say, arg, "the store \"%s\" has no path", s->name);
        }
        return;
    }
    if (strcmp(s->type, "s3") != 0 && strcmp(s->type, "gcs") != 0) {
        return; /* said already */
    }
    if (!s->bucket[0]) {
        say_it(say, arg, "the store \"%s\" has no bucket", s->name);
    } else if (mst_cfg_bucket_fault(s)) {
        say_it(say, arg, "stores.bucket is \"%s\": %s", s->bucket, mst_cfg_bucket_fault(s));
    }
    if (mst_cfg_prefix_fault(s)) {
        say_it(say, arg, "stores.prefix is \"%s\": %s", s->prefix, mst_cfg_prefix_fault(s));
    }
    if (s->sse_key[0] && strcmp(s->sse, "aws:kms") != 0) {
        say_it(say, arg, "the store \"%s\": sse_key is of use with sse = \"aws:kms\" only",
               s->name);
    }
    if (s->external_id[0] && !s->role_arn[0]) {
        say_it(say, arg, "the store \"%s\": external_id is of use with role_arn only", s->name);
    }
    check_way(cfg, s, say, arg);
    check_marks(s, say, arg);
    if (strcmp(s->type, "gcs") == 0) {
        check_tokens(s, say, arg);
    } else {
        check_keys(s, say, arg);
    }
}

enum mst_rc mst_cfg_store_secret(const struct mst_cfg_store *store, struct mst_secret *out,
                                 struct mst_err *err)
{
    char text[MST_SECRET_MAX + 2];
    size_t n = 0;
    enum mst_rc rc = MST_OK;

    if (store->secret_key_file[0]) {
        rc = mst_secret_from_file(out, store->secret_key_file, err);
    } else if (store->secret_key_command.n > 0) {
        rc = mst_cfg_run(&store->secret_key_command, "secret key command", NULL, 0, text,
                         sizeof(text), &n, err);
        text[rc == MST_OK ? n : 0] = '\0';
        n = strcspn(text, "\r\n");
        if (rc == MST_OK && n == 0) {
            rc = mst_err_set(err, MST_E_AUTH,
                             "the secret key command %s printed an empty first line",
                             store->secret_key_command.item[0]);
        } else if (rc == MST_OK) {
            mst_secret_set(out, text, n);
        }
        mst_wipe(text, sizeof(text));
    }
    if (rc == MST_OK && out->p) {
        mst_log_redact(out);
    }
    return rc;
}

enum mst_rc mst_cfg_store_proxy_login(const struct mst_cfg_store *store, struct mst_secret *out,
                                      struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    if (store->proxy_login_file[0]) {
        rc = mst_secret_from_file(out, store->proxy_login_file, err);
    }
    if (rc == MST_OK && out->p) {
        const char *colon = strchr(out->p, ':');

        if (!colon || colon == out->p || !colon[1]) {
            return mst_err_set(err, MST_E_CONFIG, "the first line of %s is not like user:password",
                               store->proxy_login_file);
        }
        mst_log_redact(out);
    }
    return rc;
}

void mst_cfg_store_where(const struct mst_cfg_store *s, char *out, size_t size)
{
    const char *host = strstr(s->endpoint, "://");

    if (strcmp(s->type, "s3") != 0 && strcmp(s->type, "gcs") != 0) {
        (void)snprintf(out, size, "directory %.200s", s->path);
    } else {
        const bool google = strcmp(s->type, "gcs") == 0 || strcmp(s->profile, "gcs") == 0;

        (void)snprintf(out, size, "bucket %s%s%s at %s%s", s->bucket, s->prefix[0] ? "/" : "",
                       s->prefix,
                       host     ? host + 3
                       : google ? "Google Cloud Storage"
                                : "Amazon S3",
                       s->single_writer ? ", single writer" : "");
    }
    mst_text_sanitise(out);
}
