/* SPDX-License-Identifier: Apache-2.0
 * What the sdp tests share: an arena a test, parsing that must succeed, and wishes to start from.
 */
#ifndef LN_SDP_TEST_SUPPORT_H
#define LN_SDP_TEST_SUPPORT_H

#include "sdp/jsep.h"
#include "tests/support/test.h"

/* Runs the body with an arena that is freed at its end. The second form does not count into the
 * sweep of failing allocations, which would take too long where thousands of texts are parsed. */
#define WITH_ARENA(name)           WITH_ARENA_OF(name, test_env()->allocator)
#define WITH_UNCOUNTED_ARENA(name) WITH_ARENA_OF(name, ln_allocator_libc())
#define WITH_ARENA_OF(name, allocator)                                                             \
    for (struct ln_arena name = sdp_test_arena(allocator), *name##_once = &name; name##_once;      \
         ln_arena_deinit(&name), name##_once = NULL)

/* The transport of a description, and how one with it begins. */
#define TRANSPORT                                                                                  \
    "a=ice-ufrag:remo\na=ice-pwd:remotepassword01234567\na=ice-options:trickle\n"                  \
    "a=fingerprint:sha-256 "                                                                       \
    "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:"   \
    "0E:0F\n"
#define SESSION "v=0\n" TRANSPORT "a=setup:actpass\n"

struct ln_arena sdp_test_arena(struct ln_allocator *allocator);
/* Parse, or write, or fail the test with the reason. */
struct ln_sdp *sdp_parse(struct ln_arena *arena, const char *text);
const char *sdp_write(struct ln_arena *arena, const struct ln_sdp *sdp);
/* The error of a text that must not parse. */
struct ln_sdp_error sdp_refused(const char *text, size_t len);
/* Whether the text has the line, whole. */
bool sdp_has_line(const char *text, const char *line);
/* A file of fuzz/corpus/sdp. */
struct ln_sdp *sdp_parse_file(struct ln_arena *arena, const char *name);

/* Two audio codecs, VP8 with rtx, usual extensions; complete transports. */
struct ln_jsep_section sdp_audio(const char *mid);
struct ln_jsep_section sdp_video(const char *mid);
struct ln_jsep_section sdp_data(const char *mid);
/* The second side's transport values. */
struct ln_jsep_section sdp_other_side(struct ln_jsep_section section);
struct ln_jsep_local sdp_local(const struct ln_jsep_section *sections, size_t count);

struct ln_sdp *sdp_offer(struct ln_arena *arena, const struct ln_jsep_section *sections,
                         size_t count, const struct ln_sdp *local, const struct ln_sdp *remote);
struct ln_sdp *sdp_answer(struct ln_arena *arena, const struct ln_jsep_section *sections,
                          size_t count, const struct ln_sdp *offer);
/* Our answer to a text, which must be acceptable. */
struct ln_sdp *sdp_answer_to(struct ln_arena *arena, const char *text,
                             const struct ln_jsep_section *sections, size_t count,
                             struct ln_sdp **ret_offer);
struct ln_jsep_agreed sdp_agree(struct ln_arena *arena, const struct ln_sdp *local,
                                const struct ln_sdp *remote, bool local_offered, size_t i);

#endif
