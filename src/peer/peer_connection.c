/* SPDX-License-Identifier: Apache-2.0
 * RTCPeerConnection: creation, operations, configuration and attributes. */
#include "peer/peer_connection.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "crypto/certificate.h"
#include "ice/mux.h"
#include "peer/negotiation_parts.h"

#include <stdio.h>

int ln_peer_connection_create(const struct ln_configuration *configuration,
                              const struct ln_env *env, ln_peer_connection **ret_pc)
{
    struct ln_configuration defaults;
    struct ln_peer_connection *pc;
    int error;

    ln_configuration_init(&defaults);
    if (!configuration)
        configuration = &defaults;
    pc = ln_alloc_zero(env->allocator, sizeof *pc);
    if (!pc)
        return LN_ERR_NOMEM;
    pc->env = *env;
    error = ln_configuration_store_init(&pc->configuration, env->allocator, configuration);
    if (error) {
        ln_free(env->allocator, pc);
        return error;
    }
    pc->trace_object = ln_rng_u32(env->rng);
    ln_uuid_text(env->rng, pc->cname);
    ln_events_init(&pc->events, env->allocator);
    ln_ring_init(&pc->operations, env->allocator, sizeof(struct ln_operation), LN_OPERATIONS_MAX);
    ln_arena_init(&pc->transport.views, env->allocator, 1u << 20);
    ln_negotiation_init(pc);
    ln_data_init(pc);
    ln_media_init(pc);
    error = ln_transport_init(pc, configuration);
    if (error) {
        ln_peer_connection_free(pc);
        return error;
    }
    *ret_pc = pc;
    return 0;
}

void ln_peer_connection_free(ln_peer_connection *pc)
{
    size_t i;

    if (!pc)
        return;
    ln_ice_mux_remove(pc->member);
    ln_operations_clear(pc);
    ln_ring_deinit(&pc->operations);
    ln_data_deinit(pc);
    ln_media_deinit(pc);
    for (i = 0; i < pc->transceiver_count; i++)
        ln_transceiver_free(pc->transceivers[i]);
    ln_free(pc->env.allocator, pc->transceivers);
    ln_negotiation_deinit(pc);
    ln_transport_deinit(pc);
    ln_arena_deinit(&pc->transport.views);
    ln_events_deinit(&pc->events);
    ln_configuration_store_deinit(&pc->configuration);
    ln_free(pc->env.allocator, pc);
}

static void close_channels(struct ln_peer_connection *pc)
{
    LN_LIST_EACH (at, &pc->data.handles) {
        struct ln_data_channel *handle = LN_CONTAINER(at, struct ln_data_channel, link);

        handle->state = handle->shown = LN_DATA_CHANNEL_STATE_CLOSED;
    }
    ln_data_close(pc);
}

/* W3C 4.4.2: no event of the connection follows. What tells the other side (ABORT, BYE,
 * close_notify) is written at the next calls with now. */
void ln_peer_connection_close(ln_peer_connection *pc)
{
    size_t i;

    if (pc->closed)
        return;
    close_channels(pc);
    for (i = 0; i < pc->transceiver_count; i++)
        ln_transceiver_stop_now(pc->transceivers[i], false);
    ln_states_close(pc);
    pc->closed = true;
    ln_operations_clear(pc);
    ln_events_close(&pc->events);
    ln_stir(pc);
}

void ln_peer_connection_set_wall_offset(ln_peer_connection *pc, int64_t wall_offset)
{
    pc->configuration.public.wall_offset = wall_offset;
    ln_media_set_wall_offset(pc, wall_offset);
}

/* --- the operations chain */

int ln_peer_connection_create_offer(ln_peer_connection *pc, const struct ln_offer_options *options,
                                    ln_op_id *ret_op)
{
    struct ln_operation operation = { .kind = LN_OPERATION_CREATE_OFFER };

    if (options && options->size != sizeof *options)
        return LN_ERR_INVALID_ARGUMENT;
    operation.ice_restart = options && options->ice_restart;
    return ln_operations_add(pc, &operation, ret_op);
}

int ln_peer_connection_create_answer(ln_peer_connection *pc, ln_op_id *ret_op)
{
    struct ln_operation operation = { .kind = LN_OPERATION_CREATE_ANSWER };

    return ln_operations_add(pc, &operation, ret_op);
}

