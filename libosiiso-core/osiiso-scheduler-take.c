/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-handle-private.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-token-private.h"
#include "osiiso-trace-private.h"

/* How tasks get out of the queue: which one is next, who is woken for it, and
 * the loop of the threads that run them. */

void
osiiso_scheduler_decide_wake_locked (OsiisoScheduler *self,
                                     guint            n,
                                     OsiisoWake      *wake)
{
  if (self->sleepers > 0 && !self->waking)
    {
      self->waking = TRUE;
      self->tokens++;
      wake->signal = TRUE;
    }
  if (self->parked)
    {
      self->parked = 0;
      wake->backend = n;
    }
}

/* Ahead, which is beyond the limit. */
static inline gboolean
may_take_ahead_locked (OsiisoScheduler *self)
{
  return self->open && !self->resting && !self->paused && self->n_halting == 0;
}

static inline gboolean
may_take_locked (OsiisoScheduler *self)
{
  return self->n_active < self->limit && may_take_ahead_locked (self);
}

/* Asked only when there is something to take: if that may not begin now, the
 * timer is set for when it may. */
static inline gboolean
rate_allows_locked (OsiisoScheduler *self)
{
  gint64 now;
  gint64 when;

  if (!osiiso_rate_limiter_is_on (&self->limiter))
    return TRUE;
  now = osiiso_clock_now ();
  when = osiiso_rate_limiter_peek (&self->limiter, now);
  if (when <= now)
    return TRUE;
  osiiso_timer_service_arm (&self->client, when);
  return FALSE;
}

/* The next record to run, still in its list. */
static OsiisoRecord *
peek_ready_locked (OsiisoScheduler *self)
{
  OsiisoRecord *record = osiiso_ready_list_peek (&self->ready);
  OsiisoHeapNode *node = osiiso_deadline_heap_peek (&self->returned);
  OsiisoRecord *back;
  int priority;

  if (node == NULL)
    return record;
  back = OSIISO_RARE_FROM_TIMER (node)->record;
  if (record == NULL)
    return back;

  /* Equal priorities run in the order of submission, also after a delay. */
  priority = osiiso_record_get_priority (record);
  if (node->key != priority)
    return node->key < priority ? back : record;
  return (gint32) (node->tie - record->seq) < 0 ? back : record;
}

void
osiiso_scheduler_remove_ready_locked (OsiisoScheduler *self,
                                      OsiisoRecord    *record)
{
  if (osiiso_record_get_word (record) & OSIISO_RECORD_RETURNED)
    {
      osiiso_deadline_heap_remove (&self->returned, &osiiso_record_get_rare (record)->timer);
      osiiso_record_set_flags (record, 0, OSIISO_RECORD_RETURNED);
    }
  else
    {
      osiiso_ready_list_remove (record);
    }
}

static void
splice_inbox_locked (OsiisoScheduler *self)
{
  osiiso_ready_list_splice (&self->ready, &self->inbox);
  atomic_store_explicit (&self->inbox_dirty, FALSE, memory_order_relaxed);
}

void
osiiso_scheduler_announce_locked (OsiisoScheduler *self,
                                  OsiisoWake      *wake)
{
  /* Who goes to sleep says so with both locks held, so that under this one there
   * is nobody to be missed. */
  if ((self->sleepers == 0 && !self->parked) || !may_take_ahead_locked (self) ||
      (self->n_active >= self->limit && !(self->parked & OSIISO_PARKED_AHEAD)))
    return;
  pthread_mutex_lock (&self->inbox_lock);
  if (self->inbox_dirty)
    splice_inbox_locked (self);
  if ((self->sleepers > 0 || self->parked) && peek_ready_locked (self) != NULL && rate_allows_locked (self))
    osiiso_scheduler_decide_wake_locked (self, 1, wake);
  pthread_mutex_unlock (&self->inbox_lock);
}

/* When the attempt begins, for tasks that somebody asks about or that have a
 * timeout. @now is 0 when nobody has looked at the clock yet. */
