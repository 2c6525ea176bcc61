/* SPDX-License-Identifier: Apache-2.0
 * The agent's inside, shared by the files of this folder.
 *
 * A generation is what one pair of local credentials spans: sockets, candidates, pairs, probes,
 * nomination. A restart makes a new one; the old one keeps only its sending pair alive and goes
 * when the new one has selected. Servers and known addresses belong to the agent.
 *
 * ln_ice_run() does all that time or an input made due and is called at the end of each input; what
 * is then to be sent stands in `answers`, `outbox` and `probe_outbox` until poll_transmit.
 * Deadlines are derived: only pairs in `busy` can have one. */
#ifndef LN_ICE_AGENT_H
#define LN_ICE_AGENT_H

#include "base/ring.h"
#include "ice/check_list.h"
#include "ice/ice.h"
#include "ice/pair.h"
#include "ice/relay.h"
#include "ice/tcp.h"

#define LN_ICE_CHECK_MAX       640u /* bytes of the longest check that we write */
#define LN_ICE_FAST_CHECKS     5u   /* ordinary checks that go 5 ms apart, before Ta rules */
#define LN_ICE_FAST_SPACING    LN_MILLISECONDS(5)  /* RFC 8445, 14.2: never less */
#define LN_ICE_TRIGGERED_BURST 8u                  /* triggered checks at once, then 5 ms apart */
#define LN_ICE_HASTEN_SPACING  LN_MILLISECONDS(20) /* between early repetitions of one check */
#define LN_ICE_RTO_MAX         LN_SECONDS(2)
/* Of few pairs each is asked every half second: on a path with heavy loss the doubling of RFC 8489
 * would let seconds pass in which nobody asks. The time until a check fails stays what Rc 7 gives,
 * the sum of all requests stays below that of a hundred pairs (RFC 8445, 19.5.1). */
#define LN_ICE_CHECK_WAIT_MAX LN_MILLISECONDS(500)
#define LN_ICE_CHECK_TIME     LN_MILLISECONDS(31500) /* to the last request at RTO 500 ms */
#define LN_ICE_SILENCE        LN_SECONDS(8)          /* without a sign of life: disconnected */
#define LN_ICE_SILENCE_DATA   LN_SECONDS(2)          /* the same where data awaits one, and asked */
/* A sending path without a sign for three usual gaps, and at least so long, is asked; standby pairs
 * too. Deadlines move in steps, so that not every packet moves one. */
#define LN_ICE_QUIET_MIN      LN_MILLISECONDS(200)
#define LN_ICE_QUIET_GAPS     3
#define LN_ICE_QUIET_STEP     LN_MILLISECONDS(20)
#define LN_ICE_QUIET_GRACE    LN_MILLISECONDS(100) /* it has to answer before another is nominated */
#define LN_ICE_STANDBY_MAX    4u
#define LN_ICE_MOVED_MIN      LN_MILLISECONDS(60) /* of silence: the other side has moved on */
#define LN_ICE_LINGER         LN_SECONDS(3)  /* the old generation's life after the new selects */
#define LN_ICE_REST           LN_SECONDS(20) /* without news of any pair (rest.c) */
#define LN_ICE_KEEPALIVE      LN_SECONDS(15) /* of server-reflexive bindings (RFC 8445, 11) */
#define LN_ICE_NAMES_MAX      16u            /* remote names looked up at once */
#define LN_ICE_PORT_TRIES_MAX 64u
#define LN_ICE_SEND_FAILURES  3u /* sends that fail, and so fail a pair never heard of */
#define LN_ICE_LITE_SILENCE                                                                        \
    LN_SECONDS(15) /* LN_ICE_SILENCE where the other side asks, every 5 s                          \
                      or so, and one of three may be lost */
#define LN_ICE_LITE_ASKS                                                                           \
    LN_MILLISECONDS(3500) /* later than this it is consent that a check wants */
#define LN_ICE_LITE_UNCONFIRMED                                                                    \
    8192u                  /* bytes to an address that has shown nothing yet, and three            \
                              times what it sent (RFC 9000, 8.1, has the same factor) */
#define LN_ICE_PROBE_RC 5u /* with Rm 4: a silent server costs 9.5 s */
#define LN_ICE_PROBE_RM 4u

