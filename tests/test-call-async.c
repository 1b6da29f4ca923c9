/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-holder.h"

/* Calls and commands that are pushed, or become members of a group, as soon as there
 * is room. Those with a handle are in test-call.c and test-command.c. */

typedef enum
{
  WAY_PUSH_CALL,
  WAY_PUSH_COMMAND,
  WAY_GROUP_CALL,
  WAY_GROUP_COMMAND,
} Way;

typedef struct
{
  Way           way;
  OsiisoQueue  *queue;
  OsiisoGroup  *group;
  gboolean      returned;
  guint64       id;
  OsiisoHandle *handle;
  GError       *error;
} Wait;

static void
returned_cb (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  Wait *self = user_data;

  g_assert_false (self->returned);
  switch (self->way)
    {
    case WAY_PUSH_CALL:
      self->id = osiiso_queue_push_call_finish (OSIISO_QUEUE (source), result, &self->error);
      break;
    case WAY_PUSH_COMMAND:
      self->id = osiiso_queue_push_command_finish (OSIISO_QUEUE (source), result, &self->error);
      break;
    case WAY_GROUP_CALL:
      self->handle = osiiso_group_submit_call_finish (OSIISO_GROUP (source), result, &self->error);
      break;
    case WAY_GROUP_COMMAND:
      self->handle = osiiso_group_submit_command_finish (OSIISO_GROUP (source), result, &self->error);
      break;
    default:
      g_assert_not_reached ();
    }
  g_assert_true ((self->id == 0 && self->handle == NULL) == (self->error != NULL));
  self->returned = TRUE;
}

/* @name: of a function, or of a program */
static void
wait_start (Wait         *self,
            const char   *name,
            GCancellable *cancellable)
{
  const char *argv[] = { name, NULL };
  g_autoptr (OsiisoCall) call = osiiso_call_new (name, NULL);
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv);

  if (*name == '\0')
    osiiso_command_set_argv (command, NULL);
  self->returned = FALSE;
  if (self->way == WAY_PUSH_CALL)
    osiiso_queue_push_call_async (self->queue, call, NULL, cancellable, returned_cb, self);
  else if (self->way == WAY_PUSH_COMMAND)
    osiiso_queue_push_command_async (self->queue, command, NULL, cancellable, returned_cb, self);
  else if (self->way == WAY_GROUP_CALL)
    osiiso_group_submit_call_async (self->group, call, NULL, cancellable, returned_cb, self);
  else
    osiiso_group_submit_command_async (self->group, command, NULL, cancellable, returned_cb, self);
  /* Never called from there. */
  g_assert_false (self->returned);
}

static void
wait_await (Wait *self)
{
  while (!self->returned)
    g_main_context_iteration (NULL, TRUE);
}

static void
wait_await_error (Wait  *self,
                  GQuark domain,
                  int    code)
{
  wait_await (self);
  g_assert_error (self->error, domain, code);
  g_clear_error (&self->error);
}

static gboolean
is_command (Way way)
{
  return way == WAY_PUSH_COMMAND || way == WAY_GROUP_COMMAND;
}

static Wait *
wait_new (Way way)
{
  Wait *self = g_new0 (Wait, 1);

  self->way = way;
  self->queue = test_holder_queue_new (is_command (way) ? OSIISO_BACKEND_CAPABILITIES_COMMANDS
                                                        : OSIISO_BACKEND_CAPABILITIES_CALLS);
  self->group = osiiso_queue_new_group (self->queue, "group");
  return self;
}

static void
wait_free (Wait *self)
{
  g_clear_object (&self->handle);
  g_object_unref (self->group);
  test_queue_free (self->queue);
  g_free (self);
}

static void
end_next (Wait       *self,
          const char *name)
{
  OsiisoAttempt *attempt = test_holder_take (self->queue);

  if (is_command (self->way))
    g_assert_cmpstr (osiiso_command_get_argv (osiiso_attempt_get_command (attempt))[0], ==, name);
  else
    g_assert_cmpstr (osiiso_call_get_function (osiiso_attempt_get_call (attempt)), ==, name);
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
}

static void
test_room (gconstpointer data)
{
  Wait *wait = wait_new (GPOINTER_TO_INT (data));
  Wait second = *wait;

  g_test_summary ("One gets in at once where there is room, the next when there is again");

  osiiso_queue_set_size (wait->queue, 1);
  wait_start (wait, "m:first", NULL);
  wait_await (wait);
  g_assert_no_error (wait->error);

  wait_start (&second, "m:second", NULL);
  for (int i = 0; i < 100; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_false (second.returned);
  end_next (wait, "m:first");
  wait_await (&second);
  g_assert_no_error (second.error);
  end_next (wait, "m:second");

  if (wait->handle != NULL)
    {
      g_assert_cmpstr (osiiso_handle_get_group_id (second.handle), ==, "group");
      g_assert_cmpuint (osiiso_group_get_n_finished (wait->group), ==, 2);
      g_object_unref (second.handle);
    }
  else
    {
      g_assert_cmpuint (second.id, >, wait->id);
    }
  g_assert_cmpuint (osiiso_queue_get_completed_count (wait->queue), ==, 2);
  wait_free (wait);
}

static void
test_refused (gconstpointer data)
{
  Wait *wait = wait_new (GPOINTER_TO_INT (data));
  Wait second = *wait;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_test_summary ("What is no call or command, a wait that is cancelled, and a queue that closes end in an error");

  wait_start (wait, "", NULL);
  wait_await_error (wait, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);

  osiiso_queue_set_size (wait->queue, 1);
  wait_start (wait, "m:first", NULL);
  wait_await (wait);
  g_assert_no_error (wait->error);
  wait_start (&second, "m:second", cancellable);
  g_cancellable_cancel (cancellable);
  wait_await_error (&second, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  wait_start (&second, "m:third", NULL);
  osiiso_queue_shutdown_async (wait->queue, FALSE, NULL, NULL, NULL);
  wait_await_error (&second, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  end_next (wait, "m:first");
  g_assert_true (osiiso_queue_shutdown (wait->queue, FALSE, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_get_completed_count (wait->queue), ==, 1);
  wait_free (wait);
}

static void
test_not_supported (gconstpointer data)
{
  Wait *wait = wait_new (GPOINTER_TO_INT (data));

  g_test_summary ("A backend that runs none says so");

  wait->way = is_command (wait->way) ? wait->way - 1 : wait->way + 1;
  wait_start (wait, "m:f", NULL);
  wait_await_error (wait, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_assert_cmpuint (osiiso_queue_get_pending_count (wait->queue), ==, 0);
  wait_free (wait);
}

static void
add (const char   *path,
     GTestDataFunc func)
{
  static const char *names[] = { "push-call", "push-command", "group-call", "group-command" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *whole = g_strconcat (path, "/", names[i], NULL);

      g_test_add_data_func (whole, GUINT_TO_POINTER (i), func);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  add ("/call-async/room", test_room);
  add ("/call-async/refused", test_refused);
  add ("/call-async/not-supported", test_not_supported);

  return g_test_run ();
}
