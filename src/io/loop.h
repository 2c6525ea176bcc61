/* SPDX-License-Identifier: Apache-2.0
 * One event loop on one thread: it drives protocol objects (linnet/endpoint.h) with real sockets,
 * clocks and names, and carries timers, descriptors and messages for their owner.
 *
 * Thread rule: everything is called on the thread that runs the loop, except ln_loop_post() and
 * ln_loop_stop(), which any thread may call. Callbacks may call anything here, also remove or free
 * what they belong to, but not ln_loop_free() nor ln_loop_run_once() of the same loop.
 *
 * How an object is driven: packets that arrived are handed to receive(), then on_timeout() if its
 * deadline has come, then poll_transmit() and poll_request() until both are empty, then the owner's
 * `after` callback; and again while the object has something due. Turns are capped, so that a busy
 * object starves nobody.
 *
 * What io adds to the words of linnet/endpoint.h:
 *  - LISTEN_TCP is answered OPENED once for the listener itself (remote has no family), and once
 *    for each stream (remote has one), all with the id of the request.
 *  - OPENED for a stream carries `bytes`: what its send queue takes. WRITABLE says how many bytes
 *    it takes from now on (an absolute number), after at least half of that was handed over. A
 *    stream that is given more than its queue takes is closed: CLOSED with LN_ERR_LIMIT.
 *  - Bytes of a stream that are queued when it is closed are still sent, while the other end takes
 *    some every two seconds, for up to a minute.
 *  - WINDOW is an absolute number as well; a stream without one is read without bound. What is not
 *    read stays with the kernel, which tells the other end to wait. The other end's close is
 *    noticed once the window lets it be read, a reset at once.
 *  - A stream may leave from the port of an `exclusive` listener of this driver: OPEN_TCP with the
 *    listener's address as `local`.
 *  - CLOSE with link 0 and an id takes back a connect, a lookup or a watch with that id.
 *  - OPEN_UDP with a multicast `local` joins that group, on the interface that has the address
 *    `remote` (no family: the system's choice; local.scope names an interface by index instead),
 *    shares the port with others, sends with TTL 255 to the group and loops back.
 *  - A datagram is never handed up with `buffer` set: an object that keeps it copies it.
 *  - With slices, each slice is one datagram whatever its size; on a stream they are joined.
 *  - What is sent on a link that is closed or another object's is dropped and counted.
 *  - not_before holds datagrams back; on a stream it is ignored. */
#ifndef LN_IO_LOOP_H
#define LN_IO_LOOP_H

#include "base/heap.h"

#include <linnet/endpoint.h>
#include <linnet/env.h>

struct ln_loop;
struct ln_loop_endpoint; /* the handle of an endpoint in a loop */
struct ln_loop_watch;    /* the handle of a watched descriptor or signal */

/* All zero but rng (or env) is a good configuration; a limit of 0 means its default. */
enum ln_loop_ports {
    LN_LOOP_PORTS_OWN,    /* nobody else binds them */
    LN_LOOP_PORTS_FIRST,  /* other loops bind them later (a worker per core); nobody has them yet */
    LN_LOOP_PORTS_SHARED, /* another loop bound them first */
};

struct ln_loop_config {
    struct ln_rng *rng;     /* required without env: crypto's generator; borrowed */
    struct ln_trace *trace; /* may be NULL; borrowed */
    struct ln_env *env;     /* use this instead of an own one, with its pool, in whose buffers
                               datagrams arrive; borrowed, outlives the loop */

    size_t links_max;            /* open sockets and streams of all endpoints; RLIMIT_NOFILE */
    size_t streams_max;          /* of them accepted by one listener; 1024 */
    size_t stream_queue_max;     /* unsent bytes of one stream; 1 MiB */
    size_t datagram_queue_max;   /* bytes of datagrams held back or waiting for room; 8 MiB */
    size_t posts_max;            /* messages of ln_loop_post() that wait; 1024 */
    size_t socket_buffer;        /* SO_RCVBUF and SO_SNDBUF of UDP sockets in use, bytes; 4 MiB */
    ln_duration connect_timeout; /* of OPEN_TCP; 30 s */
    enum ln_loop_ports ports;    /* of listeners */
    unsigned by_source; /* with others: so many loops, made one after another, listen; a source's
                           streams all come to one of them */
    bool no_offload;    /* neither UDP_SEGMENT nor UDP_GRO: for tests and odd networks */
    bool ignore_ecn;    /* packets come without their ECN field, which costs a note each */
};

