/* SPDX-License-Identifier: Apache-2.0
 * Scenarios of connecting and of data. */
#include "tests/sim/call.h"
#include "tests/support/test.h"

#define MS LN_MILLISECONDS

LN_SCENARIO(perfect) = {
    .line = { .delay = MS(1) },
    .channels = CHANNELS_ALL,
    .messages = 30,
    .open_within = LN_SECONDS(1),
};

LN_SCENARIO(loss_5) = {
    .line = { .delay = MS(30), .loss = 0.05 },
    .messages = 40,
};

LN_SCENARIO(loss_10) = {
    .line = { .delay = MS(30), .loss = 0.1 },
    .messages = 40,
};

LN_SCENARIO(loss_20) = {
    .line = { .delay = MS(30), .loss = 0.2 },
    .messages = 30,
};
