/* SPDX-License-Identifier: Apache-2.0
 * Codec workers: threads that run jobs for one loop, so that no codec ever runs on a loop.
 *
 * Sound has a worker of its own, so that it never waits behind a picture; the others share the
 * pictures. A job lives in its owner's memory, is submitted on the loop's thread, run once on a
 * worker, and comes back to the loop's thread. Between submit and done it belongs to the worker:
 * nobody else touches it. The mailboxes both ways have room for all jobs that may be under way, so
 * nothing is ever lost between the threads. */
#ifndef LN_CLIENT_WORKERS_H
#define LN_CLIENT_WORKERS_H

#include "io/loop.h"

#define LN_WORKERS_JOBS_MAX    1024u /* under way at once */
#define LN_WORKERS_THREADS_MAX 16u

struct ln_workers;

enum ln_work { LN_WORK_SOUND, LN_WORK_PICTURES };

struct ln_job {
    void (*run)(struct ln_job *job);  /* on a worker */
    void (*done)(struct ln_job *job); /* on the loop; may free the job */
    size_t worker;                    /* set by submit */
};

/* picture_threads 0: one less than the processors, 1 to 4. Returns 0, LN_ERR_NOMEM, LN_ERR_LIMIT or
 * LN_ERR_SYSTEM. */
LN_NODISCARD int ln_workers_create(struct ln_workers **ret_workers, struct ln_loop *loop,
                                   size_t picture_threads, struct ln_allocator *allocator);
/* Lets the jobs under way end and calls their `done`, which must not submit. On the loop's thread,
 * after all who submit are freed or told to stop. NULL is fine. */
void ln_workers_free(struct ln_workers *workers);

/* The loop's thread. Returns 0 or LN_ERR_LIMIT. */
LN_NODISCARD int ln_workers_submit(struct ln_workers *workers, enum ln_work work,
                                   struct ln_job *job);

#endif