/* Returns 0, LN_ERR_INVALID_ARGUMENT (neither rng nor env, or one without a pool), LN_ERR_NOMEM,
 * LN_ERR_LIMIT (no descriptor left), LN_ERR_SYSTEM. */
LN_NODISCARD int ln_loop_create(struct ln_loop **ret_loop, const struct ln_loop_config *config);
/* Removes what is still in it and closes all descriptors. Objects made with ln_loop_env() are freed
 * before, posted messages that did not run are forgotten. NULL is fine. */
void ln_loop_free(struct ln_loop *loop);

/* The environment for the objects of this loop: libc's allocator, a pool of packet buffers of 2048
 * bytes and the configured rng and trace, or the configured environment. Lives as long as the loop.
 */
struct ln_env *ln_loop_env(struct ln_loop *loop);

/* CLOCK_MONOTONIC, read at each call: the `now` of every object on this loop. */
ln_time ln_loop_now(const struct ln_loop *loop);
/* What to add to it for nanoseconds since 1970-01-01 (UTC); read at each call. */
ln_duration ln_loop_wall_offset(const struct ln_loop *loop);

/* ---- running ---- */

/* Waits for something to do, at most `wait` (0: not at all, LN_TIME_NEVER: no limit), and does it
 * and what follows from it at once. Returns 0, or LN_ERR_SYSTEM. */
LN_NODISCARD int ln_loop_run_once(struct ln_loop *loop, ln_duration wait);
/* Runs until ln_loop_stop(), also one that came before. Returns as above. */
LN_NODISCARD int ln_loop_run(struct ln_loop *loop);
/* Any thread (not a signal handler). */
void ln_loop_stop(struct ln_loop *loop);

/* A descriptor for a host's own loop: readable when ln_loop_run_once(loop, 0) has something to do,
 * deadlines included. Only to be polled. Valid until ln_loop_free(). */
int ln_loop_fd(struct ln_loop *loop);

/* ---- endpoints ---- */

/* Called after an endpoint was driven, outside any call on it: the owner takes its events here.
 * What the owner sets going in this callback is driven at once. */
typedef void (*ln_loop_after_fn)(void *ctx, ln_time now);

/* Drives the endpoint from now on. The object is borrowed until it is removed. `after` may be NULL.
 * Returns 0, LN_ERR_NOMEM or LN_ERR_LIMIT. */
LN_NODISCARD int ln_loop_add_endpoint(struct ln_loop *loop, struct ln_endpoint endpoint,
                                      ln_loop_after_fn after, void *ctx,
                                      struct ln_loop_endpoint **ret_handle);
/* Ends it: closes its sockets, forgets its lookups; no call on the object follows, it may be freed
 * at once, also inside its own `after`. NULL is fine. */
void ln_loop_remove_endpoint(struct ln_loop_endpoint *handle);
/* The owner called into the object: drive it as soon as possible (in this turn, if called from
 * one).
 */
void ln_loop_touch(struct ln_loop_endpoint *handle);

/* Sets the DSCP (RFC 8837, 5) of all that a link sends from now on, 0..63. Returns 0,
 * LN_ERR_NOT_FOUND, LN_ERR_RANGE, or why the system refused. */
LN_NODISCARD int ln_loop_set_dscp(struct ln_loop *loop, ln_link link, uint8_t dscp);

/* ---- names ---- */

/* Takes over names that end in `suffix` (".local", compared without case; a static text). Called
 * between two calls on the asking object; the name is borrowed for the call. Each is to be answered
 * once by ln_loop_resolved() with the same token, now or later. */
typedef void (*ln_loop_resolver_fn)(void *ctx, uint64_t token, const char *name, uint8_t family);
/* resolver NULL takes the suffix back. Returns 0 or LN_ERR_LIMIT (four suffixes). */
LN_NODISCARD int ln_loop_set_resolver(struct ln_loop *loop, const char *suffix,
                                      ln_loop_resolver_fn resolver, void *ctx);
/* error 0 and at least one address, or an error. Unknown tokens (the asker is gone) are ignored. */
void ln_loop_resolved(struct ln_loop *loop, uint64_t token, int error,
                      const struct ln_address *addresses, size_t count);

/* Takes the names that objects want to be found under (LN_REQUEST_PUBLISH). Both are called between
 * two calls on the object; the name is borrowed for the call. publish() is to be answered once by
 * ln_loop_published(), now or later; withdraw() ends what was not answered, or not by an error. */
struct ln_loop_publisher {
    void (*publish)(void *ctx, uint64_t token, const char *name, const struct ln_address *address);
    void (*withdraw)(void *ctx, uint64_t token);
};
/* Borrowed; NULL: none any more, withdraw() is not called then. */
void ln_loop_set_publisher(struct ln_loop *loop, const struct ln_loop_publisher *publisher,
                           void *ctx);
