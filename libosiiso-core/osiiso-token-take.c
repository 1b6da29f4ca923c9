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
/* Room that is made for tokens that may not be there. */
#define MAX_AT_ONCE 1024u

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
  guint64 *numbers = NULL;
  guint n_taken = 0;

  g_return_val_if_fail (n != NULL, NULL);
  /* Bindings look at it in any case. */
  *n = 0;
  g_return_val_if_fail (OSIISO_IS_BACKEND (self), NULL);
  g_return_val_if_fail (max > 0, NULL);

  /* Not for all at once: who wants every token may ask for any number. */
  do
    {
      const guint more = MIN (max - n_taken, MAX_AT_ONCE);
      gsize length;

      numbers = g_renew (guint64, numbers, (gsize) (n_taken + more) * N_NUMBERS);
      length = take_tokens (self, more, numbers + *n);
      *n += length;
      n_taken += (guint) (length / N_NUMBERS);
      if (length < (gsize) more * N_NUMBERS)
        break;
    }
  while (n_taken < max);
  return numbers;
}

/**
 * osiiso_queue_exchange_tokens: (skip)
 * @slots: what goes in and comes out
 * @max: for how many tokens there is room behind them
 *
 * Does what [method@Osiiso.Queue.tokens_done] does with one token, and then what
 * [method@Osiiso.Backend.take_tokens] does, in one call and without allocating
 * anything.
 *
 * For languages where each argument of a call costs: all of it is in an array that
 * is made once. @slots are the address of the queue; the id of a task that has
 * succeeded, or 0 for none; which attempt that was; whether it counts, which is
 * written; and then three numbers for each token that was taken. When the report does
 * not count nothing is taken. Any thread.
 *
 * Returns: how many tokens were taken
 *
 * Since: 1.0
 */
guint
osiiso_queue_exchange_tokens (guint64 *slots,
                              guint    max)
{
  OsiisoQueue *self;

  g_return_val_if_fail (slots != NULL, 0);

  self = GSIZE_TO_POINTER ((gsize) slots[0]);
  if (slots[1] != 0)
    {
      slots[3] = osiiso_queue_token_done (self, slots[1], (guint) slots[2]);
      if (!slots[3])
        return 0;
    }
  return (guint) (take_tokens (osiiso_queue_get_backend (self), max, slots + 4) / N_NUMBERS);
}

/**
 * osiiso_queue_exchange_token_slots: (skip)
 * @slots: what goes in and comes out
 *
 * Does what [method@Osiiso.Queue.exchange_token] does.
 *
 * For languages where each argument of a call costs. @slots are the address of the
 * queue, and what is written: whether the report counts, the next token, the id of
 * its task, and which attempt it is. Where exchange_token may be called.
 *
 * Returns: %TRUE when there is another token
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_exchange_token_slots (guint64 *slots)
{
  gboolean accepted;
  guint attempt;
  gboolean more;

  g_return_val_if_fail (slots != NULL, FALSE);

  more = osiiso_queue_exchange_token (GSIZE_TO_POINTER ((gsize) slots[0]), &accepted, &slots[2], &slots[3], &attempt);
  slots[1] = accepted;
  slots[4] = attempt;
  return more;
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
