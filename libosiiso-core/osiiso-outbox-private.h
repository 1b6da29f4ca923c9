/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>

#include "osiiso-record-private.h"

G_BEGIN_DECLS

typedef enum
{
  OSIISO_EVENT_START,
  OSIISO_EVENT_RETRY,    /* error: why */
  OSIISO_EVENT_WAIT,     /* it had started and was given back; no signal tells that */
  OSIISO_EVENT_COMPLETE,
  OSIISO_EVENT_END,      /* what deliver_ends() tells, behind signals that come first */
  OSIISO_EVENT_PROGRESS,
  OSIISO_EVENT_DESTROY,  /* destroy (data) */
  OSIISO_EVENT_RETURN,   /* data: a GTask that waits for its return */
  OSIISO_EVENT_MEMBERS,  /* data: an OsiisoBatch that grew */
  OSIISO_EVENT_SETTLE,   /* counts or life cycle changed: runs may be over */
} OsiisoEventKind;

/* What is in the queue has changed: a record that came in or ended. */
typedef struct
{
  OsiisoRecord *record; /* (owned) */
  gboolean      ended;
} OsiisoTaskChange;

typedef struct _OsiisoEvent OsiisoEvent;
struct _OsiisoEvent
{
  OsiisoEvent    *next;
  OsiisoEventKind kind;
  OsiisoRecord   *record; /* (nullable) (owned) */
  GError         *error;  /* (nullable) (owned) */
  gpointer        data;
  GDestroyNotify  destroy;
};

/*
 * OsiisoOutbox: everything that the owner of a queue gets to see, in the order
 * in which it happened. Any thread posts; one source, attached to the context
 * that owns the queue, delivers, and nothing is ever delivered elsewhere.
 *
 * lock guards everything below it; it is a leaf: nothing is locked under it but
 * what GObject locks for itself.
 * context, thread, source: constant.
 * telling: whoever delivers, which is one thread at a time.
 *
 * Of a task all is told in the order in which it happened. Ends that no signal tells
 * are many, and are told together: they come before all events, unless there are
 * some of attempts, behind which they have to stay and then are events too.
 *
 * No event can be left behind: whoever appends to an outbox that is not armed
 * arms it under the lock, and a dispatch disarms it under the lock before it
 * looks for events.
 */
typedef struct
{
  OsiisoScheduler *scheduler; /* not owned, it embeds this */
  GMainContext    *context;
  GThread         *thread;    /* (owned): made the queue; compared only. As long as it is
                               * held here no thread that comes later can have its
                               * address, even when that thread has ended */
  GSource         *source;

  pthread_mutex_t  lock;
  OsiisoEvent     *first;     /* changed under the lock, compared with NULL anywhere */
  OsiisoEvent     *last;
  guint            n_attempt_events; /* of these: of attempts that begin, or are given up */
  OsiisoLink       ends;      /* of records that are over, owned, see deliver_ends() */
  OsiisoLink       telling;   /* those of them that are being told */
  gboolean         is_telling; /* there are some, and no event is delivered before them */
  GArray          *changes;   /* (nullable): of OsiisoTaskChange, for the list of tasks */
  OsiisoEvent     *late;      /* progress, delivered at late_at in any order */
  gint64           late_at;
  gint64           last_late;
  gboolean         armed;
  gboolean         closed;    /* the queue is gone; the source ends when empty */
  OsiisoQueue     *queue;     /* (nullable), not owned; NULL once it is disposed */
  guint            n_pins;    /* threads about to take a reference on it; its dispose
                               * waits for them. Not taken under the lock, because
                               * that may call a binding, which has locks of its own */
  _Atomic gboolean held;      /* the queue is kept alive because it has work, or had
                               * some of which the end is not told */
} OsiisoOutbox;

void     osiiso_outbox_init          (OsiisoOutbox    *self,
                                      OsiisoScheduler *scheduler,
                                      OsiisoQueue     *queue);
void     osiiso_outbox_clear         (OsiisoOutbox    *self);

/* The queue is being disposed, and nothing keeps it alive any more. From then on
 * there are no signals, and the source ends with the last event. */
void     osiiso_outbox_detach        (OsiisoOutbox    *self);

/* After that: does now what needs no user's code to be called but to release
 * things, if the calling thread may and nothing else waits. */
void     osiiso_outbox_release_events (OsiisoOutbox   *self);

/* Keeps the queue alive until a SETTLE event finds it without work, and without ends
 * that are still to be told. No lock is held. */
void     osiiso_outbox_hold          (OsiisoOutbox    *self);

/* The queue, unless it is being disposed. */
OsiisoQueue *osiiso_outbox_dup_queue (OsiisoOutbox   *self);

/* Appends an event; takes over error and data, takes a reference on record. */
void     osiiso_outbox_post          (OsiisoOutbox    *self,
                                      OsiisoEventKind  kind,
                                      OsiisoRecord    *record,
                                      GError          *error,
                                      gpointer         data,
                                      GDestroyNotify   destroy);

/* Appends a SETTLE event; with the view lock held. */
void     osiiso_outbox_post_settled  (OsiisoOutbox    *self);

/* Appends an event of a signal if a handler is connected to it, or to the handle
 * that the core holds when the record is @handled. The end of a task lets go of
 * that in any case. */
void     osiiso_outbox_post_signal   (OsiisoOutbox    *self,
                                      OsiisoEventKind  kind,
                                      OsiisoRecord    *record,
                                      const GError    *error,
                                      gboolean         handled);

/* A change for the list of tasks, if the queue has one. */
void     osiiso_outbox_note_task     (OsiisoOutbox    *self,
                                      OsiisoRecord    *record,
                                      gboolean         ended);

/* Whether the calling thread is the one that the owner's context runs in, so
 * that blocking in it keeps the context from being iterated. */
gboolean osiiso_outbox_is_owner_thread (OsiisoOutbox  *self);

/* Whether everything that was posted, but for progress, has been delivered; what
 * was posted before something that the caller has seen is not missed. */
static inline gboolean
osiiso_outbox_is_empty (OsiisoOutbox *self)
{
  return __atomic_load_n (&self->first, __ATOMIC_RELAXED) == NULL;
}

/* The same, and no end of a token and no change of the list of tasks is left to be
 * told either. */
gboolean osiiso_outbox_is_drained    (OsiisoOutbox    *self);

/* Delivers what there is, if the calling thread may: it is the owner thread and
 * nobody else has the context. */
void     osiiso_outbox_drain         (OsiisoOutbox    *self);

G_END_DECLS
