/* tables.h: every group's commands, hooks and clean-up in one place. */
#ifndef SBX_RUN_TABLES_H
#define SBX_RUN_TABLES_H

#include "world/world.h"

void sbx_register_all(void);
void sbx_release_all(struct sbx_world *w); /* what groups attached to the world or its members */

#endif
