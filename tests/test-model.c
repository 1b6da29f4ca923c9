/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "model-driver.h"

/* Random operations on a queue and on a small model of what it should do, with a
 * comparison after each of them. A seed decides everything; --seed repeats one. */

typedef struct
{
  guint   op;
  guint64 seed;
} Step;

static int option_seed = -1;
static int option_seeds;
static int option_ops;
static int option_mutation;

/* For whoever finds the test dead. */
static struct
{
  volatile guint seed;
  volatile guint step;
} now;

static void
tell_and_die (int number)
{
  char text[80];
  int n = g_snprintf (text, sizeof text, "\n# signal %d at seed %u, operation %u\n", number, now.seed, now.step);

  if (write (STDERR_FILENO, text, n) < 0)
    _exit (2);
  signal (number, SIG_DFL);
  raise (number);
}

static struct
{
  guint64 n_ops;
  guint   n_ambiguous; /* programs that came to where the model knows no answer */
} total;

static GArray *
new_program (guint seed,
             guint n_ops)
{
  GArray *program = g_array_new (FALSE, FALSE, sizeof (Step));
  Random random = { seed };

  for (guint i = 0; i < n_ops; i++)
    {
      Step step = { .op = model_ops_pick (&random), .seed = random_next (&random) };

      g_array_append_val (program, step);
    }
  return program;
}

/* Returns what was different, and where; NULL if nothing was. */
static char *
run_program (guint       seed,
             GArray     *program,
             RefMutation mutation,
             GPtrArray  *trace,
             guint      *at)
{
  Driver driver = { .trace = trace };
  Random random = { ~(guint64) seed };
  guint i;

  osiiso_private_test_hooks ()->clock_set_manual (1000 * G_USEC_PER_SEC);
  now.seed = seed;
  driver_open (&driver, mutation, &random);
  for (i = 0; i < program->len && driver.difference == NULL && !driver.model->ambiguous; i++)
    {
      Step *step = &g_array_index (program, Step, i);

      now.step = i;
      model_ops_perform (&driver, step->op, step->seed);
    }
  total.n_ops += i;
  total.n_ambiguous += driver.model->ambiguous;
  driver_close (&driver);
  *at = i;
  return driver.difference;
}

/* Leaves out what can be left out, with the same kind of difference or another. */
static void
shrink (guint       seed,
        GArray     *program,
        RefMutation mutation)
{
  guint tries = 600;

  for (guint size = MAX (program->len / 2, 1); size > 0 && tries > 0;)
    {
      gboolean cut = FALSE;

      for (guint from = 0; from < program->len && tries > 0;)
        {
          g_autoptr (GArray) shorter = g_array_copy (program);
          g_autofree char *difference = NULL;
          guint at;

          tries--;
          g_array_remove_range (shorter, from, MIN (size, program->len - from));
          difference = run_program (seed, shorter, mutation, NULL, &at);
          if (difference == NULL)
            {
              from += size;
              continue;
            }
          g_array_set_size (shorter, MIN (at, shorter->len));
          g_array_set_size (program, 0);
          g_array_append_vals (program, shorter->data, shorter->len);
          cut = TRUE;
        }
      if (!cut || size > program->len)
        size /= 2;
    }
}

static void
report (guint       seed,
        GArray     *program,
        RefMutation mutation,
        guint       at,
        const char *difference)
{
  g_autoptr (GPtrArray) trace = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *last = NULL;

  g_test_message ("seed %u, operation %u: %s", seed, at, difference);
  g_array_set_size (program, MIN (at, program->len));
  shrink (seed, program, mutation);
  last = run_program (seed, program, mutation, trace, &at);
  g_test_message ("the same, or another, with %u operations left:", program->len);
  for (guint i = 0; i < trace->len; i++)
    g_test_message ("  %s", (char *) g_ptr_array_index (trace, i));
  g_test_message ("%s", last);
}

