/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test-channel-pair.h"
#include "test-faults.h"

/* A program that is its own worker: all that it is to do is sent before it begins, and
 * what it has answered is looked at when it is over. Most of what a worker in C does is in
 * test-workers.py; here are values that a function can only report, set-ups, and what is
 * wrong from the beginning. */

static void
parent_start (Pair *pair)
{
  g_autofree char *number = NULL;
  int fds[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM, 0, fds));
  memset (pair, 0, sizeof *pair);
  pair->fd = fds[0];
  number = g_strdup_printf ("%d", fds[1]);
  g_setenv ("OSIISO_WORKER_FD", number, TRUE);
  osiiso_frame_buffer_init (&pair->out);
  osiiso_frame_reader_init (&pair->in, 0);
  osiiso_frame_buffer_append_parent_hello (&pair->out, OSIISO_FRAME_PROTOCOL, "test", 1 << 20);
}

static int
be_worker (void)
{
  char name[] = "worker";
  char *argv[] = { name, NULL };

  return osiiso_worker_main (1, argv);
}

typedef struct
{
  Pair *pair;
  guint n; /* frames to be read before the end is told */
} Listener;

static gpointer
listen_to_worker (gpointer data)
{
  Listener *self = data;
  OsiisoFrame frame;
  guint n = 0;

  for (;;)
    {
      gsize room;
      guint8 *place;
      gssize length;

      while (osiiso_frame_reader_look_ahead (&self->pair->in, &frame, NULL) == OSIISO_FRAME_READY)
        n++;
      if (n >= self->n)
        shutdown (self->pair->fd, SHUT_WR);
      place = osiiso_frame_reader_reserve (&self->pair->in, &room);
      length = recv (self->pair->fd, place, room, 0);
      if (length <= 0)
        return NULL;
      osiiso_frame_reader_commit (&self->pair->in, (gsize) length);
    }
}

/* Ends when there are @n answers, or before. Returns its exit status. */
static int
serve (Pair *pair,
       guint n)
{
  Listener listener = { pair, n + 1 };
  OsiisoFrame frame;
  GThread *thread;
  int status;

  pair_send (pair);
  thread = g_thread_new ("listener", listen_to_worker, &listener);
  status = be_worker ();
  g_thread_join (thread);
  g_assert_true (pair_receive (pair, &frame));
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_HELLO);
  return status;
}

static void
parent_stop (Pair *pair)
{
  OsiisoFrame frame;

  g_assert_false (pair_receive (pair, &frame));
  close (pair->fd);
  osiiso_frame_buffer_clear (&pair->out);
  osiiso_frame_reader_clear (&pair->in);
}

/* What is called */

#define FUNCTION(name)                                                    \
  G_MODULE_EXPORT GVariant *name (OsiisoAttempt *attempt, GVariant *args, \
                                  GError **error);                        \
  GVariant *name (OsiisoAttempt *attempt, GVariant *args, GError **error)

static GVariant *set_up_with; /* (nullable) (owned) */
static guint n_set_up;

FUNCTION (test_main_set_up)
{
  n_set_up++;
  g_clear_pointer (&set_up_with, g_variant_unref);
  if (args != NULL)
    set_up_with = g_variant_ref (args);
  return g_variant_new_string ("nobody wants this");
}

FUNCTION (test_main_fail)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NXIO, "one of its own");
  return NULL;
}

static void
init_value (GValue     *value,
            const char *what)
{
  if (g_str_equal (what, "boolean"))
    g_value_set_boolean (g_value_init (value, G_TYPE_BOOLEAN), TRUE);
  else if (g_str_equal (what, "int"))
    g_value_set_int (g_value_init (value, G_TYPE_INT), -3);
  else if (g_str_equal (what, "int64"))
    g_value_set_int64 (g_value_init (value, G_TYPE_INT64), -4);
  else if (g_str_equal (what, "double"))
    g_value_set_double (g_value_init (value, G_TYPE_DOUBLE), 0.5);
  else if (g_str_equal (what, "string"))
    g_value_set_string (g_value_init (value, G_TYPE_STRING), "text");
  else if (g_str_equal (what, "no string"))
    g_value_init (value, G_TYPE_STRING);
  else if (g_str_equal (what, "variant"))
    g_value_take_variant (g_value_init (value, G_TYPE_VARIANT), g_variant_ref_sink (g_variant_new_byte (7)));
  else if (g_str_equal (what, "no variant"))
    g_value_init (value, G_TYPE_VARIANT);
  else if (g_str_equal (what, "bytes"))
    g_value_take_boxed (g_value_init (value, G_TYPE_BYTES), g_bytes_new_static ("abc", 3));
  else if (g_str_equal (what, "no bytes"))
    g_value_init (value, G_TYPE_BYTES);
  else if (g_str_equal (what, "uint"))
    g_value_set_uint (g_value_init (value, G_TYPE_UINT), 5);
}

