/* again.h: a console whose agent died finds another one, or starts it. */
#ifndef CMD_AGAIN_H
#define CMD_AGAIN_H

#include "cmd.h"
#include "ui/ui.h"

struct again;

/* Owns the engine from here on, and every one that comes after it. */
struct again *again_new(struct cmd_ctx *c, struct mst_engine *now, struct ui_again *out);
/* Ends the search, closes the engines. NULL allowed. */
void again_free(struct again *a);

#endif
