/* SPDX-License-Identifier: Apache-2.0
 * The way from a relay's client to its server (RFC 8656, 3.1): datagrams as they are, DTLS records,
 * a stream of frames, or that inside TLS. Certificates are verified up to the system's roots and
 * against the name of the URL (RFC 8489, 6.2.3); ALPN says "stun.turn" (RFC 7443). A stream may
 * lead to an HTTP proxy, which makes a tunnel of it first (stun/proxy.h).
 *
 * Sessions are made here and asked for their state; nothing of TURN is known but when it may begin.
 */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"

#include <string.h>

bool ln_ice_way_is_stream(const struct ln_ice_relay *relay)
{
    return relay->over == LN_ICE_OVER_TCP || relay->over == LN_ICE_OVER_TLS;
}

static const char protocol[] = "stun.turn";

static int make_session(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    static const char *const alpn[] = { protocol };
    const struct ln_ice_server_entry *server =
        &relay->generation->servers->entries[relay->server_index];
    struct ln_session_config config = { .is_client = true,
                                        .is_datagram = relay->over == LN_ICE_OVER_DTLS,
                                        .alpn = alpn,
                                        .alpn_count = 1,
                                        .server_name = relay->domain ? relay->domain : server->host,
                                        .verify = LN_SESSION_VERIFY_CHAIN };

    if (!ice->env->crypto)
        return LN_ERR_NOT_SUPPORTED;
    relay->plain = ln_alloc(ice->env->allocator, LN_ICE_RELAY_PLAIN_MAX);
    if (!relay->plain)
        return LN_ERR_NOMEM;
    return ln_session_create(&relay->session, &config, ice->env->crypto, ice->env);
}

/* Messages may be sent: the first Allocate is, or the one that moves the allocation here. */
static void arrive(struct ln_ice_relay *relay, ln_time now)
{
    ln_turn_client_start(relay->turn, now); /* once */
    if (relay->arriving) {
        relay->arriving = false;
        relay->move_by = LN_TIME_NEVER;
        (void)ln_turn_client_move(relay->turn, now);
    }
}

static void begin_inside(struct ln_ice_relay *relay, ln_time now)
{
    if (relay->session)
        ln_session_start(relay->session, now);
    else
        arrive(relay, now);
}

void ln_ice_way_opened(struct ln_ice_relay *relay, ln_time now)
{
    if (relay->tunnel == LN_ICE_TUNNEL_CLOSED)
        relay->tunnel = LN_ICE_TUNNEL_WANTED;
    else
        begin_inside(relay, now);
}

static int open_way(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    int error = 0;

    if (relay->generation->servers->entries[relay->server_index].proxied)
        relay->tunnel = LN_ICE_TUNNEL_CLOSED;
    memset(&relay->answer, 0, sizeof relay->answer);
    relay->frames = (struct ln_stun_stream){ .allocator = ice->env->allocator,
                                             .limit = LN_ICE_RELAY_FRAME_MAX };
    if (relay->over == LN_ICE_OVER_TLS || relay->over == LN_ICE_OVER_DTLS)
        error = make_session(ice, relay);
    if (error)
        return error;
    if (ln_ice_way_is_stream(relay) || relay->own)
        relay->stream = LN_ICE_STREAM_WANTED;
    else
        ln_ice_way_opened(relay, now);
    return 0;
}

unsigned ln_ice_way_text(const struct ln_ice_relay *relay, unsigned text)
{
    if (relay->tunnel == LN_ICE_TUNNEL_NONE || relay->tunnel == LN_ICE_TUNNEL_OPEN)
        return text;
    if (ln_proxy_wants_credentials(relay->answer.status))
        return LN_ICE_TEXT_PROXY_CREDENTIALS;
    if (relay->answer.status >= 300)
        return LN_ICE_TEXT_PROXY_REFUSED;
    switch (text) {
    case LN_ICE_TEXT_TIMEOUT:
        return LN_ICE_TEXT_PROXY_TIMEOUT;
    case LN_ICE_TEXT_UNREACHABLE: /* or it hung up without a word */
        return relay->tunnel == LN_ICE_TUNNEL_CLOSED ? LN_ICE_TEXT_PROXY_UNREACHABLE
                                                     : LN_ICE_TEXT_PROXY_REFUSED;
    default:
        return LN_ICE_TEXT_PROXY_NONSENSE;
    }
}

int ln_ice_way_begin(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    const char *domain = relay->domain;

    relay->domain = NULL;
    relay->give_up_at = relay->over == LN_ICE_OVER_UDP && !relay->own ? LN_TIME_NEVER
                                                                      : now + LN_ICE_RELAY_DEADLINE;
    if (domain && !(relay->domain = ln_alloc_text(ice->env->allocator, domain)))
        return LN_ERR_NOMEM;
    return open_way(ice, relay, now);
}

static void close_way(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    ln_session_free(relay->session);
    ln_free(ice->env->allocator, relay->plain);
    relay->session = NULL;
    relay->plain = NULL;
    relay->rest.len = relay->plain_rest.len = 0;
    if (relay->frames.allocator)
        ln_stun_stream_deinit(&relay->frames);
}

int ln_ice_way_reopen(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    close_way(ice, relay);
    return open_way(ice, relay, now);
}

void ln_ice_way_end(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    close_way(ice, relay);
    ln_free(ice->env->allocator, relay->domain);
}

int ln_ice_way_run(struct ln_ice_relay *relay, ln_time now)
{
    if (!relay->session)
        return 0;
    if (ln_time_due(ln_session_next_timeout(relay->session), now))
        ln_session_on_timeout(relay->session, now);
    switch (ln_session_state(relay->session)) {
    case LN_SESSION_ESTABLISHED:
        arrive(relay, now);
        return 0;
    case LN_SESSION_CLOSED:
    case LN_SESSION_FAILED:
        return LN_ERR_CLOSED;
    default:
        return 0;
    }
}

