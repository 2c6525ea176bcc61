/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer as pure functions on descriptions (JSEP: RFC 8829; RFC 3264; BUNDLE: RFC 9143;
 * RFC 8839 to 8843, 8851 to 8853). No object, no state: the peer says what it wishes in plain
 * structs, gets a description, and reads from a pair of descriptions what was agreed.
 *
 * Invariants: payload types and extension ids, once given out in an applied description, keep their
 * meaning for the whole session; an m-section keeps its place; ids are unique over a BUNDLE group.
 *
 * Texts and arrays in the structs are borrowed for the call; results live in the caller's arena and
 * may point into the descriptions they were made from, so keep those (and their arenas) as long. */
#ifndef LN_SDP_JSEP_H
#define LN_SDP_JSEP_H

#include "sdp/sdp.h"

enum ln_jsep_type { LN_JSEP_OFFER, LN_JSEP_PRANSWER, LN_JSEP_ANSWER };

enum ln_jsep_bundle_policy {
    LN_JSEP_BUNDLE_BALANCED,   /* the first section of each kind keeps a transport of its own */
    LN_JSEP_BUNDLE_MAX_COMPAT, /* every section does */
    LN_JSEP_BUNDLE_MAX_BUNDLE, /* only the first does; the rest is bundle-only */
};

/* ---- What the local side wishes ---- */

struct ln_jsep_extension {
    const char *uri;
    enum ln_sdp_direction direction; /* what we can do with it; INACTIVE: not wished */
};

struct ln_jsep_rid {
    const char *id;
    bool paused;
};

/* Of one m-section; sections that will be bundled carry the same values. */
struct ln_jsep_transport {
    const char *ufrag, *pwd;
    const char *ice_options;                       /* "trickle"; NULL or "": none */
    const struct ln_sdp_fingerprint *fingerprints; /* one or more */
    size_t fingerprint_count;
    /* Answers: our DTLS role if one is established or wished; NONE: active where there is a choice.
     * Offers say actpass always (RFC 8842, 5.2). */
    enum ln_sdp_setup setup;
    const char *const *candidates; /* gathered so far: "candidate:..." */
    size_t candidate_count;
    bool end_of_candidates;
    const char *default_address; /* "IN IP4 192.0.2.1" with default_port for c= and m=; NULL: 9 on
                                    0.0.0.0 */
    uint16_t default_port;
};

/* One m-section, in m-line order. For an answer sections[i] belongs to media[i] of the offer. */
struct ln_jsep_section {
    enum ln_sdp_kind kind;
    const char *mid; /* offers: unique, not empty; answers take the offer's */
    bool stopped;    /* rejected: port 0. An offer may later recycle its place under a new mid */
    enum ln_sdp_direction direction; /* wished; an answer narrows it to what the offer allows */

    /* In order of preference. payload_type: LN_PAYLOAD_TYPE_ANY, or the number to use if it is
     * free. An entry "rtx" stands for retransmission of every codec of the list and needs no apt;
     * audio "red" needs no fmtp. */
    const struct ln_codec_parameters *codecs;
    size_t codec_count;
    bool own_codec_order; /* answers: our order (setCodecPreferences), else the offer's */
    const struct ln_jsep_extension *extensions;
    size_t extension_count;

    /* What we send; used when `direction` has send. */
    const char *const *stream_ids; /* none: "a=msid:- track" */
    size_t stream_count;
    const char *track_id;    /* NULL or "": no msid line at all. Differs between sections: Chromium
                                refuses a description in which two msid lines are equal */
    uint32_t ssrc, rtx_ssrc; /* 0: not signalled; left out when rids are used */
    const char *cname;
    const struct ln_jsep_rid
        *rids; /* simulcast to send; one rid alone is written as no simulcast */
    size_t rid_count;
    /* What we can receive (an SFU does): rids to ask for in an offer; in an answer every offered
     * one when receive_simulcast is set. */
    bool receive_simulcast;
    const struct ln_jsep_rid *receive_rids;
    size_t receive_rid_count;

    struct ln_jsep_transport transport;
    uint16_t sctp_port;        /* LN_SDP_APPLICATION; 5000 if 0 */
    uint64_t max_message_size; /* what we take; 0: no limit */
    const char *sctp_init; /* our INIT chunk in base64 (draft-hancke-tsvwg-snap); NULL or "": none.
                              An answer has it only if the offer has one */
};

