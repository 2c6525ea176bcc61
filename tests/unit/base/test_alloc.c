/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include "base/arena.h"
#include "tests/support/test.h"

LN_TEST(alloc, the_counting_allocator_counts_and_fails_the_one_asked_for)
{
    struct ln_counting_allocator c;
    void *a, *b;

    ln_counting_allocator_init(&c, ln_allocator_libc());
    c.fail_at = 2;
    a = ln_alloc(&c.allocator, 100);
    CHECK(a && c.live_bytes == 100 && c.live_blocks == 1);
    CHECK(ln_alloc(&c.allocator, 1) == NULL && c.failed);
    b = ln_realloc(&c.allocator, a, 300);
    CHECK(b && c.live_bytes == 300 && c.peak_bytes == 300 && c.live_blocks == 1);
    ln_free(&c.allocator, b);
    CHECK(c.live_bytes == 0 && c.live_blocks == 0 && c.allocations == 3 && c.frees == 1);
}

LN_TEST(alloc, an_array_whose_size_overflows_is_refused)
{
    CHECK(ln_alloc_array(test_env()->allocator, SIZE_MAX / 2, 3) == NULL);
}

LN_TEST(alloc, a_growing_array_stops_at_its_limit)
{
    struct ln_allocator *allocator = test_env()->allocator;
    int *array = NULL;
    size_t capacity = 0, count;

    for (count = 0; count < 10; count++) {
        CHECK(ln_grow(allocator, &array, sizeof *array, count, &capacity, 10) == 0);
        array[count] = (int)count;
    }
    CHECK(ln_grow(allocator, &array, sizeof *array, count, &capacity, 10) == LN_ERR_LIMIT);
    CHECK(array[9] == 9 && capacity == 10);
    ln_free(allocator, array);
}

LN_TEST(arena, gives_zeroed_memory_up_to_its_limit)
{
    struct ln_arena arena;
    uint8_t *p;

    ln_arena_init(&arena, test_env()->allocator, 10000);
    p = ln_arena_alloc(&arena, 9000);
    CHECK(p && p[0] == 0 && p[8999] == 0);
    CHECK(ln_arena_alloc(&arena, 1001) == NULL);
    CHECK_TEXT(ln_arena_text(&arena, "hello", 4), "hell");
    ln_arena_deinit(&arena);
}
