/* SPDX-License-Identifier: Apache-2.0
 * A room on the loop's thread: the signalling session on its wire, and a call for each participant.
 * What happens goes to the application as news; what the application wants comes as commands. */
#include "client/room_core.h"

#include "base/alloc.h"
#include "client/snapshot.h"
#include "stun/proxy.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

static ln_time loop_now(const struct ln_room_core *core)
{
    return ln_loop_now(core->client->loop);
}

/* ---- news ---- */

struct ln_room_news *ln_room_core_news(struct ln_room_core *core, enum ln_room_news_kind kind,
                                       uint64_t key, const char *text, size_t len)
{
    struct ln_room_news *news = ln_room_news_create(core->client, core->room, kind, text, len);

    if (news)
        news->key = key;
    return news;
}

void ln_room_core_tell(struct ln_room_core *core, struct ln_room_news *news, bool lossy)
{
    if (news)
        ln_client_tell(core->client, &news->news, lossy);
}

/* ---- members ---- */

static struct ln_room_member *find_member(struct ln_room_core *core, const char *id)
{
    LN_LIST_EACH (link, &core->members) {
        struct ln_room_member *member = LN_CONTAINER(link, struct ln_room_member, link);

        if (strcmp(member->id, id) == 0)
            return member;
    }
    return NULL;
}

struct ln_room_member *ln_room_core_find(struct ln_room_core *core, uint64_t key)
{
    LN_LIST_EACH (link, &core->members) {
        struct ln_room_member *member = LN_CONTAINER(link, struct ln_room_member, link);

        if (member->key == key)
            return member;
    }
    return NULL;
}

static void on_describe(void *ctx, struct ln_call *call, const char *type, const char *sdp)
{
    struct ln_room_member *member = ctx;

    (void)call;
    (void)!ln_room_session_send_description(&member->core->session, member->id, type, sdp);
}

static void on_candidate_out(void *ctx, struct ln_call *call,
                             const struct ln_ice_candidate *candidate)
{
    struct ln_room_member *member = ctx;

    (void)call;
    (void)!ln_room_session_send_candidate(&member->core->session, member->id, candidate->candidate,
                                          candidate->sdp_mid, candidate->sdp_m_line_index,
                                          candidate->username_fragment);
}

static void on_call_state(void *ctx, struct ln_call *call, enum ln_peer_connection_state state,
                          bool can_receive)
{
    struct ln_room_member *member = ctx;
    struct ln_room_news *news = ln_room_core_news(member->core, LN_ROOM_NEWS_PARTICIPANT,
                                                  member->key, NULL, 0);

    (void)call;
    if (news) {
        news->connection = state;
        news->can_receive = can_receive;
    }
    ln_room_core_tell(member->core, news, false);
}

static void on_call_track(void *ctx, struct ln_call *call, enum ln_media_kind kind, bool live)
{
    struct ln_room_member *member = ctx;
    struct ln_room_news *news = ln_room_core_news(member->core, LN_ROOM_NEWS_TRACK, member->key,
                                                  NULL, 0);

    (void)call;
    if (news) {
        news->media = kind;
        news->live = live;
    }
    ln_room_core_tell(member->core, news, false);
}

static void on_call_message(void *ctx, struct ln_call *call, const char *text, size_t len)
{
    struct ln_room_member *member = ctx;

    (void)call;
    ln_room_core_tell(member->core,
                      ln_room_core_news(member->core, LN_ROOM_NEWS_MESSAGE, member->key, text, len),
                      true);
}

static void on_call_picture(void *ctx, struct ln_call *call, struct ln_picture *picture)
{
    struct ln_room_member *member = ctx;
    struct ln_room_news *news;

    (void)call;
    if (!member->core->options.on_picture)
        return;
    news = ln_room_core_news(member->core, LN_ROOM_NEWS_PICTURE, member->key, NULL, 0);
    if (!news)
        return;
    news->picture = ln_picture_ref(picture);
    ln_client_tell_media(member->core->client, &news->news);
}

