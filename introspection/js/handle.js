// SPDX-License-Identifier: LGPL-2.1-or-later
// One task, as its submitter sees it.
import {beginWait, endWait, leave} from './inside.js';
import {groupIdOf, checkPriority} from './options.js';
import {Osiiso} from './raw.js';

const {Status} = Osiiso;

export const STATUS_NAMES = {
    [Status.PENDING]: 'pending',
    [Status.RUNNING]: 'running',
    [Status.RETRYING]: 'retrying',
    [Status.SUCCEEDED]: 'succeeded',
    [Status.FAILED]: 'failed',
    [Status.CANCELLED]: 'cancelled',
};

function ignore() {
}

// The record of a task that is over. Times are seconds since 1970.
export class TaskResult {
    constructor(handle) {
        if (!(handle instanceof Handle))
            throw new TypeError('a TaskResult is what result() of a handle promises, and not made by new');
        this.taskId = handle._id;
        this.name = handle.name;
        this.status = handle._final;
        this.value = handle._final === 'succeeded' ? handle._outcome : undefined;
        this.error = handle._final === 'succeeded' ? null : handle._outcome;
        this.message = handle.message;
        this.attempts = handle._attempts;
        this.priority = handle.priority;
        this.mustComplete = handle.mustComplete;
        this.groupId = handle.groupId;
        this.index = handle._index;
        this.detached = handle.detached;
        this.metadata = handle.metadata;
        this.scheduledFor = handle.scheduledFor;
        this.created = handle.created;
        this.started = handle.started;
        this.finished = handle.finished;
        this.duration = handle.duration;
        Object.freeze(this);
    }
}

export class Handle {
    constructor(queue, fn, options, group, index, item) {
        if (queue === undefined)
            throw new TypeError('a Handle is what submit() of a queue returns, and not made by new');
        this._queue = queue;
        this._fn = fn;
        this._options = options;
        this._group = group;
        this._index = index;
        this._item = item;
        this._token = 0;
        this._id = 0;
        this._attempts = 0;
        this._mark = -1;           // see inside.js
        this._waits = null;
        this._final = null;        // its status when it is over
        this._outcome = undefined; // the value, or the error
        this._failure = null;      // what an attempt has thrown of which nothing is decided
        this._failedAttempt = 0;
        this._toldRetry = 0;       // the last attempt of which on-retry was emitted
        this._context = null;      // of the attempt that goes on
        this._promise = null;
        this._resolve = null;
        this._reject = null;
        this._asked = false;       // something was done to it outside of this layer
        this._priority = undefined;
        this._created = Date.now();
        this._started = 0;
        this._finished = 0;
        this._progress = 0;
        this._statusText = null;
        this._name = undefined;
    }

    get taskId() {
        return this._id;
    }

    get name() {
        return this._name ?? this._options.name ?? (this._fn?.name || `task-${this._token}`);
    }

    get queue() {
        return this._queue;
    }

    get group() {
        return this._group;
    }

    get groupId() {
        return this._group?.groupId ?? groupIdOf(this._options.group);
    }

    get index() {
        return this._index;
    }

    get status() {
        if (this._final !== null)
            return this._final;
        if (this._attempts === 0 && !this._asked)
            return 'pending';
        const status = this._queue._tokens.statusOf(this);
        return status === undefined ? 'running' : STATUS_NAMES[status];
    }

    // Whether the task is over, and its end known here.
    get done() {
        return this._final !== null;
    }

    // Which attempt goes on, or was the last one; 0 before the first.
    get attempts() {
        return this._attempts;
    }

    // The value of a task that has succeeded, else undefined.
    get currentValue() {
        return this._final === 'succeeded' ? this._outcome : undefined;
    }

    // What a task that has failed or was cancelled is rejected with, else null.
    get error() {
        return this._final === null || this._final === 'succeeded' ? null : this._outcome;
    }

    get message() {
        const error = this.error;
        return error === null ? '' : messageOf(error);
    }

    get priority() {
        return this._priority ?? this._options.priority ?? Osiiso.PRIORITY_DEFAULT;
    }

    get mustComplete() {
        return this._options.mustComplete ?? false;
    }

    get detached() {
        return this._options.detached ?? false;
    }

    get metadata() {
        return this._options.metadata;
    }

    get progress() {
        return this._progress;
    }

    get statusText() {
        return this._statusText;
    }

    get created() {
        return this._created / 1000;
    }

    // When it becomes ready, for tasks with a delay.
    get scheduledFor() {
        const {delay, runAt} = this._options;
        return delay > 0 ? this._created / 1000 + delay : runAt ?? null;
    }

    get started() {
        return this._started === 0 ? null : this._started / 1000;
    }

    get finished() {
        return this._final === null ? null : this._finished / 1000;
    }

    get duration() {
        if (this._started === 0)
            return 0;
        return ((this._final === null ? Date.now() : this._finished) - this._started) / 1000;
    }

    // The Osiiso.Handle for lists and bindings, made when it is asked for.
    get object() {
        this._asked = true;
        return this._queue._tokens.lookUp(this);
    }

    // A promise of the value. It is rejected with what the task has thrown.
    value() {
        let wait = null;
        try {
            wait = this._beginWait('value()');
        } catch (error) {
            return Promise.reject(error);
        }
        const promise = this._getPromise();
        if (wait !== null) {
            const end = () => endWait(wait);
            promise.then(end, end);
        }
        return promise;
    }

    _beginWait(call) {
        return this._final === null ? beginWait({handle: this}, call) : null;
    }

    _getPromise() {
        if (this._promise === null) {
            if (this._final === null) {
                this._promise = new Promise((resolve, reject) => {
                    this._resolve = resolve;
                    this._reject = reject;
                });
                this._queue._wanted();
            } else if (this._final === 'succeeded') {
                this._promise = Promise.resolve(this._outcome);
            } else {
                this._promise = Promise.reject(this._outcome);
                this._promise.catch(ignore);
            }
        }
        return this._promise;
    }

    // A promise of the TaskResult, whatever became of the task.
    async result() {
        await this._wait('result()');
        return new TaskResult(this);
    }

    // A promise of this handle, when the task is over.
    settled() {
        return this._wait('settled()');
    }

    async _wait(call) {
        const wait = this._beginWait(call);
        if (this._final === null)
            await this._getPromise().catch(ignore);
        endWait(wait);
        return this;
    }

    // Whether the task was not over yet.
    cancel() {
        return this._final === null && this._queue._tokens.cancel(this);
    }

    // Whether it still waits.
    setPriority(priority) {
        checkPriority(priority);
        if (this._final !== null || !this._queue._tokens.setPriority(this, priority))
            return false;
        this._priority = priority;
        return true;
    }

    toString() {
        return `[Handle ${this.name}: ${this.status}]`;
    }

    // The end of the task.
    _settle(final, outcome) {
        this._final = final;
        this._outcome = outcome;
        this._finished = Date.now();
        leave(this);
        // Neither is needed any more, and both may hold much.
        this._context = this._failure = null;
        if (this._name === undefined && this._options.name === undefined)
            this._name = this._fn?.name || undefined;
        this._fn = this._item = null;
        if (this._promise === null)
            return;
        if (final === 'succeeded') {
            this._resolve(outcome);
        } else {
            // Whoever dropped the promise does not want to hear of it.
            this._promise.catch(ignore);
            this._reject(outcome);
        }
        this._resolve = this._reject = null;
    }
}

export function messageOf(error) {
    try {
        const message = error?.message;
        return typeof message === 'string' ? message : String(error);
    } catch {
        return 'an error that has no text';
    }
}
