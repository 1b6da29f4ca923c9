/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * osiiso-index hashes and classifies all files below a folder, decodes the
 * pictures among them, and stores what it finds in an SQLite database.
 *
 * Three queues share the work, and overlap:
 *
 *   walk, on the backend "main-loop": a task lists a folder with asynchronous
 *   GIO in this thread, and adds a task for each folder and file that it finds.
 *   See index-walk.c.
 *
 *   hash, on the backend "thread-pool": a task reads a file in a worker thread
 *   and returns a row as its value. See index-hash.c.
 *
 *   pictures, on the backend "subprocess": for each file that turns out to be a
 *   picture, a task calls a function in a worker process, which may crash without
 *   harm to anything else. See index-pictures.c, and picture-module.c for what
 *   runs there.
 *
 * All queues were made in the main thread, so they belong to its main context:
 * that is where all signals and callbacks of theirs arrive, here in main.c. So
 * the counts, the database and the terminal need no locks, and the only code
 * that has to think of threads is the function of the hash tasks.
 *
 * Start reading at run_job().
 */

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <glib-unix.h>
#include <osiiso.h>

#include "index-hash.h"
#include "index-options.h"
#include "index-pictures.h"
#include "index-progress.h"
#include "index-report.h"
#include "index-store.h"
#include "index-text.h"
#include "index-totals.h"
#include "index-walk.h"

/* How far the walk may be ahead of the rest: it is held at the first number of
 * waiting tasks and goes on at the second. This bounds the memory, whatever
 * the size of the tree. */
#define AHEAD_MAX      (32 * 1024)
#define AHEAD_RESUME   (24 * 1024)

/* From this size on, the progress of a single file is shown. */
#define BIG_FILE       (16 * 1024 * 1024)

#define FLUSH_SECONDS  1

/* A file that cannot be read is tried two more times, 50 and 100 ms later. */
#define RETRIES        2
#define RETRY_DELAY    0.05
#define RETRY_BACKOFF  2.0

#define EXIT_ALL_WELL  0
#define EXIT_SOME_FAIL 1
#define EXIT_NOT_DONE  2
#define EXIT_SIGNAL    128 /* plus its number */

typedef struct
{
  const IndexOptions *options;
  GMainLoop          *loop;
  guint               n_unfinished; /* asynchronous calls that the loop waits for */

  OsiisoQueue        *walk_queue;
  OsiisoQueue        *hash_queue;
  OsiisoTaskOptions  *hash_options;
  IndexWalk          *walk;
  IndexPictures      *pictures; /* or NULL, without them */
  OsiisoRunSummary   *summary; /* of the hash queue's run */

  IndexStore         *store;
  IndexTotals         totals;
  IndexProgress      *progress;

  gboolean            stopped;
  int                 signal;  /* the one that stopped the job, or 0 */
  GError             *error;   /* why the job cannot be done */
} Job;

/* Stopping */

static void
job_stop (Job *job)
{
  if (job->stopped)
    return;
  job->stopped = TRUE;

  /* Tasks that wait end as cancelled, and so do those that run; these are told
   * by their GCancellable besides. A process that does not listen is killed. All
   * runs end soon after that. */
  osiiso_queue_cancel (job->walk_queue);
  osiiso_queue_cancel (job->hash_queue);
  if (job->pictures != NULL)
    osiiso_queue_cancel (index_pictures_get_queue (job->pictures));
  index_walk_set_held (job->walk, FALSE);
}

/* Stops because of @error, which it takes. */
static void
job_fail (Job    *job,
          GError *error)
{
  if (job->error == NULL)
    job->error = error;
  else
    g_error_free (error);

  job_stop (job);
}

static gboolean
on_signal (Job *job,
           int  number)
{
  if (job->signal != 0)
    {
      /* The second time: now. The database holds whole transactions only. */
      index_progress_erase (job->progress);
      _exit (EXIT_SIGNAL + number);
    }

  job->signal = number;
  job_stop (job);

  return G_SOURCE_CONTINUE;
}

