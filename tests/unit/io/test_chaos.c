/* SPDX-License-Identifier: Apache-2.0
 * Everything at once: endpoints that come and go, sockets and streams opened, used and closed in
 * any order, faults of the system in between. Nothing may crash, leak or be called out of turn (the
 * probe checks that). The choices follow a seed; what the kernel makes of them does not. */
#include "tests/unit/io/fault.h"
#include "tests/unit/io/probe.h"

#include <errno.h>

#define PROBES 6
#define STEPS  300

struct chaos {
    struct probe probes[PROBES];
    struct ln_rng rng;
    struct ln_path paths[8]; /* links once seen, some closed since */
    size_t path_count;
    struct ln_address listener;
};

static struct chaos chaos;

static void remember(struct probe *probe, const struct ln_answer *answer)
{
    struct ln_path *path = &chaos.paths[chaos.path_count++ % 8];

    (void)probe;
    if (answer->kind != LN_ANSWER_OPENED)
        return;
    path->link = answer->link;
    path->local = answer->local;
    path->remote = answer->remote;
}

static int send_anything(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct ln_rng *rng = &chaos.rng;
    size_t sizes[] = { 0, 1, 100, 1200, 5000, 65507 };

    (void)probe;
    if (ln_rng_below(rng, 3) == 0)
        return 0;
    out->path = chaos.paths[ln_rng_below(rng, 8)];
    if (out->path.remote.family == LN_FAMILY_NONE)
        out->path.remote = chaos.paths[ln_rng_below(rng, 8)].local;
    out->len = sizes[ln_rng_below(rng, 6)];
    memset(out->data, 7, out->len);
    if (ln_rng_below(rng, 2) == 0)
        out->segment = out->len / (1 + ln_rng_below(rng, 64));
    if (ln_rng_below(rng, 4) == 0)
        out->not_before = now + LN_MICROSECONDS(ln_rng_below(rng, 3000));
    out->ecn = (uint8_t)ln_rng_below(rng, 4);
    return 1;
}

static void close_any(struct probe *probe)
{
    struct ln_request request = { .kind = LN_REQUEST_CLOSE };

    request.link = chaos.paths[ln_rng_below(&chaos.rng, 8)].link;
    request.id = ln_rng_below(&chaos.rng, 4);
    probe_request(probe, &request);
}

static void open_any(struct probe *probe)
{
    struct ln_request request = { .id = ln_rng_below(&chaos.rng, 4) };

    request.kind = (enum ln_request_kind)ln_rng_below(&chaos.rng, 7); /* and one that is none */
    if (request.kind > LN_REQUEST_LISTEN_TCP && ln_rng_below(&chaos.rng, 2))
        request.kind = LN_REQUEST_OPEN_UDP;
    request.local = address_of(ln_rng_below(&chaos.rng, 3) ? "127.0.0.1" : "[::1]:0");
    request.remote = chaos.paths[ln_rng_below(&chaos.rng, 8)].local;
    request.name = ln_rng_below(&chaos.rng, 2) ? "localhost" : "0x7f000001";
    if (request.kind == LN_REQUEST_OPEN_TCP)
        request.local.family = LN_FAMILY_NONE;
    probe_request(probe, &request);
}

static void come_or_go(struct probe *probe)
{
    if (probe->handle && ln_rng_below(&chaos.rng, 2)) {
        ln_loop_remove_endpoint(probe->handle);
        probe->handle = NULL;
    } else if (!probe->handle) {
        probe->request_head = probe->request_count = 0;
        (void)probe_try_add(probe);
    }
}

static void act(struct probe *probe)
{
    static const int faults[] = { EAGAIN, EIO, EINVAL, ENOBUFS, EPERM, ECONNREFUSED };

    switch (ln_rng_below(&chaos.rng, 14)) {
    case 0:
        come_or_go(probe);
        break;
    case 1:
        close_any(probe);
        break;
    case 2:
        sendmsg_fault.number = faults[ln_rng_below(&chaos.rng, 6)];
        sendmsg_fault.times = 2;
        break;
    case 3:
        probe->deadline = ln_loop_now(test_loop) + LN_MICROSECONDS(ln_rng_below(&chaos.rng, 2000));
        break;
    default:
        if (probe->request_count - probe->request_head < 8)
            open_any(probe);
    }
}

static void act_on_any(struct probe *probe)
{
    (void)probe;
    if (ln_rng_below(&chaos.rng, 4) == 0)
        act(&chaos.probes[ln_rng_below(&chaos.rng, PROBES)]);
}

static void run_chaos(uint64_t seed)
{
    struct ln_loop_config config = { .links_max = 40,
                                     .streams_max = 4,
                                     .stream_queue_max = 20000,
                                     .datagram_queue_max = 200000,
                                     .connect_timeout = LN_MILLISECONDS(20) };

    memset(&chaos, 0, sizeof chaos);
    ln_rng_seed(&chaos.rng, seed);
    probe_loop(&config);
    for (int i = 0; i < PROBES; i++) {
        struct probe *probe = &chaos.probes[i];

        probe_init(probe);
        probe->transmit = send_anything;
        probe->answered = remember;
        probe->after = act_on_any;
        probe_add(probe);
    }
    for (int i = 0; i < STEPS; i++) {
        act(&chaos.probes[ln_rng_below(&chaos.rng, PROBES)]);
        TRY(ln_loop_run_once(test_loop, LN_MICROSECONDS(200)) == 0);
    }
    sendmsg_fault.times = 0;
    probe_loop_close();
}

LN_TEST(io_chaos, ends_without_a_crash_a_leak_or_an_open_descriptor)
{
    int before = count_descriptors();
    uint64_t seeds = test_allocator()->fail_at ? 1 : 3;

    if (test_allocator()->fail_at > 60)
        return; /* enough of it */
    for (uint64_t seed = 1; seed <= seeds; seed++)
        run_chaos(seed);
    CHECK_EQUAL(count_descriptors(), before);
}
