/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (64 * 1024)
/* No program can be given more; what has no end of lines must not fill the memory. */
#define LONGEST (16 * 1024 * 1024)
/* How many inputs of several sources are read until others get a turn. */
#define BATCH 4096

/* One source: a list, or else a file. */
typedef struct
{
  gboolean    linked;  /* goes along with the source before */
  GPtrArray  *list;    /* (nullable); of a file, what was read, and strings are owned */

  char       *path;    /* (nullable) */
  int         fd;
  gboolean    regular;
  gboolean    eof;
  guint64     size;
  guint64     consumed;
  GByteArray *buffer;
  gsize       start;   /* of what is not consumed in buffer */
  gsize       scanned; /* from there on no end was looked for */
} Source;

struct _ToolInputs
{
  ToolInputFormat format;
  GPtrArray      *sources;
  guint           n_loaded; /* sources */
  gboolean        loaded;
  guint64         row;     /* the next one */
  guint64         n_rows;  /* if all are in lists */
  GPtrArray      *partial; /* what -n has collected */
  guint           watch;
  gboolean        ended;
};

gboolean
tool_inputs_is_mark (const char *word)
{
  return strcmp (word, ":::") == 0 || strcmp (word, ":::+") == 0 ||
         strcmp (word, "::::") == 0 || strcmp (word, "::::+") == 0;
}

static void
source_free (gpointer data)
{
  Source *source = data;

  g_clear_pointer (&source->list, g_ptr_array_unref);
  g_clear_pointer (&source->buffer, g_byte_array_unref);
  g_free (source->path);
  if (source->fd > STDERR_FILENO)
    close (source->fd);
  g_free (source);
}

static Source *
source_new (ToolInputs *self)
{
  Source *source = g_new0 (Source, 1);

  source->fd = -1;
  g_ptr_array_add (self->sources, source);
  return source;
}

static gboolean
source_fail (Source  *source,
             int      saved_errno,
             GError **error)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "Cannot read inputs from %s: %s",
               source->path, g_strerror (saved_errno));
  return FALSE;
}

/* A file named “-” is standard input. */
static gboolean
source_open (Source     *source,
             const char *path,
             GError    **error)
{
  struct stat info;

  source->path = g_strdup (strcmp (path, "-") == 0 ? "standard input" : path);
  source->buffer = g_byte_array_new ();
  source->fd = strcmp (path, "-") == 0 ? STDIN_FILENO : open (path, O_RDONLY | O_CLOEXEC);
  if (source->fd < 0)
    return source_fail (source, errno, error);
  if (fstat (source->fd, &info) < 0)
    return source_fail (source, errno, error);
  if (S_ISDIR (info.st_mode))
    return source_fail (source, EISDIR, error);
  source->regular = S_ISREG (info.st_mode);
  source->size = (guint64) MAX (info.st_size, 0);
  return TRUE;
}

/* Never blocks: while it did, no signal would be listened to. */
static ToolInputState
source_fill (Source  *source,
             GError **error)
{
  struct pollfd pfd = { source->fd, POLLIN, 0 };
  gsize held;
  ssize_t n;

  /* A signal that comes meanwhile says nothing about the file. */
  if (!source->regular && poll (&pfd, 1, 0) <= 0)
    return TOOL_INPUT_WAIT;
  if (source->start > 0)
    {
      g_byte_array_remove_range (source->buffer, 0, (guint) source->start);
      source->scanned -= source->start;
      source->start = 0;
    }
  held = source->buffer->len;
  if (held > LONGEST)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, "An input from %s is longer than %d MiB",
                   source->path, LONGEST >> 20);
      return TOOL_INPUT_ERROR;
    }
  g_byte_array_set_size (source->buffer, (guint) held + CHUNK);
  n = read (source->fd, source->buffer->data + held, CHUNK);
  g_byte_array_set_size (source->buffer, (guint) (held + (gsize) MAX (n, 0)));
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return TOOL_INPUT_WAIT;
  if (n < 0)
    {
      source_fail (source, errno, error);
      return TOOL_INPUT_ERROR;
    }
  source->eof = n == 0;
  return TOOL_INPUT_ROW;
}

/* The next piece between two ends. */
static ToolInputState
source_read (Source  *source,
             char     ending,
             char   **input,
             GError **error)
{
  for (;;)
    {
      const guint8 *data = source->buffer->data;
      gsize length = source->buffer->len;
      const guint8 *end = length > source->scanned
                          ? memchr (data + source->scanned, ending, length - source->scanned)
                          : NULL;
      gsize stop = end != NULL ? (gsize) (end - data) : length;
      ToolInputState state;

      if (end != NULL || (source->eof && stop > source->start))
        {
          gsize size = stop - source->start;

          if (ending != '\0' && memchr (data + source->start, '\0', size) != NULL)
            {
              g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           "An input from %s has a NUL in it, which no argument can have; "
                           "are its inputs separated by NUL (-0)?", source->path);
              return TOOL_INPUT_ERROR;
            }
          *input = g_strndup ((const char *) data + source->start, size);
          source->consumed += size + (end != NULL);
          source->start = source->scanned = stop + (end != NULL);
          return TOOL_INPUT_ROW;
        }
      if (source->eof)
        return TOOL_INPUT_END;
      source->scanned = length;
      state = source_fill (source, error);
      if (state != TOOL_INPUT_ROW)
        return state;
    }
}

