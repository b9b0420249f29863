#include "crypt/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/credential.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypt/locked.h"
#include "crypt/work.h"
#include "hash/hash.h"

#define RAW 32U
#define SEALED (RAW + MST_GCM_TAG)
#define FIRST "muster secret key "
#define SECRET_WORD "mstsec-"
#define END_LINE (sizeof("sha256 \n") - 1 + 64)

static const char *const kind_words[] = {"recipient", "signer"};
static const char *const pub_words[] = {"mstpub-", "mstsig-"};

struct parsed {
    struct mst_keyfile info;
    size_t bound;    /* bytes before the line of the secret: what a sealed one is bound to */
    uint8_t *secret; /* locked memory; RAW bytes when it is not sealed */
    int log2n;
    uint8_t salt[MST_WORK_SALT], check[MST_WORK_CHECK], sealed[SEALED];
};

const char *mst_key_kind_word(enum mst_key_kind kind)
{
    return kind_words[kind];
}

/* The first four bytes of the SHA-256 of what stands before them in the word. */
static void word_check(const char *text, size_t n, char out[9])
{
    uint8_t sha[MST_SHA256_LEN];

    mst_sha256_of(text, n, sha);
    (void)mst_hex(sha, 4, out);
}

void mst_pub_word(enum mst_key_kind kind, const uint8_t pub[32], char out[MST_PUB_WORD])
{
    const size_t lead = strlen(pub_words[kind]);

    memcpy(out, pub_words[kind], lead);
    (void)mst_hex(pub, RAW, out + lead);
    word_check(out, lead + 2 * RAW, out + lead + 2 * RAW);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum mst_rc mst_pub_parse(const char *word, enum mst_key_kind kind, uint8_t pub[32],
                          struct mst_err *err)
{
    const size_t lead = strlen(pub_words[kind]), n = strlen(word);
    const enum mst_key_kind other = kind == MST_KEY_SIGNER ? MST_KEY_RECIPIENT : MST_KEY_SIGNER;
    char low[MST_PUB_WORD], check[9];

    if (begins(word, SECRET_WORD) || begins(word, FIRST)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "this is the secret half of a key, which does not belong here: make a "
                           "new key, because others may have read this one");
    }
    if (begins(word, pub_words[other])) {
        return mst_err_set(err, MST_E_CONFIG,
                           "this is the public word of a %s: a %s's begins with %s",
                           kind_words[other], kind_words[kind], pub_words[kind]);
    }
    if (!begins(word, pub_words[kind])) {
        return mst_err_set(err, MST_E_CONFIG, "this is no public word: one of a %s begins with %s",
                           kind_words[kind], pub_words[kind]);
    }
    if (n != MST_PUB_WORD - 1) {
        return mst_err_set(err, MST_E_CONFIG, "the public word has %zu characters: it must have %d",
                           n, MST_PUB_WORD - 1);
    }
    for (size_t i = 0; i <= n; i++) { /* of either case, as people type */
        low[i] = (char)(word[i] >= 'A' && word[i] <= 'F' ? word[i] - 'A' + 'a' : word[i]);
    }
    word_check(low, n - 8, check);
    low[n - 8] = memcmp(check, low + n - 8, 8) == 0 ? '\0' : 'x';
    if (low[n - 8] || !mst_unhex(low + lead, pub, RAW)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the public word has a slip in it: its last eight characters do not "
                           "fit; copy it again");
    }
    return MST_OK;
}

void mst_keyfile_wipe(struct mst_str *text)
{
    if (text->p) {
        mst_wipe(text->p, text->cap);
    }
    mst_str_release(text);
}

/* The public half of a secret. */
static enum mst_rc public_of(enum mst_key_kind kind, const uint8_t secret[RAW], uint8_t pub[RAW],
                             struct mst_err *err)
{
    enum mst_rc rc;

    if (kind == MST_KEY_SIGNER) {
        struct mst_sign_key k = {0};

        rc = mst_sign_key_set(&k, secret, err);
        memcpy(pub, k.pub, RAW);
        mst_sign_key_release(&k);
    } else {
        struct mst_identity i = {0};

        rc = mst_identity_set(&i, secret, err);
        memcpy(pub, i.pub, RAW);
        mst_identity_release(&i);
    }
    return rc;
}

/* The line of the secret, sealed to the text before it. */
static enum mst_rc put_sealed(const uint8_t secret[RAW], const struct mst_secret *phrase,
                              struct mst_str *out, struct mst_err *err)
{
    uint8_t *key = mst_locked_new(MST_GCM_KEY);
    uint8_t salt[MST_WORK_SALT], check[MST_WORK_CHECK], sealed[SEALED];
    char hex[2 * SEALED + 1];
    enum mst_rc rc = mst_random(salt, sizeof(salt), "a key file", err);

