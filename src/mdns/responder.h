/* SPDX-License-Identifier: Apache-2.0
 * The mDNS responder (RFC 6762, 6, 8.3 and 10.1) for names of this host's own candidates
 * (draft-ietf-mmusic-mdns-ice-candidates, 3.1.1): a part of the endpoint in mdns/mdns.h.
 *
 * A name stands for one address and is told only on interfaces that have that address, and only to
 * neighbours there. Names are random and so unique: they are announced twice and not probed for.
 * Of all that is asked, only what is in the table is answered; everything else leaves no trace.
 *
 * What a flood of questions gets: of each name one multicast answer a second on each link, and in
 * all LN_MDNS_UNICASTS_MAX unicast ones a second, each less than three times its question. */
#ifndef LN_MDNS_RESPONDER_H
#define LN_MDNS_RESPONDER_H

#include "base/list.h"
#include "mdns/links.h"
#include "mdns/message.h"

#include <linnet/env.h>

#define LN_MDNS_NAMES_MAX     256u                    /* own names at once */
#define LN_MDNS_NAME_MAX      (LN_DNS_LABEL_MAX + 6u) /* ".local" */
#define LN_MDNS_QUESTIONS_MAX 32u                     /* of one message that are looked at */
#define LN_MDNS_REPLIES_MAX   32u           /* unicast answers that wait for poll_transmit */
#define LN_MDNS_UNICASTS_MAX  64u           /* of one second */
#define LN_MDNS_MULTICAST_GAP LN_SECONDS(1) /* RFC 6762, 6 */
#define LN_MDNS_RESPONSE_MAX  512u

struct ln_mdns_reply { /* built when it is polled */
    struct ln_path path;
    uint64_t name; /* its id */
    uint16_t id;   /* of a question from an ordinary port, */
    uint16_t type; /* and what it asked for; 0: an ordinary answer */
};

struct ln_mdns_responder {
    const struct ln_env *env;
    struct ln_list names; /* struct name, responder.c */
    size_t name_count;
    struct ln_mdns_reply replies[LN_MDNS_REPLIES_MAX];
    size_t reply_count;
    ln_time second_from; /* of unicast answers */
    unsigned second_count;
    uint64_t strangers, limited; /* questions that were not answered: who asked, how many */
};

void ln_mdns_responder_init(struct ln_mdns_responder *r, const struct ln_env *env);
void ln_mdns_responder_deinit(struct ln_mdns_responder *r);
/* Returns 0, LN_ERR_SYNTAX, LN_ERR_ADDRESS_IN_USE (the name stands for something), LN_ERR_LIMIT or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_mdns_responder_add(struct ln_mdns_responder *r, const char *name,
                                       const struct ln_address *address, uint64_t id);
/* Where it was told a farewell is sent. */
void ln_mdns_responder_remove(struct ln_mdns_responder *r, uint64_t id);
/* The name that can be asked for now, or never: false when there is none. */
bool ln_mdns_responder_poll_event(struct ln_mdns_responder *r, uint64_t *ret_id, int *ret_error);

/* Links came or went. */
void ln_mdns_responder_links_changed(struct ln_mdns_responder *r);
/* The rest of a message of questions that came on the link. */
void ln_mdns_responder_question(struct ln_mdns_responder *r, const struct ln_mdns_links *links,
                                const struct ln_mdns_link *link, struct ln_dns_message *message,
                                const struct ln_path *path, ln_time now);
void ln_mdns_responder_run(struct ln_mdns_responder *r, const struct ln_mdns_links *links,
                           ln_time now);
ln_time ln_mdns_responder_next_timeout(const struct ln_mdns_responder *r);
/* 1, 0 or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_mdns_responder_poll(struct ln_mdns_responder *r,
                                        const struct ln_mdns_links *links, struct ln_transmit *out);

#endif
