/* SPDX-License-Identifier: Apache-2.0
 * What the files of io share: the loop, its endpoints, their links (sockets and streams), and who
 * does what. Not for other modules.
 *
 * Whatever an event or a callback may still point to is not freed but buried: memory goes when the
 * turn is over. Every structure that may be buried begins with its `grave`. */
#ifndef LN_IO_LOOP_INTERNAL_H
#define LN_IO_LOOP_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "io/loop.h"
#include "io/thread.h"

#include <linnet/endpoint.h>

#include <stdatomic.h>
#include <sys/socket.h>

#define LN_IO_RECEIVE_BATCH      16u    /* datagrams (or coalesced trains) a recvmmsg call */
#define LN_IO_RECEIVE_CAP        65535u /* bytes of each */
#define LN_IO_RECEIVE_SKEW       192u
#define LN_IO_DATAGRAM_CONTROL   128u /* control bytes of each */
#define LN_IO_STREAM_PIECE       16384u
#define LN_IO_RESOLVERS_MAX      4u
#define LN_IO_PUBLICATIONS_MAX   256u
#define LN_IO_ADDRESSES_MAX      32u  /* of one name */
#define LN_IO_LOOKUPS_MAX        64u  /* names waiting for an answer, of one loop */
#define LN_IO_INTERFACES_MAX     256u /* addresses of the machine */
#define LN_IO_NAME_MAX           256u /* RFC 1035, 2.3.4, and its NUL */
#define LN_IO_RECEIVED_PER_DRIVE 64u  /* packets handed up before the endpoint's output is taken */

/* A descriptor in the epoll set. */
struct ln_io_source {
    int fd; /* -1: not open */
    uint32_t events;
    void (*ready)(struct ln_io_source *source, uint32_t events);
};

struct ln_loop_watch {
    struct ln_list grave;
    struct ln_list siblings;
    struct ln_loop *loop;
    struct ln_io_source source;
    void (*call)(void *ctx, unsigned events);
    void (*signal_call)(void *ctx, int signal);
    void *ctx;
    bool signals;
    sigset_t unblock; /* what was not blocked before */
};

struct ln_loop_endpoint {
    struct ln_list grave;
    struct ln_list siblings;
    struct ln_list ready; /* in the loop's list of endpoints to be driven, or alone */
    struct ln_list links;
    struct ln_loop *loop;
    struct ln_endpoint endpoint;
    ln_loop_after_fn after;
    void *ctx;
    struct ln_loop_timer deadline;
    bool removed;
    bool answered; /* something was handed to it since its output was last taken */
    bool watches_interfaces;
    uint32_t watch_id;
};

enum ln_io_kind { LN_IO_UDP, LN_IO_STREAM, LN_IO_LISTENER };

/* One open socket or stream. */
struct ln_io_link {
    struct ln_list grave;
    struct ln_list siblings; /* of its endpoint, or of those being flushed */
    struct ln_loop *loop;
    struct ln_loop_endpoint *endpoint; /* NULL: closed for the object */
    struct ln_io_source source;
    ln_link id;
    uint32_t request_id;
    enum ln_io_kind kind;
    struct ln_address local, remote;
    uint8_t dscp;
    uint16_t whole_above;       /* of its request */
    bool whole;                 /* what is sent now is not cut */
    struct ln_loop_timer timer; /* streams: connect or flush limit; listeners: pause */

    /* UDP */
    bool wildcard, segmentation, multicast;
    bool receives_many, sends_many; /* its buffers have been set */
    bool hears_errors;              /* what ICMP says is kept for us */
    unsigned segmentation_failures;
    int discovery;          /* IP_MTU_DISCOVER as it was, while it is set for whole datagrams */
    uint32_t first_mtu;     /* what the system said last of a datagram that was too big to leave */
    struct ln_list blocked; /* struct ln_io_held, for when the socket is writable */

    /* streams */
    bool connecting;
    bool unseen; /* the loop's taker is to see its first byte before its object does */
    bool pair;   /* the other end is in this program */
    ln_link listener;
    ln_time flush_end;
    size_t window; /* bytes that may still be read; SIZE_MAX: no bound */
    uint8_t *out;
    size_t out_cap, out_head, out_len;
    size_t taken; /* bytes handed over since WRITABLE was last told */

    /* listeners */
    size_t streams;
    bool shared;
};

