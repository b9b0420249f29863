#include "crypt/paper.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "hash/hash.h"

#define BYTES 4 /* of the secret in a line */
#define DIGITS (2 * BYTES + 4)

/* Two bytes of the SHA-256 of "muster paper N:xxxxxxxx". */
static void check_of(int line, const char hex[2 * BYTES], char out[5])
{
    char text[40];
    uint8_t sha[MST_SHA256_LEN];
    const int n = snprintf(text, sizeof(text), "muster paper %d:%.*s", line, 2 * BYTES, hex);

    mst_sha256_of(text, (size_t)n, sha);
    (void)mst_hex(sha, 2, out);
    mst_wipe(text, sizeof(text));
}

void mst_paper_line(const uint8_t secret[32], int line, char out[MST_PAPER_LINE])
{
    char hex[2 * BYTES + 1], check[5];

    MST_ASSERT(line >= 1 && line <= MST_PAPER_LINES);
    (void)mst_hex(secret + (size_t)(line - 1) * BYTES, BYTES, hex);
    check_of(line, hex, check);
    (void)snprintf(out, MST_PAPER_LINE, "%d  %.4s %.4s  %s", line, hex, hex + 4, check);
    mst_wipe(hex, sizeof(hex));
}

enum mst_rc mst_paper_read(const char *typed, int line, uint8_t secret[32], struct mst_err *err)
{
    char digits[DIGITS + 3] = "", check[5];
    const char *d = digits;
    size_t n = 0;
    bool clean = true;

    MST_ASSERT(line >= 1 && line <= MST_PAPER_LINES);
    for (; *typed && n < DIGITS + 2; typed++) {
        const char c = (char)(*typed >= 'A' && *typed <= 'F' ? *typed - 'A' + 'a' : *typed);

        if (c != ' ' && c != '\t' && c != '-' && c != '\r' && c != '\n') {
            digits[n++] = c;
            clean = clean && strchr("0123456789abcdef", c);
        }
    }
    if (n == DIGITS + 1) { /* with its number */
        clean = clean && *d == '0' + line;
        d++;
        n--;
    }
    if (n == DIGITS) {
        check_of(line, d, check);
    }
    if (n != DIGITS || !clean || memcmp(check, d + (size_t)2 * BYTES, 4) != 0) {
        mst_wipe(digits, sizeof(digits));
        return mst_err_set(err, MST_E_CONFIG, "line %d has a slip in it, or it is another line: %s",
                           line, "three groups of four, from 0 to 9 and a to f");
    }
    digits[d - digits + 2 * BYTES] = '\0';
    MST_ASSERT(mst_unhex(d, secret + (size_t)(line - 1) * BYTES, BYTES));
    mst_wipe(digits, sizeof(digits));
    return MST_OK;
}
