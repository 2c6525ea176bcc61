/* SPDX-License-Identifier: Apache-2.0
 * Whose a datagram is (ice/mux.h): ufrags of requests, transactions, and claims of addresses.
 *
 * Invariant: claims and transactions come from what members send; nothing that arrives makes one,
 * but the answer to a member's own check. */
#include "ice/mux_internal.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/time.h"
#include "stun/message.h"

#include <string.h>

/* --- claims -------------------------------------------------------------------------------- */

#define CLAIM_KEY_LEN (1u + LN_ADDRESS_KEY_LEN)

static void claim_key(const struct ln_ice_mux *mux, const struct ln_mux_base *base,
                      const struct ln_address *remote, uint8_t key[CLAIM_KEY_LEN])
{
    key[0] = (uint8_t)(base - mux->bases);
    ln_address_key(remote, key + 1);
}

static struct ln_mux_claim *find_claim(const struct ln_ice_mux *mux, const struct ln_mux_base *base,
                                       const struct ln_address *remote)
{
    uint8_t key[CLAIM_KEY_LEN];

    claim_key(mux, base, remote, key);
    return ln_map_get(&mux->claims, key, sizeof key);
}

struct ln_mux_link *ln_mux_link_of_address(const struct ln_ice_mux *mux,
                                           const struct ln_mux_base *base,
                                           const struct ln_address *remote)
{
    struct ln_mux_claim *claim = find_claim(mux, base, remote);

    return claim ? claim->link : NULL;
}

static void free_claim(struct ln_ice_mux *mux, struct ln_mux_claim *claim)
{
    uint8_t key[CLAIM_KEY_LEN];

    claim_key(mux, claim->link->base, &claim->remote, key);
    ln_map_remove(&mux->claims, key, sizeof key);
    ln_list_remove(&claim->in_link);
    claim->link->claim_count--;
    ln_free(mux->env->allocator, claim);
}

/* Of those that only a request came from, else of all, the one proven longest ago. */
static struct ln_mux_claim *least_claim(const struct ln_mux_link *link)
{
    LN_LIST_EACH (at, &link->claims) {
        struct ln_mux_claim *claim = LN_CONTAINER(at, struct ln_mux_claim, in_link);

        if (!claim->returned)
            return claim;
    }
    return LN_CONTAINER(link->claims.next, struct ln_mux_claim, in_link);
}

static void add_claim(struct ln_ice_mux *mux, struct ln_mux_link *link,
                      const struct ln_address *remote, bool returned, ln_time now)
{
    struct ln_mux_claim *claim = ln_alloc_zero(mux->env->allocator, sizeof *claim);
    uint8_t key[CLAIM_KEY_LEN];

    claim_key(mux, link->base, remote, key);
    if (!claim || ln_map_set(&mux->claims, key, sizeof key, claim) != 0) {
        ln_free(mux->env->allocator, claim);
        ln_mux_drop(mux, LN_ICE_MUX_DROP_LIMIT);
        return;
    }
    *claim =
        (struct ln_mux_claim){ .link = link, .remote = *remote, .returned = returned, .at = now };
    ln_list_append(&link->claims, &claim->in_link);
    link->claim_count++;
}

static void claim_address(struct ln_ice_mux *mux, struct ln_mux_link *link,
                          const struct ln_address *remote, bool returned, ln_time now)
{
    struct ln_mux_claim *claim = find_claim(mux, link->base, remote);

    if (claim && claim->link == link) {
        claim->returned |= returned;
        claim->at = now;
        ln_list_remove(&claim->in_link);
        ln_list_append(&link->claims, &claim->in_link);
        return;
    }
    if (claim && now < claim->at + LN_ICE_MUX_HOLD && (claim->returned || !returned)) {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_CLAIMED);
        return;
    }
    if (claim)
        free_claim(mux, claim);
    if (link->claim_count >= LN_ICE_MUX_CLAIMS_MAX)
        free_claim(mux, least_claim(link));
    add_claim(mux, link, remote, returned, now);
}

/* --- requests of members ------------------------------------------------------------------- */

static void free_asked(struct ln_ice_mux *mux, struct ln_mux_asked *asked)
{
    ln_map_remove(&mux->asked, asked->id, sizeof asked->id);
    ln_list_remove(&asked->in_all);
    ln_list_remove(&asked->in_link);
    asked->link->asked_count--;
    ln_free(mux->env->allocator, asked);
}