static void on_call_samples(void *ctx, struct ln_call *call, struct ln_samples *samples)
{
    struct ln_room_member *member = ctx;
    struct ln_room_news *news;

    (void)call;
    if (!member->core->options.on_samples)
        return;
    news = ln_room_core_news(member->core, LN_ROOM_NEWS_SAMPLES, member->key, NULL, 0);
    if (!news)
        return;
    news->samples = ln_samples_ref(samples);
    ln_client_tell_media(member->core->client, &news->news);
}

static void on_call_figures(void *ctx, struct ln_call *call,
                            const struct ln_participant_figures *figures)
{
    struct ln_room_member *member = ctx;
    struct ln_room_news *news = ln_room_core_news(member->core, LN_ROOM_NEWS_FIGURES, member->key,
                                                  NULL, 0);

    (void)call;
    if (news)
        news->figures = *figures;
    ln_room_core_tell(member->core, news, true);
}

static void configure(const struct ln_room_core *core, struct ln_configuration *configuration)
{
    const struct ln_client_config *config = &core->client->config;

    ln_configuration_init(configuration);
    configuration->ice_servers = core->ice.servers;
    configuration->ice_server_count = core->ice.count;
    configuration->include_loopback = config->include_loopback;
    configuration->network = config->network;
    configuration->port_min = config->port_min;
    configuration->port_max = config->port_max;
    configuration->wall_offset = ln_loop_wall_offset(core->client->loop);
    if (config->max_bitrate_bps)
        configuration->max_bitrate_bps = config->max_bitrate_bps;
}

static struct ln_media_source source_of(const struct ln_room_core *core, enum ln_source_kind kind)
{
    return (struct ln_media_source){ .kind = kind,
                                     .width = core->options.video_width,
                                     .height = core->options.video_height,
                                     .fps = core->options.video_fps };
}

static int call_member(struct ln_room_member *member, bool first_offer)
{
    struct ln_room_core *core = member->core;
    struct ln_configuration configuration;
    struct ln_call_config config = { .loop = core->client->loop,
                                     .port = core->client->port,
                                     .workers = core->client->workers,
                                     .env = ln_driver_env(core->client->driver),
                                     .configuration = &configuration,
                                     .video = source_of(core, core->options.video),
                                     .audio = source_of(core, core->options.audio),
                                     .receive_video = core->options.receive_video,
                                     .receive_audio = core->options.receive_audio,
                                     .polite = strcmp(core->session.id, member->id) < 0,
                                     .first_offer = first_offer,
                                     .describe = on_describe,
                                     .candidate = on_candidate_out,
                                     .state = on_call_state,
                                     .track = on_call_track,
                                     .message = on_call_message,
                                     .picture = on_call_picture,
                                     .samples = on_call_samples,
                                     .figures = on_call_figures,
                                     .ctx = member };

    configure(core, &configuration);
    return ln_call_create(&member->call, &config);
}

static void drop_member(struct ln_room_member *member)
{
    struct ln_room_core *core = member->core;

    if (member->call)
        ln_call_end(member->call, &core->client->ending);
    ln_room_core_tell(core, ln_room_core_news(core, LN_ROOM_NEWS_LEFT, member->key, NULL, 0),
                      false);
    ln_list_remove(&member->link);
    core->member_count--;
    ln_free(core->allocator, member);
}

static void drop_members(struct ln_room_core *core)
{
    while (!ln_list_empty(&core->members))
        drop_member(LN_CONTAINER(core->members.next, struct ln_room_member, link));
}

/* ---- the session's side ---- */

static void set_timer(struct ln_room_core *core)
{
    ln_loop_timer_set(&core->timer, ln_room_session_next_timeout(&core->session));
}

static void on_open(void *ctx)
{
    struct ln_room_core *core = ctx;

    ln_wire_open(core->wire);
}

