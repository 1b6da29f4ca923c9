/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-outbox.h"

#include <string.h>

/*
 * What the owner of a queue is told, in its context and nowhere else, and what keeps
 * the queue alive until then.
 *
 * Mirrors osiiso-outbox.c (all but how events are kept), hold_queue in
 * osiiso-submission.c, the dispose of an OsiisoQueue, what posts in start_attempt_locked
 * and end_done_locked in osiiso-scheduler-take.c, record_ended in osiiso-scheduler.c
 * and count_out in osiiso-scheduler-life.c, and of GLib the ready time of a source and
 * the end of an object.
 *
 * All that was posted is delivered once, a start before the end, also where ends are
 * told together, and that before the signal of the end; the source is
 * dispatched when there is something to deliver, and not otherwise. The core lets go of
 * a handle once, in the owner's context, after all that is told of it. A queue that has
 * work is not disposed of when somebody has submitted that before he let go of it; one
 * that has been is told nothing, and none is freed that has not been.
 */

OutboxModel outbox;

/* g_source_set_ready_time() */
static void
set_ready_time (OutboxTime when)
{
  ex_lock (&outbox.context_lock);
  if (outbox.ready_time != when)
    {
      outbox.ready_time = when;
      if (when != OUTBOX_NEVER)
        ex_signal (&outbox.context_cond);
    }
  ex_unlock (&outbox.context_lock);
}

static void
arm_now_locked (void)
{
  if (outbox.armed)
    return;
  outbox.armed = TRUE;
  if (outbox.has_source)
    set_ready_time (OUTBOX_NOW);
}

static void
append_locked (OutboxKind kind,
               int        record)
{
  if (kind == OUTBOX_PROGRESS)
    {
      if (outbox.late == 0 && !outbox.armed)
        set_ready_time (OUTBOX_LATER);
      outbox.late |= 1u << record;
      return;
    }
  ex_assert (outbox.n_events < OUTBOX_MAX_EVENTS);
  outbox.events[outbox.n_events++] = (OutboxEvent) { kind, record };
  arm_now_locked ();
}

/* Looks too early whether it is armed, when that is the fault. */
static void
lock_to_post (gboolean *armed)
{
  const gboolean early = outbox.fault == OUTBOX_FAULT_LOOK_EARLY;

  if (early)
    {
      ex_lock (&outbox.lock);
      *armed = outbox.armed;
      ex_unlock (&outbox.lock);
    }
  ex_lock (&outbox.lock);
  if (early)
    outbox.armed = *armed;
}

/* deliver_late() */
static void
post_orphan (OutboxKind kind,
             int        record)
{
  if (outbox.fault == OUTBOX_FAULT_DROP_ORPHAN)
    return;
  /* In the real one others are delivered at once, and release what they own. */
  if (kind != OUTBOX_DESTROY)
    return;
  ex_lock (&outbox.context_lock);
  outbox.orphans[outbox.n_orphans++] = (OutboxEvent) { kind, record };
  ex_signal (&outbox.context_cond);
  ex_unlock (&outbox.context_lock);
}

static gboolean
has_bit (guint bits,
         int   record)
{
  return (bits & (1u << record)) != 0;
}

static gboolean
has_ends_locked (void)
{
  return outbox.is_telling || outbox.ends != 0;
}

/* In the real one it is counted. */
static gboolean
has_attempt_events_locked (void)
{
  for (int i = 0; i < outbox.n_events; i++)
    if (outbox.events[i].kind == OUTBOX_START)
      return TRUE;
  return FALSE;
}

static void
end_later_locked (int record)
{
  if (has_attempt_events_locked () && outbox.fault != OUTBOX_FAULT_ENDS_AHEAD)
    {
      append_locked (OUTBOX_END, record);
      return;
    }
  outbox.ends |= 1u << record;
  arm_now_locked ();
}

void
outbox_post (OutboxKind kind,
             int        record)
{
  gboolean orphaned;
  gboolean armed;

  lock_to_post (&armed);
  orphaned = !outbox.has_source;
  if (!orphaned)
    append_locked (kind, record);
  ex_unlock (&outbox.lock);
  if (orphaned)
    post_orphan (kind, record);
}

/* With the view lock. */
void
outbox_post_settled (void)
{
  gboolean armed;

  lock_to_post (&armed);
  if (outbox.has_source &&
      (outbox.n_events == 0 || outbox.events[outbox.n_events - 1].kind != OUTBOX_SETTLE))
    append_locked (OUTBOX_SETTLE, -1);
  ex_unlock (&outbox.lock);
}

