/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"

#define DEFAULT_PREEMPTIONS 3

#if defined (__SANITIZE_ADDRESS__) || defined (__clang__)
/* Coroutines that are dropped would leak what it keeps for them. */
const char *__asan_default_options (void);

const char *
__asan_default_options (void)
{
  return "detect_stack_use_after_return=0";
}
#endif

static const struct
{
  const char    *name;
  const ExModel *models;
} groups[] = {
  { "basic", ex_basic_models },
  { "wake-protocols", ex_wake_protocol_models },
  { "take", ex_take_models },
  { "ahead", ex_ahead_models },
  { "attempt-end", ex_attempt_end_models },
  { "waiters", ex_waiter_models },
  { "admission", ex_admission_models },
  { "shutdown", ex_shutdown_models },
  { "thread-pool", ex_thread_pool_models },
  { "tokens", ex_token_models },
  { "initializer", ex_initializer_models },
  { "outbox", ex_outbox_models },
};

static int n_preemptions = DEFAULT_PREEMPTIONS;
static gboolean every;

/* A faulty model with its fault is left alone at the least number of preemptions
 * that shows it, so that what is told about it is short. */
static gboolean
explore (const ExModel *model,
         ExReport      *report)
{
  const guint most = (guint) MAX (0, n_preemptions + model->more);
  gboolean ok = TRUE;

  for (guint i = model->faulty ? 0 : most; ok && i <= most; i++)
    {
      report->preemptions = i;
      report->every = every;
      ok = ex_explore (model, report);
    }
  return ok;
}

static char *
describe (const char     *group,
          const ExModel  *model,
          const ExReport *report)
{
  g_autofree char *replay = report->choices != NULL
                              ? g_strdup_printf ("--replay %s", report->choices)
                              : g_strdup ("--replay 0");

  return g_strdup_printf ("%s\n%sagain: test-explorer --model %s/%s %s",
                          report->fault != NULL ? report->fault : "nothing is wrong",
                          report->schedule, group, model->name, replay);
}

static void
message_lines (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    g_test_message ("%s", lines[i]);
}

typedef struct
{
  const char    *group;
  const ExModel *model;
} Case;

static void
test_model (gconstpointer data)
{
  const Case *c = data;
  ExReport report = { 0 };
  g_autofree char *text = NULL;
  gboolean ok;

  g_test_summary (c->model->summary);

  ok = explore (c->model, &report);
  g_test_message ("%" G_GUINT64_FORMAT " schedules, and %" G_GUINT64_FORMAT " cut short",
                  report.n_schedules, report.n_cut);
  if (!ok)
    text = describe (c->group, c->model, &report);
  if (c->model->faulty && !ok)
    {
      g_test_message ("found with %u preemption%s: %s", report.preemptions, report.preemptions == 1 ? "" : "s",
                      report.fault);
      if (g_test_verbose ())
        message_lines (text);
    }
  else if (c->model->faulty)
    {
      g_test_fail_printf ("the fault of %s/%s was not found", c->group, c->model->name);
    }
  else if (!ok)
    {
      message_lines (text);
      g_test_fail_printf ("%s/%s: %s", c->group, c->model->name, report.fault);
    }
  ex_report_clear (&report);
}

static const ExModel *
find_model (const char *path)
{
  for (guint i = 0; i < G_N_ELEMENTS (groups); i++)
    {
      for (const ExModel *model = groups[i].models; model->name != NULL; model++)
        {
          g_autofree char *name = g_strconcat (groups[i].name, "/", model->name, NULL);

          if (g_str_equal (name, path))
            return model;
        }
    }
  return NULL;
}

/* What is cut short and left out leads nowhere else. */
static void
test_cut (void)
{
  static const char *const paths[] = {
    "basic/stores", "basic/add-locked", "basic/order", "basic/meet", "basic/hand-over", "basic/futex",
    "wake-protocols/v3", "wake-protocols/v5", "take/batch", "take/loop", "attempt-end/asks", "waiters/join",
    "waiters/async-cancel", "admission/one", "shutdown/new-work", "thread-pool/hang",
    "tokens/refuses", "initializer/hang-close", "initializer/infinite", "outbox/progress",
  };

  g_test_summary ("Exploring every schedule finds the same ends as exploring those that lead to new states");

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      const ExModel *model = find_model (paths[i]);
      ExReport cut = { .preemptions = 2 };
      ExReport all = { .preemptions = 2, .every = TRUE };

      g_assert_nonnull (model);
      g_assert_true (ex_explore (model, &cut));
      g_assert_true (ex_explore (model, &all));
      g_test_message ("%s: %" G_GUINT64_FORMAT " schedules, or %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT
                      " cut short, with %" G_GUINT64_FORMAT " ends", paths[i],
                      all.n_schedules, cut.n_schedules, cut.n_cut, cut.n_ends);
      g_assert_cmpuint (cut.n_ends, >, 0);
      g_assert_cmpuint (cut.n_ends, ==, all.n_ends);
      g_assert_cmpuint (cut.n_schedules, <=, all.n_schedules);
      g_assert_cmpuint (all.n_cut, ==, 0);
    }
}

