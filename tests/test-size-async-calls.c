/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "test-holder.h"

/* Calls and commands that wait for room without blocking, on each of their ways in. */

#define CAPABILITIES (OSIISO_BACKEND_CAPABILITIES_CALLS | OSIISO_BACKEND_CAPABILITIES_COMMANDS | \
                      OSIISO_BACKEND_CAPABILITIES_ASYNC | OSIISO_BACKEND_CAPABILITIES_KILL)
#define SIZE  2u
#define TOKEN 7u

typedef enum
{
  WAY_SUBMIT_CALL,
  WAY_SUBMIT_COMMAND,
  WAY_PUSH_CALL,
  WAY_PUSH_COMMAND,
  WAY_GROUP_CALL,
  WAY_GROUP_COMMAND,
  WAY_TOKEN_CALL,
  WAY_TOKEN_CALLS, /* SIZE of them, unless a test says otherwise */
  N_WAYS,
} Way;

static const char *way_names[N_WAYS] = {
  "submit-call", "submit-command", "push-call", "push-command",
  "group-call", "group-command", "token-call", "token-calls",
};

typedef struct
{
  OsiisoQueue   *queue;
  OsiisoGroup   *group;
  OsiisoCall    *call;
  OsiisoCommand *command;
  OsiisoAttempt *fillers[SIZE];
  guint          n_told;
} Fixture;

typedef struct
{
  Way           way;
  gsize         n;
  gboolean      returned;
  OsiisoHandle *handle; /* (nullable) */
  guint64      *ids;    /* (nullable) */
  GError       *error;
} Wait;

#define ITERATE_UNTIL(condition)               \
  while (!(condition))                         \
    g_main_context_iteration (NULL, FALSE);

static gboolean
is_command (Way way)
{
  return way == WAY_SUBMIT_COMMAND || way == WAY_PUSH_COMMAND || way == WAY_GROUP_COMMAND;
}

static void
told_cb (const guint64 *tokens,
         const guint   *statuses,
         gsize          n,
         gpointer       user_data)
{
  ((Fixture *) user_data)->n_told += n;
}

static void
fixture_init (Fixture                  *self,
              OsiisoBackendCapabilities capabilities)
{
  static const char *argv[] = { "program", NULL };
  g_autoptr (GError) error = NULL;

  memset (self, 0, sizeof *self);
  self->queue = test_holder_queue_new (capabilities);
  osiiso_queue_set_workers (self->queue, 8);
  osiiso_queue_set_size (self->queue, SIZE);
  osiiso_queue_set_completions_func (self->queue, 0, told_cb, self, NULL, &error);
  g_assert_no_error (error);
  self->group = osiiso_queue_new_group (self->queue, "g");
  self->call = osiiso_call_new ("function", NULL);
  self->command = osiiso_command_new (argv);
}

static void
fixture_clear (Fixture *self)
{
  g_object_unref (self->group);
  osiiso_call_unref (self->call);
  g_object_unref (self->command);
  test_queue_free (self->queue);
}

static void
end (OsiisoAttempt *attempt)
{
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
}

static void
fill (Fixture *self)
{
  for (guint i = 0; i < SIZE; i++)
    {
      g_assert_cmpuint (osiiso_queue_push_call (self->queue, self->call, NULL, NULL), !=, 0);
      self->fillers[i] = test_holder_take (self->queue);
    }
}

static void
let_go (Fixture *self)
{
  for (guint i = 0; i < SIZE; i++)
    end (g_steal_pointer (&self->fillers[i]));
}

static guint64 *
one_id (guint64 id)
{
  return id != 0 ? g_memdup2 (&id, sizeof id) : NULL;
}

