/* SPDX-License-Identifier: Apache-2.0
 * The wire has two halves: `ln_wire` on the loop's thread, `far_end` on the control thread. Each is
 * touched by its thread only; between them go posted messages. The far end dies by the last message
 * of the near one, the near end lives until the far end's last message has come back, so that no
 * message ever meets a freed half. */
#include "client/wire.h"

#include "base/alloc.h"
#include "http/websocket_client.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

struct far_end {
    struct ln_wire *near; /* as an address only */
    struct ln_loop *loop;
    struct ln_http_loop *control;
    struct ln_allocator *allocator;
    char *url, *proxy;
    bool insecure;
    struct ln_websocket_client *socket;
    uint32_t generation;
};

struct ln_wire {
    struct ln_wire_config config;
    struct far_end *far;
    uint32_t generation; /* of the socket whose news count */
    bool freed;
};

enum letter_kind {
    LETTER_OPEN,
    LETTER_SEND,
    LETTER_CLOSE,
    LETTER_CUT,
    LETTER_FREE,
    LETTER_OPENED,
    LETTER_MESSAGE,
    LETTER_CLOSED,
    LETTER_FREED,
};

/* Either way; the receiver frees it. */
struct letter {
    enum letter_kind kind;
    struct ln_allocator *allocator;
    struct ln_wire *wire;
    struct far_end *far;
    uint32_t generation;
    unsigned code;
    size_t len;
    char text[];
};

static struct letter *write_letter(struct far_end *far, struct ln_wire *wire, enum letter_kind kind,
                                   const char *text, size_t len)
{
    struct letter *letter = ln_alloc(far->allocator, sizeof *letter + len + 1);

    if (!letter)
        return NULL;
    *letter = (struct letter){
        .kind = kind, .allocator = far->allocator, .wire = wire, .far = far, .len = len
    };
    if (len > 0)
        memcpy(letter->text, text, len);
    letter->text[len] = '\0';
    return letter;
}

/* ---- the near end, on the loop ---- */

static void free_near(struct ln_wire *wire)
{
    ln_free(wire->config.allocator, wire);
}

static void receive_near(void *ctx)
{
    struct letter *letter = ctx;
    struct ln_wire *wire = letter->wire;

    if (letter->kind == LETTER_FREED) {
        free_near(wire);
    } else if (!wire->freed && letter->generation == wire->generation) {
        if (letter->kind == LETTER_OPENED) {
            wire->config.opened(wire->config.ctx);
        } else if (letter->kind == LETTER_MESSAGE) {
            wire->config.message(wire->config.ctx, letter->text, letter->len);
        } else {
            wire->generation++;
            wire->config.closed(wire->config.ctx, letter->code, letter->text);
        }
    }
    ln_free(letter->allocator, letter);
}

/* ---- the far end, on the control thread ---- */

static void tell(struct far_end *far, enum letter_kind kind, unsigned code, const char *text,
                 size_t len)
{
    struct letter *letter = write_letter(far, far->near, kind, text, len);

    if (!letter)
        return;
    letter->generation = far->generation;
    letter->code = code;
    if (ln_loop_post(far->loop, receive_near, letter) == 0)
        return;
    /* The loop is far behind. A lost message would be a gap, so the socket goes; the silence is
     * noticed and the session resumes. */
    ln_free(letter->allocator, letter);
    ln_websocket_client_free(far->socket);
    far->socket = NULL;
}

static void on_connected(void *ctx)
{
    tell(ctx, LETTER_OPENED, 0, NULL, 0);
}

static void on_message(void *ctx, const char *text, size_t len)
{
    tell(ctx, LETTER_MESSAGE, 0, text, len);
}

static void on_closed(void *ctx, uint16_t code, const char *sentence)
{
    struct far_end *far = ctx;

    ln_websocket_client_free(far->socket);
    far->socket = NULL;
    tell(far, LETTER_CLOSED, code, sentence, strlen(sentence));
}

