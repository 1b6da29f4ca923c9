/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <adwaita.h>

#define INDEX_TYPE_WINDOW (index_window_get_type ())
G_DECLARE_FINAL_TYPE (IndexWindow, index_window, INDEX, WINDOW, AdwApplicationWindow)

IndexWindow *index_window_new         (AdwApplication *application);
void         index_window_open_folder (IndexWindow *self,
                                       GFile       *folder);
