/* SPDX-License-Identifier: Apache-2.0
 * Between the files that send datagrams: a run, the message that a system call takes for it, and
 * the batch of runs that one call takes. */
#ifndef LN_IO_UDP_RUN_H
#define LN_IO_UDP_RUN_H

#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <netinet/in.h>

#define LN_IO_BATCH_RUNS   16u
#define LN_IO_BATCH_PIECES 256u

/* Datagrams of one size (the last may be shorter) for one path, in one piece of memory or in a
 * piece each. */
struct ln_io_run {
    const struct ln_path *path;
    uint8_t ecn, dscp;
    bool may_fragment, whole;
    size_t segment; /* size of all but the last datagram */
    size_t count;   /* datagrams */
    size_t len;     /* bytes */
    struct iovec *iov;
    size_t iov_count; /* 1 or count */
};

/* What a message points to, beside the run's own memory. */
struct ln_io_envelope {
    union ln_sockaddr name;
    _Alignas(
        struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)) +
                                        CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Runs of one link that wait for the end of a drive, or for their number; their buffers are held.
 */
struct ln_io_batch {
    struct ln_io_link *link;
    size_t count, pieces;
    struct ln_io_run runs[LN_IO_BATCH_RUNS];
    struct ln_path paths[LN_IO_BATCH_RUNS];
    struct ln_io_envelope envelopes[LN_IO_BATCH_RUNS];
    struct mmsghdr messages[LN_IO_BATCH_RUNS];
    struct iovec iov[LN_IO_BATCH_PIECES];
    struct ln_buffer *buffers[LN_IO_BATCH_PIECES];
};

/* udp_message.c: false where the address is of another family than the socket. */
bool ln_io_run_message(const struct ln_io_link *link, const struct ln_io_run *run,
                       struct ln_io_envelope *envelope, struct msghdr *ret_message);

/* udp_send.c: sends one run, or keeps it; false when the rest of its transmit is not to be tried.
 */
bool ln_io_udp_send_run(struct ln_io_link *link, struct ln_io_run *run);
void ln_io_udp_count_sent(struct ln_io_link *link, const struct ln_io_run *run);
/* Cuts the next run off the slices from *at on. run->iov has room for all of them. */
void ln_io_next_run_of_slices(struct ln_io_run *run, const struct ln_slice *slices, size_t count,
                              size_t *at);

/* udp_batch.c: takes the slices of a transmit, if they may wait. */
bool ln_io_batch_take(struct ln_io_link *link, ln_time now, const struct ln_transmit *transmit);

#endif
