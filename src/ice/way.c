/* SPDX-License-Identifier: Apache-2.0
 * Ways to servers (ice/way.h): datagrams as they are, DTLS records, a stream of frames, or that
 * inside TLS. Certificates are verified up to the system's roots and against the name of the URL
 * (RFC 8489, 6.2.3); ALPN says "stun.turn" (RFC 7443). A stream may lead to an HTTP proxy, which
 * makes a tunnel of it first (stun/proxy.h). */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"

#include <string.h>

bool ln_ice_way_is_stream(const struct ln_ice_way *way)
{
    return way->over == LN_ICE_OVER_TCP || way->over == LN_ICE_OVER_TLS;
}

static const char protocol[] = "stun.turn";

static int make_session(struct ln_ice *ice, struct ln_ice_way *way)
{
    static const char *const alpn[] = { protocol };
    struct ln_session_config config = { .is_client = true,
                                        .is_datagram = way->over == LN_ICE_OVER_DTLS,
                                        .alpn = alpn,
                                        .alpn_count = 1,
                                        .server_name = way->domain ? way->domain : way->to->host,
                                        .verify = LN_SESSION_VERIFY_CHAIN };

    if (!ice->env->crypto)
        return LN_ERR_NOT_SUPPORTED;
    way->plain = ln_alloc(ice->env->allocator, LN_ICE_WAY_PLAIN_MAX);
    if (!way->plain)
        return LN_ERR_NOMEM;
    return ln_session_create(&way->session, &config, ice->env->crypto, ice->env);
}

static void begin_inside(struct ln_ice_way *way, ln_time now)
{
    if (way->session)
        ln_session_start(way->session, now);
}

static void opened(struct ln_ice_way *way, ln_time now)
{
    if (way->tunnel == LN_ICE_TUNNEL_CLOSED)
        way->tunnel = LN_ICE_TUNNEL_WANTED;
    else
        begin_inside(way, now);
}

static int open_way(struct ln_ice *ice, struct ln_ice_way *way, ln_time now)
{
    int error = 0;

    if (way->to->proxied)
        way->tunnel = LN_ICE_TUNNEL_CLOSED;
    memset(&way->answer, 0, sizeof way->answer);
    way->frames = (struct ln_stun_stream){ .allocator = ice->env->allocator,
                                           .limit = LN_ICE_WAY_FRAME_MAX };
    if (way->over == LN_ICE_OVER_TLS || way->over == LN_ICE_OVER_DTLS)
        error = make_session(ice, way);
    if (error)
        return error;
    if (ln_ice_way_is_stream(way) || way->own)
        way->stream = LN_ICE_STREAM_WANTED;
    else
        opened(way, now);
    return 0;
}

unsigned ln_ice_way_text(const struct ln_ice_way *way, unsigned text)
{
    if (way->tunnel == LN_ICE_TUNNEL_NONE || way->tunnel == LN_ICE_TUNNEL_OPEN)
        return text;
    if (ln_proxy_wants_credentials(way->answer.status))
        return LN_ICE_TEXT_PROXY_CREDENTIALS;
    if (way->answer.status >= 300)
        return LN_ICE_TEXT_PROXY_REFUSED;
    switch (text) {
    case LN_ICE_TEXT_TIMEOUT:
        return LN_ICE_TEXT_PROXY_TIMEOUT;
    case LN_ICE_TEXT_UNREACHABLE: /* or it hung up without a word */
        return way->tunnel == LN_ICE_TUNNEL_CLOSED ? LN_ICE_TEXT_PROXY_UNREACHABLE
                                                   : LN_ICE_TEXT_PROXY_REFUSED;
    default:
        return LN_ICE_TEXT_PROXY_NONSENSE;
    }
}

int ln_ice_way_begin(struct ln_ice *ice, struct ln_ice_way *way, ln_time now)
{
    const char *domain = way->domain;

    way->domain = NULL;
    if (domain && !(way->domain = ln_alloc_text(ice->env->allocator, domain)))
        return LN_ERR_NOMEM;
    return open_way(ice, way, now);
}

static void close_way(struct ln_ice *ice, struct ln_ice_way *way)
{
    ln_session_free(way->session);
    ln_free(ice->env->allocator, way->plain);
    way->session = NULL;
    way->plain = NULL;
    way->rest.len = way->plain_rest.len = 0;
    if (way->frames.allocator)
        ln_stun_stream_deinit(&way->frames);
}

int ln_ice_way_reopen(struct ln_ice *ice, struct ln_ice_way *way, ln_time now)
{
    close_way(ice, way);
    return open_way(ice, way, now);
}

void ln_ice_way_end(struct ln_ice *ice, struct ln_ice_way *way)
{
    close_way(ice, way);
    ln_free(ice->env->allocator, way->domain);
    way->domain = NULL;
}

int ln_ice_way_run(struct ln_ice_way *way, ln_time now)
{
    if (!way->session)
        return 0;
    if (ln_time_due(ln_session_next_timeout(way->session), now))
        ln_session_on_timeout(way->session, now);
    switch (ln_session_state(way->session)) {
    case LN_SESSION_CLOSED:
    case LN_SESSION_FAILED:
        return LN_ERR_CLOSED;
    default:
        return 0;
    }
}

