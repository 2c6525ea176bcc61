/* SPDX-License-Identifier: Apache-2.0
 * What a connection keeps that has nothing to say, beside what OpenSSL keeps for it. */
#include "tests/unit/peer/pair.h"

#define ADDRESSES_MAX 4
#define LIMIT_BYTES   (20u << 10)

/* The first one of each side has the pair from the start. */
static const char *const addresses[2][ADDRESSES_MAX] = {
    { "10.0.0.1", "192.168.0.1", "10.0.1.1", "10.0.2.1" },
    { "10.0.0.2", "192.168.0.2", "10.0.1.2", "10.0.2.2" },
};

/* The larger of what the two sides keep, each with so many addresses. */
static size_t idle_bytes(struct pair *pair, int address_count)
{
    struct ln_data_channel *channel;
    size_t largest = 0;

    pair_init(pair, NULL);
    for (int i = 1; i < address_count; i++)
        for (int side = 0; side < 2; side++)
            wire_interface(&pair->wire, side, addresses[side][i]);
    pair->sides[0].negotiates = pair->sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(pair->sides[0].pc, "x", NULL, &channel) == 0);
    pair->sides[0].channels[0] = channel;
    pair->sides[0].channel_count = 1;
    CHECK(pair_run(pair, LN_SECONDS(5), pair_open));
    for (int i = 0; i < 2; i++)
        CHECK(ln_data_channel_send_text(pair->sides[i].channels[0], "hello", 5) == 0);
    (void)pair_run(pair, LN_SECONDS(60), NULL);
    for (int i = 0; i < 2; i++) {
        size_t before = test_allocator()->live_bytes, kept;

        ln_peer_connection_free(pair->sides[i].pc);
        pair->sides[i].pc = NULL;
        kept = before - test_allocator()->live_bytes;
        if (kept > largest)
            largest = kept;
    }
    pair_free(pair);
    return largest;
}

LN_TEST(memory, a_connected_peer_that_is_idle_keeps_at_most_20_kib)
{
    static struct pair pair; /* large */

    if (test_allocator()->fail_at > 0)
        return;
    for (int count = 1; count <= ADDRESSES_MAX; count++)
        CHECK(idle_bytes(&pair, count) <= LIMIT_BYTES);
}
