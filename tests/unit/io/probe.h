/* SPDX-License-Identifier: Apache-2.0
 * A protocol object for the tests of io: it asks for what it is told, sends what a callback gives
 * it, and writes down what happens to it. It checks that the driver keeps to linnet/endpoint.h.
 *
 * TRY is CHECK that closes the loop first, so that a test that ends early leaves no descriptor. */
#ifndef LN_TEST_IO_PROBE_H
#define LN_TEST_IO_PROBE_H

#include "base/endpoint.h"
#include "io/loop.h"
#include "tests/support/test.h"

#define PROBE_REQUESTS_MAX  32
#define PROBE_ANSWERS_MAX   64
#define PROBE_ADDRESSES_MAX 16

struct probe_answer {
    struct ln_answer answer; /* pointers are NULL */
    struct ln_address addresses[PROBE_ADDRESSES_MAX];
    struct ln_interface interfaces[PROBE_ADDRESSES_MAX];
};

struct probe {
    struct ln_loop_endpoint *handle;
    struct ln_request requests[PROBE_REQUESTS_MAX];
    size_t request_head, request_count;
    struct probe_answer answers[PROBE_ANSWERS_MAX];
    size_t answer_count;

    /* Fills the transmit (begun by the driver); returns what poll_transmit returns. */
    int (*transmit)(struct probe *probe, ln_time now, struct ln_transmit *out);
    void (*receive)(struct probe *probe, ln_time now, struct ln_packet *packet);
    void (*answered)(struct probe *probe, const struct ln_answer *answer);
    void (*after)(struct probe *probe);
    void *ctx;

    ln_time deadline; /* LN_TIME_NEVER by default */
    ln_time last_timeout, last_now;
    size_t timeouts, packets, bytes, afters;
    bool inside; /* a call is under way */
};

extern struct ln_loop *test_loop; /* of the running test; NULL when closed */

/* Makes test_loop with the test's environment. config may be NULL. */
void probe_loop(const struct ln_loop_config *config);
void probe_loop_close(void);
void probe_init(struct probe *probe);
void probe_add(struct probe *probe);
bool probe_try_add(struct probe *probe); /* to be used from callbacks, where TRY cannot be */
void probe_request(struct probe *probe, const struct ln_request *request);
void probe_open_udp(struct probe *probe, uint32_t id, const char *local);
/* The last answer of a kind (and id, if not 0); NULL if none. */
const struct probe_answer *probe_answer(const struct probe *probe, enum ln_answer_kind kind,
                                        uint32_t id);
size_t probe_count(const struct probe *probe, enum ln_answer_kind kind);

/* Runs the loop until done(ctx), at most for 5 s. */
void run_until(bool (*done)(void *ctx), void *ctx);
const struct ln_answer *wait_answer(struct probe *probe, enum ln_answer_kind kind, uint32_t id);
/* Opens a UDP socket and waits for it; returns the path's first half: link and local. */
struct ln_path probe_udp(struct probe *probe, const char *local);
/* Turns of the loop until nothing is left to do. */
void run_idle(void);

int count_descriptors(void);
struct ln_address address_of(const char *text);

#define TRY(condition)                                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            probe_loop_close();                                                                    \
            ln_test_fail(#condition, __FILE__, __LINE__);                                          \
        }                                                                                          \
    } while (0)
#define TRY_EQUAL(left, right)                                                                     \
    do {                                                                                           \
        long long left_ = (long long)(left), right_ = (long long)(right);                          \
        if (left_ != right_) {                                                                     \
            probe_loop_close();                                                                    \
            ln_test_fail_values(#left " == " #right, left_, right_, __FILE__, __LINE__);           \
        }                                                                                          \
    } while (0)

#endif