/* A datagram, or a train of them, that waits for its time or for room. */
struct ln_io_held {
    struct ln_list siblings;
    struct ln_loop *loop;
    struct ln_loop_timer timer;
    struct ln_path path;
    uint8_t ecn, dscp;
    bool may_fragment, whole;
    size_t segment, len;
    uint8_t data[];
};

struct ln_io_post {
    void (*call)(void *ctx);
    void *ctx;
};

struct ln_io_resolver {
    const char *suffix;
    ln_loop_resolver_fn call;
    void *ctx;
};

struct ln_io_lookup {
    struct ln_list siblings;
    struct ln_loop_endpoint *endpoint;
    uint64_t token;
    uint32_t id;
};

/* Memory for one recvmmsg call; one a loop, as no two calls overlap. Each message begins in a
 * buffer of the pool, which its receiver may keep, and goes on in `data` behind as many bytes: a
 * longer one is put together there. The pieces of `data` are no power of two apart: what lies at
 * the same place of each would share few lines of the cache. */
struct ln_io_receive {
    bool prepared;
    size_t used; /* messages that the last call wrote */
    struct mmsghdr messages[LN_IO_RECEIVE_BATCH];
    struct iovec iov[LN_IO_RECEIVE_BATCH][2];
    struct ln_buffer *buffers[LN_IO_RECEIVE_BATCH]; /* NULL: there is none, all goes to `data` */
    struct sockaddr_storage names[LN_IO_RECEIVE_BATCH];
    _Alignas(8) uint8_t control[LN_IO_RECEIVE_BATCH][LN_IO_DATAGRAM_CONTROL];
    uint8_t data[LN_IO_RECEIVE_BATCH][LN_IO_RECEIVE_CAP + 1 + LN_IO_RECEIVE_SKEW];
};

struct ln_io_batch;      /* udp_run.h */
struct ln_io_interfaces; /* publish.c */
void ln_io_publish(struct ln_loop_endpoint *endpoint, const struct ln_request *request);
void ln_io_publish_cancel(struct ln_loop_endpoint *endpoint, uint32_t id, bool all);

/* interfaces.c */
struct ln_io_helper; /* resolve.c */

struct ln_loop {
    struct ln_loop_config config;
    struct ln_env *env;
    struct ln_env own_env;
    struct ln_pool own_pool;

    int epoll_fd;
    struct ln_io_source timer_source; /* timerfd, for hosts that poll the epoll descriptor */
    ln_time timer_armed;
    bool embedded, running, no_pwait2;
    atomic_bool stopped;

    struct ln_heap heap; /* of ln_loop_timer */
    struct ln_list endpoints, ready, watches, flushing, dead;
    struct ln_loop_endpoint *driving;
    struct ln_map links;
    ln_link next_link;
    struct ln_io_link *last_link; /* the one looked up last: mostly the next one too */
    size_t held_bytes;
    struct ln_list held; /* waiting for their time */

    struct ln_mailbox posts;
    struct ln_io_source posts_source;

    struct ln_io_resolver resolvers[LN_IO_RESOLVERS_MAX];
    struct ln_list lookups;
    size_t lookup_count;
    uint64_t next_token;
    struct ln_list publications;
    size_t publication_count;
    const struct ln_loop_publisher *publisher;
    void *publisher_ctx;
    const struct ln_loop_taker *taker;
    void *taker_ctx;
    struct ln_io_helper *helper;
    struct ln_io_source helper_source;

    struct ln_io_interfaces *interfaces;

    struct ln_loop_stats stats;
    struct ln_io_receive *receive;
    struct ln_io_batch *batch;
    struct ln_transmit transmit;
    uint8_t *transmit_data;
};

/* loop.c */
int ln_io_source_add(struct ln_loop *loop, struct ln_io_source *source, uint32_t events);
void ln_io_source_set(struct ln_loop *loop, struct ln_io_source *source, uint32_t events);
void ln_io_source_close(struct ln_loop *loop, struct ln_io_source *source); /* and its fd */
void ln_io_bury(struct ln_loop *loop, struct ln_list *grave);
void ln_io_wake_host(struct ln_loop *loop); /* something is due earlier than the host knows */

/* drive.c */
void ln_io_touch(struct ln_loop_endpoint *endpoint);
void ln_io_drive(struct ln_loop_endpoint *endpoint);
void ln_io_answer(struct ln_loop_endpoint *endpoint, const struct ln_answer *answer);
void ln_io_answer_failed(struct ln_loop_endpoint *endpoint, uint32_t id, int error);

