/* SPDX-License-Identifier: Apache-2.0
 * Session descriptions as a tree: the parser and the writer (RFC 8866, and the attributes that RFC
 * 8829, 5.8 names).
 *
 * The tree and every text in it live in an arena that the caller gives and keeps. No text is NULL
 * unless its comment says so. What the parser does not know it passes over, as RFC 8866, 5 asks;
 * what it knows it takes only well-formed, and it never works longer than linear in the text's
 * length times a small constant: every list has a limit below. Parsing is the same for LF and CRLF
 * and writing gives CRLF; parse(write(parse(x))) equals parse(x).
 *
 * A description that parses is not yet acceptable: see ln_jsep_validate_remote(). */
#ifndef LN_SDP_SDP_H
#define LN_SDP_SDP_H

#include "base/arena.h"
#include "sdp/codec.h"

#define LN_SDP_BYTES_MAX        262144u /* the whole text */
#define LN_SDP_LINE_MAX         16384u  /* one line */
#define LN_SDP_LINES_MAX        10000u
#define LN_SDP_MEDIA_MAX        256u /* m= sections; LN_ERR_LIMIT above, as for all that follow */
#define LN_SDP_MID_MAX          64u  /* characters; fits LN_MAP_KEY_MAX */
#define LN_SDP_RID_ID_MAX       32u
#define LN_SDP_TEXT_MAX         256u /* ice-ufrag and ice-pwd (RFC 8839, 5.4), cname, msid parts */
#define LN_SDP_GROUPS_MAX       32u
#define LN_SDP_FINGERPRINTS_MAX 8u
#define LN_SDP_EXTENSIONS_MAX   64u /* extmap lines of one section */
#define LN_SDP_MSIDS_MAX        32u
#define LN_SDP_SSRCS_MAX        128u /* of one section */
#define LN_SDP_RIDS_MAX         32u
#define LN_SDP_BANDWIDTHS_MAX   8u
#define LN_SDP_SCTP_INIT_MAX    1368u /* characters of sctp-init; a longer one is passed over */
#define LN_SDP_CANDIDATES_MAX   256u  /* of one section; more are passed over */
#define LN_SDP_CANDIDATE_MAX    1024u /* characters of one; longer ones are passed over */
/* An arena limit that every legal text fits into. */
#define LN_SDP_ARENA_BYTES (16u * 1024 * 1024)

enum ln_sdp_kind {
    LN_SDP_AUDIO,
    LN_SDP_VIDEO,
    LN_SDP_APPLICATION, /* data channels, if ln_sdp_is_data() says so */
    LN_SDP_OTHER,       /* kept only to be refused with port 0 */
};

/* Bits, so that reversing and intersecting are plain arithmetic. */
enum ln_sdp_direction {
    LN_SDP_INACTIVE = 0,
    LN_SDP_SENDONLY = 1,
    LN_SDP_RECVONLY = 2,
    LN_SDP_SENDRECV = 3,
};

enum ln_sdp_setup { /* RFC 4145, 4; RFC 8842, 5.2 */
                    LN_SDP_SETUP_NONE,
                    LN_SDP_SETUP_ACTPASS,
                    LN_SDP_SETUP_ACTIVE,
                    LN_SDP_SETUP_PASSIVE,
                    LN_SDP_SETUP_HOLDCONN,
};

#define LN_SDP_FINGERPRINT_MAX 64u /* bytes: SHA-512 */
struct ln_sdp_fingerprint {        /* RFC 8122, 5 */
    char hash[16];                 /* lower case: "sha-256" */
    uint8_t value[LN_SDP_FINGERPRINT_MAX];
    uint8_t len;
};

/* What stands at session level for all sections, or in a section for itself. */
struct ln_sdp_transport {
    const char *ufrag, *pwd; /* RFC 8839, 5.4; "" when absent */
    const char *ice_options; /* space separated: "trickle renomination" */
    const struct ln_sdp_fingerprint *fingerprints;
    size_t fingerprint_count;
    enum ln_sdp_setup setup;
    const char *tls_id; /* RFC 8842, 5.3 */
};

