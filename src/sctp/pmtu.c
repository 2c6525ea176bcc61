/* SPDX-License-Identifier: Apache-2.0
 * RFC 8899, 5: BASE until started, SEARCHING while a probe is due or under way, COMPLETE between.
 */
#include "sctp/pmtu.h"

#include "base/time.h"

#include <string.h>

#define TRIES_MAX    3u
#define NEAR_ENOUGH  16u             /* bytes between what fits and what does not */
#define SEARCH_AGAIN LN_SECONDS(600) /* PMTU_RAISE_TIMER */
#define TRUST_AGAIN  LN_SECONDS(60)  /* after a fall */
#define ANSWER_MIN   LN_MILLISECONDS(500)

void ln_pmtu_init(struct ln_pmtu *p, size_t base, size_t limit)
{
    memset(p, 0, sizeof *p);
    p->base = p->best = base;
    p->limit = limit > base ? limit & ~(size_t)3 : base;
    p->failed = p->limit + 4;
    p->deadline = LN_TIME_NEVER;
}

/* The next size to try; none when what fits is known well enough. */
static void search(struct ln_pmtu *p, ln_time now)
{
    p->tries = 0;
    p->nonce = 0;
    p->deadline = LN_TIME_NEVER;
    if (p->failed > p->limit)
        p->probe = p->best < p->limit ? p->limit : 0;
    else
        p->probe = p->failed - p->best > NEAR_ENOUGH ? (p->best + (p->failed - p->best) / 2) & ~3ull
                                                     : 0;
    p->due = p->probe != 0;
    if (p->probe == 0 && p->best < p->limit)
        p->deadline = ln_time_add(now, SEARCH_AGAIN);
}

void ln_pmtu_start(struct ln_pmtu *p)
{
    if (p->started || p->limit == p->base)
        return;
    p->started = true;
    search(p, 0);
}

void ln_pmtu_sent(struct ln_pmtu *p, ln_time now, uint64_t nonce, ln_duration rto)
{
    p->due = false;
    p->nonce = nonce;
    p->tries++;
    p->deadline = ln_time_add(now, rto > ANSWER_MIN ? rto : ANSWER_MIN);
}

bool ln_pmtu_answered(struct ln_pmtu *p, ln_time now, uint64_t nonce)
{
    if (p->probe == 0 || p->tries == 0 || nonce != p->nonce)
        return false;
    p->best = p->probe;
    search(p, now);
    return true;
}

void ln_pmtu_timeout(struct ln_pmtu *p, ln_time now)
{
    if (p->probe == 0) {
        p->failed = p->limit + 4;
        search(p, now);
    } else if (p->tries < TRIES_MAX) {
        p->deadline = LN_TIME_NEVER;
        p->due = true;
    } else {
        p->failed = p->probe;
        search(p, now);
    }
}

bool ln_pmtu_fall_back(struct ln_pmtu *p, ln_time now)
{
    bool fell = p->best > p->base;

    if (!fell)
        return false;
    p->best = p->base;
    p->failed = p->limit + 4;
    p->probe = 0;
    p->due = false;
    p->deadline = ln_time_add(now, TRUST_AGAIN);
    return true;
}
