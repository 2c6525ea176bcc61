/* SPDX-License-Identifier: Apache-2.0
 * Streams of TCP pairs: opened when a check is due, accepted, cut into packets, bounded, closed
 * (ice/tcp.h; RFC 6544, 7, 8 and 10).
 *
 * Invariant: of the streams that are not free, no two have the same path. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/time.h"

static struct ln_ice_tcp_stream *find_stream(const struct ln_ice *ice, const struct ln_path *path)
{
    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++)
        if (ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_FREE &&
            ln_path_equal(&ice->tcp->streams[i].path, path))
            return &ice->tcp->streams[i];
    return NULL;
}

/* The one with this link of the driver, open or on its way through a relay. */
static struct ln_ice_tcp_stream *find_open(const struct ln_ice *ice, ln_link link)
{
    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++) {
        struct ln_ice_tcp_stream *stream = &ice->tcp->streams[i];

        if ((stream->state == LN_ICE_TCP_STREAM_OPEN && stream->link == link) ||
            (stream->state == LN_ICE_TCP_STREAM_RELAYED &&
             stream->relayed->way.stream == LN_ICE_STREAM_OPEN &&
             stream->relayed->way.link == link))
            return stream;
    }
    return NULL;
}

static struct ln_ice_pair *pair_of(const struct ln_ice *ice, const struct ln_path *path)
{
    struct ln_ice_pair *pair = ln_ice_check_list_find(&ice->current->list, path);

    return pair || !ice->previous ? pair : ln_ice_check_list_find(&ice->previous->list, path);
}

/* --- beginning and end --------------------------------------------------------------------- */

/* A stream for this path, not in any state yet; NULL at the limit. */
static struct ln_ice_tcp_stream *new_stream(struct ln_ice *ice, const struct ln_path *path)
{
    struct ln_ice_tcp *tcp = ice->tcp;

    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++) {
        struct ln_ice_tcp_stream *stream = &tcp->streams[i];

        if (stream->state != LN_ICE_TCP_STREAM_FREE)
            continue;
        *stream = (struct ln_ice_tcp_stream){ .path = *path,
                                              .order = ++tcp->last_order,
                                              .give_up_at = LN_TIME_NEVER,
                                              .idle_at = LN_TIME_NEVER };
        stream->frames.allocator = ice->env->allocator;
        stream->frames.limit = LN_ICE_UNWRAP_MAX;
        return stream;
    }
    return NULL;
}

/* The driver has closed it, or is told to. */
static void forget_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream)
{
    if (ice->tcp->draining == stream)
        ice->tcp->draining = NULL;
    ln_ice_tcp_frames_deinit(&stream->frames);
    if (stream->relayed)
        ln_ice_tcp_relayed_free(ice, stream);
    stream->state = LN_ICE_TCP_STREAM_FREE;
}

static void close_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream)
{
    if (stream->relayed)
        ln_ice_tcp_relayed_close(ice, stream);
    else if (stream->state == LN_ICE_TCP_STREAM_OPEN)
        ln_ice_tcp_close_link(ice, stream->link, 0);
    else if (stream->state == LN_ICE_TCP_STREAM_ASKED)
        ln_ice_tcp_close_link(ice, 0, stream->request);
    forget_stream(ice, stream);
}

static void fail_pair(struct ln_ice *ice, const struct ln_path *path, enum ln_ice_failure failure)
{
    struct ln_ice_pair *pair = pair_of(ice, path);

    if (pair)
        ln_ice_pair_fail(ice, pair, failure);
}

void ln_ice_tcp_end_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream,
                           enum ln_ice_failure failure)
{
    struct ln_path path = stream->path;

    close_stream(ice, stream);
    fail_pair(ice, &path, failure);
}

