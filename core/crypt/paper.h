/* paper.h: a secret as lines that people write down and type back: eight of them, each with its
 * number, four bytes and two more that notice a slip. Pure. docs/formats.md has it. */
#ifndef MST_CRYPT_PAPER_H
#define MST_CRYPT_PAPER_H

#include <stdint.h>

#include "base/err.h"

#define MST_PAPER_LINES 8
#define MST_PAPER_LINE 24

/* line counts from 1: "3  9f02 44d1  b0c7". The caller wipes. */
void mst_paper_line(const uint8_t secret[32], int line, char out[MST_PAPER_LINE]);
/* What was typed for that line, with or without its number, spaces and capitals as they come; its
 * four bytes go into the secret. MST_E_CONFIG: a slip, or another line. */
enum mst_rc mst_paper_read(const char *typed, int line, uint8_t secret[32],
                           struct mst_err *err) MST_MUST_CHECK;

#endif
