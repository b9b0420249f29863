/* far_kit.h: the bucket of the sweeps, on one of the scripted servers, and the store that a process
 * opens there. A request of the n-th change kills the process that sent it. */
#ifndef MST_TEST_FAR_KIT_H
#define MST_TEST_FAR_KIT_H

#include "test.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "gcsd.h"
#include "s3d.h"
#include "store/gcs.h"
#include "store/s3.h"

enum far_kind {
    FAR_S3,
    FAR_NO_BATCH, /* S3 that removes one object a request */
    FAR_XML,      /* Google Cloud Storage by its XML API */
    FAR_GCS       /* and by its JSON API */
};
struct far {
    enum far_kind kind;
    struct s3d *s3; /* NULL: gcs */
    struct gcsd *gcs;
};

enum death_kind {
    DEATH_CHANGE, /* whatever makes, changes or removes something */
    DEATH_BEGIN,  /* of an upload in parts */
    DEATH_PART,
    DEATH_END /* of such an upload, where it is a request of its own */
};
struct death {
    enum death_kind kind;
    unsigned nth;    /* 0: the first one */
    bool after;      /* the store has done it, and nobody hears of it */
    const char *key; /* only requests about such a name; NULL all; a literal */
};

/* A death before a request leaves what one behind the request before it left, unless several are on
 * their way: on one kind of server both are tried. */
static inline bool far_only_after(const struct far *f)
{
    return f->kind != FAR_S3;
}

static inline void far_start(struct far *f, enum far_kind kind)
{
    const struct s3d_opts o = {
        .idle_ms = 30000, .google = kind == FAR_XML, .no_batch = kind == FAR_NO_BATCH};

    f->kind = kind;
    f->s3 = kind == FAR_GCS ? NULL : s3d_start(&o);
    f->gcs = kind == FAR_GCS ? gcsd_start(S3D_BUCKET_NAME, 0) : NULL;
}

static inline void far_stop(struct far *f)
{
    if (f->s3) {
        s3d_stop(f->s3);
    } else {
        gcsd_stop(f->gcs);
    }
}

static inline const char *far_endpoint(const struct far *f)
{
    return f->s3 ? s3d_endpoint(f->s3) : gcsd_url(f->gcs);
}

/* --- the store -------------------------------------------------------------------------------- */

static inline enum mst_rc far_login(void *arg, bool fresh, struct mst_login *out,
                                    struct mst_task *task, struct mst_err *err)
{
    (void)arg;
    (void)fresh;
    (void)task;
    (void)err;
    (void)mst_copy(out->access_key, sizeof(out->access_key), S3D_ACCESS);
    mst_secret_set(&out->secret, S3D_SECRET, strlen(S3D_SECRET));
    return MST_OK;
}

static inline struct mst_store *far_open_s3(enum far_kind kind, const char *endpoint,
                                            const char *prefix)
{
    const struct mst_s3_conf conf = {.name = "far",
                                     .profile = kind == FAR_XML ? "gcs" : "versitygw",
                                     .endpoint = endpoint,
                                     .region = S3D_REGION,
                                     .bucket = S3D_BUCKET_NAME,
                                     .prefix = prefix,
                                     .plain = true,
                                     .write = true,
                                     .part_bytes = MST_S3_PART_MIN,
                                     .stall_ms = 5000,
                                     .login = far_login};
    struct mst_store *s = NULL;
    struct mst_err err = {0};

    assert_ok(mst_store_s3_open(&conf, &s, &err), &err);
    return s;
}

static inline struct mst_store *far_open_gcs(const char *endpoint, const char *prefix)
{
    static char argv[2][MST_CFG_WORD] = {"/bin/echo", GCSD_COMMAND_TOKEN};
    const struct mst_cfg_list command = {.n = 2, .item = argv};
    const struct mst_http_opts http = {.plain = true, .stall_ms = 5000};
    const struct mst_gauth_opts a = {.token_command = &command, .http = http};
    const struct mst_gcs_opts o = {.bucket = S3D_BUCKET_NAME,
                                   .prefix = prefix,
                                   .endpoint = endpoint,
                                   .write = true,
                                   .chunk_bytes = MST_GCS_CHUNK_UNIT,
                                   .http = http};
    struct mst_gauth *auth = NULL;
    struct mst_store *s = NULL;
    struct mst_err err = {0};

    assert_ok(mst_gauth_new(&a, &auth, &err), &err);
    assert_ok(mst_store_gcs_open_take("far", &o, auth, &s, &err), &err);
    return s;
}

