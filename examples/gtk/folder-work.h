/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

/*
 * Submits a task per file below a folder into a group, by way of a task that walks
 * through the folder. What is submitted has the file's path below the folder as its
 * name, and its whole path as its metadata.
 */
OsiisoHandle *folder_work_begin (OsiisoQueue *queue,
                                 OsiisoGroup *group,
                                 const char  *folder,
                                 GError     **error);

/* Submits the work of one of those again, as a further member. */
OsiisoHandle *folder_work_again (OsiisoGroup  *group,
                                 OsiisoHandle *handle,
                                 GError      **error);
