/* replay.c: without libFuzzer: each file of a corpus, then fixed mutations of it. The run is the
 * same every time; it closes with the number of inputs, and an empty corpus is a failure. */
#include <dirent.h>
#include <stdint.h>

#include "base/file.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS 400

static uint64_t state = 88172645463325252ULL;

static uint64_t chance(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void mutate(const struct mst_buf *seed)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};

    for (int i = 0; i < MUTATIONS; i++) {
        size_t n = seed->len;
        uint8_t *copy = mst_xmemdup(seed->p, n); /* its own block: ASan sees every overrun */
        const unsigned edits = 1 + (unsigned)(chance() % 4);

        for (unsigned k = 0; n > 0 && k < edits; k++) {
            const size_t at = (size_t)(chance() % n);

            if (chance() % 3 == 0) {
                copy[at] = edges[chance() % MST_COUNT(edges)];
            } else {
                copy[at] ^= (uint8_t)(1U << chance() % 8);
            }
        }
        if (n > 0 && chance() % 4 == 0) {
            n = (size_t)(chance() % n);
        }
        {
            uint8_t *exact = mst_xmemdup(copy, n);

            (void)LLVMFuzzerTestOneInput(exact, n);
            free(exact);
        }
        free(copy);
    }
}

int main(int argc, char **argv)
{
    unsigned inputs = 0;
    DIR *d = argc > 1 ? opendir(argv[1]) : NULL;

    if (!d) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        struct mst_buf b = {0};
        struct mst_err err = {0};
        char *path = mst_xasprintf("%s/%s", argv[1], e->d_name);

        if (e->d_name[0] != '.' && mst_file_read(path, (size_t)64 << 20, &b, &err) == MST_OK) {
            (void)LLVMFuzzerTestOneInput(b.p, b.len);
            mutate(&b);
            inputs += 1 + MUTATIONS;
        }
        mst_buf_release(&b);
        free(path);
    }
    (void)closedir(d);
    (void)printf("%u inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}