static void
start_clock_locked (OsiisoScheduler *self,
                    OsiisoAttempt   *attempt,
                    OsiisoRecordExt *ext,
                    gint64           now)
{
  const double timeout = ext->params != NULL ? ext->params->timeout : 0;

  if (ext->created == 0 && timeout <= 0)
    return;
  if (now == 0)
    now = osiiso_clock_now ();
  if (ext->created != 0 && atomic_load_explicit (&ext->started, memory_order_relaxed) == 0)
    atomic_store_explicit (&ext->started, now, memory_order_release);
  if (timeout > 0)
    {
      osiiso_deadline_heap_insert (&self->timeouts, &attempt->timer,
                                   now + osiiso_clock_from_seconds (timeout), attempt->record->seq);
      osiiso_scheduler_arm_timers_locked (self);
    }
}

/* For who looks for it by its record, or by the halt that ends it. */
static inline void
link_attempt_locked (OsiisoScheduler *self,
                     OsiisoAttempt   *attempt)
{
  attempt->link.next = &self->running;
  attempt->link.prev = self->running.prev;
  self->running.prev->next = &attempt->link;
  self->running.prev = &attempt->link;
  attempt->record->link.next = &attempt->link;
}

static inline void
start_attempt_locked (OsiisoScheduler *self,
                      OsiisoAttempt   *attempt,
                      OsiisoRecordExt *ext,
                      gint64           now,
                      guint32          clear)
{
  OsiisoRecord *record = attempt->record;
  gboolean handled;
  guint32 word;

  atomic_store_explicit (&self->n_active, self->n_active + 1, memory_order_relaxed);
  if (ext != NULL)
    start_clock_locked (self, attempt, ext, now);
  word = osiiso_record_set_status (record, OSIISO_STATUS_RUNNING, OSIISO_RECORD_STARTED, clear);

  /* Posted before anybody else can see that it runs, so that nothing that
   * happens to it is told earlier. */
  handled = (word & OSIISO_RECORD_HANDLED) != 0;
  if (osiiso_scheduler_may_listen_locked (self) || (handled && osiiso_handle_may_notify (record)))
    osiiso_outbox_post_signal (&self->outbox, OSIISO_EVENT_START, record, NULL, handled);
}

/* Who begins an attempt. */
typedef enum
{
  BEGIN_FOR_BACKEND, /* which runs it when it likes */
  BEGIN_FOR_SLICE,   /* a thread that runs it now, in serve_for() */
  BEGIN_FOR_SERVER,  /* the same in serve() */
} Beginner;

/* @now as for start_clock_locked(). */
static OsiisoAttempt *
begin_attempt_locked (OsiisoScheduler *self,
                      OsiisoRecord    *record,
                      OsiisoAttempt   *spare,
                      Beginner         who,
                      gint64           now)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  OsiisoAttempt *attempt;
  guint number = 1;
  guint32 state = osiiso_trace_state;

  osiiso_scheduler_remove_ready_locked (self, record);
  if (osiiso_rate_limiter_is_on (&self->limiter))
    {
      now = osiiso_clock_now ();
      osiiso_rate_limiter_take (&self->limiter, now);
    }
  if (ext != NULL && ext->params != NULL)
    number = 1 + atomic_fetch_add_explicit (&ext->attempts, 1, memory_order_acq_rel);
  /* A task that can end in one way only, and once, needs no reference of its own. */
  if (ext == NULL)
    state |= OSIISO_ATTEMPT_BORROWS;
  if (who != BEGIN_FOR_BACKEND)
    state |= OSIISO_ATTEMPT_INSIDE | OSIISO_ATTEMPT_ENTERED;
  if (who == BEGIN_FOR_SERVER)
    state |= OSIISO_ATTEMPT_SERVED;
  if (spare != NULL && osiiso_attempt_reuse (spare, record, number, state))
    attempt = spare;
  else
    attempt = osiiso_attempt_new (self, record, number, state);

  link_attempt_locked (self, attempt);
  start_attempt_locked (self, attempt, ext, now, 0);
  return attempt;
}

void
osiiso_scheduler_link_attempt_locked (OsiisoScheduler *self,
                                      OsiisoAttempt   *attempt)
{
  link_attempt_locked (self, attempt);
}

