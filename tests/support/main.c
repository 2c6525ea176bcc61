/* SPDX-License-Identifier: Apache-2.0
 * Runs the registered tests: all, or those whose "suite.name" contains the argument.
 * Ends with a line `N passed, N failed`.
 *
 *   unit-x [NAME]          runs them
 *   unit-x --list [NAME]   names them
 *   unit-x --oom[=N] [NAME] each once for every allocation that it makes, with that one failing;
 * with N for about N of them, spread evenly */
#include "tests/support/runner.h"
#include "tests/support/test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TESTS_MAX 4000
#define SWEEP_MAX 1000000u

static struct ln_test *first_test;
static struct ln_test *tests[TESTS_MAX];
static size_t test_count;
static bool sweeping;
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

/* Runs a test with its n-th allocation failing (0: none). Returns the allocations it made. */
static uint64_t run_failing(struct ln_test *test, uint64_t n, bool *ret_failed)
{
    uint64_t made;

    ln_runner_begin(n);
    if (setjmp(sweep_exit) == 0)
        test->run();
    made = test_allocator()->allocations;
    ln_runner_end(ret_failed);
    return made;
}

/* Runs one test again and again, each time with a later allocation failing. */
static uint64_t sweep(struct ln_test *test, uint64_t points)
{
    volatile uint64_t n, count = 0, step;
    bool failed;

    step = points ? run_failing(test, 0, &failed) / points + 1 : 1;
    for (n = 1; n < SWEEP_MAX; n += step) {
        run_failing(test, n, &failed);
        if (!failed)
            break;
        count++;
    }
    return count;
}

static int sweep_all(uint64_t points)
{
    uint64_t total = 0;

    sweeping = true;
    for (size_t i = 0; i < test_count; i++) {
        printf("%s.%s", tests[i]->suite, tests[i]->name);
        fflush(stdout); /* a crash names its test */
        uint64_t n = sweep(tests[i], points);
        printf(" %llu\n", (unsigned long long)n);
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
    return oom ? sweep_all(argv[1][5] == '=' ? strtoull(argv[1] + 6, NULL, 10) : 0) : run_all();
}
