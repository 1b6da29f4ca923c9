/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "osiiso-attempt-lone-private.h"
#include "osiiso-call-module-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-version.h"
#include "osiiso-worker-channel-private.h"
#include "osiiso-worker.h"

#define TICK_MS    5
#define WATCH_MS   20
#define IDLE_TICKS 20

enum
{
  STATUS_OK         = 0,
  STATUS_FAILED     = 1,
  STATUS_USAGE      = 2,
  STATUS_TERMINATED = 128 + SIGTERM,
};

/*
 * Worker: the C worker. Calls run in the main thread, which does nothing for them
 * but receive and answer.
 *
 * The monitor is a second thread for calls that take long. It sleeps while there is
 * nothing to do, and else looks at the beat every few milliseconds: if that is odd
 * and has not changed, a call is under way for long, and it reads what the parent
 * says until the call is over.
 *
 * lock: guards attempt.
 */
typedef struct
{
  OsiisoWorkerChannel *channel;
  _Atomic guint64      beat;       /* odd: in a call */
  _Atomic gboolean     asleep;     /* the monitor has to be woken */
  _Atomic gboolean     over;       /* it has to end */
  sem_t                wake;
  pthread_mutex_t      lock;
  OsiisoAttempt       *attempt;    /* (nullable): that of the call */
  guint32              attempt_id;
} Worker;

/* What the signal handler needs, which can be given nothing. */
static Worker *_Atomic the_worker;
static _Atomic gboolean terminated;

/* The parent will not be heard any more, so the main thread comes back if it
 * waits, and the monitor sees to a call that is under way. */
static void
on_sigterm (int signal_number)
{
  Worker *worker = the_worker;
  int code = errno;

  terminated = TRUE;
  if (worker != NULL)
    {
      shutdown (worker->channel->fd, SHUT_RD);
      sem_post (&worker->wake);
    }
  errno = code;
}

static void
cancel_call (Worker *worker)
{
  g_autoptr (OsiisoAttempt) attempt = NULL;

  pthread_mutex_lock (&worker->lock);
  if (worker->attempt != NULL &&
      (terminated || osiiso_worker_channel_is_cancelled (worker->channel, worker->attempt_id)))
    attempt = osiiso_attempt_ref (worker->attempt);
  pthread_mutex_unlock (&worker->lock);
  if (attempt != NULL)
    osiiso_lone_attempt_cancel (attempt);
}

static void fail_at_once (const char *message) G_GNUC_NORETURN;

static void
fail_at_once (const char *message)
{
  fprintf (stderr, "%s: %s\n", g_get_prgname (), message);
  _exit (STATUS_FAILED);
}

/* Listens to the parent until the call is over, for which the beat stands. */
static void
watch_call (Worker *worker,
            guint64 beat)
{
  OsiisoWorkerChannel *channel = worker->channel;

  while (worker->beat == beat && !worker->over)
    {
      struct pollfd poll_fd = { channel->fd, POLLIN | POLLRDHUP, 0 };
      gboolean closed;

      if (terminated)
        {
          cancel_call (worker);
          g_usleep (TICK_MS * 1000);
          continue;
        }
      osiiso_worker_channel_send_progress (channel);
      if (poll (&poll_fd, 1, WATCH_MS) <= 0 || worker->beat != beat)
        continue;
      closed = !osiiso_worker_channel_pump (channel);
      cancel_call (worker);
      /* Whatever the function holds up, nobody wants it any more. */
      if (channel->broken != NULL)
        fail_at_once (channel->broken->message);
      if (closed && !terminated)
        _exit (STATUS_OK);
    }
}

/* Somebody may set the time of day. */
#if defined (__GLIBC__) && __GLIBC_PREREQ (2, 30)
#define WAKE_CLOCK CLOCK_MONOTONIC
#define wait_until(semaphore, until) sem_clockwait (semaphore, WAKE_CLOCK, until)
#else
#define WAKE_CLOCK CLOCK_REALTIME
#define wait_until(semaphore, until) sem_timedwait (semaphore, until)
#endif

