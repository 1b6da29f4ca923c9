/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-private.h"
#include "osiiso-backend-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-token-private.h"

/* Tokens for a backend that is written in the language which knows what they
 * mean: taken and reported many at a time, without an object for each. */

/* How many numbers stand for one token. */
#define N_NUMBERS 3

/* How many numbers it has put there. */
static gsize
take_tokens (OsiisoBackend *self,
             guint          max,
             guint64       *numbers)
{
  OsiisoAttempt *attempt;
  gsize length = 0;

  while (length < (gsize) max * N_NUMBERS && (attempt = osiiso_backend_take (self)) != NULL)
    {
      if (!(osiiso_record_get_word (attempt->record) & OSIISO_RECORD_TOKEN))
        {
          osiiso_attempt_run (attempt);
        }
      else
        {
          numbers[length++] = (guint64) (gsize) attempt->record->data;
          numbers[length++] = osiiso_record_get_id (attempt->record);
          numbers[length++] = attempt->number;
          osiiso_attempt_park (attempt);
        }
      osiiso_attempt_unref (attempt);
    }
  return length;
}

/**
 * osiiso_backend_take_tokens:
 * @self: a backend
 * @max: how many tokens at most; at least 1
 * @n: (out): the length of the result, which is three for each token
 *
 * Takes the next tokens that may run now.
 *
 * For a backend in the language that submitted them, such as one that runs
 * coroutines on that language's own event loop: it needs no runner call and no
 * object for each. It is to begin all of them now, and reports with
 * [method@Osiiso.Queue.tokens_done], [method@Osiiso.Queue.token_done] or
 * [method@Osiiso.Queue.token_failed]. A task that is not a token, and comes in
 * between, is run at once in this thread as by [method@Osiiso.Attempt.run].
 *
 * As with [method@Osiiso.Backend.take], the queue calls
 * [vfunc@Osiiso.Backend.wake] when there is more after this returned fewer than
 * @max. Any thread.
 *
 * Returns: (array length=n) (transfer full): for each token its number, the id of
 *   its task and which attempt this is, from 1 on
 *
 * Since: 1.0
 */
guint64 *
osiiso_backend_take_tokens (OsiisoBackend *self,
                            guint          max,
                            gsize         *n)
{
  guint64 *numbers;

  g_return_val_if_fail (OSIISO_IS_BACKEND (self), NULL);
  g_return_val_if_fail (max > 0, NULL);
  g_return_val_if_fail (n != NULL, NULL);

  numbers = g_new (guint64, (gsize) max * N_NUMBERS);
  *n = take_tokens (self, max, numbers);
  return numbers;
}

/**
 * osiiso_queue_exchange_tokens: (skip)
 * @self: a queue
 * @done: (array length=n_done): for each token that has succeeded the id of its task
 *   and which attempt it was
 * @n_done: the length of @done
 * @n_accepted: (out): for how many of them it counts
 * @taken: (out caller-allocates) (array): where three numbers for each token go
 * @max: for how many tokens there is room in @taken
 *
 * Does what [method@Osiiso.Queue.tokens_done] does, and then, if all of @done count,
 * what [method@Osiiso.Backend.take_tokens] does, in one call and without allocating
 * anything.
 *
 * Returns: how many numbers are in @taken
 *
 * Since: 1.0
 */
gsize
osiiso_queue_exchange_tokens (OsiisoQueue   *self,
                              const guint64 *done,
                              gsize          n_done,
                              gsize         *n_accepted,
                              guint64       *taken,
                              guint          max)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (n_accepted != NULL, 0);
  g_return_val_if_fail (max == 0 || taken != NULL, 0);

  *n_accepted = osiiso_queue_tokens_done (self, done, n_done);
  if (*n_accepted < n_done / 2)
    return 0;
  return take_tokens (osiiso_queue_get_backend (self), max, taken);
}

/**
 * osiiso_queue_tokens_done:
 * @self: a queue
 * @numbers: (array length=n): for each token the id of its task and which attempt
 *   it was
 * @n: the length of @numbers, which is two for each token
 *
 * Reports that tokens have succeeded, one after the other, until there is one for
 * which it does not count. Any thread.
 *
 * Returns: for how many it counts; when these are not all, the next one was over
 *   already, and the ones behind it are still to be reported
 *
 * Since: 1.0
 */
guint
osiiso_queue_tokens_done (OsiisoQueue   *self,
                          const guint64 *numbers,
                          gsize          n)
{
  gsize i;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (n % 2 == 0, 0);
  g_return_val_if_fail (n == 0 || numbers != NULL, 0);

  for (i = 0; i < n; i += 2)
    {
      if (!osiiso_queue_token_done (self, numbers[i], (guint) numbers[i + 1]))
        break;
    }
  return (guint) (i / 2);
}

/**
 * osiiso_queue_set_thread_end_func:
 * @self: a queue
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): called
 *   when a thread ends
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns the
 *   queue, when the queue is gone; also when this call fails
 * @error: return location for an error
 *
 * Sets a function that each thread of the backend calls as the last thing before
 * it leaves the queue.
 *
 * A language layer frees there what it has set up when a thread entered its runner
 * for the first time. In the thread that made the queue. Fails like
 * [method@Osiiso.Queue.set_runner].
 *
 * Returns: %TRUE if it was set
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_set_thread_end_func (OsiisoQueue        *self,
                                  OsiisoThreadEndFunc func,
                                  gpointer            user_data,
                                  GDestroyNotify      user_data_destroy,
                                  GError            **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return osiiso_runner_set_thread_end (osiiso_queue_get_scheduler (self), func, user_data, user_data_destroy, error);
}
