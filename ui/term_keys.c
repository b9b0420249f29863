/* term_keys.c: bytes of the terminal to keys. */
#include <time.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "ui/keys.h"
#include "ui/term_own.h"

enum { ESC_WAIT_MS = 100 }; /* on a slow link the rest of a key may come later than ESCDELAY */

static int from_curses(wint_t code)
{
    static const struct {
        int code, key;
    } table[] = {{KEY_UP, UI_KEY_UP},        {KEY_DOWN, UI_KEY_DOWN},
                 {KEY_LEFT, UI_KEY_LEFT},    {KEY_RIGHT, UI_KEY_RIGHT},
                 {KEY_PPAGE, UI_KEY_PGUP},   {KEY_NPAGE, UI_KEY_PGDN},
                 {KEY_HOME, UI_KEY_HOME},    {KEY_END, UI_KEY_END},
                 {KEY_BTAB, UI_KEY_BACKTAB}, {KEY_BACKSPACE, UI_KEY_BACKSPACE},
                 {KEY_DC, UI_KEY_DELETE},    {KEY_ENTER, UI_KEY_ENTER}};

    for (size_t i = 0; i < MST_COUNT(table); i++) {
        if (table[i].code == (int)code) {
            return table[i].key;
        }
    }
    if (code >= KEY_F0 + 1 && code <= KEY_F0 + 12) {
        return UI_KEY_F((int)code - KEY_F0);
    }
    return UI_KEY_NONE;
}

/* A raw read: a character, a curses code (is_code), or ERR. */
static int raw_key(struct ui_term *t, wint_t *ch, bool *is_code)
{
    const int got = wget_wch(t->keys, ch);

    *is_code = got == KEY_CODE_YES;
    return got;
}

static void read_paste(struct ui_term *t, char *out, size_t size)
{
    const int64_t until = mst_clock_mono_ms(NULL) + 500;
    size_t n = 0;
    bool over = false;

    while (!over && mst_clock_mono_ms(NULL) < until) {
        wint_t ch = 0;
        bool code;
        char utf8[4];

        if (raw_key(t, &ch, &code) == ERR) {
            const struct timespec nap = {0, 2000000};

            (void)nanosleep(&nap, NULL);
            continue;
        }
        over = code && ch == PASTE_END;
        if (!code && n + 5 < size) {
            const size_t k = mst_text_encode((uint32_t)ch, utf8);

            memcpy(out + n, utf8, k);
            n += k;
        }
    }
    out[n] = '\0';
}

/* ESC came alone and more follows: the rest of a key that a slow link tore apart. */
static int torn_key(struct ui_term *t, wint_t first)
{
    wint_t ch = first;
    bool code = false;
    int number = 0;

    if (first >= '0' && first <= '9') {
        return UI_KEY_F(first == '0' ? 10 : (int)first - '0');
    }
    for (int i = 0; i < 12; i++) {
        if (raw_key(t, &ch, &code) == ERR || code) {
            return UI_KEY_NONE;
        }
        if (ch >= '0' && ch <= '9') {
            number = number * 10 + (int)(ch - '0');
            continue;
        }
        break;
    }
    switch (ch) {
    case 'A':
        return UI_KEY_UP;
    case 'B':
        return UI_KEY_DOWN;
    case 'C':
        return UI_KEY_RIGHT;
    case 'D':
        return UI_KEY_LEFT;
    case 'H':
        return UI_KEY_HOME;
    case 'F':
        return UI_KEY_END;
    case 'Z':
        return UI_KEY_BACKTAB;
    case '~':
        return number == 5   ? UI_KEY_PGUP
               : number == 6 ? UI_KEY_PGDN
               : number == 1 ? UI_KEY_HOME
               : number == 4 ? UI_KEY_END
               : number == 3 ? UI_KEY_DELETE
                             : UI_KEY_NONE;
    default:
        return UI_KEY_NONE;
    }
}

static int plain_key(wint_t ch)
{
    if (ch == '\n' || ch == '\r') {
        return UI_KEY_ENTER;
    }
    return ch == 0x7f || ch == 8 ? UI_KEY_BACKSPACE : (int)ch;
}

int ui_term_key(struct ui_term *t, char *paste, size_t size, int *more_ms)
{
    wint_t ch = 0;
    bool code = false;

    ui_term_mine(t);
    *more_ms = -1;
    for (;;) {
        if (raw_key(t, &ch, &code) == ERR) {
            const int64_t waited = mst_clock_mono_ms(NULL) - t->esc_ms;

            if (t->esc_ms == 0) {
                return UI_KEY_NONE;
            }
            if (waited >= ESC_WAIT_MS) {
                t->esc_ms = 0;
                return UI_KEY_ESC;
            }
            *more_ms = (int)(ESC_WAIT_MS - waited);
            return UI_KEY_NONE;
        }
        if (code && ch == PASTE_START) {
            read_paste(t, paste, size);
            return UI_KEY_PASTE;
        }
        if (t->esc_ms > 0) {
            t->esc_ms = 0;
            if (!code && (ch == '[' || ch == 'O' || (ch >= '0' && ch <= '9'))) {
                const int key = torn_key(t, ch);

                if (key != UI_KEY_NONE) {
                    return key;
                }
                continue;
            }
            (void)(code ? ungetch((int)ch) : unget_wch((wchar_t)ch));
            return UI_KEY_ESC;
        }
        if (!code && ch == 27) {
            t->esc_ms = mst_clock_mono_ms(NULL);
            continue;
        }
        if (code && from_curses(ch) == UI_KEY_NONE) {
            continue;
        }
        return code ? from_curses(ch) : plain_key(ch);
    }
}
