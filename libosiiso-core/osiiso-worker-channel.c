/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "osiiso-error.h"
#include "osiiso-worker-channel-private.h"

/**
 * OsiisoWorkerChannel:
 *
 * What a worker program talks to its queue through.
 *
 * The backend `subprocess` starts worker programs and gives each of them a socket as
 * file descriptor 3. A worker in any language is a loop around this object:
 *
 * ```c
 * OsiisoWorkerChannel *channel = osiiso_worker_channel_new_default (NULL, &error);
 *
 * while (channel != NULL)
 *   {
 *     switch (osiiso_worker_channel_receive (channel, TRUE, NULL, &error))
 *       {
 *       case OSIISO_WORKER_MESSAGE_CALL:
 *         osiiso_worker_channel_reply_text (channel, osiiso_worker_channel_get_id (channel),
 *                                           call (osiiso_worker_channel_get_function (channel),
 *                                                 osiiso_worker_channel_get_text (channel)));
 *         break;
 *       case OSIISO_WORKER_MESSAGE_CLOSED:
 *         exit (error != NULL);
 *       default:
 *         break;
 *       }
 *   }
 * ```
 *
 * One call is under way at a time: the next one is received when the last one was
 * answered. [method@Osiiso.WorkerChannel.receive] makes a message the current one,
 * and the `get` and `dup` methods tell of that.
 *
 * One thread receives; everything that goes to the parent may come from any thread.
 * A parent that has gone never raises a signal here.
 *
 * Since: 1.0
 */

G_DEFINE_TYPE (OsiisoWorkerChannel, osiiso_worker_channel, G_TYPE_OBJECT)

#define DEFAULT_FD 3
/* After that long the parent may have changed its mind about what is here. */
#define LOOK_AGAIN (G_TIME_SPAN_MILLISECOND)

static void
osiiso_worker_channel_init (OsiisoWorkerChannel *self)
{
  self->fd = -1;
  /* Until it has a socket, which one that a binding has made of nothing never gets. */
  self->closed = TRUE;
  self->max_reply = OSIISO_FRAME_MAX_DEFAULT;
  pthread_mutex_init (&self->in_lock, NULL);
  pthread_mutex_init (&self->out_lock, NULL);
  sem_init (&self->bell, 0, 0);
  osiiso_frame_reader_init (&self->reader, 0);
  osiiso_frame_buffer_init (&self->buffer);
  self->names = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
}

static void
osiiso_worker_channel_dispose (GObject *object)
{
  OsiisoWorkerChannel *self = OSIISO_WORKER_CHANNEL (object);

  pthread_mutex_lock (&self->out_lock);
  self->disposed = TRUE;
  pthread_mutex_unlock (&self->out_lock);
  osiiso_worker_channel_detach (self);
  G_OBJECT_CLASS (osiiso_worker_channel_parent_class)->dispose (object);
}

static void
osiiso_worker_channel_finalize (GObject *object)
{
  OsiisoWorkerChannel *self = OSIISO_WORKER_CHANNEL (object);

  if (self->fd >= 0)
    close (self->fd);
  osiiso_frame_reader_clear (&self->reader);
  osiiso_frame_buffer_clear (&self->buffer);
  g_hash_table_unref (self->names);
  g_clear_error (&self->broken);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_free (self->text);
  g_free (self->progress_text);
  g_free (self->task_name);
  sem_destroy (&self->bell);
  pthread_mutex_destroy (&self->in_lock);
  pthread_mutex_destroy (&self->out_lock);
  G_OBJECT_CLASS (osiiso_worker_channel_parent_class)->finalize (object);
}

static void
osiiso_worker_channel_class_init (OsiisoWorkerChannelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = osiiso_worker_channel_dispose;
  object_class->finalize = osiiso_worker_channel_finalize;
}

static gboolean
check_fd (int      fd,
          GError **error)
{
  int type = 0;
  socklen_t length = sizeof type;
  int code;

  if (getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM)
    return TRUE;
  code = errno;
  if (type != 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "file descriptor %d is not a stream socket", fd);
  else
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code),
                 "file descriptor %d is no socket of a queue (%s): a worker is started by the backend 'subprocess'",
                 fd, g_strerror (code));
  return FALSE;
}