struct ln_sdp_extension { /* RFC 8285, 8 */
    uint16_t id;          /* 1..255 */
    enum ln_sdp_direction direction;
    const char *uri, *attributes;
};

struct ln_sdp_msid {            /* RFC 8830 */
    const char *stream, *track; /* stream "-": none; track may be "" (some stacks leave it out) */
};

struct ln_sdp_ssrc { /* RFC 5576, 4.1 */
    uint32_t ssrc;
    const char *cname;
    struct ln_sdp_msid msid; /* "" when absent */
};

struct ln_sdp_ssrc_group {
    const char *semantics; /* "FID", "SIM", "FEC-FR" */
    const uint32_t *ssrcs;
    size_t ssrc_count;
};

struct ln_sdp_rid { /* RFC 8851 */
    const char *id;
    bool send;                /* else recv */
    const char *restrictions; /* "pt=96,97;max-width=1280" */
};

struct ln_sdp_simulcast_rid { /* RFC 8853, 5.1 */
    const char *id;
    bool paused;      /* '~' */
    bool alternative; /* to the one before it (','), not a stream of its own (';') */
};

struct ln_sdp_bandwidth {
    const char *type; /* "AS", "TIAS" */
    uint64_t value;
};

struct ln_sdp_media {
    enum ln_sdp_kind kind;
    const char *media;      /* "audio", "video", "application", "image" */
    uint16_t port;          /* 0: rejected, unless bundle_only */
    const char *protocol;   /* "UDP/TLS/RTP/SAVPF" */
    const char *formats;    /* the m= line's formats as text; "" where codecs has them */
    const char *connection; /* "IN IP4 0.0.0.0"; "" when absent */
    const char *mid;
    enum ln_sdp_direction direction; /* sendrecv when absent */
    struct ln_sdp_transport transport;
    const char *rtcp; /* "9 IN IP4 0.0.0.0" */
    bool rtcp_mux, rtcp_mux_only, rtcp_rsize, bundle_only, extmap_allow_mixed;

    /* One a payload type of the m= line, in its order; static types without rtpmap are filled in
     * (RFC 3551, 6), dynamic ones without it have name "". rtcp-fb:* is laid out over all. */
    struct ln_codec_parameters *codecs;
    size_t codec_count;
    const struct ln_sdp_extension *extensions;
    size_t extension_count;
    const struct ln_sdp_msid *msids;
    size_t msid_count;
    const struct ln_sdp_ssrc *ssrcs;
    size_t ssrc_count;
    const struct ln_sdp_ssrc_group *ssrc_groups;
    size_t ssrc_group_count;
    const struct ln_sdp_rid *rids;
    size_t rid_count;
    const struct ln_sdp_simulcast_rid *simulcast_send, *simulcast_recv; /* only declared rids */
    size_t simulcast_send_count, simulcast_recv_count;

    const char *const *candidates; /* "candidate:1 1 udp ..." */
    size_t candidate_count, candidate_cap;
    bool end_of_candidates;

    bool
        sctp_port_given; /* by sctp-port, or the old form of RFC 8841's drafts ("DTLS/SCTP 5000") */
    bool old_sctp;       /* written with sctpmap */
    uint16_t sctp_port;
    bool max_message_size_given;
    uint64_t max_message_size; /* RFC 8841, 6; 0: no limit */
    const char *sctp_init;     /* draft-hancke-tsvwg-snap, base64; "" when absent or none */

    uint32_t ptime_ms, maxptime_ms; /* 0 when absent */
    const struct ln_sdp_bandwidth *bandwidths;
    size_t bandwidth_count;
    uint32_t line; /* of its m= line in the text, 0 if not parsed */
};

struct ln_sdp_group {      /* RFC 5888, 5 */
    const char *semantics; /* "BUNDLE", "LS" */
    const char *const *mids;
    size_t mid_count;
};

struct ln_sdp {
    const char *username, *session_id, *session_version, *origin_address; /* o=; "-", digits */
    const char *name;                                                     /* s=, any text */
    const char *connection;                                               /* "" when absent */
    const struct ln_sdp_group *groups;
    size_t group_count;
    struct ln_sdp_transport transport; /* for sections that have none of their own */
    bool ice_lite, extmap_allow_mixed;
    const char *msid_semantic; /* "WMS *"; "" when absent */
    const struct ln_sdp_bandwidth *bandwidths;
    size_t bandwidth_count;
    struct ln_sdp_media *media;
    size_t media_count;
};

