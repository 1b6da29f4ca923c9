// SPDX-License-Identifier: LGPL-2.1-or-later
// What the function of a task gets: one try at it.
import {CancelledError} from './errors.js';
import {show} from './options.js';
import {Gio} from './raw.js';

function checkNumber(name, expected, value, test) {
    if (typeof value !== 'number')
        throw new TypeError(`${name} must be ${expected}; got ${show(value)}`);
    if (!test(value))
        throw new RangeError(`${name} must be ${expected}; got ${show(value)}`);
}

export class TaskContext {
    constructor(handle, attempt) {
        if (handle === undefined)
            throw new TypeError('a TaskContext is what the function of a task gets, and not made by new');
        this._handle = handle;
        this._cancellable = null;
        this._retryAfter = -1;
        // Which attempt this is, from 1 on.
        this.attempt = attempt;
    }

    get handle() {
        return this._handle;
    }

    get queue() {
        return this._handle._queue;
    }

    get taskId() {
        return this._handle._id;
    }

    get name() {
        return this._handle.name;
    }

    // The place in the group.
    get index() {
        return this._handle._index;
    }

    get metadata() {
        return this._handle.metadata;
    }

    // Cancelled when this attempt is, or has taken too long. Made when it is asked for.
    get cancellable() {
        if (this._cancellable === null) {
            this._cancellable = this._handle._queue._tokens.cancellableOf(this._handle, this.attempt);
            if (this._cancellable === null) {
                // The attempt is over.
                this._cancellable = new Gio.Cancellable();
                this._cancellable.cancel();
            }
        }
        return this._cancellable;
    }

    get cancelled() {
        return this.cancellable.is_cancelled();
    }

    throwIfCancelled() {
        if (this.cancelled)
            throw new CancelledError(`attempt ${this.attempt} at task '${this.name}' was cancelled or has timed out`);
    }

    // How much is done, from 0 to 1, and what is going on.
    progress(fraction, text = null) {
        checkNumber('progress', 'a number from 0 to 1', fraction, value => value >= 0 && value <= 1);
        if (text !== null && typeof text !== 'string')
            throw new TypeError(`the text of a progress must be a string or null; got ${show(text)}`);
        this._handle._queue._tokens.progressed(this._handle, this.attempt, fraction, text);
    }

    // If this attempt fails, the next one begins that many seconds later.
    retryAfter(seconds) {
        checkNumber('retryAfter', 'seconds, not below 0', seconds, value => value >= 0 && value < Infinity);
        this._retryAfter = seconds;
    }
}
