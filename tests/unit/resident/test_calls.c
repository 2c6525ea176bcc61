/* SPDX-License-Identifier: Apache-2.0
 * The whole: real clients behind relays and real peers that live in the server's program, with
 * their threads. That not a byte saw a socket between the two is told by the counters of the server
 * and of the resident. */
#include "tests/support/test.h"
#include "tests/unit/resident/calls.h"

static struct calls calls; /* large */

static uint64_t sum(const struct ln_turn_counts *counts, bool out)
{
    uint64_t packets = 0;

    for (int i = 0; i < LN_TURN_TRANSPORT_COUNT; i++)
        packets += out ? counts->transport[i].packets_out : counts->transport[i].packets_in;
    return packets;
}

/* Every packet of a client's went to the resident in memory, and every one to a client came from
 * there; the resident's sockets had none. */
static void check_all_in_memory(const struct ln_turn_counts *counts)
{
    struct ln_turn_resident_counts seen = ln_turn_resident_counts(calls.resident);
    uint64_t dropped = counts->dropped_queue + counts->dropped_stream_full;

    CHECK(counts->handed_to_residents > 0 && counts->handed_from_residents > 0);
    CHECK(sum(counts, false) <= counts->handed_to_residents + counts->dropped_queue);
    CHECK(sum(counts, false) >= counts->handed_to_residents);
    CHECK(sum(counts, true) <= counts->handed_from_residents);
    CHECK(sum(counts, true) + dropped >= counts->handed_from_residents);
    CHECK_EQUAL(counts->handed_over, counts->handed_to_residents + counts->handed_from_residents);
    CHECK_EQUAL(counts->handed_to_residents, seen.handed_in + counts->dropped_exchange);
    CHECK_EQUAL(seen.received, 0);
    CHECK_EQUAL(seen.sent, 0);
    CHECK_EQUAL(seen.dropped_spoofed, 0);
    CHECK_EQUAL(seen.homeless, 0);
}

/* Calls, and looks at the counters when everything stands still. */
static void call(const struct calls_options *options)
{
    struct ln_turn_counts counts;
    uint64_t bytes = 0;

    calls_start(&calls, options);
    CHECK(calls_run(&calls));
    counts = calls_counts(&calls);
    calls_pause(&calls);
    check_all_in_memory(&counts);
    for (int i = 0; i < LN_TURN_TRANSPORT_COUNT; i++)
        bytes += counts.transport[i].bytes_in;
    CHECK(bytes > (uint64_t)options->count * options->messages * CALLS_MESSAGE);
    for (size_t i = 0; options->transports[i]; i++) {
        char kind = options->transports[i];

        CHECK(counts.transport[kind == 'u'   ? LN_TURN_UDP
                               : kind == 't' ? LN_TURN_TCP
                                             : LN_TURN_TLS]
                  .packets_in > 0);
    }
}

LN_TEST(resident_calls, many_clients_reach_many_peers_on_one_port_and_no_byte_sees_a_socket)
{
    static const struct calls_options options = {
        .count = 9, .workers = 2, .transports = "uts", .messages = 64
    };

    call(&options);
    calls_end(&calls);
}

LN_TEST(resident_calls, peers_that_check_their_clients_themselves_do_it_in_memory_too)
{
    static const struct calls_options options = {
        .count = 4, .workers = 1, .transports = "ut", .messages = 16, .full = true
    };

    call(&options);
    calls_end(&calls);
}

LN_TEST(resident_calls, behind_a_nat_all_meet_by_addresses_at_which_nobody_is)
{
    static const struct calls_options options = {
        .count = 4, .workers = 2, .transports = "ut", .messages = 16, .behind_nat = true
    };

    call(&options);
    calls_end(&calls);
}

static void call_by_one_port(bool full)
{
    const struct calls_options options = { .count = 8,
                                           .workers = 1,
                                           .transports = "ut",
                                           .messages = 16,
                                           .shared_ports = 1,
                                           .full = full };
    struct ln_turn_counts counts;

    call(&options);
    ln_turn_service_counts(calls.service, &counts);
    CHECK(counts.shared_ports == 1 && counts.shared_relays == 8 && counts.collisions == 0);
    calls_end(&calls);
}

LN_TEST(resident_calls, many_clients_on_one_relay_port_reach_many_peers_on_one_port)
{
    call_by_one_port(false);
}

LN_TEST(resident_calls, and_so_they_do_where_the_peers_check_them_too)
{
    call_by_one_port(true);
}

/* The same calls where the peers are no residents: the counters tell. */
LN_TEST(resident_calls, peers_that_are_no_residents_are_reached_by_sockets)
{
    static const struct calls_options options = {
        .count = 2, .workers = 2, .transports = "ut", .messages = 4, .plain = true
    };
    struct ln_turn_counts counts;

    calls_start(&calls, &options);
    CHECK(calls_run(&calls));
    counts = calls_counts(&calls);
    CHECK_EQUAL(counts.handed_over, 0);
    CHECK(sum(&counts, false) > 0 && sum(&counts, true) > 0);
    calls_end(&calls);
}

LN_TEST(resident_calls, the_service_may_end_before_them)
{
    static const struct calls_options options = {
        .count = 3, .workers = 2, .transports = "u", .messages = 4
    };

    calls_start(&calls, &options);
    CHECK(calls_run(&calls));
    ln_turn_service_stop(calls.service); /* its clients and residents in the middle of a call */
    calls.service = NULL;
    for (int i = 0; i < 20; i++)
        CHECK(ln_loop_run_once(calls.loops[0], LN_MILLISECONDS(10)) == 0);
    calls_end(&calls);
}

LN_TEST(resident_calls, one_may_go_in_the_middle_of_everything_and_the_service_goes_on)
{
    static const struct calls_options options = {
        .count = 4, .workers = 2, .transports = "ut", .messages = 64
    };
    struct ln_turn_counts counts;

    calls_start(&calls, &options);
    CHECK(calls_run(&calls));
    for (unsigned i = 0; i < options.count; i++) { /* more is under way */
        static uint8_t data[CALLS_MESSAGE];

        for (int k = 0; k < 64; k++)
            CHECK(ln_data_channel_send(calls.ends[0][i].channel, data, sizeof data) == 0);
        ln_loop_touch(calls.ends[0][i].handle);
    }
    CHECK(ln_loop_run_once(calls.loops[0], LN_MILLISECONDS(10)) == 0);
    calls_end_residents(&calls);
    for (int i = 0; i < 20; i++)
        CHECK(ln_loop_run_once(calls.loops[0], LN_MILLISECONDS(10)) == 0);
    counts = calls_counts(&calls); /* the service answers still */
    CHECK(counts.handed_over > 0);
    calls_end(&calls);
}
