/* SPDX-License-Identifier: Apache-2.0
 * Streams of TCP pairs: opened when a check is due, accepted, bounded, closed (ice/tcp.h; RFC 6544,
 * 7 and 8).
 *
 * Invariant: of the streams that are not free, no two have the same path. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/time.h"

struct ln_ice_tcp_stream *ln_ice_tcp_find_stream(const struct ln_ice *ice,
                                                 const struct ln_path *path)
{
    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++)
        if (ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_FREE &&
            ln_path_equal(&ice->tcp->streams[i].path, path))
            return &ice->tcp->streams[i];
    return NULL;
}

static struct ln_ice_pair *pair_of(const struct ln_ice *ice, const struct ln_path *path)
{
    struct ln_ice_pair *pair = ln_ice_check_list_find(&ice->current->list, path);

    return pair || !ice->previous ? pair : ln_ice_check_list_find(&ice->previous->list, path);
}

/* --- beginning and end --------------------------------------------------------------------- */

static void begin_frames(const struct ln_ice *ice, struct ln_ice_tcp_stream *stream)
{
    stream->frames = (struct ln_ice_tcp_frames){ .allocator = ice->env->allocator,
                                                 .limit = LN_ICE_UNWRAP_MAX };
}

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
                                              .retry_at = LN_TIME_NEVER,
                                              .idle_at = LN_TIME_NEVER };
        begin_frames(ice, stream);
        return stream;
    }
    return NULL;
}

static void release(struct ln_ice *ice, struct ln_ice_tcp_stream *stream)
{
    if (ice->tcp->draining == stream)
        ice->tcp->draining = NULL;
    ln_ice_tcp_frames_deinit(&stream->frames);
    if (stream->relayed)
        ln_ice_tcp_relayed_free(ice, stream);
}

/* The driver has closed it, or is told to. */
static void forget_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream)
{
    release(ice, stream);
    stream->state = LN_ICE_TCP_STREAM_FREE;
}

static void close_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream)
{
    if (stream->relayed)
        ln_ice_tcp_close_way(ice, &stream->relayed->way);
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

/* The other side's relay closes what comes before we have its permission (RFC 6062, 5.3), which
 * takes the time that our candidates take to get there: it is tried again. False: it is over. */
static bool try_again(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now)
{
    struct ln_ice_pair *pair = pair_of(ice, &stream->path);

    if (stream->state != LN_ICE_TCP_STREAM_OPEN || stream->accepted || stream->proven || !pair ||
        pair->remote->type != LN_CANDIDATE_RELAY || pair->generation != ice->current ||
        pair->state != LN_ICE_PAIR_IN_PROGRESS || stream->again == LN_ICE_TCP_RETRIES)
        return false;
    release(ice, stream);
    begin_frames(ice, stream);
    stream->state = LN_ICE_TCP_STREAM_WAITING;
    stream->give_up_at = LN_TIME_NEVER;
    stream->retry_at = now + (LN_ICE_TCP_RETRY_AFTER << stream->again);
    stream->again++;
    ln_ice_begin_check(ice, pair, pair->nominating, now);
    return true;
}

/* --- opening ------------------------------------------------------------------------------- */

static size_t connecting(const struct ln_ice *ice)
{
    size_t count = 0;

    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++)
        count += ice->tcp->streams[i].state > LN_ICE_TCP_STREAM_WAITING &&
                 ice->tcp->streams[i].state < LN_ICE_TCP_STREAM_OPEN &&
                 !ice->tcp->streams[i].accepted;
    return count;
}

static void open_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream,
                        const struct ln_ice_tcp_base *base, ln_time now)
{
    stream->state = LN_ICE_TCP_STREAM_WANTED;
    stream->give_up_at = now + LN_ICE_TCP_CONNECT_TIME;
    stream->retry_at = LN_TIME_NEVER;
    if (!base || (base->relay && !ln_ice_tcp_relayed_connect(ice, stream, base->relay, now)))
        ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_CONNECT);
}

bool ln_ice_tcp_ready(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    const struct ln_ice_tcp_base *base = ln_ice_tcp_base_of(ice, pair->path.link);
    struct ln_ice_tcp_stream *stream = ln_ice_tcp_find_stream(ice, &pair->path);

    if (stream)
        return stream->state == LN_ICE_TCP_STREAM_OPEN;
    if (!base || base->tcp_type == LN_CANDIDATE_TCP_PASSIVE) {
        ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_STREAM_CLOSED);
        return false;
    }
    if (connecting(ice) >= LN_ICE_TCP_CONNECTING_MAX || !(stream = new_stream(ice, &pair->path)))
        return false; /* when another is done */
    open_stream(ice, stream, base, now);
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
        if (try_again(ice, stream, now))
            return true;
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
            if (try_again(ice, stream, now))
                return true;
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
    struct ln_ice_tcp_stream *stream = ln_ice_tcp_find_stream(ice, &path);

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
    } else if (ln_time_due(stream->retry_at, now) &&
               (!pair || pair->state != LN_ICE_PAIR_IN_PROGRESS)) {
        close_stream(ice, stream); /* nobody waits for it any more */
    } else if (ln_time_due(stream->retry_at, now)) {
        open_stream(ice, stream, ln_ice_tcp_base_of(ice, stream->path.link), now);
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
            next = ln_time_min(next, ln_time_min(ln_time_min(stream->give_up_at, stream->idle_at),
                                                 stream->retry_at));
        if (stream->state != LN_ICE_TCP_STREAM_FREE && stream->relayed)
            next = ln_time_min(next, ln_ice_way_next_timeout(&stream->relayed->way));
    }
    return next;
}