ln_time ln_ice_way_next_timeout(const struct ln_ice_relay *relay)
{
    return relay->session ? ln_session_next_timeout(relay->session) : LN_TIME_NEVER;
}

bool ln_ice_way_ready(const struct ln_ice_relay *relay)
{
    if (relay->adrift ||
        ((ln_ice_way_is_stream(relay) || relay->own) && relay->stream != LN_ICE_STREAM_OPEN))
        return false;
    if (relay->tunnel != LN_ICE_TUNNEL_NONE && relay->tunnel != LN_ICE_TUNNEL_OPEN)
        return false;
    return !relay->session || ln_session_state(relay->session) == LN_SESSION_ESTABLISHED;
}

/* --- out ----------------------------------------------------------------------------------- */

size_t ln_ice_way_head(const struct ln_ice_relay *relay)
{
    return relay->over == LN_ICE_OVER_DTLS ? ln_session_headroom(relay->session) : 0;
}

/* Asks the proxy for the server of the URL, or for the one that was named in its place. */
static int ask_proxy(const struct ln_ice *ice, struct ln_ice_relay *relay, uint8_t *out, size_t cap)
{
    const struct ln_ice_server_entry *server;
    char host[LN_ADDRESS_TEXT_MAX];

    if (!relay->generation)
        return 0;
    server = &relay->generation->servers->entries[relay->server_index];
    relay->tunnel = LN_ICE_TUNNEL_ASKED;
    if (relay->target.family != LN_FAMILY_NONE)
        return ln_proxy_request(ice->proxy, ln_address_format_ip(&relay->target, host),
                                relay->target.port, protocol, out, cap);
    return ln_proxy_request(ice->proxy, server->host, server->port, protocol, out, cap);
}

int ln_ice_way_poll(const struct ln_ice *ice, struct ln_ice_relay *relay, uint8_t *out, size_t cap)
{
    int len = 0;

    if (relay->tunnel == LN_ICE_TUNNEL_WANTED && relay->stream == LN_ICE_STREAM_OPEN)
        len = ask_proxy(ice, relay, out, cap);
    else if (relay->session && !relay->adrift &&
             ((!ln_ice_way_is_stream(relay) && !relay->own) || relay->stream == LN_ICE_STREAM_OPEN))
        len = ln_session_poll_output(relay->session, out, cap);
    if (len > 0 && ln_ice_way_is_stream(relay))
        relay->room -= (size_t)len < relay->room ? (size_t)len : relay->room;
    return len;
}

/* The session wants to read from elsewhere than it writes to. */
static int wrap_tls(struct ln_ice_relay *relay, ln_time now, uint8_t *out, size_t len, size_t cap)
{
    uint8_t plain[LN_TURN_CLIENT_MESSAGE_MAX];
    int n;

    if (len > sizeof plain)
        return LN_ERR_TOO_BIG;
    memcpy(plain, out, len);
    n = ln_session_wrap(relay->session, now, plain, len, out, cap);
    ln_wipe(plain, len);
    return n != 0 ? n : ln_session_poll_output(relay->session, out, cap);
}

int ln_ice_way_wrap(struct ln_ice_relay *relay, ln_time now, uint8_t *out, size_t len, size_t cap)
{
    int n = (int)len;

    if (relay->over == LN_ICE_OVER_DTLS)
        return ln_session_wrap(relay->session, now, out + ln_session_headroom(relay->session), len,
                               out, cap);
    if (relay->over == LN_ICE_OVER_TLS)
        n = wrap_tls(relay, now, out, len, cap);
    if (n > 0 && ln_ice_way_is_stream(relay))
        relay->room -= (size_t)n < relay->room ? (size_t)n : relay->room;
    return n;
}

/* --- in ------------------------------------------------------------------------------------ */

/* The next plain bytes of the session, into relay->plain. */
static int unwrap_session(struct ln_ice_relay *relay, ln_time now)
{
    size_t before;
    int n;

    do { /* 0 with a rest: the state has just changed */
        before = relay->rest.len;
        n = ln_session_unwrap(relay->session, now, &relay->rest, relay->plain,
                              LN_ICE_RELAY_PLAIN_MAX);
    } while (n == 0 && relay->rest.len > 0 && relay->rest.len < before);
    return n > 0 ? n : 0; /* an end is seen by ln_ice_way_run() */
}

int ln_ice_way_next(struct ln_ice_relay *relay, ln_time now, struct ln_bytes *ret_message)
{
    int n;

    if (relay->tunnel != LN_ICE_TUNNEL_NONE && relay->tunnel != LN_ICE_TUNNEL_OPEN) {
        n = ln_proxy_answer_read(&relay->answer, &relay->rest);
        if (n <= 0)
            return n;
        relay->tunnel = LN_ICE_TUNNEL_OPEN;
        begin_inside(relay, now);
    }
    if (relay->over == LN_ICE_OVER_TCP)
        return ln_stun_stream_next(&relay->frames, &relay->rest, ret_message);
    if (relay->over == LN_ICE_OVER_DTLS) {
        n = unwrap_session(relay, now);
        *ret_message = (struct ln_bytes){ relay->plain, (size_t)n };
        return n > 0;
    }
    for (;;) {
        n = ln_stun_stream_next(&relay->frames, &relay->plain_rest, ret_message);
        if (n != 0)
            return n;
        n = unwrap_session(relay, now);
        if (n == 0)
            return 0;
        relay->plain_rest = (struct ln_bytes){ relay->plain, (size_t)n };
    }
}
