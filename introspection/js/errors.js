// SPDX-License-Identifier: LGPL-2.1-or-later
// What goes wrong with a queue. What a task throws is not among them: that reaches the
// caller as it is.
import {Gio, GLib, Osiiso} from './raw.js';
import {TaskError} from './task-error.js';

export {TaskError};

export class OsiisoError extends Error {
    get name() {
        return this.constructor.name;
    }
}

// Something that the queue refuses; code is one of Osiiso.QueueError.
export class QueueError extends OsiisoError {
    constructor(message, code, options) {
        super(message, options);
        this.code = code;
    }
}

// The queue takes no tasks, for now or for ever.
export class ClosedError extends QueueError {}

// The queue has as many tasks as its size allows.
export class QueueFullError extends QueueError {}

// The task was cancelled.
export class CancelledError extends OsiisoError {}

// The task, or what it was waited for, took too long.
export class TimeoutError extends OsiisoError {}

// The process that ran the task has died; details tell of it: pid, signal or
// 'exit-status', stderr and others.
export class CrashedError extends QueueError {
    constructor(cause, details) {
        super(cause.message, cause.code, {cause});
        this.details = details;
    }
}

// Tasks have failed; results are those of them.
export class ExecutionError extends OsiisoError {
    constructor(message, results) {
        super(message, {cause: results[0]?.error});
        this.results = results;
        this.errors = results.map(result => result.error);
    }
}

// For an error of the library.
export function wrapError(error) {
    if (!(error instanceof GLib.Error))
        return error;
    const options = {cause: error};
    if (error.matches(Osiiso.QueueError, Osiiso.QueueError.CLOSED))
        return new ClosedError(error.message, error.code, options);
    if (error.matches(Osiiso.QueueError, Osiiso.QueueError.FULL))
        return new QueueFullError(error.message, error.code, options);
    if (error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED))
        return new CancelledError(error.message, options);
    if (error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT))
        return new TimeoutError(error.message, options);
    if (error.matches(Osiiso.QueueError, error.code))
        return new QueueError(error.message, error.code, options);
    return new TaskError(error);
}