void
osiiso_scheduler_start_attempt_locked (OsiisoScheduler *self,
                                       OsiisoAttempt   *attempt,
                                       gint64           now)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (attempt->record);

  if (ext != NULL && ext->params != NULL)
    atomic_store_explicit (&ext->attempts, attempt->number, memory_order_release);
  if (atomic_fetch_and (&attempt->state, ~(guint32) OSIISO_ATTEMPT_RESERVED) & OSIISO_ATTEMPT_TRACED)
    osiiso_trace_begin (attempt);
  start_attempt_locked (self, attempt, ext, now, OSIISO_RECORD_RESERVED);
}

OsiisoRecord *
osiiso_scheduler_pop_locked (OsiisoScheduler *self)
{
  OsiisoRecord *record;

  if (self->inbox_dirty)
    {
      pthread_mutex_lock (&self->inbox_lock);
      splice_inbox_locked (self);
      pthread_mutex_unlock (&self->inbox_lock);
    }
  if (!may_take_ahead_locked (self) || (record = peek_ready_locked (self)) == NULL || !rate_allows_locked (self))
    return NULL;
  osiiso_scheduler_remove_ready_locked (self, record);
  if (osiiso_rate_limiter_is_on (&self->limiter))
    osiiso_rate_limiter_take (&self->limiter, osiiso_clock_now ());
  return record;
}

void
osiiso_scheduler_unlink_attempt_locked (OsiisoScheduler *self,
                                        OsiisoAttempt   *attempt)
{
  attempt->link.prev->next = attempt->link.next;
  attempt->link.next->prev = attempt->link.prev;
  osiiso_deadline_heap_remove (&self->timeouts, &attempt->timer);
  attempt->record->link.next = NULL;
  if (G_UNLIKELY (atomic_load_explicit (&attempt->state, memory_order_relaxed) & OSIISO_ATTEMPT_RESERVED))
    osiiso_record_set_flags (attempt->record, 0, OSIISO_RECORD_RESERVED);
  else
    atomic_store_explicit (&self->n_active, self->n_active - 1, memory_order_relaxed);
}

void
osiiso_scheduler_write_off (OsiisoScheduler *self)
{
  pthread_mutex_lock (&self->ready_lock);
  self->n_serving--;
  pthread_mutex_unlock (&self->ready_lock);
}

/*
 * What a thread hands in when it asks for the next attempt.
 *
 * A task that has succeeded, and from which nothing follows but its end, ends in
 * the same critical section in which the next one begins; that halves what
 * threads contend for. Others are ended before, because a failure may cancel
 * what would be taken. In the owner's thread the next one does not begin there
 * either when somebody is told of the end, because who is told may wait for all
 * work.
 */
typedef struct
{
  OsiisoAttempt *attempt; /* (nullable) (owned) */
  gboolean       pending; /* it has to be ended */
  gboolean       ready;   /* for that; see prepare_done() */
  gint64         now;     /* its time, if it is asked for */
  gboolean       at_once; /* nothing of the user's was called since then */
  OsiisoRecord  *record;  /* (nullable), once it has ended */
  gboolean       counted; /* as ended, too */
  gboolean       borrowed; /* the attempt has the queue's reference on it */
  guint32        word;
  OsiisoRecordChain *freed; /* (nullable): records to be given back now and then */
} Done;

static inline gboolean
in_owner (OsiisoScheduler *self)
{
  return (self->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) != 0;
}

static gboolean
is_simple (OsiisoScheduler *self,
           OsiisoAttempt   *attempt)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (attempt->record);

  if (attempt->status != OSIISO_STATUS_SUCCEEDED || (ext != NULL && ext->batch != NULL) ||
      (osiiso_record_get_word (attempt->record) & OSIISO_RECORD_BOUNDED))
    return FALSE;
  /* Releasing the user data may call there too, and comes after the end. */
  return !in_owner (self) || (osiiso_record_get_word (attempt->record) & (OSIISO_RECORD_TOKEN | OSIISO_RECORD_MAP)) ||
         attempt->record->destroy == NULL;
}

static void
prepare_done (OsiisoScheduler *self,
              Done            *done)
{
  OsiisoRecord *record;
  OsiisoRecordExt *ext;

  if (!done->pending || done->ready)
    return;
  record = done->attempt->record;
  done->ready = TRUE;
  if (!is_simple (self, done->attempt))
    {
      osiiso_scheduler_attempt_ended (self, done->attempt, done->attempt->status,
                                      g_steal_pointer (&done->attempt->outcome), done->attempt->retry_after);
      done->pending = FALSE;
      return;
    }
  ext = done->attempt->outcome != NULL ? osiiso_record_ensure_ext (record) : osiiso_record_get_ext (record);
  if (ext != NULL && ext->created != 0)
    {
      done->now = osiiso_clock_now ();
      done->at_once = record->destroy == NULL;
    }
  osiiso_scheduler_drop_payload (self, record);
}