/* FALSE when it was woken. */
static gboolean
wait_for_tick (Worker *worker)
{
  struct timespec until;

  clock_gettime (WAKE_CLOCK, &until);
  until.tv_nsec += TICK_MS * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  return wait_until (&worker->wake, &until) != 0 && errno == ETIMEDOUT;
}

/* Until the next call begins, unless one has. */
static void
sleep_until_call (Worker *worker,
                  guint64 beat)
{
  worker->asleep = TRUE;
  while (worker->asleep && worker->beat == beat && !worker->over && !(terminated && (beat & 1)))
    sem_wait (&worker->wake);
  worker->asleep = FALSE;
}

static gpointer
monitor (gpointer data)
{
  Worker *worker = data;
  guint64 last = worker->beat;
  guint n_idle = 0;

  while (!worker->over)
    {
      gboolean tick;
      guint64 beat;

      if (n_idle >= IDLE_TICKS)
        sleep_until_call (worker, last);
      tick = wait_for_tick (worker);
      beat = worker->beat;
      if (terminated && (beat & 1))
        watch_call (worker, beat);
      else if (beat != last || !tick)
        n_idle = 0;
      else if (beat & 1)
        watch_call (worker, beat);
      else
        n_idle++;
      last = beat;
    }
  return NULL;
}

static void
on_progress (OsiisoLoneAttempt *attempt,
             double             fraction,
             const char        *status_text,
             gpointer           data)
{
  osiiso_worker_channel_set_progress (data, (guint) attempt->task_id, fraction, status_text);
}

static void
set_attempt (Worker        *worker,
             OsiisoAttempt *attempt,
             guint32        id)
{
  pthread_mutex_lock (&worker->lock);
  worker->attempt = attempt;
  worker->attempt_id = id;
  pthread_mutex_unlock (&worker->lock);
}

/* The beat becomes odd, and the monitor awake. */
static void
begin_beat (Worker *worker)
{
  worker->beat++;
  if (worker->asleep && atomic_exchange (&worker->asleep, FALSE))
    sem_post (&worker->wake);
}

static void
reply_gerror (Worker       *worker,
              guint32       id,
              const GError *error)
{
  osiiso_worker_channel_reply_details (worker->channel, id, g_quark_to_string (error->domain), error->code,
                                       error->message, OSIISO_FRAME_PLAIN_NONE, NULL, 0);
}

/* The variant that a simple value becomes, which is not always of the type that a
 * function of this process would have returned. */
static GVariant *
variant_from_value (const GValue *value)
{
  switch (G_VALUE_TYPE (value))
    {
    case G_TYPE_VARIANT:
      return g_value_dup_variant (value);
    case G_TYPE_BOOLEAN:
      return g_variant_new_boolean (g_value_get_boolean (value));
    case G_TYPE_INT:
      return g_variant_new_int32 (g_value_get_int (value));
    case G_TYPE_INT64:
      return g_variant_new_int64 (g_value_get_int64 (value));
    case G_TYPE_DOUBLE:
      return g_variant_new_double (g_value_get_double (value));
    case G_TYPE_STRING:
      return g_value_get_string (value) != NULL ? g_variant_new_string (g_value_get_string (value)) : NULL;
    default:
      return NULL;
    }
}

static void
reply_value (Worker       *worker,
             guint32       id,
             const GValue *value)
{
  GVariant *variant;

  if (G_VALUE_HOLDS_STRING (value) && g_value_get_string (value) == NULL)
    {
      osiiso_worker_channel_reply_none (worker->channel, id);
    }
  else if (G_VALUE_HOLDS (value, G_TYPE_BYTES) && g_value_get_boxed (value) != NULL)
    {
      osiiso_worker_channel_reply_bytes (worker->channel, id, g_value_get_boxed (value));
    }
  else if ((variant = variant_from_value (value)) != NULL)
    {
      /* Floating or not, the reference is ours. */
      variant = g_variant_take_ref (variant);
      osiiso_worker_channel_reply_variant (worker->channel, id, variant);
      g_variant_unref (variant);
    }
  else
    {
      g_autofree char *message = g_strdup_printf ("a value of type %s cannot leave its process",
                                                  G_VALUE_TYPE_NAME (value));

      osiiso_worker_channel_reply_error (worker->channel, id, g_quark_to_string (OSIISO_QUEUE_ERROR),
                                         OSIISO_QUEUE_ERROR_NOT_SUPPORTED, message);
    }
}