enum ln_ice_link_state {
    LN_ICE_LINK_FREE,
    LN_ICE_LINK_WANTED,
    LN_ICE_LINK_ASKED,
    LN_ICE_LINK_OPEN,
    LN_ICE_LINK_CLOSING, /* to be closed by the next poll_request */
};

/* A socket of one generation: a new generation opens its own, so that a mapping or a filter that
 * died with the old path does not outlive a restart. Where no port is left for that, the new one
 * takes over the old one's socket. */
struct ln_ice_link {
    uint8_t state; /* enum ln_ice_link_state */
    bool gone;     /* asked for, and closed again before it was answered */
    bool taken;    /* from the previous generation, which goes on using it */
    bool apart;    /* of relays alone: no candidate, and no port shared with other agents */
    const struct ln_ice_generation *generation;
    uint32_t interface; /* its index */
    uint16_t preference;
    uint16_t tries;      /* ports of the range that were refused */
    uint16_t first_port; /* offset in the range */
    uint32_t request;
    ln_link link;
    struct ln_address address; /* wanted: port 0; open: bound */
};

enum ln_ice_server_state {
    LN_ICE_SERVER_NEW,
    LN_ICE_SERVER_WANTED,
    LN_ICE_SERVER_ASKED,
    LN_ICE_SERVER_READY,
    LN_ICE_SERVER_FAILED
};

struct ln_ice_server_entry {
    char *url, *host, *username, *password;
    uint16_t port;
    bool relays;
    bool immobile;     /* gives no tickets */
    uint8_t transport; /* enum ln_ice_over */
    uint8_t state;     /* enum ln_ice_server_state */
    uint32_t request;
    struct ln_address addresses[2]; /* one a family */
    size_t address_count;
    bool proxied; /* it is asked through the proxy: the addresses are the proxy's */
};

struct ln_ice_servers {
    unsigned references;
    uint8_t policy; /* enum ln_ice_transport_policy */
    bool relays;    /* there is a TURN server among them */
    size_t count;   /* at most LN_ICE_SERVERS_MAX */
    struct ln_ice_server_entry entries[];
};

/* One binding transaction: from a link to a server. */
struct ln_ice_probe {
    struct ln_list in_generation;
    struct ln_list outbox;
    struct ln_stun_transaction transaction;
    struct ln_address to, base;
    ln_link link;
    uint16_t preference;
    uint8_t server;
    uint8_t send_failures;
    bool done; /* answered or given up once: gathering does not wait for it */
    bool answered;
    bool mapped; /* there is a binding to be kept alive */
    ln_time keepalive_at;
};

#define LN_ICE_OWN_NAME_LEN 42u /* a UUID and ".local" */

/* A name of ours for an address (names.c). */
struct ln_ice_own_name {
    struct ln_list in_generation; /* then in the agent's list of those to be withdrawn */
    char text[LN_ICE_OWN_NAME_LEN + 1];
    struct ln_address address; /* port 0 */
    uint8_t state;             /* enum ln_ice_name_state */
    uint32_t request;
};

struct ln_ice_generation {
    char ufrag[LN_ICE_UFRAG_LEN + 1];
    char pwd[LN_ICE_PWD_LEN + 1];
    char *remote_ufrag, *remote_pwd; /* NULL before set_remote */
    bool remote_lite, remote_ended;
    struct ln_ice_servers *servers; /* a reference */
    struct ln_list locals, remotes, probes, names;
    size_t local_count, remote_count;
    uint32_t foundations; /* given out */
    struct ln_ice_check_list list;
    uint8_t gathering;            /* enum ln_ice_gathering_state */
    struct ln_ice_pair *selected; /* nominated */
    struct ln_ice_pair *nominating;
    uint32_t nominations; /* asked for by the other side */
    bool consent_lost;    /* of the selected pair */
    uint8_t role_switches;
    unsigned ordinary_count;
    ln_time ordinary_at;   /* the next ordinary check may go */
    ln_time triggered_at;  /* bucket of triggered checks: when it is empty again */
    ln_time settle_from;   /* the first valid pair; LN_TIME_NEVER: none yet */
    ln_time patience_from; /* LN_TIME_NEVER: checks have not begun */
    ln_time gather_from;   /* LN_TIME_NEVER: it has not begun */
    bool restamp;          /* patience starts anew at the next `now` */
    bool stirred;          /* a pair has failed or was selected */
    bool resting;          /* pairs that did nothing were let go */
    ln_time rest_at;       /* not before */
};

