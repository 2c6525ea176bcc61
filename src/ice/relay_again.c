/* SPDX-License-Identifier: Apache-2.0
 * Relays that ask once more: the server that was named in place of the first (RFC 8489, 10), or the
 * same one from another port of ours (RFC 8656, 7.4). Each is a relay in the place of the one that
 * asked before, and knows whom that one has asked. */
#include "ice/agent.h"

#include "base/address.h"

#include <string.h>

/* A public server does not send us into a network of ours: what stands there is not meant. */
static bool may_follow(const struct ln_ice_relay *relay, const struct ln_address *other)
{
    if (relay->way.tunnel != LN_ICE_TUNNEL_NONE) /* it is the proxy that would go there */
        return ln_candidate_may_check(other) && !ln_candidate_is_inside(other);
    return other->family == relay->way.base.family && ln_candidate_may_check(other) &&
           (!ln_candidate_is_inside(other) || ln_candidate_is_inside(&relay->way.server)) &&
           ln_address_is_loopback(other) == ln_address_is_loopback(&relay->way.base);
}

/* One that asks once more, with what this one knows. */
static struct ln_ice_relay again(const struct ln_ice_relay *relay)
{
    struct ln_ice_relay model = { .generation = relay->generation,
                                  .way = { .over = relay->way.over,
                                           .base = relay->way.base,
                                           .server = relay->way.server,
                                           .target = relay->way.target,
                                           .domain = relay->way.domain }, /* is copied */
                                  .streams = relay->streams,
                                  .server_index = relay->server_index,
                                  .interface = relay->interface,
                                  .preference = relay->preference,
                                  .redirects = relay->redirects,
                                  .renewals = relay->renewals,
                                  .elsewhere = relay->elsewhere };

    memcpy(model.tried, relay->tried, sizeof model.tried);
    return model;
}

bool ln_ice_relay_try_elsewhere(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    struct ln_ice_relay model = again(relay);

    model.way.own = !ln_ice_way_is_stream(&relay->way);
    if (relay->done || ++model.elsewhere > LN_ICE_ELSEWHERE_MAX ||
        !ln_ice_relay_start(ice, &model, now))
        return false;
    ln_ice_relay_release(ice, relay);
    return true;
}

void ln_ice_relay_redirect(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    struct ln_ice_relay model = again(relay);
    struct ln_address other;
    char domain[256];
    size_t i;

    ln_turn_client_alternate(relay->turn, &other, domain);
    for (i = 0; i <= relay->redirects && !ln_address_equal(&relay->tried[i], &other); i++)
        ;
    if (i <= relay->redirects || relay->redirects == LN_ICE_REDIRECTS_MAX ||
        !may_follow(relay, &other)) {
        ln_ice_relay_failed(ice, relay, 300, LN_ICE_TEXT_LOOP);
        return;
    }
    model.redirects++;
    model.way.own = relay->way.own;
    if (!relay->way.stream)
        model.way.link = relay->way.link;
    if (relay->way.tunnel != LN_ICE_TUNNEL_NONE)
        model.way.target = other;
    else
        model.way.server = other;
    if (domain[0])
        model.way.domain = domain;
    if (ln_ice_relay_start(ice, &model, now))
        ln_ice_relay_release(ice, relay);
    else
        ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_UNREACHABLE);
}
