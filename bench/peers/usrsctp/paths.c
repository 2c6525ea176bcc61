/* SPDX-License-Identifier: Apache-2.0
 * usrsctp at both ends of the emulated link of bench/paths.c, in virtual time: a row of JSON for
 * each rate and round trip at 0 and 1 % loss. Buffers of 64 MiB, packets of the size that libwebrtc
 * uses, its default congestion control. Built by bench/peers/run with the package libusrsctp-dev.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <usrsctp.h>

#define MS          INT64_C(1000000)
#define SECOND      (1000 * MS)
#define PACKET      1200u
#define OVERHEAD    65u /* DTLS, UDP and IP */
#define QUEUE_MIN   65536u
#define PACKETS_MAX (1u << 18)
#define MESSAGE     65536u

struct packet {
    int64_t at;
    uint16_t len;
    uint8_t data[PACKET];
};

static struct line {
    struct packet *packets; /* a ring */
    size_t head, tail;
    int64_t free_at;
} lines[2];

static int ends[2]; /* their addresses name the ends */
static struct socket *listener, *sender;
static int64_t now, from_time, one_way, queue_limit, queue_most;
static double ns_per_byte, loss, queue_sum;
static uint64_t chance_state, delivered, queue_count;

/* usrsctp asks the system for the time: it shall hear ours. */
int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    (void)zone;
    tv->tv_sec = now / SECOND;
    tv->tv_usec = now % SECOND / 1000;
    return 0;
}

static double chance(void)
{
    chance_state ^= chance_state >> 12;
    chance_state ^= chance_state << 25;
    chance_state ^= chance_state >> 27;
    return (double)(chance_state * 0x2545f4914f6cdd1du >> 11) / 9007199254740992.0;
}

static int carry(void *address, void *data, size_t len, uint8_t tos, uint8_t set_df)
{
    int from = address == &ends[1];
    struct line *line = &lines[from];
    int64_t start = line->free_at > now ? line->free_at : now, queue = start - now;
    struct packet *packet;

    (void)tos;
    (void)set_df;
    if (from == 0 && now >= from_time) {
        queue_sum += (double)queue;
        queue_count++;
        if (queue > queue_most)
            queue_most = queue;
    }
    if (queue > queue_limit || line->tail - line->head == PACKETS_MAX || len > PACKET)
        return 0;
    line->free_at = start + (int64_t)((double)(len + OVERHEAD) * ns_per_byte);
    if (chance() < loss)
        return 0;
    packet = &line->packets[line->tail++ % PACKETS_MAX];
    packet->at = line->free_at + one_way;
    packet->len = (uint16_t)len;
    memcpy(packet->data, data, len);
    return 0;
}

static int take(struct socket *socket, union sctp_sockstore address, void *data, size_t len,
                struct sctp_rcvinfo info, int flags, void *context)
{
    (void)socket;
    (void)address;
    (void)info;
    (void)context;
    if (data && !(flags & MSG_NOTIFICATION) && now >= from_time)
        delivered += len;
    free(data);
    return 1;
}

static struct sockaddr_conn name_of(int end)
{
    struct sockaddr_conn name;

    memset(&name, 0, sizeof name);
    name.sconn_family = AF_CONN;
    name.sconn_port = htons(5000);
    name.sconn_addr = &ends[end];
    return name;
}

static struct socket *open_end(int end)
{
    struct sctp_paddrparams path = { .spp_flags = SPP_PMTUD_DISABLE, .spp_pathmtu = 1188 };
    struct sockaddr_conn name = name_of(end);
    struct socket *s;
    int size = 64 << 20;

    s = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, take, NULL, 0, NULL);
    if (!s)
        exit(1);
    usrsctp_set_non_blocking(s, 1);
    usrsctp_setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    usrsctp_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    path.spp_address.ss_family = AF_CONN;
    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
    if (usrsctp_bind(s, (struct sockaddr *)&name, sizeof name) != 0)
        exit(1);
    return s;
}

static void begin(void)
{
    struct sockaddr_conn name = name_of(0);

    listener = open_end(1);
    usrsctp_listen(listener, 1);
    sender = open_end(0);
    usrsctp_connect(sender, (struct sockaddr *)&name, sizeof name);
}

static void fill(void)
{
    static uint8_t message[MESSAGE];
    struct sctp_sndinfo info = { .snd_ppid = htonl(53) };

    while (usrsctp_sendv(sender, message, sizeof message, NULL, 0, &info, sizeof info,
                         SCTP_SENDV_SNDINFO, 0) > 0)
        ;
}

static void step(int64_t until)
{
    static int64_t ticked;
    int64_t next = now + MS;

    if (ticked > now)
        ticked = now;
    for (int i = 0; i < 2; i++)
        if (lines[i].head < lines[i].tail &&
            lines[i].packets[lines[i].head % PACKETS_MAX].at < next)
            next = lines[i].packets[lines[i].head % PACKETS_MAX].at;
    now = next > until ? until : next > now ? next : now;
    if (now - ticked >= MS) {
        usrsctp_handle_timers((uint32_t)((now - ticked) / MS));
        ticked += (now - ticked) / MS * MS;
    }
    for (int i = 0; i < 2; i++)
        while (lines[i].head < lines[i].tail &&
               lines[i].packets[lines[i].head % PACKETS_MAX].at <= now) {
            struct packet *p = &lines[i].packets[lines[i].head++ % PACKETS_MAX];

            usrsctp_conninput(&ends[1 - i], p->data, p->len, 0);
        }
}

static void run(int mbit, int rtt_ms, double percent)
{
    int64_t until = now + 10 * SECOND;
    clock_t cpu = clock();
    double mbit_per_s;

    for (int i = 0; i < 2; i++)
        lines[i].head = lines[i].tail = 0, lines[i].free_at = now;
    from_time = until - 10 * SECOND / 3;
    one_way = rtt_ms * MS / 2;
    loss = percent / 100;
    ns_per_byte = 8e3 / mbit;
    queue_limit = rtt_ms * MS;
    if ((double)queue_limit < QUEUE_MIN * ns_per_byte)
        queue_limit = (int64_t)(QUEUE_MIN * ns_per_byte);
    chance_state = 0x9e3779b97f4a7c15u;
    delivered = queue_count = 0;
    queue_sum = 0;
    queue_most = 0;
    begin();
    while (now < until) {
        fill();
        step(until);
    }
    mbit_per_s = (double)delivered * 8 / 1e6 / (10.0 / 3);
    printf(
        "{\"stack\": \"usrsctp\", \"control\": \"its own\", \"rtt_ms\": %d, \"loss_percent\": %g, "
        "\"rate_mbit_s\": %d, \"mbit_per_s\": %.4g, \"link_share\": %.4g, \"queue_mean_ms\": %.4g, "
        "\"queue_max_ms\": %.4g, \"cpu_s\": %.4g}\n",
        rtt_ms, percent, mbit, mbit_per_s, mbit_per_s * (1188 + OVERHEAD) / (1188 - 28) / mbit,
        queue_count ? queue_sum / (double)queue_count / 1e6 : 0, (double)queue_most / 1e6,
        (double)(clock() - cpu) / CLOCKS_PER_SEC);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    for (int i = 0; i < 2; i++)
        if (!(lines[i].packets = malloc(PACKETS_MAX * sizeof *lines[i].packets)))
            return 1;
    now = SECOND;
    usrsctp_init_nothreads(0, carry, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_register_address(&ends[0]);
    usrsctp_register_address(&ends[1]);
    run(atoi(argv[1]), atoi(argv[2]), atof(argv[3]));
    _Exit(0); /* a process for each path: usrsctp lives in globals */
}
