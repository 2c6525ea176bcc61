/* SPDX-License-Identifier: Apache-2.0
 * A session description that the peer connection keeps: its tree, its arena and, when somebody
 * asks, its text. */
#ifndef LN_PEER_DESCRIPTION_H
#define LN_PEER_DESCRIPTION_H

#include "sdp/sdp.h"

#include <linnet/enums.h>

struct ln_description {
    struct ln_allocator *allocator;
    enum ln_sdp_type type;
    struct ln_arena arena; /* of the tree */
    struct ln_sdp *sdp;
    char *text; /* NULL until asked for, or after a change of the tree */
    size_t text_len;
};

/* An empty one with an arena, to be filled. NULL when out of memory. */
LN_NODISCARD struct ln_description *ln_description_create(struct ln_allocator *allocator,
                                                          enum ln_sdp_type type);
/* Parses a text. Returns 0, or why not with *ret_error filled. */
LN_NODISCARD int ln_description_parse(struct ln_allocator *allocator, enum ln_sdp_type type,
                                      const char *text, struct ln_description **ret_description,
                                      struct ln_sdp_error *ret_error);
void ln_description_free(struct ln_description *description);  /* NULL is fine */
void ln_description_drop(struct ln_description **description); /* frees it and sets NULL */

/* The text, borrowed until the tree changes; NULL when out of memory. */
const char *ln_description_text(struct ln_description *description);
/* The tree was changed: the text is to be written anew. */
void ln_description_touch(struct ln_description *description);

#endif
