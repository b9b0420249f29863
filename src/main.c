/* main.c: the command table. */
#include "base/err.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)fputs("usage: muster COMMAND\n", stderr);
    return mst_rc_exit(MST_E_USAGE);
}