static void
end_done_locked (OsiisoScheduler *self,
                 Done            *done)
{
  OsiisoRecord *record = done->attempt->record;
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  gboolean handled;

  osiiso_scheduler_unlink_attempt_locked (self, done->attempt);
  if (ext != NULL)
    {
      ext->outcome = g_steal_pointer (&done->attempt->outcome);
      ext->finished = done->now;
    }
  done->word = osiiso_record_set_status (record, OSIISO_STATUS_SUCCEEDED, 0, 0);
  osiiso_scheduler_count_end_locked (self, done->word, OSIISO_STATUS_SUCCEEDED);
  osiiso_scheduler_keep_result_locked (self, record, done->word, OSIISO_STATUS_SUCCEEDED);
  /* Here, so that it is told before the start of what this thread takes next. */
  handled = (done->word & OSIISO_RECORD_HANDLED) != 0;
  if (handled || (done->word & OSIISO_RECORD_TOKEN) || osiiso_scheduler_may_listen_locked (self))
    osiiso_outbox_post_signal (&self->outbox, OSIISO_EVENT_COMPLETE, record, NULL, handled);
  done->borrowed = (atomic_load_explicit (&done->attempt->state, memory_order_relaxed) & OSIISO_ATTEMPT_BORROWS) != 0;
  done->record = record;
  done->pending = FALSE;
}

/* What is left to do when the locks are released. */
static void
finish_done (OsiisoScheduler *self,
             Done            *done)
{
  OsiisoRecord *record = g_steal_pointer (&done->record);

  if (record == NULL)
    return;
  if (done->word & OSIISO_RECORD_TOKEN)
    osiiso_token_ended (self, record);
  if (done->counted)
    osiiso_admission_place_freed (self);
  else
    osiiso_scheduler_count_out (self);
  if (done->word & OSIISO_RECORD_WAITED)
    osiiso_scheduler_wake_waiters (self, record);
  /* The queue's reference, unless the attempt has it. */
  if (!done->borrowed)
    osiiso_record_unref (record);
}

/* The same when no other attempt took its memory over, which is kept for the
 * next one. */
static void
retire_done (OsiisoScheduler *self,
             Done            *done)
{
  finish_done (self, done);
  if (done->attempt != NULL)
    done->attempt = osiiso_attempt_retire (done->attempt);
}

/* How many records a thread gives back at once. */
#define N_FREED 32

/* How a thread asks for an attempt. */
typedef enum
{
  ASK_WAIT,   /* sleeps until there is one */
  ASK_PARK,   /* has to be woken by the backend's slot when there is none */
  ASK_TOKENS, /* looks whether the next one is a token's, and asks otherwise later */
} Ask;

/* What a thread is in the middle of. */
typedef struct _Serving Serving;
struct _Serving
{
  Serving         *outer;
  OsiisoAttempt   *outer_attempt; /* (nullable): whose function called this thread's loop */
  OsiisoTaskFrame *outer_frame;   /* (nullable): the same */
  OsiisoScheduler *scheduler;
  OsiisoAttempt   *attempt; /* (nullable) (owned): whose function it is in */
  Done             done;
  OsiisoRecordChain freed;
  Beginner         who;
  gint64           until;   /* 0: no limit */
};

static _Thread_local Serving *current_serving;

/* Ends what is done when the thread does not ask for more. */
static void
settle_done (OsiisoScheduler *self,
             Done            *done)
{
  prepare_done (self, done);
  if (done->pending)
    {
      OsiisoWake wake = { 0 };

      pthread_mutex_lock (&self->ready_lock);
      end_done_locked (self, done);
      osiiso_scheduler_announce_locked (self, &wake);
      pthread_mutex_unlock (&self->ready_lock);
      osiiso_scheduler_act (self, &wake);
    }
  finish_done (self, done);
  g_clear_pointer (&done->attempt, osiiso_attempt_unref);
}

