/* SPDX-License-Identifier: Apache-2.0
 * Links: a peer connection with one data channel to a participant of the meeting's room.
 *
 * A link that was closed or broke lives on for a moment, so that its farewell leaves and whoever is
 * just handling an event of it finds it there; its timer frees it. */
#include "cli/meeting_internal.h"
#include "crypto/certificate.h"

#include <linnet/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_LABEL "transfer"
#define OPEN_WITHIN   LN_SECONDS(20) /* of dialling */
#define SILENT_FOR    LN_SECONDS(6)  /* disconnected so long is broken */
#define REAP_AFTER    LN_MILLISECONDS(300)
#define LAST_WORDS    LN_MILLISECONDS(1500) /* for what was said last to arrive */
#define LINKS_MAX     16u

static void kill_link(struct link *link)
{
    link->state = LINK_DEAD;
    ln_peer_connection_close(link->pc);
    ln_loop_touch(link->handle);
    ln_loop_timer_set(&link->timer, ln_loop_now(link->meeting->loop) + REAP_AFTER);
}

static void break_link(struct link *link, const char *sentence)
{
    bool wanted = link->state == LINK_OPENING || link->state == LINK_OPEN;

    if (link->state != LINK_DEAD)
        kill_link(link);
    if (wanted)
        link->meeting->config.broken(link->meeting->config.ctx, link, sentence);
}

void link_close(struct link *link)
{
    if (link->state != LINK_DEAD)
        kill_link(link);
}

void link_close_soon(struct link *link)
{
    if (link->state != LINK_OPEN) {
        link_close(link);
        return;
    }
    link->state = LINK_CLOSING;
    ln_loop_timer_set(&link->timer, ln_loop_now(link->meeting->loop) + LAST_WORDS);
}

void link_free(struct link *link)
{
    ln_loop_timer_deinit(&link->timer);
    ln_loop_remove_endpoint(link->handle);
    ln_peer_connection_free(link->pc);
    ln_list_remove(&link->in_meeting);
    link->meeting->link_count--;
    free(link);
}

static void on_link_timer(void *ctx, ln_time now)
{
    struct link *link = ctx;

    (void)now;
    if (link->state == LINK_DEAD)
        link_free(link);
    else if (link->state == LINK_CLOSING)
        kill_link(link);
    else if (link->state == LINK_OPENING)
        break_link(link, "no path to the other side was found in time");
    else if (link->connection != LN_PEER_CONNECTION_STATE_CONNECTED)
        break_link(link, "nothing comes from the other side any more");
}

static void send_local_description(struct link *link)
{
    struct ln_session_description description;

    if (ln_peer_connection_local_description(link->pc, &description) && description.sdp)
        (void)!ln_room_session_send_description(
            &link->meeting->session, link->id, ln_sdp_type_name(description.type), description.sdp);
}

static void on_operation(struct link *link, const struct ln_event *event)
{
    if (event->u.operation.op != link->local_op && event->u.operation.op != link->remote_op)
        return; /* of a candidate: one that does not fit does no harm */
    if (event->u.operation.error.error) {
        break_link(link, event->u.operation.error.message);
    } else if (event->u.operation.op == link->local_op) {
        send_local_description(link);
    } else if (ln_peer_connection_signaling_state(link->pc) != LN_SIGNALING_STATE_STABLE &&
               ln_peer_connection_set_local_description(link->pc, NULL, &link->local_op) != 0) {
        break_link(link, "no answer could be made");
    }
}

static void on_connection(struct link *link, ln_time now, enum ln_peer_connection_state state)
{
    link->connection = state;
    if (link->state == LINK_CLOSING)
        return; /* its time is set */
    if (state == LN_PEER_CONNECTION_STATE_FAILED)
        break_link(link, link->state == LINK_OPEN ? "the connection was lost"
                                                  : "no path to the other side was found");
    else if (state == LN_PEER_CONNECTION_STATE_DISCONNECTED && link->state == LINK_OPEN)
        ln_loop_timer_set(&link->timer, now + SILENT_FOR);
}

