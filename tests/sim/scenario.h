/* SPDX-License-Identifier: Apache-2.0
 * A scenario is data: the lines, what happens when, and what must hold. One is registered with
 *
 *   LN_SCENARIO(loss_20) = { .line = { .delay = LN_MILLISECONDS(40), .loss = 0.2 }, ... };
 *
 * and runs once per seed. Whatever it says, this must hold: the laws of net.h; reliable messages
 * arrive exactly once, unchanged, and in order where that was asked; unreliable ones at most once;
 * no video frame leaves out of order or without the one it needs; after the end nothing is left in
 * memory. */
#ifndef LN_SIM_SCENARIO_H
#define LN_SIM_SCENARIO_H

#include "tests/sim/net.h"

#include <linnet/configuration.h>

struct call;
struct outcome;

#define SCENARIO_ACTS 12

enum channel_kind {
    CHANNEL_ORDERED,
    CHANNEL_UNORDERED,
    CHANNEL_LOSSY, /* unordered, no retransmission */
    CHANNEL_TIMED, /* ordered, CHANNEL_LIFETIME */
    CHANNEL_KINDS
};

#define CHANNELS_ALL     ((1u << CHANNEL_KINDS) - 1)
#define CHANNEL_LIFETIME LN_MILLISECONDS(300)

enum act_kind {
    ACT_NONE,
    ACT_LINE,    /* the uplink of `host` becomes `line` */
    ACT_LINES,   /* those of both */
    ACT_DOWN,    /* the line of `host` is cut, both ways */
    ACT_UP,      /* and back */
    ACT_RESTART, /* `host` restarts ICE */
    ACT_SILENCE, /* the program on `host` hangs */
    ACT_WAKE,    /* and goes on */
    ACT_MOVE,    /* `host` loses its address and gets another */
    ACT_REBIND,  /* the NAT of `host` forgets its mappings and gets another address */
    ACT_RESET,   /* every stream of `host` breaks */
    ACT_MARK,    /* measurements begin: call->mark */
    ACT_CLOSE,   /* `host` closes the connection */
};

struct act {
    enum act_kind kind;
    ln_duration at; /* after both channels are open; NEVER-like times are not needed */
    int host;
    struct net_line line;
};

/* Which datagrams vanish, besides what lines lose. `n` comes from the seed. */
enum drop_plan {
    DROP_NOTHING,
    DROP_NTH,  /* exactly the n-th one of one side */
    DROP_RUN,  /* three of one side, from the n-th on */
    DROP_BOTH, /* the n-th of each side */
};

enum nat_plan {
    NAT_NONE,
    NAT_REACHABLE,   /* random kinds for which a path exists */
    NAT_UNREACHABLE, /* random kinds for which none does */
    NAT_FIREWALLS,   /* both behind a stateful firewall */
    NAT_NO_UDP,      /* the same, and no datagram passes */
    NAT_TCP,         /* both behind NATs that keep a mapping, and no datagram passes */
    NAT_TCP_443,     /* the same, and host 0 reaches nothing but port 443 */
    NAT_FIRST,       /* host 0 behind any kind, host 1 behind one that lets everybody in */
    NAT_SECOND,      /* the other way round */
    NAT_FILTERED,    /* both behind one that keeps a mapping and lets in whom was sent to */
    NAT_CLIENT,      /* host 0 behind any kind, host 1 open to everybody */
    NAT_PAIRS,       /* every kind of client (net.h) with every other, in the order of the seeds */
};

struct party;
struct ln_frame;

/* Real video in place of made-up frames. */
struct codec_hooks {
    struct ln_frame *(*encode)(struct party *party, uint32_t number, bool key); /* NULL: dropped */
    void (*decode)(struct party *party, const struct ln_frame *frame); /* CHECKs what it shows */
    void (*free)(struct party *party);
};

/* A server in place of the STUN one. */
struct server_hooks {
    void *(*create)(struct net *net, const char *ip);
    void (*free)(void *server);
    struct ln_ice_server ice; /* what the parties are told beside stun:… */
};

struct scenario {
    const char *name;
    /* the network */
    struct net_line line;  /* uplink of both */
    struct net_line line0; /* uplink of host 0, if it has a delay */
    bool vary;             /* delay, jitter, loss, reorder and duplicates: 0..1 times the above */
    enum drop_plan drop;
    enum nat_plan nat;
    unsigned lite;                     /* mask of the hosts whose ICE is lite */
    const struct server_hooks *server; /* NULL: STUN */
    bool server_of_first;              /* host 0 alone is told of it; host 1 of stun: */
    ln_duration nat_lifetime;
    ln_duration lateness; /* of timers */
    /* what the applications do */
    ln_duration signalling; /* delay of descriptions and candidates; 0: 20 ms */
    bool glare;             /* both offer at once */
    bool no_trickle;
    bool ice_tcp;                    /* TCP candidates too */
    unsigned channels;               /* mask of 1 << enum channel_kind; 0: only CHANNEL_ORDERED */
    unsigned messages;               /* per channel and direction */
    uint32_t message_max;            /* bytes; 0: 2000 */
    bool audio, video;               /* host 0 sends */
    bool both_send;                  /* so does host 1 */
    uint32_t video_max_bps;          /* 0: 600 kbit/s */
    const struct codec_hooks *codec; /* NULL: made-up frames */
    ln_duration length;              /* after opening; 0: until all messages are there */
    struct act acts[SCENARIO_ACTS];
    /* what must hold, beside the above */
    ln_duration open_within;          /* in each seed; 0: 30 s */
    ln_duration open_within_p95;      /* in 95 % of the seeds; 0: 5 s */
    bool never_opens;                 /* and both sides fail instead */
    bool may_disconnect;              /* the connection is not expected to live at the end */
    bool may_lose_messages;           /* it ends before all are there */
    void (*holds)(struct call *call); /* CHECKs of its own; may set call->figure */
    const char *figure;               /* what call->figure is; the summary shows its spread */
    uint64_t seeds_max;               /* it has no more variants; 0: any number */
    void (*run)(uint64_t seed, struct outcome *ret); /* instead of all this */
    struct scenario *next;
};

void scenario_register(struct scenario *scenario);

#define LN_SCENARIO(name_)                                                                         \
    static struct scenario scenario_##name_;                                                       \
    __attribute__((constructor)) static void register_##name_(void)                                \
    {                                                                                              \
        scenario_##name_.name = #name_;                                                            \
        scenario_register(&scenario_##name_);                                                      \
    }                                                                                              \
    static struct scenario scenario_##name_

/* What a run leaves behind. */
struct outcome {
    ln_duration open; /* < 0: never */
    uint64_t hash, steps;
    double figure;
    bool has_figure;
};

/* Runs one; CHECK fails it (ln_test_fail). */
void scenario_run(const struct scenario *scenario, uint64_t seed, struct outcome *ret);

#endif