static void
reply_failure (Worker              *worker,
               guint32              id,
               const OsiisoOutcome *outcome)
{
  const GError *error = outcome->error;
  const char *domain = g_quark_to_string (error->domain);
  gsize length;

  if (osiiso_outcome_has_value (outcome) && G_VALUE_HOLDS (&outcome->value, G_TYPE_BYTES) &&
      g_value_get_boxed (&outcome->value) != NULL)
    {
      GBytes *details = g_value_get_boxed (&outcome->value);
      gconstpointer data = g_bytes_get_data (details, &length);

      osiiso_worker_channel_reply_details (worker->channel, id, domain, error->code, error->message,
                                           OSIISO_FRAME_PLAIN_BYTES, data, length);
      return;
    }
  if (osiiso_outcome_has_value (outcome))
    {
      GVariant *value = variant_from_value (&outcome->value);

      if (value != NULL)
        {
          g_autoptr (GVariant) box = g_variant_ref_sink (g_variant_new_variant (g_variant_take_ref (value)));
          gconstpointer data = g_variant_get_data (box);

          osiiso_worker_channel_reply_details (worker->channel, id, domain, error->code, error->message,
                                               OSIISO_FRAME_PLAIN_VARIANT, data, g_variant_get_size (box));
          g_variant_unref (value);
          return;
        }
    }
  reply_gerror (worker, id, error);
}

/* What the function says about another attempt, in the units of the clock. */
static void
tell_wait (Worker *worker,
           guint32 id,
           gint64  retry_after)
{
  if (retry_after == OSIISO_RETRY_NEVER)
    osiiso_worker_channel_set_retry_after (worker->channel, id, INFINITY);
  else if (retry_after >= 0)
    osiiso_worker_channel_set_retry_after (worker->channel, id, osiiso_clock_to_seconds (retry_after));
}

/* As a call of this process ends: what was reported first counts. */
static void
reply_end (Worker        *worker,
           guint32        id,
           OsiisoAttempt *attempt,
           GVariant      *value,
           GError        *error)
{
  const guint32 state = atomic_load (&attempt->state);
  const OsiisoOutcome *outcome;

  if (osiiso_lone_attempt_close (attempt, &outcome))
    {
      if (outcome != NULL && outcome->error != NULL)
        {
          tell_wait (worker, id, attempt->retry_after);
          reply_failure (worker, id, outcome);
        }
      else if (outcome != NULL && osiiso_outcome_has_value (outcome))
        reply_value (worker, id, &outcome->value);
      else
        osiiso_worker_channel_reply_none (worker->channel, id);
    }
  else if (error != NULL)
    reply_gerror (worker, id, error);
  else if (value != NULL)
    osiiso_worker_channel_reply_variant (worker->channel, id, value);
  else if (state & OSIISO_ATTEMPT_INTERRUPTED)
    osiiso_worker_channel_reply_error (worker->channel, id, g_quark_to_string (G_IO_ERROR), G_IO_ERROR_CANCELLED,
                                       terminated ? "the worker was told to end" : "cancelled");
  else if (state & OSIISO_ATTEMPT_DEFERRED)
    osiiso_worker_channel_reply_error (worker->channel, id, g_quark_to_string (OSIISO_QUEUE_ERROR),
                                       OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                                       "the function deferred its attempt; a call has to return its value");
  else
    osiiso_worker_channel_reply_none (worker->channel, id);
}

static OsiisoCallFunc
find_function (OsiisoWorkerName *name,
               GError          **error)
{
  if (name->func == NULL)
    name->func = (gpointer) osiiso_call_module_find (name->text, error);
  return (OsiisoCallFunc) name->func;
}

