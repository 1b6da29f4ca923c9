/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-error.h"
#include "osiiso-task-contexts-private.h"
#include "osiiso-wait-private.h"

enum
{
  STATE_HOPEFUL,
  STATE_HOPELESS, /* as far as is known */
  STATE_REFUSED,  /* its thread goes on with an error, or is taken to do so */
};

/* How much is tried to find whom to refuse, in waits that are looked at again. */
#define MAX_TRIED 4096

#define WAIT_FROM_LINK(l) ((OsiisoWait *) (void *) ((char *) (l) - G_STRUCT_OFFSET (OsiisoWait, link)))

static pthread_mutex_t graph_lock = PTHREAD_MUTEX_INITIALIZER;

/* graph_lock, from the oldest to the newest */
static OsiisoLink waits = { &waits, &waits };
/* (nullable): the only one that counts as hopeless */
static OsiisoWait *alone;
/* Tells frames that were counted from others. */
static guint last_mark;
/* What was counted last, as long as the same waits count as hopeless: many may wait
 * for workers of one queue. */
static OsiisoScheduler *counted; /* (nullable) */
static guint n_counted;

static _Atomic guint n_waits; /* written with graph_lock */

guint
osiiso_wait_graph_count (void)
{
  return atomic_load (&n_waits);
}

/* The next wait that counts as hopeless. */
static OsiisoWait *
next_hopeless (OsiisoWait *self)
{
  OsiisoLink *link;

  if (alone != NULL)
    return self == NULL ? alone : NULL;
  link = self != NULL ? self->link.next : waits.next;
  while (link != &waits && WAIT_FROM_LINK (link)->state != STATE_HOPELESS)
    link = link->next;
  return link != &waits ? WAIT_FROM_LINK (link) : NULL;
}

static OsiisoAttempt *
frame_get_attempt (OsiisoTaskFrame *frame)
{
  return frame->location != NULL ? *frame->location : NULL;
}

/* Tasks that are ended from outside, sooner or later. */

static gboolean
is_cut_locked (OsiisoScheduler *scheduler,
               guint32          word)
{
  const gboolean must_complete = (word & OSIISO_RECORD_MUST_COMPLETE) != 0;
  gboolean cut;

  if (scheduler->shutdown_deadline != 0 || (scheduler->halted && !scheduler->broken && !must_complete))
    return TRUE;
  pthread_mutex_lock (&scheduler->view_lock);
  cut = scheduler->run.active && scheduler->run.limited &&
        (scheduler->run.on_timeout == OSIISO_TIMEOUT_POLICY_CANCEL || !must_complete);
  pthread_mutex_unlock (&scheduler->view_lock);
  return cut;
}

static gboolean
ends_by_itself (OsiisoScheduler *scheduler,
                OsiisoRecord    *record)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  const guint32 word = osiiso_record_get_word (record);
  gboolean cut;

  if (word & (OSIISO_RECORD_CANCEL_ASKED | OSIISO_RECORD_OVERDUE))
    return TRUE;
  if (ext != NULL && ext->params != NULL &&
      (ext->params->deadline > 0 ||
       (ext->params->timeout > 0 && osiiso_word_get_status (word) == OSIISO_STATUS_RUNNING)))
    return TRUE;
  pthread_mutex_lock (&scheduler->ready_lock);
  cut = is_cut_locked (scheduler, word);
  pthread_mutex_unlock (&scheduler->ready_lock);
  return cut;
}

/* Whether the task of a frame, or the worker in the initializer, goes on only with
 * the thread. With @anyhow whatever may end it from outside. */
static gboolean
frame_holds (OsiisoTaskFrame *frame,
             gboolean     anyhow)
{
  OsiisoAttempt *attempt = frame_get_attempt (frame);

  if (attempt == NULL)
    return TRUE;
  /* It has ended, or is tried again, without this thread. */
  if (atomic_load (&attempt->state) & OSIISO_ATTEMPT_INTERRUPTED)
    return FALSE;
  return anyhow || !ends_by_itself (attempt->scheduler, attempt->record);
}

