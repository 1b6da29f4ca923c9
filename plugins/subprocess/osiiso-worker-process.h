/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-worker-settings.h"

G_BEGIN_DECLS

/*
 * OsiisoWorker: a process that runs calls, one after the other. It belongs to the
 * thread of its pool, in which all of this is called.
 *
 * It has jobs: the attempts that were sent to it and that it has not answered. The
 * first one is the head, which it runs; those behind it wait in its window.
 */
typedef struct _OsiisoWorker OsiisoWorker;

typedef enum
{
  OSIISO_WORKER_STARTING, /* has not greeted yet */
  OSIISO_WORKER_READY,
  OSIISO_WORKER_RETIRED,  /* gets nothing any more and ends by itself */
  OSIISO_WORKER_STOPPED,  /* is being ended by signals */
} OsiisoWorkerState;

/* The process has ended, and all of its jobs with it. The worker is to be freed.
 * @start_error: (nullable): why it has never been able to run anything; of
 * G_IO_ERROR_TIMED_OUT when it did not greet in time */
typedef void (*OsiisoWorkerGone) (OsiisoWorker *self,
                                  const GError *start_error,
                                  gpointer      data);

/* It has said something, so that it may be able to take more. */
typedef void (*OsiisoWorkerHeard) (OsiisoWorker *self,
                                   gpointer      data);

OsiisoWorker     *osiiso_worker_new        (const OsiisoWorkerSettings *settings,
                                            GMainContext               *context,
                                            OsiisoWorkerHeard           heard,
                                            OsiisoWorkerGone            gone,
                                            gpointer                    data,
                                            GError                    **error);
void              osiiso_worker_free       (OsiisoWorker *self);

OsiisoWorkerState osiiso_worker_get_state  (OsiisoWorker *self);
/* Of them, those of ended attempts count too. */
guint             osiiso_worker_get_n_jobs (OsiisoWorker *self);
/* Whether it answers one to ten times within that time, and will still have enough to
 * do after it, as far as one can know; in microseconds. */
gboolean          osiiso_worker_has_plenty (OsiisoWorker *self,
                                            gint64        time);
/* Whether it is in a call that somebody waits for. */
gboolean          osiiso_worker_is_busy    (OsiisoWorker *self);
/* How many calls it may be given besides those that it has. */
guint             osiiso_worker_get_room   (OsiisoWorker *self);
/* Whether its start may yet fail, or has failed and it is still there: so long it has
 * the place of the one that would be started instead. */
gboolean          osiiso_worker_is_starting (OsiisoWorker *self);
/* Whether its start has been a success, as far as that shows. */
gboolean          osiiso_worker_has_started (OsiisoWorker *self);
/* The same, once. */
gboolean          osiiso_worker_tell_started (OsiisoWorker *self);
/* Whether it has got as many calls as one worker may. */
gboolean          osiiso_worker_is_used_up (OsiisoWorker *self);

/* Takes over the attempt, which has begun when there are no other jobs. Sent by
 * the next flush. One that is too large to be sent fails at once. */
void              osiiso_worker_give       (OsiisoWorker  *self,
                                            OsiisoAttempt *attempt,
                                            OsiisoCall    *call);
/* What there is to be sent goes out, as far as there is room for it. */
void              osiiso_worker_flush      (OsiisoWorker  *self);
/* The attempt was ended. FALSE when it is not one of its jobs. */
gboolean          osiiso_worker_interrupt  (OsiisoWorker  *self,
                                            OsiisoAttempt *attempt);
/* Calls back what waits behind a head that takes its time. Whether there may be
 * some to be called back later. */
gboolean          osiiso_worker_tick       (OsiisoWorker  *self,
                                            gint64         now);
/* Ends when it has answered what it has. */
void              osiiso_worker_retire     (OsiisoWorker  *self);
/* Ends now: asked to, and killed after the grace time. */
void              osiiso_worker_stop       (OsiisoWorker  *self);

G_END_DECLS
