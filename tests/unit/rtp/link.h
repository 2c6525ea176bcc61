/* SPDX-License-Identifier: Apache-2.0
 * A seeded virtual link between two RTP sessions, and the loop that drives both in virtual time. */
#ifndef LN_TEST_RTP_LINK_H
#define LN_TEST_RTP_LINK_H

#include "rtp/session.h"
#include "tests/support/test.h"

#define LINK_PACKETS_MAX 4096

struct link_packet {
    ln_time at;
    size_t len;
    bool rtcp;
    uint8_t data[1300];
};

/* One way. */
struct link_way {
    double loss;      /* 0..1 */
    double duplicate; /* 0..1 */
    ln_duration delay, jitter;
    bool reorder; /* jitter may change the order */
    ln_time blackout_until;
    uint64_t rate_bps; /* 0: no limit */
    ln_time busy_until;
    ln_time last_at;
    struct link_packet *packets;
    size_t count;
    uint64_t sent, lost;
    size_t drop_every; /* drop each n-th RTP packet; 0: none */
};

struct link_end {
    struct ln_rtp_session *session;
    struct link_way out;
};

struct link {
    struct link_end end[2];
    struct ln_rng rng;
    ln_time now;
    uint64_t hash; /* of all that left: the same seed gives the same bytes */
    void (*on_poll)(struct link *link, int end); /* after each step */
    void *user;
};

/* Long tests are left out of the out-of-memory sweep, which would run them once an allocation. */
#define LINK_NOT_IN_SWEEP()                                                                        \
    do {                                                                                           \
        if (test_allocator()->fail_at != 0)                                                        \
            return;                                                                                \
    } while (0)

void link_init(struct link *link, uint64_t seed);
void link_deinit(struct link *link);
/* Runs both until `until`; no step is longer than a millisecond if `dense`. */
void link_run(struct link *link, ln_time until);

struct ln_rtp_codec link_vp8(void);
struct ln_rtp_codec link_opus(void);
/* A sender at one end and its receiver at the other. */
void link_connect(struct link *link, int from, enum ln_media_kind kind, const char *mid,
                  struct ln_rtp_outbound **ret_out, struct ln_rtp_inbound **ret_in);
void link_extensions(struct ln_rtp_extension_map *map);

/* A VP8 frame of the given size whose first bytes are a plausible header, then its number. */
struct ln_frame *link_video_frame(uint32_t number, bool key, size_t len, ln_time now);
struct ln_frame *link_audio_frame(uint32_t number, ln_time now);
uint32_t link_frame_number(const struct ln_frame *frame);

#endif
