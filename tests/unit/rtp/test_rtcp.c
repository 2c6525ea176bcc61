/* SPDX-License-Identifier: Apache-2.0
 * RTCP: what is written is read, and what is malformed is passed over. ATTACKS 50. */
#include "base/time.h"
#include "rtp/arrival_log.h"
#include "rtp/rtcp.h"
#include "rtp/sent_log.h"
#include "tests/support/test.h"

static uint8_t buffer[2048];

static struct ln_writer fresh(void)
{
    struct ln_writer w;

    ln_writer_init(&w, buffer, sizeof buffer);
    return w;
}

/* The only packet of what was written. */
static struct ln_rtcp_packet only(const struct ln_writer *w)
{
    struct ln_rtcp_iterator it;
    struct ln_rtcp_packet p, more;

    ln_rtcp_begin(&it, w->data, w->len);
    CHECK(ln_rtcp_next(&it, &p));
    CHECK(!ln_rtcp_next(&it, &more) && it.ok);
    return p;
}

LN_TEST(rtcp, reports_come_back_as_they_went)
{
    struct ln_rtcp_report r = { .ssrc = 5,
                                .sender = true,
                                .ntp = 0x1122334455667788ull,
                                .rtp_timestamp = 9,
                                .packets = 10,
                                .octets = 11,
                                .block_count = 2 },
                          back;
    struct ln_writer w = fresh();
    struct ln_rtcp_packet p;

    r.blocks[0] = (struct ln_rtcp_block){ 1, 200, -8388608, 3, 4, 5, 6 };
    r.blocks[1] = (struct ln_rtcp_block){ 7, 0, 8388607, 9, 10, 11, 12 };
    CHECK(ln_rtcp_write_report(&w, &r));
    p = only(&w);
    CHECK_EQUAL(ln_rtcp_parse_report(&p, &back), 0);
    CHECK_BYTES(&r, &back, sizeof r);
    p.count = 3; /* a block more than there is */
    CHECK_EQUAL(ln_rtcp_parse_report(&p, &back), LN_ERR_MALFORMED);
}

LN_TEST(rtcp, cname_bye_app_and_requests_come_back)
{
    struct ln_rtcp_sdes_iterator sdes;
    struct ln_rtcp_feedback f;
    struct ln_rtcp_app app = { 3, 4, { 'T', 'E', 'S', 'T' }, { (const uint8_t *)"hello", 5 } },
                       app2;
    struct ln_rtcp_bye bye;
    uint32_t ssrcs[2] = { 8, 9 }, ssrc;
    uint8_t sequence;
    struct ln_rtcp_packet p;
    struct ln_writer w = fresh();

    CHECK(ln_rtcp_write_sdes_cname(&w, 5, "cname"));
    p = only(&w);
    ln_rtcp_sdes_begin(&sdes, &p);
    CHECK(ln_rtcp_sdes_next(&sdes));
    CHECK(sdes.ssrc == 5 && sdes.item == 1 && sdes.text.len == 5);
    CHECK(!ln_rtcp_sdes_next(&sdes));
    w = fresh();
    CHECK(ln_rtcp_write_bye(&w, ssrcs, 2, "why"));
    p = only(&w);
    CHECK_EQUAL(ln_rtcp_parse_bye(&p, &bye), 0);
    CHECK(bye.count == 2 && bye.ssrcs[1] == 9 && bye.reason.len == 3);
    w = fresh();
    CHECK(ln_rtcp_write_app(&w, &app));
    p = only(&w);
    CHECK_EQUAL(ln_rtcp_parse_app(&p, &app2), 0);
    CHECK(app2.subtype == 3 && app2.ssrc == 4 && app2.data.len == 8);
    w = fresh();
    CHECK(ln_rtcp_write_pli(&w, 1, 2));
    p = only(&w);
    CHECK_EQUAL(ln_rtcp_parse_feedback(&p, &f), 0);
    CHECK(p.type == LN_RTCP_PSFB && p.count == 1 && f.sender_ssrc == 1 && f.media_ssrc == 2);
    w = fresh();
    CHECK(ln_rtcp_write_fir(&w, 1, 2, 77));
    p = only(&w);
    CHECK_EQUAL(ln_rtcp_parse_feedback(&p, &f), 0);
    CHECK(ln_rtcp_fir_entry(f.fci, 0, &ssrc, &sequence) && ssrc == 2 && sequence == 77);
    CHECK(!ln_rtcp_fir_entry(f.fci, 1, &ssrc, &sequence));
}

