/* SPDX-License-Identifier: Apache-2.0
 * Messages of a data channel in pieces, from the outside: limits that were agreed, text over the
 * borders of pieces, closing in the middle. */
#include "tests/unit/peer/steps.h"

static struct pair pair; /* large */

static struct {
    uint64_t bytes, message;
    int parts, firsts, lasts, abandoned, writable;
    bool text, ask;
    char head[64];
} seen;

static void on_event(struct side *side, const struct ln_event *event)
{
    if (event->kind == LN_EVENT_DATA_CHANNEL && seen.ask)
        (void)!ln_data_channel_set_receive_parts(event->u.channel, true);
    if (event->kind == LN_EVENT_WRITABLE)
        seen.writable++;
    if (event->kind == LN_EVENT_MESSAGE_ABANDONED) {
        CHECK(event->u.part.message == seen.message);
        seen.abandoned++;
    }
    if (event->kind != LN_EVENT_MESSAGE_PART)
        return;
    CHECK(side == &pair.sides[1] && event->u.part.channel == side->channels[0]);
    if (event->u.part.first) {
        seen.firsts++;
        seen.bytes = 0;
        seen.message = event->u.part.message;
    }
    CHECK(event->u.part.message == seen.message);
    for (size_t i = 0; i < event->u.part.len && seen.bytes + i < sizeof seen.head; i++)
        seen.head[seen.bytes + i] = (char)event->u.part.data[i];
    seen.bytes += event->u.part.len;
    seen.parts++;
    seen.lasts += event->u.part.last;
    seen.text = event->u.part.text;
}

static void connect(const struct ln_configuration *configuration)
{
    memset(&seen, 0, sizeof seen);
    seen.ask = true;
    pair_init(&pair, configuration);
    pair.on_event = on_event;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "x", NULL,
                                                 &pair.sides[0].channels[0]) == 0);
    pair.sides[0].channel_count = 1;
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
}

static void connect_any_size(void)
{
    struct ln_configuration configuration;

    ln_configuration_init(&configuration);
    configuration.max_message_size = 0;
    configuration.send_buffer_limit = 1u << 20;
    connect(&configuration);
}

static int write_text(const char *text)
{
    size_t taken = 0;
    int error = ln_data_channel_write(pair.sides[0].channels[0], text, strlen(text), &taken);

    CHECK(error || taken == strlen(text));
    return error;
}

LN_TEST(data_streaming, needs_an_open_channel_and_one_message_at_a_time)
{
    ln_data_channel *channel;
    size_t taken;

    connect_any_size();
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "y", NULL, &channel) == 0);
    CHECK_EQUAL(ln_data_channel_begin_message(channel, true), LN_ERR_INVALID_STATE);
    channel = pair.sides[0].channels[0];
    CHECK_EQUAL(ln_data_channel_write(channel, "x", 1, &taken), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_data_channel_finish_message(channel), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_data_channel_abandon_message(channel), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_data_channel_begin_message(channel, false), 0);
    CHECK_EQUAL(ln_data_channel_begin_message(channel, false), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_data_channel_finish_message(channel), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(seen.firsts == 1 && seen.lasts == 1 && seen.bytes == 0 && !seen.text);
    pair_free(&pair);
}

