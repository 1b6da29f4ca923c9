// SPDX-License-Identifier: LGPL-2.1-or-later
// Tasks of one queue, as numbers for the library.
//
// The library knows a task by its token; functions, values and errors stay here. Of a
// success it is this side that tells the library; of all other ends the library tells
// this side, many at a time, until it is acknowledged.
import {Calls} from './calls.js';
import {TaskContext} from './context.js';
import {countWrapper, objectFor} from './core-options.js';
import {CancelledError, OsiisoError, TimeoutError, wrapError} from './errors.js';
import {messageOf} from './handle.js';
import {enter, leave} from './inside.js';
import {ERROR_DOMAIN, FAILURE, FINAL_FAILURE} from './options.js';
import {GLib, Gio, Osiiso} from './raw.js';

const {Status} = Osiiso;

// What a handle has whose function gets nothing but the context.
export const NO_ITEM = Symbol('no item');

const RETURNED = 0;
const PENDING = 1;
const FAILED = 2;
const IS_PENDING = [PENDING, undefined];
const HAS_FAILED = [FAILED, undefined];

// Tokens of what is no task are above all others.
const FIRST_OPERATION = 2 ** 52;

// NUL ends a text of the library, and half a pair of surrogates is none.
export function cleanText(text) {
    return text.replace(/\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD');
}

function timeoutError(handle) {
    return new TimeoutError(`task '${handle.name}' exceeded ${handle._options.timeout ?? 0}s timeout`);
}

export class Tokens {
    // queue: gets _emit (), _hears () and _ended ().
    constructor(core, queue) {
        this.core = core;
        this.refusal = null;          // why there can be no functions
        this.calls = null;            // those of worker programs, see calls.js
        this._queue = queue;
        this._tasks = new Map();      // handles of tasks that are not over, by token
        this._next = 1;
        this._operations = new Map(); // promises of what the library tells, by token
        this._nextOperation = FIRST_OPERATION;

        const {CALLS, FUNCTIONS} = Osiiso.BackendCapabilities;
        let flags = Osiiso.CompletionFlags.ACKNOWLEDGED;
        if ((core.backend.get_capabilities() & (CALLS | FUNCTIONS)) === CALLS)
            this.calls = new Calls(this, queue);
        else
            flags |= Osiiso.CompletionFlags.SKIP_SUCCEEDED;
        core.set_completions_func(flags, (tokens, statuses) => {
            // A call that GJS refuses is repeated.
            core.acknowledge_told();
            this._told(tokens, statuses);
        });
        try {
            core.set_runner((token, taskId, attempt) => {
                try {
                    this._run(token, taskId, attempt);
                } catch (error) {
                    logError(error, 'Osiiso');
                }
                return taskId;
            });
        } catch (error) {
            this.refusal = wrapError(error);
        }
    }

    // ---- Submitting

    submit(handle) {
        if (this.refusal !== null)
            throw this.refusal;
        this.add(handle);
        try {
            handle._id = this.core.submit_token(handle._token, objectFor(handle._options));
        } catch (error) {
            this._tasks.delete(handle._token);
            throw wrapError(error);
        }
    }

    // All or none, with the same options.
    submitAll(handles, options) {
        if (this.refusal !== null)
            throw this.refusal;
        const first = this._next;
        for (const handle of handles)
            this.add(handle);
        try {
            const ids = this.core.submit_tokens(first, handles.length, objectFor(options));
            handles.forEach((handle, i) => {
                handle._id = ids[i];
            });
        } catch (error) {
            for (const handle of handles)
                this._tasks.delete(handle._token);
            throw wrapError(error);
        }
    }

    add(handle) {
        handle._token = this._next++;
        this._tasks.set(handle._token, handle);
    }

    get(token) {
        return this._tasks.get(token);
    }

    // How many tasks are not over.
    get length() {
        return this._tasks.size;
    }

    remove(handle) {
        this._tasks.delete(handle._token);
    }

    // Calls a method of the library that tells by a token when it is over: callbacks
    // that GJS refuses would be lost.
    operate(method, ...args) {
        return new Promise((resolve, reject) => {
            const token = this._nextOperation++;
            this._operations.set(token, {resolve, reject});
            try {
                this.core[method](token, ...args);
            } catch (error) {
                this._operations.delete(token);
                reject(wrapError(error));
            }
        });
    }

    // ---- Tasks that run

    // The library has a token to run; more are asked for, as long as their functions
    // are over when they return.
    _run(token, taskId, attempt) {
        let more = true;
        while (more) {
            const handle = this._tasks.get(token);
            if (handle === undefined) {
                // It has ended, and this side was told, which comes to the same.
                this.core.token_failed(taskId, attempt, ERROR_DOMAIN, FINAL_FAILURE, 'unknown task', -1);
                return;
            }
            const [over, value] = this._begin(handle, taskId, attempt);
            if (over === PENDING)
                return;
            let accepted;
            [more, accepted, token, taskId, attempt] = this.core.exchange_token();
            if (over === FAILED)
                this._tellRetry(handle);
            else if (accepted)
                this.settle(handle, 'succeeded', value);
        }
    }

    _begin(handle, taskId, attempt) {
        handle._id = taskId;
        handle._attempts = attempt;
        if (handle._started === 0)
            handle._started = Date.now();
        if (attempt > 1)
            this._tellRetries(handle, attempt);
        if (this._queue._hears('on-start'))
            this._queue._emit('on-start', handle);

        const context = new TaskContext(handle, attempt);
        const {_fn: fn, _item: item} = handle;
        try {
            const value = item === NO_ITEM ? enter(handle, fn, context) : enter(handle, fn, item, context);
            if (typeof value?.then !== 'function')
                return [RETURNED, value];
            (value instanceof Promise ? value : Promise.resolve(value)).then(
                result => this._resolved(handle, taskId, attempt, result),
                error => {
                    this._failed(handle, context, taskId, error);
                    this._tellRetry(handle);
                });
            return IS_PENDING;
        } catch (error) {
            this._failed(handle, context, taskId, error);
            return HAS_FAILED;
        }
    }

    _resolved(handle, taskId, attempt, value) {
        if (this.core.token_done(taskId, attempt))
            this.settle(handle, 'succeeded', value);
    }

    _failed(handle, context, taskId, error) {
        const {attempt} = context;
        if (handle._attempts === attempt)
            leave(handle);
        if (handle._final !== null || handle._attempts !== attempt)
            return;
        const isCore = error instanceof GLib.Error;
        let [domain, code] = isCore ? [error.domain, error.code] : [ERROR_DOMAIN, FAILURE];
        if (handle._options.retryOn && !this._isToBeRetried(handle, attempt, error))
            [domain, code] = [ERROR_DOMAIN, FINAL_FAILURE];
        let text = messageOf(error);
        if (error instanceof Error)
            text = text ? `${error.name}: ${text}` : `${error.name}`;

        const before = [handle._failure, handle._failedAttempt];
        [handle._failure, handle._failedAttempt] = [error, attempt];
        if (!this.core.token_failed(taskId, attempt, domain, code, cleanText(text), context._retryAfter))
            [handle._failure, handle._failedAttempt] = before;
    }

    _isToBeRetried(handle, attempt, error) {
        try {
            return attempt <= (handle._options.retries ?? 0) && Boolean(handle._options.retryOn(error, attempt));
        } catch (problem) {
            logError(problem, `retryOn of ${handle.name}`);
            return false;
        }
    }

    // Those who want to hear of it are told when it is sure, and at the latest when the
    // next attempt begins.
    _tellRetry(handle) {
        if (this._queue._hears('on-retry') && handle._final === null &&
            handle._toldRetry < handle._attempts && this.statusOf(handle) === Status.RETRYING)
            this._emitRetry(handle, handle._attempts);
    }

    // Those before that attempt of which nobody was told. The library may have given up
    // some before they were entered.
    _tellRetries(handle, attempt) {
        for (let before = handle._toldRetry + 1; before < attempt; before++)
            this._emitRetry(handle, before);
    }

    _emitRetry(handle, attempt) {
        handle._toldRetry = attempt;
        // When it did not fail by itself, it took too long.
        this._queue._emit('on-retry', handle, handle._failedAttempt === attempt ? handle._failure : timeoutError(handle));
    }

    // ---- Tasks that are over

    _told(tokens, statuses) {
        this.calls?.told(tokens);
        for (let i = 0; i < tokens.length; i++) {
            try {
                if (tokens[i] >= FIRST_OPERATION)
                    this._operationEnded(tokens[i]);
                else if (this.calls === null)
                    this._taskEnded(this._tasks.get(tokens[i]), statuses[i]);
            } catch (error) {
                // The others have ended all the same.
                logError(error, 'Osiiso');
            }
        }
    }

    _operationEnded(token) {
        const operation = this._operations.get(token);
        if (operation === undefined)
            return;
        this._operations.delete(token);
        try {
            operation.resolve(this.core.finish_told(token));
        } catch (error) {
            operation.reject(wrapError(error));
        }
    }

    _taskEnded(handle, status) {
        if (handle === undefined)
            return;
        if (status === Status.CANCELLED)
            this.settle(handle, 'cancelled', new CancelledError(handle._attempts > 0 ? 'cancelled' : 'cancelled before execution'));
        else if (this._hasReported(handle))
            this.settle(handle, 'failed', handle._failure);
        else
            this.settle(handle, 'failed', this._coreError(handle));
    }

    // Whether its last attempt has thrown something. There may be one that took too long
    // before it was entered.
    _hasReported(handle) {
        return handle._attempts > 0 && handle._failedAttempt === handle._attempts &&
            (!handle._options.timeout || (this.lookUp(handle)?.attempts ?? handle._attempts) === handle._attempts);
    }

    // Why a task has failed that did not say so.
    _coreError(handle) {
        const object = this.lookUp(handle);
        const error = object?.dup_error();
        if (!error)
            return new OsiisoError('the task was lost');
        handle._attempts = object.attempts;
        this._tellRetries(handle, handle._attempts);
        if (error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT))
            return new TimeoutError(error.message, {cause: error});
        return wrapError(error);
    }

    settle(handle, final, outcome) {
        if (!this._tasks.delete(handle._token))
            return;
        handle._settle(final, outcome);
        this._queue._ended(handle, final);
    }

    // ---- For handles

    lookUp(handle) {
        countWrapper();
        return this.core.lookup(handle._id);
    }

    statusOf(handle) {
        return this.lookUp(handle)?.status;
    }

    cancel(handle) {
        handle._asked = true;
        return this.core.token_cancel(handle._id);
    }

    setPriority(handle, priority) {
        return this.lookUp(handle)?.set_priority(priority) ?? false;
    }

    cancellableOf(handle, attempt) {
        countWrapper();
        return this.core.token_dup_cancellable(handle._id, attempt);
    }

    progressed(handle, attempt, fraction, text) {
        if (!this.core.token_progress(handle._id, attempt, fraction, text === null ? null : cleanText(text)))
            return;
        handle._progress = fraction;
        handle._statusText = text;
        if (handle._options.onProgress) {
            try {
                handle._options.onProgress(fraction, text);
            } catch (error) {
                logError(error, `onProgress of ${handle.name}`);
            }
        }
    }
}