static inline struct mst_store *far_open(enum far_kind kind, const char *endpoint,
                                         const char *prefix)
{
    return kind == FAR_GCS ? far_open_gcs(endpoint, prefix) : far_open_s3(kind, endpoint, prefix);
}

/* --- who dies --------------------------------------------------------------------------------- */

static inline void far_plan(const struct far *f, const struct death *d, pid_t pid)
{
    static const enum s3d_kind s3[] = {S3D_CHANGES, S3D_CREATE, S3D_PART, S3D_COMPLETE};
    static const enum gcsd_kind gcs[] = {GCSD_CHANGES, GCSD_START, GCSD_CHUNK, GCSD_KINDS};

    if (f->s3) {
        s3d_plan(f->s3, &(struct s3d_fault){.what = d->after ? S3D_KILL_AFTER : S3D_KILL,
                                            .kind = s3[d->kind],
                                            .key = d->key,
                                            .nth = d->nth,
                                            .pid = pid});
    } else {
        gcsd_plan(f->gcs, &(struct gcsd_fault){.what = d->after ? GCSD_KILL_AFTER : GCSD_KILL,
                                               .kind = gcs[d->kind],
                                               .key = d->key,
                                               .nth = d->nth,
                                               .pid = pid});
    }
}

/* Nobody of theirs is connected any more, and nothing is planned. */
static inline void far_settle(const struct far *f)
{
    if (f->s3) {
        s3d_alone(f->s3);
        s3d_plan_none(f->s3);
    } else {
        gcsd_alone(f->gcs);
        gcsd_plan_none(f->gcs);
    }
}

/* Runs argv, which waits for a line before it does anything, and dies there when it comes so far;
 * d NULL: nobody dies. Its status, as waitpid() has it. */
static inline int far_run(const struct far *f, char **argv, char **env, const struct death *d)
{
    posix_spawn_file_actions_t to;
    int go[2], status = 0;
    char shm[40];
    pid_t pid;

    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&to), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&to, go[0], 0), 0);
    assert_int_equal(posix_spawn(&pid, argv[0], &to, NULL, argv, env), 0);
    (void)posix_spawn_file_actions_destroy(&to);
    if (d) {
        far_plan(f, d, pid);
    }
    (void)close(go[0]);
    assert_int_equal(write(go[1], "\n", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(go[1]);
    far_settle(f);
    (void)snprintf(shm, sizeof(shm), "/dev/shm/mongoc-%ld", (long)pid);
    (void)unlink(shm); /* the driver's, of a process that had no time to */
    return status;
}

/* --- what it holds ---------------------------------------------------------------------------- */

/* Uploads in parts that were begun and not ended. */
static inline size_t far_begun(const struct far *f)
{
    return f->s3 ? s3d_uploads(f->s3) : gcsd_sessions(f->gcs);
}

/* Those that somebody could list and remove: the JSON API has no such call, a session ends by
 * itself and is never seen. */
static inline size_t far_uploads(const struct far *f)
{
    return f->s3 ? s3d_uploads(f->s3) : 0;
}

static inline unsigned char *far_get(const struct far *f, const char *key, size_t *n)
{
    return f->s3 ? s3d_get(f->s3, key, n) : gcsd_get(f->gcs, key, n);
}

/* Where it is not there. */
static inline void far_put(const struct far *f, const char *key, const void *p, size_t n)
{
    size_t have;
    unsigned char *old = far_get(f, key, &have);

    if (!old && f->s3) {
        s3d_put(f->s3, key, p, n);
    } else if (!old) {
        gcsd_put(f->gcs, key, p, n);
    }
    free(old);
}

static inline void far_orphan(const struct far *f, const char *key)
{
    if (f->s3) {
        s3d_orphan(f->s3, key, 9000, NULL);
    }
}

#endif
