/* SPDX-License-Identifier: Apache-2.0
 * The meeting: a room of the signalling server (client/room_session.h) on a wire. Links are in
 * link.c. */
#include "base/alloc.h"
#include "cli/meeting_internal.h"
#include "stun/proxy.h"

#include <stdlib.h>
#include <string.h>

/* --- what the session says */

static void set_timer(struct meeting *m)
{
    ln_loop_timer_set(&m->timer,
                      m->in_room ? ln_room_session_next_timeout(&m->session) : LN_TIME_NEVER);
}

static void on_open(void *ctx)
{
    ln_wire_open(((struct meeting *)ctx)->wire);
}

static void on_send(void *ctx, const char *text, size_t len)
{
    ln_wire_send(((struct meeting *)ctx)->wire, text, len);
}

static void on_close(void *ctx)
{
    ln_wire_close(((struct meeting *)ctx)->wire);
}

static void on_state(void *ctx, enum ln_room_state state, int error, const char *sentence)
{
    struct meeting *m = ctx;

    if (!m->in_room)
        return; /* we leave it */
    m->left = state == LN_ROOM_STATE_LEFT;
    m->config.state(m->config.ctx, state, error, sentence);
}

static void on_joined(void *ctx, const json_t *servers)
{
    struct meeting *m = ctx;

    ln_ice_servers_read(&m->ice, servers);
}

static void on_participant(void *ctx, const char *id, const char *name, bool present)
{
    struct meeting *m = ctx;

    m->config.came(m->config.ctx, id, name, present);
}

static void on_left(void *ctx, const char *id)
{
    struct meeting *m = ctx;

    m->config.went(m->config.ctx, id);
}

static void on_description(void *ctx, const char *from, const char *type, const char *sdp)
{
    struct meeting *m = ctx;
    struct link *link = link_find(m, from);

    if (strcmp(type, "offer") == 0 && m->config.answers)
        link_take_offer(m, from, sdp);
    else if (strcmp(type, "answer") == 0 && link)
        link_take_answer(link, sdp);
}

static void on_candidate_in(void *ctx, const char *from, const json_t *candidate)
{
    struct link *link = link_find(ctx, from);
    struct ln_ice_candidate_init init;

    if (link && ln_ice_candidate_read(candidate, &init))
        link_take_candidate(link, &init);
}

static const struct ln_room_session_ops session_ops = {
    .open = on_open,
    .send = on_send,
    .close = on_close,
    .state = on_state,
    .joined = on_joined,
    .participant = on_participant,
    .left = on_left,
    .description = on_description,
    .candidate = on_candidate_in,
};

static void on_wire_opened(void *ctx)
{
    struct meeting *m = ctx;

    ln_room_session_opened(&m->session, ln_loop_now(m->loop));
    set_timer(m);
}

static void on_wire_message(void *ctx, const char *text, size_t len)
{
    struct meeting *m = ctx;

    ln_room_session_message(&m->session, ln_loop_now(m->loop), text, len);
    set_timer(m);
}

static void on_wire_closed(void *ctx, unsigned code, const char *sentence)
{
    struct meeting *m = ctx;

    ln_room_session_closed(&m->session, ln_loop_now(m->loop), code, sentence);
    set_timer(m);
}

static void on_timer(void *ctx, ln_time now)
{
    struct meeting *m = ctx;

    ln_room_session_on_timeout(&m->session, now);
    set_timer(m);
}

/* --- life */

static void run_control(void *ctx)
{
    ln_http_loop_run(((struct meeting *)ctx)->control);
}

static void stop_control(void *ctx)
{
    ln_http_loop_stop(((struct meeting *)ctx)->control);
}

static int make_wire(struct meeting *m)
{
    struct ln_wire_config config = { .loop = m->loop,
                                     .control = m->control,
                                     .allocator = ln_allocator_libc(),
                                     .url = m->url,
                                     .insecure = m->config.insecure,
                                     .opened = on_wire_opened,
                                     .message = on_wire_message,
                                     .closed = on_wire_closed,
                                     .ctx = m };
    char proxy[LN_PROXY_AUTHORITY_MAX];
    int error = m->config.proxy ? ln_proxy_authority(m->config.proxy, proxy) : 0;

    config.proxy = m->config.proxy ? proxy : NULL;
    if (!error)
        error = ln_wire_create(&m->wire, &config);
    ln_wipe(proxy, sizeof proxy);
    return error;
}