LN_TEST(rtcp, nacks_come_back_in_order)
{
    uint16_t asked[] = { 65533, 65534, 2, 14, 15, 100 }, sequence;
    struct ln_rtcp_nack_iterator it;
    struct ln_rtcp_feedback f;
    struct ln_rtcp_packet p;
    struct ln_writer w = fresh();
    size_t n = 0;

    CHECK_EQUAL(ln_rtcp_write_nack(&w, 1, 2, asked, 6), 6);
    CHECK_EQUAL(w.len, 12 + 3 * 4);
    p = only(&w);
    CHECK_EQUAL(ln_rtcp_parse_feedback(&p, &f), 0);
    ln_rtcp_nack_begin(&it, f.fci);
    while (ln_rtcp_nack_next(&it, &sequence))
        CHECK_EQUAL(sequence, asked[n++]);
    CHECK_EQUAL(n, 6);
}

LN_TEST(rtcp, remb_keeps_eighteen_bits_of_the_rate)
{
    static const uint64_t rates[] = { 0, 1, 262143, 262144, 1000000, 123456789, 1ull << 40 };
    struct ln_rtcp_feedback f;
    struct ln_rtcp_remb remb;
    struct ln_rtcp_packet p;
    uint32_t ssrc = 6;

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct ln_writer w = fresh();

        CHECK(ln_rtcp_write_remb(&w, 1, rates[i], &ssrc, 1));
        p = only(&w);
        CHECK_EQUAL(ln_rtcp_parse_feedback(&p, &f), 0);
        CHECK_EQUAL(ln_rtcp_parse_remb(f.fci, &remb), 0);
        CHECK(remb.bps <= rates[i] && remb.bps >= rates[i] - rates[i] / 131072);
        CHECK(remb.ssrc_count == 1 && ln_load32(remb.ssrcs.data) == 6);
    }
}

/* ---- transport-cc ---- */

/* Writes the arrivals and reads them back; returns how many the record told. */
static size_t round_trip(const ln_time *arrivals, size_t count, uint16_t base, size_t cap)
{
    struct ln_rtcp_transport_iterator it;
    struct ln_rtcp_transport_status status;
    struct ln_rtcp_feedback f;
    struct ln_rtcp_packet p;
    struct ln_writer w;
    size_t told, n = 0;

    ln_writer_init(&w, buffer, cap);
    told = ln_rtcp_write_transport(&w, 1, 2, base, 9, arrivals, count);
    if (told == 0)
        return 0;
    CHECK(w.ok && w.len % 4 == 0);
    p = only(&w);
    CHECK_EQUAL(ln_rtcp_parse_feedback(&p, &f), 0);
    CHECK_EQUAL(ln_rtcp_transport_begin(&it, f.fci), 0);
    CHECK(it.feedback_count == 9 && it.status_count == told);
    while (ln_rtcp_transport_next(&it, &status)) {
        CHECK_EQUAL(status.sequence, (uint16_t)(base + n));
        CHECK_EQUAL(status.received, arrivals[n] != LN_TIME_NEVER);
        if (status.received) {
            ln_duration error = status.ticks * LN_RTCP_TRANSPORT_TICK - arrivals[n];

            CHECK(error >= -LN_MICROSECONDS(126) && error <= LN_MICROSECONDS(126));
        }
        n++;
    }
    CHECK_EQUAL(n, told);
    return told;
}