/* Two threads of two steps: AABB and BBAA without a preemption, ABBA and BAAB with
 * one, ABAB and BABA with two. */
static void
test_count (void)
{
  static const guint expected[] = { 2, 4, 6, 6 };

  g_test_summary ("There are as many schedules as one can count by hand");

  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      ExReport report = { .preemptions = i, .every = TRUE };

      g_assert_true (ex_explore (find_model ("basic/stores"), &report));
      g_assert_cmpuint (report.n_schedules, ==, expected[i]);
    }
}

static void
test_replay (void)
{
  const ExModel *model = find_model ("wake-protocols/v4");
  ExReport found = { .preemptions = 3 };
  ExReport again = { 0 };
  ExReport other = { 0 };

  g_test_summary ("A schedule that was found can be run again, and goes as before");

  g_assert_false (ex_explore (model, &found));
  g_assert_true (ex_replay (model, found.choices, &again));
  g_assert_cmpstr (again.fault, ==, found.fault);
  g_assert_cmpstr (again.schedule, ==, found.schedule);
  g_assert_cmpstr (again.choices, ==, found.choices);
  g_assert_cmpuint (again.preemptions, ==, found.preemptions);
  g_assert_nonnull (strstr (again.schedule, "is preempted"));
  g_assert_nonnull (strstr (again.schedule, "locked_sleep"));

  g_assert_true (ex_replay (model, "0", &other));
  g_assert_null (other.fault);
  g_assert_cmpuint (other.preemptions, ==, 0);
  g_assert_false (ex_replay (model, "0,x", &other));

  ex_report_clear (&found);
  ex_report_clear (&again);
  ex_report_clear (&other);
}

static int
replay_one (const char *path,
            const char *choices)
{
  const ExModel *model = find_model (path);
  ExReport report = { 0 };

  if (model == NULL || !ex_replay (model, choices, &report))
    {
      g_printerr ("There is no model '%s', or '%s' is not a list of choices\n", path, choices);
      return 2;
    }
  g_print ("%s%s\n", report.schedule, report.fault != NULL ? report.fault : "nothing is wrong");
  model = NULL;
  choices = report.fault;
  ex_report_clear (&report);
  return choices != NULL;
}

int
main (int   argc,
      char *argv[])
{
  g_autofree char *only = NULL;
  g_autofree char *replay = NULL;
  const char *nightly = g_getenv ("OSIISO_EXPLORER_PREEMPTIONS");
  const GOptionEntry entries[] = {
    { "preemptions", 0, 0, G_OPTION_ARG_INT, &n_preemptions, "How many preemptions a schedule may have", "N" },
    { "every", 0, 0, G_OPTION_ARG_NONE, &every, "Do not cut schedules short at known states", NULL },
    { "model", 0, 0, G_OPTION_ARG_STRING, &only, "The model to replay", "GROUP/NAME" },
    { "replay", 0, 0, G_OPTION_ARG_STRING, &replay, "Run one schedule and show it", "CHOICES" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) cases = g_ptr_array_new_with_free_func (g_free);

  setlocale (LC_ALL, "");
  if (nightly != NULL)
    n_preemptions = atoi (nightly);
  g_option_context_add_main_entries (context, entries, NULL);
  /* The rest is GTest's. */
  g_option_context_set_ignore_unknown_options (context, TRUE);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  if (only != NULL || replay != NULL)
    return replay_one (only != NULL ? only : "", replay != NULL ? replay : "0");

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/explorer/self/count", test_count);
  g_test_add_func ("/explorer/self/cut", test_cut);
  g_test_add_func ("/explorer/self/replay", test_replay);
  for (guint i = 0; i < G_N_ELEMENTS (groups); i++)
    {
      for (const ExModel *model = groups[i].models; model->name != NULL; model++)
        {
          g_autofree char *path = g_strdup_printf ("/explorer/%s/%s", groups[i].name, model->name);
          Case *c = g_new (Case, 1);

          *c = (Case) { groups[i].name, model };
          g_ptr_array_add (cases, c);
          g_test_add_data_func (path, c, test_model);
        }
    }
  return g_test_run ();
}
