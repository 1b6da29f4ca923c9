/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ToolInterruptFunc interrupt_func;
static gpointer interrupt_data;

static gboolean
on_signal (gpointer user_data)
{
  interrupt_func (GPOINTER_TO_INT (user_data), interrupt_data);
  return G_SOURCE_CONTINUE;
}

/* The parent and the group of a process; what is between the parentheses before these
 * can be anything. */
static gboolean
read_stat (const char *name,
           int        *parent,
           int        *group)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/stat", name);
  g_autofree char *text = NULL;
  const char *rest;

  return g_file_get_contents (path, &text, NULL, NULL) && (rest = strrchr (text, ')')) != NULL &&
         sscanf (rest + 1, " %*c %d %d", parent, group) == 2;
}

static void
signal_children (int number)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc", 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      int parent;
      int group;

      /* Each child has a group of its own. */
      if (g_ascii_isdigit (*name) && read_stat (name, &parent, &group) && parent == getpid () && group != getpgrp () &&
          group > 1)
        kill (-group, number);
    }
}

/* Where the handler says that the program is to be stopped. */
static int stop_pipe[2] = { -1, -1 };

static void
on_sigtstp (int signal_number)
{
  const int saved_errno = errno;

  /* One that is not read yet will do. */
  if (write (stop_pipe[1], "", 1) < 0)
    errno = 0;
  errno = saved_errno;
}

static gboolean
on_stop (int          fd,
         GIOCondition condition,
         gpointer     user_data)
{
  char bytes[64];

  while (read (fd, bytes, sizeof bytes) > 0)
    ;
  signal_children (SIGTSTP);
  raise (SIGSTOP);
  /* Here it goes on, in the foreground or not. */
  signal_children (SIGCONT);
  return G_SOURCE_CONTINUE;
}

/* Jobs have groups of their own, which the terminal does not know of. */
static void
catch_stop (void)
{
  struct sigaction action = { .sa_handler = on_sigtstp, .sa_flags = SA_RESTART };
  struct sigaction old;

  if (sigaction (SIGTSTP, NULL, &old) != 0 || old.sa_handler == SIG_IGN || pipe2 (stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
    return;
  sigaction (SIGTSTP, &action, NULL);
  g_unix_fd_add_full (G_PRIORITY_HIGH, stop_pipe[0], G_IO_IN, on_stop, NULL, NULL);
}

void
tool_interrupt_catch (ToolInterruptFunc func,
                      gpointer          user_data)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

  interrupt_func = func;
  interrupt_data = user_data;
  signal (SIGPIPE, SIG_IGN);
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      struct sigaction old;

      /* As nohup(1) does it, and shells for what runs in the background. */
      if (sigaction (signals[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
        continue;
      g_unix_signal_add_full (G_PRIORITY_HIGH, signals[i], on_signal, GINT_TO_POINTER (signals[i]), NULL);
    }
  catch_stop ();
}

void
tool_interrupt_kill (void)
{
  signal_children (SIGKILL);
}