/* All live equally long: the list is in the order of their ends. Two a turn keep it short. */
static void expire(struct ln_ice_mux *mux, ln_time now)
{
    for (int i = 0; i < 2 && !ln_list_empty(&mux->all_asked); i++) {
        struct ln_mux_asked *first = LN_CONTAINER(mux->all_asked.next, struct ln_mux_asked, in_all);

        if (now < first->at + LN_ICE_MUX_ASKED_TIME)
            return;
        free_asked(mux, first);
    }
}

static struct ln_mux_asked *new_asked(struct ln_ice_mux *mux, struct ln_mux_link *link,
                                      const struct ln_stun_message *message)
{
    struct ln_mux_asked *asked;

    if (link->asked_count >= LN_ICE_MUX_ASKED_MAX)
        free_asked(mux, LN_CONTAINER(link->asked.next, struct ln_mux_asked, in_link));
    asked = ln_alloc_zero(mux->env->allocator, sizeof *asked);
    if (!asked || ln_map_set(&mux->asked, message->id.bytes, LN_STUN_ID_LEN, asked) != 0) {
        ln_free(mux->env->allocator, asked);
        ln_mux_drop(mux, LN_ICE_MUX_DROP_LIMIT);
        return NULL;
    }
    asked->link = link;
    memcpy(asked->id, message->id.bytes, sizeof asked->id);
    ln_list_init(&asked->in_all);
    ln_list_init(&asked->in_link);
    link->asked_count++;
    return asked;
}

static void note_request(struct ln_ice_mux *mux, struct ln_mux_link *link, ln_time now,
                         const struct ln_stun_message *message, const struct ln_address *remote)
{
    struct ln_mux_asked *asked;
    struct ln_bytes username;

    expire(mux, now);
    asked = ln_map_get(&mux->asked, message->id.bytes, LN_STUN_ID_LEN);
    if (asked && asked->link != link)
        return; /* one in 2^96, or a member that does not choose by chance */
    if (!asked)
        asked = new_asked(mux, link, message);
    if (!asked)
        return;
    asked->remote = *remote;
    asked->at = now;
    asked->check = ln_stun_find(message, LN_STUN_USERNAME, &username);
    ln_list_remove(&asked->in_all);
    ln_list_append(&mux->all_asked, &asked->in_all);
    ln_list_remove(&asked->in_link);
    ln_list_append(&link->asked, &asked->in_link);
}

void ln_mux_forget(struct ln_ice_mux *mux, struct ln_mux_link *link)
{
    LN_LIST_EACH_SAFE (at, after, &link->claims)
        free_claim(mux, LN_CONTAINER(at, struct ln_mux_claim, in_link));
    LN_LIST_EACH_SAFE (at, after, &link->asked)
        free_asked(mux, LN_CONTAINER(at, struct ln_mux_asked, in_link));
    if (mux->sending == link)
        mux->sending = NULL;
}

/* --- out ----------------------------------------------------------------------------------- */

static void look_at_sent(struct ln_ice_mux *mux, struct ln_mux_link *link, ln_time now,
                         const struct ln_transmit *out)
{
    struct ln_stun_message message;

    if (out->slice_count > 0 || out->segment > 0 || !ln_stun_is_message(out->data, out->len) ||
        ln_stun_parse(out->data, out->len, &message) != 0 || message.method != LN_STUN_BINDING)
        return;
    if (message.kind == LN_STUN_REQUEST)
        note_request(mux, link, now, &message, &out->path.remote);
    else if (message.kind == LN_STUN_SUCCESS)
        claim_address(mux, link, &out->path.remote, false, now);
}

bool ln_mux_send(struct ln_ice_mux_member *member, ln_time now, struct ln_transmit *out)
{
    struct ln_ice_mux *mux = member->mux;
    struct ln_mux_object *object = ln_mux_find(mux, out->path.link);
    struct ln_mux_link *link;

    if (!object || (object->kind != LN_MUX_VIRTUAL && object->kind != LN_MUX_OWN)) {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_UNKNOWN_LINK);
        return false;
    }
    link = LN_CONTAINER(object, struct ln_mux_link, object);
    if (link->member != member || (object->kind == LN_MUX_VIRTUAL && !link->base)) {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_UNKNOWN_LINK);
        return false;
    }
    if (object->kind == LN_MUX_OWN)
        return true;
    look_at_sent(mux, link, now, out);
    mux->sending = link;
    mux->sending_to = out->path.remote;
    out->path.link = link->base->object.link;
    return true;
}

