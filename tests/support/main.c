/* SPDX-License-Identifier: Apache-2.0
 * Runs the registered tests: all, or those whose "suite.name" contains the argument.
 * Ends with a line `N passed, N failed`.
 *
 *   unit-x [NAME]          runs them
 *   unit-x --list [NAME]   names them
 *   unit-x --oom[=N] [NAME] each once for every allocation that it makes, with that one failing;
 * with N for about N of them, spread evenly, or fewer if the test is slow
 *   unit-x --oom-at=N NAME with the N-th allocation failing */
#include "tests/support/runner.h"
#include "tests/support/test.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define TESTS_MAX  4000
#define SWEEP_MAX  1000000u
#define POINTS_MIN 3u
#define BUDGET_MS  1500u /* of a test in a sweep that takes some points */

static struct ln_test *first_test;
static struct ln_test *tests[TESTS_MAX];
static size_t test_count;
static bool sweeping;
static volatile uint64_t sweep_at;
static jmp_buf sweep_exit;

void ln_test_register(struct ln_test *test)
{
    test->next = first_test;
    first_test = test;
}

void ln_test_fail(const char *what, const char *file, int line)
{
    if (sweeping)
        longjmp(sweep_exit, 1);
    _assert_true(0, what, file, line);
    abort();
}

void ln_test_fail_values(const char *what, long long left, long long right, const char *file,
                         int line)
{
    if (!sweeping)
        print_error("%s: %lld != %lld\n", what, left, right);
    ln_test_fail(what, file, line);
}

static int set_up(void **state)
{
    (void)state;
    ln_runner_begin(0);
    return 0;
}

static int tear_down(void **state)
{
    bool failed;
    size_t left = ln_runner_end(&failed);

    (void)state;
    if (left > 0)
        print_error("%zu blocks of the test's environment were not freed\n", left);
    return left > 0 ? -1 : 0;
}

static void run_one(void **state)
{
    const struct ln_test *test = *state;

    test->run();
}

static int compare(const void *a, const void *b)
{
    const struct ln_test *x = *(struct ln_test *const *)a, *y = *(struct ln_test *const *)b;
    int order = strcmp(x->suite, y->suite);

    return order ? order : strcmp(x->name, y->name);
}

static void collect(const char *filter)
{
    char full[256];

    for (struct ln_test *t = first_test; t; t = t->next) {
        snprintf(full, sizeof full, "%s.%s", t->suite, t->name);
        if ((!filter || strstr(full, filter)) && test_count < TESTS_MAX)
            tests[test_count++] = t;
    }
    qsort(tests, test_count, sizeof *tests, compare);
}

/* Of the sanitizers' runtime, if the program has one. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* Runs a test with its n-th allocation failing (0: none). Returns the allocations it made. */
static uint64_t run_failing(struct ln_test *test, uint64_t n, bool *ret_failed)
{
    uint64_t made;

    sweep_at = n;
    ln_runner_begin(n);
    if (setjmp(sweep_exit) == 0)
        test->run();
    made = test_allocator()->allocations;
    ln_runner_end(ret_failed);
    return made;
}

static uint64_t milliseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A crash says which allocation had failed. */
static void tell_where(void)
{
    fprintf(stderr, "\nthe sweep was at allocation %llu: repeat it with --oom-at=%llu NAME\n",
            (unsigned long long)sweep_at, (unsigned long long)sweep_at);
}

static void on_abort(int number)
{
    (void)number;
    tell_where();
}

/* The i-th of the numbers between 0 and 1 that halve what is left each time: wherever the sequence
 * ends, it is spread evenly. In units of 2^-32. */
static uint64_t halving(uint32_t i)
{
    uint64_t value = 0;

    for (unsigned bit = 0; bit < 32; bit++)
        value |= (uint64_t)(i >> bit & 1) << (31 - bit);
    return value;
}

/* Runs one test again and again with another allocation failing each time: each of them in turn if
 * `points` is 0, else that many, and fewer (at least three) if they take longer than the budget. */
static uint64_t sweep(struct ln_test *test, uint64_t points)
{
    volatile uint64_t n, count = 0, made, i;
    uint64_t start = milliseconds();
    bool failed;

    if (points == 0) {
        for (n = 1; n < SWEEP_MAX; n++) {
            run_failing(test, n, &failed);
            if (!failed)
                break;
            count++;
        }
        return count;
    }
    made = run_failing(test, 0, &failed);
    if (points > made)
        points = made;
    for (i = 0; i < points; i++) {
        if (i >= POINTS_MIN && milliseconds() - start > BUDGET_MS)
            break;
        n = points == made ? i + 1 : 1 + (made * halving((uint32_t)i) >> 32);
        run_failing(test, n, &failed);
        count += failed;
    }
    return count;
}

static void begin_sweep(void)
{
    sweeping = true;
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(tell_where);
}

static int sweep_one_point(uint64_t n)
{
    bool failed;

    begin_sweep();
    for (size_t i = 0; i < test_count; i++)
        run_failing(tests[i], n, &failed);
    printf("%zu passed, 0 failed\n", test_count);
    return 0;
}

static int sweep_all(uint64_t points)
{
    uint64_t total = 0;

    begin_sweep();
    for (size_t i = 0; i < test_count; i++) {
        printf("%s.%s", tests[i]->suite, tests[i]->name);
        fflush(stdout); /* a crash names its test */
        uint64_t start = milliseconds(), n = sweep(tests[i], points);
        printf(" %llu (%llu ms)\n", (unsigned long long)n,
               (unsigned long long)(milliseconds() - start));
        total += n;
    }
    printf("%llu allocations failed in turn\n%zu passed, 0 failed\n", (unsigned long long)total,
           test_count);
    return 0;
}

static int run_all(void)
{
    struct CMUnitTest *list = calloc(test_count ? test_count : 1, sizeof *list);
    char(*names)[256] = calloc(test_count ? test_count : 1, sizeof *names);
    int failed;

    if (!list || !names)
        return 2;
    for (size_t i = 0; i < test_count; i++) {
        snprintf(names[i], sizeof *names, "%s.%s", tests[i]->suite, tests[i]->name);
        list[i].name = names[i];
        list[i].test_func = run_one;
        list[i].setup_func = set_up;
        list[i].teardown_func = tear_down;
        list[i].initial_state = tests[i];
    }
    failed = _cmocka_run_group_tests("linnet", list, test_count, NULL, NULL);
    free(list);
    free(names);
    printf("%zu passed, %d failed\n", test_count - (size_t)failed, failed);
    return failed > 0 || test_count == 0;
}

int main(int argc, char **argv)
{
    bool oom = argc > 1 && strncmp(argv[1], "--oom", 5) == 0;
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    const char *filter = argc > 1 + (oom || list) ? argv[1 + (oom || list)] : NULL;

    collect(filter);
    if (list) {
        for (size_t i = 0; i < test_count; i++)
            printf("%s.%s\n", tests[i]->suite, tests[i]->name);
        return 0;
    }
    if (oom && strncmp(argv[1], "--oom-at=", 9) == 0)
        return sweep_one_point(strtoull(argv[1] + 9, NULL, 10));
    return oom ? sweep_all(argv[1][5] == '=' ? strtoull(argv[1] + 6, NULL, 10) : 0) : run_all();
}