LN_TEST(transport_cc, records_tell_each_arrival_to_a_quarter_millisecond)
{
    ln_time arrivals[400];
    struct ln_rng rng;

    for (uint64_t seed = 0; seed < 200; seed++) {
        size_t count, at = 0;
        double loss, step;

        ln_rng_seed(&rng, seed);
        count = 1 + ln_rng_below(&rng, 400);
        loss = seed % 3 == 0 ? 0 : ln_rng_unit(&rng);
        step = seed % 5 == 0 ? 200e6 : 5e6;
        arrivals[0] = LN_SECONDS(100) + ln_rng_below(&rng, 1000000000);
        for (size_t i = 1; i < count; i++) {
            ln_time t = arrivals[0] + (ln_time)((double)i * 1e5 + ln_rng_unit(&rng) * step);

            arrivals[i] = ln_rng_unit(&rng) < loss ? LN_TIME_NEVER : t;
        }
        while (at < count) {
            size_t told;

            while (at < count && arrivals[at] == LN_TIME_NEVER)
                at++;
            if (at == count)
                break;
            told = round_trip(arrivals + at, count - at, (uint16_t)(65500 + at),
                              seed % 2 ? 200 : 1100);
            CHECK(told > 0);
            at += told;
        }
    }
}

LN_TEST(transport_cc, a_difference_that_does_not_fit_begins_another_record)
{
    ln_time arrivals[3] = { LN_SECONDS(5), LN_SECONDS(5) + LN_SECONDS(9), LN_SECONDS(14) };

    CHECK_EQUAL(round_trip(arrivals, 3, 1, 1000), 1);
    CHECK_EQUAL(round_trip(arrivals + 1, 2, 1, 1000), 2);
    CHECK_EQUAL(round_trip(arrivals, 3, 1, 20), 0); /* no room at all */
}

LN_TEST(transport_cc, the_receiver_reports_within_50_to_250_ms_and_forgets_nothing)
{
    struct ln_arrival_log log;
    ln_time now = LN_SECONDS(10), last = now;
    size_t told = 0, sent = 0;

    ln_arrival_log_init(&log, test_env()->allocator);
    CHECK(ln_arrival_log_next_report(&log) == LN_TIME_NEVER);
    for (unsigned i = 0; i < 2000; i++) {
        if (i % 7 != 3) {
            ln_arrival_log_add(&log, now, (uint16_t)(65000 + i), 5, 1000);
            sent++;
        }
        if (!log.arrivals)
            break; /* out of memory */
        while (ln_time_due(ln_arrival_log_next_report(&log), now)) {
            struct ln_writer w = fresh();
            struct ln_rtcp_transport_iterator it;
            struct ln_rtcp_transport_status status;
            struct ln_rtcp_feedback f;
            struct ln_rtcp_packet p;

            CHECK(ln_arrival_log_report(&log, now, 1, &w));
            CHECK(now - last <= LN_MILLISECONDS(260));
            last = now;
            p = only(&w);
            CHECK_EQUAL(ln_rtcp_parse_feedback(&p, &f), 0);
            CHECK_EQUAL(ln_rtcp_transport_begin(&it, f.fci), 0);
            while (ln_rtcp_transport_next(&it, &status))
                told += status.received;
        }
        now += LN_MILLISECONDS(2);
    }
    CHECK(told + 200 > sent && told <= sent);
    CHECK(log.interval >= LN_FEEDBACK_INTERVAL_MIN && log.interval <= LN_FEEDBACK_INTERVAL_MAX);
    ln_arrival_log_deinit(&log);
}

/* ---- ATTACKS 50 ---- */

static size_t packets_in(const char *hex, bool *ret_ok)
{
    static uint8_t data[2048];
    struct ln_rtcp_iterator it;
    struct ln_rtcp_packet p;
    size_t n = 0;

    ln_rtcp_begin(&it, data, test_hex(hex, data, sizeof data));
    while (ln_rtcp_next(&it, &p))
        n++;
    *ret_ok = it.ok;
    return n;
}

