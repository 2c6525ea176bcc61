/* SPDX-License-Identifier: Apache-2.0
 * Names in place of the addresses of host candidates (draft-ietf-mmusic-mdns-ice-candidates, 3.1):
 * a random one for each address and generation, published by the driver before the candidate is
 * told. A candidate whose name could not be published is not told at all, but checks leave from it;
 * the other side then sees it as peer-reflexive.
 *
 * Invariant: with names in use no description, event or statistic shows the address of a host
 * candidate, nor as the related address of another one. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/rng.h"

#include <string.h>

struct ln_ice_own_name *ln_ice_name_of(struct ln_ice *ice, struct ln_ice_generation *g,
                                       const struct ln_address *address)
{
    struct ln_ice_own_name *name;

    LN_LIST_EACH (at, &g->names) {
        name = LN_CONTAINER(at, struct ln_ice_own_name, in_generation);
        if (ln_address_equal_ip(&name->address, address))
            return name;
    }
    name = ln_alloc_zero(ice->env->allocator, sizeof *name);
    if (!name)
        return NULL;
    ln_uuid_text(ice->env->rng, name->text);
    strcat(name->text, ".local");
    name->address = *address;
    name->address.port = 0;
    name->state = LN_ICE_NAME_WANTED;
    ln_list_append(&g->names, &name->in_generation);
    return name;
}

void ln_ice_describe_name(const struct ln_ice_own_name *name, struct ln_candidate *candidate)
{
    candidate->address = (struct ln_address){ .port = candidate->address.port };
    memcpy(candidate->name, name->text, sizeof name->text);
}

/* The candidates that waited for it are told, while candidates are told. */
static void published(struct ln_ice *ice, struct ln_ice_generation *g,
                      const struct ln_ice_own_name *name)
{
    LN_LIST_EACH (at, &g->locals) {
        struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (local->name == name && g->gathering == LN_ICE_GATHERING_STATE_GATHERING)
            ln_ice_signal_local(ice, local);
    }
}

static bool answer_name(struct ln_ice *ice, struct ln_ice_generation *g,
                        const struct ln_answer *answer)
{
    LN_LIST_EACH (at, &g->names) {
        struct ln_ice_own_name *name = LN_CONTAINER(at, struct ln_ice_own_name, in_generation);

        if (name->state != LN_ICE_NAME_ASKED || name->request != answer->id)
            continue;
        name->state = answer->kind == LN_ANSWER_PUBLISHED ? LN_ICE_NAME_DONE : LN_ICE_NAME_FAILED;
        if (name->state == LN_ICE_NAME_DONE)
            published(ice, g, name);
        return true;
    }
    return false;
}

bool ln_ice_names_answer(struct ln_ice *ice, const struct ln_answer *answer)
{
    if (answer->kind != LN_ANSWER_PUBLISHED && answer->kind != LN_ANSWER_FAILED)
        return false;
    return answer_name(ice, ice->current, answer) ||
           (ice->previous && answer_name(ice, ice->previous, answer));
}

bool ln_ice_names_pending(const struct ln_ice_generation *g)
{
    LN_LIST_EACH (at, &g->names) {
        uint8_t state = LN_CONTAINER(at, struct ln_ice_own_name, in_generation)->state;

        if (state == LN_ICE_NAME_WANTED || state == LN_ICE_NAME_ASKED)
            return true;
    }
    return false;
}

/* --- their end ------------------------------------------------------------------------------ */

static bool is_out(const struct ln_ice_own_name *name)
{
    return name->state == LN_ICE_NAME_ASKED || name->state == LN_ICE_NAME_DONE;
}

void ln_ice_names_release(struct ln_ice *ice, struct ln_ice_generation *g)
{
    LN_LIST_EACH_SAFE (at, after, &g->names) {
        struct ln_ice_own_name *name = LN_CONTAINER(at, struct ln_ice_own_name, in_generation);

        ln_list_remove(at);
        if (is_out(name))
            ln_list_append(&ice->names_to_withdraw, at);
        else
            ln_free(ice->env->allocator, name);
    }
}

void ln_ice_names_free(struct ln_ice *ice)
{
    LN_LIST_EACH_SAFE (at, after, &ice->names_to_withdraw) {
        ln_list_remove(at);
        ln_free(ice->env->allocator, LN_CONTAINER(at, struct ln_ice_own_name, in_generation));
    }
}

static struct ln_request withdrawal(const struct ln_ice_own_name *name)
{
    return (struct ln_request){ .kind = LN_REQUEST_CLOSE, .id = name->request };
}

static bool poll_generation(struct ln_ice *ice, struct ln_ice_generation *g,
                            struct ln_request *ret_request)
{
    LN_LIST_EACH (at, &g->names) {
        struct ln_ice_own_name *name = LN_CONTAINER(at, struct ln_ice_own_name, in_generation);

        if (ice->closed && is_out(name)) {
            name->state = LN_ICE_NAME_FAILED;
            *ret_request = withdrawal(name);
            return true;
        }
        if (ice->closed || name->state != LN_ICE_NAME_WANTED)
            continue;
        name->state = LN_ICE_NAME_ASKED;
        name->request = ln_ice_new_request(ice);
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_PUBLISH,
                                            .id = name->request,
                                            .name = name->text,
                                            .local = name->address };
        return true;
    }
    return false;
}

int ln_ice_names_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    if (!ln_list_empty(&ice->names_to_withdraw)) {
        struct ln_ice_own_name *name = LN_CONTAINER(ice->names_to_withdraw.next,
                                                    struct ln_ice_own_name, in_generation);

        *ret_request = withdrawal(name);
        ln_list_remove(&name->in_generation);
        ln_free(ice->env->allocator, name);
        return 1;
    }
    return poll_generation(ice, ice->current, ret_request) ||
           (ice->previous && poll_generation(ice, ice->previous, ret_request));
}
