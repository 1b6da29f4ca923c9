/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-timer-service-private.h"

/* How long the thread stays without a deadline. */
#define LINGER (2 * G_USEC_PER_SEC)

/*
 * lock guards all of this and the nodes of the clients.
 *
 * No deadline can be missed: arm() inserts under the lock and signals when the
 * first deadline moved; the thread computes how long to sleep under the same
 * lock, and the wait gives it up atomically.
 *
 * A stopped clock is turned under the lock too, by who ticks then. A deadline that
 * is armed when it has been passed already, because another thread looked at the
 * clock before, is the thread's as ever.
 */
static struct
{
  pthread_once_t     once;
  pthread_mutex_t    lock;
  pthread_cond_t     cond;
  OsiisoDeadlineHeap heap;
  gboolean           running;
  gboolean           late;    /* the stopped clock had passed a deadline when that was armed */
} service = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

static void
init_cond (void)
{
  pthread_condattr_t attr;

  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&service.cond, &attr);
  pthread_condattr_destroy (&attr);
}

static void
before_fork (void)
{
  pthread_mutex_lock (&service.lock);
}

static void
after_fork_in_parent (void)
{
  pthread_mutex_unlock (&service.lock);
}

/* The thread stays behind, and the queues of the parent have no threads here: they
 * are not called, and what holds them is not released. */
static void
after_fork_in_child (void)
{
  OsiisoHeapNode *node;

  while ((node = osiiso_deadline_heap_peek (&service.heap)) != NULL)
    osiiso_deadline_heap_remove (&service.heap, node);
  init_cond ();
  service.running = FALSE;
  service.late = FALSE;
  pthread_mutex_unlock (&service.lock);
}

static void
service_init (void)
{
  init_cond ();
  osiiso_deadline_heap_init (&service.heap);
  pthread_atfork (before_fork, after_fork_in_parent, after_fork_in_child);
}

static OsiisoTimerClient *
pop_due_locked (gint64 now)
{
  OsiisoHeapNode *node = osiiso_deadline_heap_peek (&service.heap);

  if (node == NULL || node->key > now)
    return NULL;
  osiiso_deadline_heap_remove (&service.heap, node);
  return (OsiisoTimerClient *) (void *) ((char *) node - G_STRUCT_OFFSET (OsiisoTimerClient, node));
}

static void
wait_until_locked (gint64 when)
{
  struct timespec ts = {
    .tv_sec = when / G_USEC_PER_SEC,
    .tv_nsec = (when % G_USEC_PER_SEC) * 1000,
  };

  pthread_cond_timedwait (&service.cond, &service.lock, &ts);
}

static void *
service_main (void *unused)
{
  gint64 give_up_at = 0;

  pthread_mutex_lock (&service.lock);
  for (;;)
    {
      OsiisoTimerClient *client = NULL;
      OsiisoHeapNode *first;

      if (!osiiso_clock_is_manual () || service.late)
        client = pop_due_locked (osiiso_clock_now ());
      if (client == NULL)
        service.late = FALSE;
      if (client != NULL)
        {
          pthread_mutex_unlock (&service.lock);
          client->tick (client);
          client->unref (client);
          pthread_mutex_lock (&service.lock);
          give_up_at = 0;
          continue;
        }

      first = osiiso_deadline_heap_peek (&service.heap);
      if (first != NULL && !osiiso_clock_is_manual ())
        {
          give_up_at = 0;
          wait_until_locked (MIN (first->key, g_get_monotonic_time () + G_USEC_PER_SEC * (gint64) 3600));
        }
      else
        {
          gint64 now = g_get_monotonic_time ();

          if (give_up_at == 0)
            give_up_at = now + LINGER;
          if (now >= give_up_at)
            break;
          wait_until_locked (give_up_at);
        }
    }
  service.running = FALSE;
  pthread_mutex_unlock (&service.lock);
  return NULL;
}

static int
ensure_thread_locked (void)
{
  pthread_attr_t attr;
  pthread_t thread;
  sigset_t all, old;
  int err;

  if (service.running)
    return 0;

  /* Signals of the application are none of this thread's business. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  pthread_attr_init (&attr);
  pthread_attr_setdetachstate (&attr, PTHREAD_CREATE_DETACHED);
  err = pthread_create (&thread, &attr, service_main, NULL);
  pthread_attr_destroy (&attr);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  if (err == 0)
    {
      pthread_setname_np (thread, "osiiso-timer");
      service.running = TRUE;
    }
  return err;
}

gboolean
osiiso_timer_service_prepare (GError **error)
{
  int err;

  pthread_once (&service.once, service_init);
  pthread_mutex_lock (&service.lock);
  err = osiiso_clock_is_manual () ? 0 : ensure_thread_locked ();
  pthread_mutex_unlock (&service.lock);

  if (err != 0)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED,
                   "no thread for timers: %s", g_strerror (err));
      return FALSE;
    }
  return TRUE;
}

void
osiiso_timer_service_arm (OsiisoTimerClient *client,
                          gint64             when)
{
  gboolean was_armed;
  gboolean is_first;
  gboolean late;

  pthread_once (&service.once, service_init);
  pthread_mutex_lock (&service.lock);
  was_armed = osiiso_heap_node_is_queued (&client->node);
  if (was_armed && client->node.key <= when)
    {
      pthread_mutex_unlock (&service.lock);
      return;
    }
  if (was_armed)
    osiiso_deadline_heap_remove (&service.heap, &client->node);
  else
    client->ref (client);
  osiiso_deadline_heap_insert (&service.heap, &client->node, when, 0);
  is_first = osiiso_deadline_heap_peek (&service.heap) == &client->node;
  late = osiiso_clock_is_manual () && when <= osiiso_clock_now ();
  service.late |= late;
  /* Submits have called prepare() and could have failed there; the thread may
   * have ended since, and then this is the second try. */
  if (!osiiso_clock_is_manual () || late)
    ensure_thread_locked ();
  pthread_mutex_unlock (&service.lock);
  if (is_first || late)
    pthread_cond_signal (&service.cond);
}

void
osiiso_timer_service_disarm (OsiisoTimerClient *client)
{
  gboolean was_armed;
  gboolean was_last;

  pthread_once (&service.once, service_init);
  pthread_mutex_lock (&service.lock);
  was_armed = osiiso_deadline_heap_remove (&service.heap, &client->node);
  was_last = was_armed && osiiso_deadline_heap_peek (&service.heap) == NULL;
  pthread_mutex_unlock (&service.lock);
  /* The thread sleeps until that deadline, and may end before. */
  if (was_last)
    pthread_cond_signal (&service.cond);
  if (was_armed)
    client->unref (client);
}

void
osiiso_timer_service_advance (gint64 us)
{
  gint64 target = osiiso_clock_now () + us;

  g_return_if_fail (osiiso_clock_is_manual ());

  pthread_once (&service.once, service_init);
  for (;;)
    {
      OsiisoTimerClient *client;

      pthread_mutex_lock (&service.lock);
      client = pop_due_locked (target);
      /* What a tick starts must see the time at which it was due. */
      osiiso_clock_set_manual (client != NULL ? MAX (client->node.key, osiiso_clock_now ()) : target);
      pthread_mutex_unlock (&service.lock);
      if (client == NULL)
        break;
      client->tick (client);
      client->unref (client);
    }
}
