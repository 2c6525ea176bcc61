/* SPDX-License-Identifier: Apache-2.0
 * The search for the size of packets, over a path that drops larger ones without a word. */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "base/time.h"
#include "sctp/pmtu.h"

static uint8_t data[25000];

struct narrow {
    struct pipe *pipe;
    size_t limit, largest;
    int dropped;
};

static bool drop_large(struct pipe *pipe, int from, uint8_t *packet, size_t *len)
{
    struct narrow *narrow = pipe->context;

    (void)packet;
    if (*len > narrow->limit && !ln_sctp_may_fragment(pipe->end[from])) {
        narrow->dropped++;
        return false;
    }
    if (*len > narrow->largest)
        narrow->largest = *len;
    return true;
}

static struct ln_sctp_stats stats_of(struct pipe *pipe, int end)
{
    struct ln_sctp_stats stats;

    ln_sctp_stats(pipe->end[end], &stats);
    return stats;
}

static void begin(struct pipe *pipe, struct narrow *narrow, size_t limit)
{
    struct ln_sctp_config config;

    memset(narrow, 0, sizeof *narrow);
    narrow->limit = limit;
    ln_sctp_config_init(&config);
    config.packet_bytes_limit = 1432;
    pipe_init(pipe, 1);
    pipe_create(pipe, &config, &config);
    pipe_connect(pipe);
    pipe->filter = drop_large;
    pipe->context = narrow;
}

/* 20 packets or so ten times a second. */
static void transfer(struct pipe *pipe, ln_duration length)
{
    struct ln_sctp_event event;

    for (ln_time end = pipe->now + length; pipe->now < end;) {
        CHECK(ln_sctp_send(pipe->end[0], 0, 53, data, sizeof data, NULL) == 0);
        pipe_run(pipe, pipe->now + LN_MILLISECONDS(100), NULL);
        while (ln_sctp_poll_event(pipe->end[1], &event))
            CHECK(event.kind != LN_SCTP_EVENT_CLOSED);
    }
}

LN_TEST(sctp_pmtu, finds_the_largest_packets_that_pass_within_a_word_or_four)
{
    static const size_t limits[] = { 1160, 1200, 1300, 1372, 1412, 1431, 1432, 1500 };

    for (size_t i = 0; i < sizeof limits / sizeof *limits && !pipe_sweeping(); i++) {
        size_t found = limits[i] < 1432 ? limits[i] : 1432;
        struct narrow narrow;
        struct pipe pipe;

        begin(&pipe, &narrow, limits[i]);
        transfer(&pipe, LN_SECONDS(20));
        CHECK(stats_of(&pipe, 0).packet_bytes <= found);
        CHECK(stats_of(&pipe, 0).packet_bytes + 20 > found);
        CHECK_EQUAL(stats_of(&pipe, 0).retransmissions, 0); /* probes cost no data */
        CHECK(narrow.dropped <= 3 * 6);
        CHECK_EQUAL(stats_of(&pipe, 1).packet_bytes, LN_SCTP_PACKET_BYTES); /* it sends no data */
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_pmtu, an_association_that_says_little_sends_no_probes)
{
    struct narrow narrow;
    struct pipe pipe;

    begin(&pipe, &narrow, 1500);
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 5000, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(100), NULL);
    CHECK(narrow.largest <= LN_SCTP_PACKET_BYTES);
    pipe_free(&pipe);
}

LN_TEST(sctp_pmtu, a_path_that_shrinks_under_way_loses_nothing)
{
    struct narrow narrow;
    struct pipe pipe;

    if (pipe_sweeping())
        return;
    begin(&pipe, &narrow, 1500);
    transfer(&pipe, LN_SECONDS(5));
    CHECK_EQUAL(stats_of(&pipe, 0).packet_bytes, 1432);
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, sizeof data, NULL) == 0);
    pipe_flush(&pipe);
    narrow.limit = 1240;
    transfer(&pipe, LN_SECONDS(4));
    CHECK_EQUAL(stats_of(&pipe, 0).packet_bytes, LN_SCTP_PACKET_BYTES);
    pipe_run(&pipe, pipe.now + LN_SECONDS(5), NULL);
    CHECK_EQUAL(stats_of(&pipe, 0).send_buffered_bytes, 0);
    transfer(&pipe, LN_SECONDS(80)); /* and it is searched again */
    CHECK(stats_of(&pipe, 0).packet_bytes > 1220 && stats_of(&pipe, 0).packet_bytes <= 1240);
    pipe_free(&pipe);
}

LN_TEST(sctp_pmtu, another_path_begins_at_the_base)
{
    struct narrow narrow;
    struct pipe pipe;

    if (pipe_sweeping())
        return;
    begin(&pipe, &narrow, 1500);
    transfer(&pipe, LN_SECONDS(5));
    CHECK_EQUAL(stats_of(&pipe, 0).packet_bytes, 1432);
    ln_sctp_path_changed(pipe.end[0], pipe.now);
    CHECK_EQUAL(stats_of(&pipe, 0).packet_bytes, LN_SCTP_PACKET_BYTES);
    pipe_free(&pipe);
}