/**
 * osiiso_worker_channel_new:
 * @fd: a socket whose other end is a backend's; the channel closes it
 * @abilities: (nullable): words with spaces between them, of what the program can do:
 *   `cancel`, it looks for messages while a call is under way and ends a call that was
 *   cancelled; others have no meaning yet
 * @error: return location for an error
 *
 * Makes a channel of a socket and greets the parent.
 *
 * Programs that are started by the program inherit nothing of it.
 *
 * Returns: (transfer full): the channel, or %NULL with @error set: an error of
 *   `GIOErrorEnum` when @fd is not a stream socket
 *
 * Since: 1.0
 */
OsiisoWorkerChannel *
osiiso_worker_channel_new (int         fd,
                           const char *abilities,
                           GError    **error)
{
  OsiisoWorkerChannel *self;
  g_autofree char *words = NULL;

  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!check_fd (fd, error))
    return NULL;

  self = g_object_new (OSIISO_TYPE_WORKER_CHANNEL, NULL);
  self->fd = fd;
  self->closed = FALSE;
  fcntl (fd, F_SETFD, FD_CLOEXEC);
  /* What is not handed out yet can always be given back. */
  words = g_strjoin (" ", "recall task", abilities, NULL);
  osiiso_worker_channel_send (self, OSIISO_FRAME_HELLO, OSIISO_FRAME_PROTOCOL,
                              g_get_prgname () != NULL ? g_get_prgname () : "", words);
  return self;
}

/**
 * osiiso_worker_channel_new_default:
 * @abilities: (nullable): see [ctor@Osiiso.WorkerChannel.new]
 * @error: return location for an error
 *
 * Makes the channel of a program that a backend has started: of the file descriptor
 * that `OSIISO_WORKER_FD` names, else of 3. The variable is taken out of the
 * environment, so that what the program starts does not think that it is a worker, too.
 * To be called before there are other threads.
 *
 * Returns: (transfer full): the channel, or %NULL with @error set when there is no
 *   such socket
 *
 * Since: 1.0
 */
OsiisoWorkerChannel *
osiiso_worker_channel_new_default (const char *abilities,
                                   GError    **error)
{
  const char *text = g_getenv ("OSIISO_WORKER_FD");
  OsiisoWorkerChannel *self;
  guint64 fd = DEFAULT_FD;

  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT, &fd, error))
    {
      g_prefix_error (error, "OSIISO_WORKER_FD: ");
      return NULL;
    }
  self = osiiso_worker_channel_new ((int) fd, abilities, error);
  if (self != NULL)
    g_unsetenv ("OSIISO_WORKER_FD");
  return self;
}

/* With the in lock: the parent's greeting is the first thing that it says. */
static gboolean
greet (OsiisoWorkerChannel *self,
       const OsiisoFrame   *frame)
{
  guint32 max_body;

  if (frame->kind != OSIISO_FRAME_HELLO || !osiiso_frame_parse_parent_hello (frame, &max_body))
    g_set_error_literal (&self->broken, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "the parent does not greet");
  else if (frame->id != OSIISO_FRAME_PROTOCOL)
    g_set_error (&self->broken, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                 "the parent speaks version %u of the protocol, this program version %d", frame->id,
                 OSIISO_FRAME_PROTOCOL);
  else
    {
      self->max_reply = max_body;
      self->reader.max_body = max_body;
      return TRUE;
    }
  return FALSE;
}

/* What looking at a frame asks for, once the lock is released. */
typedef struct
{
  guint32         *ids; /* (nullable) (owned): to be answered with */
  OsiisoFrameKind *kinds;
  guint            n;
} Answers;

static void
answers_add (Answers        *answers,
             OsiisoFrameKind kind,
             guint32         id)
{
  answers->ids = g_renew (guint32, answers->ids, answers->n + 1);
  answers->kinds = g_renew (OsiisoFrameKind, answers->kinds, answers->n + 1);
  answers->ids[answers->n] = id;
  answers->kinds[answers->n++] = kind;
}

static void
answers_send (OsiisoWorkerChannel *self,
              Answers             *answers)
{
  for (guint i = 0; i < answers->n; i++)
    {
      if (answers->kinds[i] == OSIISO_FRAME_RECALLED)
        osiiso_worker_channel_send (self, OSIISO_FRAME_RECALLED, answers->ids[i], NULL, NULL);
      else
        osiiso_worker_channel_send_cancelled (self, answers->ids[i]);
    }
  g_clear_pointer (&answers->ids, g_free);
  g_clear_pointer (&answers->kinds, g_free);
  answers->n = 0;
}