static void
look_at_frames (OsiisoWait *self,
                gboolean    anyhow)
{
  for (OsiisoTaskFrame *frame = self->frames; frame != NULL; frame = frame->outer)
    frame->holds = frame_holds (frame, anyhow);
}

/* What hopeless waits hold. */

/* How many workers of @scheduler, or only tasks. A thread that iterates may be in
 * several waits, with the same frames. */
static guint
count_held (OsiisoScheduler *scheduler,
            gboolean         workers)
{
  const guint mark = ++last_mark;
  guint n = 0;

  for (OsiisoWait *wait = next_hopeless (NULL); wait != NULL; wait = next_hopeless (wait))
    for (OsiisoTaskFrame *frame = wait->frames; frame != NULL && frame->mark != mark; frame = frame->outer)
      {
        frame->mark = mark;
        if (frame->scheduler == scheduler && frame->holds && (workers || frame_get_attempt (frame) != NULL))
          n++;
      }
  return n;
}

static gboolean
is_held (OsiisoRecord *record)
{
  for (OsiisoWait *wait = next_hopeless (NULL); wait != NULL; wait = next_hopeless (wait))
    for (OsiisoTaskFrame *frame = wait->frames; frame != NULL; frame = frame->outer)
      {
        OsiisoAttempt *attempt = frame_get_attempt (frame);

        if (frame->holds && attempt != NULL && attempt->record == record)
          return TRUE;
      }
  return FALSE;
}

static gboolean
runs_in_context (OsiisoScheduler *scheduler)
{
  return (scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) != 0;
}

/* A thread that blocks in a function of such a queue, or in another one that its
 * context calls, keeps the context from all that it would do, no matter what becomes
 * of the task. It owns the context then, and each such queue is known for that. */
static gboolean
is_context_held (OsiisoScheduler *scheduler)
{
  if (!runs_in_context (scheduler))
    return FALSE;
  for (OsiisoWait *wait = next_hopeless (NULL); wait != NULL; wait = next_hopeless (wait))
    if (wait->contexts != NULL && g_ptr_array_find (wait->contexts, scheduler->outbox.context, NULL))
      return TRUE;
  return FALSE;
}

/* Whether there will be a worker for what waits to be run. */
static gboolean
has_worker (OsiisoScheduler *scheduler)
{
  guint limit;

  if (is_context_held (scheduler))
    return FALSE;
  if (counted != scheduler)
    {
      n_counted = count_held (scheduler, TRUE);
      counted = scheduler;
    }
  pthread_mutex_lock (&scheduler->ready_lock);
  limit = scheduler->limit;
  pthread_mutex_unlock (&scheduler->ready_lock);
  return n_counted < limit;
}

static OsiisoHopeless
why_no_worker (OsiisoScheduler *scheduler)
{
  return is_context_held (scheduler) ? OSIISO_HOPELESS_CONTEXT : OSIISO_HOPELESS_WORKERS;
}

static gboolean
is_never_run (OsiisoScheduler *scheduler,
              OsiisoRecord    *record)
{
  const OsiisoStatus status = osiiso_record_get_status (record);

  return !osiiso_status_is_final (status) && status != OSIISO_STATUS_RUNNING &&
         (alone != NULL || !ends_by_itself (scheduler, record));
}

/* How many tasks wait to be run; not more than @most of them are counted. */

static guint
count_list (OsiisoReadyList *list,
            guint            most)
{
  guint n = 0;

  for (guint i = 0; i < OSIISO_N_LEVELS; i++)
    for (OsiisoLink *l = list->levels[i].next; l != &list->levels[i] && n < most; l = l->next)
      n++;
  return n;
}

