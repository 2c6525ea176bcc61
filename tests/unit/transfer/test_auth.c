/* SPDX-License-Identifier: Apache-2.0
 * The proof of the code: right, wrong, with somebody between. */
#include "transfer/auth.h"

#include "tests/support/test.h"

static struct ln_code code_of(const char *t)
{
    char word[LN_CODE_TEXT_MAX];
    struct ln_code code;

    CHECK_EQUAL(ln_code_parse(t, &code, word), 0);
    return code;
}

struct pair {
    struct ln_auth receiver, sender;
    size_t passed; /* messages */
};

/* Certificates as each end sees them. */
static void begin(struct pair *p, const char *code_r, const char *code_s, const char *seen_by_r,
                  const char *seen_by_s)
{
    struct ln_code r = code_of(code_r), s = code_of(code_s);

    memset(p, 0, sizeof *p);
    CHECK_EQUAL(ln_auth_init(&p->receiver, LN_AUTH_RECEIVER, &r, test_bytes("R"),
                             test_bytes(seen_by_r), test_env()),
                0);
    CHECK_EQUAL(ln_auth_init(&p->sender, LN_AUTH_SENDER, &s, test_bytes("S"), test_bytes(seen_by_s),
                             test_env()),
                0);
}

static void run(struct pair *p)
{
    struct ln_bytes message;
    bool moved = true;

    while (moved) {
        moved = false;
        if (ln_auth_poll(&p->receiver, &message) && p->sender.state == LN_AUTH_WAITING) {
            CHECK_EQUAL(ln_auth_receive(&p->sender, message.data, message.len), 0);
            moved = true;
        }
        if (ln_auth_poll(&p->sender, &message) && p->receiver.state == LN_AUTH_WAITING) {
            CHECK_EQUAL(ln_auth_receive(&p->receiver, message.data, message.len), 0);
            moved = true;
        }
        p->passed += moved;
    }
}

static void end(struct pair *p)
{
    ln_auth_deinit(&p->receiver);
    ln_auth_deinit(&p->sender);
}

LN_TEST(auth, who_knows_the_code_is_proven_to_the_other)
{
    struct pair p;

    begin(&p, "4711-anchor-velvet-otter", "4711-anchor-velvet-otter", "S", "R");
    run(&p);
    CHECK_EQUAL(p.receiver.state, LN_AUTH_PROVEN);
    CHECK_EQUAL(p.sender.state, LN_AUTH_PROVEN);
    end(&p);
}

LN_TEST(auth, a_wrong_code_is_noticed_by_the_sender_who_then_says_nothing)
{
    struct pair p;

    begin(&p, "4711-anchor-velvet-onion", "4711-anchor-velvet-otter", "S", "R");
    run(&p);
    CHECK_EQUAL(p.sender.state, LN_AUTH_WRONG);
    CHECK_EQUAL(p.receiver.state, LN_AUTH_WAITING); /* no confirmation came */
    end(&p);
}

LN_TEST(auth, the_number_belongs_to_the_secret)
{
    struct pair p;

    begin(&p, "4712-anchor-velvet-otter", "4711-anchor-velvet-otter", "S", "R");
    run(&p);
    CHECK_EQUAL(p.sender.state, LN_AUTH_WRONG);
    end(&p);
}

/* One who ends both DTLS connections himself and hands the messages on, without the code. */
LN_TEST(auth, somebody_between_two_connections_is_noticed)
{
    struct pair p;

    begin(&p, "4711-anchor-velvet-otter", "4711-anchor-velvet-otter", "M", "M");
    run(&p);
    CHECK_EQUAL(p.sender.state, LN_AUTH_WRONG);
    CHECK(p.receiver.state != LN_AUTH_PROVEN);
    end(&p);
}

LN_TEST(auth, messages_out_of_place_break_it)
{
    uint8_t share[LN_SPAKE2_SHARE_LEN] = { 4 }, out[100];
    const struct ln_transfer_message wrong[] = {
        { .type = LN_TRANSFER_SHARE, .share = share },
        { .type = LN_TRANSFER_HELLO, .version = 1, .share = share }, /* no point */
        { .type = LN_TRANSFER_HELLO, .version = 2, .share = share },
        { .type = LN_TRANSFER_CONFIRM, .digest = share },
        { .type = LN_TRANSFER_READY },
    };
    struct pair p;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int len = ln_transfer_write(&wrong[i], out, sizeof out);

        begin(&p, "4711-anchor-velvet-otter", "4711-anchor-velvet-otter", "S", "R");
        CHECK_EQUAL(ln_auth_receive(&p.sender, out, (size_t)len), 0);
        CHECK_EQUAL(p.sender.state, LN_AUTH_BROKEN);
        end(&p);
    }
    begin(&p, "4711-anchor-velvet-otter", "4711-anchor-velvet-otter", "S", "R");
    CHECK_EQUAL(ln_auth_receive(&p.receiver, (const uint8_t *)"", 0), 0);
    CHECK_EQUAL(p.receiver.state, LN_AUTH_BROKEN);
    end(&p);
}

LN_TEST(auth, a_busy_sender_says_so)
{
    struct ln_transfer_message busy = { .type = LN_TRANSFER_CANCEL, .reason = LN_REASON_BUSY };
    uint8_t out[100];
    int len = ln_transfer_write(&busy, out, sizeof out);
    struct pair p;

    begin(&p, "4711-anchor-velvet-otter", "4711-anchor-velvet-otter", "S", "R");
    CHECK_EQUAL(ln_auth_receive(&p.receiver, out, (size_t)len), 0);
    CHECK_EQUAL(p.receiver.state, LN_AUTH_CANCELLED);
    CHECK_EQUAL(p.receiver.reason, LN_REASON_BUSY);
    end(&p);
}
