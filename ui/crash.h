/* crash.h: the terminal is put back however the program ends.
 *
 * At start a string and the terminal's modes are prepared; a handler on a stack of its own uses
 * write(2), dup2 and tcsetattr only, then lets the signal kill the process as it would have.
 */
#ifndef UI_CRASH_H
#define UI_CRASH_H

#include <stddef.h>
#include <termios.h>

/* reset is copied (at most 255 bytes). saved_stderr: put back as fd 2 first; -1 none. */
void ui_crash_arm(int tty_fd, const struct termios *modes, const char *reset, int saved_stderr);
void ui_crash_disarm(void);
void ui_crash_restore(void); /* async-signal-safe; nothing when not armed */

#endif
