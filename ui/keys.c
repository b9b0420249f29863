#include "ui/keys.h"

#include "base/mem.h"

/* clang-format off */
static const struct ui_binding map[] = {
    {UI_KEY_UP, 'k', UI_ACT_UP, UI_ON_ALL, "up k", "row up", NULL, NULL},
    {UI_KEY_DOWN, 'j', UI_ACT_DOWN, UI_ON_ALL, "down j", "row down", NULL, NULL},
    {UI_KEY_PGUP, 0, UI_ACT_PGUP, UI_ON_ALL, "PgUp", "page up", NULL, NULL},
    {UI_KEY_PGDN, 0, UI_ACT_PGDN, UI_ON_ALL, "PgDn", "page down", NULL, NULL},
    {UI_KEY_HOME, 'g', UI_ACT_FIRST, UI_ON_ALL, "Home g", "first", NULL, NULL},
    {UI_KEY_END, 'G', UI_ACT_LAST, UI_ON_ALL, "End G", "last", NULL, NULL},
    {UI_KEY_TAB, 'l', UI_ACT_NEXT_PANE, UI_ON_ALL, "Tab l", "next pane", "Tab pane", NULL},
    {UI_KEY_RIGHT, 0, UI_ACT_NEXT_PANE, UI_ON_ALL, "right", "next pane", NULL, NULL},
    {UI_KEY_BACKTAB, 'h', UI_ACT_PREV_PANE, UI_ON_ALL, "S-Tab h", "previous pane", NULL, NULL},
    {UI_KEY_LEFT, 0, UI_ACT_PREV_PANE, UI_ON_ALL, "left", "previous pane", NULL, NULL},
    {']', 'n', UI_ACT_NEXT_ITEM, UI_ON_LISTS, "] n", "next row, from any pane", NULL, NULL},
    {'[', 'N', UI_ACT_PREV_ITEM, UI_ON_LISTS, "[ N", "previous row", NULL, NULL},
    {'o', 0, UI_ACT_SORT, UI_ON_LISTS, "o", "sort by the next column", NULL, NULL},
    {'O', 0, UI_ACT_SORT_TURN, UI_ON_LISTS, "O", "turn the sorting around", NULL, NULL},
    {UI_KEY_ENTER, 0, UI_ACT_OPEN, UI_ON_ALL, "Enter", "open, zoom", "Enter open", NULL},
    {UI_KEY_ESC, 'q', UI_ACT_BACK, UI_ON_ALL, "Esc q", "back one step", "q back", NULL},
    {'Q', UI_KEY_F(10), UI_ACT_QUIT, UI_ON_ALL, "Q", "leave muster", NULL, "quit"},
    {'1', 0, UI_ACT_SCREEN, UI_ON_ALL, "1..4", "screen", NULL, NULL},
    {'-', 0, UI_ACT_LAST_SCREEN, UI_ON_ALL, "-", "screen before", NULL, NULL},
    {'/', UI_KEY_F(3), UI_ACT_FIND, UI_ON_LISTS, "/", "filter rows; Esc ends it", "/ filter", NULL},
    {':', 0, UI_ACT_COMMAND, UI_ON_ALL, ":", "command line", ": cmd", NULL},
    {'.', UI_KEY_F(9), UI_ACT_MENU, UI_ON_ALL, ". F9", "menu of actions", ". menu", NULL},
    {'?', UI_KEY_F(1), UI_ACT_HELP, UI_ON_ALL, "? F1", "keys, signs and words", "? help", "help"},
    {'m', '0', UI_ACT_LOG, UI_ON_ALL, "m 0", "messages and alerts", NULL, "messages"},
    {'a', 0, UI_ACT_ACK, UI_ON_ALL, "a", "acknowledge messages", NULL, "ack"},
    {'z', 0, UI_ACT_ZOOM, UI_ON_ALL, "z", "pane to full screen", NULL, "zoom"},
    {'p', 0, UI_ACT_FREEZE, UI_ON_ALL, "p", "freeze the display", NULL, "freeze"},
    {'r', UI_KEY_F(5), UI_ACT_RELOAD, UI_ON_ALL, "r F5", "ask again now", NULL, "reload"},
    {'t', 0, UI_ACT_THEME, UI_ON_ALL, "t", "theme: default, mono", NULL, NULL},
    {'v', 0, UI_ACT_VIEW, UI_ON_TOPO, "v", "table or tree", "v tree", NULL},
    {'v', 0, UI_ACT_VIEW, UI_ON_JOBS, "v", "log of the job", "v log", NULL},
    {'v', 0, UI_ACT_VIEW, UI_ON_BUCKET, "v", "namespaces or objects", "v objects", NULL},
    {'>', 0, UI_ACT_NEXT_STORE, UI_ON_BUCKET, ">", "next store", NULL, NULL},
    {'<', 0, UI_ACT_PREV_STORE, UI_ON_BUCKET, "<", "previous store", NULL, NULL},
    {'y', 0, UI_ACT_COPY, UI_ON_ALL, "y", "copy what is selected", NULL, "copy"},
    {'x', 0, UI_ACT_EXPORT, UI_ON_ALL, "x", "screen to a text file", NULL, "export"},
    {'s', 0, UI_ACT_RUN, UI_ON_ALL, "s", "the run of a switch", NULL, "run"},
    {UI_KEY_CTRL_L, 0, UI_ACT_REPAINT, UI_ON_ALL, "Ctrl-L", "paint again", NULL, NULL},
    {'B', 0, UI_ACT_BACKUP, UI_ON_ALL, "B", "backup..", "B backup..", "backup"},
    {'R', 0, UI_ACT_RESTORE, UI_ON_ALL, "R", "restore..", "R restore..", "restore"},
    {'F', 0, UI_ACT_SWITCH, UI_ON_DASH | UI_ON_TOPO, "F", "move the primary..", "F switch..", "switchover"},
    {'V', 0, UI_ACT_VERIFY, UI_ON_BUCKET, "V", "verify a backup..", "V verify..", "verify"},
    {'V', 0, UI_ACT_VERIFY, UI_ON_ALL - UI_ON_BUCKET, "V", "verify a backup..", NULL, "verify"},
    {'C', 0, UI_ACT_COPY_TO, UI_ON_BUCKET, "C", "copy into another store..", NULL, "copyto"},
    {'H', 0, UI_ACT_HOLD, UI_ON_BUCKET, "H", "hold a backup..", NULL, "hold"},
    {'T', 0, UI_ACT_STORE_TEST, UI_ON_BUCKET, "T", "test a store..", NULL, "storetest"},
    {'X', 0, UI_ACT_CANCEL, UI_ON_ALL, "X", "cancel a job..", NULL, "cancel"},
    {'D', 0, UI_ACT_DISCARD, UI_ON_ALL, "D", "discard what a restore kept..", "D discard..", "discard"},
    {'K', 0, UI_ACT_SANDBOX, UI_ON_ALL, "K", "sandbox: kill, start, cut..", "K sandbox..", "sandbox"},
};
/* clang-format on */

const struct ui_binding *ui_keymap(size_t *n)
{
    *n = MST_COUNT(map);
    return map;
}

enum ui_act ui_keys_act(int key, unsigned screen)
{
    if (key >= '1' && key <= '8') {
        return UI_ACT_SCREEN;
    }
    for (size_t i = 0; i < MST_COUNT(map); i++) {
        if ((map[i].where & screen) && (map[i].key == key || (map[i].second == key && key != 0))) {
            return map[i].act;
        }
    }
    return UI_ACT_NONE;
}

const struct ui_binding *ui_keys_of(enum ui_act act, unsigned screen)
{
    for (size_t i = 0; i < MST_COUNT(map); i++) {
        if (map[i].act == act && (map[i].where & screen)) {
            return &map[i];
        }
    }
    return NULL;
}
