/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-handle.h"
#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

/* The one handle of a record, made if there is none; a new reference. Any
 * thread. */
OsiisoHandle *osiiso_handle_get_for_record     (OsiisoScheduler *scheduler,
                                                OsiisoRecord    *record);
/* The same for a record that no other thread knows yet. */
OsiisoHandle *osiiso_handle_new_for_record     (OsiisoScheduler *scheduler,
                                                OsiisoRecord    *record);
/* The same in two steps: one that has no record yet, with a reference for the caller and
 * one for the core, and then its record, which has another half and goes into the queue
 * as HANDLED. The latter calls nobody, so that a lock may be held. */
OsiisoHandle *osiiso_handle_new_unbound        (void);
void          osiiso_handle_bind               (OsiisoHandle    *self,
                                                OsiisoScheduler *scheduler,
                                                OsiisoRecord    *record);
/* The same, but NULL if there is none. */
OsiisoHandle *osiiso_handle_peek_for_record    (OsiisoScheduler *scheduler,
                                                OsiisoRecord    *record);
/* The reference that the core has on the handle of an unfinished task, to be
 * dropped in the owner's context; NULL if it has none. */
OsiisoHandle *osiiso_handle_steal_for_record   (OsiisoScheduler *scheduler,
                                                OsiisoRecord    *record);
/* The same with the view lock. */
OsiisoHandle *osiiso_handle_steal_locked       (OsiisoRecord    *record);
/* Whether somebody may be connected to the handle of an unfinished task, which
 * the core holds. Any thread. */
gboolean      osiiso_handle_may_notify         (OsiisoRecord    *record);
/* Notifies what changes with an event; in the owner's context. */
void          osiiso_handle_notify             (OsiisoHandle    *self,
                                                OsiisoEventKind  kind);
OsiisoRecord *osiiso_handle_get_record         (OsiisoHandle    *self);
/* What every public method has to ask first. */
gboolean      osiiso_handle_is_whole           (OsiisoHandle    *self);

G_END_DECLS