/* error 0: the name can be asked for from now on. Unknown tokens are ignored. */
void ln_loop_published(struct ln_loop *loop, uint64_t token, int error);

/* ---- what is not for an endpoint ---- */

/* Takes what comes to a port that several share. Called on the loop's thread, between two calls on
 * the object. */
struct ln_loop_taker {
    /* Whether a stream that begins so is his. It is not read before. */
    bool (*wants)(void *ctx, uint8_t first);
    /* A connected, non-blocking descriptor, his own from now on. `secure`: the other end of a pair
     * (LN_REQUEST_OPEN_PAIR), whose object has taken TLS off. */
    void (*take)(void *ctx, int fd, const struct ln_address *remote, bool secure);
};
/* Borrowed. Without one nothing is taken, and a pair is LN_ERR_NOT_SUPPORTED. */
void ln_loop_set_taker(struct ln_loop *loop, const struct ln_loop_taker *taker, void *ctx);

/* ---- timers, descriptors, signals, messages ---- */

/* Lives inside its owner's memory; zero it or init it before use. Due timers fire in the order of
 * their times, equal ones in the order they were set. */
struct ln_loop_timer {
    struct ln_heap_node node;
    struct ln_loop *loop;
    void (*call)(void *ctx, ln_time now);
    void *ctx;
};

/* Makes room for it, not running. Returns 0, LN_ERR_NOMEM or LN_ERR_LIMIT. */
LN_NODISCARD int ln_loop_timer_init(struct ln_loop *loop, struct ln_loop_timer *timer,
                                    void (*call)(void *ctx, ln_time now), void *ctx);
/* Fires once at `when`, instead of an earlier setting; LN_TIME_NEVER stops it. Never fails. */
void ln_loop_timer_set(struct ln_loop_timer *timer, ln_time when);
/* Harmless on a zeroed timer and twice. */
void ln_loop_timer_deinit(struct ln_loop_timer *timer);

enum ln_loop_events { LN_LOOP_READABLE = 1, LN_LOOP_WRITABLE = 2, LN_LOOP_HANGUP = 4 };

/* Calls `call` while the descriptor is ready for one of `events` (level-triggered; HANGUP, which
 * also means an error, is always told). The descriptor stays the caller's and is open until the
 * watch is removed. Regular files cannot be watched: LN_ERR_NOT_SUPPORTED; they never block. Else
 * returns 0, LN_ERR_NOMEM or LN_ERR_SYSTEM. */
LN_NODISCARD int ln_loop_watch_fd(struct ln_loop *loop, int fd, unsigned events,
                                  void (*call)(void *ctx, unsigned events), void *ctx,
                                  struct ln_loop_watch **ret_watch);
/* Waits for other events from now on; 0 is a pause. */
void ln_loop_watch_set(struct ln_loop_watch *watch, unsigned events);
/* NULL is fine. Also ends a watch of signals, and unblocks those. */
void ln_loop_watch_remove(struct ln_loop_watch *watch);

/* Blocks the given signals in this thread and calls `call` on the loop for each. To be called
 * before other threads are started (those of io block all signals anyway). */
LN_NODISCARD int ln_loop_watch_signals(struct ln_loop *loop, const int *signals, size_t count,
                                       void (*call)(void *ctx, int signal), void *ctx,
                                       struct ln_loop_watch **ret_watch);

/* Any thread: runs call(ctx) on the loop's thread, in the order of the posts. Returns 0 or
 * LN_ERR_LIMIT (posts_max are waiting). */
LN_NODISCARD int ln_loop_post(struct ln_loop *loop, void (*call)(void *ctx), void *ctx);

/* ---- what happened so far ---- */

struct ln_loop_stats {
    uint64_t datagrams_received, datagrams_sent, bytes_received, bytes_sent;
    uint64_t receive_calls, send_calls; /* system calls that moved datagrams */
    uint64_t segmentation_refused;      /* UDP_SEGMENT sends done datagram by datagram instead */
    uint64_t dropped_queue_full;        /* datagrams for which there was no room */
    uint64_t dropped_no_link;           /* sent to a link that is closed or another's */
    uint64_t dropped_by_system; /* refused by the kernel without a word, as by a full qdisc */
    uint64_t send_errors;       /* answered SEND_FAILED */
    uint64_t turns;
    size_t links; /* open now */
};

void ln_loop_stats(const struct ln_loop *loop, struct ln_loop_stats *ret_stats);

#endif
