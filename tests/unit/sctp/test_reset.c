/* SPDX-License-Identifier: Apache-2.0
 * Resets of streams (RFC 6525) with a peer of hand-made packets: requests that are wrong, repeated
 * or refused, answers that come late or never, and messages that were under way. */
#include "tests/unit/sctp/victim.h"

#include "base/bytes.h"
#include "sctp/packet.h"

/* The result of the last response in what the victim sends; 99 if none. */
static uint32_t reset_result(struct victim *v)
{
    uint32_t result = 99;

    while (victim_hear(v)) {
        for (size_t at = 12; at + 4 <= v->out_len; at += (ln_load16(v->out + at + 2) + 3u) & ~3u)
            if (v->out[at] == LN_CHUNK_RECONFIG &&
                ln_load16(v->out + at + 4) == LN_PARAMETER_RESET_RESPONSE)
                result = ln_load32(v->out + at + 12);
    }
    return result;
}

LN_TEST(sctp_attacks, reset_requests_repeated_wrong_and_never_sent)
{
    struct ln_sctp_event event;
    struct victim v;
    int resets = 0;

    victim_default(&v);
    /* Request 1000, last TSN 999, stream 5: done; again: the same answer, nothing more. */
    for (int i = 0; i < 3; i++) {
        victim_tell(&v, "82 00 0016 000d 0012 000003e8 00000000 000003e7 0005 0000");
        CHECK_EQUAL(reset_result(&v), LN_RESET_PERFORMED);
    }
    victim_tell(
        &v, "82 00 0016 000d 0012 00000309 00000000 000003e7 0005 0000"); /* a number of the past */
    CHECK_EQUAL(reset_result(&v), LN_RESET_BAD_SEQUENCE);
    victim_tell(&v,
                "82 00 0016 000d 0012 000003e9 00000000 000003e7 ffff 0000"); /* no such stream */
    CHECK_EQUAL(reset_result(&v), LN_RESET_WRONG_SSN);
    victim_tell(&v, "82 00 0014 000d 0010 000003ea 00000000 000003e7"); /* all of them */
    CHECK_EQUAL(reset_result(&v), LN_RESET_PERFORMED);
    victim_tell(&v, "82 00 0010 0010 000c 00000001 00000001"); /* an answer to nothing */
    victim_tell(&v, "82 00 000c 000f 0008 000003eb");          /* TSN reset: not ours */
    CHECK_EQUAL(reset_result(&v), LN_RESET_DENIED);
    /* In progress until the data is there, then done by itself. */
    victim_tell(&v, "82 00 0016 000d 0012 000003ec 00000000 000003e8 0005 0000");
    CHECK_EQUAL(reset_result(&v), LN_RESET_IN_PROGRESS);
    victim_tell_data(&v, TSN, 3, 5, 0, "x", 1);
    CHECK_EQUAL(reset_result(&v), LN_RESET_PERFORMED);
    while (ln_sctp_poll_event(v.sctp, &event))
        resets += event.kind == LN_SCTP_EVENT_INCOMING_RESET && event.stream == 5;
    CHECK_EQUAL(resets, 1); /* news of one stream are told once while they wait */
    ln_sctp_free(v.sctp);
}

/* The number of the reset request in what the victim sends, its streams counted; 0 if none. */
static uint32_t reset_request(struct victim *v, size_t *ret_streams)
{
    uint32_t sequence = 0;

    while (victim_hear(v)) {
        for (size_t at = 12; at + 4 <= v->out_len; at += (ln_load16(v->out + at + 2) + 3u) & ~3u)
            if (v->out[at] == LN_CHUNK_RECONFIG &&
                ln_load16(v->out + at + 4) == LN_PARAMETER_OUTGOING_RESET) {
                sequence = ln_load32(v->out + at + 8);
                *ret_streams = (ln_load16(v->out + at + 6) - 16u) / 2;
            }
    }
    return sequence;
}

static void say_result(struct victim *v, uint32_t sequence, uint32_t result)
{
    uint8_t chunk[16] = { LN_CHUNK_RECONFIG, 0, 0, 16, 0, LN_PARAMETER_RESET_RESPONSE, 0, 12 };

    ln_store32(chunk + 8, sequence);
    ln_store32(chunk + 12, result);
    victim_tell_raw(v, v->tag, chunk, sizeof chunk);
}

/* The outgoing resets told: how many, and the error of the last. */
static size_t resets_told(struct victim *v, int *ret_error)
{
    struct ln_sctp_event event;
    size_t count = 0;

    while (ln_sctp_poll_event(v->sctp, &event)) {
        CHECK(event.kind != LN_SCTP_EVENT_CLOSED);
        if (event.kind == LN_SCTP_EVENT_OUTGOING_RESET) {
            *ret_error = event.error;
            count++;
        }
    }
    return count;
}

