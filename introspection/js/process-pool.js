// SPDX-License-Identifier: LGPL-2.1-or-later
// Functions of an ES module in processes that are there as long as the pool:
//
//     const pool = new ProcessPool({module: resolve('./work.js', import.meta.url)});
//     const size = await pool.call('makeThumbnail', path, 128);
//     await pool.close();
import {checkModule} from './calls.js';
import {show} from './options.js';
import {Queue} from './queue.js';
import {GLib} from './raw.js';
import {WORKER_OPTIONS, makeWorkers} from './workers.js';

const QUEUE_OPTIONS = ['workers', 'rate', 'burst', 'shutdownTimeout', 'onStart', 'onComplete', 'onRetry'];

// The URI of a module, relative to that of another one: resolve('./work.js', import.meta.url).
export function resolve(relative, base) {
    for (const [name, value] of [['relative', relative], ['base', base]]) {
        if (typeof value !== 'string')
            throw new TypeError(`the ${name} URI must be a string, as in resolve('./work.js', import.meta.url); got ${show(value)}`);
    }
    return GLib.Uri.resolve_relative(base, relative, GLib.UriFlags.NONE);
}

export class ProcessPool {
    constructor(options = {}) {
        if (options === null || typeof options !== 'object')
            throw new TypeError(`the options of a ProcessPool must be an object; got ${show(options)}`);
        const known = ['module', ...QUEUE_OPTIONS, 'env', ...WORKER_OPTIONS];
        const queueOptions = {};
        const workerOptions = {};
        for (const [name, value] of Object.entries(options)) {
            if (!known.includes(name))
                throw new TypeError(`unknown option '${name}' of a ProcessPool; expected one of ${known.join(', ')}`);
            if (name === 'module' || value === undefined)
                continue;
            (QUEUE_OPTIONS.includes(name) ? queueOptions : workerOptions)[name] = value;
        }
        this._module = checkModule(options.module);
        this._queue = new Queue({...queueOptions, keepResults: false, backend: makeWorkers(workerOptions)});
        this._queue.start();
    }

    get queue() {
        return this._queue;
    }

    get module() {
        return this._module;
    }

    // A promise of what the export returns.
    call(name, ...args) {
        return this._queue.call(this._module, name, args).value();
    }

    // The same with options, and a handle to follow and to cancel it.
    submit(name, args = [], options = undefined) {
        return this._queue.call(this._module, name, args, options);
    }

    // A promise of all values, in the order of the items, each of which is the argument
    // of one call. When one of the calls fails, the others are cancelled.
    async map(name, items, options = undefined) {
        const group = this.group(name, items, options);
        try {
            return await Promise.all(group.handles.map(handle => handle.value()));
        } catch (error) {
            group.cancel();
            throw error;
        }
    }

    // The same calls as a group, to have them as they end.
    group(name, items, options = undefined) {
        return this._queue.mapCalls(this._module, name, items, options);
    }

    // Ends the processes: when all calls are over, or by force at once.
    async close(options = {}) {
        await this._queue.close(options);
    }
}
