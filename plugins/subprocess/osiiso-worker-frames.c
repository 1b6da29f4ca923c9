/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "osiiso-worker-private.h"

/* What goes over the socket of a worker, and over its standard error. */

/* So that one worker does not keep the thread from the others. */
#define N_READS 8
/* Of what is left in its standard error at its end, which is all that a pipe holds,
 * unless somebody goes on writing. */
#define N_LAST_READS 256

/* Shorter values are copied, longer ones keep the memory that they came in. */
#define COPY_LIMIT 16384

/* Out */

void
osiiso_worker_send_greeting (OsiisoWorker *self)
{
  const OsiisoWorkerSettings *settings = self->settings;

  osiiso_frame_buffer_append_parent_hello (&self->out, OSIISO_FRAME_PROTOCOL, "osiiso", (guint32) settings->max_frame);
  if (settings->setup != NULL)
    osiiso_frame_buffer_append (&self->out, OSIISO_FRAME_DEFINE, 0, settings->setup_encoding, "",
                                g_bytes_get_data (settings->setup, NULL), g_bytes_get_size (settings->setup));
}

void
osiiso_worker_send_control (OsiisoWorker   *self,
                            OsiisoFrameKind kind,
                            guint32         id)
{
  osiiso_frame_buffer_append (&self->out, kind, id, 0, "", NULL, 0);
}

/* Once for each worker, and again when it is another one. */
static void
send_preamble (OsiisoWorker *self,
               OsiisoCall   *call)
{
  GBytes *preamble = osiiso_call_get_preamble (call);
  const char *function = osiiso_call_get_function (call);

  if (preamble == NULL)
    return;
  if (self->preambles == NULL)
    self->preambles = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_bytes_unref);
  if (g_hash_table_lookup (self->preambles, function) == preamble)
    return;
  g_hash_table_insert (self->preambles, g_strdup (function), g_bytes_ref (preamble));
  osiiso_frame_buffer_append (&self->out, OSIISO_FRAME_DEFINE, 0, OSIISO_ENCODING_BYTES, function,
                              g_bytes_get_data (preamble, NULL), g_bytes_get_size (preamble));
}

/* The longer one of the call's frames, more or less. */
static gsize
measure_call (OsiisoCall *call)
{
  GBytes *preamble = osiiso_call_get_preamble (call);
  gsize length = 0;
  GVariant *args;

  switch (osiiso_call_get_encoding (call))
    {
    case OSIISO_ENCODING_JSON:
      length = strlen (osiiso_call_get_json (call));
      break;
    case OSIISO_ENCODING_BYTES:
      length = g_bytes_get_size (osiiso_call_get_bytes (call));
      break;
    /* There is no call without one. */
    case OSIISO_ENCODING_NONE:
    case OSIISO_ENCODING_GVARIANT:
    default:
      args = osiiso_call_get_args (call);
      if (args != NULL)
        length = g_variant_get_size (args) + strlen (g_variant_get_type_string (args)) + 1;
      break;
    }
  if (preamble != NULL)
    length = MAX (length, g_bytes_get_size (preamble));
  return length + strlen (osiiso_call_get_function (call));
}

gboolean
osiiso_worker_check_call (OsiisoWorker *self,
                          OsiisoCall   *call,
                          GError      **error)
{
  const gsize length = measure_call (call);

  if (length <= self->settings->max_frame)
    return TRUE;
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
               "a call of '%s' takes %" G_GSIZE_FORMAT " bytes, and max-frame-size is %u",
               osiiso_call_get_function (call), length, self->settings->max_frame);
  return FALSE;
}

/* FALSE when the name is too long for the worker. */
static gboolean
append_task (OsiisoWorker *self,
             OsiisoJob    *job,
             const char   *name)
{
  return strlen (name) + 8 <= self->settings->max_frame &&
         osiiso_frame_buffer_append_task (&self->out, job->id, name, osiiso_attempt_get_number (job->attempt),
                                          osiiso_attempt_get_index (job->attempt));
}

/* Whatever of it the worker would not think itself. */
static void
send_task (OsiisoWorker *self,
           OsiisoJob    *job,
           const char   *function)
{
  g_autofree char *name = osiiso_attempt_dup_name (job->attempt);

  if (osiiso_attempt_get_number (job->attempt) == 1 && osiiso_attempt_get_index (job->attempt) == 0 &&
      strcmp (name, function) == 0)
    return;
  if (!g_utf8_validate (name, -1, NULL))
    {
      char *valid = g_utf8_make_valid (name, -1);

      g_free (name);
      name = valid;
    }
  if (!append_task (self, job, name))
    append_task (self, job, function);
}