static void
run_call (Worker *worker)
{
  OsiisoWorkerChannel *channel = worker->channel;
  OsiisoWorkerName *name = osiiso_worker_channel_get_name (channel);
  const guint32 id = osiiso_worker_channel_get_id (channel);
  const OsiisoEncoding encoding = osiiso_worker_channel_get_encoding (channel);
  OsiisoAttempt *attempt;
  OsiisoCallFunc func;
  GVariant *args = NULL;
  GVariant *value = NULL;
  GError *error = NULL;

  if (encoding == OSIISO_ENCODING_GVARIANT)
    args = osiiso_worker_channel_dup_variant (channel);
  if (args == NULL && encoding != OSIISO_ENCODING_NONE)
    {
      osiiso_worker_channel_reply_error (channel, id, g_quark_to_string (OSIISO_QUEUE_ERROR),
                                         encoding == OSIISO_ENCODING_GVARIANT ? OSIISO_QUEUE_ERROR_INVALID
                                                                              : OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                                         encoding == OSIISO_ENCODING_GVARIANT ? "the arguments are not a valid GVariant"
                                                                              : "functions in C take a GVariant; JSON text and bytes are for workers in other languages");
      return;
    }

  begin_beat (worker);
  func = find_function (name, &error);
  attempt = osiiso_lone_attempt_new (id, osiiso_worker_channel_get_task_name (channel),
                                     osiiso_worker_channel_get_attempt_number (channel),
                                     osiiso_worker_channel_get_task_index (channel), on_progress, channel);
  if (func != NULL)
    {
      set_attempt (worker, attempt, id);
      value = func (attempt, args, &error);
      set_attempt (worker, NULL, 0);
    }
  worker->beat++;

  /* Floating or not: either way it is the reference that was returned. */
  if (value != NULL)
    value = g_variant_take_ref (value);
  reply_end (worker, id, attempt, value, error);
  osiiso_attempt_unref (attempt);
  g_clear_pointer (&value, g_variant_unref);
  g_clear_pointer (&args, g_variant_unref);
  g_clear_error (&error);
}

/* Calls what the worker is set up with: the name of a function, alone or with its
 * argument. */
static gboolean
set_up (Worker  *worker,
        GError **error)
{
  g_autoptr (GVariant) setup = osiiso_worker_channel_dup_variant (worker->channel);
  g_autoptr (GVariant) args = NULL;
  g_autoptr (OsiisoAttempt) attempt = NULL;
  const char *name = NULL;
  OsiisoCallFunc func;
  GVariant *value;
  GError *local_error = NULL;

  if (osiiso_worker_channel_get_encoding (worker->channel) == OSIISO_ENCODING_NONE)
    return TRUE;
  if (setup != NULL && g_variant_is_of_type (setup, G_VARIANT_TYPE_STRING))
    name = g_variant_get_string (setup, NULL);
  else if (setup != NULL && g_variant_is_of_type (setup, G_VARIANT_TYPE ("(sv)")))
    g_variant_get (setup, "(&sv)", &name, &args);
  if (name == NULL)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                   "the set-up of a worker in C is the name of a function, 's', or that with its argument, '(sv)'");
      return FALSE;
    }

  func = osiiso_call_module_find (name, error);
  if (func == NULL)
    return FALSE;
  begin_beat (worker);
  attempt = osiiso_lone_attempt_new (0, name, 1, 0, NULL, NULL);
  set_attempt (worker, attempt, 0);
  value = func (attempt, args, &local_error);
  set_attempt (worker, NULL, 0);
  worker->beat++;
  if (value != NULL)
    g_variant_unref (g_variant_take_ref (value));
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, local_error);
  return FALSE;
}

static int
complain (const GError *error)
{
  fprintf (stderr, "%s: %s\n", g_get_prgname (), error->message);
  return STATUS_FAILED;
}

