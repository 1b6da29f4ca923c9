// SPDX-License-Identifier: LGPL-2.1-or-later
// What a run, or a group, has come to.
import {ExecutionError} from './errors.js';
import {TaskResult} from './handle.js';

const BAR = '-'.repeat(40);

function groupBy(results, keyOf) {
    const found = new Map();
    for (const result of results) {
        const key = keyOf(result);
        const list = found.get(key);
        if (list === undefined)
            found.set(key, [result]);
        else
            list.push(result);
    }
    return found;
}

export class RunSummary {
    #handles;
    #results = null;

    constructor(handles, counts, timedOut, duration) {
        if (counts === undefined)
            throw new TypeError('a RunSummary is what run() of a queue promises, and not made by new');
        const {succeeded, failed, cancelled} = counts;
        this.#handles = handles;
        this.succeeded = succeeded;
        this.failed = failed;
        this.cancelled = cancelled;
        this.totalSubmitted = succeeded + failed + cancelled;
        this.timedOut = timedOut;
        this.duration = duration;
        Object.freeze(this);
    }

    // In the order in which the tasks ended; those of a group as they were submitted.
    get results() {
        this.#results ??= Object.freeze(this.#handles.map(handle => new TaskResult(handle)));
        return this.#results;
    }

    // Everything has succeeded, in time.
    get ok() {
        return this.failed === 0 && this.cancelled === 0 && !this.timedOut;
    }

    // The values of what has succeeded.
    get values() {
        return this.#handles.filter(handle => handle._final === 'succeeded').map(handle => handle._outcome);
    }

    // The results of what has failed.
    get errors() {
        return this.results.filter(result => result.status === 'failed');
    }

    get successes() {
        return this.results.filter(result => result.status === 'succeeded');
    }

    get cancellations() {
        return this.results.filter(result => result.status === 'cancelled');
    }

    byTaskId(taskId) {
        return this.results.find(result => result.taskId === taskId) ?? null;
    }

    // The results of that name; without one a Map of all names.
    byName(name = undefined) {
        if (name !== undefined)
            return this.results.filter(result => result.name === name);
        return groupBy(this.results, result => result.name);
    }

    // The results of that group, null for those without; without one a Map of all.
    byGroup(groupId = undefined) {
        if (groupId !== undefined)
            return this.results.filter(result => result.groupId === groupId);
        return groupBy(this.results, result => result.groupId);
    }

    // Throws an ExecutionError when something has failed.
    check() {
        if (this.failed === 0)
            return this;
        const {errors} = this;
        let message = `${this.failed} task(s) failed`;
        if (this.cancelled > 0)
            message += `; ${this.cancelled} task(s) cancelled`;
        if (errors.length > 0)
            message += `: ${errors[0].name}${errors[0].message ? `: ${errors[0].message}` : ''}`;
        throw new ExecutionError(message, errors);
    }

    toString() {
        let verdict = 'COMPLETED WITH ERRORS';
        if (this.timedOut)
            verdict = 'TIMED OUT';
        else if (this.ok)
            verdict = 'PASSED';
        const lines = [
            BAR,
            `  Run Summary: ${verdict}`,
            BAR,
            `  Total tasks : ${this.totalSubmitted}`,
            `  Succeeded   : ${this.succeeded}`,
            `  Failed      : ${this.failed}`,
            `  Cancelled   : ${this.cancelled}`,
            `  Duration    : ${this.duration.toFixed(3)}s`,
        ];
        const {errors} = this;
        if (errors.length > 0)
            lines.push(BAR, '  Failures:');
        for (const {name, attempts, message} of errors) {
            lines.push(`    - ${name}${attempts > 1 ? ` (${attempts} attempts)` : ''}`);
            if (message)
                lines.push(`      ${message}`);
        }
        lines.push(BAR);
        return `${lines.join('\n')}\n`;
    }
}
