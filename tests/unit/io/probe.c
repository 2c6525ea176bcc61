/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/io/probe.h"

#include <assert.h>
#include <dirent.h>

struct ln_loop *test_loop;

void probe_loop(const struct ln_loop_config *config)
{
    struct ln_loop_config own = { 0 };

    if (config)
        own = *config;
    own.env = test_env();
    TRY(ln_loop_create(&test_loop, &own) == 0);
}

void probe_loop_close(void)
{
    struct ln_loop *loop = test_loop;

    test_loop = NULL;
    ln_loop_free(loop);
}

static void enter(struct probe *probe)
{
    assert(!probe->inside);
    probe->inside = true;
}

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct probe *probe = object;

    enter(probe);
    assert(now >= probe->last_now);
    probe->last_now = now;
    probe->packets++;
    probe->bytes += packet->len;
    if (probe->receive)
        probe->receive(probe, now, packet);
    probe->inside = false;
}

static void on_timeout(void *object, ln_time now)
{
    struct probe *probe = object;

    enter(probe);
    probe->timeouts++;
    probe->last_timeout = now;
    if (probe->deadline <= now)
        probe->deadline = LN_TIME_NEVER;
    probe->inside = false;
}

static ln_time next_timeout(const void *object)
{
    const struct probe *probe = object;

    return probe->deadline;
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct probe *probe = object;
    int result = 0;

    enter(probe);
    if (probe->transmit)
        result = probe->transmit(probe, now, out);
    probe->inside = false;
    return result;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct probe *probe = object;

    assert(!probe->inside);
    if (probe->request_head == probe->request_count)
        return 0;
    *ret_request = probe->requests[probe->request_head++];
    return 1;
}

static void answer(void *object, ln_time now, const struct ln_answer *a)
{
    struct probe *probe = object;
    struct probe_answer *copy = &probe->answers[probe->answer_count % PROBE_ANSWERS_MAX];

    enter(probe);
    (void)now;
    memset(copy, 0, sizeof *copy);
    copy->answer = *a;
    for (size_t i = 0; i < a->address_count && i < PROBE_ADDRESSES_MAX; i++)
        copy->addresses[i] = a->addresses[i];
    for (size_t i = 0; i < a->interface_count && i < PROBE_ADDRESSES_MAX; i++)
        copy->interfaces[i] = a->interfaces[i];
    copy->answer.addresses = NULL;
    copy->answer.interfaces = NULL;
    probe->answer_count++;
    if (probe->answered)
        probe->answered(probe, a);
    probe->inside = false;
}

static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                            poll_transmit, poll_request, answer };

void probe_init(struct probe *probe)
{
    memset(probe, 0, sizeof *probe);
    probe->deadline = LN_TIME_NEVER;
}

static void after(void *ctx, ln_time now)
{
    struct probe *probe = ctx;

    (void)now;
    assert(!probe->inside);
    probe->afters++;
    if (probe->after)
        probe->after(probe);
}

bool probe_try_add(struct probe *probe)
{
    struct ln_endpoint endpoint = { &ops, probe };

    return ln_loop_add_endpoint(test_loop, endpoint, after, probe, &probe->handle) == 0;
}

void probe_add(struct probe *probe)
{
    TRY(probe_try_add(probe));
}

void probe_request(struct probe *probe, const struct ln_request *request)
{
    if (probe->request_head == probe->request_count)
        probe->request_head = probe->request_count = 0;
    assert(probe->request_count < PROBE_REQUESTS_MAX);
    probe->requests[probe->request_count++] = *request;
    if (probe->handle && !probe->inside)
        ln_loop_touch(probe->handle);
}

struct ln_address address_of(const char *text)
{
    struct ln_address address = { 0 };
    int error = ln_address_parse(text, &address);

    assert(error == 0);
    (void)error;
    return address;
}

void probe_open_udp(struct probe *probe, uint32_t id, const char *local)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_UDP,
                                  .id = id,
                                  .local = address_of(local) };

    probe_request(probe, &request);
}

const struct probe_answer *probe_answer(const struct probe *probe, enum ln_answer_kind kind,
                                        uint32_t id)
{
    size_t count = probe->answer_count < PROBE_ANSWERS_MAX ? probe->answer_count
                                                           : PROBE_ANSWERS_MAX;

    for (size_t i = 0; i < count; i++) {
        const struct probe_answer *a =
            &probe->answers[(probe->answer_count - 1 - i) % PROBE_ANSWERS_MAX];

        if (a->answer.kind == kind && (id == 0 || a->answer.id == id))
            return a;
    }
    return NULL;
}

size_t probe_count(const struct probe *probe, enum ln_answer_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < probe->answer_count && i < PROBE_ANSWERS_MAX; i++)
        count += probe->answers[i].answer.kind == kind;
    return count;
}

void run_until(bool (*done)(void *ctx), void *ctx)
{
    ln_time now = ln_loop_now(test_loop), limit = now + LN_SECONDS(5);

    while (!done(ctx)) {
        /* A failed allocation may mean that it never comes. */
        if (test_allocator()->failed && limit > now + LN_MILLISECONDS(30))
            limit = now + LN_MILLISECONDS(30);
        TRY(ln_loop_now(test_loop) < limit);
        TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(test_allocator()->fail_at ? 5 : 100)) == 0);
    }
}

struct awaited {
    struct probe *probe;
    enum ln_answer_kind kind;
    uint32_t id;
};

static bool is_answered(void *ctx)
{
    const struct awaited *awaited = ctx;

    return probe_answer(awaited->probe, awaited->kind, awaited->id) != NULL;
}

const struct ln_answer *wait_answer(struct probe *probe, enum ln_answer_kind kind, uint32_t id)
{
    struct awaited awaited = { probe, kind, id };

    run_until(is_answered, &awaited);
    return &probe_answer(probe, kind, id)->answer;
}

struct ln_path probe_udp(struct probe *probe, const char *local)
{
    static uint32_t id = 1000;
    const struct ln_answer *opened;
    struct ln_path path = { 0 };

    probe_open_udp(probe, ++id, local);
    opened = wait_answer(probe, LN_ANSWER_OPENED, id);
    path.link = opened->link;
    path.local = opened->local;
    return path;
}

void run_idle(void)
{
    for (int i = 0; i < 20; i++)
        TRY(ln_loop_run_once(test_loop, 0) == 0);
}

int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}