/* link.c */
int ln_io_link_create(struct ln_loop_endpoint *endpoint, enum ln_io_kind kind, int fd,
                      struct ln_io_link **ret_link);
struct ln_io_link *ln_io_link_get(struct ln_loop *loop, ln_link id);
void ln_io_link_detach(struct ln_io_link *link); /* gone for the object, still open */
void ln_io_link_close(struct ln_io_link *link);
/* Closes it and says so to its object. */
void ln_io_link_fail(struct ln_io_link *link, int error);
int ln_io_socket(const struct ln_address *address, int type);
int ln_io_bind(int fd, const struct ln_address *address);
/* Whether sockets of other loops have this port too. */
bool ln_io_shares_port(const struct ln_request *request, const struct ln_loop_config *config);
/* Binds to request->local. The first of the loops that share a port is refused if a stranger has
 * it, although he shares it. */
int ln_io_bind_port(int fd, const struct ln_request *request, const struct ln_loop_config *config);
void ln_io_bound_address(int fd, struct ln_address *ret_address);

/* udp.c */
int ln_io_udp_open(struct ln_loop_endpoint *endpoint, const struct ln_request *request,
                   struct ln_io_link **ret_link);
void ln_io_udp_errors(struct ln_io_link *link); /* reads what ICMP said */
/* Before the first datagram leaves. */
void ln_io_udp_hear_errors(struct ln_io_link *link);
/* Sets the send buffer, that was too small. Returns false when it had been set already. */
bool ln_io_udp_widen(struct ln_io_link *link);
void ln_io_receive_init(struct ln_io_receive *receive);
void ln_io_receive_deinit(struct ln_io_receive *receive); /* NULL is fine */
/* Whether the system may cut what is too large for its path. */
void ln_io_udp_allow_fragments(int fd, enum ln_family family, bool allow);
/* It may not, until it may do again what it did before. */
void ln_io_udp_forbid_fragments(struct ln_io_link *link, bool forbid);

/* udp_send.c */
void ln_io_udp_transmit(struct ln_io_link *link, ln_time now, const struct ln_transmit *transmit);
void ln_io_udp_flush(struct ln_io_link *link);
void ln_io_udp_drop_blocked(struct ln_io_link *link);
void ln_io_held_free(struct ln_io_held *held);

/* udp_batch.c */
struct ln_io_batch *ln_io_batch_create(struct ln_allocator *allocator); /* NULL: no memory */
void ln_io_batch_send(struct ln_loop *loop); /* what waits for the end of a drive */

/* tcp.c */
int ln_io_tcp_connect(struct ln_loop_endpoint *endpoint, const struct ln_request *request);
int ln_io_tcp_listen(struct ln_loop_endpoint *endpoint, const struct ln_request *request,
                     struct ln_io_link **ret_link);
void ln_io_tcp_transmit(struct ln_io_link *link, const struct ln_transmit *transmit);
void ln_io_tcp_close(struct ln_io_link *link); /* after what is queued */
void ln_io_tcp_set_window(struct ln_io_link *link, size_t bytes);
void ln_io_tcp_forget(struct ln_io_link *link); /* frees what only streams have */
/* A link for a connected or connecting descriptor, which is closed when that fails. */
int ln_io_stream_create(struct ln_loop_endpoint *endpoint, int fd, uint32_t events,
                        struct ln_io_link **ret_link);
void ln_io_stream_opened(struct ln_io_link *link);

/* taker.c */
/* Looks at the first byte of a stream, and gives the stream away if it is the taker's. True if it
 * did: then the link is gone. */
bool ln_io_give_away(struct ln_io_link *link);
int ln_io_pair_open(struct ln_loop_endpoint *endpoint, const struct ln_request *request);

/* resolve.c */
void ln_io_resolve(struct ln_loop_endpoint *endpoint, const struct ln_request *request);
void ln_io_resolve_cancel(struct ln_loop_endpoint *endpoint, uint32_t id, bool all);
void ln_io_resolve_end(struct ln_loop *loop);

/* interfaces.c */
void ln_io_interfaces_watch(struct ln_loop_endpoint *endpoint, uint32_t id);
void ln_io_interfaces_end(struct ln_loop *loop);

#endif