LN_TEST(rtcp, attack_50_wrong_lengths_and_padding_end_the_compound)
{
    bool ok;

    CHECK_EQUAL(packets_in("", &ok), 0);
    CHECK(ok);
    CHECK_EQUAL(packets_in("80", &ok), 0);
    CHECK(!ok);
    CHECK_EQUAL(packets_in("80c9ffff 00000001", &ok), 0);
    CHECK(!ok);
    CHECK_EQUAL(packets_in("80c90000 80c90000 80c90000", &ok), 3); /* empty ones: no endless loop */
    CHECK(ok);
    CHECK_EQUAL(packets_in("80c90001 00000001 00c90000", &ok), 1); /* version 0 */
    CHECK(!ok);
    CHECK_EQUAL(packets_in("a0c90001 00000005", &ok), 0); /* padding larger than the packet */
    CHECK_EQUAL(packets_in("a0c90001 00000000", &ok), 0); /* padding 0 */
    CHECK_EQUAL(packets_in("a0c90001 00000004 80c90000", &ok), 0); /* padded, not the last */
    CHECK(!ok);
}

/* Extended reports (RFC 3611) with blocks in blocks, and types that nobody knows: passed over
 * whole. */
LN_TEST(rtcp, attack_50_extended_reports_and_unknown_types_are_passed_over)
{
    bool ok;

    CHECK_EQUAL(packets_in("80cf0004 00000001 04000002 80cf0001 00000001 80c90001 00000001", &ok),
                2); /* a report inside a report */
    CHECK(ok);
    CHECK_EQUAL(packets_in("80cf0001 00000001 80c90001 00000001", &ok), 2);
    CHECK(ok);
    CHECK_EQUAL(packets_in("80cf0002 00000001 0400ffff 80c90001 00000001", &ok),
                2); /* a block longer than its report */
    CHECK(ok);
    CHECK_EQUAL(packets_in("80ff0000 9fdf0001 00000001", &ok), 2);
    CHECK(ok);
}

LN_TEST(rtcp, attack_50_sdes_without_end_and_bye_with_31_sources)
{
    struct ln_rtcp_sdes_iterator it;
    struct ln_rtcp_packet p = { LN_RTCP_SDES, 31, { NULL, 0 } };
    struct ln_rtcp_bye bye;
    uint8_t body[31 * 4 + 256];

    memset(body, 1, sizeof body);
    for (size_t len = 0; len <= 64; len++) {
        size_t items = 0;

        p.body = (struct ln_bytes){ body, len };
        ln_rtcp_sdes_begin(&it, &p);
        while (ln_rtcp_sdes_next(&it))
            items++;
        CHECK(items <= len / 3);
    }
    memset(body, 0, sizeof body); /* 31 empty chunks */
    p.body = (struct ln_bytes){ body, sizeof body };
    ln_rtcp_sdes_begin(&it, &p);
    CHECK(!ln_rtcp_sdes_next(&it));
    p = (struct ln_rtcp_packet){ LN_RTCP_BYE, 31, { body, sizeof body } };
    body[31 * 4] = 255;
    CHECK_EQUAL(ln_rtcp_parse_bye(&p, &bye), 0);
    CHECK(bye.count == 31 && bye.reason.len == 255);
    p.body.len--;
    CHECK_EQUAL(ln_rtcp_parse_bye(&p, &bye), LN_ERR_MALFORMED);
    p.body.len = 30 * 4;
    CHECK_EQUAL(ln_rtcp_parse_bye(&p, &bye), LN_ERR_MALFORMED);
}