static void on_send(void *ctx, const char *text, size_t len)
{
    struct ln_room_core *core = ctx;

    ln_wire_send(core->wire, text, len);
}

static void on_close(void *ctx)
{
    struct ln_room_core *core = ctx;

    ln_wire_close(core->wire);
}

static void on_session_state(void *ctx, enum ln_room_state state, int error, const char *sentence)
{
    struct ln_room_core *core = ctx;
    struct ln_room_news *news;

    if (state == LN_ROOM_STATE_LEFT) {
        core->left = true;
        drop_members(core);
    }
    news = ln_room_core_news(core, LN_ROOM_NEWS_STATE, 0, sentence, strlen(sentence));
    if (news) {
        news->state = state;
        news->error = error;
        snprintf(news->id, sizeof news->id, "%s", core->session.id);
    }
    ln_room_core_tell(core, news, false);
}

static void on_joined(void *ctx, const json_t *servers)
{
    struct ln_room_core *core = ctx;

    drop_members(core);
    ln_ice_servers_read(&core->ice, servers);
}

static void on_participant(void *ctx, const char *id, const char *name, bool present)
{
    struct ln_room_core *core = ctx;
    struct ln_room_news *news;
    struct ln_room_member *member = find_member(core, id);

    if (member || core->member_count == PARTICIPANTS_MAX || strlen(id) >= sizeof member->id)
        return;
    member = ln_alloc_zero(core->allocator, sizeof *member);
    if (!member)
        return;
    member->core = core;
    member->key = ++core->last_key;
    snprintf(member->id, sizeof member->id, "%s", id);
    ln_list_append(&core->members, &member->link);
    core->member_count++;
    news = ln_room_core_news(core, LN_ROOM_NEWS_JOINED, member->key, name, strlen(name));
    if (news)
        snprintf(news->id, sizeof news->id, "%s", id);
    ln_room_core_tell(core, news, false);
    if (call_member(member, present) != 0)
        on_call_state(member, NULL, LN_PEER_CONNECTION_STATE_FAILED, false);
}

static void on_left(void *ctx, const char *id)
{
    struct ln_room_core *core = ctx;
    struct ln_room_member *member = find_member(core, id);

    if (member)
        drop_member(member);
}

static void on_description(void *ctx, const char *from, const char *type, const char *sdp)
{
    struct ln_room_member *member = find_member(ctx, from);

    if (member && member->call)
        ln_call_described(member->call, type, sdp);
}

static void on_candidate_in(void *ctx, const char *from, const json_t *candidate)
{
    struct ln_room_member *member = find_member(ctx, from);
    struct ln_ice_candidate_init init;

    if (member && member->call && ln_ice_candidate_read(candidate, &init))
        ln_call_candidate(member->call, &init);
}

static const struct ln_room_session_ops session_ops = {
    .open = on_open,
    .send = on_send,
    .close = on_close,
    .state = on_session_state,
    .joined = on_joined,
    .participant = on_participant,
    .left = on_left,
    .description = on_description,
    .candidate = on_candidate_in,
};

/* ---- the wire's side, and time ---- */

/* The session has ended and nobody wants the room any more: the last news, and it is gone. */
void ln_room_core_end_if_done(struct ln_room_core *core)
{
    if (core->freeing && core->left && core->snapshots == 0) {
        ln_room_core_tell(core, ln_room_core_news(core, LN_ROOM_NEWS_GONE, 0, NULL, 0), false);
        ln_room_core_discard(core);
    } else {
        set_timer(core);
    }
}

static void on_wire_opened(void *ctx)
{
    struct ln_room_core *core = ctx;

    ln_room_session_opened(&core->session, loop_now(core));
    ln_room_core_end_if_done(core);
}

static void on_wire_message(void *ctx, const char *text, size_t len)
{
    struct ln_room_core *core = ctx;

    ln_room_session_message(&core->session, loop_now(core), text, len);
    ln_room_core_end_if_done(core);
}

