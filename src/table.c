/* The commands. A row appears when its command works. */
#include "base/mem.h"
#include "cmd.h"

static const struct cmd commands[] = {
    {.name = "config check",
     .fn = cmd_config_check,
     .summary = "read the configuration and name every mistake"},
    {.name = "config show",
     .fn = cmd_config_show,
     .flags = CMD_CONFIG,
     .summary = "print every option with its value"},
    {.name = "doc",
     .fn = cmd_doc,
     .flags = CMD_HIDDEN,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "NAME",
     .summary = "print a document that is made from a table"},
};

const struct cmd *cmd_table(size_t *n)
{
    *n = MST_COUNT(commands);
    return commands;
}