static void on_channel_event(struct link *link, const struct ln_event *event)
{
    struct meeting *m = link->meeting;

    switch (event->kind) {
    case LN_EVENT_DATA_CHANNEL:
        if (!link->channel && strcmp(ln_data_channel_label(event->u.channel), CHANNEL_LABEL) == 0)
            link->channel = event->u.channel;
        break;
    case LN_EVENT_OPEN:
        if (event->u.channel != link->channel)
            break;
        link->state = LINK_OPEN;
        ln_loop_timer_set(&link->timer, LN_TIME_NEVER);
        ln_data_channel_set_buffered_amount_low_threshold(link->channel, MEETING_BUFFER_LOW);
        m->config.open(m->config.ctx, link);
        break;
    case LN_EVENT_MESSAGE:
        if (event->u.message.channel == link->channel && !event->u.message.text &&
            link->state == LINK_OPEN)
            m->config.message(m->config.ctx, link, event->u.message.data, event->u.message.len);
        break;
    case LN_EVENT_BUFFERED_AMOUNT_LOW:
        if (event->u.channel == link->channel && link->state == LINK_OPEN)
            m->config.writable(m->config.ctx, link);
        break;
    case LN_EVENT_CLOSE:
        if (event->u.channel == link->channel)
            break_link(link, "the other side closed the connection");
        break;
    default:
        break;
    }
}

static void on_candidate_out(struct link *link, const struct ln_event *event)
{
    const struct ln_ice_candidate *c = &event->u.ice_candidate.candidate;

    if (!event->u.ice_candidate.last)
        (void)!ln_room_session_send_candidate(&link->meeting->session, link->id, c->candidate,
                                              c->sdp_mid, c->sdp_m_line_index,
                                              c->username_fragment);
}

static void after(void *ctx, ln_time now)
{
    struct link *link = ctx;
    struct ln_event event;

    while (link->state != LINK_DEAD && ln_peer_connection_poll_event(link->pc, &event) == 1) {
        if (event.kind == LN_EVENT_OPERATION_DONE)
            on_operation(link, &event);
        else if (event.kind == LN_EVENT_ICE_CANDIDATE)
            on_candidate_out(link, &event);
        else if (event.kind == LN_EVENT_CONNECTION_STATE_CHANGE)
            on_connection(link, now, event.u.connection_state);
        else
            on_channel_event(link, &event);
    }
    ln_loop_touch(link->handle);
}

static int create_connection(struct link *link)
{
    struct meeting *m = link->meeting;
    struct ln_configuration configuration;

    ln_configuration_init(&configuration);
    configuration.ice_servers = m->ice.servers;
    configuration.ice_server_count = m->ice.count;
    configuration.include_loopback = m->config.loopback;
    configuration.network.http_proxy = m->config.proxy;
    configuration.network.ice_tcp = m->config.ice_tcp;
    configuration.wall_offset = ln_loop_wall_offset(m->loop);
    configuration.certificates = &m->certificate;
    configuration.certificate_count = 1;
    if (m->config.relay_only)
        configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    return ln_peer_connection_create(&configuration, ln_driver_env(m->driver), &link->pc);
}

static int create_link(struct meeting *m, const char *id, struct link **ret_link)
{
    struct link *link;
    int error;

    if (m->link_count == LINKS_MAX || strlen(id) >= sizeof link->id)
        return LN_ERR_LIMIT;
    link = calloc(1, sizeof *link);
    if (!link)
        return LN_ERR_NOMEM;
    link->meeting = m;
    snprintf(link->id, sizeof link->id, "%s", id);
    ln_list_append(&m->links, &link->in_meeting);
    m->link_count++;
    error = create_connection(link);
    if (!error)
        error = ln_loop_timer_init(m->loop, &link->timer, on_link_timer, link);
    if (!error)
        error = ln_loop_add_endpoint(m->loop, ln_peer_connection_endpoint(link->pc), after, link,
                                     &link->handle);
    if (error) {
        link_free(link);
        return error;
    }
    ln_loop_timer_set(&link->timer, ln_loop_now(m->loop) + OPEN_WITHIN);
    *ret_link = link;
    return 0;
}

