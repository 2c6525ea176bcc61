/* SPDX-License-Identifier: Apache-2.0
 * News for the owner, in the order things happened. The node lives in what the news is about, so
 * that nothing can be lost for want of memory; a thing that has news waiting is told once. */
#ifndef LN_SCTP_NEWS_H
#define LN_SCTP_NEWS_H

#include "base/list.h"

#include <stdint.h>

struct ln_news {
    struct ln_list link;
    uint8_t kind; /* enum ln_sctp_event_kind: tells what the node lives in */
};

static inline void ln_news_init(struct ln_news *news, uint8_t kind)
{
    ln_list_init(&news->link);
    news->kind = kind;
}

static inline void ln_news_tell(struct ln_list *all, struct ln_news *news)
{
    if (ln_list_empty(&news->link))
        ln_list_append(all, &news->link);
}

#endif