/* The reference of the core on the handle, for who has to drop it. */
static gboolean
steal_handle (int record)
{
  return ex_exchange (&outbox.records[record].handled, 0) != 0;
}

void
outbox_post_signal (OutboxKind kind,
                    int        record)
{
  const OutboxScenario *scenario = outbox.scenario;
  const gboolean handled = has_bit (scenario->handled, record);
  gboolean orphaned = FALSE;
  gboolean wanted;
  gboolean armed;

  lock_to_post (&armed);
  wanted = (handled && scenario->notifies) || (outbox.has_queue && scenario->listens);
  if (!outbox.has_source)
    orphaned = handled;
  else if (kind == OUTBOX_COMPLETE && ((handled && !wanted) || has_bit (scenario->tokens, record)))
    end_later_locked (record);
  if (outbox.has_source && wanted)
    {
      if (kind == OUTBOX_COMPLETE)
        outbox.records[record].end_posted = TRUE;
      append_locked (kind, record);
    }
  ex_unlock (&outbox.lock);

  if (orphaned && kind == OUTBOX_COMPLETE && steal_handle (record))
    outbox_post (OUTBOX_DESTROY, record);
}

static void
queue_ref (void)
{
  ex_assert (ex_add (&outbox.n_refs, 1) > 0);
}

static gboolean
pin_queue_locked (void)
{
  if (outbox.has_queue && outbox.fault != OUTBOX_FAULT_NO_PIN)
    outbox.n_pins++;
  return outbox.has_queue;
}

static void
ref_and_unpin (void)
{
  queue_ref ();
  if (outbox.fault == OUTBOX_FAULT_NO_PIN)
    return;
  ex_lock (&outbox.lock);
  outbox.n_pins--;
  ex_broadcast (&outbox.pin_cond);
  ex_unlock (&outbox.lock);
}

static void
wait_for_pins_locked (void)
{
  while (outbox.n_pins > 0)
    ex_wait (&outbox.pin_cond, &outbox.lock);
}

static gboolean
dup_queue (void)
{
  gboolean has_queue;

  ex_lock (&outbox.lock);
  has_queue = pin_queue_locked ();
  ex_unlock (&outbox.lock);
  if (has_queue)
    ref_and_unpin ();
  return has_queue;
}

gboolean
outbox_detach (void)
{
  gboolean detached;
  gboolean held;

  ex_lock (&outbox.lock);
  wait_for_pins_locked ();
  held = ex_peek (&outbox.held) && outbox.fault != OUTBOX_FAULT_DETACH_BLIND;
  detached = !held || outbox.fault != OUTBOX_FAULT_DETACH_SHORT;
  if (detached)
    {
      ex_store (&outbox.held, 0);
      outbox.has_queue = FALSE;
      outbox.closed = TRUE;
      outbox.armed = TRUE;
      if (outbox.has_source)
        set_ready_time (OUTBOX_NOW);
    }
  ex_unlock (&outbox.lock);
  /* Never the last one: who disposes of it has another. */
  if (held && detached)
    ex_assert (ex_add (&outbox.n_refs, -1) > 1);
  return detached;
}

static gboolean
has_end_to_tell_locked (void)
{
  for (int i = 0; i < outbox.n_events; i++)
    if (outbox.events[i].kind == OUTBOX_COMPLETE || outbox.events[i].kind == OUTBOX_SETTLE ||
        outbox.events[i].kind == OUTBOX_END)
      return TRUE;
  return has_ends_locked ();
}

/* After a submit has counted its task. */
void
outbox_hold_queue (void)
{
  const gboolean in_view = outbox.fault != OUTBOX_FAULT_HOLD_UNLOCKED;
  gboolean hold = FALSE;

  if (in_view)
    ex_lock (&outbox.view_lock);
  ex_lock (&outbox.lock);
  if (!ex_peek (&outbox.held) &&
      (ex_load (&outbox.n_outstanding) > 0 ||
       (has_end_to_tell_locked () && outbox.fault != OUTBOX_FAULT_HOLD_UNTOLD)))
    {
      hold = pin_queue_locked ();
      ex_store (&outbox.held, hold);
    }
  ex_unlock (&outbox.lock);
  if (in_view)
    ex_unlock (&outbox.view_lock);
  if (hold)
    ref_and_unpin ();
}

