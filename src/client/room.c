/* SPDX-License-Identifier: Apache-2.0
 * The application's side of rooms and participants: what the callbacks show. It follows the loop's
 * side by news, and never touches that directly. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "client/call.h"
#include "client/client_internal.h"
#include "client/room_session.h"

#include <linnet/error.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define URL_BYTES_MAX 2048u

struct ln_participant {
    struct ln_list link; /* of room->participants */
    uint64_t key;
    char id[64];
    char name[LN_ROOM_SESSION_NAME_BYTES + 1];
    enum ln_peer_connection_state state;
    bool can_receive;
    struct ln_participant_figures figures;
    void *user_data;
};

struct ln_room {
    struct ln_list link; /* of client->rooms */
    struct ln_client *client;
    struct ln_room_core *core;
    struct ln_room_options options; /* callbacks and sources; no texts */
    enum ln_room_state state;
    char id[64];
    struct ln_list participants;
    size_t participant_count;
    bool freed;
};

const char *ln_room_state_name(enum ln_room_state state)
{
    static const char *const names[] = { "connecting", "joined", "reconnecting", "left" };

    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

/* ---- participants ---- */

const char *ln_participant_id(const ln_participant *participant)
{
    return participant->id;
}

const char *ln_participant_name(const ln_participant *participant)
{
    return participant->name;
}

enum ln_peer_connection_state ln_participant_state(const ln_participant *participant)
{
    return participant->state;
}

bool ln_participant_can_receive(const ln_participant *participant)
{
    return participant->can_receive;
}

void ln_participant_figures(const ln_participant *participant, struct ln_participant_figures *ret)
{
    *ret = participant->figures;
}

void ln_participant_set_user_data(ln_participant *participant, void *user_data)
{
    participant->user_data = user_data;
}

void *ln_participant_user_data(const ln_participant *participant)
{
    return participant->user_data;
}

static ln_participant *find_participant(const ln_room *room, uint64_t key)
{
    LN_LIST_EACH (link, (struct ln_list *)&room->participants) {
        ln_participant *participant = LN_CONTAINER(link, ln_participant, link);

        if (participant->key == key)
            return participant;
    }
    return NULL;
}

static void drop_participant(ln_room *room, ln_participant *participant)
{
    ln_list_remove(&participant->link);
    room->participant_count--;
    ln_free(room->client->allocator, participant);
}

static ln_participant *add_participant(ln_room *room, const struct ln_room_news *news)
{
    ln_participant *participant = ln_alloc_zero(room->client->allocator, sizeof *participant);

    if (!participant)
        return NULL;
    participant->key = news->key;
    snprintf(participant->id, sizeof participant->id, "%s", news->id);
    snprintf(participant->name, sizeof participant->name, "%s", news->text);
    participant->state = LN_PEER_CONNECTION_STATE_NEW;
    participant->figures.round_trip_ms = -1;
    participant->figures.flash_to_beep_ms = NAN;
    participant->figures.video_in.latency_p50_ms = -1;
    participant->figures.video_in.latency_p95_ms = -1;
    ln_list_append(&room->participants, &participant->link);
    room->participant_count++;
    return participant;
}

/* ---- news ---- */

static void close_room(ln_room *room, int error)
{
    if (room->state == LN_ROOM_STATE_LEFT)
        return;
    room->state = LN_ROOM_STATE_LEFT;
    room->client->rooms_open--;
    room->client->last_error = error;
}

static void on_state(ln_room *room, const struct ln_room_news *news)
{
    const struct ln_room_options *options = &room->options;

    if (news->state == LN_ROOM_STATE_LEFT)
        close_room(room, news->error);
    room->state = news->state;
    snprintf(room->id, sizeof room->id, "%s", news->id);
    if (options->on_state)
        options->on_state(options->ctx, room, news->state, news->error, news->text);
}

static void on_participant(ln_room *room, const struct ln_room_news *news)
{
    const struct ln_room_options *options = &room->options;
    ln_participant *participant = news->kind == LN_ROOM_NEWS_JOINED
                                      ? add_participant(room, news)
                                      : find_participant(room, news->key);

    if (!participant)
        return;
    switch (news->kind) {
    case LN_ROOM_NEWS_JOINED:
        if (options->on_participant_joined)
            options->on_participant_joined(options->ctx, room, participant);
        break;
    case LN_ROOM_NEWS_LEFT:
        if (options->on_participant_left)
            options->on_participant_left(options->ctx, room, participant);
        drop_participant(room, participant);
        break;
    case LN_ROOM_NEWS_PARTICIPANT:
        participant->state = news->connection;
        participant->can_receive = news->can_receive;
        if (options->on_participant_state)
            options->on_participant_state(options->ctx, room, participant);
        break;
    case LN_ROOM_NEWS_TRACK:
        if (options->on_track)
            options->on_track(options->ctx, room, participant, news->media, news->live);
        break;
    case LN_ROOM_NEWS_MESSAGE:
        if (options->on_message)
            options->on_message(options->ctx, room, participant, news->text, news->len);
        break;
    case LN_ROOM_NEWS_PICTURE:
        options->on_picture(options->ctx, room, participant, news->picture);
        break;
    case LN_ROOM_NEWS_SAMPLES:
        options->on_samples(options->ctx, room, participant, news->samples);
        break;
    case LN_ROOM_NEWS_FIGURES:
        participant->figures = news->figures;
        if (options->on_figures)
            options->on_figures(options->ctx, room, participant, &participant->figures);
        break;
    case LN_ROOM_NEWS_SNAPSHOT:
        if (options->on_snapshot)
            options->on_snapshot(options->ctx, room, participant, news->text, news->error);
        break;
    default:
        break;
    }
}

static void free_room(ln_room *room)
{
    while (!ln_list_empty(&room->participants))
        drop_participant(room, LN_CONTAINER(room->participants.next, ln_participant, link));
    ln_list_remove(&room->link);
    ln_free(room->client->allocator, room);
}

static void tell_news(struct ln_news *base)
{
    struct ln_room_news *news = (struct ln_room_news *)base;
    ln_room *room = news->room;

    if (news->kind == LN_ROOM_NEWS_GONE) {
        ln_client_tell_waiting_media(room->client); /* some of it names this room */
        free_room(room);
        return;
    }
    if (room->freed)
        return;
    if (news->kind == LN_ROOM_NEWS_STATE)
        on_state(room, news);
    else
        on_participant(room, news);
}

static void drop_news(struct ln_news *base)
{
    struct ln_room_news *news = (struct ln_room_news *)base;

    ln_picture_unref(news->picture);
    ln_samples_unref(news->samples);
    ln_free(news->client->allocator, news);
}

struct ln_room_news *ln_room_news_create(struct ln_client *client, ln_room *room,
                                         enum ln_room_news_kind kind, const char *text, size_t len)
{
    struct ln_room_news *news = ln_alloc_zero(client->allocator, sizeof *news + len + 1);

    if (!news)
        return NULL;
    news->news.tell = tell_news;
    news->news.drop = drop_news;
    news->client = client;
    news->room = room;
    news->kind = kind;
    news->len = len;
    if (len > 0)
        memcpy(news->text, text, len);
    return news;
}

/* ---- rooms ---- */

void ln_room_options_init(struct ln_room_options *options)
{
    *options = (struct ln_room_options){ .size = sizeof *options,
                                         .name = "linnet",
                                         .video_width = 640,
                                         .video_height = 480,
                                         .video_fps = 30,
                                         .receive_video = true,
                                         .receive_audio = true };
}

static int check_url(const char *url)
{
    const char *host = url && strncmp(url, "wss://", 6) == 0  ? url + 6
                       : url && strncmp(url, "ws://", 5) == 0 ? url + 5
                                                              : NULL;

    return host && *host && !strchr("/?#:", *host) && strlen(url) <= URL_BYTES_MAX ? 0
                                                                                   : LN_ERR_SYNTAX;
}

static bool is_room_name(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    return len > 0 && len <= LN_ROOM_SESSION_ROOM_BYTES &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

int ln_room_join(ln_client *client, const char *url, const char *name,
                 const struct ln_room_options *options, ln_room **ret_room)
{
    struct ln_room_core_config config = { .client = client, .url = url, .room_name = name };
    struct ln_room_options defaults;
    ln_room *room;
    int error = check_url(url);

    if (!options) {
        ln_room_options_init(&defaults);
        options = &defaults;
    }
    if (error)
        return error;
    if (options->size != sizeof *options || !is_room_name(name))
        return LN_ERR_INVALID_ARGUMENT;
    room = ln_alloc_zero(client->allocator, sizeof *room);
    if (!room)
        return LN_ERR_NOMEM;
    room->client = client;
    room->options = *options;
    room->options.name = room->options.token = NULL;
    ln_list_init(&room->participants);
    config.room = room;
    config.options = options;
    error = ln_room_core_create(&room->core, &config);
    if (error) {
        ln_free(client->allocator, room);
        return error;
    }
    ln_list_append(&client->rooms, &room->link);
    client->rooms_open++;
    ln_client_must_command(client, ln_room_core_start, room->core);
    *ret_room = room;
    return 0;
}

void ln_room_leave(ln_room *room)
{
    if (room->state != LN_ROOM_STATE_LEFT)
        ln_client_must_command(room->client, ln_room_core_leave, room->core);
}

void ln_room_free(ln_room *room)
{
    if (!room || room->freed)
        return;
    room->freed = true;
    close_room(room, 0);
    ln_client_must_command(room->client, ln_room_core_free, room->core);
}

void ln_room_end(struct ln_list *link)
{
    ln_room_free(LN_CONTAINER(link, ln_room, link));
}

void ln_room_discard(struct ln_list *link)
{
    free_room(LN_CONTAINER(link, ln_room, link));
}

enum ln_room_state ln_room_state(const ln_room *room)
{
    return room->state;
}

const char *ln_room_own_id(const ln_room *room)
{
    return room->id;
}

size_t ln_room_participant_count(const ln_room *room)
{
    return room->participant_count;
}

ln_participant *ln_room_participant(const ln_room *room, size_t index)
{
    LN_LIST_EACH (link, (struct ln_list *)&room->participants)
        if (index-- == 0)
            return LN_CONTAINER(link, ln_participant, link);
    return NULL;
}

static bool usable(const ln_room *room)
{
    return !room->freed && room->state != LN_ROOM_STATE_LEFT;
}

int ln_room_send_message(ln_room *room, ln_participant *to, const char *text, size_t len)
{
    if (!usable(room))
        return LN_ERR_INVALID_STATE;
    if (len > LN_CALL_TEXT_BYTES || !ln_utf8_valid(text, len))
        return LN_ERR_INVALID_ARGUMENT;
    return ln_room_core_post_text(room->core, to ? to->key : 0, text, len);
}

int ln_room_send_picture(ln_room *room, struct ln_picture *picture)
{
    if (!usable(room) || room->options.video != LN_SOURCE_APPLICATION)
        return LN_ERR_INVALID_STATE;
    return ln_room_core_post_media(room->core, picture, NULL);
}

int ln_room_send_samples(ln_room *room, struct ln_samples *samples)
{
    if (!usable(room) || room->options.audio != LN_SOURCE_APPLICATION)
        return LN_ERR_INVALID_STATE;
    return ln_room_core_post_media(room->core, NULL, samples);
}

int ln_room_snapshot(ln_room *room, ln_participant *participant, const char *path)
{
    if (!usable(room))
        return LN_ERR_INVALID_STATE;
    return ln_room_core_post_snapshot(room->core, participant->key, path);
}

void ln_room_drop_connection(ln_room *room)
{
    if (usable(room))
        ln_client_must_command(room->client, ln_room_core_cut, room->core);
}