/* Reads what there is of a file, in the end to its end. */
static ToolInputState
source_load (Source  *source,
             char     ending,
             GError **error)
{
  char *input;
  ToolInputState state;
  guint n = 0;

  if (source->path == NULL)
    return TOOL_INPUT_END;
  if (source->list == NULL)
    source->list = g_ptr_array_new_with_free_func (g_free);
  while ((state = source_read (source, ending, &input, error)) == TOOL_INPUT_ROW)
    {
      g_ptr_array_add (source->list, input);
      /* Of what has ended nothing more would come. */
      if (++n >= BATCH && !source->eof)
        return TOOL_INPUT_WAIT;
    }
  return state;
}

static gboolean
add_marked (ToolInputs *self,
            char      **sources,
            GError    **error)
{
  while (*sources != NULL)
    {
      const char *mark = *sources++;
      gboolean linked = g_str_has_suffix (mark, "+");
      gboolean files = g_str_has_prefix (mark, "::::");
      Source *source = NULL;

      if (!files)
        {
          source = source_new (self);
          source->linked = linked;
          source->list = g_ptr_array_new ();
        }
      for (; *sources != NULL && !tool_inputs_is_mark (*sources); sources++)
        {
          if (!files)
            {
              g_ptr_array_add (source->list, *sources);
              continue;
            }
          source = source_new (self);
          source->linked = linked;
          if (!source_open (source, *sources, error))
            return FALSE;
        }
    }
  return TRUE;
}

static gboolean
check_format (ToolInputs *self,
              GError    **error)
{
  if (self->format.max_args > 1 && (self->sources->len > 1 || self->format.separator != NULL))
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                           "more than one input per job (-n) goes with one source without columns only");
      return FALSE;
    }
  return TRUE;
}

