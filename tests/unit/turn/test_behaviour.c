/* SPDX-License-Identifier: Apache-2.0
 * Behaviour discovery: two addresses, two ports. */
#include "tests/unit/turn/rig.h"

static const char *const places[] = { "203.0.113.9:3478", "203.0.113.10:3478", "203.0.113.9:3479",
                                      "203.0.113.10:3479" };

/* A Binding request to the first place; `change` negative: without CHANGE-REQUEST. */
static int ask(struct rig *rig, struct rig_client *client, int change, uint16_t more,
               struct ln_stun_message *ret_answer)
{
    struct rig_call call;

    rig_begin(&call, client, LN_STUN_BINDING);
    if (change >= 0)
        ln_stun_add_u32(&call.b, LN_STUN_CHANGE_REQUEST, (uint32_t)change);
    if (more)
        ln_stun_add(&call.b, more, NULL, 0);
    (void)rig;
    return rig_call_unsigned(&call, ret_answer);
}

static void start(struct rig *rig, size_t count)
{
    rig_init(rig);
    for (size_t i = 0; i < count; i++)
        rig->listen[i].address = rig_address(places[i]);
    rig->config.listen_count = count;
    rig_start(rig);
}

LN_TEST(behaviour, answers_come_from_where_they_are_wanted)
{
    static const struct {
        int change;
        size_t place;
    } rows[] = { { -1, 0 }, { 0, 0 }, { 4, 1 }, { 2, 2 }, { 6, 3 } };
    struct ln_stun_message answer;
    struct rig_client client;
    struct rig rig;

    start(&rig, 4);
    client = rig_client(&rig, "198.51.100.7:4000", "", "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ln_address place = rig_address(places[rows[i].place]), told, other;

        CHECK_EQUAL(ask(&rig, &client, rows[i].change, 0, &answer), 0);
        CHECK(ln_address_equal(&rig.packets[0].path.local, &place));
        CHECK_EQUAL(rig.packets[0].path.link, rows[i].place + 1);
        CHECK(ln_stun_find_address(&answer, LN_STUN_MAPPED_ADDRESS, &told));
        CHECK(ln_address_equal(&told, &client.path.remote));
        CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_MAPPED_ADDRESS, &told));
        CHECK(ln_address_equal(&told, &client.path.remote));
        CHECK(ln_stun_find_address(&answer, LN_STUN_RESPONSE_ORIGIN, &told));
        CHECK(ln_address_equal(&told, &place));
        other = rig_address(places[3]);
        CHECK(ln_stun_find_address(&answer, LN_STUN_OTHER_ADDRESS, &told));
        CHECK(ln_address_equal(&told, &other));
        CHECK(rig.packets[0].len <= LN_STUN_HEADER_LEN + 108); /* no amplifier */
    }
    rig_end(&rig);
}

LN_TEST(behaviour, is_not_offered_with_fewer_addresses_nor_what_would_send_elsewhere)
{
    struct ln_stun_message answer;
    struct ln_address none;
    struct rig_client client;
    struct rig rig;

    start(&rig, 4);
    client = rig_client(&rig, "198.51.100.7:4000", "", "");
    CHECK_EQUAL(ask(&rig, &client, 0, LN_STUN_RESPONSE_PORT, &answer), 420);
    rig_end(&rig);
    for (size_t count = 1; count < 4; count++) {
        start(&rig, count);
        client = rig_client(&rig, "198.51.100.7:4000", "", "");
        CHECK_EQUAL(ask(&rig, &client, 6, 0, &answer), 420);
        CHECK_EQUAL(ask(&rig, &client, -1, 0, &answer), 0);
        CHECK(!ln_stun_find_address(&answer, LN_STUN_OTHER_ADDRESS, &none));
        rig_end(&rig);
    }
}