/* Waits to be woken, with the inbox lock, which is released. */
static gboolean
sleep_locked (OsiisoScheduler *self)
{
  const guint shrunk = self->shrunk;
  gboolean woken;

  while (self->tokens == 0 && !self->stopping && self->shrunk == shrunk)
    pthread_cond_wait (&self->inbox_cond, &self->inbox_lock);
  atomic_store_explicit (&self->sleepers, self->sleepers - 1, memory_order_relaxed);
  woken = self->tokens > 0;
  if (woken)
    self->tokens--;
  pthread_mutex_unlock (&self->inbox_lock);
  return woken;
}

static void
free_later (OsiisoRecordChain *freed,
            OsiisoRecord      *record)
{
  if (freed == NULL)
    {
      osiiso_record_unref (record);
      return;
    }
  osiiso_record_unref_later (record, freed);
  if (freed->n >= N_FREED)
    osiiso_record_pool_return_chain (freed);
}

static gboolean
is_token (OsiisoRecord *record)
{
  return (osiiso_record_get_word (record) & OSIISO_RECORD_TOKEN) != 0;
}

/* The next attempt, for which the calling thread hands in what it has done. NULL
 * when there is none and the thread does not wait, when the backend closes, and
 * for a thread that serves when there are more of them than workers. */
static OsiisoAttempt *
exchange (OsiisoScheduler *self,
          Done            *done,
          Ask              ask,
          Beginner         who)
{
  const gboolean serving = who == BEGIN_FOR_SERVER;
  gboolean woken = FALSE;

  prepare_done (self, done);
  for (;;)
    {
      OsiisoRecord *record;
      OsiisoAttempt *attempt;
      OsiisoWake wake = { 0 };

      pthread_mutex_lock (&self->ready_lock);
      if (done->pending)
        end_done_locked (self, done);
      if (woken || atomic_load_explicit (&self->inbox_dirty, memory_order_relaxed))
        {
          pthread_mutex_lock (&self->inbox_lock);
          splice_inbox_locked (self);
          if (woken)
            self->waking = woken = FALSE;
          pthread_mutex_unlock (&self->inbox_lock);
        }

      if (serving && self->n_serving > self->limit && ask != ASK_TOKENS)
        {
          self->n_serving--;
          /* It may have been woken for a task that another one has to take now. */
          osiiso_scheduler_announce_locked (self, &wake);
          pthread_mutex_unlock (&self->ready_lock);
          osiiso_scheduler_act (self, &wake);
          retire_done (self, done);
          return NULL;
        }
      if (done->record != NULL && in_owner (self) && !osiiso_outbox_is_empty (&self->outbox))
        {
          osiiso_scheduler_announce_locked (self, &wake);
          pthread_mutex_unlock (&self->ready_lock);
          osiiso_scheduler_act (self, &wake);
          retire_done (self, done);
          osiiso_outbox_drain (&self->outbox);
          continue;
        }
      if (may_take_locked (self) && (record = peek_ready_locked (self)) != NULL && rate_allows_locked (self) &&
          (ask != ASK_TOKENS || (is_token (record) && self->n_serving <= self->limit)))
        {
          OsiisoRecord *old = done->attempt != NULL ? done->attempt->record : NULL;

          /* One task begins when the one before it has ended. */
          attempt = begin_attempt_locked (self, record, done->attempt, who,
                                          done->record != NULL && done->at_once ? done->now : 0);
          /* What is told of an end is told before it is counted. */
          if (done->record != NULL && !(done->word & (OSIISO_RECORD_TOKEN | OSIISO_RECORD_WAITED)))
            {
              osiiso_scheduler_count_out_locked (self);
              done->counted = TRUE;
            }
          /* Something is left: the next sleeper comes too. */
          osiiso_scheduler_announce_locked (self, &wake);
          pthread_mutex_unlock (&self->ready_lock);
          osiiso_scheduler_act (self, &wake);
          finish_done (self, done);
          if (attempt != done->attempt)
            g_clear_pointer (&done->attempt, osiiso_attempt_unref);
          else if (old != NULL)
            free_later (done->freed, old);
          done->attempt = NULL;
          return attempt;
        }

      if (done->attempt != NULL && done->attempt->record != NULL)
        {
          pthread_mutex_unlock (&self->ready_lock);
          retire_done (self, done);
          continue;
        }

      if (ask == ASK_TOKENS)
        {
          /* What is next is for somebody else, now and not when this one is back. */
          osiiso_scheduler_announce_locked (self, &wake);
          pthread_mutex_unlock (&self->ready_lock);
          osiiso_scheduler_act (self, &wake);
          return NULL;
        }

      pthread_mutex_lock (&self->inbox_lock);
      if (self->inbox_dirty && may_take_locked (self))
        {
          pthread_mutex_unlock (&self->inbox_lock);
          pthread_mutex_unlock (&self->ready_lock);
          continue;
        }
      if (ask == ASK_PARK || self->stopping)
        {
          if (ask == ASK_PARK)
            osiiso_scheduler_park_locked (self, OSIISO_PARKED);
          else
            atomic_store_explicit (&self->parked, 0, memory_order_relaxed);
          if (serving)
            self->n_serving--;
          pthread_mutex_unlock (&self->inbox_lock);
          pthread_mutex_unlock (&self->ready_lock);
          return NULL;
        }
      atomic_store_explicit (&self->sleepers, self->sleepers + 1, memory_order_relaxed);
      pthread_mutex_unlock (&self->ready_lock);
      if (done->freed != NULL)
        osiiso_record_pool_return_chain (done->freed);
      woken = sleep_locked (self);
    }
}

