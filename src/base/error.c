/* SPDX-License-Identifier: Apache-2.0 */
#include <linnet/error.h>

const char *ln_error_name(int error)
{
    switch (error) {
    case LN_OK:
        return "OK";
#define CASE(name, number, sentence, dom)                                                          \
    case LN_ERR_##name:                                                                            \
        return #name;
        LN_ERROR_TABLE(CASE)
#undef CASE
    default:
        return "UNKNOWN";
    }
}

const char *ln_error_sentence(int error)
{
    switch (error) {
    case LN_OK:
        return "no error";
#define CASE(name, number, sentence, dom)                                                          \
    case LN_ERR_##name:                                                                            \
        return sentence;
        LN_ERROR_TABLE(CASE)
#undef CASE
    default:
        return "an unknown error";
    }
}

const char *ln_error_dom_name(int error)
{
    switch (error) {
    case LN_OK:
        return "";
#define CASE(name, number, sentence, dom)                                                          \
    case LN_ERR_##name:                                                                            \
        return dom;
        LN_ERROR_TABLE(CASE)
#undef CASE
    default:
        return "OperationError";
    }
}