static int
serve (Worker *worker)
{
  g_autoptr (GError) error = NULL;

  for (;;)
    {
      OsiisoWorkerMessage message = osiiso_worker_channel_receive (worker->channel, TRUE, NULL, &error);

      /* What did not begin until then never does. */
      if (terminated)
        return STATUS_TERMINATED;
      switch (message)
        {
        case OSIISO_WORKER_MESSAGE_CALL:
          run_call (worker);
          if (terminated)
            return STATUS_TERMINATED;
          break;
        case OSIISO_WORKER_MESSAGE_SETUP:
          if (!set_up (worker, &error))
            {
              reply_gerror (worker, 0, error);
              return complain (error);
            }
          break;
        case OSIISO_WORKER_MESSAGE_CLOSED:
          return error != NULL ? complain (error) : STATUS_OK;
        case OSIISO_WORKER_MESSAGE_NONE:
        case OSIISO_WORKER_MESSAGE_DEFINE:
        case OSIISO_WORKER_MESSAGE_CANCEL:
        default:
          break;
        }
    }
}

/* Greets, which is for those that can go on then. */
static int
greet_and_serve (Worker *worker)
{
  struct sigaction old;
  struct sigaction action = { .sa_handler = on_sigterm, .sa_flags = SA_RESTART };
  g_autoptr (GError) error = NULL;
  int status;

  worker->channel = osiiso_worker_channel_new_default ("cancel", &error);
  if (worker->channel == NULL)
    {
      complain (error);
      return STATUS_USAGE;
    }
  the_worker = worker;
  sigaction (SIGTERM, &action, &old);
  status = serve (worker);
  sigaction (SIGTERM, &old, NULL);
  the_worker = NULL;
  return status;
}

static int
run (void)
{
  Worker worker = { .lock = PTHREAD_MUTEX_INITIALIZER };
  g_autoptr (GError) error = NULL;
  GThread *thread;
  int status = STATUS_FAILED;

  sem_init (&worker.wake, 0, 0);
  terminated = FALSE;
  /* It uses the channel only while there is a call. */
  thread = g_thread_try_new ("osiiso-monitor", monitor, &worker, &error);
  if (thread != NULL)
    {
      status = greet_and_serve (&worker);
      worker.over = TRUE;
      sem_post (&worker.wake);
      g_thread_join (thread);
      g_clear_object (&worker.channel);
    }
  else
    {
      complain (error);
    }
  sem_destroy (&worker.wake);
  return status;
}

/**
 * osiiso_worker_main: (skip)
 * @argc: the number of arguments
 * @argv: the arguments of the program
 *
 * Is the main function of a worker program in C.
 *
 * It runs calls of the backend `subprocess` until that closes. A function
 * `module:symbol` is looked for as everywhere, and `:symbol` is one of the program
 * itself, so a program can be its own worker:
 *
 * ```c
 * int
 * main (int argc, char **argv)
 * {
 *   if (g_getenv ("OSIISO_WORKER_FD") != NULL)
 *     return osiiso_worker_main (argc, argv);
 *   …
 * }
 * ```
 *
 * Functions run in the thread that calls this, one at a time. Their attempt is real:
 * it takes progress, and its cancellable is cancelled, from another thread, when the
 * task is cancelled or times out, or when the process gets SIGTERM, after which this
 * returns. An attempt cannot be deferred. When the parent is gone the process ends,
 * also in the middle of a function.
 *
 * What functions print goes where it always does, and never to the parent.
 *
 * A backend may set a worker up: with the name of a function as a string, which is
 * called with %NULL, or with a pair `(sv)` of the name and the argument.
 *
 * Returns: the exit status: 0 when the parent has closed, 143 after SIGTERM, other
 *   numbers when something was wrong, which was then written to the standard error
 *
 * Since: 1.0
 */
int
osiiso_worker_main (int    argc,
                    char **argv)
{
  if (g_get_prgname () == NULL && argc > 0)
    {
      g_autofree char *name = g_path_get_basename (argv[0]);

      g_set_prgname (name);
    }
  if (argc > 1 && strcmp (argv[1], "--version") == 0)
    {
      printf ("%s %s\n", g_get_prgname (), OSIISO_VERSION_S);
      return STATUS_OK;
    }

  return run ();
}
