/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-signal-flag-private.h"

/* Behind the reference count, where 64-bit systems have a gap in GObject. */
#define OFFSET (G_STRUCT_OFFSET (GObject, ref_count) + sizeof (guint))

typedef GObject      OsiisoSignalProbe;
typedef GObjectClass OsiisoSignalProbeClass;

static GType osiiso_signal_probe_get_type (void);
G_DEFINE_TYPE (OsiisoSignalProbe, osiiso_signal_probe, G_TYPE_OBJECT)

static void
osiiso_signal_probe_class_init (OsiisoSignalProbeClass *klass)
{
  g_signal_new ("probe", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
osiiso_signal_probe_init (OsiisoSignalProbe *self)
{
}

static const guint32 *
word_of (GObject *object)
{
  return (const guint32 *) (const void *) ((const char *) object + OFFSET);
}

/* The bits that connecting to @signal sets; 0 when that is not what happens. */
static guint32
probe (const char *signal)
{
  g_autoptr (GObject) object = g_object_new (osiiso_signal_probe_get_type (), NULL);
  const guint32 before = *word_of (object);
  guint32 after;

  g_signal_connect (object, signal, G_CALLBACK (g_object_ref), NULL);
  after = *word_of (object);
  return (before & ~after) == 0 ? after & ~before : 0;
}

static guint32
find_mask (void)
{
  guint32 mask;

  if (OFFSET + sizeof (guint32) > G_STRUCT_OFFSET (GObject, qdata))
    return 0;
  mask = probe ("probe");
  /* One bit, and the same one whatever the signal. */
  if (mask == 0 || (mask & (mask - 1)) != 0 || (probe ("notify") & mask) == 0)
    return 0;
  return mask;
}

void
osiiso_signal_flag_init (OsiisoSignalFlag *self,
                         GObject          *object)
{
  static gsize found;
  const gsize known = (gsize) 1 << 32;

  if (g_once_init_enter (&found))
    g_once_init_leave (&found, find_mask () | known);
  self->mask = (guint32) found;
  self->word = self->mask != 0 ? word_of (object) : NULL;
}
