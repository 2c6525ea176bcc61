/* SPDX-License-Identifier: Apache-2.0
 * How a scenario runs: two parties connect, converse, part; everything is checked. */
#include "tests/sim/scenario.h"

#include "tests/sim/call.h"
#include "tests/support/test.h"

#define OPEN_WITHIN LN_SECONDS(30)
#define FAIL_WITHIN LN_SECONDS(60)

static struct call call; /* large */

static void connect(const struct scenario *s, struct outcome *ret)
{
    ln_duration limit = s->open_within ? s->open_within : OPEN_WITHIN;

    if (s->never_opens) {
        CHECK(call_run(&call, FAIL_WITHIN, call_failed));
        CHECK(!call_open(&call));
        return;
    }
    CHECK(call_run(&call, limit, call_open));
    ret->open = call.net.now - call.began;
    call_converse(&call);
    call_check(&call);
}

void scenario_run(const struct scenario *scenario, uint64_t seed, struct outcome *ret)
{
    if (scenario->run) {
        scenario->run(seed, ret);
        return;
    }
    CHECK(call_init(&call, scenario, seed, false) == 0);
    connect(scenario, ret);
    ret->hash = call.net.hash;
    ret->steps = call.net.steps;
    ret->figure = call.figure;
    ret->has_figure = call.has_figure;
    call_free(&call);
}
