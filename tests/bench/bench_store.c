/* bench_store: the S3 driver beside rclone, interleaved, on one versitygw: a large object up and
 * down, and many small ones; and a long listing from the tests' own server beside s3cmd and aws.
 * bench_store large BYTES ROUNDS | small OBJECTS ROUNDS | list KEYS prints lines "NAME VALUE".
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "realstore.h"
#include "runprog.h"
#include "s3d.h"
#include "store/s3.h"

#define PARALLEL 8
#define PART "8M"
#define SMALL 10000

static struct realstore real;
static char dir[64];

static void must(enum mst_rc rc, const struct mst_err *err)
{
    if (rc != MST_OK) {
        (void)fprintf(stderr, "bench_store: %s\n", err->msg);
        exit(1);
    }
}

static enum mst_rc log_in(void *arg, bool fresh, struct mst_login *out, struct mst_task *task,
                          struct mst_err *err)
{
    const bool own = arg != NULL;
    const char *secret = own ? S3D_SECRET : REAL_SECRET;

    (void)fresh;
    (void)task;
    (void)err;
    (void)mst_copy(out->access_key, sizeof(out->access_key), own ? S3D_ACCESS : REAL_ACCESS);
    mst_secret_set(&out->secret, secret, strlen(secret));
    return MST_OK;
}

static struct mst_store *open_store(struct s3d *own)
{
    const struct mst_s3_conf conf = {.name = "bench",
                                     .profile = "versitygw",
                                     .endpoint = own ? s3d_endpoint(own) : real.endpoint,
                                     .region = REAL_REGION, /* both say the same */
                                     .bucket = REAL_BUCKET,
                                     .plain = true,
                                     .write = true,
                                     .connections = PARALLEL,
                                     .login = log_in,
                                     .login_arg = own};
    struct mst_store *s = NULL;
    struct mst_err err = {0};

    must(mst_store_s3_open(&conf, &s, &err), &err);
    return s;
}

/* ---- stop watch: seconds of the wall and of the processor ---- */

struct watch {
    int64_t at_us;
    double cpu_s;
    int who;
};

static double cpu_of(int who)
{
    struct rusage u;

    (void)getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct watch begin(int who)
{
    return (struct watch){mst_clock_mono_us(), cpu_of(who), who};
}

static void say(const struct watch *w, const char *name)
{
    (void)printf("%s_s %.3f\n%s_cpu_s %.3f\n", name, (double)(mst_clock_mono_us() - w->at_us) / 1e6,
                 name, cpu_of(w->who) - w->cpu_s);
    (void)fflush(stdout);
}

/* ---- a large object ---- */

static void make_file(const char *path, uint64_t bytes)
{
    uint64_t x = 88172645463325252ULL;
    uint64_t block[8192];
    FILE *f = fopen(path, "w");

    MST_ASSERT(f);
    for (uint64_t at = 0; at < bytes; at += sizeof(block)) {
        for (size_t i = 0; i < MST_COUNT(block); i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            block[i] = x;
        }
        MST_ASSERT(fwrite(block, 1, sizeof(block), f) == sizeof(block));
    }
    MST_ASSERT(fclose(f) == 0);
}

static void upload(struct mst_store *s, const char *path, const char *key)
{
    static uint8_t buf[1U << 20];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct mst_store_put *put = NULL;
    struct mst_err err = {0};
    ssize_t n;

    must(mst_store_put_begin(s, key, &put, &err), &err);
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        must(mst_store_put_add(put, buf, (size_t)n, &err), &err);
    }
    must(mst_store_put_finish_take(put, &err), &err);
    (void)close(fd);
}

/* Written by as much at a time as rclone writes: by the MiB the kernel takes blocks of a MiB for
 * its cache, which in a guest have often never been touched, and their first touch costs more than
 * all else. */
static void download(struct mst_store *s, const char *key, const char *path)
{
    static uint8_t buf[1U << 17];
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct mst_err err = {0};
    uint64_t at = 0;
    size_t got;

    do {
        must(mst_store_read(s, key, at, buf, sizeof(buf), &got, &err), &err);
        MST_ASSERT(write(fd, buf, got) == (ssize_t)got);
        at += got;
    } while (got > 0);
    (void)close(fd);
}

