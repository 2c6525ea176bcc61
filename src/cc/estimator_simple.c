/* SPDX-License-Identifier: Apache-2.0
 * A simple estimator: grows while the path's queue is short and nothing is lost, falls below what
 * arrives when the queue stands, follows loss and REMB.
 *
 * The queue is the smallest one-way delay of a feedback message above the smallest of the last
 * seconds: the smallest, so that a burst of ours is not taken for a queue. All rates are measured
 * in windows of a second.
 *
 * Another path is mostly much like the last one (an ICE restart, another interface): it begins at a
 * quarter of what was good there, and is tried up to that faster than beyond. What the new path
 * says counts at once, as nothing of its queue is known (RFC 8836, 2: requirements 1 and 2).
 *
 * Invariant: what is said to have arrived never counts for more than what was sent, so a peer
 * cannot talk the target up. */
#include "base/alloc.h"
#include "base/time.h"
#include "cc/estimator.h"

#include <string.h>

#define START_BPS 300000u
#define MIN_BPS   30000u
#define MAX_BPS   20000000u

#define QUEUE_HIGH      LN_MILLISECONDS(50) /* standing longer than this: fall */
#define QUEUE_LOW       LN_MILLISECONDS(20) /* shorter: grow */
#define FALL            0.85
#define FALL_FLOOR      0.6 /* of what arrives: a queue empties at that; deeper only wastes the link */
#define GROW_FIRST      0.6  /* a second, until the path's limit was felt once */
#define GROW            0.07 /* a second, after that; more the longer nothing went wrong, */
#define GROW_MAX        0.3  /* but not more than this */
#define GROW_RAMP       LN_SECONDS(4) /* in which GROW is added once more */
#define RESUME          0.25 /* of what was good on the last path: where another one begins */
#define GROW_RESUME     1.5  /* a second, up to what was good there */
#define SETTLE          LN_MILLISECONDS(600)
#define GOOD_LIFETIME   LN_SECONDS(60)
#define LOSS_HIGH       0.08
#define LOSS_LOW        0.02
#define LOSS_BATCH      20 /* packets that make a loss figure */
#define BASE_WINDOW     LN_SECONDS(10)
#define SILENCE         LN_SECONDS(1) /* without feedback while packets leave: fall */
#define TRANSPORT_FRESH LN_SECONDS(3) /* feedback that recent makes receiver reports unneeded */
#define RTT_UNKNOWN     LN_MILLISECONDS(200)

#define BUCKETS     10
#define BUCKET_TIME LN_MILLISECONDS(100)

/* Bytes of the last second. */
struct rate {
    uint64_t bytes[BUCKETS];
    int64_t bucket; /* number of the newest */
    ln_time since;  /* LN_TIME_NEVER before the first */
};

struct simple {
    struct ln_estimator base;
    struct ln_allocator *allocator;
    uint64_t min_bps, max_bps, start_bps;
    double target;
    uint64_t remb_bps; /* 0: none came */
    uint64_t demand_bps;
    struct rate sent, acked;
    int64_t first_sequence, last_sequence; /* given to on_sent(); first above last: none */
    uint64_t unknown;

    /* one-way delay */
    int64_t base_now, base_before; /* smallest of this window and the last; INT64_MAX: none */
    ln_time base_from;
    ln_duration queue;

    /* loss */
    uint32_t batch, batch_lost;
    double loss;

    /* what arrived of late without a queue, smoothed; 0: not known. Outlives its path */
    double good, resume_to; /* resume_to: that of the last path, until it is reached; 0: none */
    ln_time good_at, begun; /* begun: the path */

    ln_duration rtt;
    bool limit_felt;
    ln_time grown;         /* when the target last grew */
    ln_time fallen;        /* when it last fell; LN_TIME_IMMEDIATE */
    ln_time last_feedback; /* LN_TIME_NEVER before the first */
    ln_time last_sent;     /* of a packet with a sequence number */
};

static struct simple *of(struct ln_estimator *e)
{
    return (struct simple *)e;
}

static const struct simple *of_const(const struct ln_estimator *e)
{
    return (const struct simple *)e;
}

/* ---- rates ---- */

static void rate_init(struct rate *r)
{
    memset(r, 0, sizeof *r);
    r->since = LN_TIME_NEVER;
}