ToolInputs *
tool_inputs_new (char                 **sources,
                 const ToolInputFormat *format,
                 GError               **error)
{
  g_autoptr (ToolInputs) self = g_new0 (ToolInputs, 1);
  char *none[] = { NULL };

  self->format = *format;
  self->sources = g_ptr_array_new_with_free_func (source_free);
  self->partial = g_ptr_array_new_with_free_func (g_free);
  for (char **path = format->arg_files != NULL ? format->arg_files : none; *path != NULL; path++)
    if (!source_open (source_new (self), *path, error))
      return NULL;
  if (!add_marked (self, sources, error))
    return NULL;
  if (self->sources->len == 0 && sources[0] == NULL && !source_open (source_new (self), "-", error))
    return NULL;
  if (!check_format (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
tool_inputs_free (ToolInputs *self)
{
  tool_inputs_stop (self);
  g_ptr_array_unref (self->sources);
  g_ptr_array_unref (self->partial);
  g_free (self);
}

/* The next inputs that are linked with that of index @first are as many as the shortest has. */
static guint
measure_block (ToolInputs *self,
               guint       first,
               guint      *length)
{
  guint i = first;

  *length = G_MAXUINT;
  do
    {
      Source *source = self->sources->pdata[i++];

      *length = MIN (*length, source->list->len);
    }
  while (i < self->sources->len && ((Source *) self->sources->pdata[i])->linked);
  return i;
}

static gboolean
is_streamed (ToolInputs *self)
{
  return self->sources->len == 1 && ((Source *) self->sources->pdata[0])->path != NULL;
}

/* TOOL_INPUT_ROW when there may be one. */
static ToolInputState
load (ToolInputs *self,
      GError    **error)
{
  guint length;

  for (; !is_streamed (self) && self->n_loaded < self->sources->len; self->n_loaded++)
    {
      ToolInputState state = source_load (self->sources->pdata[self->n_loaded], self->format.end, error);

      if (state != TOOL_INPUT_END)
        return state;
    }
  self->loaded = TRUE;
  if (is_streamed (self))
    return TOOL_INPUT_ROW;
  self->n_rows = self->sources->len > 0;
  for (guint i = 0; i < self->sources->len;)
    {
      i = measure_block (self, i, &length);
      if (!g_uint64_checked_mul (&self->n_rows, self->n_rows, length))
        {
          g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There are too many inputs");
          return TOOL_INPUT_ERROR;
        }
    }
  return TOOL_INPUT_ROW;
}

/* Row @number of all combinations; the last source changes fastest. */
static void
add_combination (ToolInputs *self,
                 guint64     number,
                 GPtrArray  *columns)
{
  guint64 divisor = self->n_rows;

  for (guint i = 0; i < self->sources->len;)
    {
      guint length;
      guint next = measure_block (self, i, &length);
      guint64 index;

      divisor /= length;
      index = number / divisor % length;
      for (; i < next; i++)
        g_ptr_array_add (columns, g_strdup (((Source *) self->sources->pdata[i])->list->pdata[index]));
    }
}

/* Adds one input, or one of each source, to partial. */
static ToolInputState
read_one (ToolInputs *self,
          GError    **error)
{
  char *input;
  ToolInputState state;

  if (!is_streamed (self))
    {
      if (self->row >= self->n_rows)
        return TOOL_INPUT_END;
      add_combination (self, self->row++, self->partial);
      return TOOL_INPUT_ROW;
    }
  do
    {
      state = source_read (self->sources->pdata[0], self->format.end, &input, error);
      if (state == TOOL_INPUT_ROW && self->format.skip_empty && *input == '\0')
        g_clear_pointer (&input, g_free);
      else
        break;
    }
  while (TRUE);
  if (state == TOOL_INPUT_ROW)
    g_ptr_array_add (self->partial, input);
  return state;
}

/* Each input becomes as many columns as it has separators, and one more. */
static void
split_columns (ToolInputs *self)
{
  g_autoptr (GPtrArray) inputs = self->partial;

  self->partial = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < inputs->len; i++)
    {
      g_autofree char **columns = g_strsplit (inputs->pdata[i], self->format.separator, -1);

      for (guint c = 0; columns[c] != NULL; c++)
        g_ptr_array_add (self->partial, columns[c]);
      /* What is empty has one column that is empty. */
      if (columns[0] == NULL)
        g_ptr_array_add (self->partial, g_strdup (""));
    }
}

static char **
steal_columns (ToolInputs *self)
{
  GPtrArray *columns;

  if (self->format.separator != NULL)
    split_columns (self);
  columns = g_steal_pointer (&self->partial);
  self->partial = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (columns, NULL);
  return (char **) g_ptr_array_free (columns, FALSE);
}

ToolInputState
tool_inputs_next (ToolInputs *self,
                  char     ***columns,
                  GError    **error)
{
  ToolInputState state = TOOL_INPUT_ROW;
  guint n = MAX (self->format.max_args, 1);

  if (self->ended)
    return TOOL_INPUT_END;
  if (!self->loaded)
    state = load (self, error);
  if (state != TOOL_INPUT_ROW)
    return state;
  if (n == 1)
    state = read_one (self, error);
  else
    while (self->partial->len < n && state == TOOL_INPUT_ROW)
      state = read_one (self, error);
  if (state == TOOL_INPUT_END)
    {
      self->ended = TRUE;
      if (self->partial->len > 0)
        state = TOOL_INPUT_ROW;
    }
  if (state == TOOL_INPUT_ROW)
    *columns = steal_columns (self);
  return state;
}

typedef struct
{
  ToolInputs *self;
  GSourceFunc callback;
  gpointer    user_data;
} Watch;

static gboolean
on_readable (int          fd,
             GIOCondition condition,
             gpointer     user_data)
{
  Watch *watch = user_data;

  watch->self->watch = 0;
  watch->callback (watch->user_data);
  return G_SOURCE_REMOVE;
}

void
tool_inputs_watch (ToolInputs *self,
                   GSourceFunc callback,
                   gpointer    user_data)
{
  /* The one that is loaded; without that, the only one. */
  Source *source = self->sources->pdata[self->n_loaded];
  Watch *watch;

  if (self->watch != 0)
    return;
  watch = g_new0 (Watch, 1);
  watch->self = self;
  watch->callback = callback;
  watch->user_data = user_data;
  self->watch = g_unix_fd_add_full (G_PRIORITY_DEFAULT, source->fd, G_IO_IN | G_IO_HUP | G_IO_ERR,
                                    on_readable, watch, g_free);
}

void
tool_inputs_stop (ToolInputs *self)
{
  self->ended = TRUE;
  g_clear_handle_id (&self->watch, g_source_remove);
}

guint64
tool_inputs_get_total (ToolInputs *self,
                       guint64     read,
                       gboolean   *exact)
{
  Source *source;
  guint n = MAX (self->format.max_args, 1);

  *exact = TRUE;
  if (self->ended)
    return read;
  if (!self->loaded)
    return 0;
  if (!is_streamed (self))
    return (self->n_rows + n - 1) / n;
  source = self->sources->pdata[0];
  *exact = FALSE;
  if (!source->regular || source->consumed == 0 || source->size < source->consumed)
    return 0;
  return (guint64) ((double) read * ((double) source->size / (double) source->consumed));
}