FUNCTION (test_main_report)
{
  g_auto (GValue) value = G_VALUE_INIT;
  const char *what;
  gboolean fails;

  g_variant_get (args, "(b&s)", &fails, &what);
  init_value (&value, what);
  if (fails)
    osiiso_attempt_return_error_details (attempt, g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "reported"),
                                         G_IS_VALUE (&value) ? &value : NULL);
  else if (G_IS_VALUE (&value))
    osiiso_attempt_return_value (attempt, &value);
  else
    osiiso_attempt_return_none (attempt);
  /* What was reported first counts. */
  return g_variant_new_string ("returned");
}

static const struct
{
  const char *what;
  const char *printed; /* (nullable): it is a GVariant */
  char        encoding;
} values[] = {
  { "none", NULL, 0 },
  { "boolean", "true", 'V' },
  { "int", "-3", 'V' },
  { "int64", "int64 -4", 'V' },
  { "double", "0.5", 'V' },
  { "string", "'text'", 'V' },
  { "no string", NULL, 0 },
  { "variant", "byte 0x07", 'V' },
  { "bytes", NULL, 'B' },
  /* These cannot leave the process. */
  { "no variant", NULL, 'E' },
  { "no bytes", NULL, 'E' },
  { "uint", NULL, 'E' },
};

static void
append_report (Pair       *pair,
               guint32     id,
               gboolean    fails,
               const char *what)
{
  g_autoptr (GVariant) args = g_variant_ref_sink (g_variant_new ("(bs)", fails, what));

  osiiso_frame_buffer_append_variant (&pair->out, OSIISO_FRAME_CALL, id, ":test_main_report", args);
}

static void
test_values (void)
{
  Pair pair;

  parent_start (&pair);
  for (guint32 i = 0; i < G_N_ELEMENTS (values); i++)
    append_report (&pair, i + 1, FALSE, values[i].what);
  g_assert_cmpint (serve (&pair, G_N_ELEMENTS (values)), ==, 0);
  for (guint32 i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GVariant) variant = NULL;
      g_autofree char *printed = NULL;
      OsiisoFrame frame;

      g_assert_true (pair_receive (&pair, &frame));
      g_assert_cmpuint (frame.id, ==, i + 1);
      if (values[i].encoding == 'E')
        {
          OsiisoFrameError parsed;
          g_autoptr (GError) error = NULL;

          g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_ERROR);
          g_assert_true (osiiso_frame_parse_error (&frame, &parsed));
          error = osiiso_frame_dup_gerror (&frame, &parsed);
          g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
          g_assert_nonnull (strstr (error->message, "cannot leave its process"));
          continue;
        }
      g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_RESULT);
      g_assert_cmpint (frame.encoding, ==, values[i].encoding);
      if (values[i].encoding == 'B')
        g_assert_cmpmem (frame.payload, frame.length, "abc", 3);
      if (values[i].encoding != 'V')
        continue;
      variant = osiiso_frame_dup_variant (&frame);
      printed = g_variant_print (variant, TRUE);
      g_assert_cmpstr (printed, ==, values[i].printed);
    }
  parent_stop (&pair);
}

/* The same as details of an error, of which those that cannot leave stay behind. */
static void
test_details (void)
{
  Pair pair;

  parent_start (&pair);
  for (guint32 i = 0; i < G_N_ELEMENTS (values); i++)
    append_report (&pair, i + 1, TRUE, values[i].what);
  g_assert_cmpint (serve (&pair, G_N_ELEMENTS (values)), ==, 0);
  for (guint32 i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GVariant) variant = NULL;
      g_autofree char *printed = NULL;
      g_autoptr (GError) error = NULL;
      OsiisoFrameError parsed;
      OsiisoFrame frame;

      g_assert_true (pair_receive (&pair, &frame));
      g_assert_cmpuint (frame.id, ==, i + 1);
      g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_ERROR);
      g_assert_true (osiiso_frame_parse_error (&frame, &parsed));
      error = osiiso_frame_dup_gerror (&frame, &parsed);
      g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_IO);
      g_assert_cmpstr (error->message, ==, "reported");
      if (values[i].encoding == 'B')
        g_assert_cmpmem (parsed.details, parsed.details_length, "abc", 3);
      g_assert_cmpint (frame.encoding, ==, values[i].encoding == 'E' ? 0 : values[i].encoding);
      if (values[i].encoding != 'V')
        continue;
      variant = osiiso_frame_variant_from_data (parsed.details, parsed.details_length);
      printed = g_variant_print (variant, TRUE);
      g_assert_cmpstr (printed, ==, values[i].printed);
    }
  parent_stop (&pair);
}

/* Set-ups */

static void
append_setup (Pair       *pair,
              const char *text) /* (nullable): nothing */
{
  g_autoptr (GVariant) value = text != NULL ? g_variant_parse (NULL, text, NULL, NULL, NULL) : NULL;

  osiiso_frame_buffer_append_variant (&pair->out, OSIISO_FRAME_DEFINE, 0, NULL, value);
}

