/* SPDX-License-Identifier: Apache-2.0
 * What a connection keeps that has nothing to say, beside what OpenSSL keeps for it. */
#include "tests/unit/peer/pair.h"

LN_TEST(memory, a_connected_peer_that_is_idle_keeps_at_most_20_kib)
{
    static struct pair pair; /* large */
    struct ln_data_channel *channel;

    if (test_allocator()->fail_at > 0)
        return;
    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "x", NULL, &channel) == 0);
    pair.sides[0].channels[0] = channel;
    pair.sides[0].channel_count = 1;
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
    for (int i = 0; i < 2; i++)
        CHECK(ln_data_channel_send_text(pair.sides[i].channels[0], "hello", 5) == 0);
    (void)pair_run(&pair, LN_SECONDS(60), NULL);
    for (int i = 0; i < 2; i++) {
        size_t before = test_allocator()->live_bytes;

        ln_peer_connection_free(pair.sides[i].pc);
        pair.sides[i].pc = NULL;
        CHECK(before - test_allocator()->live_bytes <= 20u << 10);
    }
    pair_free(&pair);
}
