/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "soak.h"

/* F10, F11 and F12: a queue where there is too little of something. Each task of it, and
 * each function of the library, either does what it is for or says why not. */

#define N_TASKS    20
#define N_WORKERS  4
/* Somebody who has no process but this one. */
#define SOME_USER  (100000 + (uid_t) getpid ())
#define PAYLOAD    (64 << 10)

static void
perform (OsiisoAttempt *attempt,
         gpointer       payload)
{
  /* So that there is one for each worker. */
  g_usleep (500);
  osiiso_attempt_return_variant (attempt, payload);
}

static OsiisoHandle *
submit (OsiisoQueue *queue,
        const char  *backend,
        GVariant    *payload,
        GError     **error)
{
  if (g_str_equal (backend, "subprocess"))
    return osiiso_queue_submit_call (queue, SOAK_MODULE "call_echo", payload, NULL, error);
  return osiiso_queue_submit (queue, perform, payload, NULL, NULL, error);
}

static guint
end_all (OsiisoQueue *queue,
         const char  *backend,
         GVariant    *payload,
         gboolean     may_abort)
{
  OsiisoHandle *handles[N_TASKS];
  guint n_succeeded = 0;

  for (guint i = 0; i < N_TASKS; i++)
    {
      g_autoptr (GError) error = NULL;

      handles[i] = submit (queue, backend, payload, &error);
      soak_expect (handles[i] != NULL || error != NULL, "a task was refused without an error");
    }
  osiiso_queue_join (queue, NULL, NULL);
  for (guint i = 0; i < N_TASKS; i++)
    {
      g_autoptr (GError) error = handles[i] != NULL ? osiiso_handle_dup_error (handles[i]) : NULL;

      if (handles[i] == NULL)
        continue;
      if (osiiso_handle_get_status (handles[i]) == OSIISO_STATUS_SUCCEEDED)
        n_succeeded += soak_is_same (g_value_get_variant (osiiso_handle_get_value (handles[i])), payload);
      else if (soak_expect (osiiso_handle_get_status (handles[i]) == OSIISO_STATUS_FAILED && error != NULL,
                            "a task has status %d", osiiso_handle_get_status (handles[i])))
        soak_expect (may_abort || strstr (error->message, "signal 5") == NULL, "GLib has ended a worker: %s", error->message);
      g_object_unref (handles[i]);
    }
  return n_succeeded;
}

/* Reports whether it started, and how many of its tasks succeeded.
 * @may_abort: it is memory that a worker lacks */
static void
try_queue (OsiisoQueue *queue,
           const char  *backend,
           gboolean     may_abort)
{
  const gsize length = PAYLOAD;
  g_autofree char *data = g_malloc0 (length);
  g_autoptr (GVariant) payload = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, length, 1));
  g_autoptr (GError) error = NULL;
  gboolean started = osiiso_queue_start (queue, &error);

  soak_expect (started == (error == NULL), "a start has failed and told nothing");
  if (error != NULL)
    g_printerr ("%s\n", error->message);
  soak_report ("started", started);
  soak_report ("succeeded", started ? end_all (queue, backend, payload, may_abort) : 0);
  soak_queue_free (queue);
  soak_expect (soak_has_no_child (), "there is a child left");
}

/* Root has no limits. Somebody else may not be allowed to go where these programs are, so that
 * right is kept, for this process and its children. */
static void
become_somebody (void)
{
  const uid_t user = SOME_USER;
  struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct data[2] = { { 0 } };

  if (geteuid () != 0)
    return;
  prctl (PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (setgroups (0, NULL) != 0 || setresgid (user, user, user) != 0 || setresuid (user, user, user) != 0)
    {
      perror ("cannot become another user");
      _exit (1);
    }
  data[0].effective = data[0].permitted = data[0].inheritable = 1u << CAP_DAC_OVERRIDE;
  if (syscall (SYS_capset, &header, data) == 0)
    prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0);
}

/* Is followed by the program that "what" names, which may have no thread but its first. */
static void
lonely (const SoakParams *params)
{
  const struct rlimit limit = { 1, 1 };

  become_somebody ();
  setrlimit (RLIMIT_NPROC, &limit);
  execl (params->what, params->what, NULL);
  perror (params->what);
  _exit (1);
}

/* F12 with what=nofile, F11 with what=nproc; n is the limit. */
static void
limits (const SoakParams *params)
{
  const gboolean processes = g_str_equal (params->what, "nproc");
  const struct rlimit limit = { params->n, params->n };
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue;

  /* The main context is the application's. */
  g_main_context_default ();
  if (processes)
    become_somebody ();
  if (setrlimit (processes ? RLIMIT_NPROC : RLIMIT_NOFILE, &limit) != 0)
    {
      g_printerr ("cannot set the limit\n");
      _exit (1);
    }
  queue = osiiso_queue_new (params->backend, &error);
  if (queue == NULL)
    {
      soak_expect (error != NULL, "there is no queue and no error");
      soak_report ("started", FALSE);
      soak_report ("succeeded", 0);
      return;
    }
  osiiso_queue_set_workers (queue, N_WORKERS);
  try_queue (queue, params->backend, FALSE);
}

/* F10, with fail-allocations.so before this process, or with what=worker before its
 * workers, which FAIL_ARGUMENT says. */
static void
memory (const SoakParams *params)
{
  const char *preload = g_getenv ("FAIL_PRELOAD");
  guint (*get_n) (void) = (guint (*) (void)) dlsym (RTLD_DEFAULT, "fail_allocations_get_n");
  OsiisoQueue *queue;

  g_unsetenv ("LD_PRELOAD");
  if (g_strcmp0 (params->what, "worker") == 0)
    {
      g_auto (GStrv) environment = g_environ_setenv (g_get_environ (), "LD_PRELOAD", preload, TRUE);

      queue = soak_workers_new (N_WORKERS, "environment", environment, NULL);
    }
  else
    {
      queue = soak_queue_new (params->backend, N_WORKERS);
    }
  try_queue (queue, params->backend, TRUE);
  soak_report ("allocations", get_n != NULL ? get_n () : 0);
}

const SoakTest soak_limits[] = {
  { "limits", limits },
  { "lonely", lonely },
  { "memory", memory },
  { NULL },
};
