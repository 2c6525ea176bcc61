/* SPDX-License-Identifier: Apache-2.0
 * Tests: LN_TEST registers one, CHECK fails it. cmocka runs them.
 *
 *   LN_TEST(consent, is_lost_30s_after_the_last_answer) { ... CHECK(c.lost); }
 *
 * Each test may ask for an environment (counting allocator, pool without reuse, seeded rng); the
 * test fails when memory of it is still in use at its end. With --oom each test runs once for every
 * allocation it makes, with that one failing: it may end early, it may not crash. */
#ifndef LN_TEST_SUPPORT_H
#define LN_TEST_SUPPORT_H

#include "base/alloc.h"
#include "base/pool.h"
#include "base/rng.h"

#include <linnet/error.h>

#include <string.h>

struct ln_test {
    const char *suite, *name;
    void (*run)(void);
    struct ln_test *next;
};

void ln_test_register(struct ln_test *test);
void ln_test_fail(const char *what, const char *file, int line) __attribute__((noreturn));
void ln_test_fail_values(const char *what, long long left, long long right, const char *file,
                         int line) __attribute__((noreturn));
static inline bool ln_test_same_text(const char *left, const char *right)
{
    return left && right && strcmp(left, right) == 0;
}

#define LN_TEST(suite_, name_)                                                                     \
    static void suite_##_##name_(void);                                                            \
    __attribute__((constructor)) static void register_##suite_##_##name_(void)                     \
    {                                                                                              \
        static struct ln_test test = { #suite_, #name_, suite_##_##name_, NULL };                  \
        ln_test_register(&test);                                                                   \
    }                                                                                              \
    static void suite_##_##name_(void)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ln_test_fail(#condition, __FILE__, __LINE__);                                          \
    } while (0)
/* Integers; prints both when they differ. */
#define CHECK_EQUAL(left, right)                                                                   \
    do {                                                                                           \
        long long left_ = (long long)(left), right_ = (long long)(right);                          \
        if (left_ != right_)                                                                       \
            ln_test_fail_values(#left " == " #right, left_, right_, __FILE__, __LINE__);           \
    } while (0)
/* A text that is missing equals none. */
#define CHECK_TEXT(left, right)       CHECK(ln_test_same_text((left), (right)))
#define CHECK_BYTES(left, right, len) CHECK(memcmp((left), (right), (len)) == 0)

/* The environment of the running test, made at the first call in it. */
struct ln_env *test_env(void);
struct ln_counting_allocator *test_allocator(void);

/* A text as bytes, without its end. */
static inline struct ln_bytes test_bytes(const char *text)
{
    return (struct ln_bytes){ (const uint8_t *)text, strlen(text) };
}

/* Bytes from hex digits (blanks are skipped); fails the test when they are malformed or do not fit.
 */
size_t test_hex(const char *hex, uint8_t *data, size_t cap);

/* Reads a whole file below the source tree's root ("fuzz/corpus/..."); freed with the test. */
uint8_t *test_file(const char *path, size_t *ret_len);

#endif