/* --- in ------------------------------------------------------------------------------------ */

static bool ufrag_of(const struct ln_stun_message *message, struct ln_bytes *ret_ufrag)
{
    struct ln_bytes username;
    const uint8_t *colon;

    if (!ln_stun_find(message, LN_STUN_USERNAME, &username) || username.len == 0)
        return false;
    colon = memchr(username.data, ':', username.len);
    if (!colon)
        return false;
    *ret_ufrag = (struct ln_bytes){ username.data, (size_t)(colon - username.data) };
    return true;
}

bool ln_mux_read_ufrag(const void *data, size_t len, struct ln_bytes *ret_ufrag)
{
    struct ln_stun_message message;

    return ln_stun_is_message(data, len) && ln_stun_parse(data, len, &message) == 0 &&
           message.method == LN_STUN_BINDING && message.kind == LN_STUN_REQUEST &&
           ufrag_of(&message, ret_ufrag);
}

/* The one that asked. An answer that is signed and comes from where the request went shows that
 * packets to there arrive there. */
static struct ln_mux_link *link_of_answer(struct ln_ice_mux *mux, const struct ln_mux_base *base,
                                          ln_time now, const struct ln_path *path,
                                          const struct ln_stun_message *message)
{
    struct ln_mux_asked *asked = ln_map_get(&mux->asked, message->id.bytes, LN_STUN_ID_LEN);
    struct ln_mux_link *link = asked ? asked->link : NULL;

    if (!asked || link->base != base) {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_NO_TRANSACTION);
        return NULL;
    }
    if (!ln_address_equal(&asked->remote, &path->remote))
        return link; /* what to make of it is the member's to know (RFC 8445, 7.2.5.2.1) */
    if (asked->check && message->kind == LN_STUN_SUCCESS &&
        (message->integrity || message->integrity256))
        claim_address(mux, link, &path->remote, true, now);
    free_asked(mux, asked);
    return link;
}

static struct ln_mux_link *link_of_message(struct ln_ice_mux *mux, const struct ln_mux_base *base,
                                           ln_time now, const struct ln_packet *packet)
{
    struct ln_stun_message message;
    struct ln_mux_link *link = NULL;
    struct ln_bytes ufrag;

    if (ln_stun_parse(packet->data, packet->len, &message) != 0 ||
        message.method != LN_STUN_BINDING) {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_MALFORMED);
    } else if (message.kind == LN_STUN_REQUEST) {
        if (ufrag_of(&message, &ufrag))
            link = ln_mux_link_of_ufrag(mux, base, ufrag);
        if (!link)
            ln_mux_drop(mux, LN_ICE_MUX_DROP_UNKNOWN_UFRAG);
    } else if (message.kind == LN_STUN_INDICATION) {
        link = ln_mux_link_of_address(mux, base, &packet->path.remote);
        if (!link)
            ln_mux_drop(mux, LN_ICE_MUX_DROP_UNKNOWN_ADDRESS);
    } else {
        link = link_of_answer(mux, base, now, &packet->path, &message);
    }
    return link;
}

void ln_mux_receive(struct ln_ice_mux *mux, ln_time now, struct ln_packet *packet,
                    struct ln_mux_base *base)
{
    struct ln_mux_link *link;
    struct ln_ice_mux_member *member;

    if (base->state != LN_MUX_BASE_OPEN || base->stream) {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_UNKNOWN_LINK);
        return;
    }
    if (ln_packet_classify(packet->data, packet->len) == LN_PACKET_STUN) {
        link = link_of_message(mux, base, now, packet);
    } else {
        link = ln_mux_link_of_address(mux, base, &packet->path.remote);
        if (!link)
            ln_mux_drop(mux, LN_ICE_MUX_DROP_UNKNOWN_ADDRESS);
    }
    if (!link || link->tell == LN_MUX_TELL_OPENED)
        return;
    member = link->member;
    packet->path.link = link->object.link;
    member->endpoint.ops->receive(member->endpoint.object, now, packet);
    ln_mux_stir(member);
}
