/* SPDX-License-Identifier: Apache-2.0
 * Error values: negative integers, each with a name, a sentence for people and the kind of
 * DOMException (or the ECMAScript error) that the W3C specifications raise in the same place.
 *
 * The numbers are stable: a program may store them and a script may compare them. */
#ifndef LINNET_ERROR_H
#define LINNET_ERROR_H

#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, number, "sentence", "DOMException kind") */
#define LN_ERROR_TABLE(X)                                                                          \
    X(NOMEM, -1, "out of memory", "OperationError")                                                \
    X(INVALID_ARGUMENT, -2, "an argument is not valid", "TypeError")                               \
    X(INVALID_STATE, -3, "not allowed in the present state", "InvalidStateError")                  \
    X(INVALID_ACCESS, -4, "the object does not support this access", "InvalidAccessError")         \
    X(INVALID_MODIFICATION, -5, "this cannot be changed", "InvalidModificationError")              \
    X(SYNTAX, -6, "the text does not follow its grammar", "SyntaxError")                           \
    X(RANGE, -7, "a value is out of range", "RangeError")                                          \
    X(NOT_SUPPORTED, -8, "not supported", "NotSupportedError")                                     \
    X(OPERATION, -9, "the operation failed", "OperationError")                                     \
    X(NETWORK, -10, "the network failed", "NetworkError")                                          \
    X(NOT_FOUND, -11, "not found", "NotFoundError")                                                \
    X(NOT_ALLOWED, -12, "not allowed", "NotAllowedError")                                          \
    X(NOT_READABLE, -13, "the device cannot be read", "NotReadableError")                          \
    X(ABORT, -14, "aborted", "AbortError")                                                         \
    X(TIMEOUT, -15, "no answer in time", "TimeoutError")                                           \
    X(LIMIT, -16, "a configured limit is reached", "OperationError")                               \
    X(TOO_BIG, -17, "the message is larger than allowed", "TypeError")                             \
    X(MALFORMED, -18, "malformed input", "OperationError")                                         \
    X(INTEGRITY, -19, "the integrity check failed", "OperationError")                              \
    X(REPLAY, -20, "seen before or too old", "OperationError")                                     \
    X(NO_SPACE, -21, "the output buffer is too small", "OperationError")                           \
    X(CRYPTO, -22, "the cryptographic library failed", "OperationError")                           \
    X(FINGERPRINT, -23, "the certificate does not match the fingerprint", "OperationError")        \
    X(CLOSED, -24, "closed", "InvalidStateError")                                                  \
    X(UNREACHABLE, -25, "the other side cannot be reached", "NetworkError")                        \
    X(ADDRESS_IN_USE, -26, "the address is in use", "NetworkError")                                \
    X(SYSTEM, -27, "the operating system refused", "OperationError")                               \
    X(END, -28, "the end of the data", "OperationError")                                           \
    X(AGAIN, -29, "not ready yet", "OperationError")                                               \
    X(REFUSED, -30, "refused by the other side", "NetworkError")                                   \
    X(RESET, -31, "reset by the other side", "NetworkError")                                       \
    X(UNKNOWN_ATTRIBUTE, -32, "a required attribute is not known", "OperationError")

enum ln_error {
    LN_OK = 0,
#define LN_ERROR_ENUM(name, number, sentence, dom) LN_ERR_##name = number,
    LN_ERROR_TABLE(LN_ERROR_ENUM)
#undef LN_ERROR_ENUM
};

/* The constant's name without its prefix ("NOMEM"), a sentence, and the DOMException kind
 * ("OperationError") of an error value. Never NULL: 0 and unknown values have their own texts. */
LN_API const char *ln_error_name(int error);
LN_API const char *ln_error_sentence(int error);
LN_API const char *ln_error_dom_name(int error);

#ifdef __cplusplus
}
#endif
#endif
