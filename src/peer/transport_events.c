/* SPDX-License-Identifier: Apache-2.0
 * What ICE and DTLS tell, as events of the connection: candidates, their errors, states. */
#include "base/alloc.h"
#include "peer/negotiation.h"
#include "peer/peer_connection.h"
#include "peer/transport.h"

#include <string.h>

bool ln_transport_describe_candidate(struct ln_arena *arena, const struct ln_candidate *candidate,
                                     const char *url, const char *relay_protocol,
                                     struct ln_ice_candidate *ret)
{
    char line[LN_CANDIDATE_TEXT_MAX], ip[LN_ADDRESS_TEXT_MAX];
    int len = ln_candidate_write(candidate, line, sizeof line);
    bool failed = false;

#define KEEP(text) ln_arena_text(arena, (text), strlen(text))
    memset(ret, 0, sizeof *ret);
    ret->sdp_m_line_index = -1;
    ret->candidate = len < 0 ? NULL : KEEP(line);
    ret->foundation = KEEP(candidate->foundation);
    ret->component = candidate->component == 1 ? "rtp" : "rtcp";
    ret->priority = candidate->priority;
    ret->address = candidate->name[0] ? KEEP(candidate->name)
                                      : KEEP(ln_address_format_ip(&candidate->address, ip));
    ret->protocol = ln_candidate_protocol_name(candidate->protocol);
    ret->port = candidate->address.port;
    ret->type = ln_candidate_type_name(candidate->type);
    if (candidate->tcp_type != LN_CANDIDATE_TCP_NONE)
        ret->tcp_type = ln_candidate_tcp_type_name(candidate->tcp_type);
    failed = !ret->candidate || !ret->foundation || !ret->address;
    if (candidate->related.family != LN_FAMILY_NONE) {
        ret->related_address = KEEP(ln_address_format_ip(&candidate->related, ip));
        ret->related_port = candidate->related.port;
        failed = failed || !ret->related_address;
    }
    ret->username_fragment = candidate->ufrag[0] ? KEEP(candidate->ufrag) : NULL;
    ret->url = url ? KEEP(url) : NULL;
    ret->relay_protocol = relay_protocol; /* a constant */
#undef KEEP
    return !failed;
}

/* A fixed block for the texts of one candidate event. */
struct candidate_texts {
    char line[LN_CANDIDATE_TEXT_MAX], address[LN_CANDIDATE_NAME_MAX + 1];
    char related[LN_ADDRESS_TEXT_MAX], foundation[LN_CANDIDATE_FOUNDATION_MAX + 1];
    char ufrag[LN_CANDIDATE_UFRAG_MAX + 1], mid[LN_MID_TEXT], url[300];
};

static void push_candidate(struct ln_peer_connection *pc, const struct ln_ice_event *from)
{
    struct ln_event event = { .kind = LN_EVENT_ICE_CANDIDATE };
    struct ln_ice_candidate *shown = &event.u.ice_candidate.candidate;
    struct candidate_texts *texts;
    struct ln_arena arena;
    const char *mid;
    int line;

    ln_arena_init(&arena, pc->env.allocator, sizeof *texts * 2);
    texts = ln_alloc_zero(pc->env.allocator, sizeof *texts);
    if (texts &&
        ln_transport_describe_candidate(&arena, &from->candidate.candidate, from->candidate.url,
                                        from->candidate.relay_protocol, shown)) {
        ln_negotiation_local_candidate(pc, shown->candidate, &mid, &line);
#define MOVE(member, room)                                                                         \
    if (shown->member) {                                                                           \
        strncpy(texts->room, shown->member, sizeof texts->room - 1);                               \
        shown->member = texts->room;                                                               \
    }
        MOVE(candidate, line)
        MOVE(address, address)
        MOVE(related_address, related)
        MOVE(foundation, foundation)
        MOVE(username_fragment, ufrag)
        MOVE(url, url)
        shown->sdp_mid = mid;
        MOVE(sdp_mid, mid)
#undef MOVE
        shown->sdp_m_line_index = line;
        ln_events_push(&pc->events, &event, texts);
    } else {
        ln_free(pc->env.allocator, texts);
        pc->events.dropped++;
    }
    ln_arena_deinit(&arena);
}

/* The end of a generation: the empty candidate (W3C 5.6.1.3). The null candidate follows when the
 * gathering state has changed. */
