/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "osiiso-frame-private.h"
#include "osiiso-worker-channel.h"

G_BEGIN_DECLS

/* A name of a function, shared by all messages with that name. */
typedef struct
{
  gpointer func;   /* (nullable): for who looks for functions by name */
  gsize    length;
  char     text[];
} OsiisoWorkerName;

/*
 * OsiisoWorkerChannel: a worker's end of the socket.
 *
 * Two locks, never both held:
 *
 *   in_lock   the reader and what came out of it; never held while waiting
 *   out_lock  what goes out, also while it is being written
 *
 * One thread receives. While it does not, because it is in a call, another one may
 * pump: read what comes and look at it, but take nothing out.
 *
 * What the current message is belongs to the thread that receives. busy_id is the
 * call that was handed out and has no answer; who takes it back by an exchange is
 * the one that answers.
 */
struct _OsiisoWorkerChannel
{
  GObject           parent_instance;

  int               fd;
  _Atomic guint32   busy_id;      /* 0: none */
  _Atomic guint32   cancelled_id; /* the last one that was cancelled under way */
  _Atomic guint32   max_reply;    /* longest body that the parent takes */

  pthread_mutex_t   in_lock;
  OsiisoFrameReader reader;
  gboolean          greeted;
  gboolean          reading;      /* the receiving thread waits for bytes, without the lock */
  _Atomic gboolean  closed;       /* the parent is gone */
  gboolean          closed_told;
  gboolean          cancel_told;  /* the message about cancelled_id was handed out */
  GError           *broken;       /* (nullable) (owned) */
  gint64            looked;       /* when the socket was read */

  /* the current message */
  OsiisoWorkerMessage message;
  guint32           id;
  guint8            encoding;
  OsiisoWorkerName *name;         /* (nullable) */
  GHashTable       *names;        /* of OsiisoWorkerName, owned */
  OsiisoFrame       frame;
  gboolean          has_frame;    /* it is still in the reader */
  GBytes           *bytes;        /* (nullable) (owned) */
  char             *text;         /* (nullable) (owned) */

  /* what was told of the task of a call */
  guint32           task_id;      /* the number of that call; 0: of none */
  guint32           attempt_number;
  guint32           task_index;
  char             *task_name;    /* (nullable) (owned) */
  OsiisoWorkerName *called;       /* (nullable): by the last call */

  pthread_mutex_t   out_lock;
  OsiisoFrameBuffer buffer;
  gboolean          mute;         /* nobody takes what is written */
  gboolean          has_progress; /* one that was held back */
  guint32           progress_id;
  double            progress_fraction;
  char             *progress_text; /* (nullable) (owned) */
  gint64            progress_sent;
  guint32           retry_id;     /* the call that the wait is for; 0: none */
  double            retry_after;  /* seconds */

  GSource          *source;       /* (nullable) (owned): changed with the out lock */
  gboolean          disposed;     /* with the out lock */
  gboolean          watched;
  _Atomic gboolean  lacks_watcher; /* it could not be started: again with the next call */
  _Atomic gboolean  watcher_sleeps; /* until the next call */
  sem_t             bell;         /* what it sleeps on */
};

/* Reads what is there and looks at it, for another thread while a call is under
 * way; FALSE when the parent is gone. */
gboolean  osiiso_worker_channel_pump     (OsiisoWorkerChannel *self);
/* A call was handed out: the thread that watches during calls, if it sleeps. */
static inline void
osiiso_worker_channel_wake_watcher (OsiisoWorkerChannel *self)
{
  if (atomic_load (&self->watcher_sleeps) && atomic_exchange (&self->watcher_sleeps, FALSE))
    sem_post (&self->bell);
}
/* For the thread that watches during calls; what lacks_watcher is after that says whether
 * there is one. */
void      osiiso_worker_channel_start_watcher (OsiisoWorkerChannel *self);
/* Sends progress that was held back. */
void      osiiso_worker_channel_send_progress (OsiisoWorkerChannel *self);

/* The function of the current message: where its user may keep something. */
OsiisoWorkerName *osiiso_worker_channel_get_name (OsiisoWorkerChannel *self);

/* Like the public ones; @encoding is that of the details. */
void      osiiso_worker_channel_reply_details (OsiisoWorkerChannel *self,
                                               guint32              id,
                                               const char          *domain,
                                               int                  code,
                                               const char          *message,
                                               guint8               encoding,
                                               const void          *details,
                                               gsize                length);

/* For the receiving half: a frame that answers no call. */
void      osiiso_worker_channel_send     (OsiisoWorkerChannel *self,
                                          OsiisoFrameKind      kind,
                                          guint32              id,
                                          const char          *name,
                                          const char          *payload);
/* A call that was cancelled before it began. */
void      osiiso_worker_channel_send_cancelled (OsiisoWorkerChannel *self,
                                                guint32              id);

G_END_DECLS