static guint
count_waiting_locked (OsiisoScheduler *scheduler,
                      guint            most)
{
  guint n = MIN (most, scheduler->returned.n_nodes + scheduler->delays.n_nodes);

  n += count_list (&scheduler->ready, most - n);
  n += count_list (&scheduler->inbox, most - n);
  /* What a backend has taken ahead waits there. */
  for (OsiisoLink *l = scheduler->running.next; l != &scheduler->running && n < most; l = l->next)
    n += (atomic_load (&OSIISO_ATTEMPT_FROM_LINK (l)->state) & OSIISO_ATTEMPT_RESERVED) != 0 ? 1 : 0;
  return n;
}

/* Whether a wait is hopeless when those are that count as such. Says why. */

static gboolean
is_task_hopeless (OsiisoWait *self)
{
  const OsiisoStatus status = osiiso_record_get_status (self->record);

  if (osiiso_status_is_final (status))
    return FALSE;
  if (status == OSIISO_STATUS_RUNNING)
    {
      self->why = alone != NULL ? OSIISO_HOPELESS_SELF : OSIISO_HOPELESS_CYCLE;
      return is_held (self->record);
    }
  if (has_worker (self->scheduler) || !is_never_run (self->scheduler, self->record))
    return FALSE;
  self->why = why_no_worker (self->scheduler);
  return TRUE;
}

static gboolean
is_member_locked (OsiisoBatch  *batch,
                  OsiisoRecord *record)
{
  const guint index = osiiso_record_get_index (record);

  return index < batch->records->len && g_ptr_array_index (batch->records, index) == record &&
         !osiiso_status_is_final (osiiso_record_get_status (record));
}

static guint
count_held_members_locked (OsiisoBatch *batch)
{
  const guint mark = ++last_mark;
  guint n = 0;

  for (OsiisoWait *wait = next_hopeless (NULL); wait != NULL; wait = next_hopeless (wait))
    for (OsiisoTaskFrame *frame = wait->frames; frame != NULL && frame->mark != mark; frame = frame->outer)
      {
        OsiisoAttempt *attempt = frame_get_attempt (frame);

        frame->mark = mark;
        if (frame->scheduler == batch->scheduler && frame->holds && attempt != NULL &&
            is_member_locked (batch, attempt->record))
          n++;
      }
  return n;
}

/* How many members will never end; with the lock of the batch. */
static guint
count_hopeless_members_locked (OsiisoWait *self)
{
  OsiisoBatch *batch = self->batch;
  const guint n_held = count_held_members_locked (batch);
  guint n_waiting = 0;

  if (!has_worker (batch->scheduler))
    for (guint i = 0; i < batch->records->len; i++)
      n_waiting += is_never_run (batch->scheduler, g_ptr_array_index (batch->records, i)) ? 1 : 0;

  if (n_waiting > 0)
    self->why = why_no_worker (batch->scheduler);
  else
    self->why = alone != NULL ? OSIISO_HOPELESS_SELF : OSIISO_HOPELESS_CYCLE;
  return n_held + n_waiting;
}

static gboolean
is_group_hopeless (OsiisoWait *self)
{
  guint n;

  pthread_mutex_lock (&self->batch->lock);
  n = count_hopeless_members_locked (self);
  pthread_mutex_unlock (&self->batch->lock);
  return n > 0;
}

/* How many stand before @self and do not go away. */
static guint
get_place_locked (OsiisoWait *self)
{
  GQueue *line = &self->batch->next_waiters;
  guint place = (guint) g_queue_index (line, self->waiter);

  for (OsiisoLink *link = waits.next; link != &waits; link = link->next)
    {
      OsiisoWait *other = WAIT_FROM_LINK (link);

      if (other->state != STATE_REFUSED || other->kind != OSIISO_WAIT_MEMBER || other->batch != self->batch ||
          g_queue_index (line, other->waiter) < 0)
        continue;
      if (g_queue_index (line, other->waiter) < g_queue_index (line, self->waiter))
        place--;
    }
  return place;
}

