/* SPDX-License-Identifier: Apache-2.0
 * Codec workers. Each has a mailbox of jobs; one mailbox takes the finished ones back, watched by
 * the loop. Both hold LN_WORKERS_JOBS_MAX, which submit() keeps to, so that put never fails. */
#include "client/workers.h"

#include "base/alloc.h"
#include "io/thread.h"

#include <linnet/error.h>

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#define PICTURE_THREADS_DEFAULT_MAX 4

struct worker {
    struct ln_workers *workers;
    struct ln_thread thread;
    struct ln_mailbox jobs;
    size_t under_way; /* kept on the loop */
};

struct ln_workers {
    struct ln_loop *loop;
    struct ln_allocator *allocator;
    struct ln_mailbox finished;
    struct ln_loop_watch *watch;
    size_t under_way;
    bool closing;
    size_t count; /* 0 is for sound */
    struct worker workers[1 + LN_WORKERS_THREADS_MAX];
};

static void run_worker(void *ctx)
{
    struct worker *worker = ctx;
    struct ln_job *job;

    while (ln_mailbox_take(&worker->jobs, &job, LN_TIME_NEVER) == 0) {
        int error;

        job->run(job);
        error = ln_mailbox_put(&worker->workers->finished, &job, NULL);
        assert(error == 0);
        (void)error;
    }
}

static void finish(struct ln_workers *workers, struct ln_job *job)
{
    workers->workers[job->worker].under_way--;
    workers->under_way--;
    job->done(job);
}

static void take_finished(void *ctx, unsigned events)
{
    struct ln_workers *workers = ctx;
    struct ln_job *job;

    (void)events;
    while (ln_mailbox_take(&workers->finished, &job, 0) == 0)
        finish(workers, job);
}

static int start_worker(struct ln_workers *workers, size_t index)
{
    struct worker *worker = &workers->workers[index];
    char name[16];
    int error;

    worker->workers = workers;
    error = ln_mailbox_init(&worker->jobs, sizeof(struct ln_job *), LN_WORKERS_JOBS_MAX,
                            LN_MAILBOX_REFUSE);
    if (error)
        return error;
    snprintf(name, sizeof name, index == 0 ? "sound" : "pictures-%u", (unsigned)index);
    error = ln_thread_start(&worker->thread, name, run_worker, worker);
    if (error)
        ln_mailbox_deinit(&worker->jobs);
    else
        workers->count++;
    return error;
}

static size_t default_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (processors <= 2)
        return 1;
    return processors - 1 < PICTURE_THREADS_DEFAULT_MAX ? (size_t)processors - 1
                                                        : PICTURE_THREADS_DEFAULT_MAX;
}

int ln_workers_create(struct ln_workers **ret_workers, struct ln_loop *loop, size_t picture_threads,
                      struct ln_allocator *allocator)
{
    struct ln_workers *workers = ln_alloc_zero(allocator, sizeof *workers);
    int error;

    if (!workers)
        return LN_ERR_NOMEM;
    if (picture_threads == 0)
        picture_threads = default_threads();
    if (picture_threads > LN_WORKERS_THREADS_MAX)
        picture_threads = LN_WORKERS_THREADS_MAX;
    workers->loop = loop;
    workers->allocator = allocator;
    error = ln_mailbox_init(&workers->finished, sizeof(struct ln_job *), LN_WORKERS_JOBS_MAX,
                            LN_MAILBOX_REFUSE);
    if (error) {
        ln_free(allocator, workers);
        return error;
    }
    error = ln_loop_watch_fd(loop, ln_mailbox_fd(&workers->finished), LN_LOOP_READABLE,
                             take_finished, workers, &workers->watch);
    for (size_t i = 0; !error && i <= picture_threads; i++)
        error = start_worker(workers, i);
    if (error)
        ln_workers_free(workers);
    else
        *ret_workers = workers;
    return error;
}

void ln_workers_free(struct ln_workers *workers)
{
    struct ln_job *job;

    if (!workers)
        return;
    workers->closing = true;
    for (size_t i = 0; i < workers->count; i++)
        ln_mailbox_close(&workers->workers[i].jobs);
    for (size_t i = 0; i < workers->count; i++)
        ln_thread_join(&workers->workers[i].thread);
    while (ln_mailbox_take(&workers->finished, &job, 0) == 0)
        finish(workers, job);
    assert(workers->under_way == 0);
    for (size_t i = 0; i < workers->count; i++)
        ln_mailbox_deinit(&workers->workers[i].jobs);
    ln_loop_watch_remove(workers->watch);
    ln_mailbox_deinit(&workers->finished);
    ln_free(workers->allocator, workers);
}

static size_t choose(const struct ln_workers *workers, enum ln_work work)
{
    size_t best = 1;

    if (work == LN_WORK_SOUND)
        return 0;
    for (size_t i = 2; i < workers->count; i++)
        if (workers->workers[i].under_way < workers->workers[best].under_way)
            best = i;
    return best;
}

int ln_workers_submit(struct ln_workers *workers, enum ln_work work, struct ln_job *job)
{
    size_t chosen = choose(workers, work);

    if (workers->closing || workers->under_way >= LN_WORKERS_JOBS_MAX)
        return LN_ERR_LIMIT;
    job->worker = chosen;
    if (ln_mailbox_put(&workers->workers[chosen].jobs, &job, NULL) != 0)
        return LN_ERR_LIMIT;
    workers->workers[chosen].under_way++;
    workers->under_way++;
    return 0;
}