static int set_description(ln_peer_connection *pc, enum ln_operation_kind kind,
                           const struct ln_session_description *description, ln_op_id *ret_op)
{
    struct ln_operation operation = { .kind = kind, .type = LN_SDP_TYPE_IMPLICIT };

    if (description) {
        operation.type = description->type;
        if (description->sdp) {
            operation.text = ln_alloc_text(pc->env.allocator, description->sdp);
            if (!operation.text)
                return LN_ERR_NOMEM;
        }
    }
    return ln_operations_add(pc, &operation, ret_op);
}

int ln_peer_connection_set_local_description(ln_peer_connection *pc,
                                             const struct ln_session_description *description,
                                             ln_op_id *ret_op)
{
    return set_description(pc, LN_OPERATION_SET_LOCAL_DESCRIPTION, description, ret_op);
}

int ln_peer_connection_set_remote_description(ln_peer_connection *pc,
                                              const struct ln_session_description *description,
                                              ln_op_id *ret_op)
{
    if (!description || description->type == LN_SDP_TYPE_IMPLICIT)
        return LN_ERR_INVALID_ARGUMENT;
    return set_description(pc, LN_OPERATION_SET_REMOTE_DESCRIPTION, description, ret_op);
}

int ln_peer_connection_add_ice_candidate(ln_peer_connection *pc,
                                         const struct ln_ice_candidate_init *candidate,
                                         ln_op_id *ret_op)
{
    struct ln_operation operation = { .kind = LN_OPERATION_ADD_ICE_CANDIDATE, .m_line_index = -1 };
    struct ln_allocator *allocator = pc->env.allocator;
    bool failed = false;

#define KEEP(member, text)                                                                         \
    if (text) {                                                                                    \
        operation.member = ln_alloc_text(allocator, text);                                         \
        failed = failed || !operation.member;                                                      \
    }
    if (candidate) {
        KEEP(text, candidate->candidate)
        if (candidate->sdp_mid && candidate->sdp_mid[0]) /* "" names no section: the index does */
            KEEP(mid, candidate->sdp_mid)
        KEEP(username_fragment, candidate->username_fragment)
        operation.m_line_index = candidate->sdp_m_line_index;
    }
#undef KEEP
    operation.end_of_candidates = !candidate;
    if (!failed && candidate && !operation.mid && operation.m_line_index < 0) {
        if (operation.text && operation.text[0]) {
            ln_free(allocator, operation.text);
            ln_free(allocator, operation.username_fragment);
            return LN_ERR_INVALID_ARGUMENT; /* W3C: a TypeError */
        }
        operation.end_of_candidates = true;
    }
    if (failed) {
        ln_free(allocator, operation.text);
        ln_free(allocator, operation.mid);
        ln_free(allocator, operation.username_fragment);
        return LN_ERR_NOMEM;
    }
    return ln_operations_add(pc, &operation, ret_op);
}

int ln_peer_connection_get_stats(ln_peer_connection *pc, const ln_media_stream_track *selector,
                                 ln_op_id *ret_op)
{
    struct ln_operation operation = { .kind = LN_OPERATION_GET_STATS };
    ln_media_stream_track *track = (ln_media_stream_track *)(uintptr_t)selector;
    size_t i, found = 0;

    if (track) {
        for (i = 0; i < pc->transceiver_count; i++)
            found += (size_t)(pc->transceivers[i]->sender.track == track) +
                     (size_t)(pc->transceivers[i]->receiver.track == track);
        if (found != 1)
            return LN_ERR_INVALID_ACCESS;
        operation.track = ln_media_stream_track_ref(track);
    }
    return ln_operations_add(pc, &operation, ret_op);
}

/* --- attributes */

static bool show(struct ln_description *description, struct ln_session_description *ret)
{
    const char *text = description ? ln_description_text(description) : NULL;

    if (!text)
        return false;
    ret->type = description->type;
    ret->sdp = text;
    return true;
}

bool ln_peer_connection_local_description(ln_peer_connection *pc,
                                          struct ln_session_description *ret)
{
    return show(ln_negotiation_local(pc), ret);
}

bool ln_peer_connection_current_local_description(ln_peer_connection *pc,
                                                  struct ln_session_description *ret)
{
    return show(pc->negotiation.current_local, ret);
}

