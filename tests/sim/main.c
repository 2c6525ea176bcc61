/* SPDX-License-Identifier: Apache-2.0
 * Runs the scenarios, each once per seed, in a few processes, so that a crash or a hang is one
 * failure with its replay line.
 *
 *   sim-peer [--seeds N] [--scenario NAME] [--seed S] [--jobs N] [--verbose] [--list]
 *
 * One line per scenario, `N passed, N failed` at the end. The first seed of each scenario runs
 * twice: the same packets must leave at the same times. --seed runs one in this process, --verbose
 * tells on standard error what happens in it. */
#include "tests/sim/scenario.h"
#include "tests/support/runner.h"
#include "tests/support/test.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCENARIOS_MAX 128
#define SEEDS_MAX     10000u
#define JOBS_MAX      16
#define HANG_SECONDS  120

static struct scenario *scenarios[SCENARIOS_MAX];
static size_t scenario_count;
static jmp_buf failure;
static char failure_text[400];
static const char *program;

void scenario_register(struct scenario *scenario)
{
    if (scenario_count == SCENARIOS_MAX)
        abort();
    scenarios[scenario_count++] = scenario;
}

void ln_test_fail(const char *what, const char *file, int line)
{
    const char *name = strrchr(file, '/');

    snprintf(failure_text, sizeof failure_text, "%s (%s:%d)", what, name ? name + 1 : file, line);
    longjmp(failure, 1);
}

void ln_test_fail_values(const char *what, long long left, long long right, const char *file,
                         int line)
{
    char text[300];

    snprintf(text, sizeof text, "%s: %lld != %lld", what, left, right);
    ln_test_fail(text, file, line);
}

struct result {
    uint32_t scenario, seed;
    bool begun; /* only says that it begins: a crash after it is its own */
    bool passed;
    struct outcome outcome;
    char text[sizeof failure_text];
};

static bool run_once(const struct scenario *scenario, uint64_t seed, struct outcome *ret,
                     char *text)
{
    volatile bool passed = false;
    bool failed_allocation;
    size_t left;

    ln_runner_begin(0);
    memset(ret, 0, sizeof *ret);
    ret->open = -1;
    failure_text[0] = '\0';
    if (setjmp(failure) == 0) {
        scenario_run(scenario, seed, ret);
        passed = true;
    }
    left = ln_runner_end(&failed_allocation);
    if (passed && left > 0) {
        passed = false;
        snprintf(failure_text, sizeof failure_text, "%zu blocks were not freed", left);
    }
    strcpy(text, failure_text);
    return passed;
}

static void run_item(const struct scenario *scenario, uint64_t seed, bool twice, struct result *ret)
{
    struct outcome again;
    char text[sizeof failure_text];

    ret->passed = run_once(scenario, seed, &ret->outcome, ret->text);
    if (!ret->passed || !twice || sim_verbose)
        return;
    if (!run_once(scenario, seed, &again, text) || again.hash != ret->outcome.hash ||
        again.steps != ret->outcome.steps) {
        ret->passed = false;
        snprintf(ret->text, sizeof ret->text,
                 "the same seed gave other packets: %016llx in %llu steps, then %016llx in %llu",
                 (unsigned long long)ret->outcome.hash, (unsigned long long)ret->outcome.steps,
                 (unsigned long long)again.hash, (unsigned long long)again.steps);
    }
}

/* --- the work, shared out */

struct item {
    uint32_t scenario, seed;
};

struct worker {
    pid_t pid;
    int pipe;
    size_t next; /* item to begin with */
    struct result current;
    bool running;
};

static struct item *items;
static size_t item_count;

static void work(size_t from, size_t step, int out)
{
    for (size_t i = from; i < item_count; i += step) {
        struct result result = { .scenario = items[i].scenario, .seed = items[i].seed };

        result.begun = true;
        if (write(out, &result, sizeof result) != sizeof result)
            _exit(2);
        alarm(HANG_SECONDS);
        run_item(scenarios[result.scenario], result.seed, result.seed == 1, &result);
        alarm(0);
        result.begun = false;
        if (write(out, &result, sizeof result) != sizeof result)
            _exit(2);
    }
    _exit(0);
}

