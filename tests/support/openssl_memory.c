/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/openssl_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

static size_t live, peak;

static void note(void *old, void *new_block, size_t old_size)
{
    live -= old ? old_size : 0;
    live += new_block ? malloc_usable_size(new_block) : 0;
    if (live > peak)
        peak = live;
}

static void *allocate(size_t size, const char *file, int line)
{
    void *block = malloc(size);

    (void)file, (void)line;
    note(NULL, block, 0);
    return block;
}

static void *reallocate(void *old, size_t size, const char *file, int line)
{
    size_t old_size = old ? malloc_usable_size(old) : 0;
    void *block = realloc(old, size);

    (void)file, (void)line;
    if (block)
        note(old, block, old_size);
    return block;
}

static void release(void *block, const char *file, int line)
{
    (void)file, (void)line;
    if (block)
        note(block, NULL, malloc_usable_size(block));
    free(block);
}

/* Only before OpenSSL's first allocation. */
__attribute__((constructor(101))) static void install(void)
{
    if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
        abort();
}

size_t openssl_memory_live(void)
{
    return live;
}

size_t openssl_memory_peak(void)
{
    return peak;
}

void openssl_memory_reset_peak(void)
{
    peak = live;
}
