/* SPDX-License-Identifier: Apache-2.0
 * Fragments without interleaving: what arrived forms runs on the line of TSNs. Part of reassembly.
 */
#ifndef LN_SCTP_RUNS_H
#define LN_SCTP_RUNS_H

#include "sctp/reassembly.h"

/* As ln_reassembly_add(), which has reserved the stream. */
LN_NODISCARD int ln_runs_add(struct ln_reassembly *r, const struct ln_fragment *f,
                             uint64_t cumulative);
void ln_runs_drop_all(struct ln_reassembly *r);

#endif
