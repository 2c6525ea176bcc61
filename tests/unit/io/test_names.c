/* SPDX-License-Identifier: Apache-2.0
 * Names and interfaces. Nothing here leaves the machine: what getaddrinfo() is asked is no name
 * that a server could know. */
#include "base/address.h"
#include "io/thread.h"
#include "tests/unit/io/fault.h"
#include "tests/unit/io/probe.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void resolve(struct probe *p, uint32_t id, const char *name, uint8_t family)
{
    struct ln_request request = {
        .kind = LN_REQUEST_RESOLVE, .id = id, .name = name, .family = family
    };

    probe_request(p, &request);
}

static void open_probe(struct probe *p)
{
    probe_loop(NULL);
    probe_init(p);
    probe_add(p);
}

LN_TEST(io_names, numeric_ones_and_localhost_are_answered_at_once)
{
    struct probe p;

    open_probe(&p);
    resolve(&p, 1, "192.0.2.7", LN_FAMILY_NONE);
    resolve(&p, 2, "2001:db8::7", LN_FAMILY_NONE);
    resolve(&p, 3, "LocalHost", LN_FAMILY_NONE);
    resolve(&p, 4, "a.localhost.", LN_FAMILY_IPV6);
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    TRY(probe_answer(&p, LN_ANSWER_RESOLVED, 1) != NULL);
    TRY_EQUAL(probe_answer(&p, LN_ANSWER_RESOLVED, 1)->answer.address_count, 1);
    TRY(ln_address_equal(&probe_answer(&p, LN_ANSWER_RESOLVED, 2)->addresses[0],
                         &(struct ln_address){
                             .family = LN_FAMILY_IPV6,
                             .ip = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 },
                         }));
    TRY_EQUAL(probe_answer(&p, LN_ANSWER_RESOLVED, 3)->answer.address_count, 2);
    TRY_EQUAL(probe_answer(&p, LN_ANSWER_RESOLVED, 4)->answer.address_count, 1);
    TRY(ln_address_is_loopback(&probe_answer(&p, LN_ANSWER_RESOLVED, 4)->addresses[0]));
    probe_loop_close();
}

LN_TEST(io_names, that_cannot_exist_fail_at_once)
{
    char long_name[400];
    struct probe p;

    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    open_probe(&p);
    resolve(&p, 1, "no.such.invalid", LN_FAMILY_NONE);
    resolve(&p, 2, "192.0.2.7", LN_FAMILY_IPV6);
    resolve(&p, 3, long_name, LN_FAMILY_NONE);
    resolve(&p, 4, "", LN_FAMILY_NONE);
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    for (uint32_t id = 1; id <= 4; id++) {
        TRY(probe_answer(&p, LN_ANSWER_FAILED, id) != NULL);
        TRY_EQUAL(probe_answer(&p, LN_ANSWER_FAILED, id)->answer.error, LN_ERR_NOT_FOUND);
    }
    probe_loop_close();
}

/* A hexadecimal address is no form of ours, but getaddrinfo() knows it without asking anybody. */
#define HELPERS_NAME "0x7f000001"
/* A label of 64 characters is longer than DNS takes (RFC 1035, 2.3.4). */
#define BAD_NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b"

LN_TEST(io_names, others_are_looked_up_off_the_loop)
{
    struct probe p;

    open_probe(&p);
    resolve(&p, 1, HELPERS_NAME, LN_FAMILY_NONE);
    resolve(&p, 2, BAD_NAME, LN_FAMILY_NONE);
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    wait_answer(&p, LN_ANSWER_RESOLVED, 1);
    TRY(ln_address_equal(&probe_answer(&p, LN_ANSWER_RESOLVED, 1)->addresses[0],
                         &(struct ln_address){ .family = LN_FAMILY_IPV4, .ip = { 127, 0, 0, 1 } }));
    TRY(wait_answer(&p, LN_ANSWER_FAILED, 2)->error != 0);
    probe_loop_close();
}

