/* The commands. A row appears when its command works. */
#include "base/mem.h"
#include "cmd.h"

static const struct arg_spec watch_opts[] = {{"for", "SECONDS", "end after this time", false},
                                             {NULL, NULL, NULL, false}};

static const struct arg_spec console_opts[] = {
    {"theme", "NAME", "default, mono, or the path of a theme file", false},
    {"glyphs", "SET", "utf8 or ascii (by locale and terminal)", false},
    {NULL, NULL, NULL, false}};

static const struct cmd commands[] = {
    {.name = "console",
     .fn = cmd_console,
     .flags = CMD_CONFIG,
     .opts = console_opts,
     .summary = "the full screen; also muster without a command on a terminal"},
    {.name = "status",
     .fn = cmd_status,
     .flags = CMD_CONFIG | CMD_JSON,
     .summary = "health of the set; exit 0 healthy, 1 not, 3 unreachable"},
    {.name = "topology",
     .fn = cmd_topology,
     .flags = CMD_CONFIG | CMD_JSON,
     .summary = "every member: configuration, oplog, who sees whom"},
    {.name = "watch",
     .fn = cmd_watch,
     .flags = CMD_CONFIG | CMD_JSON,
     .opts = watch_opts,
     .summary = "follow the set: events as they happen"},
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