static gboolean
on_sigint (gpointer user_data)
{
  return on_signal (user_data, SIGINT);
}

static gboolean
on_sigterm (gpointer user_data)
{
  return on_signal (user_data, SIGTERM);
}

/* Hashing: the tasks' results */

static void
job_store_row (Job          *job,
               OsiisoHandle *handle)
{
  /* The value is what the task returned with osiiso_attempt_return_variant(). */
  GVariant *value = g_value_get_variant (osiiso_handle_get_value (handle));
  GError *error = NULL;
  IndexRow row;

  index_row_unpack (value, &row);
  job->totals.hashed.files++;
  job->totals.hashed.bytes += row.size;
  job->totals.classes[row.klass].files++;
  job->totals.classes[row.klass].bytes += row.size;

  if (!index_store_add_file (job->store, value, &error))
    {
      job_fail (job, error);
    }
  else if (row.klass == INDEX_CLASS_IMAGE && job->pictures != NULL && !job->stopped)
    {
      job->totals.pictures.found++;
      if (!index_pictures_push (job->pictures, row.path, row.content_type, &error))
        job_fail (job, error);
    }
}

static void
job_store_failure (Job          *job,
                   const char   *kind,
                   const char   *path,
                   OsiisoHandle *handle)
{
  g_autoptr (GError) reason = osiiso_handle_dup_error (handle);
  GError *error = NULL;
  const IndexFailure failure = {
    .kind = kind,
    .path = path,
    .message = reason->message,
    .attempts = osiiso_handle_get_attempts (handle),
  };

  if (!index_store_add_failure (job->store, &failure, &error))
    job_fail (job, error);
}

/* Lets the walk go on or not, by the number of files and pictures that wait. */
static void
job_balance (Job *job)
{
  const IndexTotals *totals = &job->totals;
  guint64 ahead = totals->found.files - totals->done.files + totals->pictures.found - totals->pictures.done;

  if (ahead >= AHEAD_MAX)
    index_walk_set_held (job->walk, TRUE);
  else if (ahead <= AHEAD_RESUME)
    index_walk_set_held (job->walk, FALSE);
}

/* A hash task has ended, in one way or another. A task that failed and has
 * retries left does not come here but to on_file_retry(). */
static void
on_file_complete (OsiisoQueue  *queue,
                  OsiisoHandle *handle,
                  gpointer      user_data)
{
  Job *job = user_data;
  OsiisoStatus status = osiiso_handle_get_status (handle);
  const char *path;
  guint64 size;

  index_file_metadata_get (osiiso_handle_get_metadata (handle), &path, &size);
  job->totals.done.files++;
  job->totals.done.bytes += size;
  if (size >= BIG_FILE)
    g_ptr_array_remove_fast (job->totals.big, handle);

  if (status == OSIISO_STATUS_SUCCEEDED)
    {
      job_store_row (job, handle);
    }
  else if (status == OSIISO_STATUS_FAILED)
    {
      job->totals.files_failed++;
      job_store_failure (job, "file", path, handle);
    }

  job_balance (job);
}

static void
on_file_retry (OsiisoQueue  *queue,
               OsiisoHandle *handle,
               const GError *error,
               gpointer      user_data)
{
  Job *job = user_data;

  job->totals.retries++;
}

/* Pictures: the calls' results */

static void
job_store_picture (Job          *job,
                   const char   *path,
                   OsiisoHandle *handle)
{
  const GValue *value = osiiso_handle_get_value (handle);
  GError *error = NULL;
  IndexPicture picture;

  /* The function has returned nothing. */
  if (value == NULL)
    {
      job->totals.pictures.skipped++;
      return;
    }

  index_picture_unpack (g_value_get_variant (value), &picture);
  job->totals.pictures.decoded++;
  job->totals.pictures.pixels += (guint64) picture.width * picture.height;
  if (!index_store_add_picture (job->store, path, g_value_get_variant (value), &error))
    job_fail (job, error);
}