static void rate_add(struct rate *r, ln_time now, uint64_t bytes)
{
    int64_t bucket = now / BUCKET_TIME;

    if (r->since == LN_TIME_NEVER) {
        r->since = now;
        r->bucket = bucket;
    }
    if (bucket - r->bucket >= BUCKETS) {
        memset(r->bytes, 0, sizeof r->bytes);
        r->since = ln_time_max(r->since, now - BUCKET_TIME);
        r->bucket = bucket;
    }
    while (r->bucket < bucket)
        r->bytes[++r->bucket % BUCKETS] = 0;
    r->bytes[bucket % BUCKETS] += bytes;
}

/* bit/s over the last second, or since the beginning if that was later; 0 when too short. */
static double rate_bps(const struct rate *r)
{
    ln_duration span = BUCKETS * BUCKET_TIME;
    uint64_t sum = 0;

    if (r->since == LN_TIME_NEVER)
        return 0;
    for (size_t i = 0; i < BUCKETS; i++)
        sum += r->bytes[i];
    span = ln_time_min(span, (r->bucket + 1) * BUCKET_TIME - r->since);
    return span < 2 * BUCKET_TIME ? 0 : (double)sum * 8e9 / (double)span;
}

static double acked_bps(const struct simple *s)
{
    double acked = rate_bps(&s->acked), sent = rate_bps(&s->sent);

    /* Windows of sending and arriving differ by what is under way. */
    return acked < 1.5 * sent ? acked : 1.5 * sent;
}

/* ---- the target ---- */

static uint64_t target(const struct simple *s)
{
    double t = s->target;

    if (s->remb_bps && t > (double)s->remb_bps)
        t = (double)s->remb_bps;
    if (t < (double)s->min_bps)
        t = (double)s->min_bps;
    return t > (double)s->max_bps ? s->max_bps : (uint64_t)t;
}

static void set_target(struct simple *s, double bps)
{
    double low = (double)s->min_bps, high = (double)s->max_bps;

    s->target = bps < low ? low : bps > high ? high : bps;
}

static ln_duration response_time(const struct simple *s)
{
    return (s->rtt ? s->rtt : RTT_UNKNOWN) + LN_MILLISECONDS(100);
}

/* At most once in the time that an answer takes: the effect must be seen first. */
static bool may_fall(const struct simple *s, ln_time now)
{
    return s->fallen == LN_TIME_IMMEDIATE || now - s->fallen >= response_time(s);
}

static void fall_to(struct simple *s, ln_time now, double bps)
{
    double acked = acked_bps(s);

    if (bps < s->target)
        set_target(s, bps);
    s->fallen = now;
    s->grown = now;
    s->limit_felt = true;
    /* Before it has settled, the queue is perhaps that of the last path, or of a key frame. */
    if (now - s->begun > SETTLE && acked > 0 && acked < s->resume_to)
        s->resume_to = acked;
}

/* Grows by the time since it last did, not beyond what is used: an estimate that nobody tries is
 * worth nothing. `used` 0: not known. */
static void grow(struct simple *s, ln_time now, double per_second, double used)
{
    double elapsed = ln_time_seconds(ln_time_min(now - s->grown, LN_SECONDS(1)));
    double wanted = s->target * (1 + per_second * elapsed) + 1000 * elapsed;
    double limit = used > 0 ? 1.5 * used + 20000 : s->target;

    s->grown = now;
    if (s->demand_bps && limit > 1.2 * (double)s->demand_bps)
        limit = 1.2 * (double)s->demand_bps;
    if (wanted > limit)
        wanted = limit;
    if (wanted > s->target)
        set_target(s, wanted);
}

static double growth(const struct simple *s, ln_time now)
{
    double per_second;

    if (s->resume_to > 0)
        return GROW_RESUME;
    if (!s->limit_felt)
        return GROW_FIRST;
    per_second = GROW * (1 + ln_time_seconds(now - s->fallen) / ln_time_seconds(GROW_RAMP));
    return per_second < GROW_MAX ? per_second : GROW_MAX;
}

static void on_loss_figure(struct simple *s, ln_time now, double fraction)
{
    s->loss = (s->loss + fraction) / 2;
    if (fraction > LOSS_HIGH && may_fall(s, now))
        fall_to(s, now, s->target * (1 - fraction / 2));
}

/* ---- one-way delay ---- */

