/* SPDX-License-Identifier: Apache-2.0
 * Relays: their own streams and sockets to the server, as the driver opens and closes them
 * (ice/relay.h). */
#include "ice/agent.h"

int ln_ice_relays_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++) {
        struct ln_ice_relay *relay = ice->relays[i];

        if (!ln_ice_way_poll_request(ice, &relay->way, ret_request))
            continue;
        if (relay->way.stream == LN_ICE_STREAM_NONE) {
            ice->wake = ice->wake || relay->adrift;
            if (!relay->generation)
                ln_ice_relay_free(ice, i);
        }
        return 1;
    }
    return 0;
}

bool ln_ice_relays_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++) {
        struct ln_ice_relay *relay = ice->relays[i];
        enum ln_ice_way_news news = ln_ice_way_answer(&relay->way, now, answer);

        if (news == LN_ICE_WAY_NOT_MINE)
            continue;
        if (news == LN_ICE_WAY_LOST && relay->generation && !relay->failed &&
            !ln_ice_relay_uproot(ice, relay, now))
            ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_UNREACHABLE);
        return true;
    }
    return false;
}
