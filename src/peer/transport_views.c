/* SPDX-License-Identifier: Apache-2.0
 * RTCDtlsTransport and RTCIceTransport (https://www.w3.org/TR/webrtc/#rtcdtlstransport-interface):
 * the public views of the one transport. */
#include "peer/negotiation.h"
#include "peer/peer_connection.h"
#include "peer/transport.h"

ln_ice_transport *ln_dtls_transport_ice_transport(ln_dtls_transport *transport)
{
    return &transport->pc->transport.ice_handle;
}

enum ln_dtls_transport_state ln_dtls_transport_state(const ln_dtls_transport *transport)
{
    return transport->pc->shown.dtls;
}

struct ln_bytes ln_dtls_transport_remote_certificate(const ln_dtls_transport *transport,
                                                     size_t index)
{
    struct ln_bytes none = { NULL, 0 };

    return index == 0 ? ln_dtls_remote_certificate(transport->pc->transport.dtls) : none;
}

enum ln_ice_role ln_ice_transport_role(const ln_ice_transport *transport)
{
    const struct ln_transport *t = &transport->pc->transport;

    if (!t->role_set)
        return LN_ICE_ROLE_UNKNOWN;
    return ln_ice_is_controlling(t->ice) ? LN_ICE_ROLE_CONTROLLING : LN_ICE_ROLE_CONTROLLED;
}

const char *ln_ice_transport_component(const ln_ice_transport *transport)
{
    (void)transport;
    return "rtp";
}

enum ln_ice_connection_state ln_ice_transport_state(const ln_ice_transport *transport)
{
    return transport->pc->shown.ice_transport;
}

enum ln_ice_gathering_state ln_ice_transport_gathering_state(const ln_ice_transport *transport)
{
    return transport->pc->shown.ice_transport_gathering;
}

static bool show_candidate(const ln_ice_transport *transport,
                           const struct ln_ice_candidate_info *info, struct ln_ice_candidate *ret)
{
    struct ln_peer_connection *pc = transport->pc;

    return ln_transport_describe_candidate(&pc->transport.views, &info->candidate, info->url,
                                           info->relay_protocol, ret);
}

bool ln_ice_transport_local_candidate(const ln_ice_transport *transport, size_t index,
                                      struct ln_ice_candidate *ret_candidate)
{
    struct ln_ice_candidate_info info;
    size_t i;

    for (i = 0; ln_ice_local_candidate(transport->pc->transport.ice, i, &info); i++)
        if (info.signalled && index-- == 0)
            return show_candidate(transport, &info, ret_candidate);
    return false;
}

bool ln_ice_transport_remote_candidate(const ln_ice_transport *transport, size_t index,
                                       struct ln_ice_candidate *ret_candidate)
{
    struct ln_ice_candidate_info info;
    size_t i;

    for (i = 0; ln_ice_remote_candidate(transport->pc->transport.ice, i, &info); i++)
        if (info.signalled && index-- == 0)
            return show_candidate(transport, &info, ret_candidate);
    return false;
}

bool ln_ice_transport_selected_candidate_pair(const ln_ice_transport *transport,
                                              struct ln_ice_candidate *ret_local,
                                              struct ln_ice_candidate *ret_remote)
{
    const struct ln_ice *ice = transport->pc->transport.ice;
    struct ln_ice_candidate_info local, remote;
    struct ln_ice_pair_info pair;
    bool has_local = false, has_remote = false;
    size_t i;

    if (!ln_ice_selected_pair(ice, &pair))
        return false;
    for (i = 0; !has_local && ln_ice_local_candidate(ice, i, &local); i++)
        has_local = local.id == pair.local_id;
    for (i = 0; !has_remote && ln_ice_remote_candidate(ice, i, &remote); i++)
        has_remote = remote.id == pair.remote_id;
    return has_local && has_remote && show_candidate(transport, &local, ret_local) &&
           show_candidate(transport, &remote, ret_remote);
}

bool ln_ice_transport_local_parameters(const ln_ice_transport *transport,
                                       const char **ret_username_fragment,
                                       const char **ret_password)
{
    if (!ln_negotiation_local(transport->pc))
        return false;
    *ret_username_fragment = ln_ice_local_ufrag(transport->pc->transport.ice);
    *ret_password = ln_ice_local_pwd(transport->pc->transport.ice);
    return true;
}

bool ln_ice_transport_remote_parameters(const ln_ice_transport *transport,
                                        const char **ret_username_fragment,
                                        const char **ret_password)
{
    const struct ln_ice *ice = transport->pc->transport.ice;

    if (!ln_ice_remote_ufrag(ice)[0])
        return false;
    *ret_username_fragment = ln_ice_remote_ufrag(ice);
    *ret_password = ln_ice_remote_pwd(ice);
    return true;
}