void ln_ice_tcp_end_streams(struct ln_ice *ice, const struct ln_ice_tcp_base *base,
                            enum ln_ice_failure failure)
{
    const struct ln_ice_check_list *list = &base->generation->list;

    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++)
        if (ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_FREE &&
            ice->tcp->streams[i].path.link == base->link)
            close_stream(ice, &ice->tcp->streams[i]);
    for (size_t i = 0; i < list->count; i++)
        if (list->pairs[i]->path.link == base->link)
            ln_ice_pair_fail(ice, list->pairs[i], failure);
}

/* --- opening ------------------------------------------------------------------------------- */

static size_t connecting(const struct ln_ice *ice)
{
    size_t count = 0;

    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++)
        count += ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_FREE &&
                 ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_OPEN &&
                 !ice->tcp->streams[i].accepted;
    return count;
}

bool ln_ice_tcp_ready(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    const struct ln_ice_tcp_base *base = ln_ice_tcp_base_of(ice, pair->path.link);
    struct ln_ice_tcp_stream *stream = find_stream(ice, &pair->path);

    if (stream)
        return stream->state == LN_ICE_TCP_STREAM_OPEN;
    if (!base || base->tcp_type == LN_CANDIDATE_TCP_PASSIVE) {
        ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_STREAM_CLOSED);
        return false;
    }
    if (connecting(ice) >= LN_ICE_TCP_CONNECTING_MAX || !(stream = new_stream(ice, &pair->path)))
        return false; /* when another is done */
    stream->state = LN_ICE_TCP_STREAM_WANTED;
    stream->give_up_at = now + LN_ICE_TCP_CONNECT_TIME;
    if (base->relay && !ln_ice_tcp_relayed_connect(ice, stream, base->relay, now))
        ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_CONNECT);
    return false;
}

int ln_ice_tcp_stream_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++) {
        struct ln_ice_tcp_stream *stream = &ice->tcp->streams[i];
        const struct ln_ice_local *base = ln_ice_find_base(ice->current, &stream->path);

        if (stream->state == LN_ICE_TCP_STREAM_RELAYED && stream->relayed->begun &&
            ln_ice_way_poll_request(ice, &stream->relayed->way, ret_request))
            return 1;
        if (stream->state != LN_ICE_TCP_STREAM_WANTED)
            continue;
        stream->state = LN_ICE_TCP_STREAM_ASKED;
        stream->request = ln_ice_new_request(ice);
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_TCP,
                                            .id = stream->request,
                                            .local = stream->path.local,
                                            .remote = stream->path.remote };
        if (!base ||
            base->tcp_type != LN_CANDIDATE_TCP_SO) /* that one's listener shares its port */
            ret_request->local.port = 0;
        return 1;
    }
    return 0;
}

void ln_ice_tcp_stream_opened(struct ln_ice_tcp_stream *stream, ln_link link,
                              const struct ln_address *local, size_t room, ln_time now)
{
    stream->state = LN_ICE_TCP_STREAM_OPEN;
    stream->link = link;
    stream->local = *local;
    stream->room = room;
    stream->reserve = room / 4; /* WRITABLE comes before so little is left */
    /* The check of one that we opened has a time of its own. */
    stream->give_up_at = stream->accepted ? now + LN_ICE_TCP_UNPROVEN_TIME : LN_TIME_NEVER;
}

static bool relayed_answer(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now,
                           const struct ln_answer *answer)
{
    bool open = stream->state == LN_ICE_TCP_STREAM_OPEN;
    struct ln_path path = stream->path;

    switch (ln_ice_way_answer(&stream->relayed->way, now, answer)) {
    case LN_ICE_WAY_TAKEN:
        stream->room = stream->relayed->way.room;
        return true;
    case LN_ICE_WAY_LOST:
        forget_stream(ice, stream);
        fail_pair(ice, &path, open ? LN_ICE_FAILURE_STREAM_CLOSED : LN_ICE_FAILURE_CONNECT);
        return true;
    default:
        return false;
    }
}