static gboolean
is_member_hopeless (OsiisoWait *self)
{
  OsiisoBatch *batch = self->batch;
  gboolean hopeless = FALSE;

  pthread_mutex_lock (&batch->lock);
  if (g_queue_index (&batch->next_waiters, self->waiter) >= 0)
    {
      /* Some may have ended and be about to be given out. */
      const guint n_left = batch->records->len - batch->n_delivered;
      const guint n_ends = n_left - count_hopeless_members_locked (self);

      /* Who stands behind all members gets an answer when the last one ends. */
      hopeless = n_ends < MIN (get_place_locked (self) + 1, n_left);
    }
  pthread_mutex_unlock (&batch->lock);
  return hopeless;
}

static gboolean
is_work_hopeless (OsiisoWait *self)
{
  guint n_waiting;

  self->why = OSIISO_HOPELESS_CYCLE;
  for (OsiisoWait *wait = next_hopeless (NULL); wait != NULL; wait = next_hopeless (wait))
    {
      if (wait->kind == OSIISO_WAIT_ROOM && wait->scheduler == self->scheduler && !self->cuts)
        return TRUE;
      for (OsiisoTaskFrame *frame = wait->frames; frame != NULL; frame = frame->outer)
        {
          OsiisoAttempt *attempt = frame_get_attempt (frame);

          if (frame->scheduler == self->scheduler && frame->holds && attempt != NULL &&
              !(self->cuts && !osiiso_record_get_must_complete (attempt->record)))
            return TRUE;
        }
    }
  if (self->cuts || has_worker (self->scheduler))
    return FALSE;
  self->why = why_no_worker (self->scheduler);
  pthread_mutex_lock (&self->scheduler->ready_lock);
  pthread_mutex_lock (&self->scheduler->inbox_lock);
  n_waiting = count_waiting_locked (self->scheduler, 1);
  pthread_mutex_unlock (&self->scheduler->inbox_lock);
  pthread_mutex_unlock (&self->scheduler->ready_lock);
  return n_waiting > 0;
}

static gboolean
is_room_out_of_reach_locked (OsiisoWait *self,
                             gboolean    worker,
                             guint       n_held)
{
  OsiisoScheduler *scheduler = self->scheduler;
  const guint size = scheduler->room.size;
  guint64 total = 0;
  guint most = 0;

  if (self->room->entry != OSIISO_ENTRY_WAITS || size == 0 || !scheduler->accepting || scheduler->halted)
    return FALSE;
  /* Those in front come in first. */
  for (OsiisoLink *link = scheduler->room.line.next;; link = link->next)
    {
      OsiisoRoomWaiter *other = OSIISO_ROOM_WAITER_FROM_LINK (link);

      if (other == self->room || other->wait == NULL || other->wait->state != STATE_REFUSED)
        {
          total += other->n;
          most = MAX (most, other->n);
        }
      if (other == self->room)
        break;
    }
  if (worker)
    return (guint64) n_held + most > size;
  /* What waits stays there, and so does what comes in. */
  total += n_held;
  return total > size || total + count_waiting_locked (scheduler, size) > size;
}

static gboolean
is_room_hopeless (OsiisoWait *self)
{
  OsiisoScheduler *scheduler = self->scheduler;
  const gboolean worker = has_worker (scheduler);
  const guint n_held = count_held (scheduler, FALSE);
  gboolean hopeless;

  self->why = worker ? OSIISO_HOPELESS_PLACES : why_no_worker (scheduler);
  pthread_mutex_lock (&scheduler->ready_lock);
  pthread_mutex_lock (&scheduler->inbox_lock);
  hopeless = is_room_out_of_reach_locked (self, worker, n_held);
  pthread_mutex_unlock (&scheduler->inbox_lock);
  pthread_mutex_unlock (&scheduler->ready_lock);
  return hopeless;
}