struct ln_jsep_local {
    uint64_t session_id;      /* below 2^63, random, one a connection (RFC 8829, 5.2.1) */
    uint64_t session_version; /* grows by one with every description that differs */
    enum ln_jsep_bundle_policy bundle_policy;
    bool ice_lite;
    const struct ln_jsep_section *sections;
    size_t section_count;
};

/* The descriptions in force; NULL where there is none. */
struct ln_jsep_state {
    const struct ln_sdp *local, *remote; /* currentLocal/RemoteDescription */
};

/* An offer of all sections (RFC 8829, 5.2). `state` may be NULL for a first one. Payload types and
 * extension ids of `state` are kept; new ones are those that browsers use where free (opus 111,
 * PCMU 0, PCMA 8, VP8 96 and its rtx 97, ...). A section of `state` beyond section_count is a
 * caller bug, m-sections never go away. Returns 0; LN_ERR_NOMEM; LN_ERR_LIMIT (no payload type is
 * free). */
LN_NODISCARD int ln_jsep_create_offer(const struct ln_jsep_local *local,
                                      const struct ln_jsep_state *state, struct ln_arena *arena,
                                      struct ln_sdp **ret_offer);

/* An answer to an offer that ln_jsep_validate_remote() accepted (RFC 8829, 5.3). Sections that we
 * cannot do (unknown kinds and protocols, no common codec, wished `stopped`, none at all in
 * `local`) are refused with port 0. A bundle-only section is refused when its group is. Returns 0,
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_jsep_create_answer(const struct ln_jsep_local *local,
                                       const struct ln_sdp *offer, struct ln_arena *arena,
                                       struct ln_sdp **ret_answer);

/* ---- Is a description acceptable in this place? ---- */

/* type        of `description`
 * offer       the local offer that it answers; NULL for an offer
 * state       the descriptions in force, may be NULL
 * Returns 0, or with *ret_error filled (it may be NULL):
 *   LN_ERR_INVALID_ACCESS  contents that may not be: a mid twice, BUNDLE of an unknown mid, no ICE
 *                          credentials or fingerprint, wrong setup, no rtcp-mux, payload types
 *                          that collide in a BUNDLE group, extension ids that do in a section;
 *                          sections fewer, reordered or of another kind than before, or than the
 *                          offer's
 *   LN_ERR_SYNTAX          ufrag or password out of their grammar (RFC 8839, 5.4)
 * An extension id above 14 without extmap-allow-mixed, and one that means something else in an
 * earlier section of the bundle (aiortc 1.4 does that), is no error: it is not agreed on. A section
 * without a mid is fine outside of BUNDLE; one that we will refuse is not looked into. */
LN_NODISCARD int ln_jsep_validate_remote(enum ln_jsep_type type, const struct ln_sdp *description,
                                         const struct ln_sdp *offer,
                                         const struct ln_jsep_state *state,
                                         struct ln_sdp_error *ret_error);

/* `description` is what the application passes to setLocalDescription(), `created` what
 * create_offer/answer last gave. Codecs and feedback may have been removed or reordered, directions
 * narrowed, fmtp, bandwidth and candidate lines changed: all that stacks on the web rely on.
 * Anything else gives LN_ERR_INVALID_MODIFICATION (RFC 8829, 5.4). */
LN_NODISCARD int ln_jsep_validate_local(enum ln_jsep_type type, const struct ln_sdp *description,
                                        const struct ln_sdp *created,
                                        struct ln_sdp_error *ret_error);

/* ---- What was agreed ---- */

enum ln_jsep_role { LN_JSEP_ROLE_UNKNOWN, LN_JSEP_ROLE_CLIENT, LN_JSEP_ROLE_SERVER };

/* A codec in one direction. */
struct ln_jsep_codec {
    struct ln_codec_parameters parameters; /* payload_type and fmtp of whoever receives it */
    int rtx_payload_type;                  /* or LN_PAYLOAD_TYPE_NONE */
    uint32_t rtx_time_ms;                  /* 0: not given */
    uint32_t feedback;                     /* enum ln_feedback bits that both declared */
};

