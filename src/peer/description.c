/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/description.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <string.h>

struct ln_description *ln_description_create(struct ln_allocator *allocator, enum ln_sdp_type type)
{
    struct ln_description *description = ln_alloc_zero(allocator, sizeof *description);

    if (!description)
        return NULL;
    description->allocator = allocator;
    description->type = type;
    ln_arena_init(&description->arena, allocator, LN_SDP_ARENA_BYTES);
    return description;
}

int ln_description_parse(struct ln_allocator *allocator, enum ln_sdp_type type, const char *text,
                         struct ln_description **ret_description, struct ln_sdp_error *ret_error)
{
    struct ln_description *description = ln_description_create(allocator, type);
    int error;

    if (!description)
        return LN_ERR_NOMEM;
    error = ln_sdp_parse(text, strlen(text), &description->arena, &description->sdp, ret_error);
    if (error) {
        ln_description_free(description);
        return error;
    }
    *ret_description = description;
    return 0;
}

void ln_description_free(struct ln_description *description)
{
    if (!description)
        return;
    ln_arena_deinit(&description->arena);
    ln_free(description->allocator, description->text);
    ln_free(description->allocator, description);
}

void ln_description_drop(struct ln_description **description)
{
    ln_description_free(*description);
    *description = NULL;
}

void ln_description_touch(struct ln_description *description)
{
    ln_free(description->allocator, description->text);
    description->text = NULL;
}

const char *ln_description_text(struct ln_description *description)
{
    struct ln_arena arena; /* of its own: the tree's does not grow with every reading */
    const char *text;
    size_t len;

    if (description->text)
        return description->text;
    ln_arena_init(&arena, description->allocator, LN_SDP_ARENA_BYTES);
    if (ln_sdp_write(description->sdp, &arena, &text, &len) == 0) {
        description->text = ln_alloc_text_n(description->allocator, text, len);
        description->text_len = len;
    }
    ln_arena_deinit(&arena);
    return description->text;
}