static void
release_hold (void)
{
  gboolean release = FALSE;

  ex_lock (&outbox.lock);
  wait_for_pins_locked ();
  if (ex_peek (&outbox.held))
    {
      const gboolean early = ex_load (&outbox.n_outstanding) == 0;

      ex_store (&outbox.held, 0);
      release = outbox.fault == OUTBOX_FAULT_RELEASE_BLIND ? early : ex_load (&outbox.n_outstanding) == 0;
      if (has_end_to_tell_locked () && outbox.fault != OUTBOX_FAULT_RELEASE_UNTOLD)
        release = FALSE;
      if (!release)
        ex_store (&outbox.held, 1);
    }
  ex_unlock (&outbox.lock);
  if (release)
    outbox_queue_unref (TRUE);
}

/* Delivery, all of it by the owner. */

static void
free_handle (int record)
{
  ex_assert (ex_add (&outbox.records[record].n_freed, 1) == 0);
}

static void
deliver_view (OutboxEvent event)
{
  OutboxRecord *record = &outbox.records[event.record];
  const gboolean has_queue = dup_queue ();

  if (has_queue)
    {
      ex_assert (!ex_load (&outbox.finalized));
      switch (event.kind)
        {
        case OUTBOX_START:
          ex_assert (!record->told_start && !record->told_complete);
          record->told_start = TRUE;
          break;
        case OUTBOX_COMPLETE:
          ex_assert (record->told_start && !record->told_complete);
          /* What is told of it may need it. */
          ex_assert (!has_bit (outbox.scenario->handled, event.record) || ex_load (&record->handled));
          record->told_complete = TRUE;
          break;
        case OUTBOX_PROGRESS:
          ex_assert (!record->told_progress);
          record->told_progress = TRUE;
          break;
        case OUTBOX_END:
        case OUTBOX_DESTROY:
        case OUTBOX_SETTLE:
        default:
          g_assert_not_reached ();
        }
    }
  if (event.kind == OUTBOX_COMPLETE && steal_handle (event.record))
    free_handle (event.record);
  /* Handlers may let go of it. */
  if (has_queue && outbox.scenario->owner_drops && !outbox.dropped)
    {
      outbox.dropped = TRUE;
      outbox_queue_unref (TRUE);
    }
  if (has_queue)
    outbox_queue_unref (TRUE);
}

/* One at a time. */
static void
deliver_ends (void)
{
  OutboxRecord *record;
  int number = 0;

  if (outbox.telling == 0)
    {
      ex_lock (&outbox.lock);
      outbox.telling = outbox.ends;
      outbox.ends = 0;
      outbox.is_telling = outbox.telling != 0;
      ex_unlock (&outbox.lock);
    }
  if (outbox.telling == 0)
    return;
  while (!has_bit (outbox.telling, number))
    number++;
  outbox.telling &= ~(1u << number);
  if (outbox.telling == 0)
    {
      ex_lock (&outbox.lock);
      outbox.is_telling = FALSE;
      ex_unlock (&outbox.lock);
    }

  record = &outbox.records[number];
  if (has_bit (outbox.scenario->tokens, number))
    {
      ex_assert (!outbox.has_queue || !outbox.scenario->listens || record->told_start);
      ex_assert (!record->told_complete);
      record->n_told_end++;
    }
  if ((!record->end_posted || outbox.fault == OUTBOX_FAULT_RELEASE_EARLY) && steal_handle (number))
    free_handle (number);
}

void
outbox_deliver (OutboxEvent event)
{
  ex_assert (ex_holds_nothing ());
  switch (event.kind)
    {
    case OUTBOX_START:
    case OUTBOX_COMPLETE:
    case OUTBOX_PROGRESS:
      deliver_view (event);
      break;
    case OUTBOX_DESTROY:
      free_handle (event.record);
      break;
    case OUTBOX_SETTLE:
      release_hold ();
      break;
    case OUTBOX_END:
    default:
      g_assert_not_reached ();
    }
}

static OutboxEvent
pop_locked (void)
{
  const OutboxEvent event = outbox.events[0];

  outbox.n_events--;
  memmove (&outbox.events[0], &outbox.events[1], (gsize) outbox.n_events * sizeof (OutboxEvent));
  return event;
}

/* FALSE when there is nothing left to deliver; an end: those that are next. */
static gboolean
pop (OutboxEvent *event)
{
  gboolean found = TRUE;
  gboolean has_ends;

  event->kind = OUTBOX_END;
  ex_lock (&outbox.lock);
  has_ends = has_ends_locked ();
  if (outbox.fault == OUTBOX_FAULT_ENDS_WAIT || outbox.fault == OUTBOX_FAULT_ENDS_LATER)
    has_ends = has_ends && outbox.n_events == 0;
  while (!has_ends && outbox.n_events > 0 && outbox.events[0].kind == OUTBOX_END)
    {
      outbox.telling |= 1u << pop_locked ().record;
      outbox.is_telling = TRUE;
    }
  has_ends = has_ends || outbox.is_telling;
  if (!has_ends && outbox.n_events > 0)
    *event = pop_locked ();
  else
    found = has_ends;
  ex_unlock (&outbox.lock);
  return found;
}