OsiisoAttempt *
osiiso_scheduler_take (OsiisoScheduler *self,
                       gboolean         wait)
{
  Done none = { NULL };
  OsiisoAttempt *attempt = exchange (self, &none, wait ? ASK_WAIT : ASK_PARK, BEGIN_FOR_BACKEND);

  /* Those of a thread that serves begin when their function is entered. */
  if (osiiso_trace_state != 0 && attempt != NULL)
    osiiso_trace_begin (attempt);
  return attempt;
}

/* Runs the function of the attempt that the thread has got, and keeps it to be
 * handed in. TRUE when the thread was written off meanwhile. */
static gboolean
perform (Serving *serving)
{
  const gboolean pending = osiiso_attempt_perform (&serving->attempt);
  OsiisoAttempt *attempt = g_steal_pointer (&serving->attempt);
  gboolean stuck;

  /* Handed in already, where its function asked for the next token. */
  if (attempt == NULL)
    return FALSE;
  if (pending)
    {
      serving->done = (Done) { .attempt = attempt, .pending = TRUE, .freed = &serving->freed };
      return FALSE;
    }
  stuck = osiiso_attempt_is_stuck (attempt);
  osiiso_attempt_unref (attempt);
  return stuck;
}

/* TRUE when the thread was written off. */
static gboolean
serve_tasks (Serving *serving)
{
  gboolean stuck = FALSE;

  while (!stuck && (serving->attempt = exchange (serving->scheduler, &serving->done, ASK_WAIT, BEGIN_FOR_SERVER)) != NULL)
    stuck = perform (serving);
  return stuck;
}

/* A function has ended the thread, of which nothing returns any more. */
static void
thread_exits (void *data)
{
  Serving *serving = data;

  current_serving = serving->outer;
  osiiso_attempt_set_current (serving->outer_attempt);
  osiiso_task_frame_unwind (serving->outer_frame);
  osiiso_token_thread_exits ();
  if (serving->attempt != NULL)
    osiiso_attempt_thread_exits (serving->attempt);
  g_clear_pointer (&serving->attempt, osiiso_attempt_unref);
  osiiso_record_pool_return_chain (&serving->freed);
  osiiso_runner_leave_thread (serving->scheduler);
}