void
osiiso_worker_send_call (OsiisoWorker *self,
                         OsiisoJob    *job,
                         OsiisoCall   *call)
{
  const char *function = osiiso_call_get_function (call);
  const char *json;
  GBytes *bytes;
  gsize unsent;

  send_preamble (self, call);
  if (self->wants_task)
    send_task (self, job, function);
  switch (osiiso_call_get_encoding (call))
    {
    case OSIISO_ENCODING_JSON:
      json = osiiso_call_get_json (call);
      osiiso_frame_buffer_append (&self->out, OSIISO_FRAME_CALL, job->id, OSIISO_ENCODING_JSON, function,
                                  json, strlen (json));
      break;
    case OSIISO_ENCODING_BYTES:
      bytes = osiiso_call_get_bytes (call);
      osiiso_frame_buffer_append (&self->out, OSIISO_FRAME_CALL, job->id, OSIISO_ENCODING_BYTES, function,
                                  g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
      break;
    case OSIISO_ENCODING_NONE:
    case OSIISO_ENCODING_GVARIANT:
    default:
      osiiso_frame_buffer_append_variant (&self->out, OSIISO_FRAME_CALL, job->id, function,
                                          osiiso_call_get_args (call));
      break;
    }
  osiiso_frame_buffer_peek (&self->out, &unsent);
  job->end = self->n_sent + unsent;
}

gboolean
osiiso_worker_has_not_read (OsiisoWorker *self,
                            OsiisoJob    *job)
{
  /* If something is unread, that includes the last byte. */
  return job->end > self->n_sent || (self->unread && job->end == self->n_sent);
}

/* A socket whose other end was closed tells once, to whoever sends or receives
 * first, when something was left in it. */
static void
note_error (OsiisoWorker *self,
            int           number)
{
  if (number == ECONNRESET)
    self->unread = TRUE;
}

/* The same, without sending or receiving. */
static void
note_pending_error (OsiisoWorker *self)
{
  int number = 0;
  socklen_t length = sizeof number;

  if (getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &number, &length) == 0)
    note_error (self, number);
}

static void
set_blocked (OsiisoWorker *self,
             gboolean      blocked)
{
  if (self->blocked == blocked)
    return;
  self->blocked = blocked;
  g_source_modify_unix_fd (self->source, self->fd_tag, blocked ? G_IO_IN | G_IO_OUT : G_IO_IN);
}

void
osiiso_worker_flush (OsiisoWorker *self)
{
  const guint8 *data;
  gsize length;
  gssize n;

  while (self->fd >= 0 && (data = osiiso_frame_buffer_peek (&self->out, &length)) != NULL)
    {
      n = send (self->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0)
        {
          osiiso_frame_buffer_consume (&self->out, (gsize) n);
          self->n_sent += (gsize) n;
        }
      else if (errno == EAGAIN)
        {
          set_blocked (self, TRUE);
          return;
        }
      else if (errno != EINTR)
        {
          /* Nobody reads it any more; what was written before that may still
           * have to be read. */
          note_error (self, errno);
          osiiso_frame_buffer_clear (&self->out);
          break;
        }
    }
  if (self->fd >= 0)
    set_blocked (self, FALSE);
}

/* In */

static void
did_wrong (OsiisoWorker *self,
           const char   *format,
           ...) G_GNUC_PRINTF (2, 3);

static void
did_wrong (OsiisoWorker *self,
           const char   *format,
           ...)
{
  va_list args;

  va_start (args, format);
  osiiso_worker_did_wrong (self, g_error_new_valist (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, format, args));
  va_end (args);
}

static OsiisoJob *
find_job (OsiisoWorker *self,
          guint32       id)
{
  for (GList *l = self->jobs.head; l != NULL; l = l->next)
    {
      if (((OsiisoJob *) l->data)->id == id)
        return l->data;
    }
  return NULL;
}