bool ln_ice_tcp_stream_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer)
{
    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++) {
        struct ln_ice_tcp_stream *stream = &ice->tcp->streams[i];
        bool asked = stream->state == LN_ICE_TCP_STREAM_ASKED && stream->request == answer->id;
        bool open = stream->state == LN_ICE_TCP_STREAM_OPEN && stream->link == answer->link;
        struct ln_path path = stream->path;

        if (stream->state != LN_ICE_TCP_STREAM_FREE && stream->relayed) {
            if (!relayed_answer(ice, stream, now, answer))
                continue;
        } else if (answer->kind == LN_ANSWER_OPENED && asked) {
            ln_ice_tcp_stream_opened(stream, answer->link, &answer->local, answer->bytes, now);
        } else if (answer->kind == LN_ANSWER_WRITABLE && open) {
            stream->room = answer->bytes;
        } else if ((answer->kind == LN_ANSWER_FAILED && asked) ||
                   (answer->kind == LN_ANSWER_CLOSED && open)) {
            forget_stream(ice, stream);
            fail_pair(ice, &path, asked ? LN_ICE_FAILURE_CONNECT : LN_ICE_FAILURE_STREAM_CLOSED);
        } else {
            continue;
        }
        return true;
    }
    return false;
}

/* --- accepting ----------------------------------------------------------------------------- */

/* Of the streams on which nothing authentic came yet, of one base or (0) of all: how many, and the
 * oldest. */
static size_t unproven(struct ln_ice *ice, ln_link base_link, struct ln_ice_tcp_stream **ret_oldest)
{
    size_t count = 0;

    *ret_oldest = NULL;
    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++) {
        struct ln_ice_tcp_stream *stream = &ice->tcp->streams[i];

        if (stream->state == LN_ICE_TCP_STREAM_FREE || !stream->accepted || stream->proven ||
            (base_link && stream->path.link != base_link))
            continue;
        count++;
        if (!*ret_oldest || (int32_t)(stream->order - (*ret_oldest)->order) < 0)
            *ret_oldest = stream;
    }
    return count;
}

static void drop_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream)
{
    ln_ice_drop(ice, LN_ICE_DROP_TCP_STREAM, 0);
    close_stream(ice, stream);
}

/* The newest is the most likely to be a peer's: it sends its check at once. */
static bool make_room(struct ln_ice *ice, ln_link base_link, ln_duration gap, ln_time now)
{
    struct ln_ice_tcp_stream *oldest;

    if (unproven(ice, base_link, &oldest) < LN_ICE_TCP_UNPROVEN_MAX &&
        unproven(ice, 0, &oldest) < LN_ICE_TCP_UNPROVEN_ALL)
        return true;
    (void)unproven(ice, base_link, &oldest);
    if (!oldest)
        (void)unproven(ice, 0, &oldest);
    if (now < oldest->opened_at + gap)
        return false;
    drop_stream(ice, oldest);
    return true;
}

struct ln_ice_tcp_stream *ln_ice_tcp_admit(struct ln_ice *ice, const struct ln_ice_tcp_base *base,
                                           const struct ln_address *remote, ln_duration gap,
                                           ln_time now)
{
    struct ln_path path = { base->link, base->address, *remote };
    struct ln_ice_tcp_stream *stream = find_stream(ice, &path);

    if (stream && (stream->state == LN_ICE_TCP_STREAM_OPEN || stream->accepted))
        return NULL; /* one path, one stream */
    if (stream)
        close_stream(ice, stream); /* both opened one: the one that is there serves */
    stream = make_room(ice, base->link, gap, now) ? new_stream(ice, &path) : NULL;
    if (stream)
        stream->opened_at = now;
    return stream;
}

void ln_ice_tcp_accept(struct ln_ice *ice, struct ln_ice_tcp_base *base, ln_time now,
                       const struct ln_answer *answer)
{
    struct ln_ice_tcp_stream *stream = ln_ice_tcp_admit(ice, base, &answer->remote, 0, now);

    if (!stream) {
        ln_ice_drop(ice, LN_ICE_DROP_TCP_STREAM, 0);
        ln_ice_tcp_close_link(ice, answer->link, 0);
        return;
    }
    stream->accepted = true;
    ln_ice_tcp_stream_opened(stream, answer->link, &answer->local, answer->bytes, now);
}