bool ln_peer_connection_pending_local_description(ln_peer_connection *pc,
                                                  struct ln_session_description *ret)
{
    return show(pc->negotiation.pending_local, ret);
}

bool ln_peer_connection_remote_description(ln_peer_connection *pc,
                                           struct ln_session_description *ret)
{
    return show(ln_negotiation_remote(pc), ret);
}

bool ln_peer_connection_current_remote_description(ln_peer_connection *pc,
                                                   struct ln_session_description *ret)
{
    return show(pc->negotiation.current_remote, ret);
}

bool ln_peer_connection_pending_remote_description(ln_peer_connection *pc,
                                                   struct ln_session_description *ret)
{
    return show(pc->negotiation.pending_remote, ret);
}

enum ln_signaling_state ln_peer_connection_signaling_state(const ln_peer_connection *pc)
{
    return pc->shown.signaling;
}

enum ln_ice_gathering_state ln_peer_connection_ice_gathering_state(const ln_peer_connection *pc)
{
    return pc->shown.gathering;
}

enum ln_ice_connection_state ln_peer_connection_ice_connection_state(const ln_peer_connection *pc)
{
    return pc->shown.ice;
}

enum ln_peer_connection_state ln_peer_connection_connection_state(const ln_peer_connection *pc)
{
    return pc->shown.connection;
}

int ln_peer_connection_can_trickle_ice_candidates(const ln_peer_connection *pc)
{
    struct ln_description *remote = ln_negotiation_remote(pc);

    if (!remote || remote->sdp->media_count == 0)
        return -1;
    return ln_sdp_has_ice_option(
        remote->sdp, &remote->sdp->media[ln_negotiation_transport_section(remote->sdp)], "trickle");
}

void ln_peer_connection_restart_ice(ln_peer_connection *pc)
{
    if (pc->closed || !ln_negotiation_local(pc))
        return;
    pc->negotiation.ice_restart = true;
    snprintf(pc->negotiation.replaced_ufrag, sizeof pc->negotiation.replaced_ufrag, "%s",
             ln_ice_local_ufrag(pc->transport.ice));
    pc->negotiation.check_needed = true;
    ln_stir(pc);
}

void ln_peer_connection_get_configuration(const ln_peer_connection *pc,
                                          struct ln_configuration *ret)
{
    *ret = pc->configuration.public;
    ret->certificates = &pc->transport.certificate;
    ret->certificate_count = 1;
}

int ln_peer_connection_set_configuration(ln_peer_connection *pc,
                                         const struct ln_configuration *configuration)
{
    const struct ln_configuration *old = &pc->configuration.public;
    struct ln_configuration_store store;
    int error;

    if (pc->closed)
        return LN_ERR_INVALID_STATE;
    if (configuration->bundle_policy != old->bundle_policy ||
        configuration->rtcp_mux_policy != old->rtcp_mux_policy ||
        configuration->ice_lite != old->ice_lite ||
        (configuration->certificate_count > 0 &&
         configuration->certificates[0] != pc->transport.certificate) ||
        (ln_negotiation_local(pc) &&
         configuration->ice_candidate_pool_size != old->ice_candidate_pool_size))
        return LN_ERR_INVALID_MODIFICATION;
    error = ln_configuration_store_init(&store, pc->env.allocator, configuration);
    if (error)
        return error;
    error = ln_transport_set_configuration(pc, &store.public);
    if (error) {
        ln_configuration_store_deinit(&store);
        return error;
    }
    ln_configuration_store_deinit(&pc->configuration);
    pc->configuration = store;
    return 0;
}

/* --- certificates */

int ln_peer_connection_generate_certificate(const struct ln_env *env,
                                            enum ln_key_algorithm algorithm, int64_t wall_now,
                                            ln_certificate **ret_certificate)
{
    return ln_certificate_generate(ret_certificate,
                                   algorithm == LN_KEY_ALGORITHM_RSA_2048 ? LN_KEY_RSA_2048
                                                                          : LN_KEY_ECDSA_P256,
                                   wall_now / 1000000, 0, env->crypto);
}

int ln_certificate_fingerprint(const ln_certificate *certificate, const char *algorithm, char *text,
                               size_t cap)
{
    if (cap < LN_FINGERPRINT_TEXT_MAX)
        return LN_ERR_NO_SPACE;
    return ln_fingerprint_format(ln_certificate_der(certificate), algorithm, text);
}
