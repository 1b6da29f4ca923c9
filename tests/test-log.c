/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-private.h"
#include "test-utils.h"

/* A log writer is set once per program, so there is one test of it, for what is written
 * in tasks and outside of them. */

static TestLog log_;

/* Comes before GLib's, for the library as well: what it is given is what would be
 * written. */
GLogWriterOutput
g_log_writer_default (GLogLevelFlags   log_level,
                      const GLogField *fields,
                      gsize            n_fields,
                      gpointer         user_data)
{
  g_autoptr (GString) line = g_string_new (NULL);

  if (log_level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO))
    return G_LOG_WRITER_HANDLED;
  for (gsize i = 0; i < n_fields; i++)
    if (g_str_has_prefix (fields[i].key, "OSIISO_") || g_str_equal (fields[i].key, "MESSAGE"))
      g_string_append_printf (line, "%s=%s;", fields[i].key, (const char *) fields[i].value);
  test_log_add (&log_, "%s", line->str);
  return G_LOG_WRITER_HANDLED;
}

static void
speak (OsiisoAttempt *attempt,
       gpointer       user_data)
{
  g_message ("in");
  if (osiiso_attempt_get_number (attempt) == 1)
    osiiso_attempt_return_new_error (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, "once more");
}

/* As any code within the library could, or one that it calls by mistake. */
static void
speak_locked (OsiisoAttempt *attempt,
              gpointer       user_data)
{
  OsiisoScheduler *scheduler = attempt->scheduler;

  pthread_mutex_lock (&scheduler->ready_lock);
  pthread_mutex_lock (&scheduler->inbox_lock);
  pthread_mutex_lock (&scheduler->view_lock);
  g_message ("locked");
  pthread_mutex_unlock (&scheduler->view_lock);
  pthread_mutex_unlock (&scheduler->inbox_lock);
  pthread_mutex_unlock (&scheduler->ready_lock);
}

static void
test_locked (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autofree char *written = NULL;

  g_test_summary ("Whoever logs holds what locks it likes");

  osiiso_queue_set_name (queue, "busy");
  g_assert_true (osiiso_queue_push (queue, speak_locked, NULL, NULL, NULL, NULL));
  test_run_all (queue);
  written = test_log_steal (&log_);
  g_assert_nonnull (strstr (written, "MESSAGE=locked;"));
  g_assert_nonnull (strstr (written, "OSIISO_QUEUE=busy;"));
  test_queue_free (queue);
}

static void
test_fields (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "talker", "retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = NULL, nameless = NULL;
  g_autofree char *outside = NULL, *inside = NULL, *again = NULL, *expected = NULL;
  g_autofree char *name = NULL;

  g_test_summary ("A message of a task says which task, attempt and queue it is of; others are as they were");

  g_message ("out");
  outside = test_log_steal (&log_);
  g_assert_nonnull (strstr (outside, "MESSAGE=out;"));
  g_assert_null (strstr (outside, "OSIISO_"));

  osiiso_queue_set_name (queue, "thumbnails");
  name = osiiso_queue_dup_name (queue);
  g_assert_cmpstr (name, ==, "thumbnails");
  handle = test_submit (queue, speak, NULL, options);
  test_run_all (queue);
  inside = test_log_steal (&log_);
  for (int attempt = 1; attempt <= 2; attempt++)
    {
      g_free (expected);
      expected = g_strdup_printf ("MESSAGE=in;OSIISO_TASK_ID=%" G_GUINT64_FORMAT ";OSIISO_TASK_NAME=talker;"
                                  "OSIISO_ATTEMPT=%d;OSIISO_QUEUE=thumbnails;",
                                  osiiso_handle_get_task_id (handle), attempt);
      g_assert_nonnull (strstr (inside, expected));
    }

  /* What there is not is left out. */
  osiiso_queue_set_name (queue, NULL);
  nameless = test_submit (queue, speak, NULL, NULL);
  test_run_all (queue);
  again = test_log_steal (&log_);
  g_assert_nonnull (strstr (again, "OSIISO_TASK_ID="));
  g_assert_null (strstr (again, "OSIISO_QUEUE"));

  test_queue_free (queue);
}

int
main (int    argc,
      char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);

  test_log_init (&log_);
  osiiso_log_install_writer ();
  g_test_add_func ("/log/fields", test_fields);
  g_test_add_func ("/log/locked", test_locked);
  status = g_test_run ();
  test_log_clear (&log_);
  return status;
}
