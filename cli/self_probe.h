/* SPDX-License-Identifier: Apache-2.0
 * A client of a few lines for the self-test: one Binding request to a server, over any of the ways
 * that it may offer. */
#ifndef LN_CLI_SELF_PROBE_H
#define LN_CLI_SELF_PROBE_H

#include "crypto/certificate.h"

#include <linnet/address.h>
#include <linnet/env.h>

struct self_probe {
    struct ln_address target;
    const struct ln_address *from; /* NULL: whatever the system takes */
    bool stream, secure;
    const char
        *name; /* secure: only a certificate for it will do that this machine trusts; NULL: any */
};

/* Blocks for two seconds at most. False when no answer came. ret_seen (may be NULL): our address as
 * the server sees it; ret_facts (may be NULL, secure only): of the certificate that it showed. */
bool self_probe_ask(const struct self_probe *probe, const struct ln_env *env,
                    struct ln_address *ret_seen, struct ln_certificate_facts *ret_facts);

#endif