/* A decoder that was killed by its picture comes here like one that has returned an
 * error; the message says which it was. */
static void
on_picture_complete (OsiisoQueue  *queue,
                     OsiisoHandle *handle,
                     gpointer      user_data)
{
  Job *job = user_data;
  OsiisoStatus status = osiiso_handle_get_status (handle);
  const char *path = g_variant_get_bytestring (osiiso_handle_get_metadata (handle));

  job->totals.pictures.done++;
  if (status == OSIISO_STATUS_SUCCEEDED)
    {
      job_store_picture (job, path, handle);
    }
  else if (status == OSIISO_STATUS_FAILED)
    {
      job->totals.pictures.failed++;
      job_store_failure (job, "picture", path, handle);
    }

  job_balance (job);
}

/* Walking: what it finds */

static gboolean
job_push_file (Job        *job,
               const char *path,
               guint64     size,
               GError    **error)
{
  OsiisoTaskOptions *options = job->hash_options;
  g_autofree char *name = index_text_from_filename (path);
  g_autoptr (OsiisoHandle) handle = NULL;

  /* What is set here is for one task. A task gets a copy of the options when it
   * is added, so one object will do for all. */
  osiiso_task_options_set_name (options, name);
  osiiso_task_options_set_metadata (options, index_file_metadata_new (path, size));

  /* Most tasks are pushed, which is the cheapest way in: there is no handle
   * before somebody looks, as on_file_complete() does. An id of 0 stands for an
   * error. */
  if (size < BIG_FILE)
    return osiiso_queue_push (job->hash_queue, index_hash_file, g_strdup (path), g_free,
                              options, error) != 0;

  /* A submitted task has a handle from the beginning, and by that its progress
   * can be watched. */
  handle = osiiso_queue_submit (job->hash_queue, index_hash_file, g_strdup (path), g_free,
                                options, error);
  if (handle == NULL)
    return FALSE;

  g_ptr_array_add (job->totals.big, g_steal_pointer (&handle));
  return TRUE;
}

static gboolean
on_entry (IndexEntry  entry,
          const char *path,
          guint64     size,
          gpointer    user_data,
          GError    **error)
{
  Job *job = user_data;

  if (entry == INDEX_ENTRY_FILE)
    {
      if (!job_push_file (job, path, size, error))
        return FALSE;

      job->totals.found.files++;
      job->totals.found.bytes += size;
      job_balance (job);
    }
  else if (entry == INDEX_ENTRY_LINK)
    {
      job->totals.links++;
    }
  else
    {
      job->totals.specials++;
    }

  return TRUE;
}

static void
on_folder_complete (OsiisoQueue  *queue,
                    OsiisoHandle *handle,
                    gpointer      user_data)
{
  Job *job = user_data;
  OsiisoStatus status = osiiso_handle_get_status (handle);

  if (status == OSIISO_STATUS_SUCCEEDED)
    {
      job->totals.folders++;
    }
  else if (status == OSIISO_STATUS_FAILED)
    {
      job->totals.folders_failed++;
      job_store_failure (job, "folder",
                         g_variant_get_bytestring (osiiso_handle_get_metadata (handle)), handle);
    }
}

/* The end of the runs */

static void
job_finish_one (Job *job)
{
  if (--job->n_unfinished == 0)
    g_main_loop_quit (job->loop);
}

static void
on_shutdown (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  Job *job = user_data;
  GError *error = NULL;

  if (!osiiso_queue_shutdown_finish (OSIISO_QUEUE (source), result, &error))
    job_fail (job, error);
  job_finish_one (job);
}

/* There are no more tasks to come. Without force a shutdown lets all that are there
 * come to their end, and with it ends the run. */
static void
job_shut_down (Job         *job,
               OsiisoQueue *queue)
{
  job->n_unfinished++;
  osiiso_queue_shutdown_async (queue, FALSE, NULL, on_shutdown, job);
}