static void note_delay(struct simple *s, ln_time now, int64_t smallest)
{
    if (s->base_from == LN_TIME_NEVER || now - s->base_from >= BASE_WINDOW) {
        s->base_before = s->base_now;
        s->base_now = INT64_MAX;
        s->base_from = now;
    }
    s->base_now = smallest < s->base_now ? smallest : s->base_now;
    s->queue = smallest - (s->base_now < s->base_before ? s->base_now : s->base_before);
}

/* Rises faster than it falls: the rate that it stands for is above that of a dip. */
static void note_good(struct simple *s, ln_time now, double acked)
{
    double good = acked < s->target ? acked : s->target;

    s->good += s->good > 0 ? (good - s->good) / (good > s->good ? 4 : 32) : good;
    s->good_at = now;
}

static void adjust(struct simple *s, ln_time now)
{
    double acked = acked_bps(s);

    if (s->target >= s->resume_to)
        s->resume_to = 0;
    if (acked > 0 && s->queue < QUEUE_HIGH && s->resume_to == 0)
        note_good(s, now, acked);
    if (s->queue > QUEUE_HIGH) {
        if (may_fall(s, now)) {
            double from = acked > 0 && acked < s->target ? acked : s->target;

            /* A long queue is emptied faster. */
            from *= s->queue > 4 * QUEUE_HIGH ? FALL * FALL : FALL;
            fall_to(s, now, from > FALL_FLOOR * acked ? from : FALL_FLOOR * acked);
        }
        s->grown = now;
    } else if (s->queue < QUEUE_LOW && s->loss < LOSS_LOW && acked > 0) {
        grow(s, now, growth(s, now), acked);
    } else {
        s->grown = now;
    }
}

/* ---- the interface ---- */

static void simple_free(struct ln_estimator *e)
{
    ln_free(of(e)->allocator, e);
}

static void simple_on_sent(struct ln_estimator *e, const struct ln_cc_sent *sent)
{
    struct simple *s = of(e);

    rate_add(&s->sent, sent->send_time, sent->size);
    if (sent->sequence < 0)
        return;
    if (s->first_sequence > s->last_sequence)
        s->first_sequence = sent->sequence;
    if (sent->sequence > s->last_sequence)
        s->last_sequence = sent->sequence;
    s->last_sent = sent->send_time;
}

static void simple_on_feedback(struct ln_estimator *e, ln_time now,
                               const struct ln_cc_result *results, size_t count)
{
    struct simple *s = of(e);
    int64_t smallest = INT64_MAX;
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        const struct ln_cc_result *r = &results[i];

        if (r->sequence < s->first_sequence || r->sequence > s->last_sequence) {
            s->unknown++;
            continue;
        }
        s->batch++;
        if (r->arrival_time == LN_TIME_NEVER) {
            s->batch_lost++;
            continue;
        }
        bytes += r->size;
        if (r->arrival_time - r->send_time < smallest)
            smallest = r->arrival_time - r->send_time;
    }
    if (smallest == INT64_MAX && s->batch_lost == 0)
        return; /* nothing of ours */
    s->last_feedback = now;
    rate_add(&s->acked, now, bytes);
    if (smallest != INT64_MAX)
        note_delay(s, now, smallest);
    if (s->batch >= LOSS_BATCH) {
        on_loss_figure(s, now, (double)s->batch_lost / s->batch);
        s->batch = s->batch_lost = 0;
    }
    adjust(s, now);
}

/* Receiver reports steer only while no transport-wide feedback comes: both tell of the same. */
static void simple_on_loss(struct ln_estimator *e, ln_time now, double fraction, uint32_t packets)
{
    struct simple *s = of(e);

    if (packets == 0 ||
        (s->last_feedback != LN_TIME_NEVER && now - s->last_feedback < TRANSPORT_FRESH))
        return;
    on_loss_figure(s, now, fraction);
    if (s->loss < LOSS_LOW && fraction < LOSS_LOW)
        grow(s, now, growth(s, now), rate_bps(&s->sent));
}

static void simple_on_remb(struct ln_estimator *e, ln_time now, uint64_t bps)
{
    struct simple *s = of(e);

    s->remb_bps = bps;
    if (s->last_feedback == LN_TIME_NEVER && s->loss < LOSS_LOW)
        grow(s, now, GROW_FIRST, rate_bps(&s->sent));
}

static void simple_on_rtt(struct ln_estimator *e, ln_time now, ln_duration rtt)
{
    struct simple *s = of(e);

    (void)now;
    s->rtt = s->rtt ? s->rtt + (rtt - s->rtt) / 8 : rtt;
}

