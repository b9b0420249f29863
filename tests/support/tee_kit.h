/* tee_kit.h: the real program with two stores, a directory "local" and another one: a directory
 * "vault" or a bucket "far" of the scripted S3 server. Backups are signed. */
#ifndef TEE_KIT_H
#define TEE_KIT_H

#include "agents_kit.h"

#include "base/mem.h"
#include "crypt/keyfile.h"
#include "s3d.h"

struct tee_kit {
    struct kit set;
    struct home home;
    struct s3d *far; /* NULL: vault is a directory */
    char dir[64], local[96], vault[96], away[96];
    char signer[MST_PUB_WORD];
};

static inline void tee_signer(struct tee_kit *t)
{
    struct mst_sign_key key = {0};
    struct mst_keyfile info;
    struct mst_str text = {0};
    struct mst_err err = {0};
    char path[128];

    assert_ok(mst_sign_key_new(&key, &err), &err);
    assert_ok(mst_keyfile_put(MST_KEY_SIGNER, key.secret, "db1", 1795386600000, NULL, &text, &err),
              &err);
    (void)snprintf(path, sizeof(path), "%s/sign.key", t->dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&text), text.len, &err), &err);
    assert_ok(mst_keyfile_parse(mst_str_c(&text), text.len, &info, &err), &err);
    mst_pub_word(MST_KEY_SIGNER, info.pub, t->signer);
    mst_keyfile_wipe(&text);
    mst_sign_key_release(&key);
}

static inline void tee_start(struct tee_kit *t, const struct s3d_opts *far)
{
    struct mst_err err = {0};
    char path[128];

    memset(t, 0, sizeof(*t));
    kit_start(&t->set, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(t->dir, sizeof(t->dir));
    (void)snprintf(t->local, sizeof(t->local), "%s/local", t->dir);
    (void)snprintf(t->vault, sizeof(t->vault), "%s/vault", t->dir);
    (void)snprintf(t->away, sizeof(t->away), "%s/away", t->dir);
    assert_int_equal(mkdir(t->local, 0700), 0);
    assert_int_equal(mkdir(t->vault, 0700), 0);
    home_make(&t->home, &t->set, t->local);
    tee_signer(t);
    if (far) {
        t->far = s3d_start(far);
        assert_non_null(t->far);
        (void)snprintf(path, sizeof(path), "%s/secret", t->dir);
        assert_ok(mst_file_replace(path, 0600, S3D_SECRET "\n", strlen(S3D_SECRET) + 1, &err),
                  &err);
    }
    fill(&t->set, "old");
}

static inline void tee_end(struct tee_kit *t)
{
    home_end(&t->home);
    s3d_stop(t->far);
    kit_stop(&t->set);
    temp_remove(t->dir);
}

/* The configuration of a home: backup is what stands in its section, sign whether it has the key,
 * more what the far store says besides. No agent runs afterwards. */
static inline void tee_config(struct tee_kit *t, struct home *h, bool sign, const char *backup,
                              const char *more)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    agents_die(h);
    mst_str_add(&s,
                "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"restore\", \"discard\", "
                "\"clean\"];\n  members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(t->set.w, i));
    }
    mst_str_addf(&s, "]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; },\n",
                 t->local);
    if (t->far) {
        mst_str_addf(&s,
                     "  { name = \"far\"; type = \"s3\"; bucket = \"" S3D_BUCKET_NAME
                     "\"; endpoint = \"%s\"; region = \"" S3D_REGION
                     "\";\n  plain_http = true; allow_unsealed = true; access_key = \"" S3D_ACCESS
                     "\"; secret_key_file = \"%s/secret\";%s });\n",
                     s3d_endpoint(t->far), t->dir, more);
    } else {
        mst_str_addf(&s, "  { name = \"vault\"; type = \"local\"; path = \"%s\"; });\n", t->vault);
    }
    mst_str_addf(&s, "seal = { trusted = [\"%s db1\"];", t->signer);
    if (sign) {
        mst_str_addf(&s, " signer_file = \"%s/sign.key\";", t->dir);
    }
    mst_str_addf(&s, " };\nbackup = { stores = [\"local\", \"%s\"]; %s };\n",
                 t->far ? "far" : "vault", backup);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", h->dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

/* The backups of a store, newest first, as JSON. */
static inline void tee_list(struct home *h, const char *store, struct ran *r)
{
    MUST(r, h, 0, "bucket", "ls", "--store", store, "--json");
}

/* The id of the newest backup in a store. */
static inline void tee_newest(struct home *h, const char *store, char *id, size_t size)
{
    struct ran r;
    const char *at;

    tee_list(h, store, &r);
    at = strstr(mst_str_c(&r.out), "\"id\":\"");
    if (!at) {
        fail_msg("nothing in %s: %s", store, mst_str_c(&r.out));
    }
    (void)snprintf(id, size, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
    ran_release(&r);
}

/* How often a text is there. */
static inline size_t tee_count(const struct mst_str *text, const char *part)
{
    size_t n = 0;

    for (const char *p = mst_str_c(text); (p = strstr(p, part)) != NULL; p += strlen(part)) {
        n++;
    }
    return n;
}

#define HAS_NOT(text, part) \
    do { \
        if (strstr((text), (part))) { \
            fail_msg("\"%s\" is in: %s", (part), (text)); \
        } \
    } while (0)

#endif
