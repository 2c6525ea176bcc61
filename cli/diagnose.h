/* SPDX-License-Identifier: Apache-2.0
 * The inside of `linnet diagnose`: what its steps share, and how a step reports.
 *
 * A step is a function on the diagnosis: it asks the network (its wait is bounded), reports one or
 * more verdicts, and leaves what it learned for the steps after it. */
#ifndef LN_CLI_DIAGNOSE_H
#define LN_CLI_DIAGNOSE_H

#include "client/loop_driver.h"
#include "peer/configuration.h"
#include "stun/discovery.h"

#include <jansson.h>

#define DIAGNOSE_SERVERS_MAX    16u
#define DIAGNOSE_ADDRESSES_MAX  8u
#define DIAGNOSE_INTERFACES_MAX 64u

/* --- verdicts (diagnose_report.c) */

enum verdict {
    VERDICT_OK,
    VERDICT_NOTE, /* worth knowing, nothing to be done */
    VERDICT_WARN, /* something works less well than it could */
    VERDICT_FAIL,
};

struct report {
    bool json;
    json_t *steps; /* array */
};

/* Prints a line (or keeps it, with --json). `facts` is an object whose members are added to the
 * JSON, or NULL; the reference is taken. `remedy` is one sentence, or NULL. */
void report_step(struct report *report, const char *step, enum verdict verdict, json_t *facts,
                 const char *remedy, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* The last line; with --json everything in one object. */
void report_end(struct report *report, enum verdict verdict, const char *sentence);

/* --- what is known so far */

struct diagnose_server {
    char *text, *username, *credential; /* owned; credentials may be NULL */
    const char *name;                   /* the URL, as it was given */
    struct ln_ice_url url;
    struct ln_address addresses[DIAGNOSE_ADDRESSES_MAX];
    size_t address_count;
    int error; /* of the lookup */
    ln_duration lookup_time;
};

struct diagnose_family {
    struct ln_address source; /* ours, towards the servers; no family: there is no way */
    bool any_server;
    struct ln_stun_discovery_result stun;
    bool asked, answered;
};

struct diagnose_arguments {
    bool json, lifetime, insecure;
    const char *room, *token, *proxy; /* the proxy as given, then as chosen */
};

struct diagnosis {
    struct diagnose_arguments arguments;
    struct report report;
    struct ln_driver *driver;
    struct diagnose_server servers[DIAGNOSE_SERVERS_MAX];
    size_t server_count;
    struct ln_interface interfaces[DIAGNOSE_INTERFACES_MAX];
    size_t interface_count;
    struct diagnose_family ipv4, ipv6;
    int64_t clock_ahead_ms; /* ours, of the page's server's; 0: not known */
    bool relay_asked, relay_passes;
    char *page, *user, *credential; /* of the page whose TURN server gave credentials; owned */
};

/* "stun:…" or "turn:…[,USER,PASS]". Returns 0, LN_ERR_SYNTAX, LN_ERR_LIMIT or LN_ERR_NOMEM. */
int diagnose_add_server(struct diagnosis *d, const char *text, const char *username,
                        const char *credential);

/* Runs the loop until done() or the time is over. */
void diagnose_wait(struct diagnosis *d, bool (*done)(void *ctx), void *ctx, ln_duration most);

/* --- steps */

/* Joins a room for the servers it gives; false if that failed. (diagnose_signal.c) */
bool diagnose_signalling(struct diagnosis *d, const char *url);
/* Names of the servers, interfaces, ways to them. (diagnose_network.c) */
void diagnose_names(struct diagnosis *d);
void diagnose_families(struct diagnosis *d);
/* STUN, NAT, hairpin, lifetime, path MTU. (diagnose_nat.c) */
void diagnose_nat(struct diagnosis *d, struct diagnose_family *family, const char *name);
/* Each TURN server: an address there, DTLS and a data channel through it. (diagnose_relay.c) */
void diagnose_relays(struct diagnosis *d);
/* What the page's TURN server saw of this test; nothing without credentials of it.
 * (diagnose_view.c) */
void diagnose_view(struct diagnosis *d);
/* What a person wants to know first: whether calls will work. Sets the sentence. (diagnose_nat.c)
 */
enum verdict diagnose_conclusion(const struct diagnosis *d, const char **ret_sentence);

#endif