static void simple_on_demand(struct ln_estimator *e, ln_time now, uint64_t bps)
{
    (void)now;
    of(e)->demand_bps = bps;
}

static void reset(struct simple *s, ln_time now)
{
    rate_init(&s->sent);
    rate_init(&s->acked);
    s->target = (double)s->start_bps;
    s->remb_bps = 0;
    s->base_now = s->base_before = INT64_MAX;
    s->base_from = LN_TIME_NEVER;
    s->queue = 0;
    s->batch = s->batch_lost = 0;
    s->loss = 0;
    s->rtt = 0;
    s->limit_felt = false;
    s->resume_to = 0;
    s->begun = now;
    s->grown = now;
    s->fallen = LN_TIME_IMMEDIATE;
    s->last_feedback = LN_TIME_NEVER;
    s->last_sent = LN_TIME_NEVER;
}

static void simple_on_path_change(struct ln_estimator *e, ln_time now)
{
    struct simple *s = of(e);
    bool known = s->good > 0 && now - s->good_at <= GOOD_LIFETIME;

    reset(s, now);
    if (!known)
        return;
    if (RESUME * s->good > s->target)
        set_target(s, RESUME * s->good);
    s->resume_to = s->good;
}

/* Only if feedback came before and packets have left since. */
static ln_time simple_next_timeout(const struct ln_estimator *e)
{
    const struct simple *s = of_const(e);
    ln_time from = s->last_feedback;

    if (from == LN_TIME_NEVER || s->last_sent == LN_TIME_NEVER || s->last_sent <= from)
        return LN_TIME_NEVER;
    if (s->fallen != LN_TIME_IMMEDIATE)
        from = ln_time_max(from, s->fallen);
    return from + SILENCE + 2 * s->rtt;
}

static void simple_on_timeout(struct ln_estimator *e, ln_time now)
{
    if (ln_time_due(simple_next_timeout(e), now))
        fall_to(of(e), now, of(e)->target * 0.7);
}

static uint64_t simple_target(const struct ln_estimator *e)
{
    return target(of_const(e));
}

/* This one learns from media alone. */
static size_t simple_poll_probe(struct ln_estimator *e, ln_time now)
{
    (void)e;
    (void)now;
    return 0;
}

static void simple_set_limits(struct ln_estimator *e, uint64_t min_bps, uint64_t max_bps)
{
    of(e)->min_bps = min_bps;
    of(e)->max_bps = max_bps > min_bps ? max_bps : min_bps;
}

static void simple_get_stats(const struct ln_estimator *e, struct ln_estimator_stats *ret)
{
    const struct simple *s = of_const(e);

    *ret = (struct ln_estimator_stats){ .target_bps = target(s),
                                        .acked_bps = (uint64_t)acked_bps(s),
                                        .loss = s->loss,
                                        .queue_delay = s->queue,
                                        .round_trip_time = s->rtt,
                                        .results_unknown = s->unknown };
}

static const struct ln_estimator_ops simple_ops = {
    .free = simple_free,
    .on_sent = simple_on_sent,
    .on_feedback = simple_on_feedback,
    .on_loss = simple_on_loss,
    .on_remb = simple_on_remb,
    .on_rtt = simple_on_rtt,
    .on_demand = simple_on_demand,
    .on_path_change = simple_on_path_change,
    .on_timeout = simple_on_timeout,
    .next_timeout = simple_next_timeout,
    .target_bps = simple_target,
    .poll_probe = simple_poll_probe,
    .set_limits = simple_set_limits,
    .get_stats = simple_get_stats,
};

int ln_estimator_simple_create(struct ln_estimator **ret, const struct ln_env *env,
                               const struct ln_estimator_config *config, ln_time now)
{
    struct simple *s = ln_alloc_zero(env->allocator, sizeof *s);

    if (!s)
        return LN_ERR_NOMEM;
    s->base.ops = &simple_ops;
    s->allocator = env->allocator;
    s->start_bps = config->start_bps ? config->start_bps : START_BPS;
    s->min_bps = config->min_bps ? config->min_bps : MIN_BPS;
    s->max_bps = config->max_bps ? config->max_bps : MAX_BPS;
    s->first_sequence = 0;
    s->last_sequence = -1;
    reset(s, now);
    *ret = &s->base;
    return 0;
}
