/* SPDX-License-Identifier: Apache-2.0
 * Pool, map, heap, ring and list, mostly against a plain model under a seed. */
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/ring.h"
#include "tests/support/test.h"

LN_TEST(pool, keeps_and_limits_its_buffers)
{
    struct ln_counting_allocator *counting = test_allocator();
    struct ln_pool pool;
    struct ln_buffer *a, *b;
    uint64_t before;

    ln_pool_init(&pool, &counting->allocator, 1500, 4, 2);
    a = ln_buffer_copy(&pool, "hello", 5);
    b = ln_buffer_create(&pool, 9000);
    CHECK(a && b && ln_buffer_create(&pool, 1) == NULL);
    CHECK(a->len == 5 && memcmp(ln_buffer_bytes(a), "hello", 5) == 0);
    CHECK(ln_buffer_room(a) == 1495 && ln_buffer_room(b) >= 9000);
    CHECK(ln_buffer_ref(a) == a && pool.in_use == 2);
    ln_buffer_unref(a);
    ln_buffer_unref(a);
    ln_buffer_unref(b);
    CHECK(pool.in_use == 0 && pool.free_count == 1);
    before = counting->allocations;
    a = ln_buffer_create(&pool, 10);
    CHECK(a && counting->allocations == before && a->len == 0);
    ln_buffer_unref(a);
    ln_pool_deinit(&pool);
}

LN_TEST(map, agrees_with_a_model_under_random_use)
{
    static int values[512];
    bool present[512] = { false };
    struct ln_map map;
    size_t count = 0, cursor = 0, seen = 0;

    ln_map_init(&map, test_env(), 400);
    for (int i = 0; i < 20000; i++) {
        uint32_t key = ln_rng_below(test_env()->rng, 512);

        if (ln_rng_below(test_env()->rng, 2)) {
            int error = ln_map_set_u64(&map, key, &values[key]);

            CHECK(error == (present[key] || count < 400 ? 0 : LN_ERR_LIMIT));
            if (!error && !present[key]) {
                present[key] = true;
                count++;
            }
        } else {
            CHECK(ln_map_remove_u64(&map, key) == (present[key] ? &values[key] : NULL));
            count -= present[key];
            present[key] = false;
        }
        key = ln_rng_below(test_env()->rng, 512);
        CHECK(ln_map_get_u64(&map, key) == (present[key] ? &values[key] : NULL));
        CHECK(map.count == count);
    }
    while (ln_map_next(&map, &cursor))
        seen++;
    CHECK(seen == count);
    ln_map_deinit(&map);
}

/* Keys of which each is the beginning of the next: the longer come while shorter ones are there. */
LN_TEST(map, keys_of_all_lengths_are_told_apart)
{
    static const uint8_t zeros[LN_MAP_KEY_MAX];
    static int values[LN_MAP_KEY_MAX + 1];
    bool present[LN_MAP_KEY_MAX + 1] = { false };
    struct ln_map map;

    ln_map_init(&map, test_env(), LN_MAP_KEY_MAX + 1);
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t longest = i / 60 < LN_MAP_KEY_MAX ? i / 60 : LN_MAP_KEY_MAX;
        uint32_t len = ln_rng_below(test_env()->rng, longest + 1);

        bool set = ln_rng_below(test_env()->rng, 3) > 0;

        if (set)
            CHECK(ln_map_set(&map, zeros, len, &values[len]) == 0);
        else
            CHECK(ln_map_remove(&map, zeros, len) == (present[len] ? &values[len] : NULL));
        present[len] = set;
        for (uint32_t k = 0; k <= LN_MAP_KEY_MAX; k++)
            CHECK(ln_map_get(&map, zeros, k) == (present[k] ? &values[k] : NULL));
    }
    CHECK(map.count > LN_MAP_KEY_MAX / 4);
    ln_map_deinit(&map);
}

LN_TEST(map, siphash_1_3_matches_the_published_value)
{
    uint64_t key[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };

    CHECK(ln_siphash(key, "", 0) == 0xabac0158050fc4dcu);
}

struct timed {
    struct ln_heap_node node;
    int id;
};

LN_TEST(heap, gives_the_earliest_first_and_equals_in_order)
{
    struct timed items[300] = { 0 };
    struct ln_heap heap;
    ln_time last = 0;
    size_t left = 0;

    ln_heap_init(&heap, test_env()->allocator, 300);
    for (int i = 0; i < 300; i++) {
        items[i].id = i;
        CHECK(ln_heap_set(&heap, &items[i].node, ln_rng_below(test_env()->rng, 50)) == 0);
    }
    for (int i = 0; i < 100; i++)
        CHECK(ln_heap_set(&heap, &items[i].node, ln_rng_below(test_env()->rng, 50)) == 0);
    for (int i = 200; i < 300; i++)
        ln_heap_remove(&heap, &items[i].node);
    ln_heap_remove(&heap, &items[299].node);
    for (uint64_t order = 0; ln_heap_first(&heap); left++) {
        struct ln_heap_node *node = ln_heap_first(&heap);

        CHECK(node->time > last || (node->time == last && node->order >= order) || left == 0);
        last = node->time;
        order = node->order;
        ln_heap_remove(&heap, node);
    }
    CHECK(left == 200);
    ln_heap_deinit(&heap);
}

LN_TEST(ring, is_a_queue_with_a_limit)
{
    struct ln_ring ring;
    int in = 0, out = 0, value;

    ln_ring_init(&ring, test_env()->allocator, sizeof value, 100);
    for (int i = 0; i < 5000; i++) {
        if (ln_rng_below(test_env()->rng, 5) < 3) {
            int error = ln_ring_push(&ring, &in);

            CHECK(error == (in - out < 100 ? 0 : LN_ERR_LIMIT));
            in += !error;
        } else if (ln_ring_pop(&ring, &value)) {
            CHECK(value == out++);
        } else {
            CHECK(in == out);
        }
        if (in > out)
            CHECK(*(int *)ln_ring_at(&ring, ring.count - 1) == in - 1);
    }
    ln_ring_deinit(&ring);
}

LN_TEST(list, keeps_order_and_allows_removal_while_walking)
{
    struct item {
        struct ln_list link;
        int id;
    } items[5];
    struct ln_list list;
    int expected = 0;

    ln_list_init(&list);
    for (int i = 0; i < 5; i++) {
        items[i].id = i;
        ln_list_append(&list, &items[i].link);
    }
    LN_LIST_EACH_SAFE (at, after, &list) {
        struct item *item = LN_CONTAINER(at, struct item, link);

        CHECK(item->id == expected++);
        if (item->id % 2)
            ln_list_remove(at);
    }
    CHECK(expected == 5 && list.next == &items[0].link && list.next->next == &items[2].link);
    ln_list_remove(&items[1].link);
    CHECK(!ln_list_empty(&list));
}
