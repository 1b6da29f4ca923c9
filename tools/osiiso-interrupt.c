/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-interrupt.h"

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

void
tool_interrupt_kill (void)
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
        kill (-group, SIGKILL);
    }
}
