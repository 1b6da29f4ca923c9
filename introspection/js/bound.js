// SPDX-License-Identifier: LGPL-2.1-or-later
// A function that belongs to a queue.
import {TaskOptions} from './options.js';

export class BoundTask extends Function {
    constructor(queue, fn, options) {
        super();
        if (typeof fn !== 'function')
            throw new TypeError('a BoundTask is what task() of a queue returns, and not made by new');
        // A function that has the methods of this class.
        const bound = (...args) => bound.submit(...args);
        Object.setPrototypeOf(bound, BoundTask.prototype);
        Object.defineProperty(bound, 'name', {value: fn.name});
        bound.queue = queue;
        bound.fn = fn;
        bound.options = options;
        return bound;
    }

    // Submits fn (...args, context).
    submit(...args) {
        const {fn} = this;
        const call = context => fn(...args, context);
        Object.defineProperty(call, 'name', {value: fn.name});
        return this.queue.submit(call, this.options);
    }

    map(items, options = undefined) {
        return this.queue.map(this.fn, items, options === undefined ? this.options : new TaskOptions(options, this.options));
    }

    // The same task with other options.
    with(options) {
        return new BoundTask(this.queue, this.fn, new TaskOptions(options, this.options));
    }
}
