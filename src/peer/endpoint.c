/* SPDX-License-Identifier: Apache-2.0
 * A peer connection as an endpoint (linnet/endpoint.h): what comes in, what is due, what goes out,
 * and the events for its owner. */
#include "base/time.h"
#include "peer/negotiation_parts.h"
#include "peer/peer_connection.h"

#define SETTLING_ROUNDS 8

/* What follows from any call with now: events of the layers, and whether to negotiate. */
static void process(struct ln_peer_connection *pc, ln_time now)
{
    pc->now = now;
    ln_transport_process(pc, now);
    ln_media_process(pc, now);
    ln_states_update(pc);
    ln_negotiation_check(pc);
}

void ln_peer_connection_receive(ln_peer_connection *pc, ln_time now, struct ln_packet *packet)
{
    ln_transport_receive(pc, now, packet);
    process(pc, now);
}

/* One layer's work may give another something to do at once; a few rounds settle it. */
void ln_peer_connection_on_timeout(ln_peer_connection *pc, ln_time now)
{
    int round;

    pc->now = now;
    ln_arena_deinit(&pc->transport.views);
    for (round = 0; round < SETTLING_ROUNDS; round++) {
        pc->stirred = false;
        ln_operations_run(pc, now);
        ln_transport_on_timeout(pc, now);
        ln_media_on_timeout(pc, now);
        process(pc, now);
        if (!ln_time_due(ln_peer_connection_next_timeout(pc), now))
            break;
    }
}

ln_time ln_peer_connection_next_timeout(const ln_peer_connection *pc)
{
    if (pc->stirred)
        return LN_TIME_IMMEDIATE;
    return ln_time_min(ln_transport_next_timeout(pc), ln_media_next_timeout(pc));
}

int ln_peer_connection_poll_transmit(ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    return ln_transport_poll_transmit(pc, now, out);
}

int ln_peer_connection_poll_request(ln_peer_connection *pc, struct ln_request *ret_request)
{
    return ln_ice_poll_request(pc->transport.ice, ret_request);
}

void ln_peer_connection_answer(ln_peer_connection *pc, ln_time now, const struct ln_answer *answer)
{
    ln_ice_answer(pc->transport.ice, now, answer);
    process(pc, now);
}

int ln_peer_connection_poll_event(ln_peer_connection *pc, struct ln_event *ret_event)
{
    struct ln_event event;

    do
        if (!ln_events_pop(&pc->events, &event) && (pc->closed || !ln_data_poll_event(pc, &event)))
            return 0;
    while (ln_data_is_released(&event));
    ln_states_show(pc, &event);
    ln_data_show(&event);
    ln_media_show(&event);
    *ret_event = event;
    return 1;
}

static void endpoint_receive(void *object, ln_time now, struct ln_packet *packet)
{
    ln_peer_connection_receive(object, now, packet);
}

static void endpoint_on_timeout(void *object, ln_time now)
{
    ln_peer_connection_on_timeout(object, now);
}

static ln_time endpoint_next_timeout(const void *object)
{
    return ln_peer_connection_next_timeout(object);
}

static int endpoint_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    return ln_peer_connection_poll_transmit(object, now, out);
}

static int endpoint_poll_request(void *object, struct ln_request *ret_request)
{
    return ln_peer_connection_poll_request(object, ret_request);
}

static void endpoint_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    ln_peer_connection_answer(object, now, answer);
}

struct ln_endpoint ln_peer_connection_endpoint(ln_peer_connection *pc)
{
    static const struct ln_endpoint_ops ops = { endpoint_receive,      endpoint_on_timeout,
                                                endpoint_next_timeout, endpoint_poll_transmit,
                                                endpoint_poll_request, endpoint_answer };
    struct ln_endpoint endpoint = { &ops, pc };

    return endpoint;
}

const char *ln_peer_connection_drop_reason(const ln_peer_connection *pc, size_t index,
                                           uint64_t *ret_count)
{
#define LN_X(name, text) text,
    static const char *const names[] = { LN_TRANSPORT_DROP_TABLE(LN_X) };
#undef LN_X

    if (index < LN_ICE_DROPS) {
        *ret_count = ln_ice_dropped(pc->transport.ice, (enum ln_ice_drop)index);
        return ln_ice_drop_name((enum ln_ice_drop)index);
    }
    index -= LN_ICE_DROPS;
    if (index >= LN_TRANSPORT_DROPS)
        return NULL;
    *ret_count = pc->transport.dropped[index];
    return names[index];
}