struct ln_ice_known_address {
    struct ln_address address;
    uint32_t interface; /* its index */
    bool loopback, tunnel;
    bool refused; /* no UDP port is left: not asked for again until the interfaces change */
};

/* An answer to a check, built when it is polled. */
struct ln_ice_answer_intent {
    struct ln_path path;
    struct ln_stun_id id;
    uint16_t code; /* 0: success; 420, 487 */
    uint8_t unknown_count;
    uint16_t unknown[LN_STUN_UNKNOWN_MAX];
    char pwd[LN_ICE_PWD_LEN + 1];
};

struct ln_ice_early {
    struct ln_path path;
    uint32_t priority;
    bool use_candidate;
    uint32_t requests;
};

struct ln_ice_event_entry {
    uint8_t kind;   /* enum ln_ice_event_kind */
    uint16_t code;  /* CANDIDATE_ERROR */
    uint8_t server; /* CANDIDATE_ERROR */
    uint8_t text;   /* CANDIDATE_ERROR: index of the sentence */
    uint32_t value; /* a state, an id */
    struct ln_address address;
};

struct ln_ice {
    const struct ln_env *env;
    struct ln_ice_config config;
    struct ln_ice_filter *filter;       /* NULL: all addresses */
    struct ln_proxy *proxy;             /* NULL: none */
    struct ln_ice_externals *externals; /* NULL: none */
    struct ln_ice_servers *servers;     /* for the next generation; a reference */
    struct ln_ice_relay *relays[LN_ICE_RELAYS_MAX];
    size_t relay_count;
    uint32_t last_virtual;         /* link of a relay */
    bool permits_wanted;           /* there are new pairs on relays */
    struct ln_ice_relay *draining; /* it has more of the packet in hand, or NULL */
    struct ln_ice_tcp *tcp;        /* NULL: none is wanted */
    /* As many as were needed: most hosts have few addresses. Sockets that were closed leave their
     * places, which are taken again first. */
    struct ln_ice_link *links;
    struct ln_ice_known_address *known;
    size_t link_count, link_capacity, known_count, known_capacity;
    bool watch_wanted, watch_asked, known_once;
    bool shares_port; /* with other agents: relays over UDP need sockets of their own */
    uint32_t watch_request;

    struct ln_ice_generation *current, *previous;
    ln_time previous_until; /* LN_TIME_NEVER: as long as the current one has not selected */
    bool controlling;
    bool asked_to_control; /* by set_role() */
    bool peer_asks;        /* lite: the other side checks what was chosen (RFC 7675) */
    uint8_t state;         /* enum ln_ice_connection_state */
    bool wake, closed;
    uint64_t tie_breaker;        /* another one after each 487 (RFC 8445, 7.2.5.1) */
    struct ln_ice_pair *sending; /* where data goes */
    uint32_t trace_id;           /* which agent it is, in traces: of the first one */
    uint32_t quiet_pair;         /* id of the pair that was asked because it had gone quiet, */
    ln_time quiet_since;         /* its last sign before that, */
    ln_time quiet_asked;         /* and when it was asked */
    bool quiet_doubted;          /* relays that stayed silent after that were doubted */
    struct ln_ice_pair *hot;     /* the pair that the last packet came on */
    uint32_t announced;          /* id of the pair in the last SELECTED_PAIR event */
    uint32_t selected_changes;

    struct ln_list busy, outbox, probe_outbox, names_to_withdraw;
    struct ln_ring answers;     /* struct ln_ice_answer_intent */
    struct ln_ring events;      /* struct ln_ice_event_entry */
    struct ln_ice_early *early; /* until the credentials come */
    size_t early_count, early_capacity;
    uint64_t drops[LN_ICE_DROPS];
    uint32_t last_id, last_request;
    ln_time now; /* of the latest call that had one, for traces */
};

/* agent.c */
void ln_ice_run(struct ln_ice *ice, ln_time now);
uint32_t ln_ice_new_id(struct ln_ice *ice);
uint32_t ln_ice_new_request(struct ln_ice *ice);
int ln_ice_drop(struct ln_ice *ice, enum ln_ice_drop reason, int error);