/* With the in lock. FALSE when the frame cannot come from a parent. */
static gboolean
look_at_frame (OsiisoWorkerChannel *self,
               const OsiisoFrame   *frame,
               Answers             *answers)
{
  if (frame->kind == OSIISO_FRAME_CALL && frame->id != 0)
    return TRUE;
  if (frame->kind == OSIISO_FRAME_DEFINE || (frame->kind == OSIISO_FRAME_TASK && frame->id != 0))
    return TRUE;
  if (frame->kind == OSIISO_FRAME_CANCEL && frame->id != 0)
    {
      if (atomic_load (&self->busy_id) == frame->id)
        {
          if (self->cancelled_id != frame->id)
            {
              self->cancelled_id = frame->id;
              self->cancel_told = FALSE;
            }
        }
      else if (osiiso_frame_reader_drop (&self->reader, OSIISO_FRAME_CALL, frame->id))
        answers_add (answers, OSIISO_FRAME_ERROR, frame->id);
    }
  else if (frame->kind == OSIISO_FRAME_RECALL && frame->id != 0)
    {
      if (osiiso_frame_reader_drop (&self->reader, OSIISO_FRAME_CALL, frame->id))
        answers_add (answers, OSIISO_FRAME_RECALLED, frame->id);
    }
  else
    {
      g_set_error (&self->broken, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "unexpected frame of kind %d with number %u",
                   (int) frame->kind, frame->id);
      return FALSE;
    }
  osiiso_frame_reader_drop_last (&self->reader);
  return TRUE;
}

/* With the in lock: looks at all that is new. */
static void
look_ahead (OsiisoWorkerChannel *self,
            Answers             *answers)
{
  OsiisoFrame frame;

  while (self->broken == NULL &&
         osiiso_frame_reader_look_ahead (&self->reader, &frame, &self->broken) == OSIISO_FRAME_READY)
    {
      if (self->greeted)
        {
          look_at_frame (self, &frame, answers);
        }
      else if (greet (self, &frame))
        {
          self->greeted = TRUE;
          osiiso_frame_reader_drop_last (&self->reader);
        }
    }
}

/* After recv(), which nobody calls once it is broken. FALSE when nothing came. */
static gboolean
take_in_locked (OsiisoWorkerChannel *self,
                gssize               n,
                int                  code,
                Answers             *answers)
{
  if (n < 0)
    {
      if (code == EAGAIN || code == EINTR)
        return FALSE;
      self->closed = TRUE;
      return FALSE;
    }
  if (n == 0)
    {
      if (!self->closed && !osiiso_frame_reader_is_empty (&self->reader) &&
          self->reader.ahead < self->reader.end - self->reader.start)
        g_set_error_literal (&self->broken, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT, "the last frame is not complete");
      self->closed = TRUE;
      return FALSE;
    }
  osiiso_frame_reader_commit (&self->reader, (gsize) n);
  look_ahead (self, answers);
  return TRUE;
}

/* With the in lock: reads what is there, without waiting. */
static gboolean
read_now_locked (OsiisoWorkerChannel *self,
                 Answers             *answers)
{
  gboolean more = FALSE;
  gsize room;
  guint8 *place;
  gssize n;

  if (self->closed || self->broken != NULL)
    return FALSE;
  do
    {
      place = osiiso_frame_reader_reserve (&self->reader, &room);
      n = recv (self->fd, place, room, MSG_DONTWAIT);
      if (take_in_locked (self, n, errno, answers))
        more = TRUE;
    }
  while (n == (gssize) room && self->broken == NULL);
  return more;
}

/* With the in lock. After a long call some of what is here may not be wanted any
 * more, which stands behind it. */
static void
look_again_locked (OsiisoWorkerChannel *self,
                   Answers             *answers)
{
  const gint64 now = g_get_monotonic_time ();

  if (now - self->looked < LOOK_AGAIN)
    return;
  self->looked = now;
  read_now_locked (self, answers);
}

