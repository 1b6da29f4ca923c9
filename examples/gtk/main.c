/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Computes the checksum of every file of a folder, in a window: ./folder-index FOLDER
 */
#include "index-window.h"

static void
on_activate (GApplication *application)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (application));

  if (window == NULL)
    window = GTK_WINDOW (index_window_new (ADW_APPLICATION (application)));
  gtk_window_present (window);
}

static void
on_open (GApplication *application,
         GFile       **files,
         int           n_files,
         const char   *hint)
{
  on_activate (application);
  index_window_open_folder (INDEX_WINDOW (gtk_application_get_active_window (GTK_APPLICATION (application))), files[0]);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (AdwApplication) application = adw_application_new ("org.osiiso.FolderIndex", G_APPLICATION_HANDLES_OPEN);

  g_signal_connect (application, "activate", G_CALLBACK (on_activate), NULL);
  g_signal_connect (application, "open", G_CALLBACK (on_open), NULL);
  return g_application_run (G_APPLICATION (application), argc, argv);
}