LN_TEST(rtcp, attack_50_transport_cc_counts_are_bounded_by_the_packet)
{
    struct ln_rtcp_transport_iterator it;
    struct ln_rtcp_transport_status status;
    uint8_t data[64];
    size_t len, n = 0;

    len = test_hex("0001 ffff 000001 00 1fff", data, sizeof data); /* 65 535 told, 8 191 there */
    CHECK_EQUAL(ln_rtcp_transport_begin(&it, (struct ln_bytes){ data, len }), LN_ERR_MALFORMED);
    len = test_hex("0001 0005 000001 00 2005 0101", data, sizeof data); /* deltas missing */
    CHECK_EQUAL(ln_rtcp_transport_begin(&it, (struct ln_bytes){ data, len }), LN_ERR_MALFORMED);
    len = test_hex("0001 0004 000001 00 6004 01010101", data, sizeof data); /* reserved symbol */
    CHECK_EQUAL(ln_rtcp_transport_begin(&it, (struct ln_bytes){ data, len }), LN_ERR_MALFORMED);
    len = test_hex("0001 0000 000001 00", data, sizeof data); /* of nothing */
    CHECK_EQUAL(ln_rtcp_transport_begin(&it, (struct ln_bytes){ data, len }), LN_ERR_MALFORMED);
    len = test_hex("0001 0002 000001 00 3fff 0101", data, sizeof data); /* a run beyond the count */
    CHECK_EQUAL(ln_rtcp_transport_begin(&it, (struct ln_bytes){ data, len }), 0);
    while (ln_rtcp_transport_next(&it, &status))
        n++;
    CHECK_EQUAL(n, 2);
}

LN_TEST(rtcp, attack_50_remb_with_255_ssrcs_that_are_not_there)
{
    struct ln_rtcp_remb remb;
    uint8_t data[16];
    size_t len = test_hex("52454d42 ff fc0000 00000001", data, sizeof data);

    CHECK_EQUAL(ln_rtcp_parse_remb((struct ln_bytes){ data, len }, &remb), LN_ERR_MALFORMED);
    data[4] = 1;
    CHECK_EQUAL(ln_rtcp_parse_remb((struct ln_bytes){ data, len }, &remb), 0);
    CHECK_EQUAL(remb.bps, 0); /* mantissa 0, exponent 63 */
    data[7] = 1;
    CHECK_EQUAL(ln_rtcp_parse_remb((struct ln_bytes){ data, len }, &remb), 0);
    CHECK(remb.bps > 1ull << 60);
}

/* ATTACKS 51 */
LN_TEST(transport_cc, attack_51_reports_of_packets_never_sent_yield_nothing)
{
    struct ln_rtp_packet_result results[64];
    uint32_t ssrcs[64];
    struct ln_sent_log log;
    uint8_t data[64];
    size_t len = test_hex("2710 0008 000001 00 2008 0101010101010101", data, sizeof data);

    ln_sent_log_init(&log, test_env()->allocator);
    CHECK_EQUAL(ln_sent_log_read(&log, (struct ln_bytes){ data, len }, results, ssrcs, 64), 0);
    for (int i = 0; i < 5; i++)
        if (ln_sent_log_add(&log, LN_SECONDS(1), 1000, 9) < 0)
            goto out;
    CHECK_EQUAL(ln_sent_log_read(&log, (struct ln_bytes){ data, len }, results, ssrcs, 64), 0);
    CHECK_EQUAL(log.unknown, 16);
    ln_store16(data, 3); /* 3, 4, 5 were sent; 6 to 10 were not */
    CHECK_EQUAL(ln_sent_log_read(&log, (struct ln_bytes){ data, len }, results, ssrcs, 64), 3);
    CHECK_EQUAL(ln_sent_log_read(&log, (struct ln_bytes){ data, len }, results, ssrcs, 64), 0);
    CHECK(results[0].transport_sequence == 3 && results[2].transport_sequence == 5);
    CHECK(results[1].size == 1000 && ssrcs[1] == 9);
out:
    ln_sent_log_deinit(&log);
}

LN_TEST(rtcp, ntp_time_goes_both_ways)
{
    ln_time unix_time = LN_SECONDS(1700000000) + 123456789;
    ln_duration error = ln_ntp_to_unix(ln_ntp_from_unix(unix_time)) - unix_time;

    CHECK(error <= 0 && error >= -2);
    CHECK_EQUAL(ln_ntp_from_unix(0) >> 32, 2208988800u);
    CHECK_EQUAL(ln_ntp_to_unix((uint64_t)2208988800u << 32), 0);
}
