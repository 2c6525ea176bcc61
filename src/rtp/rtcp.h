/* SPDX-License-Identifier: Apache-2.0
 * RTCP: walking a compound packet, and parsing and writing its parts as plain records.
 * RFC 3550, 6; RFC 4585, 6; RFC 5104, 4.3.1 (FIR); draft-alvestrand-rmcat-remb;
 * draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1; RFC 3611 and unknown types are passed.
 *
 *   |V=2|P| count/FMT |  type  |  length in words, less one  |  body ...
 *
 * Invariant: what a parser returns is borrowed from the packet and bounded by its length; counts on
 * the wire are never trusted. */
#ifndef LN_RTP_RTCP_H
#define LN_RTP_RTCP_H

#include "base/bytes.h"

#include <linnet/error.h>
#include <linnet/types.h>

enum ln_rtcp_type {
    LN_RTCP_SR = 200,
    LN_RTCP_RR = 201,
    LN_RTCP_SDES = 202,
    LN_RTCP_BYE = 203,
    LN_RTCP_APP = 204,
    LN_RTCP_RTPFB = 205,
    LN_RTCP_PSFB = 206,
    LN_RTCP_XR = 207,
};

enum ln_rtcp_feedback_format {
    LN_RTCP_RTPFB_NACK = 1,
    LN_RTCP_RTPFB_TRANSPORT_CC = 15,
    LN_RTCP_PSFB_PLI = 1,
    LN_RTCP_PSFB_FIR = 4,
    LN_RTCP_PSFB_AFB = 15, /* application layer: REMB */
};

#define LN_RTCP_BLOCKS_MAX 31u
#define LN_RTCP_SDES_CNAME 1u

/* One packet of a compound. */
struct ln_rtcp_packet {
    uint8_t type, count;  /* count or format */
    struct ln_bytes body; /* behind the first four bytes, without padding */
};

struct ln_rtcp_iterator {
    struct ln_reader reader;
    bool ok; /* false after a malformed packet: the rest is not looked at */
};
void ln_rtcp_begin(struct ln_rtcp_iterator *it, const void *data, size_t len);
bool ln_rtcp_next(struct ln_rtcp_iterator *it, struct ln_rtcp_packet *ret);

struct ln_rtcp_block { /* RFC 3550, 6.4.1 */
    uint32_t ssrc;
    uint8_t fraction_lost; /* of 256 */
    int32_t lost;          /* 24 bits, signed */
    uint32_t highest;      /* extended highest sequence number */
    uint32_t jitter;       /* in timestamp units */
    uint32_t last_sr, delay_since_sr;
};

struct ln_rtcp_report { /* SR or RR */
    uint32_t ssrc;
    bool sender; /* the next four are set */
    uint64_t ntp;
    uint32_t rtp_timestamp;
    uint32_t packets, octets;
    uint8_t block_count;
    struct ln_rtcp_block blocks[LN_RTCP_BLOCKS_MAX];
};

/* Each returns 0 or LN_ERR_MALFORMED; the packet's type must fit. */
LN_NODISCARD int ln_rtcp_parse_report(const struct ln_rtcp_packet *p, struct ln_rtcp_report *ret);

struct ln_rtcp_bye {
    uint8_t count;
    uint32_t ssrcs[LN_RTCP_BLOCKS_MAX];
    struct ln_bytes reason;
};
LN_NODISCARD int ln_rtcp_parse_bye(const struct ln_rtcp_packet *p, struct ln_rtcp_bye *ret);

/* Items of all chunks in turn. */
struct ln_rtcp_sdes_iterator {
    struct ln_reader reader;
    uint8_t chunks_left;
    bool in_chunk;
    uint32_t ssrc;
    uint8_t item; /* type */
    struct ln_bytes text;
};
void ln_rtcp_sdes_begin(struct ln_rtcp_sdes_iterator *it, const struct ln_rtcp_packet *p);
bool ln_rtcp_sdes_next(struct ln_rtcp_sdes_iterator *it);

struct ln_rtcp_app {
    uint8_t subtype;
    uint32_t ssrc;
    char name[4];
    struct ln_bytes data;
};
LN_NODISCARD int ln_rtcp_parse_app(const struct ln_rtcp_packet *p, struct ln_rtcp_app *ret);

