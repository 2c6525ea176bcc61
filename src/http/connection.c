/* SPDX-License-Identifier: Apache-2.0
 * One connection: bytes from libwebsockets (which has taken TLS off) to requests and frames, and
 * output back, one write per writable callback. */
#include "http/connection.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <libwebsockets.h>

#define OUTPUT_CHUNKS_MAX 4096u
#define NO_DEADLINE       0u
#define FAR_SECONDS       86400u

/* Cancelling libwebsockets' timer fires it at once (4.1), so none is one far away. */
static void set_deadline(struct connection *c, unsigned seconds)
{
    lws_set_timer_usecs(c->wsi, (lws_usec_t)(seconds == NO_DEADLINE ? FAR_SECONDS : seconds) *
                                    LWS_US_PER_SEC);
}

/* ------------------------------------------------------------------ limits */

static uint64_t source_of(const struct ln_address *remote)
{
    uint8_t key[8] = { remote->family };

    memcpy(key + 1, remote->ip, remote->family == LN_FAMILY_IPV4 ? 4 : 7); /* /32, /56 */
    return ln_load64(key);
}

/* Counts one more, in all and of its source; false above a limit. */
static bool enter(struct ln_http_server *server, const struct ln_address *remote)
{
    uint64_t source = source_of(remote);
    size_t count = (size_t)(uintptr_t)ln_map_get_u64(&server->sources, source);

    if (server->connection_count >= server->config.connections ||
        count >= server->config.source_connections ||
        ln_map_set_u64(&server->sources, source, (void *)(uintptr_t)(count + 1)) != 0) {
        server->figures.refused_connections++;
        return false;
    }
    server->connection_count++;
    return true;
}

static void leave(struct ln_http_server *server, const struct ln_address *remote)
{
    uint64_t source = source_of(remote);
    size_t count = (size_t)(uintptr_t)ln_map_get_u64(&server->sources, source);

    server->connection_count--;
    if (count > 1) /* a value in its place: takes no memory */
        (void)!ln_map_set_u64(&server->sources, source, (void *)(uintptr_t)(count - 1));
    else
        ln_map_remove_u64(&server->sources, source);
}

/* ------------------------------------------------------------------ life */

static void discard_output(struct connection *c)
{
    struct chunk chunk;

    while (ln_ring_pop(&c->output, &chunk))
        if (chunk.owned)
            ln_free(c->output.allocator, (void *)(uintptr_t)chunk.data);
    c->output_bytes = c->written = 0;
}

/* The last word of libwebsockets about it. */
static void destroyed(struct connection *c)
{
    struct ln_http_server *server = c->server;
    struct ln_allocator *allocator = c->output.allocator;

    if (server) {
        ln_list_remove(&c->node);
        leave(server, &c->remote);
        if (c->websocket)
            ln_map_remove_u64(&server->websockets, c->websocket);
        if (c->reported && server->config.websocket.closed) {
            c->reported = false;
            server->config.websocket.closed(server->config.ctx, c->websocket, c->close_code);
        }
    }
    discard_output(c);
    ln_ring_deinit(&c->output);
    websocket_decoder_deinit(&c->decoder);
    ln_free(allocator, c->head);
    ln_free(allocator, c);
}

void http_connection_accept(struct ln_http_server *server, int fd, const struct ln_address *remote,
                            bool secure)
{
    struct ln_allocator *allocator = http_loop_allocator(server->loop);
    struct connection *c = ln_alloc_zero(allocator, sizeof *c);
    lws_sock_file_fd_type socket = { .sockfd = fd };
    lws_adopt_desc_t info = {
        .vh = server->vhost,
        .type = LWS_ADOPT_SOCKET | (server->tls && !secure ? LWS_ADOPT_ALLOW_SSL : 0),
        .fd = socket,
        .vh_prot_name = HTTP_PROTOCOL_SERVER,
    };

    if (c)
        c->head = ln_alloc(allocator, server->config.head_bytes);
    if (!c || !c->head || !enter(server, remote)) {
        if (c)
            ln_free(allocator, c->head);
        ln_free(allocator, c);
        close(fd);
        return;
    }
    c->server = server;
    c->remote = *remote;
    c->secure = secure || server->tls;
    c->close_code = WEBSOCKET_ABNORMAL;
    ln_list_append(&server->connections, &c->node);
    ln_ring_init(&c->output, allocator, sizeof(struct chunk), OUTPUT_CHUNKS_MAX);
    websocket_decoder_init(&c->decoder, allocator, server->config.message_bytes);
    info.opaque = c;
    c->adopting = true;
    c->wsi = lws_adopt_descriptor_vhost_via_info(&info);
    c->adopting = false;
    if (!c->wsi) { /* the socket is closed */
        if (c->gone)
            destroyed(c);
        return; /* else its destruction is still to come */
    }
    set_deadline(c, server->config.head_seconds);
}

