/* SPDX-License-Identifier: Apache-2.0
 * RTCCertificate (https://www.w3.org/TR/webrtc/#rtccertificate-interface): the key and self-signed
 * certificate that a peer connection proves itself with. Immutable and counted, one thread at a
 * time. */
#ifndef LINNET_CERTIFICATE_H
#define LINNET_CERTIFICATE_H

#include <linnet/configuration.h>
#include <linnet/env.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ln_key_algorithm { LN_KEY_ALGORITHM_ECDSA_P256, LN_KEY_ALGORITHM_RSA_2048 };

/* RTCPeerConnection.generateCertificate(): valid from a day before wall_now (nanoseconds since
 * 1970) for thirty days. Returns 0, LN_ERR_NOMEM or LN_ERR_CRYPTO. */
LN_API LN_NODISCARD int ln_peer_connection_generate_certificate(const struct ln_env *env,
                                                                enum ln_key_algorithm algorithm,
                                                                int64_t wall_now,
                                                                ln_certificate **ret_certificate);
LN_API ln_certificate *ln_certificate_ref(ln_certificate *certificate);
LN_API void ln_certificate_unref(ln_certificate *certificate); /* NULL is fine */

/* RTCCertificate.expires: milliseconds since 1970. */
LN_API int64_t ln_certificate_expires_ms(const ln_certificate *certificate);

/* RTCCertificate.getFingerprints(): algorithm "sha-256", "sha-384" or "sha-512"; writes
 * "AB:CD:..." with NUL (at most 192 bytes). Returns 0, LN_ERR_NOT_SUPPORTED or LN_ERR_NO_SPACE. */
LN_API LN_NODISCARD int ln_certificate_fingerprint(const ln_certificate *certificate,
                                                   const char *algorithm, char *text, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
