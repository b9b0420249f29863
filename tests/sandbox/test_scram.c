#include <string.h>

#include "test.h"

#include "auth/scram.h"

/* The conversation of recording 16: user root, password s3cret. */
static const char bare[] = "n=root,r=rOprNGfwEbeRWgbNEkqO";
static const char server_first[] = "r=rOprNGfwEbeRWgbNEkqOzo1L8/ynnExV0iTRCTaMsPxLD2US3fR+,"
                                   "s=Rv3ZqbCkw4xELmFoK/+LpZFUR5AAWkykwtSM/Q==,i=15000";
static const char client_final[] = "c=biws,r=rOprNGfwEbeRWgbNEkqOzo1L8/ynnExV0iTRCTaMsPxLD2US3fR+,"
                                   "p=C3xVC1AYSuEnmPlKBekBIH33BqRaVEEwxvBM2na14Tc=";
static const char server_final[] = "v=qkCbBwPOQayNSKF9xkQwEAwx58W+yCYn63SeEwf4QR8=";

static void a_recorded_conversation_comes_out_the_same(void **state)
{
    struct sbx_scram s = {.mech = SBX_SCRAM_SHA256, .step = SBX_SCRAM_FINAL};
    char out[512], final[128], proof[512];

    (void)state;
    assert_true(sbx_scram_client_final(SBX_SCRAM_SHA256, "root", "s3cret", bare, server_first,
                                       proof, sizeof proof, final, sizeof final));
    assert_string_equal(proof, client_final);
    assert_string_equal(final, server_final);
    assert_true(sbx_scram_user(&s, "n,,n=root,r=rOprNGfwEbeRWgbNEkqO",
                               strlen("n,,n=root,r=rOprNGfwEbeRWgbNEkqO")));
    assert_string_equal(s.user, "root");
    assert_string_equal(s.first_bare, bare);
    assert_true(sbx_scram_make(&s.cred, s.mech, "root", "s3cret",
                               "Rv3ZqbCkw4xELmFoK/+LpZFUR5AAWkykwtSM/Q==", 15000));
    memcpy(s.server_first, server_first, sizeof server_first);
    memcpy(s.nonce, "rOprNGfwEbeRWgbNEkqOzo1L8/ynnExV0iTRCTaMsPxLD2US3fR+",
           sizeof "rOprNGfwEbeRWgbNEkqOzo1L8/ynnExV0iTRCTaMsPxLD2US3fR+");
    assert_true(sbx_scram_next(&s, client_final, strlen(client_final), out, sizeof out));
    assert_string_equal(out, server_final);
    assert_int_equal(s.step, SBX_SCRAM_EMPTY);
    assert_true(sbx_scram_next(&s, "", 0, out, sizeof out));
    assert_int_equal(s.step, SBX_SCRAM_DONE);
    assert_string_equal(out, "");
}

static bool talk(enum sbx_scram_mech m, const char *password, bool skip)
{
    struct sbx_scram s = {.mech = m, .skip_empty = skip};
    char first[512], proof[512], final[128], out[512];
    const char *hello = "n,,n=a=2Cb=3Dc,r=abcdefgh";

    assert_true(sbx_scram_user(&s, hello, strlen(hello)));
    assert_string_equal(s.user, "a,b=c");
    assert_true(sbx_scram_make(&s.cred, m, "a,b=c", "right", NULL, 0));
    assert_int_equal(s.cred.iterations, m == SBX_SCRAM_SHA1 ? 10000 : 15000);
    assert_true(sbx_scram_first(&s, first, sizeof first));
    assert_true(sbx_scram_client_final(m, "a,b=c", password, s.first_bare, first, proof,
                                       sizeof proof, final, sizeof final));
    if (!sbx_scram_next(&s, proof, strlen(proof), out, sizeof out)) {
        return false;
    }
    assert_string_equal(out, final);
    assert_int_equal(s.step, skip ? SBX_SCRAM_DONE : SBX_SCRAM_EMPTY);
    return true;
}

static void both_mechanisms_let_the_right_password_in(void **state)
{
    (void)state;
    for (int m = 0; m < SBX_SCRAM_MECHS; m++) {
        assert_true(talk((enum sbx_scram_mech)m, "right", false));
        assert_true(talk((enum sbx_scram_mech)m, "right", true));
        assert_false(talk((enum sbx_scram_mech)m, "wrong", false));
    }
}

static void malformed_first_messages_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "n",
        "n,,",
        "n,,n=root",
        "n,,n=root,r=abc",          /* the server wants four characters */
        "p=tls-unique,,n=r,r=abcd", /* no channel binding */
        "n,,n=,r=abcd",
        "n,,n=a=b,r=abcd",
        "n,,m=x,n=root,r=abcdefg",
        "x,,n=root,r=abcdefg",
    };
    struct sbx_scram s;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&s, 0, sizeof s);
        assert_false(sbx_scram_user(&s, bad[i], strlen(bad[i])));
    }
    memset(&s, 0, sizeof s);
    assert_false(sbx_scram_user(&s, "n,,n=a\0b,r=abcdefg", 18));
    memset(&s, 0, sizeof s);
    assert_true(sbx_scram_user(&s, "n,a=x,n=root,r=abcd", 19));
}

static void a_final_message_with_another_nonce_is_refused(void **state)
{
    struct sbx_scram s = {.mech = SBX_SCRAM_SHA256};
    char first[512], out[512];
    const char *forged = "c=biws,r=abcdefghX,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    (void)state;
    assert_true(sbx_scram_user(&s, "n,,n=u,r=abcdefgh", 17));
    assert_true(sbx_scram_make(&s.cred, s.mech, "u", "p", NULL, 0));
    assert_true(sbx_scram_first(&s, first, sizeof first));
    assert_false(sbx_scram_next(&s, forged, strlen(forged), out, sizeof out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_conversation_comes_out_the_same),
        cmocka_unit_test(both_mechanisms_let_the_right_password_in),
        cmocka_unit_test(malformed_first_messages_are_refused),
        cmocka_unit_test(a_final_message_with_another_nonce_is_refused)};

    return cmocka_run_group_tests_name("scram", tests, NULL, NULL);
}