void http_connection_abandon(struct connection *c)
{
    struct lws *wsi = c->wsi;

    c->reported = false;
    if (!wsi) { /* was never taken over; its destruction is still to come */
        ln_list_remove(&c->node);
        leave(c->server, &c->remote);
        c->server = NULL;
        return;
    }
    lws_set_opaque_user_data(wsi, NULL);
    destroyed(c);
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    lws_cancel_service(
        lws_get_context(wsi)); /* else it looks at its times when a socket has news */
}

/* ------------------------------------------------------------------ output */

int http_connection_write(struct connection *c, const struct chunk *chunk)
{
    int error = ln_ring_push(&c->output, chunk);

    if (error) {
        if (chunk->owned)
            ln_free(c->output.allocator, (void *)(uintptr_t)chunk->data);
        return error;
    }
    if (c->output.count == 1)
        set_deadline(c, c->server->config.stall_seconds);
    c->output_bytes += chunk->len;
    lws_callback_on_writable(c->wsi);
    return 0;
}

int http_websocket_send(struct connection *c, enum websocket_opcode opcode, const void *data,
                        size_t len)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];
    size_t header_len = websocket_header(header, opcode, len);
    struct chunk chunk = { .len = header_len + len, .owned = true };
    uint8_t *frame;

    if (c->output_bytes + chunk.len > c->server->config.send_queue_bytes)
        return LN_ERR_LIMIT;
    frame = ln_alloc(c->output.allocator, chunk.len);
    if (!frame)
        return LN_ERR_NOMEM;
    memcpy(frame, header, header_len);
    if (len > 0)
        memcpy(frame + header_len, data, len);
    chunk.data = frame;
    return http_connection_write(c, &chunk);
}

void http_websocket_close(struct connection *c, uint16_t code)
{
    uint8_t payload[2];

    if (c->state == CONNECTION_CLOSING)
        return;
    ln_store16(payload, code);
    c->state = CONNECTION_CLOSING;
    if (http_websocket_send(c, WEBSOCKET_CLOSE, payload, code == WEBSOCKET_NO_CODE ? 0 : 2) != 0) {
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
        return;
    }
    set_deadline(c, WEBSOCKET_CLOSE_SECONDS);
}

static void count_close(struct ln_http_figures *figures, int code)
{
    switch (code) {
    case WEBSOCKET_TOO_BIG:
        figures->closed_too_big++;
        break;
    case WEBSOCKET_BAD_TEXT:
        figures->closed_bad_text++;
        break;
    case WEBSOCKET_UNSUPPORTED:
        figures->closed_binary++;
        break;
    case WEBSOCKET_POLICY:
        figures->closed_flood++;
        break;
    default:
        figures->closed_protocol++;
    }
}

/* All output is written. Returns -1 to end the connection. */
static int output_done(struct connection *c)
{
    const struct ln_http_server_config *config = &c->server->config;

    if (c->close_after_output)
        return -1;
    switch (c->state) {
    case CONNECTION_RESPONDING:
        if (!c->keep_alive)
            return -1;
        c->state = CONNECTION_READING;
        set_deadline(c, config->idle_seconds);
        return 1;
    case CONNECTION_WEBSOCKET:
        set_deadline(c, NO_DEADLINE);
        return 0;
    case CONNECTION_CLOSING:
        set_deadline(c, WEBSOCKET_CLOSE_SECONDS);
        return 0;
    case CONNECTION_READING:
        break;
    }
    return 0;
}

static int read_requests(struct connection *c);

static int writable(struct connection *c)
{
    struct chunk *chunk = ln_ring_at(&c->output, 0);
    size_t len;
    int result;

    if (!chunk)
        return 0;
    len = chunk->len - c->written < HTTP_WRITE_BYTES ? chunk->len - c->written : HTTP_WRITE_BYTES;
    /* what the socket does not take libwebsockets keeps, and asks again only when it is gone */
    if (lws_write(c->wsi, (unsigned char *)(uintptr_t)(chunk->data + c->written), len,
                  LWS_WRITE_RAW) < (int)len)
        return -1;
    c->written += len;
    c->output_bytes -= len;
    if (c->written == chunk->len) {
        struct chunk done;

        ln_ring_pop(&c->output, &done);
        if (done.owned)
            ln_free(c->output.allocator, (void *)(uintptr_t)done.data);
        c->written = 0;
    }
    if (c->output.count > 0) {
        set_deadline(c, c->server->config.stall_seconds);
        lws_callback_on_writable(c->wsi);
        return 0;
    }
    result = output_done(c);
    if (result == 1) /* the next request may have come with the last */
        result = read_requests(c);
    if (result == 0 && (c->output.count > 0 || c->close_after_output))
        lws_callback_on_writable(c->wsi);
    return result;
}

/* ------------------------------------------------------------------ input */

static bool ping_allowed(struct connection *c)
{
    double most = c->server->config.pings_per_minute;
    ln_time now = ln_http_loop_now(c->server->loop);

    c->pings += (double)(now - c->pings_at) / 60e9 * most;
    if (c->pings > most)
        c->pings = most;
    c->pings_at = now;
    if (c->pings < 1)
        return false;
    c->pings -= 1;
    return true;
}