/* The job of a frame that needs one. */
static OsiisoJob *
require_job (OsiisoWorker      *self,
             const OsiisoFrame *frame,
             const char        *what)
{
  OsiisoJob *job = find_job (self, frame->id);

  if (job != NULL)
    return job;
  if (frame->id != 0 && frame->id <= self->next_id)
    {
      did_wrong (self, "sent %s of call %u, which is over", what, frame->id);
      self->wrong_before = TRUE;
    }
  else
    {
      did_wrong (self, "sent %s of call %u, which it was never given", what, frame->id);
    }
  return NULL;
}

static void
handle_hello (OsiisoWorker      *self,
              const OsiisoFrame *frame)
{
  if (self->state != OSIISO_WORKER_STARTING)
    {
      if (self->state == OSIISO_WORKER_READY)
        did_wrong (self, "sent a second greeting");
      return;
    }
  if (frame->id != OSIISO_FRAME_PROTOCOL)
    {
      did_wrong (self, "speaks version %u of the protocol of workers, not version %d", frame->id, OSIISO_FRAME_PROTOCOL);
      return;
    }
  self->can_cancel = osiiso_frame_hello_has_word (frame, "cancel");
  self->can_recall = osiiso_frame_hello_has_word (frame, "recall");
  self->wants_task = osiiso_frame_hello_has_word (frame, "task");
  osiiso_worker_greeted (self);
}

/* FALSE when the payload is not what the encoding says. */
static gboolean
return_result (OsiisoWorker  *self,
               OsiisoAttempt *attempt,
               OsiisoFrame   *frame)
{
  g_autoptr (GVariant) variant = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *text = NULL;

  switch (frame->encoding)
    {
    case OSIISO_ENCODING_NONE:
      osiiso_attempt_return_none (attempt);
      return TRUE;
    case OSIISO_ENCODING_GVARIANT:
      if (frame->length <= COPY_LIMIT)
        {
          variant = osiiso_frame_dup_variant (frame);
        }
      else
        {
          bytes = osiiso_frame_reader_dup_payload (&self->in, frame);
          variant = osiiso_frame_variant_from_bytes (bytes);
        }
      if (variant == NULL)
        {
          did_wrong (self, "sent a result that is not a GVariant, though it says so");
          return FALSE;
        }
      osiiso_attempt_return_variant (attempt, variant);
      return TRUE;
    case OSIISO_ENCODING_JSON:
      if (!g_utf8_validate_len ((const char *) frame->payload, frame->length, NULL))
        {
          did_wrong (self, "sent a text that is not UTF-8");
          return FALSE;
        }
      text = g_strndup ((const char *) frame->payload, frame->length);
      osiiso_attempt_return_string (attempt, text);
      return TRUE;
    /* The reader lets no other through. */
    case OSIISO_ENCODING_BYTES:
    default:
      bytes = osiiso_frame_reader_dup_payload (&self->in, frame);
      osiiso_attempt_return_bytes (attempt, bytes);
      return TRUE;
    }
}

static void
handle_result (OsiisoWorker *self,
               OsiisoFrame  *frame)
{
  OsiisoJob *job = require_job (self, frame, "a result");

  if (job == NULL || (job->attempt != NULL && !return_result (self, job->attempt, frame)))
    return;
  self->n_answered++;
  self->n_news++;
  osiiso_worker_remove_job (self, job);
}

/* FALSE when the details are not what their encoding says. */
static gboolean
init_details (OsiisoWorker           *self,
              const OsiisoFrame      *frame,
              const OsiisoFrameError *parsed,
              GValue                 *details)
{
  const char *text = (const char *) parsed->details;
  GVariant *variant;

  switch (frame->encoding)
    {
    case OSIISO_ENCODING_NONE:
      return TRUE;
    case OSIISO_ENCODING_GVARIANT:
      variant = osiiso_frame_variant_from_data (parsed->details, parsed->details_length);
      if (variant == NULL)
        break;
      g_value_init (details, G_TYPE_VARIANT);
      g_value_take_variant (details, variant);
      return TRUE;
    case OSIISO_ENCODING_JSON:
      if (!g_utf8_validate_len (text, parsed->details_length, NULL))
        break;
      g_value_init (details, G_TYPE_STRING);
      g_value_take_string (details, g_strndup (text, parsed->details_length));
      return TRUE;
    case OSIISO_ENCODING_BYTES:
    default:
      g_value_init (details, G_TYPE_BYTES);
      g_value_take_boxed (details, g_bytes_new (text, parsed->details_length));
      return TRUE;
    }
  did_wrong (self, "sent details of an error that are not in the encoding that it says, %u", frame->encoding);
  return FALSE;
}

