/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include <glib-object.h>

G_BEGIN_DECLS

/**
 * OsiisoStatus:
 * @OSIISO_STATUS_PENDING: waits: for a worker, or for its delay to pass
 * @OSIISO_STATUS_RUNNING: an attempt is under way
 * @OSIISO_STATUS_RETRYING: an attempt failed and the next one waits
 * @OSIISO_STATUS_SUCCEEDED: finished with a value, or with none
 * @OSIISO_STATUS_FAILED: finished with an error, a timeout included
 * @OSIISO_STATUS_CANCELLED: finished by cancellation
 *
 * Where a task stands. The last three are final.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_STATUS_PENDING,
  OSIISO_STATUS_RUNNING,
  OSIISO_STATUS_RETRYING,
  OSIISO_STATUS_SUCCEEDED,
  OSIISO_STATUS_FAILED,
  OSIISO_STATUS_CANCELLED,
} OsiisoStatus;

/**
 * OsiisoMode:
 * @OSIISO_MODE_FINITE: a run ends when no work is outstanding
 * @OSIISO_MODE_INFINITE: a run ends when the queue is shut down
 *
 * When [method@Osiiso.Queue.run] returns.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_MODE_FINITE,
  OSIISO_MODE_INFINITE,
} OsiisoMode;

/**
 * OsiisoFailPolicy:
 * @OSIISO_FAIL_POLICY_CONTINUE: a failed task does not touch the others
 * @OSIISO_FAIL_POLICY_FAIL_FIRST: the first failed task cancels all others
 *   that are not marked must-complete
 *
 * What the failure of one task means for the rest.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_FAIL_POLICY_CONTINUE,
  OSIISO_FAIL_POLICY_FAIL_FIRST,
} OsiisoFailPolicy;

/**
 * OsiisoTimeoutPolicy:
 * @OSIISO_TIMEOUT_POLICY_COMPLETE: tasks marked must-complete run to their end,
 *   all others are cancelled
 * @OSIISO_TIMEOUT_POLICY_CANCEL: everything is cancelled
 *
 * What happens to unfinished tasks when the time of a run is over.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_TIMEOUT_POLICY_COMPLETE,
  OSIISO_TIMEOUT_POLICY_CANCEL,
} OsiisoTimeoutPolicy;

/**
 * OsiisoBackendCapabilities:
 * @OSIISO_BACKEND_CAPABILITIES_NONE: nothing
 * @OSIISO_BACKEND_CAPABILITIES_FUNCTIONS: runs functions of this process
 * @OSIISO_BACKEND_CAPABILITIES_CLOSURES: runs them in the context that owns the
 *   queue, so that callbacks of languages without threads are welcome
 * @OSIISO_BACKEND_CAPABILITIES_ASYNC: attempts may be deferred without
 *   holding a thread
 * @OSIISO_BACKEND_CAPABILITIES_CALLS: runs functions by name
 * @OSIISO_BACKEND_CAPABILITIES_COMMANDS: runs programs
 * @OSIISO_BACKEND_CAPABILITIES_KILL: can stop work that does not cooperate
 * @OSIISO_BACKEND_CAPABILITIES_REMOTE: may run work on other machines
 * @OSIISO_BACKEND_CAPABILITIES_INITIALIZER: calls the initializer of the queue in each
 *   thread before it runs functions there, by [method@Osiiso.Backend.init_worker]
 *
 * What a backend can do. Submitting what a backend cannot run fails with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED.
 *
 * Since: 1.0
 */
typedef enum /*< flags >*/
{
  OSIISO_BACKEND_CAPABILITIES_NONE      = 0,
  OSIISO_BACKEND_CAPABILITIES_FUNCTIONS = 1 << 0,
  OSIISO_BACKEND_CAPABILITIES_CLOSURES  = 1 << 1,
  OSIISO_BACKEND_CAPABILITIES_ASYNC     = 1 << 2,
  OSIISO_BACKEND_CAPABILITIES_CALLS     = 1 << 3,
  OSIISO_BACKEND_CAPABILITIES_COMMANDS  = 1 << 4,
  OSIISO_BACKEND_CAPABILITIES_KILL      = 1 << 5,
  OSIISO_BACKEND_CAPABILITIES_REMOTE    = 1 << 6,
  OSIISO_BACKEND_CAPABILITIES_INITIALIZER = 1 << 7,
} OsiisoBackendCapabilities;

