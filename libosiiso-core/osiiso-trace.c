/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-trace-private.h"

#include <sysprof-capture.h>

#include "osiiso-secure-private.h"

/* More of an error's message would not be read in a profiler. */
#define MAX_ERROR_CHARS 120

guint32 osiiso_trace_state;

/* Two processes must not write into the same buffers. */
static void
after_fork_in_child (void)
{
  osiiso_trace_state = 0;
}

void
osiiso_trace_init (void)
{
  static gsize done;

  if (!g_once_init_enter (&done))
    return;
  /* Without this variable nothing is asked of the capture library, which would keep
   * something for each thread. */
  if (osiiso_secure_getenv ("SYSPROF_CONTROL_FD") != NULL && sysprof_collector_is_active () &&
      pthread_atfork (NULL, NULL, after_fork_in_child) == 0)
    osiiso_trace_state = OSIISO_ATTEMPT_TRACED;
  g_once_init_leave (&done, 1);
}

gboolean
osiiso_trace_begin (OsiisoAttempt *self)
{
  atomic_store_explicit (&self->begun, SYSPROF_CAPTURE_CURRENT_TIME, memory_order_relaxed);
  return TRUE;
}

static const char *
describe_outcome (OsiisoAttempt *self,
                  guint32        state)
{
  if (self->status == OSIISO_STATUS_SUCCEEDED)
    return "succeeded";
  if (self->status == OSIISO_STATUS_CANCELLED)
    return "cancelled";
  return state & OSIISO_ATTEMPT_INTERRUPTED ? "timed out" : "failed";
}

static void
append_error (GString      *message,
              const GError *error)
{
  g_autofree char *text = g_utf8_make_valid (error->message, -1);

  if (g_utf8_strlen (text, -1) > MAX_ERROR_CHARS)
    {
      *g_utf8_offset_to_pointer (text, MAX_ERROR_CHARS) = '\0';
      g_string_append_printf (message, ": %s…", text);
    }
  else
    {
      g_string_append_printf (message, ": %s", text);
    }
}

/* "thumbnails: attempt 2 of task 17 failed: no such file" */
static char *
new_message (OsiisoAttempt *self,
             guint32        state)
{
  GString *message = g_string_new (NULL);
  char *queue = osiiso_scheduler_acquire_name (self->scheduler);

  if (queue != NULL)
    g_string_append_printf (message, "%s: ", queue);
  g_string_append_printf (message, "attempt %u of task %" G_GUINT64_FORMAT " %s", self->number,
                          osiiso_record_get_id (self->record), describe_outcome (self, state));
  if (self->status == OSIISO_STATUS_FAILED && !(state & OSIISO_ATTEMPT_INTERRUPTED) &&
      self->outcome != NULL && self->outcome->error != NULL)
    append_error (message, self->outcome->error);
  g_clear_pointer (&queue, g_ref_string_release);
  return g_string_free (message, FALSE);
}

gboolean
osiiso_trace_end (OsiisoAttempt *self)
{
  const guint32 state = atomic_fetch_and (&self->state, ~(guint32) OSIISO_ATTEMPT_TRACED);
  g_autofree char *message = NULL;
  g_autofree char *name = NULL;
  gint64 begun;
  gint64 now;

  /* What was only reserved has not happened. */
  if (!(state & OSIISO_ATTEMPT_TRACED) || (state & OSIISO_ATTEMPT_RESERVED))
    return TRUE;
  now = SYSPROF_CAPTURE_CURRENT_TIME;
  /* Its memory may serve another one. */
  begun = atomic_exchange_explicit (&self->begun, 0, memory_order_relaxed);
  /* Ended from outside before its function was called. */
  if (begun == 0)
    begun = now;
  name = osiiso_record_dup_name (self->record);
  message = new_message (self, state);
  sysprof_collector_mark (begun, now - begun, "osiiso", name, message);
  return TRUE;
}
