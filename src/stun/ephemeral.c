/* SPDX-License-Identifier: Apache-2.0
 * Minting ephemeral credentials; checking them is the server's (servers/turn/core/credentials.c).
 */
#include "stun/ephemeral.h"

#include "base/bytes.h"
#include "crypto/hash.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

void ln_stun_ephemeral_password(const char *secret, struct ln_bytes name,
                                char password[LN_STUN_EPHEMERAL_PASSWORD_MAX])
{
    uint8_t mac[LN_SHA1_LEN];

    ln_hmac_once(LN_HASH_SHA1, secret, strlen(secret), &name, 1, mac);
    ln_base64_encode(mac, sizeof mac, password);
}

int ln_stun_ephemeral_make(const char *secret, const char *user, int64_t expiry, char *name,
                           size_t cap, char password[LN_STUN_EPHEMERAL_PASSWORD_MAX])
{
    const char *colon = user && *user ? ":" : "";
    int len = snprintf(name, cap, "%lld%s%s", (long long)expiry, colon, user ? user : "");

    if (len < 0 || (size_t)len >= cap)
        return LN_ERR_NO_SPACE;
    ln_stun_ephemeral_password(secret, (struct ln_bytes){ (const uint8_t *)name, (size_t)len },
                               password);
    return 0;
}
