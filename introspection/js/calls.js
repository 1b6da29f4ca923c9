// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls of exported functions as tasks of a queue.
import {CancelledError, TaskError, TimeoutError} from './errors.js';
import {CallHandle, Calls, checkModule} from './process-pool.js';
import {Gio, Osiiso} from './raw.js';

const {Status} = Osiiso;

// Between a call and the handle of its task.
class CallTask extends CallHandle {
    constructor(calls, tokens, handle, onProgress) {
        super(calls, handle.name, onProgress);
        this._tokens = tokens;
        this._handle = handle;
        this._resolve = value => tokens.settle(handle, 'succeeded', value);
        this._reject = error => this._fail(error);
    }

    _end(status, attempts) {
        super._end(status, attempts);
        this._isCancelled = status === Status.CANCELLED;
        this._handle._attempts = attempts;
        [this._handle._progress, this._handle._statusText] = this._progress;
    }

    _fail(error) {
        if (this._isCancelled)
            error = new CancelledError(error.message, {cause: error.cause});
        else if (error instanceof TaskError && error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT))
            error = new TimeoutError(error.message, {cause: error.cause});
        this._tokens.settle(this._handle, this._isCancelled ? 'cancelled' : 'failed', error);
    }
}

export function makeCalls(core) {
    return new Calls(core, false);
}

export function beginCall(calls, tokens, handle, {uri, name, args, taskOptions, onProgress}) {
    const task = new CallTask(calls, tokens, handle, onProgress);

    checkModule(uri);
    calls.begin(uri, name, args, taskOptions, task);
    handle._id = task._id;
    // Only the library knows how far it is.
    handle._call = task;
}
