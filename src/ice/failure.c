/* SPDX-License-Identifier: Apache-2.0
 * Names and sentences of ice/failure.h. */
#include "ice/failure.h"

#include <stddef.h>

static const struct {
    const char *name, *sentence;
} table[] = {
#define ROW(name, text, sentence) { text, sentence },
    LN_ICE_FAILURE_TABLE(ROW)
#undef ROW
};

const char *ln_ice_failure_name(enum ln_ice_failure failure)
{
    return (size_t)failure < LN_ICE_FAILURES ? table[failure].name : "unknown";
}

const char *ln_ice_failure_sentence(enum ln_ice_failure failure)
{
    return (size_t)failure < LN_ICE_FAILURES ? table[failure].sentence : "unknown";
}