static void rclone(const char *const *words)
{
    struct mst_str out = {0};

    if (realstore_rclone(&real, words, &out) != 0) {
        (void)fprintf(stderr, "bench_store: rclone: %s\n", mst_str_c(&out));
        exit(1);
    }
    mst_str_release(&out);
}

static void same_files(const char *a, const char *b)
{
    MST_ASSERT(realstore_run((const char *const[]){"cmp", a, b, NULL}, NULL) == 0);
}

/* Whoever first fills pages that the machine never gave out before pays for it (in a guest, much
 * more than for the bytes): before each of the two a file of that size is written and removed. */
static void warm(const char *path, uint64_t bytes)
{
    (void)unlink(path);
    make_file(path, bytes);
    MST_ASSERT(unlink(path) == 0);
}

static void down_ours(struct mst_store *s, const char *key, const char *to)
{
    const struct watch w = begin(RUSAGE_SELF);

    download(s, key, to);
    say(&w, "down");
}

static void down_theirs(const char *from, const char *to)
{
    const struct watch w = begin(RUSAGE_CHILDREN);

    rclone((const char *const[]){"copyto", "--multi-thread-streams", "8",
                                 "--multi-thread-chunk-size", PART, from, to, NULL});
    say(&w, "rclone_down");
}

/* The two take turns at being first with the download. */
static void large(uint64_t bytes, unsigned rounds)
{
    char *from = mst_xasprintf("%s/from", dir), *to = mst_xasprintf("%s/to", dir);
    struct mst_err err = {0};
    struct rusage u;

    make_file(from, bytes);
    for (unsigned i = 0; i < rounds; i++) {
        struct mst_store *s = open_store(NULL);
        char *ours = mst_xasprintf("ours%u", i), *theirs = mst_xasprintf("real:vault/theirs%u", i);
        struct watch w = begin(RUSAGE_SELF);

        upload(s, from, ours);
        say(&w, "up");
        w = begin(RUSAGE_CHILDREN);
        rclone((const char *const[]){"copyto", "--s3-upload-concurrency", "8", "--s3-chunk-size",
                                     PART, "--s3-upload-cutoff", PART, "--s3-no-check-bucket", from,
                                     theirs, NULL});
        say(&w, "rclone_up");
        for (unsigned who = 0; who < 2; who++) {
            warm(to, bytes);
            if ((who + i) % 2 == 0) {
                down_ours(s, ours, to);
            } else {
                down_theirs(theirs, to);
            }
            same_files(from, to);
        }
        must(mst_store_delete(s, ours, &err), &err); /* the disk is not for all rounds at once */
        rclone((const char *const[]){"deletefile", theirs, NULL});
        mst_store_free(s);
        free(ours);
        free(theirs);
    }
    (void)getrusage(RUSAGE_SELF, &u);
    (void)printf("rss_kib %ld\n", u.ru_maxrss);
    free(from);
    free(to);
}

/* ---- many small ones ---- */

static struct {
    struct mst_store *s;
    unsigned round, n;
} job;

static void *put_some(void *arg)
{
    static uint8_t bytes[SMALL];
    const size_t who = (size_t)(uintptr_t)arg;
    struct mst_err err = {0};

    for (size_t i = who; i < job.n; i += PARALLEL) {
        char key[64];

        (void)snprintf(key, sizeof(key), "small%u/%06zu", job.round, i);
        must(mst_store_put_all(job.s, key, bytes, sizeof(bytes), &err), &err);
    }
    return NULL;
}