static void
handle_error (OsiisoWorker      *self,
              const OsiisoFrame *frame)
{
  g_auto (GValue) details = G_VALUE_INIT;
  OsiisoFrameError parsed;
  OsiisoJob *job = NULL;

  if (!osiiso_frame_parse_error (frame, &parsed))
    {
      did_wrong (self, "sent an error that cannot be read, %" G_GSIZE_FORMAT " bytes long", (gsize) frame->length);
      return;
    }
  /* Its set-up has failed, before any call. */
  if (frame->id == 0 && self->n_answered == 0)
    {
      g_clear_error (&self->start_error);
      self->start_error = osiiso_frame_dup_gerror (frame, &parsed);
      g_prefix_error (&self->start_error, "a worker could not be set up: ");
      osiiso_worker_retire (self);
      return;
    }
  job = require_job (self, frame, "an error");
  if (job == NULL || !init_details (self, frame, &parsed, &details))
    return;
  if (job->attempt != NULL)
    osiiso_attempt_return_error_full (job->attempt, osiiso_frame_dup_gerror (frame, &parsed),
                                      G_IS_VALUE (&details) ? &details : NULL, job->retry_after);
  self->n_answered++;
  self->n_news++;
  osiiso_worker_remove_job (self, job);
}

static void
handle_progress (OsiisoWorker      *self,
                 const OsiisoFrame *frame)
{
  OsiisoJob *job = require_job (self, frame, "progress");
  g_autofree char *text = NULL;
  double fraction;

  if (job == NULL)
    return;
  if (!osiiso_frame_parse_progress (frame, &fraction, &text))
    did_wrong (self, "sent progress that cannot be read, %" G_GSIZE_FORMAT " bytes long", (gsize) frame->length);
  else if (!(fraction >= 0 && fraction <= 1))
    did_wrong (self, "sent a progress of %g, which is not from 0 to 1", fraction);
  else if (job->attempt != NULL)
    osiiso_attempt_set_progress (job->attempt, fraction, text);
}

static void
handle_retry (OsiisoWorker      *self,
              const OsiisoFrame *frame)
{
  OsiisoJob *job = require_job (self, frame, "when to try again");
  double seconds;

  if (job == NULL)
    return;
  if (!osiiso_frame_parse_retry (frame, &seconds))
    did_wrong (self, "said when to try again in %" G_GSIZE_FORMAT " bytes instead of 8", (gsize) frame->length);
  else if (!(seconds >= 0))
    did_wrong (self, "asked to be tried again after %g seconds", seconds);
  else
    job->retry_after = seconds;
}

static void
handle_recalled (OsiisoWorker      *self,
                 const OsiisoFrame *frame)
{
  OsiisoJob *job = find_job (self, frame->id);

  if (job == NULL || !job->recalled)
    {
      did_wrong (self, "gave call %u back, which was not called back", frame->id);
      return;
    }
  if (job->attempt != NULL)
    osiiso_attempt_give_back (job->attempt);
  osiiso_worker_remove_job (self, job);
}

static const char *
name_kind (guint kind)
{
  static const char * const names[] = {
    [OSIISO_FRAME_HELLO] = "HELLO",
    [OSIISO_FRAME_DEFINE] = "DEFINE",
    [OSIISO_FRAME_CALL] = "CALL",
    [OSIISO_FRAME_RESULT] = "RESULT",
    [OSIISO_FRAME_ERROR] = "ERROR",
    [OSIISO_FRAME_PROGRESS] = "PROGRESS",
    [OSIISO_FRAME_CANCEL] = "CANCEL",
    [OSIISO_FRAME_RECALL] = "RECALL",
    [OSIISO_FRAME_RECALLED] = "RECALLED",
    [OSIISO_FRAME_TASK] = "TASK",
    [OSIISO_FRAME_RETRY] = "RETRY",
  };

  /* The reader lets no other through. */
  return names[kind];
}