static void on_wire_closed(void *ctx, unsigned code, const char *sentence)
{
    struct ln_room_core *core = ctx;

    ln_room_session_closed(&core->session, loop_now(core), code, sentence);
    ln_room_core_end_if_done(core);
}

static void on_timer(void *ctx, ln_time now)
{
    struct ln_room_core *core = ctx;

    ln_room_session_on_timeout(&core->session, now);
    ln_room_core_end_if_done(core);
}

/* ---- commands ---- */

int ln_room_core_create(struct ln_room_core **ret_core, const struct ln_room_core_config *config)
{
    struct ln_client *client = config->client;
    struct ln_room_core *core = ln_alloc_zero(client->allocator, sizeof *core);
    int error;

    if (!core)
        return LN_ERR_NOMEM;
    core->client = client;
    core->room = config->room;
    core->allocator = client->allocator;
    core->options = *config->options;
    ln_list_init(&core->link);
    ln_list_init(&core->members);
    error = ln_room_session_init(&core->session, config->room_name, config->options->name,
                                 config->options->token, &session_ops, core,
                                 ln_driver_env(client->driver));
    core->options.name = core->options.token = NULL;
    if (!error) {
        core->url = ln_alloc_text(core->allocator, config->url);
        error = core->url ? 0 : LN_ERR_NOMEM;
    }
    if (error)
        ln_room_core_discard(core);
    else
        *ret_core = core;
    return error;
}

static int start(struct ln_room_core *core)
{
    const char *proxy_url = core->client->config.network.http_proxy;
    char proxy[LN_PROXY_AUTHORITY_MAX];
    struct ln_wire_config config = { .loop = core->client->loop,
                                     .control = core->client->control,
                                     .allocator = core->allocator,
                                     .url = core->url,
                                     .insecure = core->options.insecure,
                                     .opened = on_wire_opened,
                                     .message = on_wire_message,
                                     .closed = on_wire_closed,
                                     .ctx = core };
    int error = ln_loop_timer_init(core->client->loop, &core->timer, on_timer, core);

    core->timer_ready = !error;
    if (!error && proxy_url)
        error = ln_proxy_authority(proxy_url, proxy);
    config.proxy = proxy_url ? proxy : NULL;
    if (!error)
        error = ln_wire_create(&core->wire, &config);
    ln_wipe(proxy, sizeof proxy);
    return error;
}

void ln_room_core_start(void *ctx)
{
    struct ln_room_core *core = ctx;
    int error;

    ln_list_append(&core->client->cores, &core->link);
    error = start(core);
    if (error) {
        core->session.phase = LN_ROOM_SESSION_ENDED;
        on_session_state(core, LN_ROOM_STATE_LEFT, error, ln_error_sentence(error));
        return;
    }
    ln_room_session_start(&core->session, loop_now(core));
    ln_room_core_end_if_done(core);
}

void ln_room_core_leave(void *ctx)
{
    struct ln_room_core *core = ctx;

    if (!core->left) {
        drop_members(core);
        ln_room_session_leave(&core->session, loop_now(core));
    }
    ln_room_core_end_if_done(core);
}

void ln_room_core_free(void *ctx)
{
    struct ln_room_core *core = ctx;

    core->freeing = true;
    ln_room_core_leave(core);
}

void ln_room_core_cut(void *ctx)
{
    struct ln_room_core *core = ctx;

    if (!core->left)
        ln_wire_cut(core->wire);
}

struct ln_room_core *ln_room_core_of(struct ln_list *link)
{
    return LN_CONTAINER(link, struct ln_room_core, link);
}

void ln_room_core_discard(struct ln_room_core *core)
{
    drop_members(core);
    ln_wire_free(core->wire);
    if (core->timer_ready)
        ln_loop_timer_deinit(&core->timer);
    ln_room_session_deinit(&core->session);
    ln_ice_servers_deinit(&core->ice);
    ln_list_remove(&core->link);
    ln_free(core->allocator, core->url);
    ln_free(core->allocator, core);
}