static gboolean
is_hopeless (OsiisoWait *self)
{
  switch (self->kind)
    {
    case OSIISO_WAIT_TASK:
      return is_task_hopeless (self);
    case OSIISO_WAIT_GROUP:
      return is_group_hopeless (self);
    case OSIISO_WAIT_MEMBER:
      return is_member_hopeless (self);
    case OSIISO_WAIT_WORK:
      return is_work_hopeless (self);
    case OSIISO_WAIT_ROOM:
      return is_room_hopeless (self);
    default:
      g_assert_not_reached ();
    }
}

static void
suspect_all (void)
{
  counted = NULL;
  for (OsiisoLink *link = waits.next; link != &waits; link = link->next)
    if (WAIT_FROM_LINK (link)->state != STATE_REFUSED)
      WAIT_FROM_LINK (link)->state = STATE_HOPELESS;
}

/* Takes out what can end until only what is hopeless is left; says how many. */
static guint
find_hopeless (void)
{
  gboolean changed;
  guint n;

  suspect_all ();
  do
    {
      changed = FALSE;
      n = 0;
      for (OsiisoWait *wait = next_hopeless (NULL); wait != NULL; wait = next_hopeless (wait))
        {
          if (is_hopeless (wait))
            {
              n++;
              continue;
            }
          wait->state = STATE_HOPEFUL;
          counted = NULL;
          changed = TRUE;
        }
    }
  while (changed && n > 0);
  return n;
}

static void
wake (OsiisoWait *self)
{
  OsiisoScheduler *scheduler = self->scheduler;

  if (self->kind == OSIISO_WAIT_ROOM)
    {
      pthread_mutex_lock (&scheduler->inbox_lock);
      pthread_cond_signal (&self->room->cond);
      pthread_mutex_unlock (&scheduler->inbox_lock);
      return;
    }
  if (self->iterates)
    g_main_context_wakeup (scheduler->outbox.context);
  pthread_mutex_lock (&scheduler->view_lock);
  pthread_cond_broadcast (&scheduler->view_cond);
  pthread_mutex_unlock (&scheduler->view_lock);
}

/* Of the @n_hopeless that are hopeless now, the one without which the fewest are; of
 * several the newest. Among very many only some of the newest are tried. */
static OsiisoWait *
find_culprit (guint n_hopeless)
{
  guint n_tries = 1 + MAX_TRIED / n_hopeless;
  OsiisoWait *culprit = NULL;
  guint fewest = G_MAXUINT;

  for (OsiisoLink *link = waits.prev; link != &waits && fewest > 0 && n_tries > 0; link = link->prev)
    {
      OsiisoWait *wait = WAIT_FROM_LINK (link);
      guint n;

      if (wait->state != STATE_HOPELESS)
        continue;
      n_tries--;
      wait->state = STATE_REFUSED;
      n = find_hopeless ();
      wait->state = STATE_HOPEFUL;
      if (n < fewest)
        {
          culprit = wait;
          fewest = n;
        }
      find_hopeless ();
    }
  return culprit;
}

static void
resolve (void)
{
  guint n_hopeless;

  for (OsiisoLink *link = waits.next; link != &waits; link = link->next)
    look_at_frames (WAIT_FROM_LINK (link), FALSE);

  while ((n_hopeless = find_hopeless ()) > 0)
    {
      OsiisoWait *culprit = find_culprit (n_hopeless);

      /* What it waits for may have been ended meanwhile. Says why, as things are now. */
      if (culprit->state != STATE_HOPELESS || !is_hopeless (culprit))
        continue;
      culprit->state = STATE_REFUSED;
      atomic_store (&culprit->refused, TRUE);
      wake (culprit);
    }
}

void
osiiso_wait_graph_update (void)
{
  if (G_LIKELY (osiiso_wait_graph_count () == 0))
    return;
  pthread_mutex_lock (&graph_lock);
  resolve ();
  pthread_mutex_unlock (&graph_lock);
}

