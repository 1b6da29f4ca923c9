/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * OsiisoMailbox: a source that other threads leave word at, as bits. However many
 * do so, its thread is woken at most once until it has looked, and not at all while
 * it is awake.
 *
 * Whoever posts sets bits first and asks then whether the thread sleeps; before it
 * sleeps the thread says so first and looks for bits then. So one of the two sees
 * the other.
 */
typedef struct
{
  GSource         source;
  gpointer        tag;
  int             fd;       /* eventfd */
  _Atomic guint   bits;
  _Atomic gboolean sleeping;
} OsiisoMailbox;

typedef void (*OsiisoMailboxFunc) (guint    bits,
                                   gpointer data);

/* To be attached, destroyed and unreffed as a source; NULL without a descriptor. */
OsiisoMailbox *osiiso_mailbox_new  (OsiisoMailboxFunc func,
                                    gpointer          data,
                                    GError          **error);
/* Any thread. */
void           osiiso_mailbox_post (OsiisoMailbox    *self,
                                    guint             bits);

G_END_DECLS