LN_TEST(sctp_reset, one_that_is_refused_is_told_and_may_be_asked_for_again)
{
    static const uint32_t refusals[] = { LN_RESET_DENIED, LN_RESET_WRONG_SSN, LN_RESET_BAD_SEQUENCE,
                                         99 };
    size_t streams = 0;
    struct victim v;
    int error = 0;

    victim_default(&v);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        uint32_t sequence;

        CHECK_EQUAL(ln_sctp_reset_stream(v.sctp, 5), 0);
        CHECK_EQUAL(ln_sctp_reset_stream(v.sctp, 6), 0);
        CHECK(ln_sctp_send(v.sctp, 5, 53, (const uint8_t *)"x", 1, NULL) == LN_ERR_INVALID_STATE);
        sequence = reset_request(&v, &streams);
        CHECK_EQUAL(sequence, TSN + i);
        CHECK_EQUAL(streams, 2);
        say_result(&v, sequence - 1, LN_RESET_PERFORMED); /* of another request */
        CHECK_EQUAL(resets_told(&v, &error), 0);
        say_result(&v, sequence, refusals[i]);
        say_result(&v, sequence, LN_RESET_PERFORMED); /* it has been answered */
        CHECK_EQUAL(resets_told(&v, &error), 2);
        CHECK_EQUAL(error, LN_ERR_REFUSED);
        CHECK_EQUAL(reset_request(&v, &streams), 0); /* not by itself */
        CHECK(ln_sctp_next_timeout(v.sctp) == LN_TIME_NEVER);
    }
    /* The streams go on where they were, and are reset when the peer is willing. */
    CHECK_EQUAL(ln_sctp_send(v.sctp, 5, 53, (const uint8_t *)"x", 1, NULL), 0);
    CHECK_EQUAL(ln_sctp_reset_stream(v.sctp, 5), 0);
    say_result(&v, reset_request(&v, &streams), LN_RESET_PERFORMED);
    CHECK_EQUAL(resets_told(&v, &error), 1);
    CHECK_EQUAL(error, 0);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_reset, one_in_progress_is_asked_for_again_until_it_is_done)
{
    static const uint32_t words[] = { LN_RESET_IN_PROGRESS, LN_RESET_ALREADY_IN_PROGRESS };

    for (size_t w = 0; w < 2; w++) {
        uint32_t sequence, last;
        size_t streams = 0, asked = 1, numbers = 1;
        struct victim v;
        int error = 0;

        victim_default(&v);
        CHECK_EQUAL(ln_sctp_send(v.sctp, 5, 53, (const uint8_t *)"x", 1, NULL), 0);
        CHECK_EQUAL(ln_sctp_reset_stream(v.sctp, 5), 0);
        sequence = last = reset_request(&v, &streams);
        CHECK_EQUAL(sequence, TSN);
        say_result(&v, sequence, words[w]);
        CHECK_EQUAL(reset_request(&v, &streams), 0); /* the data before it is on its way */
        victim_tell(&v, "03 00 0010 000003e8 00100000 0000 0000"); /* it has come: asked at once */
        CHECK_EQUAL(reset_request(&v, &streams), sequence);
        for (int i = 0; i < 20; i++) {
            say_result(&v, last, words[w]);
            CHECK_EQUAL(resets_told(&v, &error), 0);
            v.now += LN_SECONDS(4); /* beyond the longest wait */
            ln_sctp_on_timeout(v.sctp, v.now);
            sequence = reset_request(&v, &streams);
            CHECK(sequence != 0 && streams == 1);
            asked++;
            numbers += sequence != last;
            last = sequence;
        }
        CHECK(numbers > 1 && numbers < asked); /* each number several times, and not for ever */
        say_result(&v, last, LN_RESET_PERFORMED);
        CHECK_EQUAL(resets_told(&v, &error), 1);
        CHECK_EQUAL(error, 0);
        CHECK_EQUAL(reset_request(&v, &streams), 0);
        ln_sctp_free(v.sctp);
    }
}

/* A peer that leaves a message in its middle, resets the stream, and would go on with it. */
LN_TEST(sctp_reset, a_message_under_way_when_its_stream_is_reset_is_gone)
{
    for (int unordered = 0; unordered < 2; unordered++) {
        for (int all = 0; all < 2; all++) {
            uint8_t flags = unordered ? LN_DATA_UNORDERED : 0;
            struct victim v;

            victim_default(&v);
            victim_tell_data(&v, TSN, (uint8_t)(flags | LN_DATA_BEGIN), 5, 0, "be", 2);
            victim_tell_data(&v, TSN + 1, flags, 5, 0, "gun", 3);
            victim_tell(&v, all ? "82 00 0014 000d 0010 000003e8 00000000 000003e9"
                                : "82 00 0016 000d 0012 000003e8 00000000 000003e9 0005 0000");
            CHECK_EQUAL(reset_result(&v), LN_RESET_PERFORMED);
            CHECK_EQUAL(victim_stats(&v).receive_buffered_bytes, 0);
            victim_tell_data(&v, TSN + 2, (uint8_t)(flags | LN_DATA_END), 5, 0, "end", 3);
            CHECK_EQUAL(victim_messages(&v), 0);
            victim_tell_data(&v, TSN + 3, (uint8_t)(flags | LN_DATA_BEGIN | LN_DATA_END), 5, 0,
                             "new", 3);
            CHECK_EQUAL(victim_messages(&v), 1);
            CHECK_EQUAL(victim_stats(&v).receive_buffered_bytes, 0);
            ln_sctp_free(v.sctp);
        }
    }
}

LN_TEST(sctp_reset, a_message_of_another_stream_under_way_meanwhile_arrives)
{
    struct ln_sctp_event event;
    struct victim v;

    victim_default(&v);
    victim_tell_data(&v, TSN, LN_DATA_BEGIN, 4, 0, "be", 2);
    victim_tell(&v, "82 00 0016 000d 0012 000003e8 00000000 000003e8 0005 0000");
    CHECK_EQUAL(reset_result(&v), LN_RESET_PERFORMED);
    victim_tell_data(&v, TSN + 1, LN_DATA_END, 4, 0, "gun", 3);
    while (ln_sctp_poll_event(v.sctp, &event) && event.kind != LN_SCTP_EVENT_MESSAGE)
        ;
    CHECK(event.kind == LN_SCTP_EVENT_MESSAGE && event.len == 5);
    CHECK(memcmp(event.data, "begun", 5) == 0);
    ln_sctp_free(v.sctp);
}
