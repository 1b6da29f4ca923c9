/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* Every call that blocks, from every place where blocking may never end: it
 * fails with WOULD_DEADLOCK there, changes nothing, and works everywhere else. */

typedef struct
{
  OsiisoQueue  *queue;
  OsiisoHandle *self;  /* (nullable): the task that calls */
  OsiisoHandle *other; /* a task that waits */
  OsiisoGroup  *group; /* of one task that waits */
} Place;

static gboolean
call_run (Place   *place,
          GError **error)
{
  g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run (place->queue, NULL, error);

  return summary != NULL;
}

static gboolean
call_join (Place   *place,
           GError **error)
{
  return osiiso_queue_join (place->queue, NULL, error);
}

static gboolean
call_shutdown (Place   *place,
               GError **error)
{
  return osiiso_queue_shutdown (place->queue, FALSE, NULL, error);
}

static gboolean
call_force (Place   *place,
            GError **error)
{
  return osiiso_queue_shutdown (place->queue, TRUE, NULL, error);
}

static gboolean
call_wait_self (Place   *place,
                GError **error)
{
  return osiiso_handle_wait (place->self, -1, NULL, error);
}

static gboolean
call_wait_other (Place   *place,
                 GError **error)
{
  return osiiso_handle_wait (place->other, -1, NULL, error);
}

static gboolean
call_wait_group (Place   *place,
                 GError **error)
{
  g_autoptr (OsiisoRunSummary) summary = osiiso_group_wait (place->group, -1, NULL, error);

  return summary != NULL;
}

static gboolean
call_next (Place   *place,
           GError **error)
{
  g_autoptr (OsiisoHandle) handle = osiiso_group_next_completed (place->group, -1, NULL, error);

  return handle != NULL;
}

static gboolean
call_submit (Place   *place,
             GError **error)
{
  g_autoptr (OsiisoHandle) handle = osiiso_queue_submit (place->queue, test_task_none, NULL, NULL, NULL, error);

  return handle != NULL;
}

typedef enum
{
  RUN,
  JOIN,
  SHUTDOWN,
  FORCE,
  WAIT_SELF,
  WAIT_OTHER,
  WAIT_GROUP,
  NEXT,
  SUBMIT,
  N_CALLS,
} Call;

static const struct
{
  const char *name;
  gboolean  (*call) (Place *, GError **);
} calls[N_CALLS] = {
  [RUN] = { "run", call_run },
  [JOIN] = { "join", call_join },
  [SHUTDOWN] = { "shutdown", call_shutdown },
  [FORCE] = { "shutdown-force", call_force },
  [WAIT_SELF] = { "wait-self", call_wait_self },
  [WAIT_OTHER] = { "wait", call_wait_other },
  [WAIT_GROUP] = { "group-wait", call_wait_group },
  [NEXT] = { "group-next-completed", call_next },
  [SUBMIT] = { "submit-when-full", call_submit },
};

typedef enum
{
  NOT_TRIED,
  WORKS,
  DEADLOCK,
  FULL, /* the same, for who looks for room */
} Outcome;

typedef struct _Row Row;
struct _Row
{
  const char *name;
  const char *backend;
  void      (*go) (const Row *, Place *, Call);
  Outcome     outcomes[N_CALLS];
};

static void
try_call (const Row *row,
          Place     *place,
          Call       call)
{
  const int code = row->outcomes[call] == FULL ? OSIISO_QUEUE_ERROR_FULL : OSIISO_QUEUE_ERROR_WOULD_DEADLOCK;
  g_autoptr (GError) error = NULL;
  gboolean ok = calls[call].call (place, &error);

  if (row->outcomes[call] == WORKS)
    {
      g_assert_no_error (error);
      g_assert_true (ok);
      return;
    }
  g_assert_false (ok);
  g_assert_error (error, OSIISO_QUEUE_ERROR, code);
}

/* Leaves no room for another task, if that is what is to be tried. */
static void
fill (Place *place,
      Call   call)
{
  if (call == SUBMIT)
    osiiso_queue_set_size (place->queue, (guint) (osiiso_queue_get_pending_count (place->queue) +
                                                  osiiso_queue_get_active_count (place->queue)));
}

/* Places. */

typedef struct
{
  const Row *row;
  Place     *place;
  Call       call;
  int        n_tried;
} Inside;

static void
try_inside (OsiisoAttempt *attempt,
            gpointer       data)
{
  Inside *inside = data;
  g_autoptr (OsiisoHandle) self = osiiso_queue_lookup (inside->place->queue, osiiso_attempt_get_task_id (attempt));

  inside->place->self = self;
  try_call (inside->row, inside->place, inside->call);
  inside->place->self = NULL;
  inside->n_tried++;
}