/* Why a text or a description was refused. */
struct ln_sdp_error {
    int error;        /* as returned */
    uint32_t line;    /* of the text, from 1; 0 if no line is at fault */
    char reason[160]; /* a sentence without a full stop: "mid \"a\" occurs twice" */
};

/* Parses text[0..len). Returns 0 and sets *ret_sdp; LN_ERR_SYNTAX, LN_ERR_LIMIT (named above),
 * LN_ERR_INVALID_ACCESS (a=crypto: SDES keys are refused, RFC 8827, 6.5) or LN_ERR_NOMEM. On
 * failure *ret_error is filled (it may be NULL), *ret_sdp is untouched, and what the arena gave out
 * stays in it. */
LN_NODISCARD int ln_sdp_parse(const char *text, size_t len, struct ln_arena *arena,
                              struct ln_sdp **ret_sdp, struct ln_sdp_error *ret_error);

/* Writes the canonical text into the arena, with a NUL. Returns 0, LN_ERR_NOMEM. */
LN_NODISCARD int ln_sdp_write(const struct ln_sdp *sdp, struct ln_arena *arena,
                              const char **ret_text, size_t *ret_len);

/* A copy that shares nothing with `sdp`. Returns 0, LN_ERR_NOMEM. */
LN_NODISCARD int ln_sdp_copy(const struct ln_sdp *sdp, struct ln_arena *arena,
                             struct ln_sdp **ret_sdp);

/* Index of the section with this mid, or -1. */
int ln_sdp_find_mid(const struct ln_sdp *sdp, const char *mid);
/* Whether port 0 means refused here (it does not in a bundle-only section). */
bool ln_sdp_is_rejected(const struct ln_sdp_media *media);
/* Whether it is an SCTP section for data channels, new or old form. */
bool ln_sdp_is_data(const struct ln_sdp_media *media);
/* Whether its protocol is one of the RTP ones that RFC 8829, 5.1.2 has us take. */
bool ln_sdp_is_rtp(const struct ln_sdp_media *media);

/* The BUNDLE group that has the mid, or NULL. */
const struct ln_sdp_group *ln_sdp_bundle_of(const struct ln_sdp *sdp, const char *mid);

/* A section's own transport value, or the session's. */
const char *ln_sdp_ufrag(const struct ln_sdp *sdp, const struct ln_sdp_media *media);
const char *ln_sdp_pwd(const struct ln_sdp *sdp, const struct ln_sdp_media *media);
const char *ln_sdp_ice_options(const struct ln_sdp *sdp, const struct ln_sdp_media *media);
bool ln_sdp_has_ice_option(const struct ln_sdp *sdp, const struct ln_sdp_media *media,
                           const char *option);
enum ln_sdp_setup ln_sdp_setup_of(const struct ln_sdp *sdp, const struct ln_sdp_media *media);
const struct ln_sdp_fingerprint *
ln_sdp_fingerprints(const struct ln_sdp *sdp, const struct ln_sdp_media *media, size_t *ret_count);
bool ln_sdp_allows_mixed(const struct ln_sdp *sdp, const struct ln_sdp_media *media);

/* Our view of the other side's direction: send and receive exchanged. */
enum ln_sdp_direction ln_sdp_reverse(enum ln_sdp_direction direction);
const char *ln_sdp_direction_name(enum ln_sdp_direction direction); /* "sendrecv" */

/* Adds a candidate ("candidate:..." with or without "a=") to a section, so that the description
 * shows what was gathered; the text is copied. One that is there already, or that passes a limit,
 * is passed over. Returns 0, LN_ERR_NOMEM. */
LN_NODISCARD int ln_sdp_add_candidate(struct ln_sdp *sdp, struct ln_arena *arena, size_t section,
                                      const char *candidate);
/* "a=end-of-candidates" (RFC 8840, 4.4). */
void ln_sdp_end_candidates(struct ln_sdp *sdp, size_t section);

#endif
