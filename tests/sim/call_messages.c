/* SPDX-License-Identifier: Apache-2.0
 * Data channels of a call: messages whose content is known, and what must have arrived of them. */
#include "base/bytes.h"
#include "base/time.h"
#include "tests/sim/call_internal.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_HEAD 13u /* number, time, kind */

static const char *const kind_labels[CHANNEL_KINDS] = { "ordered", "unordered", "lossy", "timed" };

struct flow *call_new_flow(struct party *party, ln_data_channel *channel)
{
    struct flow *flow = &party->flows[party->flow_count];

    CHECK(party->flow_count < CALL_CHANNELS);
    memset(flow, 0, sizeof *flow);
    flow->channel = channel;
    flow->kind = CHANNEL_KINDS;
    for (unsigned i = 0; i < CHANNEL_KINDS; i++)
        if (strcmp(ln_data_channel_label(channel), kind_labels[i]) == 0)
            flow->kind = i;
    CHECK(flow->kind < CHANNEL_KINDS);
    ln_data_channel_set_user_data(channel, flow);
    party->flow_count++;
    return flow;
}

void call_create_channels(struct party *party, unsigned mask)
{
    for (unsigned i = 0; i < CHANNEL_KINDS; i++) {
        struct ln_data_channel_init init;
        ln_data_channel *channel;

        if (!(mask & 1u << i))
            continue;
        ln_data_channel_init_init(&init);
        init.ordered = i == CHANNEL_ORDERED || i == CHANNEL_TIMED;
        if (i == CHANNEL_LOSSY)
            init.max_retransmits = 0;
        if (i == CHANNEL_TIMED)
            init.max_packet_life_time = (int32_t)(CHANNEL_LIFETIME / 1000000);
        if (call_fine(party, ln_peer_connection_create_data_channel(party->pc, kind_labels[i],
                                                                    &init, &channel)))
            call_new_flow(party, channel);
    }
}

static uint8_t pattern(uint32_t number, size_t at)
{
    return (uint8_t)(number * 31 + at * 7 + (at >> 8));
}

/* Sizes cover one byte of content to the maximum, small ones more often. */
static size_t message_size(struct call *call)
{
    uint32_t max = call->scenario->message_max ? call->scenario->message_max : 2000;
    uint32_t kind = ln_rng_below(&call->net.chance, 4);

    return MESSAGE_HEAD + ln_rng_below(&call->net.chance, kind == 0 ? max : max / 16 + 1);
}

static void send_message(struct party *party, struct flow *flow)
{
    struct call *call = party->call;
    size_t len = message_size(call);
    uint8_t *data = malloc(len);
    int error;

    CHECK(data != NULL);
    ln_store32(data, flow->sent);
    ln_store64(data + 4, (uint64_t)call->net.now);
    data[12] = (uint8_t)flow->kind;
    for (size_t i = MESSAGE_HEAD; i < len; i++)
        data[i] = pattern(flow->sent, i);
    error = ln_data_channel_send(flow->channel, data, len);
    free(data);
    if (call->lenient ? call_fine(party, error) : error == 0)
        flow->sent++;
    else
        CHECK(call->lenient || error == LN_ERR_LIMIT || flow->closed);
}

void call_on_message(struct party *party, const struct ln_event *event)
{
    struct flow *flow = ln_data_channel_user_data(event->u.message.channel);
    const uint8_t *data = event->u.message.data;
    size_t len = event->u.message.len;
    uint32_t number;
    ln_duration age;

    CHECK(len >= MESSAGE_HEAD && !event->u.message.text);
    CHECK(data[12] == flow->kind);
    number = ln_load32(data);
    age = party->call->net.now - (ln_time)ln_load64(data + 4);
    for (size_t i = MESSAGE_HEAD; i < len; i++)
        if (data[i] != pattern(number, i))
            CHECK(!"a message was changed on its way");
    CHECK(number < CALL_MESSAGES_MAX);
    CHECK(flow->seen[number] == 0); /* exactly once, or at most once */
    flow->seen[number] = 1;
    flow->received++;
    if (flow->kind == CHANNEL_ORDERED)
        CHECK(number == flow->next_expected);
    if (flow->kind == CHANNEL_TIMED) {
        CHECK(number >= flow->next_expected);
        CHECK(age < LN_SECONDS(20));
    }
    flow->next_expected = number + 1;
}

/* A message on each channel at a time; again a little later. */
void call_send_messages(struct call *call)
{
    bool left = false;

    if (call->net.now < call->next_message || call->opened == LN_TIME_NEVER || call->all_sent)
        return;
    for (int p = 0; p < 2; p++) {
        struct party *party = &call->parties[p];

        for (size_t i = 0; i < party->flow_count && !party->gave_up; i++) {
            struct flow *flow = &party->flows[i];

            if (!flow->open || flow->closed || flow->sent >= call->scenario->messages)
                continue;
            left = true;
            if (!call->net.hosts[p].stopped)
                send_message(party, flow);
        }
    }
    call->all_sent = !left;
    call->next_message = call->net.now + LN_MILLISECONDS(5) +
                         (ln_duration)ln_rng_below(&call->net.chance, 60) * 1000000;
}

bool call_is_reliable(const struct flow *flow)
{
    return flow->kind == CHANNEL_ORDERED || flow->kind == CHANNEL_UNORDERED;
}

static const struct flow *opposite(const struct call *call, const struct party *party,
                                   const struct flow *flow)
{
    const struct party *other = &call->parties[1 - party->index];

    for (size_t i = 0; i < other->flow_count; i++)
        if (ln_data_channel_id(other->flows[i].channel) == ln_data_channel_id(flow->channel))
            return &other->flows[i];
    CHECK(!"a channel has no other end");
    return NULL;
}

bool call_delivered(struct call *call)
{
    if (!call->all_sent)
        return false;
    for (int p = 0; p < 2; p++)
        for (size_t i = 0; i < call->parties[p].flow_count; i++) {
            const struct flow *flow = &call->parties[p].flows[i];

            if (call_is_reliable(flow) &&
                opposite(call, &call->parties[p], flow)->received != flow->sent)
                return false;
        }
    return true;
}