/* --- time ---------------------------------------------------------------------------------- */

/* Whether its pair is the selected one, or may become it. */
static bool needed(const struct ln_ice *ice, const struct ln_ice_pair *pair)
{
    const struct ln_ice_pair *selected = pair->generation->selected;

    return !selected || pair == selected || pair == ice->sending ||
           pair->check.state == LN_STUN_RUNNING ||
           (pair->nominate_requested && pair->nominate_order > selected->nominate_order);
}

static void run_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now)
{
    struct ln_ice_pair *pair = pair_of(ice, &stream->path);

    if (stream->relayed)
        ln_ice_tcp_relayed_run(ice, stream, now);
    if (stream->state == LN_ICE_TCP_STREAM_FREE)
        return;

    if (ln_time_due(stream->give_up_at, now)) {
        if (stream->accepted)
            drop_stream(ice, stream);
        else
            ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_CONNECT);
    } else if (pair && pair->state == LN_ICE_PAIR_FAILED && (stream->proven || !stream->accepted)) {
        close_stream(ice, stream);
    } else if (!pair || needed(ice, pair)) {
        stream->idle_at = LN_TIME_NEVER;
    } else if (stream->idle_at == LN_TIME_NEVER) {
        stream->idle_at = now + LN_ICE_TCP_IDLE_TIME;
    } else if (now >= stream->idle_at) {
        ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_NOT_NEEDED);
    }
}

void ln_ice_tcp_streams_run(struct ln_ice *ice, ln_time now)
{
    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++)
        if (ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_FREE)
            run_stream(ice, &ice->tcp->streams[i], now);
}

ln_time ln_ice_tcp_streams_next_timeout(const struct ln_ice *ice)
{
    ln_time next = LN_TIME_NEVER;

    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++) {
        const struct ln_ice_tcp_stream *stream = &ice->tcp->streams[i];

        if (stream->state != LN_ICE_TCP_STREAM_FREE)
            next = ln_time_min(next, ln_time_min(stream->give_up_at, stream->idle_at));
        if (stream->state != LN_ICE_TCP_STREAM_FREE && stream->relayed)
            next = ln_time_min(next, ln_ice_way_next_timeout(&stream->relayed->way));
    }
    return next;
}

/* --- out ----------------------------------------------------------------------------------- */

static void write_heads(struct ln_transmit *out)
{
    size_t at, len;

    for (at = 0; at < out->len; at += len) {
        len = out->segment > 0 && out->segment < out->len - at ? out->segment : out->len - at;
        ln_store16(out->data + at, (uint16_t)(len - LN_ICE_TCP_HEAD));
    }
}

/* What goes into a session goes packet by packet. */
bool ln_ice_tcp_takes_trains(const struct ln_ice *ice, const struct ln_path *path)
{
    const struct ln_ice_tcp_stream *stream = ice->tcp ? find_stream(ice, path) : NULL;

    return !stream || !stream->relayed || !stream->relayed->way.session;
}

/* 0, or why it does not leave. */
static int wrap_relayed(struct ln_ice_tcp_stream *stream, ln_time now, struct ln_transmit *out)
{
    int len = ln_ice_way_wrap(&stream->relayed->way, now, out->data, out->len, out->cap);

    if (len <= 0)
        return len < 0 ? len : LN_ERR_AGAIN;
    out->len = (size_t)len;
    return 0;
}

