// SPDX-License-Identifier: LGPL-2.1-or-later
// A named batch of tasks.
import {beginWait, endWait} from './inside.js';
import {RunSummary} from './summary.js';

export class Group {
    constructor(queue, groupId) {
        if (queue?._tokens === undefined)
            throw new TypeError('a Group is made by group() and map() of a queue, not by new');
        this._queue = queue;
        this._groupId = groupId;
        this._handles = [];
        this._finished = [];     // in the order in which they ended
        this._waiting = [];      // who waits for the next end
        this._created = Date.now();
    }

    get groupId() {
        return this._groupId;
    }

    get queue() {
        return this._queue;
    }

    // The handles in the order of submission.
    get handles() {
        return [...this._handles];
    }

    get length() {
        return this._handles.length;
    }

    get finishedCount() {
        return this._finished.length;
    }

    get done() {
        return this._finished.length === this._handles.length;
    }

    at(index) {
        return this._handles.at(index);
    }

    submit(fn, options = undefined) {
        return this._queue._submitInto(this, fn, options);
    }

    // A call of the function for each item, like Queue.map().
    map(fn, items, options = undefined) {
        this._queue._mapInto(this, fn, items, options);
        return this;
    }

    [Symbol.iterator]() {
        return this._handles[Symbol.iterator]();
    }

    // The handles in the order of completion, until none of those that are in the group
    // by then is left.
    async *[Symbol.asyncIterator]() {
        let wait = null;
        try {
            for (let i = 0; ; i++) {
                while (i >= this._finished.length) {
                    if (this.done)
                        return;
                    wait ??= beginWait({group: this}, 'for await of a group');
                    await this._nextEnd();
                }
                yield this._finished[i];
            }
        } finally {
            endWait(wait);
        }
    }

    // When all tasks are over that are in the group by then: a summary, with the
    // results in the order of submission.
    async wait() {
        const begin = Date.now();
        await this._allEnds('wait()');
        const counts = {succeeded: 0, failed: 0, cancelled: 0};
        for (const handle of this._handles)
            counts[handle._final]++;
        return new RunSummary([...this._handles], counts, false, (Date.now() - begin) / 1000);
    }

    // All values in the order of submission; rejected with the first error, in that
    // order, when all are over.
    async values() {
        await this._allEnds('values()');
        const failed = this._handles.find(handle => handle._final !== 'succeeded');
        if (failed !== undefined)
            throw failed._outcome;
        return this._handles.map(handle => handle._outcome);
    }

    // How many tasks it cancelled.
    cancel() {
        return this._handles.reduce((n, handle) => n + (handle.cancel() ? 1 : 0), 0);
    }

    toString() {
        return `[Group ${this._groupId}: ${this._finished.length} of ${this._handles.length}]`;
    }

    async _allEnds(call) {
        if (this.done)
            return;
        const wait = beginWait({group: this}, call);
        try {
            while (!this.done)
                await this._nextEnd();
        } finally {
            endWait(wait);
        }
    }

    _nextEnd() {
        this._queue._wanted();
        return new Promise(resolve => this._waiting.push(resolve));
    }

    _ended(handle) {
        this._finished.push(handle);
        if (this._waiting.length > 0) {
            const waiting = this._waiting;
            this._waiting = [];
            for (const resolve of waiting)
                resolve();
        }
    }
}
