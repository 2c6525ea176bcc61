/* SPDX-License-Identifier: Apache-2.0
 * What tests lean on: the environment of the running test, hex, files. */
#include "tests/support/test.h"

#include "tests/support/runner.h"

#include <stdio.h>
#include <stdlib.h>

/* Every block of a test stands in one list, so that a test that ends early leaves nothing. */
struct tracked {
    struct tracked *next, *prev;
    size_t size, pad;
};

static struct tracked blocks = { &blocks, &blocks, 0, 0 };
static struct ln_allocator tracking;
static struct ln_counting_allocator counting;
static struct ln_pool pool;
static struct ln_rng rng;
static struct ln_env env;
static bool made;

static void *tracking_resize(void *ctx, void *block, size_t size)
{
    struct tracked *old = block ? (struct tracked *)block - 1 : NULL, *t;

    (void)ctx;
    if (size == 0) {
        if (old) {
            old->prev->next = old->next;
            old->next->prev = old->prev;
            free(old);
        }
        return NULL;
    }
    t = malloc(sizeof *t + size); /* always a new block: stale pointers are seen */
    if (!t)
        return NULL;
    t->size = size;
    if (old)
        memcpy(t + 1, old + 1, old->size < size ? old->size : size);
    t->next = blocks.next;
    t->prev = &blocks;
    t->next->prev = t;
    blocks.next = t;
    if (old)
        tracking_resize(NULL, block, 0);
    return t + 1;
}

/* Of the environment's chance: TEST_SEED, so that a sweep can be repeated with other numbers. */
static uint64_t seed(void)
{
    const char *text = getenv("TEST_SEED");

    return text ? strtoull(text, NULL, 10) : 1;
}

static void make(void)
{
    if (made)
        return;
    made = true;
    tracking.resize = tracking_resize;
    ln_counting_allocator_init(&counting, &tracking);
    ln_pool_init(&pool, &counting.allocator, 2048, 0, 100000);
    ln_rng_seed(&rng, seed());
    /* Whole: what a test that ended early left in it is gone. */
    env = (struct ln_env){ .allocator = &counting.allocator, .pool = &pool, .rng = &rng };
}

struct ln_env *test_env(void)
{
    make();
    return &env;
}

struct ln_counting_allocator *test_allocator(void)
{
    make();
    return &counting;
}

void ln_runner_begin(uint64_t fail_at)
{
    made = false;
    make();
    counting.fail_at = fail_at;
}

size_t ln_runner_end(bool *ret_failed_allocation)
{
    size_t left = counting.live_blocks;

    *ret_failed_allocation = counting.failed;
    while (blocks.next != &blocks)
        tracking_resize(NULL, blocks.next + 1, 0);
    made = false;
    return left;
}

size_t test_hex(const char *hex, uint8_t *data, size_t cap)
{
    size_t len = 0;
    int high = -1;

    for (; *hex; hex++) {
        int digit;

        if (*hex == ' ' || *hex == '\n' || *hex == ':')
            continue;
        digit = *hex >= '0' && *hex <= '9'   ? *hex - '0'
                : *hex >= 'a' && *hex <= 'f' ? *hex - 'a' + 10
                : *hex >= 'A' && *hex <= 'F' ? *hex - 'A' + 10
                                             : -1;
        CHECK(digit >= 0);
        if (high < 0) {
            high = digit;
        } else {
            CHECK(len < cap);
            data[len++] = (uint8_t)(high << 4 | digit);
            high = -1;
        }
    }
    CHECK(high < 0);
    return len;
}

uint8_t *test_file(const char *path, size_t *ret_len)
{
    char full[1024];
    uint8_t *data;
    long size;
    FILE *f;

    snprintf(full, sizeof full, "%s/%s", LN_SOURCE_ROOT, path);
    f = fopen(full, "rb");
    CHECK(f != NULL);
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);
    data = tracking_resize(NULL, NULL, (size_t)size + 1);
    CHECK(data && fread(data, 1, (size_t)size, f) == (size_t)size);
    data[size] = 0;
    fclose(f);
    *ret_len = (size_t)size;
    return data;
}