static int start(struct meeting *m)
{
    struct ln_http_loop_config control = { .allocator = ln_allocator_libc() };
    int error = ln_driver_create(&m->driver);

    if (error)
        return error;
    m->loop = ln_driver_loop(m->driver);
    error = ln_peer_connection_generate_certificate(
        ln_driver_env(m->driver), LN_KEY_ALGORITHM_ECDSA_P256,
        ln_loop_now(m->loop) + ln_loop_wall_offset(m->loop), &m->certificate);
    if (!error)
        error = ln_loop_timer_init(m->loop, &m->timer, on_timer, m);
    if (!error)
        error = ln_http_loop_create(&m->control, &control);
    if (!error)
        error = make_wire(m);
    return error;
}

/* Not before signals are watched: threads of io block them, this one shall inherit that. */
static int start_control(struct meeting *m)
{
    int error = m->control_running ? 0
                                   : ln_thread_start(&m->control_thread, "control", run_control, m);

    m->control_running = !error;
    return error;
}

int meeting_create(struct meeting **ret_meeting, const struct meeting_config *config)
{
    struct meeting *m = calloc(1, sizeof *m);
    int error;

    if (!m)
        return LN_ERR_NOMEM;
    m->config = *config;
    m->url = strdup(config->url);
    m->name = strdup(config->name);
    m->token = config->token ? strdup(config->token) : NULL;
    ln_list_init(&m->links);
    error = m->url && m->name && (m->token || !config->token) ? start(m) : LN_ERR_NOMEM;
    if (error)
        meeting_free(m);
    else
        *ret_meeting = m;
    return error;
}

static void leave_room(struct meeting *m)
{
    if (!m->in_room)
        return;
    m->in_room = false;
    if (!m->left)
        ln_room_session_leave(&m->session, ln_loop_now(m->loop));
    ln_wire_close(m->wire);
    ln_room_session_deinit(&m->session);
}

int meeting_enter(struct meeting *m, const char *room)
{
    int error = start_control(m);

    if (error)
        return error;
    leave_room(m);
    error = ln_room_session_init(&m->session, room, m->name, m->token, &session_ops, m,
                                 ln_driver_env(m->driver));
    if (error)
        return error;
    m->in_room = true;
    m->left = false;
    ln_room_session_start(&m->session, ln_loop_now(m->loop));
    set_timer(m);
    return 0;
}

void meeting_free(struct meeting *m)
{
    if (!m)
        return;
    if (m->loop)
        leave_room(m);
    LN_LIST_EACH_SAFE (at, next, &m->links)
        link_close(LN_CONTAINER(at, struct link, in_meeting));
    if (m->loop)
        (void)!ln_loop_run_once(m->loop, 0); /* the farewells leave */
    LN_LIST_EACH_SAFE (at, next, &m->links)
        link_free(LN_CONTAINER(at, struct link, in_meeting));
    ln_wire_free(m->wire);
    if (m->control_running) {
        while (ln_http_loop_post(m->control, stop_control, m) != 0)
            ;
        ln_thread_join(&m->control_thread);
        (void)!ln_loop_run_once(m->loop, 0); /* its last word frees the wire */
    }
    ln_http_loop_free(m->control);
    ln_ice_servers_deinit(&m->ice);
    ln_loop_timer_deinit(&m->timer);
    ln_certificate_unref(m->certificate);
    ln_driver_free(m->driver);
    free(m->url);
    free(m->name);
    free(m->token);
    free(m);
}

struct ln_loop *meeting_loop(struct meeting *m)
{
    return m->loop;
}

struct ln_env *meeting_env(struct meeting *m)
{
    return ln_driver_env(m->driver);
}

bool meeting_is_closing(const struct meeting *m)
{
    LN_LIST_EACH (at, &m->links)
        if (LN_CONTAINER(at, struct link, in_meeting)->state == LINK_CLOSING)
            return true;
    return false;
}