static void
test_set_up (void)
{
  static const struct
  {
    const char *text;
    guint       n;
    const char *with;
  } cases[] = {
    { NULL, 0, NULL },
    { "':test_main_set_up'", 1, NULL },
    { "(':test_main_set_up', <7>)", 1, "7" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *with = NULL;
      Pair pair;

      n_set_up = 0;
      parent_start (&pair);
      append_setup (&pair, cases[i].text);
      /* A definition is for who has a use for it. */
      osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_DEFINE, 0, 'B', "name", "abc", 3);
      append_report (&pair, 1, FALSE, "none");
      g_assert_cmpint (serve (&pair, 1), ==, 0);
      assert_frame (&pair, OSIISO_FRAME_RESULT, 1, "");
      parent_stop (&pair);
      g_assert_cmpuint (n_set_up, ==, cases[i].n);
      if (set_up_with != NULL)
        with = g_variant_print (set_up_with, FALSE);
      g_assert_cmpstr (with, ==, cases[i].with);
      g_clear_pointer (&set_up_with, g_variant_unref);
    }
}

/* Says why, and ends. */
static void
test_set_up_fails (void)
{
  static const struct
  {
    const char *text;
    const char *reason;
  } cases[] = {
    { "7", "the set-up of a worker in C is the name of a function" },
    { "('name', 7)", "the set-up of a worker in C is the name of a function" },
    { "':test_main_no_such_function'", "test_main_no_such_function" },
    { "':test_main_fail'", "one of its own" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      OsiisoFrameError parsed;
      g_autoptr (GError) error = NULL;
      OsiisoFrame frame;
      Pair pair;

      parent_start (&pair);
      append_setup (&pair, cases[i].text);
      append_report (&pair, 1, FALSE, "none");
      g_assert_cmpint (serve (&pair, 2), !=, 0);
      g_assert_true (pair_receive (&pair, &frame));
      g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_ERROR);
      g_assert_cmpuint (frame.id, ==, 0);
      g_assert_true (osiiso_frame_parse_error (&frame, &parsed));
      error = osiiso_frame_dup_gerror (&frame, &parsed);
      if (strstr (error->message, cases[i].reason) == NULL)
        g_error ("“%s” is not in: %s", cases[i].reason, error->message);
      parent_stop (&pair);
    }
}

/* Bytes and JSON are for workers in other languages. */
static void
test_set_up_encoding (void)
{
  Pair pair;

  parent_start (&pair);
  osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_DEFINE, 0, 'J', NULL, "\"x\"", 3);
  g_assert_cmpint (serve (&pair, 2), !=, 0);
  assert_frame (&pair, OSIISO_FRAME_ERROR, 0, NULL);
  parent_stop (&pair);
}

/* From the beginning */

static void
test_nonsense (void)
{
  Pair pair;

  parent_start (&pair);
  osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_RESULT, 1, 0, NULL, NULL, 0);
  g_assert_cmpint (serve (&pair, 2), !=, 0);
  parent_stop (&pair);
}

static void
test_no_socket (void)
{
  g_setenv ("OSIISO_WORKER_FD", "many", TRUE);
  g_assert_cmpint (be_worker (), !=, 0);
  g_unsetenv ("OSIISO_WORKER_FD");
}

/* Without the thread that listens nothing begins. */
static void
test_no_thread (void)
{
  Pair pair;

  parent_start (&pair);
  test_faults_set ("pthread_create", 1, EAGAIN, FALSE);
  g_assert_cmpint (be_worker (), !=, 0);
  g_assert_true (test_faults_clear ());
  assert_silence (&pair);
  /* It can be tried again. */
  g_assert_cmpint (serve (&pair, 0), ==, 0);
  parent_stop (&pair);
}

static void
test_name (void)
{
  g_autofree char *name = g_strdup (g_get_prgname ());
  /* What it prints is a comment in the report of this test. */
  char path[] = "/folder/# program", option[] = "--version";
  char *argv[] = { path, option, NULL };

  g_set_prgname (NULL);
  g_assert_cmpint (osiiso_worker_main (2, argv), ==, 0);
  g_assert_cmpstr (g_get_prgname (), ==, "# program");
  /* One that it has it keeps; an argument that it does not know is the program's. */
  argv[1] = path;
  g_setenv ("OSIISO_WORKER_FD", "many", TRUE);
  g_assert_cmpint (osiiso_worker_main (2, argv), !=, 0);
  g_assert_cmpstr (g_get_prgname (), ==, "# program");
  g_unsetenv ("OSIISO_WORKER_FD");
  g_set_prgname (name);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/worker-main/values", test_values);
  g_test_add_func ("/worker-main/details", test_details);
  g_test_add_func ("/worker-main/set-up/works", test_set_up);
  g_test_add_func ("/worker-main/set-up/fails", test_set_up_fails);
  g_test_add_func ("/worker-main/set-up/encoding", test_set_up_encoding);
  g_test_add_func ("/worker-main/nonsense", test_nonsense);
  g_test_add_func ("/worker-main/no-socket", test_no_socket);
  g_test_add_func ("/worker-main/no-thread", test_no_thread);
  g_test_add_func ("/worker-main/name", test_name);

  return g_test_run ();
}
