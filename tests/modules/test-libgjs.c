/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-object.h>

#define EXPORT __attribute__ ((visibility ("default")))

/* What the core knows GJS by: the name of the file that destroys its callbacks, a type,
 * and two functions. */

EXPORT gpointer   gjs_context_get_current (void);
EXPORT void       gjs_context_gc          (gpointer context);
EXPORT GType      gjs_context_get_type    (void);
EXPORT void       destroy_callback        (gpointer data);
EXPORT extern int n_collections;
EXPORT extern int n_destroyed;

int n_collections;
int n_destroyed;

typedef GObject GjsContext;
typedef GObjectClass GjsContextClass;

G_DEFINE_TYPE (GjsContext, gjs_context, G_TYPE_OBJECT)

static void
gjs_context_class_init (GjsContextClass *klass)
{
}

static void
gjs_context_init (GjsContext *self)
{
}

gpointer
gjs_context_get_current (void)
{
  return &n_collections;
}

void
gjs_context_gc (gpointer context)
{
  g_assert_true (context == &n_collections);
  n_collections++;
}

void
destroy_callback (gpointer data)
{
  n_destroyed++;
}