static void
on_walk_run (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  Job *job = user_data;
  GError *error = NULL;
  g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run_finish (OSIISO_QUEUE (source), result, &error);

  if (summary == NULL)
    job_fail (job, error);
  job->totals.listed = TRUE;
  job_shut_down (job, job->hash_queue);
  job_finish_one (job);
}

static void
on_pictures_run (GObject      *source,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  Job *job = user_data;
  GError *error = NULL;
  g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run_finish (OSIISO_QUEUE (source), result, &error);

  if (summary == NULL)
    job_fail (job, error);
  job_finish_one (job);
}

static void
on_hash_run (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  Job *job = user_data;
  GError *error = NULL;

  job->summary = osiiso_queue_run_finish (OSIISO_QUEUE (source), result, &error);
  if (job->summary == NULL)
    job_fail (job, error);
  if (job->pictures != NULL)
    job_shut_down (job, index_pictures_get_queue (job->pictures));
  job_finish_one (job);
}

/* Setting up */

static gboolean
job_make_hash_queue (Job     *job,
                     GError **error)
{
  job->hash_queue = osiiso_queue_new ("thread-pool", error);
  if (job->hash_queue == NULL)
    return FALSE;

  /* While the walk goes on, this queue can be without work for a moment; a
   * finite run would take that for its end. */
  osiiso_queue_set_mode (job->hash_queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_workers (job->hash_queue, job->options->workers);
  /* All results go to the database, so the queue needs only to count them. */
  osiiso_queue_set_keep_results (job->hash_queue, FALSE);
  g_signal_connect (job->hash_queue, "on-complete", G_CALLBACK (on_file_complete), job);
  g_signal_connect (job->hash_queue, "on-retry", G_CALLBACK (on_file_retry), job);

  job->hash_options = osiiso_task_options_new ();
  osiiso_task_options_set_timeout (job->hash_options, job->options->timeout);
  osiiso_task_options_set_retries (job->hash_options, RETRIES);
  osiiso_task_options_set_retry_delay (job->hash_options, RETRY_DELAY);
  osiiso_task_options_set_backoff (job->hash_options, RETRY_BACKOFF);

  return TRUE;
}

static gboolean
job_make_walk_queue (Job     *job,
                     GError **error)
{
  job->walk_queue = osiiso_queue_new ("main-loop", error);
  if (job->walk_queue == NULL)
    return FALSE;

  osiiso_queue_set_keep_results (job->walk_queue, FALSE);
  g_signal_connect (job->walk_queue, "on-complete", G_CALLBACK (on_folder_complete), job);
  job->walk = index_walk_new (job->walk_queue, on_entry, job);

  return TRUE;
}

static gboolean
job_make_pictures (Job     *job,
                   GError **error)
{
  if (!index_pictures_are_built () || job->options->no_pictures)
    return TRUE;

  job->pictures = index_pictures_new (job->options->workers, job->options->timeout, error);
  if (job->pictures == NULL)
    return FALSE;

  g_signal_connect (index_pictures_get_queue (job->pictures), "on-complete", G_CALLBACK (on_picture_complete), job);
  return TRUE;
}

static gboolean
job_start_pictures (Job     *job,
                    GError **error)
{
  OsiisoQueue *queue = index_pictures_get_queue (job->pictures);

  /* This starts no process: the first task does. */
  if (!osiiso_queue_start (queue, error))
    return FALSE;

  job->n_unfinished++;
  osiiso_queue_run_async (queue, NULL, on_pictures_run, job);
  return TRUE;
}

/* Sets all queues to work. Each run covers what is added after its beginning,
 * so that of the walk comes last. The walk is a finite run, which ends
 * when no folder is left: a folder task adds those below it before it ends. */
static gboolean
job_start (Job     *job,
           GError **error)
{
  if (!osiiso_queue_start (job->hash_queue, error) ||
      !osiiso_queue_start (job->walk_queue, error) ||
      (job->pictures != NULL && !job_start_pictures (job, error)))
    return FALSE;

  job->n_unfinished += 2;
  osiiso_queue_run_async (job->hash_queue, NULL, on_hash_run, job);
  if (!index_walk_push_folder (job->walk, job->options->folder, 0, error))
    return FALSE;
  osiiso_queue_run_async (job->walk_queue, NULL, on_walk_run, job);

  return TRUE;
}

static void
job_clear (Job *job)
{
  g_clear_pointer (&job->progress, index_progress_free);
  g_clear_pointer (&job->walk, index_walk_free);
  g_clear_pointer (&job->pictures, index_pictures_free);
  g_clear_object (&job->summary);
  g_clear_object (&job->hash_options);
  g_clear_object (&job->hash_queue);
  g_clear_object (&job->walk_queue);
  g_clear_pointer (&job->store, index_store_free);
  g_clear_pointer (&job->loop, g_main_loop_unref);
  index_totals_clear (&job->totals);
  g_clear_error (&job->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Job, job_clear)

static gboolean
on_flush (gpointer user_data)
{
  Job *job = user_data;
  GError *error = NULL;

  if (!index_store_flush (job->store, &error))
    job_fail (job, error);

  return G_SOURCE_CONTINUE;
}

/* Iterates the main context, in which everything happens, until all is over. */
static gboolean
job_iterate (Job     *job,
             GError **error)
{
  const guint flush = g_timeout_add_seconds (FLUSH_SECONDS, on_flush, job);

  /* To the end of the program: without them another Ctrl-C would end it before
   * what is known is stored and reported. */
  g_unix_signal_add (SIGINT, on_sigint, job);
  g_unix_signal_add (SIGTERM, on_sigterm, job);

  job->progress = index_progress_new (&job->totals);
  g_main_loop_run (job->loop);
  g_clear_pointer (&job->progress, index_progress_free);

  g_source_remove (flush);

  if (job->error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&job->error));
      return FALSE;
    }

  return index_store_flush (job->store, error);
}