int ln_ice_tcp_wrap(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    struct ln_ice_tcp_stream *stream = find_stream(ice, &out->path);
    size_t packets = out->segment > 0 ? (out->len + out->segment - 1) / out->segment : 1;
    bool check = ln_packet_classify(out->data + LN_ICE_TCP_HEAD, out->len - LN_ICE_TCP_HEAD) ==
                 LN_PACKET_STUN;
    int error;

    if (!stream || stream->state != LN_ICE_TCP_STREAM_OPEN)
        return LN_ERR_NOT_FOUND;
    if (out->len + (check ? 0 : stream->reserve) > stream->room) {
        if (!check) /* the stream is slower than what is to go over it */
            ln_ice_count_discarded(ice, packets, out->len - packets * LN_ICE_TCP_HEAD);
        return ln_ice_drop(ice, LN_ICE_DROP_TCP_FULL, LN_ERR_LIMIT);
    }
    write_heads(out);
    out->segment = 0;
    error = stream->relayed ? wrap_relayed(stream, now, out) : 0;
    if (error)
        return error;
    stream->room -= out->len < stream->room ? out->len : stream->room;
    out->path = (struct ln_path){ stream->link, stream->local, stream->path.remote };
    if (stream->relayed)
        out->path.remote = stream->relayed->way.server;
    return 1;
}

/* --- in ------------------------------------------------------------------------------------ */

/* Through a relay the bytes are in the way, and before it is bound they are its own. False when
 * nothing is left to be cut. */
static bool enter_way(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now)
{
    ln_link link = stream->relayed->way.link;

    stream->relayed->way.rest = stream->rest;
    stream->rest.len = 0;
    if (stream->state == LN_ICE_TCP_STREAM_RELAYED) {
        ln_ice_tcp_relayed_bind(ice, stream, now);
        ln_ice_run(ice, now);
    }
    return find_open(ice, link) == stream && stream->state == LN_ICE_TCP_STREAM_OPEN;
}

bool ln_ice_tcp_unwrap(struct ln_ice *ice, ln_time now, const struct ln_packet *packet)
{
    struct ln_ice_tcp_stream *stream = ice->tcp ? find_open(ice, packet->path.link) : NULL;

    if (!stream)
        return false;
    stream->rest = (struct ln_bytes){ packet->data, packet->len };
    if (!stream->relayed || enter_way(ice, stream, now))
        ice->tcp->draining = stream;
    return true;
}

/* The next packet of the piece in hand. */
static int cut(struct ln_ice_tcp_stream *stream, ln_time now, struct ln_bytes *ret_packet)
{
    int result;

    do {
        result = ln_ice_tcp_frames_next(&stream->frames, &stream->rest, ret_packet);
    } while (result == 0 && stream->relayed &&
             ln_ice_way_read(&stream->relayed->way, now, &stream->rest));
    return result;
}

int ln_ice_tcp_next(struct ln_ice *ice, ln_time now, struct ln_packet *packet)
{
    struct ln_ice_tcp_stream *stream = ice->tcp->draining;
    struct ln_bytes data;
    int result = cut(stream, now, &data);

    if (result == 1) {
        packet->data = (uint8_t *)(uintptr_t)data.data;
        packet->len = data.len;
        packet->path = stream->path;
        packet->buffer = NULL;
        return 1;
    }
    ice->tcp->draining = NULL;
    if (result < 0) { /* out of step for good */
        ln_ice_drop(ice, LN_ICE_DROP_TCP_FRAME, 0);
        ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_STREAM_CLOSED);
        ln_ice_run(ice, now);
    }
    return result;
}

void ln_ice_tcp_judge(struct ln_ice *ice)
{
    struct ln_ice_tcp_stream *stream = ice->tcp ? ice->tcp->draining : NULL;

    if (!stream || stream->proven)
        return;
    if (ln_ice_is_proven(ice, &stream->path)) {
        stream->proven = true;
        stream->frames.limit = LN_ICE_TCP_PACKET_MAX;
        stream->give_up_at = LN_TIME_NEVER;
    } else if (++stream->tries >= LN_ICE_TCP_UNPROVEN_TRIES) {
        ln_ice_drop(ice, LN_ICE_DROP_TCP_STREAM, 0);
        ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_STREAM_CLOSED);
        ice->wake = true;
    }
}
