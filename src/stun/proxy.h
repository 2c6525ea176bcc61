/* SPDX-License-Identifier: Apache-2.0
 * A tunnel through an HTTP proxy (RFC 9110, 9.3.6: CONNECT; 11.7: its credentials; RFC 7617: Basic;
 * RFC 7639: the ALPN field), for clients of TURN over TCP and TLS. Bytes in, bytes out.
 *
 * Of the answer nothing is believed but its status: 2xx opens the tunnel, and what follows its head
 * is the server's. 1xx is passed over. An answer has a limit in all. */
#ifndef LN_STUN_PROXY_H
#define LN_STUN_PROXY_H

#include <linnet/error.h>
#include <linnet/types.h>

#define LN_PROXY_HOST_MAX    255u
#define LN_PROXY_SECRET_MAX  255u  /* bytes of user and password with the colon between */
#define LN_PROXY_REQUEST_MAX 1400u /* bytes of a request, at most */
#define LN_PROXY_ANSWER_MAX  8192u /* bytes of all heads of an answer */
#define LN_PROXY_PORT        3128u

struct ln_proxy {
    char host[LN_PROXY_HOST_MAX + 1]; /* a name, or an address without brackets */
    uint16_t port;
    char secret[LN_PROXY_SECRET_MAX + 1]; /* user:password; "": none */
};

/* Reads "http://[user[:password]@]host[:port][/]"; user and password may have %XX. Without a port:
 * 3128. Returns 0, or LN_ERR_SYNTAX; LN_ERR_NOT_SUPPORTED for another scheme. */
LN_NODISCARD int ln_proxy_parse(const char *url, struct ln_proxy *ret_proxy);

/* The same as "[user:password@]host:port", with nothing %-encoded. Returns as above. */
#define LN_PROXY_AUTHORITY_MAX (LN_PROXY_HOST_MAX + LN_PROXY_SECRET_MAX + 16u)
LN_NODISCARD int ln_proxy_authority(const char *url, char text[LN_PROXY_AUTHORITY_MAX]);

/* Asks for a tunnel to host (a name or an address) and port, in which `alpn` is going to be spoken
 * (NULL: not told). Returns the length, or LN_ERR_NO_SPACE; LN_ERR_SYNTAX when a text is not one
 * that may stand in a head. */
LN_NODISCARD int ln_proxy_request(const struct ln_proxy *proxy, const char *host, uint16_t port,
                                  const char *alpn, uint8_t *out, size_t cap);

struct ln_proxy_answer { /* zeroed: nothing has come */
    uint16_t status;     /* of the last head; 0: none yet */
    uint16_t bytes;      /* of all heads */
    uint8_t place;       /* where in the head */
    uint8_t at;          /* how far in the status line */
    bool after_return;
};

/* 407 is what asks for credentials (RFC 9110, 15.5.8); some say 401 when they are wrong. */
static inline bool ln_proxy_wants_credentials(uint16_t status)
{
    return status == 407 || status == 401;
}

/* Takes what came, any piece of it. Returns 1 when the tunnel is open (the piece is then what came
 * through it), 0 when more is to come; LN_ERR_NOT_ALLOWED for 407 or 401, LN_ERR_UNREACHABLE for
 * any other status, LN_ERR_TOO_BIG, or LN_ERR_SYNTAX. */
LN_NODISCARD int ln_proxy_answer_read(struct ln_proxy_answer *answer, struct ln_bytes *piece);

#endif
