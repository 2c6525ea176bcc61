/* SPDX-License-Identifier: Apache-2.0
 * Relays: their own streams and sockets to the server, as the driver opens and closes them
 * (ice/relay.h). */
#include "ice/agent.h"

#include "base/address.h"

void ln_ice_relay_drop_stream(struct ln_ice_relay *relay)
{
    if (relay->stream == LN_ICE_STREAM_WANTED)
        relay->stream = LN_ICE_STREAM_NONE;
    else if (relay->stream == LN_ICE_STREAM_ASKED)
        relay->stream = LN_ICE_STREAM_CANCEL;
}

int ln_ice_relays_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++) {
        struct ln_ice_relay *relay = ice->relays[i];

        if (relay->stream == LN_ICE_STREAM_WANTED) {
            relay->stream = LN_ICE_STREAM_ASKED;
            relay->request = ln_ice_new_request(ice);
            *ret_request = (struct ln_request){ .kind = ln_ice_way_is_stream(relay)
                                                            ? LN_REQUEST_OPEN_TCP
                                                            : LN_REQUEST_OPEN_UDP,
                                                .id = relay->request,
                                                .local = relay->base,
                                                .remote = relay->server };
            ret_request->local.port = 0;
            if (ln_address_is_loopback(&relay->server) != ln_address_is_loopback(&relay->base))
                ret_request->local.family = LN_FAMILY_NONE; /* a proxy: the system chooses */
            return 1;
        }
        if (relay->stream == LN_ICE_STREAM_CLOSING || relay->stream == LN_ICE_STREAM_CANCEL) {
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE, .id = relay->request };
            ret_request->link = relay->stream == LN_ICE_STREAM_CLOSING ? relay->via : 0;
            relay->stream = LN_ICE_STREAM_NONE;
            relay->via = 0;
            ice->wake = ice->wake || relay->adrift;
            if (!relay->generation)
                ln_ice_relay_free(ice, i);
            return 1;
        }
    }
    return 0;
}

static bool relay_answer(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now,
                         const struct ln_answer *answer)
{
    bool asked = relay->stream == LN_ICE_STREAM_ASKED && relay->request == answer->id;
    bool open = relay->stream == LN_ICE_STREAM_OPEN && relay->via == answer->link;

    if (answer->kind == LN_ANSWER_OPENED && asked) {
        relay->stream = LN_ICE_STREAM_OPEN;
        relay->via = answer->link;
        relay->room = answer->bytes;
        if (!ln_ice_way_is_stream(relay))
            relay->base = answer->local;
        ln_ice_way_opened(relay, now);
        return true;
    }
    if (answer->kind == LN_ANSWER_OPENED && relay->stream == LN_ICE_STREAM_CANCEL &&
        relay->request == answer->id) { /* before the driver heard that it is not wanted any more */
        relay->stream = LN_ICE_STREAM_CLOSING;
        relay->via = answer->link;
        return true;
    }
    if (answer->kind == LN_ANSWER_WRITABLE && open) {
        relay->room = answer->bytes;
        return true;
    }
    if ((answer->kind != LN_ANSWER_FAILED || !asked) && (answer->kind != LN_ANSWER_CLOSED || !open))
        return false;
    relay->stream = LN_ICE_STREAM_NONE;
    relay->via = 0;
    if (relay->generation && !relay->failed && !ln_ice_relay_uproot(ice, relay, now))
        ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_UNREACHABLE);
    return true;
}

bool ln_ice_relays_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++)
        if (relay_answer(ice, ice->relays[i], now, answer))
            return true;
    return false;
}