static void take_event(struct connection *c, const struct websocket_event *event)
{
    struct ln_http_server *server = c->server;

    switch (event->opcode) {
    case WEBSOCKET_TEXT:
        if (c->state == CONNECTION_WEBSOCKET)
            server->config.websocket.message(server->config.ctx, c->websocket, event->data,
                                             event->len);
        break;
    case WEBSOCKET_PING:
        if (!ping_allowed(c)) {
            server->figures.closed_flood++;
            c->close_code = WEBSOCKET_POLICY;
            http_websocket_close(c, WEBSOCKET_POLICY);
            c->close_after_output = true; /* who floods is not waited for */
        } else if (c->state == CONNECTION_WEBSOCKET &&
                   http_websocket_send(c, WEBSOCKET_PONG, event->data, event->len) != 0) {
            http_websocket_close(c, WEBSOCKET_TRY_LATER);
        }
        break;
    case WEBSOCKET_CLOSE:
        c->close_after_output = true;
        if (c->state == CONNECTION_WEBSOCKET) {
            c->close_code = event->code;
            http_websocket_close(c, event->code);
        }
        lws_callback_on_writable(c->wsi);
        break;
    default: /* pongs need no answer */
        break;
    }
}

static int read_frames(struct connection *c, const uint8_t *data, size_t len)
{
    struct websocket_event event;
    int result;

    while (c->server && !c->close_after_output &&
           (result = websocket_decode(&c->decoder, &data, &len, &event)) != 0) {
        if (result < 0) {
            count_close(&c->server->figures, -result);
            if (c->state == CONNECTION_WEBSOCKET)
                c->close_code = (uint16_t)-result;
            http_websocket_close(c, (uint16_t)-result);
            c->close_after_output = true; /* nothing that follows can be understood */
            break;
        }
        take_event(c, &event);
    }
    if (c->close_after_output && c->output.count == 0)
        return -1;
    return 0;
}

/* Takes the first complete head from the buffer, if there is one. */
static int read_requests(struct connection *c)
{
    const struct ln_http_server_config *config = &c->server->config;
    size_t length = http_head_length(c->head, c->head_len);
    struct http_head head;
    int status, result;

    if (c->head_len > 0 && length == 0)
        set_deadline(c, config->head_seconds);
    if (length == 0 && c->head_len < config->head_bytes)
        return 0;
    c->state = CONNECTION_RESPONDING;
    status = length == 0 ? 431 : http_head_parse(c->head, length, &head);
    c->server->figures.requests++;
    if (status) {
        c->server->figures.bad_requests++;
        return http_respond_status(c, status, false);
    }
    c->keep_alive = head.keep_alive;
    result = http_respond(c, &head);
    if (result == 0 && c->server) {
        memmove(c->head, c->head + length, c->head_len - length);
        c->head_len -= length;
        if (c->state == CONNECTION_WEBSOCKET && c->head_len > 0) {
            result = read_frames(c, (const uint8_t *)c->head, c->head_len);
            c->head_len = 0;
        }
    }
    return result;
}

static int received(struct connection *c, const uint8_t *data, size_t len)
{
    const struct ln_http_server_config *config = &c->server->config;

    if (c->websocket)
        return read_frames(c, data, len);
    while (len > 0) {
        size_t room = config->head_bytes - c->head_len, piece = len < room ? len : room;
        int result;

        if (piece == 0)
            return c->close_after_output ? 0 : -1; /* pipelined more than one head's worth */
        memcpy(c->head + c->head_len, data, piece);
        c->head_len += piece;
        data += piece;
        len -= piece;
        if (c->close_after_output) {
            c->head_len = 0;
            continue;
        }
        if (c->state == CONNECTION_READING) {
            result = read_requests(c);
            if (result || !c->server)
                return result;
            if (c->websocket)
                return len > 0 ? read_frames(c, data, len) : 0;
        }
    }
    return 0;
}

static int timed_out(struct connection *c)
{
    if (c->state == CONNECTION_WEBSOCKET && c->output.count == 0) {
        set_deadline(c, NO_DEADLINE); /* a day has passed */
        return 0;
    }
    c->server->figures.timeouts++;
    if (c->state == CONNECTION_READING && c->head_len > 0) {
        c->state = CONNECTION_RESPONDING;
        return http_respond_status(c, 408, false);
    }
    return -1;
}

int http_connection_callback(struct lws *wsi, int reason, void *in, size_t len)
{
    struct connection *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;

    switch (reason) {
    case LWS_CALLBACK_RAW_RX:
        return c ? received(c, in, len) : -1;
    case LWS_CALLBACK_RAW_WRITEABLE:
        return c ? writable(c) : -1;
    case LWS_CALLBACK_TIMER:
        return c ? timed_out(c) : -1;
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_WSI_DESTROY:
        if (c && c->adopting) {
            c->gone = c->gone || reason == LWS_CALLBACK_WSI_DESTROY;
        } else if (c) {
            lws_set_opaque_user_data(wsi, NULL);
            destroyed(c);
        }
        return 0;
    default:
        return 0;
    }
}
