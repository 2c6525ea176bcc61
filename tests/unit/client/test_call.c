/* SPDX-License-Identifier: Apache-2.0
 * Two calls on one loop, with real sockets and clocks: what becomes of offers that cross, and of
 * one that is lost. What they describe goes to the other at once, unless it is held or dropped. */
#include "client/call.h"
#include "client/loop_driver.h"
#include "client/workers.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT      LN_SECONDS(20)
#define SETTLE     LN_SECONDS(2)         /* less than an offer waits for its answer */
#define LOST_AFTER LN_MILLISECONDS(3100) /* more */

struct end {
    struct ln_call *call;
    struct end *other;
    enum { PASS, HOLD, DROP } way;
    char *offer, *answer; /* held */
    unsigned offers, answers, connected;
};

static struct ln_driver *driver;
static struct ln_workers *workers;
static struct ln_configuration configuration;
static struct end rude, polite; /* the first takes no offer while its own is out */

static void describe(void *ctx, struct ln_call *call, const char *type, const char *sdp)
{
    struct end *end = ctx;
    bool offer = strcmp(type, "offer") == 0;

    (void)call;
    end->offers += offer;
    end->answers += !offer;
    if (end->way == HOLD)
        *(offer ? &end->offer : &end->answer) = strdup(sdp);
    else if (end->way == PASS)
        ln_call_described(end->other->call, type, sdp);
}

static void candidate(void *ctx, struct ln_call *call, const struct ln_ice_candidate *c)
{
    struct end *end = ctx;
    struct ln_ice_candidate_init init = { c->candidate, c->sdp_mid, -1, c->username_fragment };

    (void)call;
    ln_call_candidate(end->other->call, &init);
}

static void state(void *ctx, struct ln_call *call, enum ln_peer_connection_state value,
                  bool can_receive)
{
    struct end *end = ctx;

    (void)call;
    end->connected += value == LN_PEER_CONNECTION_STATE_CONNECTED && can_receive;
}

static void track(void *ctx, struct ln_call *call, enum ln_media_kind kind, bool live)
{
}

static void figures(void *ctx, struct ln_call *call, const struct ln_participant_figures *f)
{
}

static void create(struct end *end, struct end *other, bool is_polite)
{
    struct ln_call_config config = { .loop = ln_driver_loop(driver),
                                     .workers = workers,
                                     .env = ln_driver_env(driver),
                                     .configuration = &configuration,
                                     .polite = is_polite,
                                     .first_offer = is_polite,
                                     .describe = describe,
                                     .candidate = candidate,
                                     .state = state,
                                     .track = track,
                                     .figures = figures,
                                     .ctx = end };

    memset(end, 0, sizeof *end);
    end->other = other;
    CHECK_EQUAL(ln_call_create(&end->call, &config), 0);
}

static bool run_until(bool (*done)(void), ln_duration limit)
{
    struct ln_loop *loop = ln_driver_loop(driver);
    ln_time end = ln_loop_now(loop) + limit;

    while (!done() && ln_loop_now(loop) < end)
        CHECK_EQUAL(ln_loop_run_once(loop, LN_MILLISECONDS(20)), 0);
    return done();
}

static bool both_connected(void)
{
    return rude.connected > 0 && polite.connected > 0;
}

static bool polite_holds_an_answer(void)
{
    return polite.answer != NULL;
}

static bool polite_holds_an_offer(void)
{
    return polite.offer != NULL;
}

static bool rude_answered(void)
{
    return rude.answers > 0;
}

static bool rude_offered(void)
{
    return rude.offers > 0;
}

static bool never(void)
{
    return false;
}

static void set_up(void)
{
    CHECK_EQUAL(ln_driver_create(&driver), 0);
    CHECK_EQUAL(
        ln_workers_create(&workers, ln_driver_loop(driver), 1, ln_driver_env(driver)->allocator),
        0);
    ln_configuration_init(&configuration);
    configuration.include_loopback = true;
    configuration.wall_offset = ln_loop_wall_offset(ln_driver_loop(driver));
    create(&rude, &polite, false);
    create(&polite, &rude, true);
    CHECK(run_until(both_connected, LIMIT));
    CHECK_EQUAL(rude.offers, 0);
    CHECK_EQUAL(rude.answers, 1);
    rude.answers = 0;
}

static void tear_down(void)
{
    ln_call_free(rude.call);
    ln_call_free(polite.call);
    free(polite.answer);
    free(polite.offer);
    ln_workers_free(workers);
    ln_driver_free(driver);
}

LN_TEST(call, takes_an_offer_that_comes_right_behind_an_answer)
{
    set_up();
    polite.way = HOLD;
    ln_call_restart_ice(rude.call);
    CHECK(run_until(polite_holds_an_answer, LIMIT));
    ln_call_restart_ice(polite.call);
    CHECK(run_until(polite_holds_an_offer, LIMIT));
    ln_call_described(rude.call, "answer", polite.answer);
    ln_call_described(rude.call, "offer", polite.offer);
    CHECK(run_until(rude_answered, SETTLE));
    tear_down();
}

LN_TEST(call, gives_an_offer_up_that_was_lost_once_another_comes)
{
    set_up();
    rude.way = DROP;
    polite.way = HOLD;
    ln_call_restart_ice(rude.call);
    CHECK(run_until(rude_offered, LIMIT));
    ln_call_restart_ice(polite.call);
    CHECK(run_until(polite_holds_an_offer, LIMIT));
    ln_call_described(rude.call, "offer", polite.offer); /* too soon: its own may yet be answered */
    CHECK(!run_until(rude_answered, LN_MILLISECONDS(500)));
    CHECK(!run_until(never, LOST_AFTER));
    ln_call_described(rude.call, "offer", polite.offer);
    CHECK(run_until(rude_answered, LIMIT));
    tear_down();
}