static void open_far(struct far_end *far, uint32_t generation)
{
    struct ln_websocket_client_config config = { .url = far->url,
                                                 .insecure = far->insecure,
                                                 .proxy = far->proxy,
                                                 .connected = on_connected,
                                                 .message = on_message,
                                                 .closed = on_closed,
                                                 .ctx = far };
    int error;

    ln_websocket_client_free(far->socket);
    far->socket = NULL;
    far->generation = generation;
    error = ln_websocket_client_create(&far->socket, far->control, &config);
    if (error) {
        const char *sentence = ln_error_sentence(error);

        far->socket = NULL;
        tell(far, LETTER_CLOSED, error == LN_ERR_SYNTAX ? 0 : 1006, sentence, strlen(sentence));
    }
}

static void free_far(struct far_end *far)
{
    struct letter *letter = write_letter(far, far->near, LETTER_FREED, NULL, 0);

    if (far->socket)
        ln_websocket_client_close(far->socket, 1000);
    ln_websocket_client_free(far->socket);
    if (letter && ln_loop_post(far->loop, receive_near, letter) != 0)
        ln_free(letter->allocator, letter);
    ln_free(far->allocator, far->url);
    if (far->proxy)
        ln_wipe(far->proxy, strlen(far->proxy));
    ln_free(far->allocator, far->proxy);
    ln_free(far->allocator, far);
}

static void receive_far(void *ctx)
{
    struct letter *letter = ctx;
    struct far_end *far = letter->far;

    switch (letter->kind) {
    case LETTER_OPEN:
        open_far(far, letter->generation);
        break;
    case LETTER_SEND: /* what no longer goes out is sent again after the resume */
        if (far->socket && ln_websocket_client_send(far->socket, letter->text, letter->len) != 0)
            ln_websocket_client_close(far->socket, 1001);
        break;
    case LETTER_CLOSE:
        if (far->socket)
            ln_websocket_client_close(far->socket, 1000);
        break;
    case LETTER_CUT:
        if (far->socket) {
            ln_websocket_client_free(far->socket);
            far->socket = NULL;
            tell(far, LETTER_CLOSED, 1006, "cut off", 7);
        }
        break;
    default:
        free_far(far);
        break;
    }
    ln_free(letter->allocator, letter);
}

/* ---- the near end again ---- */

static void order(struct ln_wire *wire, enum letter_kind kind, const char *text, size_t len)
{
    struct letter *letter = write_letter(wire->far, wire, kind, text, len);

    if (!letter)
        return;
    letter->generation = wire->generation;
    if (ln_http_loop_post(wire->config.control, receive_far, letter) != 0)
        ln_free(letter->allocator, letter);
}

int ln_wire_create(struct ln_wire **ret_wire, const struct ln_wire_config *config)
{
    struct ln_wire *wire = ln_alloc_zero(config->allocator, sizeof *wire);
    struct far_end *far = ln_alloc_zero(config->allocator, sizeof *far);
    char *url = ln_alloc_text(config->allocator, config->url);
    char *proxy = config->proxy ? ln_alloc_text(config->allocator, config->proxy) : NULL;

    if (!wire || !far || !url || (config->proxy && !proxy)) {
        ln_free(config->allocator, wire);
        ln_free(config->allocator, far);
        ln_free(config->allocator, url);
        ln_free(config->allocator, proxy);
        return LN_ERR_NOMEM;
    }
    wire->config = *config;
    wire->config.url = wire->config.proxy = NULL;
    wire->far = far;
    *far = (struct far_end){ .near = wire,
                             .loop = config->loop,
                             .control = config->control,
                             .allocator = config->allocator,
                             .url = url,
                             .proxy = proxy,
                             .insecure = config->insecure };
    *ret_wire = wire;
    return 0;
}

void ln_wire_free(struct ln_wire *wire)
{
    if (!wire)
        return;
    wire->freed = true;
    order(wire, LETTER_FREE, NULL, 0);
}

void ln_wire_open(struct ln_wire *wire)
{
    wire->generation++;
    order(wire, LETTER_OPEN, NULL, 0);
}

void ln_wire_send(struct ln_wire *wire, const char *text, size_t len)
{
    order(wire, LETTER_SEND, text, len);
}

void ln_wire_close(struct ln_wire *wire)
{
    wire->generation++;
    order(wire, LETTER_CLOSE, NULL, 0);
}

void ln_wire_cut(struct ln_wire *wire)
{
    order(wire, LETTER_CUT, NULL, 0);
}
