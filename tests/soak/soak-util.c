/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

/* A program that says the same a million times helps nobody. */
#define MAX_SAID 20

static atomic_uint n_broken;

void
soak_report (const char *name,
             double      value)
{
  static gboolean begun;
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  if (name == NULL)
    {
      printf ("%s\"broken\": %u}\n", begun ? ", " : "{", atomic_load (&n_broken));
      fflush (stdout);
      return;
    }
  g_ascii_dtostr (number, sizeof number, value);
  printf ("%s\"%s\": %s", begun ? ", " : "{", name, number);
  begun = TRUE;
}

static int
compare_doubles (const void *a,
                 const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

double
soak_quantile (double *values,
               guint   n,
               double  quantile)
{
  if (n == 0)
    return 0;
  qsort (values, n, sizeof *values, compare_doubles);
  return values[MIN (n - 1, (guint) (n * quantile))];
}

void
soak_report_quantiles (const char *name,
                       double     *values,
                       guint       n)
{
  const struct { const char *suffix; double quantile; } quantiles[] = { { "p50", 0.5 }, { "p99", 0.99 }, { "max", 1 } };

  for (guint i = 0; i < G_N_ELEMENTS (quantiles); i++)
    {
      g_autofree char *full = g_strdup_printf ("%s_%s", name, quantiles[i].suffix);

      soak_report (full, soak_quantile (values, n, quantiles[i].quantile));
    }
}

gboolean
soak_expect (gboolean    holds,
             const char *format,
             ...)
{
  if (!holds && atomic_fetch_add (&n_broken, 1) < MAX_SAID)
    {
      g_autofree char *text = NULL;
      va_list args;

      va_start (args, format);
      text = g_strdup_vprintf (format, args);
      va_end (args);
      g_printerr ("broken: %s\n", text);
    }
  return holds;
}

void
soak_need (const GError *error)
{
  if (error == NULL)
    return;
  g_printerr ("%s\n", error->message);
  exit (1);
}

OsiisoQueue *
soak_queue_new (const char *backend,
                guint       workers)
{
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue = osiiso_queue_new (backend, &error);

  soak_need (error);
  osiiso_queue_set_workers (queue, workers);
  return queue;
}

OsiisoQueue *
soak_workers_new (guint       workers,
                  const char *first_property,
                  ...)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("subprocess", &error);
  OsiisoQueue *queue;
  va_list args;

  soak_need (error);
  va_start (args, first_property);
  if (first_property != NULL)
    g_object_set_valist (G_OBJECT (backend), first_property, args);
  va_end (args);
  queue = osiiso_queue_new_with_backend (backend);
  osiiso_queue_set_workers (queue, workers);
  return queue;
}

void
soak_queue_free (OsiisoQueue *queue)
{
  GMainContext *context = osiiso_queue_get_context (queue);
  GWeakRef weak;
  OsiisoQueue *left;

  g_weak_ref_init (&weak, queue);
  osiiso_queue_shutdown (queue, TRUE, NULL, NULL);
  g_object_unref (queue);
  while (g_main_context_iteration (context, FALSE))
    ;
  left = g_weak_ref_get (&weak);
  soak_expect (left == NULL, "a queue is left with %u references", left != NULL ? G_OBJECT (left)->ref_count - 1 : 0);
  g_clear_object (&left);
  g_weak_ref_clear (&weak);
}

void
soak_join (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;

  osiiso_queue_start (queue, &error);
  soak_need (error);
  osiiso_queue_join (queue, NULL, &error);
  soak_need (error);
}

gboolean
soak_is_same (GVariant *a,
              GVariant *b)
{
  const gsize size = g_variant_get_size (a);

  return g_variant_type_equal (g_variant_get_type (a), g_variant_get_type (b)) && g_variant_get_size (b) == size &&
         (size == 0 || memcmp (g_variant_get_data (a), g_variant_get_data (b), size) == 0);
}

void
soak_spin (guint us)
{
  const gint64 until = g_get_monotonic_time () + us;

  while (g_get_monotonic_time () < until)
    ;
}

static guint
count_entries (const char *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (folder != NULL && g_dir_read_name (folder) != NULL)
    n++;
  return n;
}

guint
soak_count_fds (void)
{
  return count_entries ("/proc/self/fd");
}

guint
soak_count_threads (void)
{
  return count_entries ("/proc/self/task");
}

guint64
soak_rss (void)
{
  FILE *file = fopen ("/proc/self/statm", "re");
  unsigned long size = 0, resident = 0;

  if (file == NULL || fscanf (file, "%lu %lu", &size, &resident) != 2)
    {
      perror ("/proc/self/statm");
      exit (1);
    }
  fclose (file);
  return (guint64) resident * (guint64) sysconf (_SC_PAGESIZE);
}

guint64
soak_exact_rss (void)
{
  char text[1024];
  const int fd = open ("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
  const ssize_t length = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;
  const char *rss;

  if (fd >= 0)
    close (fd);
  text[MAX (length, 0)] = '\0';
  rss = strstr (text, "\nRss:");
  return rss != NULL ? g_ascii_strtoull (rss + strlen ("\nRss:"), NULL, 10) * 1024 : soak_rss ();
}

guint
soak_count_children (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  const char *thread;
  guint n = 0;

  while (folder != NULL && (thread = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", thread, "children", NULL);
      g_autofree char *text = NULL;

      /* A number and a space for each. */
      if (g_file_get_contents (path, &text, NULL, NULL))
        for (const char *p = text; (p = strchr (p, ' ')) != NULL; p++)
          n++;
    }
  return n;
}

char
soak_get_child_state (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  const char *p = NULL;
  char state = 0;
  int parent = 0;

  if (g_file_get_contents (path, &text, NULL, NULL))
    p = strrchr (text, ')');
  if (p == NULL || sscanf (p, ") %c %d", &state, &parent) != 2 || parent != getpid ())
    return 0;
  return state;
}

gboolean
soak_has_no_child (void)
{
  siginfo_t info;

  return waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

void
soak_await_threads (guint n)
{
  while (soak_count_threads () > n)
    g_usleep (1000);
}