LN_TEST(data_streaming, text_is_looked_at_over_the_borders_of_pieces)
{
    ln_data_channel *channel;

    connect_any_size();
    channel = pair.sides[0].channels[0];
    CHECK_EQUAL(ln_data_channel_begin_message(channel, true), 0);
    CHECK_EQUAL(write_text("gr\xc3"), 0);
    CHECK_EQUAL(ln_data_channel_finish_message(channel), LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(write_text("x"), LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(write_text("\xbc\xc3\x9f"), 0);
    CHECK_EQUAL(write_text("e \xf0\x9f"), 0);
    CHECK_EQUAL(write_text("\x98"), 0);
    CHECK_EQUAL(write_text("\x80"), 0);
    CHECK_EQUAL(ln_data_channel_finish_message(channel), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(seen.lasts == 1 && seen.text);
    CHECK_TEXT(seen.head, "gr\xc3\xbc\xc3\x9f"
                          "e \xf0\x9f\x98\x80");
    pair_free(&pair);
}

/* Writes until all is written or the time is over. */
static uint64_t write_all(ln_data_channel *channel, uint64_t total)
{
    static const uint8_t zeros[65536];
    uint64_t written = 0;

    for (int i = 0; i < 20000 && written < total; i++) {
        size_t more = total - written < sizeof zeros ? (size_t)(total - written) : sizeof zeros;
        size_t taken = 0;
        int error = ln_data_channel_write(channel, zeros, more, &taken);

        CHECK(error == 0 || error == LN_ERR_LIMIT);
        written += taken;
        if (error || taken < more)
            CHECK(pair_run(&pair, LN_MILLISECONDS(20), NULL));
    }
    return written;
}

LN_TEST(data_streaming, a_message_larger_than_both_buffers_arrives)
{
    uint64_t total = test_allocator()->fail_at != 0 ? 2u << 20 : 96u << 20;
    ln_data_channel *channel;

    connect_any_size();
    channel = pair.sides[0].channels[0];
    CHECK_EQUAL(ln_data_channel_begin_message(channel, false), 0);
    CHECK(write_all(channel, total) == total);
    CHECK_EQUAL(ln_data_channel_finish_message(channel), 0);
    CHECK(pair_run(&pair, LN_SECONDS(5), NULL));
    CHECK(seen.firsts == 1 && seen.lasts == 1);
    CHECK(seen.bytes == total);
    CHECK(seen.writable > 0);
    CHECK_EQUAL(ln_data_channel_buffered_amount(channel), 0);
    pair_free(&pair);
}

LN_TEST(data_streaming, what_the_other_side_takes_is_the_limit)
{
    static const uint8_t zeros[65536];
    ln_data_channel *channel;
    size_t taken;

    connect(NULL); /* 256 KiB, as browsers announce */
    channel = pair.sides[0].channels[0];
    CHECK_EQUAL(ln_data_channel_begin_message(channel, false), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQUAL(ln_data_channel_write(channel, zeros, sizeof zeros, &taken), 0);
    CHECK_EQUAL(ln_data_channel_write(channel, zeros, 1, &taken), LN_ERR_TOO_BIG);
    CHECK_EQUAL(ln_data_channel_finish_message(channel), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(seen.lasts == 1 && seen.bytes == 4 * sizeof zeros);
    pair_free(&pair);
}

LN_TEST(data_streaming, an_end_that_did_not_ask_for_parts_sees_a_message)
{
    ln_data_channel *channel;

    connect(NULL);
    channel = pair.sides[0].channels[0];
    CHECK_EQUAL(ln_data_channel_set_receive_parts(pair.sides[1].channels[0], false), 0);
    CHECK_EQUAL(ln_data_channel_begin_message(channel, true), 0);
    CHECK_EQUAL(write_text("in "), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK_EQUAL(write_text("pieces"), 0);
    CHECK_EQUAL(ln_data_channel_finish_message(channel), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(seen.parts == 0 && pair.sides[1].messages == 1);
    CHECK_EQUAL(pair.sides[1].last_len, 9);
    CHECK_BYTES(pair.sides[1].last_message, "in pieces", 9);
    pair_free(&pair);
}

LN_TEST(data_streaming, close_in_the_middle_gives_it_up_and_closes)
{
    size_t taken;

    for (int closer = 0; closer < 2; closer++) {
        ln_data_channel *channel;

        connect_any_size();
        channel = pair.sides[0].channels[0];
        CHECK_EQUAL(ln_data_channel_begin_message(channel, true), 0);
        CHECK_EQUAL(write_text("half a"), 0);
        CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
        ln_data_channel_close(pair.sides[closer].channels[0]);
        if (closer == 0)
            CHECK_EQUAL(ln_data_channel_write(channel, "x", 1, &taken), LN_ERR_INVALID_STATE);
        CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
        CHECK(pair.sides[0].closed == 1 && pair.sides[1].closed == 1);
        CHECK(pair.sides[0].errors == 0 && pair.sides[1].errors == 0);
        /* Who closed hears no more of it. */
        CHECK_EQUAL(seen.abandoned, closer == 0 ? 1 : 0);
        CHECK_EQUAL(seen.bytes, 5);
        CHECK_EQUAL(ln_data_channel_set_receive_parts(channel, true), LN_ERR_INVALID_STATE);
        pair_free(&pair);
    }
}

LN_TEST(data_streaming, one_given_up_leaves_the_channel_as_it_was)
{
    ln_data_channel *channel;

    connect_any_size();
    channel = pair.sides[0].channels[0];
    CHECK_EQUAL(ln_data_channel_begin_message(channel, true), 0);
    CHECK_EQUAL(write_text("half a \xc3"), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK_EQUAL(ln_data_channel_abandon_message(channel), 0);
    CHECK_EQUAL(ln_data_channel_send_text(channel, "all", 3), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(seen.firsts == 2 && seen.lasts == 1 && seen.abandoned == 1);
    CHECK_EQUAL(seen.bytes, 3);
    CHECK(pair.sides[0].errors == 0 && pair.sides[1].errors == 0);
    pair_free(&pair);
}

LN_TEST(data_streaming, the_end_of_the_connection_tells_what_it_cut)
{
    connect_any_size();
    CHECK_EQUAL(ln_data_channel_begin_message(pair.sides[0].channels[0], true), 0);
    CHECK_EQUAL(write_text("half a"), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    ln_peer_connection_close(pair.sides[0].pc);
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    CHECK(seen.abandoned == 1 && pair.sides[1].closed == 1);
    pair_free(&pair);
}