static void
handle_frame (OsiisoWorker *self,
              OsiisoFrame  *frame)
{
  if (self->state == OSIISO_WORKER_STARTING && frame->kind != OSIISO_FRAME_HELLO && frame->kind != OSIISO_FRAME_ERROR)
    {
      did_wrong (self, "sent a frame of kind %d (%s) before it greeted", frame->kind, name_kind (frame->kind));
      return;
    }
  switch (frame->kind)
    {
    case OSIISO_FRAME_RESULT:
      handle_result (self, frame);
      break;
    case OSIISO_FRAME_ERROR:
      handle_error (self, frame);
      break;
    case OSIISO_FRAME_PROGRESS:
      handle_progress (self, frame);
      break;
    case OSIISO_FRAME_RECALLED:
      handle_recalled (self, frame);
      break;
    case OSIISO_FRAME_RETRY:
      handle_retry (self, frame);
      break;
    case OSIISO_FRAME_HELLO:
      handle_hello (self, frame);
      break;
    case OSIISO_FRAME_DEFINE:
    case OSIISO_FRAME_CALL:
    case OSIISO_FRAME_CANCEL:
    case OSIISO_FRAME_RECALL:
    case OSIISO_FRAME_TASK:
    default:
      did_wrong (self, "sent a frame of kind %d (%s), which only the other side sends", frame->kind,
                 name_kind (frame->kind));
      break;
    }
}

static void
handle_frames (OsiisoWorker *self)
{
  GError *error = NULL;
  OsiisoFrame frame;
  OsiisoFrameState state = OSIISO_FRAME_MORE;

  while (self->wrong == NULL && (state = osiiso_frame_reader_peek (&self->in, &frame, &error)) == OSIISO_FRAME_READY)
    {
      handle_frame (self, &frame);
      osiiso_frame_reader_skip (&self->in);
    }
  if (state == OSIISO_FRAME_BROKEN)
    {
      did_wrong (self, "sent what is not a frame: %s", error->message);
      g_clear_error (&error);
    }
}

/* FALSE when there is no more, now or for ever; @full when there may be. */
static gboolean
read_some (OsiisoWorker *self,
           gboolean     *full)
{
  gsize room;
  guint8 *data = osiiso_frame_reader_reserve (&self->in, &room);
  gssize n;

  do
    n = recv (self->fd, data, room, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n > 0)
    {
      *full = (gsize) n == room;
      osiiso_frame_reader_commit (&self->in, (gsize) n);
      handle_frames (self);
      return TRUE;
    }
  if (n < 0 && errno == EAGAIN)
    return FALSE;
  if (n < 0)
    note_error (self, errno);
  osiiso_worker_lost (self);
  return FALSE;
}

void
osiiso_worker_read (OsiisoWorker *self)
{
  gboolean full = TRUE;

  for (int i = 0; i < N_READS && full && self->wrong == NULL && read_some (self, &full); i++)
    ;
}

/* Standard error */

/* Passed on, as if nobody was in between. What nobody takes there is lost rather
 * than waited for. */
static void
pass_on (const char *data,
         gsize       length)
{
  struct pollfd poll_fd = { STDERR_FILENO, POLLOUT, 0 };
  gssize n;

  if (poll (&poll_fd, 1, 0) != 1 || !(poll_fd.revents & POLLOUT))
    return;
  do
    n = write (STDERR_FILENO, data, length);
  while (n < 0 && errno == EINTR);
}

static void
read_stderr (OsiisoWorker *self,
             int           n_reads)
{
  /* A pipe that has room takes so much without blocking. */
  char data[4096];
  gssize n;

  for (int i = 0; i < n_reads; i++)
    {
      do
        n = read (self->err_fd, data, sizeof data);
      while (n < 0 && errno == EINTR);
      if (n < 0 && errno == EAGAIN)
        return;
      if (n <= 0)
        {
          g_source_remove_unix_fd (self->source, self->err_tag);
          close (self->err_fd);
          self->err_fd = -1;
          return;
        }
      pass_on (data, (gsize) n);
      g_string_append_len (self->tail, data, n);
      if (self->tail->len > OSIISO_WORKER_TAIL)
        g_string_erase (self->tail, 0, (gssize) (self->tail->len - OSIISO_WORKER_TAIL));
    }
}

void
osiiso_worker_read_stderr (OsiisoWorker *self)
{
  read_stderr (self, N_READS);
}

void
osiiso_worker_read_rest (OsiisoWorker *self)
{
  gboolean full;

  while (self->fd >= 0 && self->wrong == NULL && read_some (self, &full))
    ;
  if (self->fd >= 0)
    note_pending_error (self);
  if (self->err_fd >= 0)
    read_stderr (self, N_LAST_READS);
}