    if (rc == MST_OK) {
        rc = mst_work(phrase, salt, MST_SCRYPT_LOG2N, key, check, err);
    }
    if (rc == MST_OK) {
        mst_gcm_once(key, out->p, out->len, secret, RAW, sealed);
        mst_str_addf(out, "secret scrypt %d %s", MST_SCRYPT_LOG2N,
                     mst_hex(salt, sizeof(salt), hex));
        mst_str_addf(out, " %s", mst_hex(check, sizeof(check), hex));
        mst_str_addf(out, " %s\n", mst_hex(sealed, sizeof(sealed), hex));
    }
    mst_locked_free(key, MST_GCM_KEY);
    return rc;
}

enum mst_rc mst_keyfile_put(enum mst_key_kind kind, const uint8_t secret[32], const char *label,
                            int64_t now_wall_ms, const struct mst_secret *phrase,
                            struct mst_str *out, struct mst_err *err)
{
    char clean[64], id[MST_KEY_ID_HEX], word[MST_PUB_WORD], hex[MST_SHA256_HEX];
    uint8_t pub[RAW], sha[MST_SHA256_LEN];
    struct mst_str text = {.p = mst_xcalloc(1, 2048), .cap = 2048}; /* it never moves */
    enum mst_rc rc = public_of(kind, secret, pub, err);

    if (rc != MST_OK) {
        goto out;
    }
    mst_text_clean(clean, sizeof(clean), label, strlen(label));
    mst_key_id_of(pub, id);
    mst_pub_word(kind, pub, word);
    mst_str_addf(&text, FIRST "1 %s\nid %s\npublic %s\nlabel %s\ncreated %lld\n", kind_words[kind],
                 id, word, clean, (long long)(now_wall_ms > 0 ? now_wall_ms : 0));
    if (phrase && phrase->len > 0) {
        rc = put_sealed(secret, phrase, &text, err);
    } else {
        mst_str_addf(&text, "secret " SECRET_WORD "%s\n", mst_hex(secret, RAW, hex));
        mst_wipe(hex, sizeof(hex));
    }
    if (rc == MST_OK) {
        mst_sha256_of(text.p, text.len, sha);
        mst_str_addf(&text, "sha256 %s\n", mst_hex(sha, sizeof(sha), hex));
        MST_ASSERT(text.cap == 2048);
        mst_str_addn(out, text.p, text.len);
    }
out:
    mst_keyfile_wipe(&text);
    return rc;
}

static enum mst_rc damaged(struct mst_err *err, const char *what)
{
    return mst_err_set(err, MST_E_INTEGRITY, "the key file is damaged: %s; take another copy",
                       what);
}

/* The value of the next line, which must begin with name; NULL when it does not. The line's end
 * becomes a NUL. */
static char *next_value(char **at, const char *name)
{
    const size_t n = strlen(name);
    char *value = *at, *end = strchr(value, '\n');

    if (!end || strncmp(value, name, n) != 0 || value[n] != ' ') {
        return NULL;
    }
    *end = '\0';
    *at = end + 1;
    return value + n + 1;
}

/* So many hex digits of lower case, then the end or a space; *at moves behind them. */
static bool take_hex(char **at, uint8_t *out, size_t n)
{
    char *s = *at, was;
    bool ok;

    if (strspn(s, "0123456789abcdef") != 2 * n) {
        return false;
    }
    was = s[2 * n];
    s[2 * n] = '\0';
    ok = mst_unhex(s, out, n);
    s[2 * n] = was;
    *at = s + 2 * n + (was == ' ');
    return ok && (was == ' ' || was == '\0');
}

/* Digits alone, no more than most of them, no sign, no leading zero. */
static bool take_number(char **at, size_t most, int64_t *out)
{
    const size_t n = strspn(*at, "0123456789");
    int64_t v = 0;

    if (n == 0 || n > most || (n > 1 && **at == '0') || ((*at)[n] != ' ' && (*at)[n] != '\0')) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        v = v * 10 + ((*at)[i] - '0');
    }
    *at += n + ((*at)[n] == ' ');
    *out = v;
    return true;
}

static bool parse_secret(char *value, struct parsed *p)
{
    int64_t log2n;

    if (begins(value, SECRET_WORD)) {
        value += strlen(SECRET_WORD);
        return strlen(value) == (size_t)2 * RAW && take_hex(&value, p->secret, RAW);
    }
    p->info.locked = true;
    if (!begins(value, "scrypt ")) {
        return false;
    }
    value += strlen("scrypt ");
    if (!take_number(&value, 3, &log2n) || !take_hex(&value, p->salt, sizeof(p->salt)) ||
        !take_hex(&value, p->check, sizeof(p->check)) || strlen(value) != (size_t)2 * SEALED) {
        return false;
    }
    p->log2n = (int)log2n;
    return take_hex(&value, p->sealed, sizeof(p->sealed));
}

