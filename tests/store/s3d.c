/* s3d: the scripted S3 server as a program, for other people's clients and for benchmarks.
 * s3d [--fill N] [--versioned] [--page N] prints its endpoint, serves until its standard input
 * ends, then prints what the clients did wrong; exit status 1 when that is anything.
 */
#include <unistd.h>

#include "base/str.h"
#include "s3d.h"

int main(int argc, char **argv)
{
    struct s3d_opts o = {.bytes_max = 8ULL << 30, .idle_ms = 60000};
    struct mst_str wrong = {0};
    unsigned fill = 0;
    struct s3d *s;
    char byte;
    int status;

    for (int i = 1; i < argc; i++) {
        const bool more = i + 1 < argc;

        if (strcmp(argv[i], "--versioned") == 0) {
            o.versioned = true;
        } else if (strcmp(argv[i], "--fill") == 0 && more) {
            fill = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--page") == 0 && more) {
            o.page_max = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            (void)fprintf(stderr, "usage: s3d [--fill N] [--versioned] [--page N]\n");
            return 2;
        }
    }
    s = s3d_start(&o);
    s3d_fill(s, "fill/", fill, 10);
    (void)printf("%s\n", s3d_endpoint(s));
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    s3d_complaints(s, &wrong);
    (void)fprintf(stderr, "%s", mst_str_c(&wrong));
    (void)printf("requests %u, objects %zu, unfinished uploads %zu\n", s3d_count(s, S3D_ANY),
                 s3d_objects(s), s3d_uploads(s));
    status = wrong.len > 0 || s3d_uploads(s) > 0;
    mst_str_release(&wrong);
    s3d_stop(s);
    return status;
}