gboolean
osiiso_worker_channel_pump (OsiisoWorkerChannel *self)
{
  Answers answers = { NULL };
  gboolean closed;

  pthread_mutex_lock (&self->in_lock);
  if (!self->reading)
    read_now_locked (self, &answers);
  closed = self->closed;
  pthread_mutex_unlock (&self->in_lock);
  answers_send (self, &answers);
  return !closed;
}

/* With the in lock, which is released meanwhile. FALSE with @error when it was
 * cancelled. */
static gboolean
wait_for_bytes (OsiisoWorkerChannel *self,
                GCancellable        *cancellable,
                Answers             *answers,
                GError             **error)
{
  gsize room;
  guint8 *place = osiiso_frame_reader_reserve (&self->reader, &room);
  gboolean cancelled = FALSE;
  GPollFD poll_fd;
  gssize n;
  int code;

  self->reading = TRUE;
  pthread_mutex_unlock (&self->in_lock);
  if (cancellable != NULL && g_cancellable_make_pollfd (cancellable, &poll_fd))
    {
      struct pollfd fds[2] = { { self->fd, POLLIN, 0 }, { poll_fd.fd, POLLIN, 0 } };

      while (poll (fds, 2, -1) < 0 && errno == EINTR)
        ;
      g_cancellable_release_fd (cancellable);
      cancelled = g_cancellable_set_error_if_cancelled (cancellable, error);
    }
  /* EINTR is for who called: a signal may mean that there is nothing to wait for. */
  n = cancelled ? -1 : recv (self->fd, place, room, 0);
  code = cancelled ? EAGAIN : errno;
  pthread_mutex_lock (&self->in_lock);
  self->reading = FALSE;
  take_in_locked (self, n, code, answers);
  if (n > 0)
    read_now_locked (self, answers);
  return !cancelled;
}

static OsiisoWorkerName *
find_name (OsiisoWorkerChannel *self,
           const OsiisoFrame   *frame)
{
  OsiisoWorkerName *name = self->name;
  OsiisoWorkerName *found;

  /* Mostly it is the same one again. */
  if (name != NULL && name->length == frame->name_length && memcmp (name->text, frame->name, name->length) == 0)
    return name;
  name = g_malloc (sizeof *name + frame->name_length + 1);
  name->func = NULL;
  name->length = frame->name_length;
  memcpy (name->text, frame->name, frame->name_length);
  name->text[name->length] = '\0';
  found = g_hash_table_lookup (self->names, name->text);
  if (found != NULL)
    {
      g_free (name);
      return found;
    }
  g_hash_table_insert (self->names, name->text, name);
  return name;
}

/* With the in lock. */
static void
keep_task (OsiisoWorkerChannel *self,
           const OsiisoFrame   *frame)
{
  g_clear_pointer (&self->task_name, g_free);
  self->task_id = 0;
  /* One that says nothing is as good as none. */
  if (!osiiso_frame_parse_task (frame, &self->attempt_number, &self->task_index))
    return;
  self->task_id = frame->id;
  self->task_name = g_strndup (frame->name, frame->name_length);
}

/* With the in lock: the next frame that is a message. What stands before it tells of
 * the task of a call, which may have been taken back meanwhile. */
static gboolean
peek_message (OsiisoWorkerChannel *self)
{
  /* What was looked at may be peeked, and nothing else. */
  while (self->reader.ahead > 0 && osiiso_frame_reader_peek (&self->reader, &self->frame, NULL) == OSIISO_FRAME_READY)
    {
      if (self->frame.kind != OSIISO_FRAME_TASK)
        return TRUE;
      keep_task (self, &self->frame);
      osiiso_frame_reader_skip (&self->reader);
    }
  return FALSE;
}

/* With the in lock: makes the next message the current one, if there is one. */
static gboolean
next_message (OsiisoWorkerChannel *self)
{
  const guint32 busy_id = atomic_load (&self->busy_id);

  if (busy_id != 0)
    {
      if (self->cancelled_id != busy_id || self->cancel_told)
        return FALSE;
      self->cancel_told = TRUE;
      self->message = OSIISO_WORKER_MESSAGE_CANCEL;
      self->id = busy_id;
      return TRUE;
    }
  if (!peek_message (self))
    return FALSE;
  self->has_frame = TRUE;
  self->id = self->frame.id;
  self->encoding = self->frame.encoding;
  self->name = find_name (self, &self->frame);
  if (self->frame.kind == OSIISO_FRAME_CALL)
    {
      self->message = OSIISO_WORKER_MESSAGE_CALL;
      self->cancelled_id = 0;
      self->called = self->name;
      if (self->task_id != self->id)
        self->task_id = 0;
      atomic_store (&self->busy_id, self->id);
      osiiso_worker_channel_wake_watcher (self);
    }
  else
    {
      self->message = self->name->length == 0 ? OSIISO_WORKER_MESSAGE_SETUP : OSIISO_WORKER_MESSAGE_DEFINE;
      self->id = 0;
    }
  return TRUE;
}