static void
returned_cb (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  Wait *self = user_data;
  OsiisoQueue *queue = OSIISO_IS_QUEUE (source) ? OSIISO_QUEUE (source) : NULL;
  OsiisoGroup *group = OSIISO_IS_GROUP (source) ? OSIISO_GROUP (source) : NULL;
  gsize n = 1;

  g_assert_false (self->returned);
  self->returned = TRUE;
  switch (self->way)
    {
    case WAY_SUBMIT_CALL:
      self->handle = osiiso_queue_submit_call_finish (queue, result, &self->error);
      break;
    case WAY_SUBMIT_COMMAND:
      self->handle = osiiso_queue_submit_command_finish (queue, result, &self->error);
      break;
    case WAY_PUSH_CALL:
      self->ids = one_id (osiiso_queue_push_call_finish (queue, result, &self->error));
      break;
    case WAY_PUSH_COMMAND:
      self->ids = one_id (osiiso_queue_push_command_finish (queue, result, &self->error));
      break;
    case WAY_GROUP_CALL:
      self->handle = osiiso_group_submit_call_finish (group, result, &self->error);
      break;
    case WAY_GROUP_COMMAND:
      self->handle = osiiso_group_submit_command_finish (group, result, &self->error);
      break;
    case WAY_TOKEN_CALL:
      self->ids = one_id (osiiso_queue_submit_token_call_finish (queue, result, &self->error));
      break;
    case WAY_TOKEN_CALLS:
      self->ids = osiiso_queue_submit_token_calls_finish (queue, result, &n, &self->error);
      g_assert_cmpuint (n, ==, self->ids != NULL ? self->n : 0);
      break;
    case N_WAYS:
    default:
      g_assert_not_reached ();
    }
  g_assert_true ((self->error == NULL) == (self->handle != NULL || self->ids != NULL));
}

static void
begin_token_calls (Wait              *self,
                   Fixture           *fixture,
                   gsize              n,
                   OsiisoTaskOptions *options,
                   GCancellable      *cancellable)
{
  static const guint64 lengths[] = { 1, 0, 2 };
  static const gsize sizes[] = { 0, 1, 1, 3 };
  g_autoptr (GBytes) payloads = NULL;

  g_assert_cmpuint (n, <=, G_N_ELEMENTS (lengths));
  self->n = n;
  payloads = g_bytes_new_static ("abc", sizes[n]);
  osiiso_queue_submit_token_calls_async (fixture->queue, TOKEN, fixture->call, payloads, lengths, n, options,
                                         cancellable, returned_cb, self);
}

static void
begin (Wait              *self,
       Fixture           *fixture,
       Way                way,
       OsiisoTaskOptions *options,
       GCancellable      *cancellable)
{
  *self = (Wait) { .way = way, .n = 1 };
  switch (way)
    {
    case WAY_SUBMIT_CALL:
      osiiso_queue_submit_call_async (fixture->queue, fixture->call, options, cancellable, returned_cb, self);
      break;
    case WAY_SUBMIT_COMMAND:
      osiiso_queue_submit_command_async (fixture->queue, fixture->command, options, cancellable, returned_cb, self);
      break;
    case WAY_PUSH_CALL:
      osiiso_queue_push_call_async (fixture->queue, fixture->call, options, cancellable, returned_cb, self);
      break;
    case WAY_PUSH_COMMAND:
      osiiso_queue_push_command_async (fixture->queue, fixture->command, options, cancellable, returned_cb, self);
      break;
    case WAY_GROUP_CALL:
      osiiso_group_submit_call_async (fixture->group, fixture->call, options, cancellable, returned_cb, self);
      break;
    case WAY_GROUP_COMMAND:
      osiiso_group_submit_command_async (fixture->group, fixture->command, options, cancellable, returned_cb, self);
      break;
    case WAY_TOKEN_CALL:
      osiiso_queue_submit_token_call_async (fixture->queue, TOKEN, fixture->call, (const guint8 *) "x", 1, options,
                                            cancellable, returned_cb, self);
      break;
    case WAY_TOKEN_CALLS:
      begin_token_calls (self, fixture, SIZE, options, cancellable);
      break;
    case N_WAYS:
    default:
      g_assert_not_reached ();
    }
  g_assert_false (self->returned);
}

static void
assert_error (Wait  *self,
              GQuark domain,
              int    code)
{
  ITERATE_UNTIL (self->returned);
  g_assert_error (self->error, domain, code);
  g_clear_error (&self->error);
}

