/* SPDX-License-Identifier: Apache-2.0 */
#include "base/trace.h"

#include "base/bytes.h"
#include "tests/support/test.h"

LN_TEST(trace, a_ring_keeps_the_last_events)
{
    struct ln_trace_event events[4];
    struct ln_trace_ring ring;

    ln_trace_ring_init(&ring, events, 4);
    for (int i = 0; i < 6; i++)
        ln_trace_emit(&ring.trace, i, LN_TRACE_CC_TARGET, 1, i, 0, 0, 0);
    CHECK(ring.count == 6 && ln_trace_ring_get(&ring, 0)->value[0] == 2);
    CHECK(ln_trace_ring_get(&ring, 3)->value[0] == 5 && ln_trace_ring_get(&ring, 4) == NULL);
    ln_trace_emit(NULL, 0, LN_TRACE_CC_TARGET, 1, 0, 0, 0, 0);
}

LN_TEST(trace, an_event_is_one_line_of_json)
{
    struct ln_trace_event event = { LN_TRACE_PACKET_SENT,
                                    LN_MILLISECONDS(1500),
                                    3,
                                    { 9, 443, 0, 0 },
                                    { (const uint8_t *)"\x01\xff", 2 } };
    char text[200], small[10];
    int len = ln_trace_format_json(&event, 8, text, sizeof text);

    CHECK_TEXT(text, "{\"time\":1500.000000,\"name\":\"transport:packet_sent\",\"object\":3,"
                     "\"link\":9,\"port\":443,\"packet\":\"01ff\"}");
    CHECK(len == (int)strlen(text) && ln_trace_format_json(&event, 8, small, 10) == len);
}

LN_TEST(trace, pcapng_blocks_carry_their_length_twice)
{
    struct ln_trace_event event = {
        LN_TRACE_PACKET_SENT, 5, 0, { 0 }, { (const uint8_t *)"abcde", 5 }
    };
    uint8_t out[128];

    CHECK(ln_pcapng_header(out, sizeof out) == 60 && ln_pcapng_header(out, 59) == LN_ERR_NO_SPACE);
    CHECK(ln_pcapng_packet(&event, out, sizeof out) == 40);
    CHECK(out[4] == 40 && out[36] == 40 && memcmp(out + 28, "abcde\0\0\0", 8) == 0);
    CHECK(ln_pcapng_packet(&event, out, 39) == LN_ERR_NO_SPACE);
}