ln_time ln_ice_way_next_timeout(const struct ln_ice_way *way)
{
    return way->session ? ln_session_next_timeout(way->session) : LN_TIME_NEVER;
}

bool ln_ice_way_ready(const struct ln_ice_way *way)
{
    if (way->link == 0 ||
        ((ln_ice_way_is_stream(way) || way->own) && way->stream != LN_ICE_STREAM_OPEN))
        return false;
    if (way->tunnel != LN_ICE_TUNNEL_NONE && way->tunnel != LN_ICE_TUNNEL_OPEN)
        return false;
    return !way->session || ln_session_state(way->session) == LN_SESSION_ESTABLISHED;
}

/* --- the driver ---------------------------------------------------------------------------- */

void ln_ice_way_drop(struct ln_ice_way *way)
{
    if (way->stream == LN_ICE_STREAM_WANTED)
        way->stream = LN_ICE_STREAM_NONE;
    else if (way->stream == LN_ICE_STREAM_ASKED)
        way->stream = LN_ICE_STREAM_CANCEL;
}

static void ask_to_open(struct ln_ice *ice, struct ln_ice_way *way, struct ln_request *ret_request)
{
    way->stream = LN_ICE_STREAM_ASKED;
    way->request = ln_ice_new_request(ice);
    *ret_request = (struct ln_request){ .kind = ln_ice_way_is_stream(way) ? LN_REQUEST_OPEN_TCP
                                                                          : LN_REQUEST_OPEN_UDP,
                                        .id = way->request,
                                        .local = way->base,
                                        .remote = way->server };
    if (!way->from_port)
        ret_request->local.port = 0;
    if (ln_address_is_loopback(&way->server) != ln_address_is_loopback(&way->base))
        ret_request->local.family = LN_FAMILY_NONE; /* a proxy: the system chooses */
}

int ln_ice_way_poll_request(struct ln_ice *ice, struct ln_ice_way *way,
                            struct ln_request *ret_request)
{
    if (way->stream == LN_ICE_STREAM_WANTED) {
        ask_to_open(ice, way, ret_request);
        return 1;
    }
    if (way->stream != LN_ICE_STREAM_CLOSING && way->stream != LN_ICE_STREAM_CANCEL)
        return 0;
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE, .id = way->request };
    ret_request->link = way->stream == LN_ICE_STREAM_CLOSING ? way->link : 0;
    way->stream = LN_ICE_STREAM_NONE;
    way->link = 0;
    return 1;
}

enum ln_ice_way_news ln_ice_way_answer(struct ln_ice_way *way, ln_time now,
                                       const struct ln_answer *answer)
{
    bool asked = way->stream == LN_ICE_STREAM_ASKED && way->request == answer->id;
    bool open = way->stream == LN_ICE_STREAM_OPEN && way->link == answer->link;

    if (answer->kind == LN_ANSWER_OPENED && asked) {
        way->stream = LN_ICE_STREAM_OPEN;
        way->link = answer->link;
        way->room = answer->bytes;
        if (!ln_ice_way_is_stream(way))
            way->base = answer->local;
        opened(way, now);
        return LN_ICE_WAY_TAKEN;
    }
    if (answer->kind == LN_ANSWER_OPENED && way->stream == LN_ICE_STREAM_CANCEL &&
        way->request == answer->id) { /* before the driver heard that it is not wanted any more */
        way->stream = LN_ICE_STREAM_CLOSING;
        way->link = answer->link;
        return LN_ICE_WAY_TAKEN;
    }
    if (answer->kind == LN_ANSWER_WRITABLE && open) {
        way->room = answer->bytes;
        return LN_ICE_WAY_TAKEN;
    }
    if ((answer->kind != LN_ANSWER_FAILED || !asked) && (answer->kind != LN_ANSWER_CLOSED || !open))
        return LN_ICE_WAY_NOT_MINE;
    way->stream = LN_ICE_STREAM_NONE;
    way->link = 0;
    return LN_ICE_WAY_LOST;
}

/* --- out ----------------------------------------------------------------------------------- */

size_t ln_ice_way_head(const struct ln_ice_way *way)
{
    return way->over == LN_ICE_OVER_DTLS ? ln_session_headroom(way->session) : 0;
}

/* Asks the proxy for the server of the URL, or for the one that was named in its place. */
static int ask_proxy(const struct ln_ice *ice, struct ln_ice_way *way, uint8_t *out, size_t cap)
{
    char host[LN_ADDRESS_TEXT_MAX];

    if (!way->to)
        return 0;
    way->tunnel = LN_ICE_TUNNEL_ASKED;
    if (way->target.family != LN_FAMILY_NONE)
        return ln_proxy_request(ice->proxy, ln_address_format_ip(&way->target, host),
                                way->target.port, protocol, out, cap);
    return ln_proxy_request(ice->proxy, way->to->host, way->to->port, protocol, out, cap);
}