/* With the in lock. */
static void
forget_message (OsiisoWorkerChannel *self)
{
  if (self->has_frame)
    osiiso_frame_reader_skip (&self->reader);
  self->has_frame = FALSE;
  self->message = OSIISO_WORKER_MESSAGE_NONE;
  self->id = 0;
  self->encoding = OSIISO_FRAME_PLAIN_NONE;
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->text, g_free);
}

/* With the in lock: nothing that is left is wanted then. */
static gboolean
is_over (OsiisoWorkerChannel *self,
         GError             **error)
{
  if (!self->closed && self->broken == NULL)
    return FALSE;
  self->message = OSIISO_WORKER_MESSAGE_CLOSED;
  self->closed_told = TRUE;
  if (self->broken != NULL && error != NULL)
    *error = g_error_copy (self->broken);
  return TRUE;
}

/**
 * osiiso_worker_channel_receive:
 * @self: a channel
 * @block: whether to wait when nothing is there
 * @cancellable: (nullable): a cancellable that ends the wait
 * @error: return location for an error
 *
 * Receives the next message, and makes it the current one.
 *
 * While a call is under way, which is from the message about it to the answer, the
 * only message that comes is that it was cancelled. With @block it waits for that,
 * so a program that does not look for it has answered before it comes here.
 *
 * A call that was cancelled, or that the parent wants back, before it was received is
 * never received.
 *
 * Returns: what it is. %OSIISO_WORKER_MESSAGE_CLOSED may come with @error set:
 *   %G_IO_ERROR_INVALID_DATA, %G_IO_ERROR_MESSAGE_TOO_LARGE or
 *   %G_IO_ERROR_PARTIAL_INPUT when what the parent sends makes no sense,
 *   %G_IO_ERROR_NOT_SUPPORTED when it speaks another version of the protocol, and
 *   %G_IO_ERROR_CANCELLED when @cancellable was, after which it may be called again.
 *   %OSIISO_WORKER_MESSAGE_NONE comes without @block only.
 *
 * Since: 1.0
 */
OsiisoWorkerMessage
osiiso_worker_channel_receive (OsiisoWorkerChannel *self,
                               gboolean             block,
                               GCancellable        *cancellable,
                               GError             **error)
{
  Answers answers = { NULL };
  gboolean looked = FALSE;
  OsiisoWorkerMessage message;

  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), OSIISO_WORKER_MESSAGE_CLOSED);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), OSIISO_WORKER_MESSAGE_CLOSED);
  g_return_val_if_fail (error == NULL || *error == NULL, OSIISO_WORKER_MESSAGE_CLOSED);

  pthread_mutex_lock (&self->in_lock);
  forget_message (self);
  if (!osiiso_frame_reader_is_empty (&self->reader))
    look_again_locked (self, &answers);
  while (!is_over (self, error) && !next_message (self) && !looked)
    {
      if (answers.n > 0)
        {
          /* They go out before anything is waited for. */
          pthread_mutex_unlock (&self->in_lock);
          answers_send (self, &answers);
          pthread_mutex_lock (&self->in_lock);
        }
      if (!block)
        {
          looked = !read_now_locked (self, &answers);
        }
      else if (!self->closed && !wait_for_bytes (self, cancellable, &answers, error))
        {
          self->message = OSIISO_WORKER_MESSAGE_CLOSED;
          break;
        }
      self->looked = g_get_monotonic_time ();
    }
  message = self->message;
  pthread_mutex_unlock (&self->in_lock);
  answers_send (self, &answers);
  if (message == OSIISO_WORKER_MESSAGE_CALL && atomic_load (&self->lacks_watcher))
    osiiso_worker_channel_start_watcher (self);
  return message;
}

/* A source that is ready as long as receive() would find something. */
