/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

/**
 * OSIISO_QUEUE_ERROR:
 *
 * The error domain of this library.
 *
 * Since: 1.0
 */
#define OSIISO_QUEUE_ERROR (osiiso_queue_error_quark ())

/**
 * OsiisoQueueError:
 * @OSIISO_QUEUE_ERROR_CLOSED: the queue does not accept tasks (any more)
 * @OSIISO_QUEUE_ERROR_FULL: the queue is at its size
 * @OSIISO_QUEUE_ERROR_BUSY: a run is in progress, or a backend has a queue already
 * @OSIISO_QUEUE_ERROR_FAILED: tasks failed, or a plugin could not be used
 * @OSIISO_QUEUE_ERROR_CRASHED: the worker process that ran the task died
 * @OSIISO_QUEUE_ERROR_ABANDONED: an attempt was dropped without a report
 * @OSIISO_QUEUE_ERROR_NOT_SUPPORTED: the backend cannot run what was submitted
 * @OSIISO_QUEUE_ERROR_NOT_FOUND: no backend has that name
 * @OSIISO_QUEUE_ERROR_INVALID: a value is out of its range
 * @OSIISO_QUEUE_ERROR_WOULD_DEADLOCK: the call could never return
 *
 * Error codes of %OSIISO_QUEUE_ERROR.
 *
 * A cancelled task has %G_IO_ERROR_CANCELLED, one that ran out of time
 * %G_IO_ERROR_TIMED_OUT, both in the domain %G_IO_ERROR.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_QUEUE_ERROR_CLOSED,
  OSIISO_QUEUE_ERROR_FULL,
  OSIISO_QUEUE_ERROR_BUSY,
  OSIISO_QUEUE_ERROR_FAILED,
  OSIISO_QUEUE_ERROR_CRASHED,
  OSIISO_QUEUE_ERROR_ABANDONED,
  OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
  OSIISO_QUEUE_ERROR_NOT_FOUND,
  OSIISO_QUEUE_ERROR_INVALID,
  OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
} OsiisoQueueError;

OSIISO_AVAILABLE_IN_1_0
GQuark osiiso_queue_error_quark (void);

G_END_DECLS