OsiisoServeEnd
osiiso_scheduler_serve (OsiisoScheduler *self)
{
  Serving serving = {
    .outer = current_serving,
    .outer_attempt = osiiso_attempt_get_current (),
    .outer_frame = osiiso_task_frame_get_current (),
    .scheduler = self,
    .who = BEGIN_FOR_SERVER,
  };
  OsiisoServeEnd end = OSIISO_SERVE_END_CLOSED;
  gboolean stuck;

  pthread_mutex_lock (&self->ready_lock);
  self->n_serving++;
  pthread_mutex_unlock (&self->ready_lock);

  current_serving = &serving;
  pthread_cleanup_push (thread_exits, &serving);
  stuck = serve_tasks (&serving);
  pthread_cleanup_pop (FALSE);
  current_serving = serving.outer;

  g_clear_pointer (&serving.done.attempt, osiiso_attempt_unref);
  osiiso_record_pool_return_chain (&serving.freed);
  osiiso_runner_leave_thread (self);
  /* Not counted any more since the attempt was interrupted. */
  if (stuck)
    return OSIISO_SERVE_END_INTERRUPTED;

  pthread_mutex_lock (&self->inbox_lock);
  if (!self->stopping)
    end = OSIISO_SERVE_END_SURPLUS;
  pthread_mutex_unlock (&self->inbox_lock);
  return end;
}

/* Tells the owner, in whose thread this is, what there is to be told, before
 * anything else begins: handlers of what ended may wait for all work. */
static void
drain_in_owner (OsiisoScheduler *self)
{
  if (in_owner (self) && !osiiso_outbox_is_empty (&self->outbox))
    osiiso_outbox_drain (&self->outbox);
}

gboolean
osiiso_scheduler_serve_for (OsiisoScheduler *self,
                            gint64           us)
{
  Serving serving = {
    .outer = current_serving,
    .outer_attempt = osiiso_attempt_get_current (),
    .scheduler = self,
    .who = BEGIN_FOR_SLICE,
    .until = g_get_monotonic_time () + us,
  };
  gboolean more = TRUE;

  current_serving = &serving;
  do
    {
      prepare_done (self, &serving.done);
      drain_in_owner (self);
      serving.attempt = exchange (self, &serving.done, ASK_PARK, BEGIN_FOR_SLICE);
      more = serving.attempt != NULL;
      if (more)
        perform (&serving);
    }
  while (more && g_get_monotonic_time () < serving.until);
  current_serving = serving.outer;

  settle_done (self, &serving.done);
  osiiso_record_pool_return_chain (&serving.freed);
  return more;
}

/* Whether the thread is in a token's function, called by one of the loops above
 * and not by a function that iterates a context within it. */
static Serving *
get_token_serving (OsiisoScheduler *self)
{
  Serving *serving = current_serving;

  if (serving == NULL || serving->scheduler != self || serving->attempt == NULL ||
      serving->attempt != osiiso_attempt_get_current () || !is_token (serving->attempt->record))
    return NULL;
  return serving;
}

OsiisoAttempt *
osiiso_scheduler_exchange_token (OsiisoScheduler *self,
                                 gboolean        *accepted)
{
  OsiisoAttempt *current = osiiso_attempt_get_current ();
  Serving *serving = get_token_serving (self);

  *accepted = current != NULL && current->scheduler == self && is_token (current->record) &&
              osiiso_attempt_finish_token (current);
  /* Over already, from outside; or there is nobody who could hand out more. */
  if (serving == NULL || !osiiso_attempt_leave (current))
    return NULL;

  g_assert (current != NULL);
  osiiso_attempt_set_current (serving->outer_attempt);
  serving->attempt = NULL;
  serving->done = (Done) { .attempt = current, .pending = TRUE, .freed = &serving->freed };
  do
    {
      prepare_done (self, &serving->done);
      drain_in_owner (self);
      if (serving->until == 0 || g_get_monotonic_time () < serving->until)
        serving->attempt = exchange (self, &serving->done, ASK_TOKENS, serving->who);
      if (serving->attempt == NULL)
        {
          /* Counted out before the function goes on, which may submit more. */
          settle_done (self, &serving->done);
          return NULL;
        }
      /* A handler that waits for all work waits for this attempt too. */
      osiiso_attempt_set_current (serving->attempt);
      drain_in_owner (self);
      osiiso_attempt_set_current (serving->outer_attempt);
      if (osiiso_attempt_enter (serving->attempt))
        break;
      if (osiiso_attempt_is_stuck (serving->attempt))
        {
          /* The thread was written off for it, as perform() finds when the function
           * has returned. */
          settle_done (self, &serving->done);
          return NULL;
        }
      g_clear_pointer (&serving->attempt, osiiso_attempt_unref);
    }
  while (serving->attempt == NULL);

  osiiso_attempt_set_current (serving->attempt);
  return serving->attempt;
}
