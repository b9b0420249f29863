#include "tlsgen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

static void need(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "tlsgen: cannot %s\n", what);
        exit(1);
    }
}

static void extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    need(ext != NULL && X509_add_ext(cert, ext, -1) == 1, "add a certificate extension");
    X509_EXTENSION_free(ext);
}

static void subject(X509_NAME *name, const char *text)
{
    char *copy = mst_xstrdup(text), *rest = copy, *part;

    while ((part = strsep(&rest, ",")) != NULL) {
        char *eq = strchr(part, '=');

        need(eq != NULL, "read a subject without '='");
        *eq = '\0';
        need(X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8, (unsigned char *)(eq + 1), -1,
                                        -1, 0) == 1,
             "set a subject");
    }
    free(copy);
}

static X509 *bare(long serial, const char *name, EVP_PKEY *key, bool expired)
{
    X509 *cert = X509_new();

    need(cert != NULL && X509_set_version(cert, 2) == 1, "make a certificate");
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), expired ? -7200 : -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), expired ? -3600 : 86400);
    subject(X509_get_subject_name(cert), name);
    need(X509_set_pubkey(cert, key) == 1, "set a public key");
    return cert;
}

static void write_pem(const char *path, EVP_PKEY *key, X509 *cert)
{
    FILE *f = fopen(path, "w");

    need(f != NULL, "open a PEM file");
    need(key == NULL || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1,
         "write a key");
    need(PEM_write_X509(f, cert) == 1 && fclose(f) == 0, "write a certificate");
}

void tlsgen_init(struct tlsgen *g, const char *dir, const char *name)
{
    char cn[128];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert;

    need(key != NULL, "make a key");
    memset(g, 0, sizeof *g);
    mst_copy(g->dir, sizeof g->dir, dir);
    snprintf(g->ca, sizeof g->ca, "%s/%s.pem", dir, name);
    snprintf(cn, sizeof cn, "O=muster tests,CN=%s", name);
    cert = bare(1, cn, key, false);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    extension(cert, cert, NID_subject_key_identifier, "hash");
    need(X509_sign(cert, key, EVP_sha256()) > 0, "sign the authority");
    write_pem(g->ca, NULL, cert);
    g->key = key;
    g->cert = cert;
    g->serial = 1;
}

void tlsgen_issue(struct tlsgen *g, const struct tlsgen_want *want, char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert;

    need(key != NULL, "make a key");
    snprintf(path, 600, "%s/%s", g->dir, want->file);
    cert = bare(++g->serial, want->subject, key, want->expired);
    X509_set_issuer_name(cert, X509_get_subject_name(g->cert));
    extension(cert, g->cert, NID_basic_constraints, "critical,CA:FALSE");
    extension(cert, g->cert, NID_key_usage, "critical,digitalSignature");
    extension(cert, g->cert, NID_ext_key_usage, want->client ? "clientAuth" : "serverAuth");
    extension(cert, g->cert, NID_authority_key_identifier, "keyid");
    if (want->san != NULL) {
        extension(cert, g->cert, NID_subject_alt_name, want->san);
    }
    need(X509_sign(cert, g->key, EVP_sha256()) > 0, "sign a certificate");
    write_pem(path, key, cert);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void tlsgen_release(struct tlsgen *g)
{
    X509_free(g->cert);
    EVP_PKEY_free(g->key);
    g->key = NULL;
    g->cert = NULL;
}