static gboolean
job_report (Job     *job,
            GError **error)
{
  const IndexReport report = {
    .options = job->options,
    .totals = &job->totals,
    .summary = job->summary,
    .store = job->store,
    .interrupted = job->signal != 0,
  };

  if (!(job->options->json ? index_report_print_json (&report, error)
                           : index_report_print_text (&report, error)))
    return FALSE;

  /* The disk that the output goes to may be full. */
  if (fflush (stdout) != 0 || ferror (stdout))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "Cannot write the report");
      return FALSE;
    }

  return TRUE;
}

static gboolean
run_job (const IndexOptions *options,
         int                *exit_status,
         GError            **error)
{
  g_auto (Job) job = {
    .options = options,
    .loop = g_main_loop_new (NULL, FALSE),
  };

  index_totals_init (&job.totals);
  job.store = index_store_open (options->database, error);
  if (job.store == NULL ||
      !index_store_clear_folder (job.store, options->folder, error) ||
      !job_make_hash_queue (&job, error) ||
      !job_make_walk_queue (&job, error) ||
      !job_make_pictures (&job, error) ||
      !job_start (&job, error) ||
      !job_iterate (&job, error) ||
      !job_report (&job, error))
    return FALSE;

  if (job.signal != 0)
    *exit_status = EXIT_SIGNAL + job.signal;
  else if (index_totals_get_failed (&job.totals) > 0)
    *exit_status = EXIT_SOME_FAIL;
  else
    *exit_status = EXIT_ALL_WELL;

  return TRUE;
}

int
main (int    argc,
      char **argv)
{
  g_auto (IndexOptions) options = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;
  int exit_status = EXIT_NOT_DONE;

  setlocale (LC_ALL, "");
  g_set_prgname ("osiiso-index");

  if (index_options_parse (&options, &argc, &argv, &error))
    {
      if (options.version)
        {
          g_print ("osiiso-index %s\n", OSIISO_VERSION_S);
          return EXIT_ALL_WELL;
        }
      if (run_job (&options, &exit_status, &error))
        return exit_status;
    }

  message = index_text_make_printable (error->message);
  g_printerr ("osiiso-index: %s\n", message);
  return EXIT_NOT_DONE;
}