int meeting_dial(struct meeting *m, const char *id, struct link **ret_link)
{
    struct link *link;
    int error = create_link(m, id, &link);

    if (error)
        return error;
    error = ln_peer_connection_create_data_channel(link->pc, CHANNEL_LABEL, NULL, &link->channel);
    if (!error)
        error = ln_peer_connection_set_local_description(link->pc, NULL, &link->local_op);
    ln_loop_touch(link->handle);
    if (error)
        kill_link(link);
    else
        *ret_link = link;
    return error;
}

int link_send(struct link *link, const uint8_t *data, size_t len)
{
    int error = link->state == LINK_OPEN ? ln_data_channel_send(link->channel, data, len)
                                         : LN_ERR_INVALID_STATE;

    ln_loop_touch(link->handle);
    return error;
}

size_t link_buffered(const struct link *link)
{
    return link->state == LINK_OPEN ? (size_t)ln_data_channel_buffered_amount(link->channel) : 0;
}

const char *link_id(const struct link *link)
{
    return link->id;
}

void link_set_user_data(struct link *link, void *user_data)
{
    link->user_data = user_data;
}

void *link_user_data(const struct link *link)
{
    return link->user_data;
}

struct ln_bytes link_own_certificate(const struct link *link)
{
    return ln_certificate_der(link->meeting->certificate);
}

static ln_dtls_transport *transport_of(const struct link *link)
{
    ln_sctp_transport *sctp = ln_peer_connection_sctp(link->pc);

    return sctp ? ln_sctp_transport_transport(sctp) : NULL;
}

struct ln_bytes link_other_certificate(const struct link *link)
{
    ln_dtls_transport *dtls = transport_of(link);

    return dtls ? ln_dtls_transport_remote_certificate(dtls, 0) : (struct ln_bytes){ NULL, 0 };
}

/* A path is as long as its farther end. */
const char *link_path(const struct link *link)
{
    static const char *const types[] = { "relay", "srflx", "prflx", "host" };
    ln_dtls_transport *dtls = link->state == LINK_OPEN ? transport_of(link) : NULL;
    struct ln_ice_candidate local, remote;

    if (!dtls || !ln_ice_transport_selected_candidate_pair(ln_dtls_transport_ice_transport(dtls),
                                                           &local, &remote))
        return "";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((local.type && strcmp(local.type, types[i]) == 0) ||
            (remote.type && strcmp(remote.type, types[i]) == 0))
            return types[i];
    return "";
}

bool link_alive(const struct link *link)
{
    return link->state == LINK_OPEN && link->connection == LN_PEER_CONNECTION_STATE_CONNECTED;
}

struct link *link_find(struct meeting *m, const char *id)
{
    LN_LIST_EACH (at, &m->links) {
        struct link *link = LN_CONTAINER(at, struct link, in_meeting);

        if (link->state != LINK_DEAD && strcmp(link->id, id) == 0)
            return link;
    }
    return NULL;
}

/* An offer replaces what there was with this participant. */
void link_take_offer(struct meeting *m, const char *from, const char *sdp)
{
    struct ln_session_description description = { LN_SDP_TYPE_OFFER, sdp };
    struct link *link = link_find(m, from);

    if (link)
        break_link(link, "the other side connects again");
    if (create_link(m, from, &link) != 0)
        return;
    if (ln_peer_connection_set_remote_description(link->pc, &description, &link->remote_op) != 0)
        kill_link(link);
    ln_loop_touch(link->handle);
}

void link_take_answer(struct link *link, const char *sdp)
{
    struct ln_session_description description = { LN_SDP_TYPE_ANSWER, sdp };

    if (ln_peer_connection_set_remote_description(link->pc, &description, &link->remote_op) == 0)
        ln_loop_touch(link->handle);
}

void link_take_candidate(struct link *link, const struct ln_ice_candidate_init *candidate)
{
    ln_op_id op;

    if (ln_peer_connection_add_ice_candidate(link->pc, candidate, &op) == 0)
        ln_loop_touch(link->handle);
}
