/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-frame-private.h"
#include "osiiso-process.h"
#include "osiiso-worker-process.h"

G_BEGIN_DECLS

/* How much of what a worker writes to standard error is kept for the message. */
#define OSIISO_WORKER_TAIL 4096

/* One attempt in a worker. */
typedef struct
{
  GList          link;    /* in jobs of the worker */
  OsiisoAttempt *attempt; /* (nullable) (owned): NULL when it was ended */
  guint32        id;
  guint64        end;     /* of its frame, in all that was to be sent */
  gboolean       begun;
  gboolean       recalled; /* asked for, at least */
  double         retry_after; /* seconds; negative: it has said nothing */
} OsiisoJob;

struct _OsiisoWorker
{
  GSource           *source; /* (owned): its data are the worker */
  const OsiisoWorkerSettings *settings;
  OsiisoWorkerHeard  heard;
  OsiisoWorkerGone   gone;
  gpointer           data;    /* of both */
  OsiisoWorkerState  state;
  OsiisoProcess     *process; /* (nullable) (owned), constant once it runs */

  /* socket */
  int                fd;      /* -1 once it is closed */
  gpointer           fd_tag;
  gboolean           blocked; /* it is full, and polled for room */
  gboolean           unread;  /* it was closed before all was read that was sent */
  guint64            n_sent;  /* bytes */
  OsiisoFrameReader  in;
  OsiisoFrameBuffer  out;

  /* standard error */
  int                err_fd;
  gpointer           err_tag;
  GString           *tail;

  GQueue             jobs;
  guint32            next_id;
  guint              n_given;
  guint              n_answered;
  guint              window;
  gboolean           slow;         /* the head takes so long that nobody may wait behind it */
  guint              n_news;       /* answers since the window was last looked at */
  gint64             since;        /* when there was the last answer, or the first call */
  gint64             each;         /* microseconds for an answer, of late */
  GHashTable        *preambles;    /* (nullable): GBytes by function, both owned */

  gint64             due;          /* when the timer is to fire; 0: never */
  gboolean           asked;        /* the head was asked to end; due then */
  gboolean           greeted;
  gboolean           start_told;
  gboolean           unwanted;     /* told to go before it could do anything */
  gboolean           can_cancel;
  gboolean           can_recall;
  gboolean           wants_task;   /* to know of the tasks of its calls */
  GError            *start_error;  /* (nullable) */
  GError            *wrong;        /* (nullable): what it did against the protocol */
  gboolean           wrong_before; /* that was about a call that is over, not about the head */
  gboolean           eof;
  gboolean           exited;
  int                wait_status;
  struct rusage      usage;
};

/* osiiso-worker-frames.c */

/* Reads what is there, and handles it. */
void       osiiso_worker_read           (OsiisoWorker *self);
/* Everything that the process has left behind. */
void       osiiso_worker_read_rest      (OsiisoWorker *self);
void       osiiso_worker_read_stderr    (OsiisoWorker *self);
void       osiiso_worker_send_greeting  (OsiisoWorker *self);
/* FALSE when it is too long to be sent. */
gboolean   osiiso_worker_check_call     (OsiisoWorker *self,
                                         OsiisoCall   *call,
                                         GError      **error);
void       osiiso_worker_send_call      (OsiisoWorker *self,
                                         OsiisoJob    *job,
                                         OsiisoCall   *call);
void       osiiso_worker_send_control   (OsiisoWorker   *self,
                                         OsiisoFrameKind kind,
                                         guint32         id);

/* Whether the process has ended without having read that call, as far as one can know. */
gboolean   osiiso_worker_has_not_read   (OsiisoWorker *self,
                                         OsiisoJob    *job);

/* osiiso-worker-process.c */
void       osiiso_worker_greeted        (OsiisoWorker *self);
void       osiiso_worker_remove_job     (OsiisoWorker *self,
                                         OsiisoJob    *job);
void       osiiso_worker_lost           (OsiisoWorker *self);
/* It cannot be trusted any more, which is found out once. Takes over @error. */
void       osiiso_worker_did_wrong      (OsiisoWorker *self,
                                         GError       *error);
void       osiiso_worker_arm            (OsiisoWorker *self,
                                         gint64        due);

static inline OsiisoJob *
osiiso_worker_peek_head (OsiisoWorker *self)
{
  return self->jobs.head != NULL ? self->jobs.head->data : NULL;
}

/* osiiso-worker-crash.c: how the end of a process is told. */
char      *osiiso_worker_describe_exit  (int           wait_status);
GError    *osiiso_worker_new_crash_error (OsiisoWorker *self,
                                          const char   *function);
GError    *osiiso_worker_new_start_error (OsiisoWorker *self);
/* a{sv}: pid, exit-status or signal, peak-rss and so on. */
void       osiiso_worker_init_details   (OsiisoWorker *self,
                                         GValue       *details);

G_END_DECLS