static void
deliver_late (guint late)
{
  for (int i = 0; i < OUTBOX_MAX_TASKS; i++)
    if (has_bit (late, i))
      outbox_deliver ((OutboxEvent) { OUTBOX_PROGRESS, i });
}

static void
deliver_all (gboolean slices)
{
  OutboxEvent event;
  guint late = 0;

  ex_lock (&outbox.lock);
  outbox.armed = FALSE;
  /* Its time may have come. */
  if (outbox.late != 0 && ((outbox.n_events == 0 && !has_ends_locked ()) || ex_choose (2) == 0))
    {
      late = outbox.late;
      outbox.late = 0;
    }
  ex_unlock (&outbox.lock);

  deliver_late (late);
  while (pop (&event))
    {
      if (event.kind == OUTBOX_END)
        deliver_ends ();
      else
        outbox_deliver (event);
      if (slices && ex_choose (2) == 0)
        break;
    }
}

/* TRUE when the source has to end. */
static gboolean
rearm (void)
{
  OutboxTime when = OUTBOX_NEVER;
  gboolean finished;

  ex_lock (&outbox.lock);
  outbox.armed = outbox.n_events > 0 || (has_ends_locked () && outbox.fault != OUTBOX_FAULT_FINISH_EARLY);
  if (outbox.fault == OUTBOX_FAULT_REARM_BLIND)
    outbox.armed = FALSE;
  if (outbox.armed || outbox.fault == OUTBOX_FAULT_REARM_ALWAYS)
    when = OUTBOX_NOW;
  else if (outbox.late != 0 && outbox.fault != OUTBOX_FAULT_FORGET_LATE)
    when = OUTBOX_LATER;
  finished = outbox.closed && !outbox.armed && outbox.late == 0;
  if (outbox.has_source)
    set_ready_time (when);
  if (finished)
    outbox.has_source = FALSE;
  ex_unlock (&outbox.lock);
  return finished;
}

/* g_source_destroy(), which may come twice, and finalize(). */
static void
destroy_source (void)
{
  gboolean first;

  ex_lock (&outbox.context_lock);
  first = !outbox.destroyed;
  outbox.destroyed = TRUE;
  outbox.ready_time = OUTBOX_NEVER;
  ex_unlock (&outbox.context_lock);
  if (!first)
    return;
  ex_lock (&outbox.lock);
  /* There is nothing that could be delivered elsewhere. */
  ex_assert (outbox.closed && !outbox.has_source);
  ex_assert (outbox.n_events == 0 && outbox.late == 0 && !has_ends_locked ());
  ex_unlock (&outbox.lock);
}

void
outbox_dispatch (void)
{
  ex_lock (&outbox.lock);
  ex_assert (outbox.n_events > 0 || has_ends_locked () || outbox.late != 0 || outbox.closed);
  ex_unlock (&outbox.lock);
  deliver_all (outbox.scenario->slices);
  if (rearm ())
    destroy_source ();
}

/* osiiso_outbox_drain(), in the owner's thread. */
static void
drain (void)
{
  gboolean has_source;

  ex_lock (&outbox.lock);
  has_source = outbox.has_source;
  ex_unlock (&outbox.lock);
  if (!has_source)
    return;
  deliver_all (FALSE);
  if (rearm ())
    destroy_source ();
}

/* g_object_unref(), and the dispose of a queue. */
void
outbox_queue_unref (gboolean in_owner)
{
  gint64 n = ex_load (&outbox.n_refs);

  do
    ex_assert (n > 0);
  while (n > 1 && !ex_cas (&outbox.n_refs, &n, n - 1));
  if (n > 1)
    return;

  if (outbox_detach ())
    {
      /* Who submits has a reference until he has seen to that. */
      ex_assert (outbox.scenario->running || ex_load (&outbox.n_outstanding) == 0);
      if (in_owner)
        drain ();
    }
  n = ex_add (&outbox.n_refs, -1);
  ex_assert (n > 0);
  if (n == 1)
    {
      ex_assert (!outbox.has_queue);
      ex_assert (ex_exchange (&outbox.finalized, 1) == 0);
    }
}