/**
 * OsiisoInterruptReason:
 * @OSIISO_INTERRUPT_REASON_CANCELLED: the task was cancelled
 * @OSIISO_INTERRUPT_REASON_TIMED_OUT: the attempt took longer than its timeout
 *
 * Why a running attempt is no longer wanted.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_INTERRUPT_REASON_CANCELLED,
  OSIISO_INTERRUPT_REASON_TIMED_OUT,
} OsiisoInterruptReason;

/**
 * OsiisoCompletionFlags:
 * @OSIISO_COMPLETION_FLAGS_NONE: all ends of tokens are told, in the context that
 *   owns the queue
 * @OSIISO_COMPLETION_FLAGS_SKIP_SUCCEEDED: successes are not told, because the
 *   runner has heard that its report counts
 * @OSIISO_COMPLETION_FLAGS_ANY_THREAD: each end is told at once, in the thread that
 *   ended the task: a worker's, one that cancels, one that watches the time
 * @OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED: what is told counts only when it was
 *   acknowledged; not together with %OSIISO_COMPLETION_FLAGS_ANY_THREAD
 *
 * What is told of the ends of tokens.
 *
 * Since: 1.0
 */
typedef enum /*< flags >*/
{
  OSIISO_COMPLETION_FLAGS_NONE           = 0,
  OSIISO_COMPLETION_FLAGS_SKIP_SUCCEEDED = 1 << 0,
  OSIISO_COMPLETION_FLAGS_ANY_THREAD     = 1 << 1,
  OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED   = 1 << 2,
} OsiisoCompletionFlags;

/**
 * OsiisoServeEnd:
 * @OSIISO_SERVE_END_CLOSED: the backend is being closed
 * @OSIISO_SERVE_END_SURPLUS: more threads serve than the queue has workers, so
 *   this one is not counted any more
 * @OSIISO_SERVE_END_INTERRUPTED: the attempt was ended while its function ran in
 *   this thread, which has not been counted since then
 *
 * Why a thread does not serve any longer.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_SERVE_END_CLOSED,
  OSIISO_SERVE_END_SURPLUS,
  OSIISO_SERVE_END_INTERRUPTED,
} OsiisoServeEnd;

/**
 * OsiisoEncoding:
 * @OSIISO_ENCODING_NONE: there is nothing
 * @OSIISO_ENCODING_GVARIANT: a [struct@GLib.Variant]
 * @OSIISO_ENCODING_JSON: JSON, as UTF-8 text
 * @OSIISO_ENCODING_BYTES: bytes that only the two ends understand
 *
 * The form of what goes to a worker program and comes from it. The numbers are
 * letters: V, J and B.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_ENCODING_NONE     = 0,
  OSIISO_ENCODING_GVARIANT = 86,
  OSIISO_ENCODING_JSON     = 74,
  OSIISO_ENCODING_BYTES    = 66,
} OsiisoEncoding;

/**
 * OsiisoWorkerMessage:
 * @OSIISO_WORKER_MESSAGE_NONE: nothing is there
 * @OSIISO_WORKER_MESSAGE_CLOSED: the parent is gone, or something is wrong: the
 *   program should end
 * @OSIISO_WORKER_MESSAGE_SETUP: what the program is to be set up with
 * @OSIISO_WORKER_MESSAGE_DEFINE: something to be kept under the name of a function
 * @OSIISO_WORKER_MESSAGE_CALL: a call, to be answered
 * @OSIISO_WORKER_MESSAGE_CANCEL: nobody waits for the call that is under way; it has
 *   to be answered nevertheless
 *
 * What [method@Osiiso.WorkerChannel.receive] received.
 *
 * Since: 1.0
 */
typedef enum
{
  OSIISO_WORKER_MESSAGE_NONE,
  OSIISO_WORKER_MESSAGE_CLOSED,
  OSIISO_WORKER_MESSAGE_SETUP,
  OSIISO_WORKER_MESSAGE_DEFINE,
  OSIISO_WORKER_MESSAGE_CALL,
  OSIISO_WORKER_MESSAGE_CANCEL,
} OsiisoWorkerMessage;

G_END_DECLS