static void small(unsigned n, unsigned rounds)
{
    char *folder = mst_xasprintf("%s/small", dir);
    static uint8_t bytes[SMALL];

    (void)mkdir(folder, 0700);
    for (unsigned i = 0; i < n; i++) {
        char *path = mst_xasprintf("%s/%06u", folder, i);
        FILE *f = fopen(path, "w");

        MST_ASSERT(f && fwrite(bytes, 1, sizeof(bytes), f) == sizeof(bytes) && fclose(f) == 0);
        free(path);
    }
    for (unsigned i = 0; i < rounds; i++) {
        char *to = mst_xasprintf("real:vault/theirs%u", i);
        pthread_t t[PARALLEL];
        struct watch w = begin(RUSAGE_SELF);

        job.s = open_store(NULL);
        job.round = i;
        job.n = n;
        for (size_t k = 0; k < PARALLEL; k++) {
            MST_ASSERT(pthread_create(&t[k], NULL, put_some, (void *)(uintptr_t)k) == 0);
        }
        for (size_t k = 0; k < PARALLEL; k++) {
            (void)pthread_join(t[k], NULL);
        }
        mst_store_free(job.s);
        say(&w, "small");
        w = begin(RUSAGE_CHILDREN);
        rclone((const char *const[]){"copy", "--transfers", "8", "--checkers", "8",
                                     "--s3-no-check-bucket", "--no-traverse", folder, to, NULL});
        say(&w, "rclone_small");
        free(to);
    }
    free(folder);
}

/* ---- a long listing ---- */

static bool count(void *arg, const struct mst_store_item *item)
{
    (void)item;
    ++*(size_t *)arg;
    return true;
}

static void list(unsigned n)
{
    struct s3d *own = s3d_start(&(struct s3d_opts){.idle_ms = 60000});
    struct mst_store *s = open_store(own);
    char *host = mst_xstrdup(s3d_endpoint(own) + strlen("http://"));
    char *access = mst_xasprintf("--access_key=%s", S3D_ACCESS);
    char *secret = mst_xasprintf("--secret_key=%s", S3D_SECRET);
    char *base = mst_xasprintf("--host=%s", host),
         *bucket = mst_xasprintf("--host-bucket=%s", host);
    struct mst_err err = {0};
    size_t seen = 0;
    struct watch w;

    s3d_fill(own, "keys/", n, 10);
    w = begin(RUSAGE_SELF);
    must(mst_store_list(s, "", count, &seen, NULL, &err), &err);
    say(&w, "list");
    MST_ASSERT(seen == n);
    w = begin(RUSAGE_CHILDREN);
    MST_ASSERT(realstore_run((const char *const[]){"s3cmd", "--config=/dev/null", "--no-ssl",
                                                   "--region=" S3D_REGION, access, secret, base,
                                                   bucket, "ls", "-r", "s3://vault/", NULL},
                             NULL) == 0);
    say(&w, "s3cmd_list");
    (void)setenv("AWS_ACCESS_KEY_ID", S3D_ACCESS, 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", S3D_SECRET, 1);
    (void)setenv("AWS_DEFAULT_REGION", S3D_REGION, 1);
    w = begin(RUSAGE_CHILDREN);
    MST_ASSERT(realstore_run((const char *const[]){"aws", "--endpoint-url", s3d_endpoint(own), "s3",
                                                   "ls", "--recursive", "s3://vault/", NULL},
                             NULL) == 0);
    say(&w, "aws_list");
    mst_store_free(s);
    s3d_stop(own);
    free(host);
    free(access);
    free(secret);
    free(base);
    free(bucket);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    const uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    const unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;

    if (strcmp(what, "list") == 0 && n > 0) {
        list((unsigned)n);
        return 0;
    }
    if ((strcmp(what, "large") != 0 && strcmp(what, "small") != 0) || n == 0) {
        (void)fprintf(stderr,
                      "usage: bench_store large BYTES ROUNDS | small OBJECTS ROUNDS | list KEYS\n");
        return 2;
    }
    realstore_need(REAL_VERSITYGW);
    realstore_need(REAL_RCLONE);
    temp_dir(dir, sizeof(dir));
    realstore_start(&real, REAL_VERSITYGW, NULL);
    if (strcmp(what, "large") == 0) {
        large(n, rounds);
    } else {
        small((unsigned)n, rounds);
    }
    realstore_stop(&real);
    temp_remove(dir);
    return 0;
}
