/* SPDX-License-Identifier: Apache-2.0
 * addIceCandidate(), and local candidates written into the descriptions (RFC 8829, 4.1.18; RFC
 * 8840). */
#include "peer/negotiation_parts.h"

#include "peer/peer_connection.h"

#include <string.h>

static int section_of_candidate(const struct ln_sdp *remote, const struct ln_operation *operation)
{
    if (operation->mid)
        return ln_sdp_find_mid(remote, operation->mid);
    if (operation->m_line_index >= 0 && (size_t)operation->m_line_index < remote->media_count)
        return operation->m_line_index;
    return -1;
}

static bool has_ufrag(const struct ln_description *remote, int section, const char *ufrag)
{
    return remote && (size_t)section < remote->sdp->media_count &&
           strcmp(ln_sdp_ufrag(remote->sdp, &remote->sdp->media[section]), ufrag) == 0;
}

void ln_negotiation_add_candidate(struct ln_peer_connection *pc, ln_time now,
                                  struct ln_operation *operation,
                                  struct ln_operation_result *result)
{
    struct ln_description *remote = ln_negotiation_remote(pc);
    const struct ln_sdp *sdp;
    int section, error;

    (void)now;
    if (!remote) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE, "there is no remote description yet");
        return;
    }
    sdp = remote->sdp;
    if (operation->end_of_candidates) {
        ln_ice_end_of_candidates(pc->transport.ice);
        return;
    }
    section = section_of_candidate(sdp, operation);
    if (section < 0) {
        ln_operation_fail(pc, result, LN_ERR_OPERATION,
                          "the remote description has no such section");
        return;
    }
    if (operation->username_fragment &&
        !has_ufrag(pc->negotiation.pending_remote, section, operation->username_fragment) &&
        !has_ufrag(pc->negotiation.current_remote, section, operation->username_fragment)) {
        ln_operation_fail(pc, result, LN_ERR_OPERATION,
                          "the candidate's username fragment is not the section's");
        return;
    }
    if (operation->username_fragment && !has_ufrag(remote, section, operation->username_fragment))
        return; /* of the generation that a restart under way replaces */
    if (!operation->text || !operation->text[0]) {
        if ((size_t)section == ln_negotiation_transport_section(sdp))
            ln_ice_end_of_candidates(pc->transport.ice);
        ln_sdp_end_candidates(remote->sdp, (size_t)section);
        ln_description_touch(remote);
        return;
    }
    if (ln_jsep_transport_section(sdp, (size_t)section) != (size_t)section) {
        struct ln_candidate parsed; /* bundled: checked for its form only */

        error = ln_candidate_parse(operation->text, strlen(operation->text), &parsed);
    } else {
        error = ln_ice_add_remote_candidate_text(pc->transport.ice, operation->text,
                                                 strlen(operation->text));
    }
    if (error == LN_ERR_NOT_SUPPORTED || error == LN_ERR_LIMIT || error == LN_ERR_NOT_FOUND)
        error = 0; /* passed over and counted below */
    if (error) {
        ln_operation_fail(pc, result, LN_ERR_OPERATION, "the candidate could not be added: %s",
                          ln_error_sentence(error));
        return;
    }
    if (ln_sdp_add_candidate(remote->sdp, &remote->arena, (size_t)section, operation->text) == 0)
        ln_description_touch(remote);
}

void ln_negotiation_local_candidate(struct ln_peer_connection *pc, const char *line,
                                    const char **ret_mid, int *ret_m_line)
{
    struct ln_description *all[] = { pc->negotiation.pending_local, pc->negotiation.current_local };
    const char *ufrag = ln_ice_local_ufrag(pc->transport.ice);
    size_t i, section;

    *ret_mid = NULL;
    *ret_m_line = -1;
    for (i = 0; i < 2; i++) {
        if (!all[i] || !ln_negotiation_has_transport(all[i]->sdp))
            continue;
        section = ln_negotiation_transport_section(all[i]->sdp);
        if (strcmp(ln_sdp_ufrag(all[i]->sdp, &all[i]->sdp->media[section]), ufrag) != 0)
            continue;
        if (!line)
            ln_sdp_end_candidates(all[i]->sdp, section);
        else if (ln_sdp_add_candidate(all[i]->sdp, &all[i]->arena, section, line) != 0)
            continue; /* out of memory: the event still tells it */
        ln_description_touch(all[i]);
        if (*ret_m_line < 0) {
            *ret_mid = all[i]->sdp->media[section].mid;
            *ret_m_line = (int)section;
        }
    }
}