static void push_end_of_candidates(struct ln_peer_connection *pc)
{
    struct ln_event event = { .kind = LN_EVENT_ICE_CANDIDATE };
    struct ln_ice_candidate *shown = &event.u.ice_candidate.candidate;
    struct candidate_texts *texts = ln_alloc_zero(pc->env.allocator, sizeof *texts);
    const char *mid;

    if (!texts)
        return;
    shown->candidate = texts->line;
    ln_negotiation_local_candidate(pc, NULL, &mid, &shown->sdp_m_line_index);
    strncpy(texts->mid, mid ? mid : "", sizeof texts->mid - 1);
    strncpy(texts->ufrag, ln_ice_local_ufrag(pc->transport.ice), sizeof texts->ufrag - 1);
    shown->sdp_mid = texts->mid;
    shown->username_fragment = texts->ufrag;
    ln_events_push(&pc->events, &event, texts);
}

static void push_candidate_error(struct ln_peer_connection *pc, const struct ln_ice_event *from)
{
    struct texts {
        char url[300], text[128], address[LN_ADDRESS_TEXT_MAX];
    } *texts = ln_alloc_zero(pc->env.allocator, sizeof *texts);
    struct ln_event event = { .kind = LN_EVENT_ICE_CANDIDATE_ERROR };

    if (!texts)
        return;
    strncpy(texts->url, from->error.url ? from->error.url : "", sizeof texts->url - 1);
    memcpy(texts->text, from->error.text, sizeof texts->text);
    event.u.ice_candidate_error.url = texts->url;
    event.u.ice_candidate_error.error_text = texts->text;
    event.u.ice_candidate_error.error_code = from->error.code;
    if (from->error.address.family != LN_FAMILY_NONE) {
        event.u.ice_candidate_error.address = ln_address_format_ip(&from->error.address,
                                                                   texts->address);
        event.u.ice_candidate_error.port = from->error.address.port;
    }
    ln_events_push(&pc->events, &event, texts);
}

static void process_ice(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_event selected = { .kind = LN_EVENT_SELECTED_CANDIDATE_PAIR_CHANGE };
    struct ln_transport *t = &pc->transport;
    struct ln_ice_event event;

    while (ln_ice_poll_event(t->ice, &event)) {
        switch (event.kind) {
        case LN_ICE_EVENT_GATHERING_STATE:
            if (event.gathering_state == LN_ICE_GATHERING_STATE_COMPLETE)
                push_end_of_candidates(pc);
            t->gathering_state = event.gathering_state;
            ln_states_update(pc);
            break;
        case LN_ICE_EVENT_CANDIDATE:
            push_candidate(pc, &event);
            break;
        case LN_ICE_EVENT_CANDIDATE_ERROR:
            push_candidate_error(pc, &event);
            break;
        case LN_ICE_EVENT_STATE:
            t->ice_state = event.state;
            ln_states_update(pc);
            break;
        case LN_ICE_EVENT_SELECTED_PAIR:
            ln_push_event(pc, &selected);
            ln_media_path_changed(pc, now);
            if (pc->data.channels)
                ln_data_channels_path_changed(pc->data.channels, now);
            break;
        case LN_ICE_EVENT_ROLE:
            break;
        }
    }
}

static void push_dtls_error(struct ln_peer_connection *pc, const struct ln_dtls_event *from)
{
    struct ln_event event = { .kind = LN_EVENT_DTLS_TRANSPORT_ERROR };
    struct ln_rtc_error *error = &event.u.error.error;

    error->error = LN_ERR_OPERATION;
    error->detail = from->error == LN_ERR_FINGERPRINT ? LN_ERROR_DETAIL_FINGERPRINT_FAILURE
                                                      : LN_ERROR_DETAIL_DTLS_FAILURE;
    error->message = ln_error_sentence(from->error);
    error->sdp_line_number = error->sctp_cause_code = -1;
    error->received_alert = from->alert && from->alert_was_received ? from->alert : -1;
    error->sent_alert = from->alert && !from->alert_was_received ? from->alert : -1;
    ln_push_event(pc, &event);
}

static void process_dtls(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_transport *t = &pc->transport;
    struct ln_dtls_event event;

    while (ln_dtls_poll_event(t->dtls, &event)) {
        t->dtls_state = event.state;
        if (event.state == LN_DTLS_STATE_FAILED && !pc->closed)
            push_dtls_error(pc, &event);
        ln_states_update(pc);
        if (event.state == LN_DTLS_STATE_CONNECTED) {
            ln_media_keyed(pc);
            ln_data_start(pc, now);
            ln_transport_receive_dtls(pc, now, NULL, 0); /* what overtook the handshake */
        } else if (event.state == LN_DTLS_STATE_CLOSED || event.state == LN_DTLS_STATE_FAILED) {
            ln_data_close(pc);
        }
    }
}

void ln_transport_process(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_transport *t = &pc->transport;
    struct ln_path path;

    process_ice(pc, now);
    ln_dtls_set_writable(t->dtls, ln_ice_send_path(t->ice, &path));
    process_dtls(pc, now);
}