/* generation.c */
struct ln_ice_generation *ln_ice_generation_create(struct ln_ice *ice);
/* Also forgets what the agent knew of its pairs. NULL is fine. */
void ln_ice_generation_free(struct ln_ice *ice, struct ln_ice_generation *g);
void ln_ice_drop_previous(struct ln_ice *ice);

/* gather.c */
void ln_ice_gather_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_gather_next_timeout(const struct ln_ice *ice);

/* Whether addresses of this host may be told. */
static inline bool ln_ice_open_to_all(const struct ln_ice *ice)
{
    return ice->current->servers->policy == LN_ICE_TRANSPORT_POLICY_ALL;
}

static inline bool ln_ice_is_gathering(const struct ln_ice_generation *g)
{
    return g->gathering == LN_ICE_GATHERING_STATE_GATHERING;
}

/* How many ports there are to choose from; 0: any. */
static inline size_t ln_ice_port_count(const struct ln_ice *ice)
{
    return ice->config.port_min == 0 ? 0
                                     : (size_t)(ice->config.port_max - ice->config.port_min + 1);
}

/* links.c */
/* Whether it is an address of this host that is to be used. */
bool ln_ice_knows(const struct ln_ice *ice, const struct ln_address *address);
/* RFC 8445, 5.1.2.1: interfaces before tunnels before loopback; IPv6 before IPv4 (RFC 8421, 4); all
 * different. `index` is its place among those that are known. */
uint16_t ln_ice_address_preference(const struct ln_ice_known_address *known, size_t index);
int ln_ice_gather_poll_request(struct ln_ice *ice, struct ln_request *ret_request);
bool ln_ice_gather_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer);
/* Sockets for addresses that have none yet. */
void ln_ice_want_links(struct ln_ice *ice);
/* Whether relays over datagrams of the present generation are reached by this socket. */
bool ln_ice_relays_by(const struct ln_ice *ice, const struct ln_ice_link *link);
void ln_ice_close_links(struct ln_ice *ice);
/* The sockets of a generation that goes: closed, or given back to the one before. */
void ln_ice_release_links(struct ln_ice *ice, const struct ln_ice_generation *g);

/* locals.c */
struct ln_ice_local *ln_ice_find_host(const struct ln_ice_generation *g, ln_link link);
/* The host or relayed candidate whose datagrams take this path. */
struct ln_ice_local *ln_ice_find_base(const struct ln_ice_generation *g,
                                      const struct ln_path *path);
/* A host candidate of the present generation, with its pairs: addresses, link, interface,
 * preference and transport are those of the model. Not made at a limit. */
void ln_ice_add_host(struct ln_ice *ice, const struct ln_ice_local *model);
void ln_ice_add_host_of(struct ln_ice *ice, const struct ln_ice_link *link);
/* False if it is redundant: no NAT, or seen so by another server (RFC 8445, 5.1.3). `server` is -1
 * when it was configured. */
bool ln_ice_add_server_reflexive(struct ln_ice *ice, const struct ln_ice_local *host, int server,
                                 const struct ln_address *mapped);
void ln_ice_add_relayed(struct ln_ice *ice, struct ln_ice_relay *relay);
void ln_ice_add_relayed_tcp(struct ln_ice *ice, const struct ln_ice_tcp_base *base);
/* The local candidate seen as `address` through a link; a peer-reflexive one is made if need be.
 * NULL at a limit. */
struct ln_ice_local *ln_ice_local_seen_as(struct ln_ice *ice, struct ln_ice_generation *g,
                                          struct ln_ice_local *base,
                                          const struct ln_address *address);
/* Tells a candidate that was held back. */
void ln_ice_signal_local(struct ln_ice *ice, struct ln_ice_local *local);

/* names.c */
/* The name of the address; it is made if need be. NULL when out of memory. */
struct ln_ice_own_name *ln_ice_name_of(struct ln_ice *ice, struct ln_ice_generation *g,
                                       const struct ln_address *address);