static void start(struct worker *worker, size_t step)
{
    int ends[2];

    if (pipe(ends) != 0)
        exit(2);
    fflush(NULL);
    worker->pid = fork();
    if (worker->pid == 0) {
        close(ends[0]);
        work(worker->next, step, ends[1]);
    }
    close(ends[1]);
    worker->pipe = ends[0];
    worker->running = true;
    worker->current.begun = false;
}

static bool read_result(int from, struct result *ret)
{
    size_t got = 0;

    while (got < sizeof *ret) {
        ssize_t n = read(from, (char *)ret + got, sizeof *ret - got);

        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* --- the account */

static struct result *results;
static size_t result_count;

static void note(const struct result *result)
{
    results[result_count++] = *result;
    if (!result->passed) {
        printf("FAILED: %s: %s\n", scenarios[result->scenario]->name, result->text);
        printf("replay: %s --scenario %s --seed %u\n", program, scenarios[result->scenario]->name,
               result->seed);
        fflush(stdout);
    }
}

static void ended(struct worker *worker, size_t step)
{
    int status = 0;

    close(worker->pipe);
    waitpid(worker->pid, &status, 0);
    worker->running = false;
    if (!worker->current.begun)
        return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(worker->current.text, sizeof worker->current.text, "took more than %d s",
                 HANG_SECONDS);
    else
        snprintf(worker->current.text, sizeof worker->current.text, "crashed (status %d)", status);
    worker->current.passed = false;
    note(&worker->current);
    worker->next += step;
    if (worker->next < item_count)
        start(worker, step);
}

static void run_all(size_t jobs)
{
    static struct worker workers[JOBS_MAX];
    bool running = true;

    for (size_t j = 0; j < jobs; j++) {
        workers[j].next = j;
        start(&workers[j], jobs);
    }
    /* One after another: a pipe holds what the others write meanwhile, then they wait a little. */
    while (running) {
        running = false;
        for (size_t j = 0; j < jobs; j++) {
            struct result result;

            if (!workers[j].running)
                continue;
            running = true;
            if (!read_result(workers[j].pipe, &result)) {
                ended(&workers[j], jobs);
            } else if (result.begun) {
                workers[j].current = result;
            } else {
                workers[j].current.begun = false;
                workers[j].next += jobs;
                note(&result);
            }
        }
    }
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The p-quantile of sorted values. */
static double quantile(const double *values, size_t count, double p)
{
    return values[(size_t)(p * (double)(count - 1) + 0.5)];
}

/* The line of one scenario; adds to the counts. */
static void summarize(uint32_t index, double *values, size_t *passed, size_t *failed)
{
    const struct scenario *s = scenarios[index];
    double p95 = s->open_within_p95 ? (double)s->open_within_p95 / 1e9 : 5.0;
    size_t good = 0, bad = 0, opened = 0, figures = 0;

    for (size_t i = 0; i < result_count; i++) {
        const struct result *r = &results[i];

        if (r->scenario != index)
            continue;
        good += r->passed;
        bad += !r->passed;
        if (r->passed && r->outcome.open >= 0)
            values[opened++] = (double)r->outcome.open / 1e9;
    }
    qsort(values, opened, sizeof *values, compare_numbers);
    if (opened > 0 && quantile(values, opened, 0.95) > p95) {
        printf("FAILED: %s: opens after %.2f s in 95 %% of the seeds, %.2f s are allowed\n",
               s->name, quantile(values, opened, 0.95), p95);
        bad++;
    }
    printf("%-28s %4zu passed, %zu failed", s->name, good, bad);
    if (opened > 0)
        printf("   open: median %.2f s, p95 %.2f s, worst %.2f s", quantile(values, opened, 0.5),
               quantile(values, opened, 0.95), values[opened - 1]);
    for (size_t i = 0; i < result_count; i++)
        if (results[i].scenario == index && results[i].passed && results[i].outcome.has_figure)
            values[figures++] = results[i].outcome.figure;
    qsort(values, figures, sizeof *values, compare_numbers);
    if (figures > 0)
        printf("   %s: median %.3g, worst %.3g", s->figure ? s->figure : "figure",
               quantile(values, figures, 0.5), values[figures - 1]);
    printf("\n");
    *passed += good;
    *failed += bad;
}

static int run_seeds(const char *name, uint32_t seeds, size_t jobs)
{
    size_t passed = 0, failed = 0;
    double *values = calloc(seeds + 1, sizeof *values);

    items = calloc(scenario_count * seeds + 1, sizeof *items);
    results = calloc(scenario_count * seeds + 1, sizeof *results);
    if (!items || !results || !values)
        return 2;
    for (uint32_t seed = 1; seed <= seeds; seed++)
        for (uint32_t s = 0; s < scenario_count; s++)
            if ((!name || strcmp(scenarios[s]->name, name) == 0) &&
                (scenarios[s]->seeds_max == 0 || seed <= scenarios[s]->seeds_max))
                items[item_count++] = (struct item){ s, seed };
    run_all(jobs);
    for (uint32_t s = 0; s < scenario_count; s++)
        if (!name || strcmp(scenarios[s]->name, name) == 0)
            summarize(s, values, &passed, &failed);
    free(values);
    free(items);
    free(results);
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0 || passed == 0;
}

static int run_single(const char *name, uint32_t seed)
{
    struct result result = { .seed = seed };

    for (uint32_t s = 0; s < scenario_count; s++) {
        if (strcmp(scenarios[s]->name, name) != 0)
            continue;
        run_item(scenarios[s], seed, true, &result);
        printf("%s, seed %u: %s\nopen %.3f s, %llu steps, packets %016llx", name, seed,
               result.passed ? "passed" : result.text, (double)result.outcome.open / 1e9,
               (unsigned long long)result.outcome.steps, (unsigned long long)result.outcome.hash);
        if (result.outcome.has_figure)
            printf(", %s %.4g", scenarios[s]->figure ? scenarios[s]->figure : "figure",
                   result.outcome.figure);
        printf("\n%d passed, %d failed\n", result.passed, !result.passed);
        fflush(stdout);
        if (!result.passed)
            _exit(1); /* what a failed run leaves behind is no leak */
        return 0;
    }
    fprintf(stderr, "there is no scenario \"%s\" (--list)\n", name);
    return 2;
}

static int compare_scenarios(const void *a, const void *b)
{
    return strcmp((*(struct scenario *const *)a)->name, (*(struct scenario *const *)b)->name);
}

int main(int argc, char **argv)
{
    const char *name = NULL;
    uint32_t seeds = 10, seed = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t jobs = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (size_t)cores;

    program = argv[0];
    qsort(scenarios, scenario_count, sizeof *scenarios, compare_scenarios);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            for (size_t s = 0; s < scenario_count; s++)
                printf("%s\n", scenarios[s]->name);
            return 0;
        }
        if (strcmp(argv[i], "--verbose") == 0) {
            sim_verbose = true;
            continue;
        }
        if (i + 1 == argc) {
            fprintf(stderr, "usage: %s [--seeds N] [--scenario NAME] [--seed S] [--jobs N]\n",
                    argv[0]);
            return 2;
        }
        if (strcmp(argv[i], "--scenario") == 0)
            name = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0)
            seed = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--jobs") == 0)
            jobs = strtoul(argv[++i], NULL, 10);
    }
    if (seeds > SEEDS_MAX || jobs < 1 || jobs > JOBS_MAX || (seed > 0 && !name)) {
        fprintf(stderr, "at most %u seeds and %d jobs; --seed wants a --scenario\n", SEEDS_MAX,
                JOBS_MAX);
        return 2;
    }
    return seed > 0 ? run_single(name, seed) : run_seeds(name, seeds, jobs);
}
