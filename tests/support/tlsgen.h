/* tlsgen.h: throw-away certificates for tests, made while they run.
 *
 * An authority is a key and a self-signed certificate in a folder of the test. What it issues is
 * one PEM file with key and certificate together, as mongod and libmongoc take it. Everything is
 * P-256 and valid from an hour ago for a day. Failure ends the test program with a message: a
 * machine that cannot make a key cannot test TLS.
 */
#ifndef TEST_TLSGEN_H
#define TEST_TLSGEN_H

#include <stdbool.h>

struct tlsgen {
    char dir[512]; /* where every file goes; the test removes it */
    char ca[600];  /* dir/NAME.pem: the authority's certificate alone */
    void *key, *cert;
    long serial;
};

struct tlsgen_want {
    const char *file;    /* name inside dir, for instance "server.pem" */
    const char *subject; /* "O=muster,OU=ops,CN=backup", most general part first */
    const char *san;     /* "DNS:db1,DNS:localhost,IP:127.0.0.1", or NULL for none */
    bool client;         /* key usage of a client instead of a server */
    bool expired;        /* ended an hour ago */
};

/* A new authority; its certificate is written as dir/name.pem. */
void tlsgen_init(struct tlsgen *g, const char *dir, const char *name);
/* Issue one; path (of 600 bytes) is filled. */
void tlsgen_issue(struct tlsgen *g, const struct tlsgen_want *want, char *path);
void tlsgen_release(struct tlsgen *g); /* frees memory; the files are the caller's folder */

#endif