/* Puts the name in place of the address. */
void ln_ice_describe_name(const struct ln_ice_own_name *name, struct ln_candidate *candidate);
bool ln_ice_names_answer(struct ln_ice *ice, const struct ln_answer *answer);
/* Whether one is yet to be published. */
bool ln_ice_names_pending(const struct ln_ice_generation *g);
/* Those of a generation that goes are withdrawn. */
void ln_ice_names_release(struct ln_ice *ice, struct ln_ice_generation *g);
void ln_ice_names_free(struct ln_ice *ice);
int ln_ice_names_poll_request(struct ln_ice *ice, struct ln_request *ret_request);

/* servers.c; NULL when out of memory, unref(NULL) is fine */
struct ln_ice_servers *ln_ice_servers_create(struct ln_ice *ice,
                                             const struct ln_ice_server_address *from, size_t count,
                                             enum ln_ice_transport_policy policy);
void ln_ice_servers_unref(struct ln_ice *ice, struct ln_ice_servers *set);
/* NULL for -1. */
const char *ln_ice_server_url(const struct ln_ice_generation *g, int server);

/* remote.c */
void ln_ice_pair_up_local(struct ln_ice *ice, struct ln_ice_local *base);
/* All pairs that the candidates make and that are not there. */
void ln_ice_pair_up_all(struct ln_ice *ice);
/* The pair of a path on which an authentic check came; remote candidate and pair are made if need
 * be. NULL at a limit. */
struct ln_ice_pair *ln_ice_pair_for_check(struct ln_ice *ice, struct ln_ice_generation *g,
                                          const struct ln_path *path, uint32_t priority);
void ln_ice_remote_free(struct ln_ice *ice, struct ln_ice_generation *g,
                        struct ln_ice_remote *remote);
int ln_ice_remote_poll_request(struct ln_ice *ice, struct ln_request *ret_request);
bool ln_ice_remote_answer(struct ln_ice *ice, const struct ln_answer *answer);

/* check.c */
void ln_ice_checks_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_checks_next_timeout(const struct ln_ice *ice);
int ln_ice_poll_check(struct ln_ice *ice, ln_time now, struct ln_transmit *out);
void ln_ice_trigger(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);
void ln_ice_begin_check(struct ln_ice *ice, struct ln_ice_pair *pair, bool nominate, ln_time now);
void ln_ice_keep_consent(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);
void ln_ice_pair_set_state(struct ln_ice *ice, struct ln_ice_pair *pair,
                           enum ln_ice_pair_state state, enum ln_ice_failure failure);
void ln_ice_pair_fail(struct ln_ice *ice, struct ln_ice_pair *pair, enum ln_ice_failure failure);
void ln_ice_pair_detach(struct ln_ice *ice, struct ln_ice_pair *pair);

/* inbound.c */
/* Whether an authentic check, request or answer, came on the path. */
bool ln_ice_is_proven(struct ln_ice *ice, const struct ln_path *path);
void ln_ice_process_early(struct ln_ice *ice, ln_time now);

/* nominate.c */
void ln_ice_nominate_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_nominate_next_timeout(const struct ln_ice *ice);
void ln_ice_select(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);
void ln_ice_nomination_requested(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);
void ln_ice_change_role(struct ln_ice *ice, bool controlling);

/* lite.c */
/* RFC 8445, 6.1.1: who is asked to control, and which side is lite. */
bool ln_ice_role_for(const struct ln_ice *ice, bool asked);
/* Whether candidates make pairs; those of a lite agent come from checks, unless both are lite. */
bool ln_ice_forms_pairs(const struct ln_ice *ice);
/* Whether data tells that the pair is alive, and checks do not. */
bool ln_ice_is_unchecked(const struct ln_ice *ice, const struct ln_ice_pair *pair);
/* An authentic check came on the pair; the answer is queued. */
void ln_ice_lite_checked(struct ln_ice *ice, struct ln_ice_pair *pair, bool use_candidate,
                         ln_time now);
/* Whether the pair's address has shown enough to be sent more. */
bool ln_ice_lite_may_send(const struct ln_ice_pair *pair);
/* Data went out on the pair. */
void ln_ice_lite_sent(struct ln_ice_pair *pair, ln_time now);
/* When the pair that is sent on has been silent for too long. */
ln_time ln_ice_lite_silent_at(const struct ln_ice_pair *pair);
void ln_ice_lite_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_lite_next_timeout(const struct ln_ice *ice);