static gboolean
run_seed (guint       seed,
          guint       n_ops,
          RefMutation mutation,
          gboolean    loud)
{
  g_autoptr (GArray) program = new_program (seed, n_ops);
  g_autofree char *difference = NULL;
  guint at;

  difference = run_program (seed, program, mutation, NULL, &at);
  if (difference == NULL)
    return TRUE;
  if (loud)
    report (seed, program, mutation, at, difference);
  return FALSE;
}

/* TRUE when no seed from @first on made a difference. */
static gboolean
run_seeds (guint first,
           guint n_seeds,
           guint n_ops)
{
  for (guint seed = first; seed < first + n_seeds; seed++)
    if (!run_seed (seed, n_ops, option_mutation, TRUE))
      {
        g_test_fail_printf ("repeat with --seed %u --ops %u", seed, n_ops);
        return FALSE;
      }
  g_test_message ("%" G_GUINT64_FORMAT " operations; %u programs were cut short", total.n_ops, total.n_ambiguous);
  return TRUE;
}

static void
test_agrees (void)
{
  guint n_ops = option_ops > 0 ? option_ops : 1000;

  g_test_summary ("Whatever is done with a queue, it does what the model does");

  if (option_seed >= 0)
    run_seeds (option_seed, 1, n_ops);
  else if (option_seeds > 0)
    run_seeds (1, option_seeds, n_ops);
  else
    run_seeds (1, g_test_thorough () ? 10000 : 1100, n_ops);
}

static void
test_short (void)
{
  g_test_summary ("Many queues, of which each begins and ends soon");

  run_seeds (1000000, g_test_thorough () ? 100000 : 5000, 40);
}

static void
test_replay (void)
{
  g_test_summary ("A seed does the same again");

  for (guint seed = 1; seed <= 20; seed++)
    {
      g_autoptr (GPtrArray) first = g_ptr_array_new_with_free_func (g_free);
      g_autoptr (GPtrArray) second = g_ptr_array_new_with_free_func (g_free);
      g_autoptr (GArray) program = new_program (seed, 500);
      guint at;

      g_free (run_program (seed, program, REF_RIGHT, first, &at));
      g_free (run_program (seed, program, REF_RIGHT, second, &at));
      g_assert_cmpuint (first->len, ==, second->len);
      for (guint i = 0; i < first->len; i++)
        g_assert_cmpstr (g_ptr_array_index (first, i), ==, g_ptr_array_index (second, i));
    }
}

static void
test_mutation (gconstpointer data)
{
  RefMutation mutation = GPOINTER_TO_INT (data);
  guint seed = 1;

  g_test_summary ("A model that is wrong in one point is found out");

  while (seed <= 300 && run_seed (seed, 300, mutation, FALSE))
    seed++;
  g_test_message ("found by seed %u", seed);
  g_assert_cmpuint (seed, <=, 300);
}

int
main (int   argc,
      char *argv[])
{
  const GOptionEntry entries[] = {
    { "seed", 0, 0, G_OPTION_ARG_INT, &option_seed, "The one seed to run", "N" },
    { "seeds", 0, 0, G_OPTION_ARG_INT, &option_seeds, "How many seeds", "N" },
    { "ops", 0, 0, G_OPTION_ARG_INT, &option_ops, "How many operations with each", "M" },
    { "mutate", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_INT, &option_mutation, "Use a wrong model", "K" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  /* Before GTest, which has a --seed of its own. */
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_ignore_unknown_options (context, TRUE);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  g_test_init (&argc, &argv, NULL);
  signal (SIGABRT, tell_and_die);
  signal (SIGSEGV, tell_and_die);
  signal (SIGTERM, tell_and_die);
  signal (SIGTRAP, tell_and_die);

  g_test_add_func ("/model/agrees", test_agrees);
  if (option_seed >= 0 || option_seeds > 0 || option_mutation > 0)
    return g_test_run ();
  g_test_add_func ("/model/short", test_short);
  g_test_add_func ("/model/replay", test_replay);
  for (guint i = REF_RIGHT + 1; i < REF_N_MUTATIONS; i++)
    {
      g_autofree char *path = g_strdup_printf ("/model/mutation/%u", i);

      g_test_add_data_func (path, GINT_TO_POINTER (i), test_mutation);
    }
  return g_test_run ();
}
