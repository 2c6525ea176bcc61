/* SPDX-License-Identifier: Apache-2.0
 * Two associations over a virtual link: setting up, messages, reset, the end. */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "sctp/crc32c.h"

LN_TEST(sctp, connects_with_simultaneous_inits_and_carries_messages)
{
    uint8_t message[100000];
    struct ln_sctp_event event;
    struct pipe pipe;

    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 7 + i / 251);
    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    CHECK(ln_sctp_send(pipe.end[0], 3, 53, message, sizeof message, NULL) == 0);
    CHECK_EQUAL(ln_sctp_buffered_amount(pipe.end[0], 3), sizeof message);
    CHECK(ln_sctp_send(pipe.end[1], 5, 51, message, 10, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(2), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event));
    CHECK_EQUAL(event.stream, 3);
    CHECK_EQUAL(event.ppid, 53);
    CHECK_EQUAL(event.len, sizeof message);
    CHECK_BYTES(event.data, message, sizeof message);
    CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_MESSAGE, &event));
    CHECK_EQUAL(event.len, 10);
    CHECK_EQUAL(ln_sctp_buffered_amount(pipe.end[0], 3), 0);
    pipe_free(&pipe);
}
