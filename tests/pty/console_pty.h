/* console_pty.h: a program in a pseudo terminal, with an emulator that says what stands on its
 * screen.
 *
 * Waits are on what the screen shows, never on time alone; a wait that fails prints the screen.
 */
#ifndef TEST_PTY_H
#define TEST_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#include "base/buf.h"

struct pty {
    pid_t pid;
    int fd;
    int rows, cols;
    void *vt, *screen;
    struct mst_buf log; /* every byte the program wrote */
    struct termios before;
    bool cursor_shown;
    int status; /* of waitpid, once it ended */
    bool ended;
};

/* env: "NAME=value" sets, "NAME" unsets; ended by NULL. argv[0] is the program. */
void pty_start(struct pty *p, int rows, int cols, const char *const *argv, const char *const *env);
/* The same for a function in a child of this very program; its result is the exit status. */
void pty_start_fn(struct pty *p, int rows, int cols, int (*fn)(void), const char *const *env);
void pty_end(struct pty *p);          /* kills what still runs, frees */
void pty_pump(struct pty *p, int ms); /* reads for so long */
bool pty_wait(struct pty *p, const char *text, int ms);
bool pty_wait_gone(struct pty *p, const char *text, int ms);
bool pty_wait_exit(struct pty *p, int ms);
bool pty_wait_stop(struct pty *p, int ms);                     /* stopped by job control */
bool pty_wait_bytes(struct pty *p, const char *bytes, int ms); /* in the log */
void pty_send(struct pty *p, const char *bytes);
void pty_resize(struct pty *p, int rows, int cols);
char *pty_text(struct pty *p); /* rows without blanks at the end; free it */
bool pty_shows(struct pty *p, const char *text);
bool pty_modes_restored(const struct pty *p);

/* Presses Tab until the focus of a dialog stands on what is marked so: ">rate" or "[>Review<]". */
bool pty_focus(struct pty *p, const char *mark, int ms);
void pty_fail(struct pty *p); /* prints the whole screen, ends the program, frees */

/* Fails the test with the screen when the condition is false. */
#define pty_assert(p, cond) \
    do { \
        if (!(cond)) { \
            pty_fail(p); \
            fail_msg("%s", #cond); \
        } \
    } while (0)

#endif
