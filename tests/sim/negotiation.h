/* SPDX-License-Identifier: Apache-2.0
 * Two peer connections whose applications do anything at any time. */
#ifndef LN_SIM_NEGOTIATION_H
#define LN_SIM_NEGOTIATION_H

#include "tests/sim/scenario.h"

/* Runs one seed: offers, answers, rollbacks, stale and foreign descriptions, tracks, transceivers,
 * channels, restarts, candidates, statistics, close, at every point, with events taken late. CHECKs
 * that signalling states follow the specification, that each operation ends once and in order, that
 * nothing is told after close(), and that nothing is left in memory. */
void negotiation_run(uint64_t seed, struct outcome *ret);

#endif