/* quiet.c */
/* An authentic sign of the other side came on the pair. */
void ln_ice_heard(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);
/* Data passed on the pair: a sign of the other side is awaited from now on. */
void ln_ice_awaits(struct ln_ice_pair *pair, ln_time now);
void ln_ice_quiet_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_quiet_next_timeout(const struct ln_ice *ice);

/* standby.c */
/* Whether consent of this pair is kept although another is selected. */
bool ln_ice_is_standby(const struct ln_ice_generation *g, const struct ln_ice_pair *pair);
/* The next pair to be checked although one is selected; NULL: none. */
struct ln_ice_pair *ln_ice_standby_wanted(const struct ln_ice_generation *g);
/* Whether a pair is left that may take the place of the selected one. */
bool ln_ice_may_recover(const struct ln_ice *ice);
/* Controlling: the pair that should take the place of the selected one now, or NULL. */
struct ln_ice_pair *ln_ice_replacement(const struct ln_ice *ice);
/* Data came on a pair that is not selected. */
void ln_ice_standby_heard(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);

/* rest.c; before what looks for other pairs */
void ln_ice_rest_run(struct ln_ice *ice, ln_time now);

/* state.c */
void ln_ice_state_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_state_next_timeout(const struct ln_ice *ice);
void ln_ice_push_event(struct ln_ice *ice, const struct ln_ice_event_entry *entry);
void ln_ice_push_error(struct ln_ice *ice, uint8_t server, const struct ln_address *base,
                       uint16_t code, uint8_t text);
void ln_ice_set_state(struct ln_ice *ice, enum ln_ice_connection_state state);
void ln_ice_set_gathering(struct ln_ice *ice, enum ln_ice_gathering_state state);

enum ln_ice_error_text {
    LN_ICE_TEXT_NAME,    /* the server's name was not found */
    LN_ICE_TEXT_TIMEOUT, /* it did not answer */
    LN_ICE_TEXT_UNREACHABLE,
    LN_ICE_TEXT_REFUSED,  /* it answered with an error */
    LN_ICE_TEXT_NONSENSE, /* its answer makes no sense */
    LN_ICE_TEXT_CREDENTIALS,
    LN_ICE_TEXT_QUOTA,
    LN_ICE_TEXT_CAPACITY,
    LN_ICE_TEXT_LOOP,   /* servers that name one another, or one that may not be asked */
    LN_ICE_TEXT_SECURE, /* TLS or DTLS failed */
    LN_ICE_TEXT_PROXY_NAME,
    LN_ICE_TEXT_PROXY_UNREACHABLE,
    LN_ICE_TEXT_PROXY_TIMEOUT,
    LN_ICE_TEXT_PROXY_CREDENTIALS,
    LN_ICE_TEXT_PROXY_REFUSED,
    LN_ICE_TEXT_PROXY_NONSENSE,
};

/* stats.c */
const char *ln_ice_relay_protocol(const struct ln_ice_generation *g,
                                  const struct ln_ice_local *local);
void ln_ice_describe_local(const struct ln_ice *ice, const struct ln_ice_generation *g,
                           const struct ln_ice_local *local, struct ln_candidate *ret_candidate);

/* probes.c */
/* A probe from each socket to each STUN server of its family. */
void ln_ice_want_probes(struct ln_ice *ice, ln_time now);
/* A server that has no relay for us still tells how it sees us (RFC 8445, 5.1.1.2). */
void ln_ice_probe_instead(struct ln_ice *ice, ln_link link, size_t server,
                          const struct ln_address *to);
void ln_ice_run_probe(struct ln_ice *ice, struct ln_ice_probe *probe, ln_time now);
void ln_ice_probe_failed(struct ln_ice *ice, struct ln_ice_probe *probe, uint16_t code,
                         enum ln_ice_error_text text);
/* Whether the present generation gathers by this socket. */
bool ln_ice_link_is_ours(const struct ln_ice *ice, const struct ln_ice_link *link);
/* True if the response belongs to a probe. */
bool ln_ice_gather_response(struct ln_ice *ice, ln_time now, const struct ln_path *path,
                            const struct ln_stun_message *message);
/* What was sent there did not leave, or ICMP says so: of our own host's or of a relay's. */
void ln_ice_send_failed(struct ln_ice *ice, const struct ln_path *path, const struct ln_icmp *icmp);

#endif