LN_TEST(io_names, lookups_are_bounded)
{
    struct probe p;
    size_t failed = 0;

    open_probe(&p);
    for (uint32_t id = 1; id <= 96; id++) {
        resolve(&p, id, HELPERS_NAME, LN_FAMILY_NONE);
        if (id % 32 == 0) /* without a turn for the answers */
            ln_loop_touch(p.handle);
        if (id % 32 == 0 && id < 96)
            TRY(ln_loop_run_once(test_loop, 0) == 0);
    }
    while (p.answer_count < 96)
        TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(test_allocator()->fail_at ? 5 : 1000)) ==
            0);
    for (size_t i = 0; i < PROBE_ANSWERS_MAX; i++)
        failed += p.answers[i].answer.kind == LN_ANSWER_FAILED;
    TRY(failed < PROBE_ANSWERS_MAX);
    probe_loop_close();
}

LN_TEST(io_names, whose_asker_is_gone_are_forgotten)
{
    int before = count_descriptors();
    struct probe p;

    open_probe(&p);
    resolve(&p, 1, HELPERS_NAME, LN_FAMILY_NONE);
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    ln_loop_remove_endpoint(p.handle);
    for (int i = 0; i < 3; i++)
        TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(5)) == 0);
    probe_loop_close();
    CHECK_EQUAL(count_descriptors(), before);
}

LN_TEST(io_names, may_be_taken_back)
{
    struct ln_request take_back = { .kind = LN_REQUEST_CLOSE, .id = 1 };
    struct probe p;

    open_probe(&p);
    resolve(&p, 1, HELPERS_NAME, LN_FAMILY_NONE);
    probe_request(&p, &take_back);
    for (int i = 0; i < 3; i++)
        TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(5)) == 0);
    TRY_EQUAL(p.answer_count, 0);
    probe_loop_close();
}

/* More lookups than the answers' mailbox holds, none of them wanted any more. */
LN_TEST(io_names, taken_back_in_masses_leave_the_helper_working)
{
    struct ln_request take_back = { .kind = LN_REQUEST_CLOSE, .id = 1 };
    struct probe p;

    open_probe(&p);
    for (int i = 0; i < 300; i++) {
        resolve(&p, 1, HELPERS_NAME, LN_FAMILY_NONE);
        probe_request(&p, &take_back);
        if (i % 15 == 14)
            TRY(ln_loop_run_once(test_loop, 0) == 0);
    }
    do { /* the queue may still be full of the old ones */
        TRY(!test_allocator()->failed);
        p.answer_count = 0;
        resolve(&p, 2, HELPERS_NAME, LN_FAMILY_NONE);
        while (p.answer_count == 0)
            TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(10)) == 0);
    } while (!probe_answer(&p, LN_ANSWER_RESOLVED, 2));
    probe_loop_close();
}

struct local_resolver {
    uint64_t token;
    char name[64];
    bool at_once;
    int calls;
};

static void resolve_local(void *ctx, uint64_t token, const char *name, uint8_t family)
{
    struct local_resolver *r = ctx;
    struct ln_address address = address_of("192.0.2.33");

    (void)family;
    r->calls++;
    r->token = token;
    snprintf(r->name, sizeof r->name, "%s", name);
    if (r->at_once)
        ln_loop_resolved(test_loop, token, 0, &address, 1);
}