/* Takes what has come in, looks at it, and ends it. */
static void
run (Wait    *self,
     Fixture *fixture)
{
  for (gsize i = 0; i < self->n; i++)
    {
      OsiisoAttempt *attempt = test_holder_take (fixture->queue);
      OsiisoCall *call = osiiso_attempt_get_call (attempt);
      g_autofree char *name = osiiso_attempt_dup_name (attempt);
      const guint64 id = self->ids != NULL ? self->ids[i] : osiiso_handle_get_task_id (self->handle);

      g_assert_cmpuint (osiiso_attempt_get_task_id (attempt), ==, id);
      g_assert_cmpstr (name, ==, is_command (self->way) ? "program" : "function");
      if (is_command (self->way))
        g_assert_cmpstr (osiiso_command_get_argv (osiiso_attempt_get_command (attempt))[0], ==, "program");
      else
        g_assert_cmpstr (osiiso_call_get_function (call), ==, "function");
      if (self->way >= WAY_TOKEN_CALL)
        g_assert_cmpuint (g_bytes_get_size (osiiso_call_get_bytes (call)), ==, i == 0 ? 1 : 0);
      end (attempt);
    }
}

static void
assert_ran (Wait    *self,
            Fixture *fixture)
{
  const gboolean is_member = self->way == WAY_GROUP_CALL || self->way == WAY_GROUP_COMMAND;

  ITERATE_UNTIL (self->returned);
  g_assert_no_error (self->error);
  run (self, fixture);
  g_assert_true (osiiso_queue_join (fixture->queue, NULL, NULL));
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (fixture->group)), ==, is_member);
  g_assert_cmpuint (fixture->n_told, ==, self->way >= WAY_TOKEN_CALL ? self->n : 0);
  if (self->handle != NULL)
    g_assert_cmpint (osiiso_handle_get_status (self->handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_object (&self->handle);
  g_clear_pointer (&self->ids, g_free);
}

static void
test_at_once (gconstpointer data)
{
  const Way way = GPOINTER_TO_UINT (data);
  Fixture fixture;
  Wait wait;

  g_test_summary ("It comes in at once when there is room, and returns later");

  fixture_init (&fixture, CAPABILITIES);
  begin (&wait, &fixture, way, NULL, NULL);
  g_assert_cmpuint (osiiso_queue_get_pending_count (fixture.queue), ==, wait.n);
  assert_ran (&wait, &fixture);
  fixture_clear (&fixture);
}

static void
test_room (gconstpointer data)
{
  const Way way = GPOINTER_TO_UINT (data);
  Fixture fixture;
  Wait wait;

  g_test_summary ("It waits while the queue is full, and comes in as a whole");

  fixture_init (&fixture, CAPABILITIES);
  fill (&fixture);
  begin (&wait, &fixture, way, NULL, NULL);
  g_assert_cmpuint (osiiso_queue_get_pending_count (fixture.queue), ==, 0);
  end (fixture.fillers[0]);
  g_assert_cmpuint (osiiso_queue_get_pending_count (fixture.queue), ==, wait.n == 1 ? 1 : 0);
  end (fixture.fillers[1]);
  g_assert_cmpuint (osiiso_queue_get_pending_count (fixture.queue), ==, wait.n);
  g_assert_false (wait.returned);
  assert_ran (&wait, &fixture);
  fixture_clear (&fixture);
}

static void
test_cancelled (gconstpointer data)
{
  const Way way = GPOINTER_TO_UINT (data);
  Fixture fixture;

  g_test_summary ("Its wait is cancelled, before it began too, and with the cancellable of the options");

  fixture_init (&fixture, CAPABILITIES);
  fill (&fixture);
  for (guint of_options = 0; of_options <= 1; of_options++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
      Wait waits[2];

      if (of_options)
        osiiso_task_options_set_cancellable (options, cancellable);
      for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
        {
          begin (&waits[i], &fixture, way, options, of_options ? NULL : cancellable);
          g_cancellable_cancel (cancellable);
          assert_error (&waits[i], G_IO_ERROR, G_IO_ERROR_CANCELLED);
        }
    }
  let_go (&fixture);
  g_assert_true (osiiso_queue_join (fixture.queue, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_get_completed_count (fixture.queue), ==, SIZE);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (fixture.group)), ==, 0);
  fixture_clear (&fixture);
}

