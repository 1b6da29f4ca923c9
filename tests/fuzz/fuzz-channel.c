/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a worker program is told by somebody who is no queue: whatever comes over its
 * socket, it is a message whose parts can all be read, or the end of the channel.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "osiiso-call.h"
#include "osiiso-worker-channel.h"

/* So much fits into a socket without anybody who reads. */
#define MOST (64 * 1024)

static void
answer (OsiisoWorkerChannel *channel)
{
  guint id = osiiso_worker_channel_get_id (channel);
  g_autoptr (GBytes) bytes = osiiso_worker_channel_dup_bytes (channel);
  g_autoptr (GVariant) variant = osiiso_worker_channel_dup_variant (channel);
  const char *text = osiiso_worker_channel_get_text (channel);

  g_assert_true (bytes == NULL || g_bytes_get_size (bytes) == osiiso_worker_channel_get_size (channel));
  g_assert_true (text == NULL || g_utf8_validate (text, -1, NULL));
  g_assert_true (osiiso_worker_channel_get_function (channel) != NULL);
  g_assert_true (variant == NULL || g_variant_is_normal_form (variant));
  osiiso_worker_channel_get_attempt_number (channel);
  osiiso_worker_channel_get_task_index (channel);
  osiiso_worker_channel_get_task_name (channel);

  if (text != NULL)
    osiiso_worker_channel_reply_text (channel, id, text);
  else if (variant != NULL)
    osiiso_worker_channel_reply_variant (channel, id, variant);
  else
    osiiso_worker_channel_reply_none (channel, id);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  g_autoptr (OsiisoWorkerChannel) channel = NULL;
  OsiisoWorkerMessage message;
  char rest[4096];
  int fds[2];

  if (size > MOST)
    return 0;
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  channel = osiiso_worker_channel_new (fds[0], "cancel", NULL);
  g_assert_nonnull (channel);
  g_assert_cmpint (write (fds[1], data, size), ==, (gssize) size);
  shutdown (fds[1], SHUT_WR);
  do
    {
      g_autoptr (GError) error = NULL;

      message = osiiso_worker_channel_receive (channel, TRUE, NULL, &error);
      if (message == OSIISO_WORKER_MESSAGE_CALL)
        answer (channel);
      while (recv (fds[1], rest, sizeof rest, MSG_DONTWAIT) > 0)
        ;
    }
  while (message != OSIISO_WORKER_MESSAGE_CLOSED);
  close (fds[1]);
  return 0;
}