/* In a task of the queue, which comes before the ones that wait. */
static void
go_task (const Row *row,
         Place     *place,
         Call       call)
{
  Inside inside = { row, place, call, 0 };
  g_autoptr (OsiisoTaskOptions) first = test_options_new ("priority", 0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (place->queue, try_inside, &inside, first);

  fill (place, call);
  test_run_all (place->queue);
  g_assert_cmpint (inside.n_tried, ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
}

/* In a task of another queue on the same backend. */
static void
go_foreign_task (const Row *row,
                 Place     *place,
                 Call       call)
{
  OsiisoQueue *foreign = test_queue_new (row->backend);
  Inside inside = { row, place, call, 0 };

  fill (place, call);
  osiiso_queue_set_workers (foreign, 1);
  test_submit_and_drop (foreign, try_inside, &inside, NULL);
  test_run_all (foreign);
  g_assert_cmpint (inside.n_tried, ==, 1);
  test_queue_free (foreign);
}

static gboolean
try_in_initializer (gpointer  data,
                    GError  **error)
{
  Inside *inside = data;

  if (g_atomic_int_add (&inside->n_tried, 1) == 0)
    try_call (inside->row, inside->place, inside->call);
  return TRUE;
}

/* In the initializer of the queue. */
static void
go_initializer (const Row *row,
                Place     *place,
                Call       call)
{
  Inside inside = { row, place, call, 0 };

  g_assert_true (osiiso_queue_set_initializer (place->queue, try_in_initializer, &inside, NULL, NULL));
  fill (place, call);
  test_run_all (place->queue);
  g_assert_cmpint (inside.n_tried, ==, 1);
}

static void
try_in_handler (OsiisoQueue  *queue,
                OsiisoHandle *handle,
                gpointer      data)
{
  Inside *inside = data;

  if (inside->n_tried++ > 0)
    return;
  fill (inside->place, inside->call);
  try_call (inside->row, inside->place, inside->call);
}

/* In a handler, in the owner's thread, while nobody runs the queue. */
static void
go_handler (const Row *row,
            Place     *place,
            Call       call)
{
  Inside inside = { row, place, call, 0 };
  g_autoptr (OsiisoTaskOptions) first = test_options_new ("priority", 0, NULL);

  g_signal_connect (place->queue, "on-complete", G_CALLBACK (try_in_handler), &inside);
  test_submit_and_drop (place->queue, test_task_none, NULL, first);
  g_assert_true (osiiso_queue_start (place->queue, NULL));
  while (inside.n_tried == 0)
    g_main_context_iteration (NULL, TRUE);
  g_signal_handlers_disconnect_by_data (place->queue, &inside);
}

static void
go_owner (const Row *row,
          Place     *place,
          Call       call)
{
  fill (place, call);
  try_call (row, place, call);
}

static gpointer
try_thread (gpointer data)
{
  Inside *inside = data;

  try_call (inside->row, inside->place, inside->call);
  g_atomic_int_set (&inside->n_tried, 1);
  return NULL;
}

/* In another thread, while the owner iterates. */
static void
go_thread (const Row *row,
           Place     *place,
           Call       call)
{
  Inside inside = { row, place, call, 0 };
  GThread *thread;

  fill (place, call);
  thread = g_thread_new ("try", try_thread, &inside);
  test_iterate_until (&inside.n_tried);
  g_thread_join (thread);
}

typedef struct
{
  GMainLoop *loop;
  int        running;
} Iterating;

static gboolean
note_running (gpointer data)
{
  g_atomic_int_set (&((Iterating *) data)->running, 1);
  return G_SOURCE_REMOVE;
}

static gpointer
iterate_thread (gpointer data)
{
  g_main_loop_run (((Iterating *) data)->loop);
  return NULL;
}

/* In the thread that made the queue, while another one iterates its context. */
static void
go_without_context (const Row *row,
                    Place     *place,
                    Call       call)
{
  Iterating iterating = { g_main_loop_new (NULL, FALSE), 0 };
  GThread *thread;

  g_idle_add (note_running, &iterating);
  thread = g_thread_new ("iterate", iterate_thread, &iterating);
  while (!g_atomic_int_get (&iterating.running))
    g_thread_yield ();
  fill (place, call);
  try_call (row, place, call);
  g_main_loop_quit (iterating.loop);
  g_thread_join (thread);
  g_main_loop_unref (iterating.loop);
}

#define W WORKS
#define D DEADLOCK
#define F FULL
#define NONE NOT_TRIED

/* run, join, shutdown, by force, wait for itself, for another task, for a group,
 * for its next member, for room */
static const Row rows[] = {
  { "task", "thread-pool", go_task, { D, D, D, D, D, D, D, D, D } },
  { "task", "main-loop", go_task, { D, D, D, D, D, D, D, D, F } },
  { "initializer", "thread-pool", go_initializer, { D, D, D, D, NONE, D, D, D, D } },
  { "initializer", "main-loop", go_initializer, { D, D, D, D, NONE, D, D, D, F } },
  { "task-of-another-queue", "thread-pool", go_foreign_task, { W, W, W, W, NONE, W, W, W, W } },
  { "task-of-another-queue", "main-loop", go_foreign_task, { W, W, W, W, NONE, D, D, D, F } },
  { "handler", "thread-pool", go_handler, { W, W, W, W, NONE, W, W, W, W } },
  { "handler", "main-loop", go_handler, { W, W, W, W, NONE, D, D, D, F } },
  { "owner", "thread-pool", go_owner, { W, W, W, W, NONE, W, W, W, W } },
  { "owner", "main-loop", go_owner, { W, W, W, W, NONE, D, D, D, F } },
  { "thread", "thread-pool", go_thread, { W, W, W, W, NONE, W, W, W, W } },
  { "thread", "main-loop", go_thread, { W, W, W, W, NONE, W, W, W, W } },
  { "owner-without-context", "thread-pool", go_without_context, { W, W, W, W, NONE, W, W, W, W } },
  { "owner-without-context", "main-loop", go_without_context, { W, W, W, W, NONE, W, W, W, W } },
};

static void
test_row (gconstpointer data)
{
  const Row *row = data;

  for (Call call = 0; call < N_CALLS; call++)
    {
      Place place = { NULL };
      const gboolean refused = row->outcomes[call] != WORKS;

      if (row->outcomes[call] == NOT_TRIED)
        continue;
      g_test_message ("%s", calls[call].name);
      place.queue = test_queue_new (row->backend);
      osiiso_queue_set_workers (place.queue, 1);
      place.group = osiiso_queue_map (place.queue, 1, test_task_none, NULL, NULL, NULL, NULL);
      place.other = test_submit (place.queue, test_task_none, NULL, NULL);
      row->go (row, &place, call);

      /* A call that was refused has not begun either. */
      if (refused)
        {
          test_run_all (place.queue);
          g_assert_false (osiiso_queue_get_closed (place.queue));
          g_assert_cmpint (osiiso_handle_get_status (place.other), ==, OSIISO_STATUS_SUCCEEDED);
          g_assert_cmpuint (osiiso_group_get_n_finished (place.group), ==, 1);
        }
      else if (call < WAIT_GROUP)
        {
          g_assert_true (osiiso_handle_is_done (place.other));
        }
      g_object_unref (place.other);
      g_object_unref (place.group);
      test_queue_free (place.queue);
    }
}

typedef struct
{
  OsiisoQueue *outer;
  OsiisoQueue *inner;
  int          n_refused;
} Nested;

static void
join_outer (OsiisoAttempt *attempt,
            gpointer       data)
{
  Nested *nested = data;
  g_autoptr (GError) error = NULL;

  g_assert_false (osiiso_queue_join (nested->outer, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  nested->n_refused++;
}

static void
run_inner (OsiisoAttempt *attempt,
           gpointer       data)
{
  Nested *nested = data;

  test_submit_and_drop (nested->inner, join_outer, nested, NULL);
  test_run_all (nested->inner);
}

static void
test_nested (void)
{
  Nested nested = { test_queue_new ("main-loop"), test_queue_new ("main-loop"), 0 };

  g_test_summary ("A task that is called while another one runs its queue cannot wait for the queue of that one");

  test_submit_and_drop (nested.outer, run_inner, &nested, NULL);
  test_run_all (nested.outer);
  g_assert_cmpint (nested.n_refused, ==, 1);
  test_queue_free (nested.inner);
  test_queue_free (nested.outer);
}

static void
test_last_worker (void)
{
  static const Row allowed = { "allowed", "thread-pool", NULL, { [WAIT_OTHER] = WORKS } };
  static const Row refused = { "refused", "thread-pool", NULL, { [WAIT_OTHER] = DEADLOCK } };
  Place place = { test_queue_new ("thread-pool"), NULL, NULL, NULL };
  Inside first = { &allowed, &place, WAIT_OTHER, 0 };
  Inside second = { &refused, &place, WAIT_OTHER, 0 };
  g_autoptr (OsiisoTaskOptions) late = test_options_new ("priority", 9, NULL);
  g_autoptr (OsiisoHandle) one = NULL;
  g_autoptr (OsiisoHandle) two = NULL;

  g_test_summary ("A task may wait for another one as long as a worker is left that could run it");

  osiiso_queue_set_workers (place.queue, 2);
  place.other = test_submit (place.queue, test_task_none, NULL, late);
  one = test_submit (place.queue, try_inside, &first, NULL);
  test_run_all (place.queue);
  g_assert_cmpint (osiiso_handle_get_status (one), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_object (&place.other);

  osiiso_queue_set_workers (place.queue, 1);
  place.other = test_submit (place.queue, test_task_none, NULL, late);
  two = test_submit (place.queue, try_inside, &second, NULL);
  test_run_all (place.queue);
  g_assert_cmpint (osiiso_handle_get_status (two), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (osiiso_handle_get_status (place.other), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_object (&place.other);
  test_queue_free (place.queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *path = g_strdup_printf ("/would-deadlock/%s/%s", rows[i].name, rows[i].backend);

      g_test_add_data_func (path, &rows[i], test_row);
    }
  g_test_add_func ("/would-deadlock/last-worker", test_last_worker);
  g_test_add_func ("/would-deadlock/nested", test_nested);

  return g_test_run ();
}