/* RTPFB and PSFB: the two SSRCs; `fci` is what follows. */
struct ln_rtcp_feedback {
    uint32_t sender_ssrc, media_ssrc;
    struct ln_bytes fci;
};
LN_NODISCARD int ln_rtcp_parse_feedback(const struct ln_rtcp_packet *p,
                                        struct ln_rtcp_feedback *ret);

/* Sequence numbers of a NACK's fci in the order of the wire, each pid with its mask. */
struct ln_rtcp_nack_iterator {
    struct ln_reader reader;
    uint16_t pid, mask;
    uint8_t bit; /* 0: take the next entry */
};
void ln_rtcp_nack_begin(struct ln_rtcp_nack_iterator *it, struct ln_bytes fci);
bool ln_rtcp_nack_next(struct ln_rtcp_nack_iterator *it, uint16_t *ret_sequence);

/* The i-th entry of a FIR's fci; false past the end. */
bool ln_rtcp_fir_entry(struct ln_bytes fci, size_t i, uint32_t *ret_ssrc, uint8_t *ret_sequence);

struct ln_rtcp_remb {
    uint64_t bps;
    uint8_t ssrc_count;
    struct ln_bytes ssrcs; /* 4 bytes each */
};
LN_NODISCARD int ln_rtcp_parse_remb(struct ln_bytes fci, struct ln_rtcp_remb *ret);

/* ---- transport-cc ----
 *    |   base sequence number  |   packet status count    |
 *    |      reference time (24, 64 ms)    | fb pkt. count |
 *    |   status chunks (16 each) ...  | receive deltas (250 us, 8 or 16 bits) ... */

#define LN_RTCP_TRANSPORT_TICK      LN_MICROSECONDS(250)
#define LN_RTCP_TRANSPORT_REFERENCE LN_MILLISECONDS(64)

struct ln_rtcp_transport_iterator {
    struct ln_reader chunks, deltas;
    uint16_t base, status_count;
    uint8_t feedback_count;
    int32_t reference; /* signed 24 bits, in 64 ms */
    uint16_t done;     /* statuses given */
    uint16_t chunk;
    uint16_t chunk_left; /* statuses left in it */
    int64_t ticks;       /* arrival of the last received one, since time 0 of the remote clock */
};
struct ln_rtcp_transport_status {
    uint16_t sequence;
    bool received;
    int64_t ticks; /* arrival in 250 us on the remote's clock; only if received */
};
/* Checks the whole record first: LN_ERR_MALFORMED when chunks or deltas are missing. */
LN_NODISCARD int ln_rtcp_transport_begin(struct ln_rtcp_transport_iterator *it,
                                         struct ln_bytes fci);
bool ln_rtcp_transport_next(struct ln_rtcp_transport_iterator *it,
                            struct ln_rtcp_transport_status *ret);

/* ---- writing ----
 * Each appends one whole packet, or nothing (and returns false) when it does not fit. */

bool ln_rtcp_write_report(struct ln_writer *w, const struct ln_rtcp_report *report);
bool ln_rtcp_write_sdes_cname(struct ln_writer *w, uint32_t ssrc, const char *cname);
bool ln_rtcp_write_bye(struct ln_writer *w, const uint32_t *ssrcs, size_t count,
                       const char *reason);
bool ln_rtcp_write_app(struct ln_writer *w, const struct ln_rtcp_app *app);
bool ln_rtcp_write_pli(struct ln_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc);
bool ln_rtcp_write_fir(struct ln_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc,
                       uint8_t sequence);
bool ln_rtcp_write_remb(struct ln_writer *w, uint32_t sender_ssrc, uint64_t bps,
                        const uint32_t *ssrcs, size_t count);
/* Ascending sequence numbers; returns how many of them found room. */
size_t ln_rtcp_write_nack(struct ln_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc,
                          const uint16_t *sequences, size_t count);

/* Arrivals of `count` consecutive packets from `base`: a moment each, LN_TIME_NEVER for one that
 * did not come; one at least must have come. Returns how many of them the record speaks of: fewer
 * than count when there is no more room or an arrival is too far from the one before; 0 if nothing
 * fits. */
#define LN_RTCP_TRANSPORT_STATUSES_MAX 512u
size_t ln_rtcp_write_transport(struct ln_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc,
                               uint16_t base, uint8_t feedback_count, const ln_time *arrivals,
                               size_t count);

/* 64 bits of NTP (RFC 5905, 6) from and to nanoseconds since the Unix epoch. */
uint64_t ln_ntp_from_unix(ln_time unix_time);
ln_time ln_ntp_to_unix(uint64_t ntp);

#endif
