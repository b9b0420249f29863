/* What sealing costs: the same documents through the writer of segments (zstd, AES-256-GCM,
 * SHA-256), sealed and not, and through `zstd -1 | openssl enc -aes-256-ctr | sha256sum`, in turn.
 * The documents are the simulator's, which zstd makes 12 times smaller, or with "random" of bytes
 * that do not shrink, where sealing costs most. bench_seal BYTES ROUNDS FOLDER [random] prints
 * lines "NAME VALUE", seconds of the processor. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "catalog/segment.h"
#include "crypt/seal.h"
#include "data/data.h"
#include "realstore.h"
#include "store/store.h"

#define SEED 7

static void must(enum mst_rc rc, const struct mst_err *err)
{
    if (rc != MST_OK) {
        (void)fprintf(stderr, "bench_seal: %s\n", err->msg);
        exit(1);
    }
}

static double cpu_of(int who)
{
    struct rusage u;

    (void)getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* {b: <1000 random bytes>} */
static void random_doc(struct mst_buf *out)
{
    static uint64_t x = 88172645463325252ULL;
    static const uint8_t head[] = {0xf5, 3, 0, 0, 5, 'b', 0, 0xe8, 3, 0, 0, 0};

    mst_buf_add(out, head, sizeof(head));
    while (out->len < 0x3f4) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        mst_buf_add(out, &x, out->len + sizeof(x) < 0x3f4 ? sizeof(x) : 0x3f4 - out->len);
    }
    mst_buf_add(out, "", 1);
}

/* The documents one behind the other; how many bytes they are. */
static size_t make_documents(const char *path, uint64_t bytes, bool random)
{
    struct mst_buf doc = {0};
    FILE *f = fopen(path, "w");
    size_t all = 0;

    MST_ASSERT(f);
    for (int64_t n = 0; all < bytes; n++) {
        mst_buf_reset(&doc);
        if (random) {
            random_doc(&doc);
        } else {
            sbx_fill_doc(SEED, n, &doc);
        }
        MST_ASSERT(fwrite(doc.p, 1, doc.len, f) == doc.len);
        all += doc.len;
    }
    MST_ASSERT(fclose(f) == 0);
    mst_buf_release(&doc);
    return all;
}

static void write_segment(struct mst_store *s, const char *name, const uint8_t *docs, size_t n,
                          const struct mst_data_key *key)
{
    const struct mst_segment_id id = {
        .role = MST_SEG_DATA, .backup = "20260101T000000Z", .attempt = "0123456789abcdef"};
    const struct mst_sealing sealing = {key, "rs0"};
    uint8_t sha[MST_SHA256_LEN];
    struct mst_segw *w = NULL;
    struct mst_err err = {0};
    const double before = cpu_of(RUSAGE_SELF);
    uint64_t stored;
    uint32_t len;

    must(mst_segw_open(s, name, &id, key ? &sealing : NULL, &w, &err), &err);
    for (size_t at = 0; at < n; at += len) {
        memcpy(&len, docs + at, sizeof(len));
        must(mst_segw_add(w, docs + at, len, &err), &err);
    }
    must(mst_segw_finish_take(w, &stored, sha, &err), &err);
    (void)printf("%s_cpu_s %.3f\n%s_bytes %llu\n", name, cpu_of(RUSAGE_SELF) - before, name,
                 (unsigned long long)stored);
    must(mst_store_delete(s, name, &err), &err);
}

static void pipeline(const char *path)
{
    char *line =
        mst_xasprintf("zstd -1 -q -c '%s' | openssl enc -aes-256-ctr -K $(printf %%064d 0) "
                      "-iv $(printf %%032d 0) | sha256sum",
                      path);
    const double before = cpu_of(RUSAGE_CHILDREN);

    MST_ASSERT(realstore_run((const char *const[]){"sh", "-ec", line, NULL}, NULL) == 0);
    (void)printf("pipe_cpu_s %.3f\n", cpu_of(RUSAGE_CHILDREN) - before);
    free(line);
}

int main(int argc, char **argv)
{
    struct mst_data_key key = {0};
    struct mst_store *s = NULL;
    struct mst_err err = {0};
    char *path;
    uint8_t *docs;
    size_t n;
    int fd;

    if (argc != 4 && argc != 5) {
        (void)fprintf(stderr, "usage: %s BYTES ROUNDS FOLDER [random]\n", argv[0]);
        return 2;
    }
    path = mst_xasprintf("%s.bson", argv[3]);
    n = make_documents(path, strtoull(argv[1], NULL, 10), argc == 5);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    docs = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    MST_ASSERT(docs != MAP_FAILED);
    must(mst_store_local_open("bench", argv[3], true, &s, &err), &err);
    must(mst_data_key_new(&key, &err), &err);
    for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
        write_segment(s, "plain", docs, n, NULL);
        write_segment(s, "sealed", docs, n, &key);
        pipeline(path);
    }
    mst_data_key_release(&key);
    mst_store_free(s);
    (void)munmap(docs, n);
    (void)close(fd);
    (void)unlink(path);
    free(path);
    return 0;
}
