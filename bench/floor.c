/* SPDX-License-Identifier: Apache-2.0
 * What a GiB over the loopback takes at least on this machine, in packets like those of a data
 * channel: the cipher at both ends, and UDP with segmentation offload on the way out and in. The
 * rest of `linnet bench data` is what our own code adds. */
#include "bench/bench.h"

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "sctp/sctp.h"

#include <linnet/environment.h>
#include <linnet/error.h>

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM 1197u /* a full packet in its DTLS record */
#define TRAIN    54u   /* datagrams of one send */
#define TRAINS   4000u

static double gib(unsigned trains)
{
    return (double)trains * TRAIN * (LN_SCTP_PACKET_BYTES - 28) / (1 << 30);
}

static int cipher(struct ln_env *env, double *ret_cpu)
{
    static uint8_t bytes[DATAGRAM + 64]; /* bench: one thread */
    uint8_t key[16] = { 1 }, nonce[LN_AEAD_NONCE_LEN] = { 0 }, head[13] = { 0 };
    struct ln_aead seal = { NULL }, open = { NULL };
    bool ok = ln_aead_init(&seal, env->crypto, LN_AEAD_AES_128_GCM, key, true) == 0 &&
              ln_aead_init(&open, env->crypto, LN_AEAD_AES_128_GCM, key, false) == 0;
    double from = bench_cpu_seconds();

    for (unsigned i = 0; i < TRAINS * TRAIN && ok; i++) {
        ln_aead_seal(&seal, nonce, head, sizeof head, bytes, LN_SCTP_PACKET_BYTES, bytes);
        ok = ln_aead_open(&open, nonce, head, sizeof head, bytes,
                          LN_SCTP_PACKET_BYTES + LN_AEAD_TAG_LEN, bytes);
    }
    *ret_cpu = bench_cpu_seconds() - from;
    ln_aead_deinit(&seal);
    ln_aead_deinit(&open);
    return ok ? 0 : LN_ERR_CRYPTO;
}

static int open_pair(int fds[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;
    int segment = DATAGRAM, on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    fds[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fds[0] < 0 || fds[1] < 0 || bind(fds[1], (struct sockaddr *)&address, len) != 0 ||
        getsockname(fds[1], (struct sockaddr *)&address, &len) != 0 ||
        connect(fds[0], (struct sockaddr *)&address, len) != 0 ||
        setsockopt(fds[0], SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0 ||
        setsockopt(fds[1], SOL_UDP, UDP_GRO, &on, sizeof on) != 0)
        return LN_ERR_SYSTEM;
    return 0;
}

static int sockets(double *ret_cpu)
{
    static uint8_t bytes[65536]; /* bench: one thread */
    int fds[2] = { -1, -1 }, error = open_pair(fds);
    double from = bench_cpu_seconds();

    for (unsigned i = 0; i < TRAINS && !error; i++) {
        size_t got = 0;

        if (send(fds[0], bytes, DATAGRAM * TRAIN, 0) < 0)
            error = LN_ERR_SYSTEM;
        while (got < DATAGRAM * TRAIN && !error) {
            ssize_t n = recv(fds[1], bytes, sizeof bytes, 0);

            error = n > 0 ? 0 : LN_ERR_SYSTEM;
            got += n > 0 ? (size_t)n : 0;
        }
    }
    *ret_cpu = bench_cpu_seconds() - from;
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return error;
}

int bench_floor(json_t *rows)
{
    ln_environment *environment = NULL;
    double of_cipher = 0, of_sockets = 0;
    int error = ln_environment_create(NULL, NULL, &environment);

    if (!error)
        error = cipher(ln_environment_env(environment), &of_cipher);
    if (!error)
        error = sockets(&of_sockets);
    if (!error)
        json_array_append_new(rows,
                              json_pack("{s:s, s:f, s:f, s:f}", "stack", "machine", "cpu_s_per_gib",
                                        (of_cipher + of_sockets) / gib(TRAINS), "cipher_s_per_gib",
                                        of_cipher / gib(TRAINS), "sockets_s_per_gib",
                                        of_sockets / gib(TRAINS)));
    ln_environment_free(environment);
    return error;
}