LN_TEST(io_names, of_a_suffix_go_to_their_resolver)
{
    struct local_resolver r = { .at_once = true };
    struct ln_address address = address_of("192.0.2.34");
    struct probe p;

    open_probe(&p);
    TRY(ln_loop_set_resolver(test_loop, ".local", resolve_local, &r) == 0);
    resolve(&p, 1, "8f2c.Local", LN_FAMILY_NONE);
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    TRY(probe_answer(&p, LN_ANSWER_RESOLVED, 1) != NULL);
    TRY(strcmp(r.name, "8f2c.Local") == 0);
    r.at_once = false;
    resolve(&p, 2, "later.local.", LN_FAMILY_NONE);
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    TRY(probe_answer(&p, LN_ANSWER_RESOLVED, 2) == NULL);
    ln_loop_resolved(test_loop, r.token + 77, 0, &address, 1); /* unknown: ignored */
    ln_loop_resolved(test_loop, r.token, 0, &address, 1);
    ln_loop_resolved(test_loop, r.token, 0, &address, 1); /* twice: ignored */
    TRY(probe_answer(&p, LN_ANSWER_RESOLVED, 2) != NULL);
    TRY_EQUAL(p.answer_count, 2);
    resolve(&p, 3, "none.local", LN_FAMILY_NONE);
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    ln_loop_resolved(test_loop, r.token, LN_ERR_TIMEOUT, NULL, 0);
    TRY_EQUAL(probe_answer(&p, LN_ANSWER_FAILED, 3)->answer.error, LN_ERR_TIMEOUT);
    TRY_EQUAL(r.calls, 3);
    TRY(ln_loop_set_resolver(test_loop, ".a", resolve_local, &r) == 0);
    TRY(ln_loop_set_resolver(test_loop, ".b", resolve_local, &r) == 0);
    TRY(ln_loop_set_resolver(test_loop, ".c", resolve_local, &r) == 0);
    TRY(ln_loop_set_resolver(test_loop, ".d", resolve_local, &r) == LN_ERR_LIMIT);
    TRY(ln_loop_set_resolver(test_loop, ".a", NULL, NULL) == 0);
    TRY(ln_loop_set_resolver(test_loop, ".d", resolve_local, &r) == 0);
    probe_loop_close();
}

/* ---- interfaces ---- */

static const struct ln_interface *find_loopback(const struct probe_answer *a)
{
    for (size_t i = 0; i < a->answer.interface_count && i < PROBE_ADDRESSES_MAX; i++) {
        if (a->interfaces[i].loopback && a->interfaces[i].address.family == LN_FAMILY_IPV4)
            return &a->interfaces[i];
    }
    return NULL;
}

LN_TEST(io_interfaces, are_listed_at_once_with_the_loopback_marked)
{
    struct ln_request watch = { .kind = LN_REQUEST_WATCH_INTERFACES, .id = 6 };
    const struct ln_interface *lo;
    struct probe p, q;

    open_probe(&p);
    probe_init(&q);
    probe_add(&q);
    probe_request(&p, &watch);
    probe_request(&q, &watch);
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    TRY(probe_answer(&p, LN_ANSWER_INTERFACES, 6) != NULL);
    TRY(probe_answer(&q, LN_ANSWER_INTERFACES, 6) != NULL);
    lo = find_loopback(probe_answer(&p, LN_ANSWER_INTERFACES, 6));
    TRY(lo != NULL);
    TRY(strcmp(lo->name, "lo") == 0 && lo->up && !lo->point_to_point && !lo->temporary);
    TRY(lo->index > 0 && lo->prefix_len == 8 && lo->address.port == 0);
    TRY(ln_address_is_loopback(&lo->address));
    probe_loop_close();
}

LN_TEST(io_interfaces, are_listed_where_netlink_is_forbidden)
{
    struct ln_request watch = { .kind = LN_REQUEST_WATCH_INTERFACES, .id = 6 };
    const struct ln_interface *lo;
    struct probe p;

    open_probe(&p);
    netlink_fault = EACCES;
    probe_request(&p, &watch);
    run_idle();
    netlink_fault = EMFILE;
    watch.id = 7;
    probe_request(&p, &watch);
    run_idle();
    netlink_fault = 0;
    TRY(probe_answer(&p, LN_ANSWER_INTERFACES, 6) != NULL);
    lo = find_loopback(probe_answer(&p, LN_ANSWER_INTERFACES, 6));
    TRY(lo != NULL);
    TRY(lo->up && lo->index > 0 && lo->prefix_len == 8 && strcmp(lo->name, "lo") == 0);
    TRY_EQUAL(probe_answer(&p, LN_ANSWER_FAILED, 7)->answer.error, LN_ERR_LIMIT);
    probe_loop_close();
}

/* An address that is missing from a list would end all that passes there. */
LN_TEST(io_interfaces, are_read_again_when_the_list_changed_under_the_reader)
{
    struct ln_request watch = { .kind = LN_REQUEST_WATCH_INTERFACES, .id = 6 };
    struct probe p;

    open_probe(&p);
    torn_dumps = 3;
    probe_request(&p, &watch);
    run_idle();
    TRY_EQUAL(torn_dumps, 0);
    TRY(probe_answer(&p, LN_ANSWER_INTERFACES, 6) != NULL);
    TRY(find_loopback(probe_answer(&p, LN_ANSWER_INTERFACES, 6)) != NULL);
    probe_loop_close();
}