static enum mst_rc parse_lines(char *text, struct parsed *p, struct mst_err *err)
{
    struct mst_keyfile *info = &p->info;
    struct mst_err word_err = {0};
    char *at = text, *value = next_value(&at, "muster secret key"), id[MST_KEY_ID_HEX];
    size_t kind = 0;

    while (value && kind < MST_COUNT(kind_words) && strcmp(value + 2, kind_words[kind]) != 0) {
        kind++;
    }
    if (!value || kind == MST_COUNT(kind_words)) {
        return damaged(err, "its first line does not say what it is");
    }
    info->kind = (enum mst_key_kind)kind;
    if (!(value = next_value(&at, "id")) || strlen(value) != MST_KEY_ID_HEX - 1) {
        return damaged(err, "it has no id");
    }
    memcpy(info->id, value, MST_KEY_ID_HEX);
    if (!(value = next_value(&at, "public")) ||
        mst_pub_parse(value, info->kind, info->pub, &word_err) != MST_OK) {
        return damaged(err, "it has no valid public word");
    }
    mst_key_id_of(info->pub, id);
    if (strcmp(id, info->id) != 0) {
        return damaged(err, "its id is not that of its public word");
    }
    if (!(value = next_value(&at, "label"))) {
        return damaged(err, "it has no label");
    }
    mst_text_clean(info->label, sizeof(info->label), value, strlen(value));
    if (!(value = next_value(&at, "created")) || strchr(value, ' ') ||
        !take_number(&value, 15, &info->created_wall_ms) || *value) {
        return damaged(err, "it has no time");
    }
    p->bound = (size_t)(at - text);
    if (!(value = next_value(&at, "secret")) || !parse_secret(value, p)) {
        return damaged(err, "its secret is not in a form that muster writes");
    }
    return *at ? damaged(err, "there is more in it than a key") : MST_OK;
}

static enum mst_rc parse(const char *text, size_t n, struct parsed *p, struct mst_err *err)
{
    char *copy, want[MST_SHA256_HEX];
    uint8_t sha[MST_SHA256_LEN];
    enum mst_rc rc;

    if (n > MST_KEYFILE_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "a key file has at most %d bytes", MST_KEYFILE_MAX);
    }
    if (n < strlen(FIRST) || memcmp(text, FIRST, strlen(FIRST)) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "this is not a key file of muster");
    }
    if (n > strlen(FIRST) + 1 && (text[strlen(FIRST)] != '1' || text[strlen(FIRST) + 1] != ' ')) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "the key file is of a format that this muster does not know");
    }
    if (n < END_LINE || memcmp(text + n - END_LINE, "sha256 ", 7) != 0 || text[n - 1] != '\n') {
        return damaged(err, "its last line is not its SHA-256");
    }
    n -= END_LINE;
    mst_sha256_of(text, n, sha);
    (void)mst_hex(sha, sizeof(sha), want);
    if (memcmp(want, text + n + 7, sizeof(want) - 1) != 0 || memchr(text, '\0', n)) {
        return damaged(err, "its SHA-256 does not fit");
    }
    p->secret = mst_locked_new(RAW);
    copy = mst_locked_new(n + 1);
    memcpy(copy, text, n);
    rc = parse_lines(copy, p, err);
    mst_locked_free(copy, n + 1);
    return rc;
}

static void parsed_release(struct parsed *p)
{
    mst_locked_free(p->secret, RAW);
    mst_wipe(p, sizeof(*p));
}

enum mst_rc mst_keyfile_parse(const char *text, size_t n, struct mst_keyfile *info,
                              struct mst_err *err)
{
    struct parsed p = {0};
    const enum mst_rc rc = parse(text, n, &p, err);

    if (rc == MST_OK) {
        *info = p.info;
    }
    parsed_release(&p);
    return rc;
}

static enum mst_rc unseal(const char *text, struct parsed *p, const struct mst_secret *phrase,
                          struct mst_err *err)
{
    uint8_t *key = mst_locked_new(MST_GCM_KEY), check[MST_WORK_CHECK];
    enum mst_rc rc = mst_work(phrase, p->salt, p->log2n, key, check, err);

    if (rc != MST_OK) {
        mst_err_prefix(err, "the key file");
    } else if (CRYPTO_memcmp(check, p->check, sizeof(check)) != 0) {
        rc = mst_err_set(err, MST_E_AUTH, "wrong passphrase for the key file");
    } else if (!mst_gcm_once_open(key, text, p->bound, p->sealed, SEALED, p->secret)) {
        rc = damaged(err, "its secret does not open");
    }
    mst_locked_free(key, MST_GCM_KEY);
    return rc;
}

