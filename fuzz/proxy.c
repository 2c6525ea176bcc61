/* SPDX-License-Identifier: Apache-2.0
 * The answer of an HTTP proxy to CONNECT: the first byte says how long the pieces are in which the
 * rest comes. Cut in pieces or whole it means the same; it is over after a bounded number of bytes,
 * and nothing behind the head of a 2xx is taken. The same bytes are read as the proxy's URL too:
 * what that gives can be written into a request. */
#include "stun/proxy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct outcome {
    int result;
    uint16_t status;
    size_t taken;
};

static struct outcome read_in_pieces(const uint8_t *data, size_t len, size_t step)
{
    struct ln_proxy_answer a = { 0 };
    struct outcome o = { .result = 0 };

    while (o.taken < len && o.result == 0) {
        struct ln_bytes piece = { data + o.taken, len - o.taken < step ? len - o.taken : step };
        size_t before = piece.len;

        o.result = ln_proxy_answer_read(&a, &piece);
        if (piece.len > before || (o.result == 0 && piece.len > 0))
            abort();
        o.taken += before - piece.len;
    }
    o.status = a.status;
    if (o.taken > LN_PROXY_ANSWER_MAX + 1 || (o.result == 1 && (a.status < 200 || a.status > 299)))
        abort();
    return o;
}

static void read_url(const uint8_t *data, size_t len)
{
    char url[1024], text[LN_PROXY_AUTHORITY_MAX];
    uint8_t out[LN_PROXY_REQUEST_MAX];
    struct ln_proxy proxy;

    if (len >= sizeof url)
        return;
    memcpy(url, data, len);
    url[len] = '\0';
    if (ln_proxy_parse(url, &proxy) != 0)
        return;
    if (proxy.port == 0 || proxy.host[0] == '\0' || ln_proxy_authority(url, text) != 0 ||
        ln_proxy_request(&proxy, proxy.host, proxy.port, "stun.turn", out, sizeof out) <= 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct outcome whole, cut;

    read_url(data, len);
    if (len == 0)
        return 0;
    whole = read_in_pieces(data + 1, len - 1, len);
    cut = read_in_pieces(data + 1, len - 1, 1 + data[0] % 64u);
    if (whole.result != cut.result || whole.status != cut.status || whole.taken != cut.taken)
        abort();
    return 0;
}