struct lonely {
    struct ln_thread thread;
    bool tried, at_first, later;
};

static bool told_twice(void *ctx)
{
    const struct probe *p = ctx;

    return probe_count(p, LN_ANSWER_INTERFACES) >= 2;
}

/* On a thread with a network namespace of its own, whose loopback is down at first. */
static void change_interfaces(void *ctx)
{
    struct ln_request watch = { .kind = LN_REQUEST_WATCH_INTERFACES, .id = 6 };
    struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    struct lonely *lonely = ctx;
    struct probe p;
    int fd;

    if (unshare(CLONE_NEWNET) != 0)
        return; /* needs privileges */
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    lonely->tried = true;
    open_probe(&p);
    probe_request(&p, &watch);
    wait_answer(&p, LN_ANSWER_INTERFACES, 6);
    lonely->at_first = find_loopback(&p.answers[0]) != NULL;
    if (ioctl(fd, SIOCSIFFLAGS, &up) == 0) {
        run_until(told_twice, &p);
        lonely->later = find_loopback(&p.answers[1]) != NULL;
    }
    close(fd);
    probe_loop_close();
}

LN_TEST(io_interfaces, that_change_are_told_again)
{
    struct lonely lonely = { 0 };

    if (test_allocator()->fail_at)
        return; /* the sweep cannot leave a test on another thread */
    CHECK(ln_thread_start(&lonely.thread, "lonely", change_interfaces, &lonely) == 0);
    ln_thread_join(&lonely.thread);
    CHECK(!lonely.tried || (!lonely.at_first && lonely.later));
}

/* A publisher that writes down what it is told. */
static uint64_t published_token, withdrawn_token;
static char published_name[64];
static struct ln_address published_address;

static void note_published(void *ctx, uint64_t token, const char *name,
                           const struct ln_address *address)
{
    (void)ctx;
    published_token = token;
    published_address = *address;
    snprintf(published_name, sizeof published_name, "%s", name);
}

static void note_withdrawn(void *ctx, uint64_t token)
{
    (void)ctx;
    withdrawn_token = token;
}

static void publish(struct probe *p, uint32_t id, const char *name)
{
    struct ln_request request = { .kind = LN_REQUEST_PUBLISH, .id = id, .name = name };

    request.local = address_of("192.0.2.7:0");
    probe_request(p, &request);
}

LN_TEST(io_names, to_be_published_are_handed_on_and_taken_back)
{
    static const struct ln_loop_publisher publisher = { note_published, note_withdrawn };
    struct ln_request back = { .kind = LN_REQUEST_CLOSE, .id = 6 };
    struct probe p;

    open_probe(&p);
    publish(&p, 5, "a.local");
    run_idle();
    TRY_EQUAL(probe_answer(&p, LN_ANSWER_FAILED, 5)->answer.error, LN_ERR_NOT_SUPPORTED);
    ln_loop_set_publisher(test_loop, &publisher, NULL);
    publish(&p, 6, "b.local");
    run_idle();
    TRY(strcmp(published_name, "b.local") == 0 && published_address.ip[3] == 7);
    TRY(probe_answer(&p, LN_ANSWER_PUBLISHED, 6) == NULL);
    ln_loop_published(test_loop, published_token, 0);
    TRY(probe_answer(&p, LN_ANSWER_PUBLISHED, 6) != NULL);
    probe_request(&p, &back);
    run_idle();
    TRY_EQUAL(withdrawn_token, published_token);
    publish(&p, 7, "c.local");
    run_idle();
    ln_loop_published(test_loop, published_token, LN_ERR_NOT_FOUND);
    TRY_EQUAL(probe_answer(&p, LN_ANSWER_FAILED, 7)->answer.error, LN_ERR_NOT_FOUND);
    publish(&p, 8, "d.local");
    run_idle();
    ln_loop_remove_endpoint(p.handle);
    TRY_EQUAL(withdrawn_token, published_token);
    ln_loop_published(test_loop, published_token, 0); /* nobody's any more */
    probe_loop_close();
}