static void
test_closed (gconstpointer data)
{
  const Way way = GPOINTER_TO_UINT (data);
  Fixture fixture;
  Wait waits[2];

  g_test_summary ("It is refused when the queue is shut down, while it waits and later");

  fixture_init (&fixture, CAPABILITIES);
  fill (&fixture);
  begin (&waits[0], &fixture, way, NULL, NULL);
  osiiso_queue_shutdown_async (fixture.queue, FALSE, NULL, NULL, NULL);
  begin (&waits[1], &fixture, way, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    assert_error (&waits[i], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  let_go (&fixture);
  g_assert_cmpuint (fixture.n_told, ==, 0);
  fixture_clear (&fixture);
}

static void
test_refused (gconstpointer data)
{
  const Way way = GPOINTER_TO_UINT (data);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", -1.0, NULL);
  Fixture fixture;
  Wait wait;

  g_test_summary ("It is refused by a backend that does not run such tasks, and with options that make no sense");

  fixture_init (&fixture, is_command (way) ? OSIISO_BACKEND_CAPABILITIES_CALLS : OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  begin (&wait, &fixture, way, NULL, NULL);
  assert_error (&wait, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  fixture_clear (&fixture);

  fixture_init (&fixture, CAPABILITIES);
  begin (&wait, &fixture, way, options, NULL);
  assert_error (&wait, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  fixture_clear (&fixture);
}

static void
test_dropped (gconstpointer data)
{
  const Way way = GPOINTER_TO_UINT (data);
  Fixture fixture;
  Wait wait;

  g_test_summary ("The call or command may be dropped, and a command changed, while it waits");

  fixture_init (&fixture, CAPABILITIES);
  fill (&fixture);
  begin (&wait, &fixture, way, NULL, NULL);
  osiiso_command_set_argv (fixture.command, NULL);
  osiiso_call_unref (fixture.call);
  fixture.call = osiiso_call_new ("another", NULL);
  let_go (&fixture);
  assert_ran (&wait, &fixture);
  fixture_clear (&fixture);
}

static void
test_too_large (void)
{
  Fixture fixture;
  Wait none = { .way = WAY_TOKEN_CALLS };
  Wait many = { .way = WAY_TOKEN_CALLS };
  Wait shrunk = { .way = WAY_TOKEN_CALLS };
  Wait wrong = { .way = WAY_TOKEN_CALLS };
  const guint64 lengths[] = { 1, 1 };
  g_autoptr (GBytes) payloads = g_bytes_new_static ("abc", 3);

  g_test_summary ("Many calls that can never fit, or whose lengths are wrong, fail as a whole; none have no ids");

  fixture_init (&fixture, CAPABILITIES);
  begin_token_calls (&none, &fixture, 0, NULL, NULL);
  assert_ran (&none, &fixture);
  begin_token_calls (&many, &fixture, SIZE + 1, NULL, NULL);
  assert_error (&many, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  osiiso_queue_submit_token_calls_async (fixture.queue, 1, fixture.call, payloads, lengths, 2, NULL, NULL, returned_cb,
                                         &wrong);
  assert_error (&wrong, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);

  fill (&fixture);
  begin_token_calls (&shrunk, &fixture, SIZE, NULL, NULL);
  osiiso_queue_set_size (fixture.queue, SIZE - 1);
  assert_error (&shrunk, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  let_go (&fixture);
  g_assert_cmpuint (osiiso_queue_get_pending_count (fixture.queue), ==, 0);
  fixture_clear (&fixture);
}

static void
test_nobody_hears (void)
{
  OsiisoQueue *queue = test_holder_queue_new (CAPABILITIES);
  g_autoptr (OsiisoCall) call = osiiso_call_new ("function", NULL);
  Fixture fixture = { .queue = queue, .call = call };
  Wait wait;

  g_test_summary ("Calls by token are refused when nobody hears of their ends");

  for (guint way = WAY_TOKEN_CALL; way <= WAY_TOKEN_CALLS; way++)
    {
      begin (&wait, &fixture, (Way) way, NULL, NULL);
      assert_error (&wait, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
    }
  test_queue_free (queue);
}

static void
add_for_ways (const char   *path,
              GTestDataFunc func)
{
  for (guint way = 0; way < N_WAYS; way++)
    {
      g_autofree char *full = g_strdup_printf ("/size-async-calls/%s/%s", path, way_names[way]);

      g_test_add_data_func (full, GUINT_TO_POINTER (way), func);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  add_for_ways ("at-once", test_at_once);
  add_for_ways ("room", test_room);
  add_for_ways ("cancelled", test_cancelled);
  add_for_ways ("closed", test_closed);
  add_for_ways ("refused", test_refused);
  add_for_ways ("dropped", test_dropped);
  g_test_add_func ("/size-async-calls/too-large", test_too_large);
  g_test_add_func ("/size-async-calls/nobody-hears", test_nobody_hears);

  return g_test_run ();
}