/* A wait that only the task itself keeps from ending is refused in any case: also
 * when its time will be over some day, since then it was in vain. */
static gboolean
is_hopeless_alone (OsiisoWait *self)
{
  gboolean hopeless;

  look_at_frames (self, TRUE);
  alone = self;
  counted = NULL;
  hopeless = is_hopeless (self);
  counted = NULL;
  alone = NULL;
  return hopeless;
}

/* As if all others were hopeless, which spares the look at what they wait for. */
static gboolean
may_be_hopeless (OsiisoWait *self)
{
  for (OsiisoLink *link = waits.next; link != &waits; link = link->next)
    look_at_frames (WAIT_FROM_LINK (link), FALSE);
  suspect_all ();
  return is_hopeless (self);
}

static void
add (OsiisoWait *self)
{
  self->link.next = &waits;
  self->link.prev = waits.prev;
  waits.prev->next = &self->link;
  waits.prev = &self->link;
  self->in_graph = TRUE;
  atomic_fetch_add (&n_waits, 1);
}

static void
take_out (OsiisoWait *self)
{
  self->link.prev->next = self->link.next;
  self->link.next->prev = self->link.prev;
  atomic_fetch_sub (&n_waits, 1);
  self->in_graph = FALSE;
}

gboolean
osiiso_wait_enter (OsiisoWait *self,
                   GError    **error)
{
  OsiisoTaskFrame *frames = osiiso_task_frame_get_current ();
  gboolean in_graph;
  gboolean ok;

  /* One outside of all tasks that will be over some day is not in vain: what it waits
   * for goes on. */
  if (frames == NULL && self->limited)
    return TRUE;
  self->contexts = osiiso_task_contexts_get_held (self->iterates ? self->scheduler->outbox.context : NULL);
  if (frames == NULL && self->contexts == NULL)
    return TRUE;

  pthread_mutex_lock (&graph_lock);
  self->frames = frames;
  if (is_hopeless_alone (self))
    {
      self->state = STATE_REFUSED;
      atomic_store (&self->refused, TRUE);
    }
  else if (!self->limited)
    {
      add (self);
      if (may_be_hopeless (self))
        resolve ();
      if (self->refused)
        take_out (self);
    }
  /* From here on another thread may refuse it, which it will find while it blocks. */
  ok = !self->refused;
  in_graph = self->in_graph;
  pthread_mutex_unlock (&graph_lock);
  if (!in_graph)
    g_clear_pointer (&self->contexts, g_ptr_array_unref);
  return ok || osiiso_wait_set_error (self, error);
}

void
osiiso_wait_leave (OsiisoWait *self)
{
  if (!self->in_graph)
    return;
  pthread_mutex_lock (&graph_lock);
  take_out (self);
  pthread_mutex_unlock (&graph_lock);
  g_clear_pointer (&self->contexts, g_ptr_array_unref);
}

gboolean
osiiso_wait_set_error (OsiisoWait *self,
                       GError    **error)
{
  const char *who = self->frames != NULL ? "task" : "thread";
  guint limit;

  switch (self->why)
    {
    case OSIISO_HOPELESS_SELF:
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK, "a task cannot wait for itself");
      break;
    case OSIISO_HOPELESS_WORKERS:
      pthread_mutex_lock (&self->scheduler->ready_lock);
      limit = self->scheduler->limit;
      pthread_mutex_unlock (&self->scheduler->ready_lock);
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                   "this %s would wait for a task that needs one of %u workers, and tasks that wait have them all",
                   who, limit);
      break;
    case OSIISO_HOPELESS_CONTEXT:
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                   "this %s would wait for a task that needs a main context, and the thread that has to iterate it waits too",
                   who);
      break;
    case OSIISO_HOPELESS_PLACES:
    case OSIISO_HOPELESS_CYCLE:
    default:
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                   "this %s would wait for others that wait for it", who);
      break;
    }
  return FALSE;
}