struct ln_jsep_agreed_extension {
    uint8_t id;
    const char *uri;
};

struct ln_jsep_agreed {
    bool rejected; /* by either side; then nothing below but kind and mid has meaning */
    enum ln_sdp_kind kind;
    const char *mid;
    enum ln_sdp_direction direction; /* from our side */

    /* Auxiliary codecs other than rtx (CN, telephone-event, red, ulpfec) are in the lists too. The
     * first that is none of them is the one to send with. */
    const struct ln_jsep_codec *send, *receive;
    size_t send_count, receive_count;
    const struct ln_jsep_agreed_extension *send_extensions, *receive_extensions;
    size_t send_extension_count, receive_extension_count;
    bool two_byte_extensions; /* both allow mixed forms (RFC 8285, 6) */
    bool rtcp_rsize;
    uint32_t max_bitrate_bps;       /* the remote's b=TIAS or b=AS; 0: none */
    uint32_t ptime_ms, maxptime_ms; /* the remote's; 0: none */

    const struct ln_sdp_media
        *remote; /* msids, ssrcs, ssrc groups, rids as the other side wrote them */
    const struct ln_jsep_rid *send_rids; /* simulcast that the remote takes; 0: plain */
    size_t send_rid_count;
    const struct ln_jsep_rid *receive_rids; /* simulcast that the remote will send */
    size_t receive_rid_count;

    uint16_t local_sctp_port, remote_sctp_port;
    uint64_t max_message_size;    /* what the remote takes: absent = 65536, 0 = no limit */
    const char *remote_sctp_init; /* "" unless both descriptions have one */

    size_t transport_section; /* whose transport it uses: the group's first accepted, or its own */
    bool bundled;             /* transport_section comes from a BUNDLE group */
    const char *remote_ufrag, *remote_pwd; /* of transport_section */
    const char *remote_ice_options;
    const struct ln_sdp_fingerprint *remote_fingerprints;
    size_t remote_fingerprint_count;
    enum ln_jsep_role role; /* ours in DTLS; UNKNOWN before there is an answer */
    bool remote_ice_lite;
    const char *const *remote_candidates; /* of transport_section */
    size_t remote_candidate_count;
    bool remote_end_of_candidates;
};

/* What holds for section i once both descriptions are applied. `local_offered` says whose is the
 * offer. Returns 0, LN_ERR_NOMEM. */
LN_NODISCARD int ln_jsep_negotiate(const struct ln_sdp *local, const struct ln_sdp *remote,
                                   bool local_offered, size_t i, struct ln_arena *arena,
                                   struct ln_jsep_agreed *ret_agreed);

/* Before the answer is there: what section i of our own offer says we receive (payload types and
 * extensions), so that media which overtakes the answer can be read (RFC 8829, 5.9). `rejected` and
 * the remote members are empty. Returns 0, LN_ERR_NOMEM. */
LN_NODISCARD int ln_jsep_expect(const struct ln_sdp *local_offer, size_t i, struct ln_arena *arena,
                                struct ln_jsep_agreed *ret_agreed);

/* The section whose transport section i will use if `description` is taken as it stands: the first
 * section of its BUNDLE group that is not refused, else i itself. */
size_t ln_jsep_transport_section(const struct ln_sdp *description, size_t i);

/* ---- Helpers ---- */

/* Whether a new description of one side restarts ICE for section i (RFC 8839, 4.4.1.1.1): ufrag or
 * password differ from `before`. False when the section was not there or was refused before. */
bool ln_jsep_ice_restarted(const struct ln_sdp *before, const struct ln_sdp *after, size_t i);

/* The section of an offer that may carry a new m-section of any kind because it is refused in a
 * description in force (RFC 8829, 5.2.2), or -1. Start with from = 0; go on from the last + 1. */
int ln_jsep_recyclable(const struct ln_jsep_state *state, size_t from);

/* Whether negotiation is needed in the sense of webrtc-pc 4.7.3: the wishes differ from what is in
 * force. `local_offered`: whose offer the descriptions in force come from. */
bool ln_jsep_needs_negotiation(const struct ln_jsep_local *local, const struct ln_jsep_state *state,
                               bool local_offered);

#endif
