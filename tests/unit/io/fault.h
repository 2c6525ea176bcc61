/* SPDX-License-Identifier: Apache-2.0
 * Makes the next sendmsg() or socket() calls of this thread fail, and its next recv() calls tell
 * less. The test binary's functions stand before the C library's. */
#ifndef LN_TEST_IO_FAULT_H
#define LN_TEST_IO_FAULT_H

#include <stdbool.h>

struct fault {
    int number; /* errno */
    int times;  /* calls that fail */
    int skip;   /* calls before that */
    bool trains_only;
};

extern _Thread_local struct fault sendmsg_fault;
extern _Thread_local int netlink_fault; /* errno for each socket() of netlink; 0: none */
extern _Thread_local int torn_dumps;    /* whose first address is missing, as the kernel says */

#endif