enum mst_rc mst_keyfile_open(const char *text, size_t n, const struct mst_secret *phrase,
                             uint8_t out[32], struct mst_err *err)
{
    struct parsed p = {0};
    uint8_t pub[RAW];
    enum mst_rc rc = parse(text, n, &p, err);

    if (rc == MST_OK && p.info.locked) {
        rc = unseal(text, &p, phrase, err);
    }
    if (rc == MST_OK) {
        rc = public_of(p.info.kind, p.secret, pub, err);
    }
    if (rc == MST_OK && memcmp(pub, p.info.pub, RAW) != 0) {
        rc = damaged(err, "its secret is not that of its public word");
    }
    if (rc == MST_OK) {
        memcpy(out, p.secret, RAW);
    }
    parsed_release(&p);
    return rc;
}

static enum mst_rc look(int fd, const char *path, struct mst_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return mst_err_set(err, MST_E_CONFIG, "the key file %s is not a regular file", path);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the key file %s belongs to another user (uid %u): make it yours", path,
                           (unsigned)st.st_uid);
    }
    if (!mst_credential_private(path, &st)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the key file %s can be read by others (mode %04o): chmod 600 it, and "
                           "make a new key if somebody may have done so",
                           path, (unsigned)st.st_mode & 07777U);
    }
    return MST_OK;
}

enum mst_rc mst_keyfile_read(const char *path, struct mst_keyfile *info, struct mst_str *text,
                             struct mst_err *err)
{
    const size_t room = MST_KEYFILE_MAX + 1;
    char why[128], at[MST_CREDENTIAL_PATH], *buf;
    size_t n = 0;
    ssize_t got = 1;
    int fd;
    enum mst_rc rc = mst_credential_path(path, at, err);

    if (rc != MST_OK) {
        return rc;
    }
    fd = open(at, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        const int num = errno;

        return mst_err_set_detail(err, num == ENOENT ? MST_E_NOTFOUND : MST_E_CONFIG, num,
                                  "cannot read the key file %s: %s", path,
                                  mst_errno_text(num, why, sizeof(why)));
    }
    buf = mst_locked_new(room);
    rc = look(fd, path, err);
    while (rc == MST_OK && n < room && got != 0) {
        got = read(fd, buf + n, room - n);
        if (got < 0 && errno != EINTR) {
            rc = mst_err_set_detail(err, MST_E_IO, errno, "cannot read the key file %s: %s", path,
                                    mst_errno_text(errno, why, sizeof(why)));
        }
        n += got > 0 ? (size_t)got : 0;
    }
    if (rc == MST_OK && (rc = mst_keyfile_parse(buf, n, info, err)) != MST_OK) {
        mst_err_prefix(err, "%s", path);
    }
    if (rc == MST_OK && text) {
        mst_str_addn(text, buf, n);
    }
    mst_locked_free(buf, room);
    (void)close(fd);
    return rc;
}

static enum mst_rc secret_in(const char *path, enum mst_key_kind kind,
                             const struct mst_secret *phrase, struct mst_keyfile *info,
                             uint8_t secret[RAW], struct mst_err *err)
{
    struct mst_str text = {0};
    enum mst_rc rc = mst_keyfile_read(path, info, &text, err);

    if (rc == MST_OK && info->kind != kind) {
        rc = mst_err_set(err, MST_E_CONFIG, "%s is the key of a %s: here belongs that of a %s",
                         path, kind_words[info->kind], kind_words[kind]);
    } else if (rc == MST_OK &&
               (rc = mst_keyfile_open(text.p, text.len, phrase, secret, err)) != MST_OK) {
        mst_err_prefix(err, "%s", path);
    }
    mst_keyfile_wipe(&text);
    return rc;
}

enum mst_rc mst_keyfile_signer(const char *path, const struct mst_secret *phrase,
                               struct mst_sign_key *out, struct mst_err *err)
{
    uint8_t *secret = mst_locked_new(RAW);
    struct mst_keyfile info;
    enum mst_rc rc = secret_in(path, MST_KEY_SIGNER, phrase, &info, secret, err);

    if (rc == MST_OK) {
        rc = mst_sign_key_set(out, secret, err);
    }
    mst_locked_free(secret, RAW);
    return rc;
}

enum mst_rc mst_keyfile_identity(const char *path, const struct mst_secret *phrase,
                                 struct mst_identity *out, struct mst_err *err)
{
    uint8_t *secret = mst_locked_new(RAW);
    struct mst_keyfile info;
    enum mst_rc rc = secret_in(path, MST_KEY_RECIPIENT, phrase, &info, secret, err);

    if (rc == MST_OK && (rc = mst_identity_set(out, secret, err)) == MST_OK) {
        (void)mst_copy(out->label, sizeof(out->label), info.label);
    }
    mst_locked_free(secret, RAW);
    return rc;
}
