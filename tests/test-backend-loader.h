/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* A backend of this process. */
#define TEST_TYPE_BACKEND (test_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestBackend, test_backend, TEST, BACKEND, OsiisoBackend)

/* What a process has loaded and registered stays, so each case has a process
 * of its own. */
void               test_add_case             (const char *path,
                                              void      (*func) (void));

char              *test_dup_plugin_dir       (void);
char              *test_dup_second_dir       (void);
char              *test_dup_plugin_file      (const char *dir,
                                              const char *name);
char              *test_make_temporary_dir   (void);
void               test_copy_file            (const char *from,
                                              const char *to,
                                              int         mode);
void               test_set_environment      (const char *variable,
                                              const char *value);
/* The folders of the loader, without those where backends may be installed. */
void               test_use_path             (const char *path);

void               test_assert_message_has   (const GError *error,
                                              const char   *part);
void               test_assert_message_lacks (const GError *error,
                                              const char   *part);
/* Each part has to be in the message. */
void               test_assert_create_fails  (const char *name,
                                              int         code,
                                              ...) G_GNUC_NULL_TERMINATED;
void               test_assert_create_gives  (const char *name,
                                              const char *type_name);
/* The names of all backends that are listed, with spaces between them. */
void               test_assert_names         (const char *expected);
gboolean           test_is_loaded            (const char *path);
/* How many objects this process has ever loaded. */
unsigned long long test_count_loads          (void);

void               test_add_backend_loader_register (void);
void               test_add_backend_loader_search   (void);
void               test_add_backend_loader_secure   (void);

G_END_DECLS