/* What the tunnel or the session itself has to say; its length or 0. */
static int say_itself(const struct ln_ice *ice, struct ln_ice_way *way, uint8_t *out, size_t cap)
{
    int len = 0;

    if (way->tunnel == LN_ICE_TUNNEL_WANTED && way->stream == LN_ICE_STREAM_OPEN)
        len = ask_proxy(ice, way, out, cap);
    else if (way->session && way->link != 0 &&
             ((!ln_ice_way_is_stream(way) && !way->own) || way->stream == LN_ICE_STREAM_OPEN))
        len = ln_session_poll_output(way->session, out, cap);
    if (len > 0 && ln_ice_way_is_stream(way))
        way->room -= (size_t)len < way->room ? (size_t)len : way->room;
    return len;
}

/* The session wants to read from elsewhere than it writes to. */
static int wrap_tls(struct ln_ice_way *way, ln_time now, uint8_t *out, size_t len, size_t cap)
{
    uint8_t plain[LN_TURN_CLIENT_MESSAGE_MAX];
    int n;

    if (len > sizeof plain)
        return LN_ERR_TOO_BIG;
    memcpy(plain, out, len);
    n = ln_session_wrap(way->session, now, plain, len, out, cap);
    ln_wipe(plain, len);
    return n != 0 ? n : ln_session_poll_output(way->session, out, cap);
}

int ln_ice_way_wrap(struct ln_ice_way *way, ln_time now, uint8_t *out, size_t len, size_t cap)
{
    int n = (int)len;

    if (way->over == LN_ICE_OVER_DTLS)
        return ln_session_wrap(way->session, now, out + ln_session_headroom(way->session), len, out,
                               cap);
    if (way->over == LN_ICE_OVER_TLS)
        n = wrap_tls(way, now, out, len, cap);
    if (n > 0 && ln_ice_way_is_stream(way))
        way->room -= (size_t)n < way->room ? (size_t)n : way->room;
    return n;
}

int ln_ice_way_transmit(struct ln_ice *ice, struct ln_ice_way *way, ln_time now,
                        ln_ice_way_message_fn message, void *owner, struct ln_transmit *out)
{
    size_t head = ln_ice_way_head(way);
    int len;

    ln_transmit_begin(out);
    len = say_itself(ice, way, out->data, out->cap);
    if (len == 0 && ln_ice_way_ready(way)) {
        len = message(ice, owner, now, out->data + head, out->cap - head - LN_ICE_TAILROOM);
        if (len > 0)
            len = ln_ice_way_wrap(way, now, out->data, (size_t)len, out->cap);
    }
    if (len <= 0)
        return len;
    out->len = (size_t)len;
    out->path = (struct ln_path){ way->link, way->base, way->server };
    return 1;
}

/* --- in ------------------------------------------------------------------------------------ */

/* The next plain bytes of the session, into way->plain. */
static int unwrap_session(struct ln_ice_way *way, ln_time now)
{
    size_t before;
    int n;

    do { /* 0 with a rest: the state has just changed */
        before = way->rest.len;
        n = ln_session_unwrap(way->session, now, &way->rest, way->plain, LN_ICE_WAY_PLAIN_MAX);
    } while (n == 0 && way->rest.len > 0 && way->rest.len < before);
    return n > 0 ? n : 0; /* an end is seen by ln_ice_way_run() */
}

int ln_ice_way_read(struct ln_ice_way *way, ln_time now, struct ln_bytes *ret_bytes)
{
    struct ln_bytes *from = way->over == LN_ICE_OVER_TCP ? &way->rest : &way->plain_rest;
    int n;

    if (from->len == 0 && way->over != LN_ICE_OVER_TCP) {
        n = unwrap_session(way, now);
        *from = (struct ln_bytes){ way->plain, (size_t)n };
    }
    *ret_bytes = *from;
    from->len = 0;
    return ret_bytes->len > 0;
}

int ln_ice_way_next(struct ln_ice_way *way, ln_time now, struct ln_bytes *ret_message)
{
    int n;

    if (way->tunnel != LN_ICE_TUNNEL_NONE && way->tunnel != LN_ICE_TUNNEL_OPEN) {
        n = ln_proxy_answer_read(&way->answer, &way->rest);
        if (n <= 0)
            return n;
        way->tunnel = LN_ICE_TUNNEL_OPEN;
        begin_inside(way, now);
    }
    if (way->over == LN_ICE_OVER_TCP)
        return ln_stun_stream_next(&way->frames, &way->rest, ret_message);
    if (way->over == LN_ICE_OVER_DTLS) {
        n = unwrap_session(way, now);
        *ret_message = (struct ln_bytes){ way->plain, (size_t)n };
        return n > 0;
    }
    for (;;) {
        n = ln_stun_stream_next(&way->frames, &way->plain_rest, ret_message);
        if (n != 0)
            return n;
        n = unwrap_session(way, now);
        if (n == 0)
            return 0;
        way->plain_rest = (struct ln_bytes){ way->plain, (size_t)n };
    }
}
