/* SPDX-License-Identifier: Apache-2.0
 * Why a candidate pair failed: one table of names and sentences. */
#ifndef LN_ICE_FAILURE_H
#define LN_ICE_FAILURE_H

/* X(NAME, "name", "sentence") */
#define LN_ICE_FAILURE_TABLE(X)                                                                    \
    X(NONE, "none", "nothing has failed")                                                          \
    X(TIMEOUT, "timeout", "no check was answered")                                                 \
    X(UNREACHABLE, "unreachable", "the local system could not send there")                         \
    X(ASYMMETRIC, "asymmetric", "the answer came from another address than the check went to")     \
    X(REFUSED, "refused", "the other side answered the check with an error")                       \
    X(ROLE_CONFLICT, "role_conflict", "the two sides never agreed who is controlling")             \
    X(CONSENT, "consent_expired", "no check was answered for 30 seconds: consent to send is gone") \
    X(LINK_CLOSED, "link_closed", "the local socket was closed")                                   \
    X(RELAY_REFUSED, "relay_refused", "the relay does not let us talk to this address")            \
    X(RELAY_GONE, "relay_gone", "the relay has ended our allocation")                              \
    X(ADDRESS_GONE, "address_gone", "the local address is gone")                                   \
    X(CONNECT, "connect_failed", "no TCP connection could be made")                                \
    X(STREAM_CLOSED, "stream_closed", "the TCP connection was closed")                             \
    X(NOT_NEEDED, "not_needed", "another pair was selected, and the TCP connection closed")        \
    X(NOBODY_LISTENS, "nobody_listens", "the host there says that nobody listens at that port")    \
    X(NO_WAY, "no_way", "the network says that no way leads there")

enum ln_ice_failure {
#define LN_ICE_FAILURE_ENUM(name, text, sentence) LN_ICE_FAILURE_##name,
    LN_ICE_FAILURE_TABLE(LN_ICE_FAILURE_ENUM)
#undef LN_ICE_FAILURE_ENUM
        LN_ICE_FAILURES
};

const char *ln_ice_failure_name(enum ln_ice_failure failure);
const char *ln_ice_failure_sentence(enum ln_ice_failure failure);

#endif
