// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Functions of ES modules in other processes:
//
//     const pool = new ProcessPool({module: resolve('./work.js', import.meta.url)});
//     const thumbnail = await pool.call('thumbnail', path, 128);
//     await pool.close();
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {Osiiso} from './raw.js';
import {TaskError} from './task-error.js';
import {decode, encodeArguments} from './values.js';

const {Encoding, Status} = Osiiso;
const STATUS_NAMES = {
    [Status.PENDING]: 'pending', [Status.RUNNING]: 'running', [Status.RETRYING]: 'retrying',
    [Status.SUCCEEDED]: 'succeeded', [Status.FAILED]: 'failed', [Status.CANCELLED]: 'cancelled',
};

// How each of the told results begins, in words of 32 bits: see
// osiiso_queue_dup_told_results().
const TOLD_WORDS = 14;
const TOLD_ID = 2, TOLD_LENGTH = 8, TOLD_STATUS = 10, TOLD_ATTEMPTS = 11, TOLD_ENCODING = 12;

// The options of a call that are properties of Osiiso.TaskOptions.
const TASK_OPTIONS = ['priority', 'mustComplete', 'timeout', 'deadline', 'retries', 'retryDelay', 'backoff',
    'maxRetryDelay', 'jitter', 'delay', 'runAt', 'name', 'groupId', 'detached', 'cancellable'];
const QUEUE_OPTIONS = ['workers', 'rate', 'burst'];
const WORKER_OPTIONS = ['window', 'tasksPerWorker', 'addressSpaceLimit', 'cpuTimeLimit', 'nice', 'graceTime',
    'startTimeout', 'maxFrameSize'];

// The URI of a module, relative to that of another one: resolve('./work.js', import.meta.url).
export function resolve(relative, base) {
    return GLib.Uri.resolve_relative(base, relative, GLib.UriFlags.NONE);
}

export function checkModule(module) {
    if (typeof module !== 'string' || !module)
        throw new TypeError(`module must be the URI or the absolute path of an ES module; got ${module}`);
    if (module.startsWith('.') || !(module.startsWith('/') || /^[a-z][a-z0-9+.-]+:/i.test(module))) {
        throw new TypeError(`module must be a URI or an absolute path; got '${module}', which resolve('${module}', ` +
            'import.meta.url) makes one of');
    }
    return module;
}

function checkOptions(options, known, what) {
    if (options === null || typeof options !== 'object')
        throw new TypeError(`the options of ${what} must be an object; got ${options}`);
    for (const key of Object.keys(options)) {
        if (!known.includes(key))
            throw new TypeError(`unknown option '${key}' of ${what}; there are ${known.join(', ')}`);
    }
}

const CALL_OPTIONS = [...TASK_OPTIONS, 'onProgress'];

// NULL when all are at their defaults.
function makeTaskOptions(options) {
    let made = null;

    checkOptions(options, CALL_OPTIONS, 'a call');
    for (const key of TASK_OPTIONS) {
        let value = options[key];
        if (value === undefined)
            continue;
        if (key === 'runAt' && value instanceof Date)
            value = value.getTime() / 1000;
        made ??= new Osiiso.TaskOptions();
        made[key] = value;
    }
    if (options.onProgress !== undefined && typeof options.onProgress !== 'function')
        throw new TypeError(`onProgress must be a function; got ${options.onProgress}`);
    return made;
}

// Reads what the queue tells of the ends of tasks.
class Told {
    constructor(bytes) {
        const data = bytes.toArray();
        const at = data.byteOffset % 4 === 0 ? data : new Uint8Array(data);
        this.words = new Uint32Array(at.buffer, at.byteOffset, at.byteLength >>> 2);
        this.data = at;
        this.decoder = new TextDecoder();
    }

    // All texts at once, which costs less than one by one.
    begin(n) {
        this.start = this.place = n * TOLD_WORDS * 4;
        const rest = this.data.subarray(this.start);
        const text = rest.length < 65536 ? this.decoder.decode(rest) : '';
        // In ASCII a letter has one byte.
        this.text = text.length === rest.length ? text : null;
    }

    // The text of the next one.
    next(length) {
        const place = this.place;
        this.place += length;
        if (this.text !== null)
            return this.text.slice(place - this.start, place - this.start + length);
        return this.decoder.decode(this.data.subarray(place, place + length));
    }

    number(index) {
        return this.words[index] + this.words[index + 1] * 0x100000000;
    }
}

// A call, from its submission on.
export class CallHandle {
    constructor(calls, name, onProgress) {
        this._calls = calls;
        this._name = name;
        this._onProgress = onProgress;
        this._status = null;
        this._attempts = 0;
        this._progress = [0, null];
        this._promise = new Promise((resolve, reject) => {
            this._resolve = resolve;
            this._reject = reject;
        });
        // Whoever wants to hear of a failure asks for the value.
        this._promise.catch(() => {});
    }

    get id() {
        return this._id;
    }

    get name() {
        return this._name;
    }

    // A promise of what the function returns, or throws.
    value() {
        return this._promise;
    }

    // The Osiiso.Handle, for a view; null once the call is over.
    get object() {
        return this._status === null ? this._calls.queue.lookup(this._id) : null;
    }

    get status() {
        return this._status ?? STATUS_NAMES[this.object?.get_status() ?? Status.PENDING];
    }

    get attempts() {
        return this._status === null ? this.object?.get_attempts() ?? 0 : this._attempts;
    }

    // From 0 to 1; what is told last is only kept for those that have onProgress.
    get progress() {
        return this.object?.get_progress() ?? this._progress[0];
    }

    get statusText() {
        return this.object?.dup_status_text() ?? this._progress[1];
    }

    // FALSE when the call is over.
    cancel() {
        return this.object?.cancel() ?? false;
    }

    _watch() {
        this._object = this.object;
        // At most each 16 milliseconds; GJS may leave some out.
        this._watching = this._object?.connect('notify::progress', () => this._tellProgress());
    }

    _tellProgress() {
        this._progress = [this._object.get_progress(), this._object.dup_status_text()];
        try {
            this._onProgress(...this._progress);
        } catch (error) {
            logError(error, `onProgress of ${this._name}`);
        }
    }

    _end(status, attempts) {
        this._status = STATUS_NAMES[status];
        this._attempts = attempts;
        if (this._object) {
            this._progress = [this._object.get_progress(), this._object.dup_status_text()];
            this._object.disconnect(this._watching);
            this._object = null;
        }
    }
}

// The calls of one queue, whose backend is 'subprocess'.
export class Calls {
    // listens: false when somebody else calls _ended ().
    constructor(queue, listens = true) {
        this.queue = queue;
        this._pending = new Map();
        this._functions = new Map();
        this._nTokens = 0;
        if (!listens)
            return;
        queue.set_completions_func(Osiiso.CompletionFlags.ACKNOWLEDGED, tokens => {
            // A call that GJS refuses is repeated.
            queue.acknowledge_told();
            this._ended(tokens.length);
        });
    }

    _functionOf(uri, name) {
        const key = `${uri}:${name}`;
        let call = this._functions.get(key);
        if (call === undefined) {
            if (typeof name !== 'string' || !name)
                throw new TypeError(`the name of an export must be a string; got ${name}`);
            // Its own arguments are never used.
            call = Osiiso.Call.new_json(key, '[]');
            this._functions.set(key, call);
        }
        return call;
    }

    submit(uri, name, args = [], options = undefined) {
        const taskOptions = options === undefined ? null : makeTaskOptions(options);
        return this.begin(uri, name, args, taskOptions, new CallHandle(this, options?.name ?? name, options?.onProgress));
    }

    // The same with what hears of the end in place of a CallHandle.
    begin(uri, name, args, taskOptions, handle) {
        if (!Array.isArray(args))
            throw new TypeError(`the arguments of ${name} must be an array; got ${args}`);
        const call = this._functionOf(uri, name);
        const text = encodeArguments(args);
        const token = ++this._nTokens;

        // The end is told later, in the main loop.
        handle._id = this.queue.submit_token_call(token, call, text, taskOptions);
        this._pending.set(token, handle);
        if (handle._onProgress)
            handle._watch();
        return handle;
    }

    _ended(n) {
        const told = new Told(this.queue.dup_told_results());
        const {words} = told;

        told.begin(n);
        for (let i = 0, at = 0; i < n; i++, at += TOLD_WORDS) {
            const length = told.number(at + TOLD_LENGTH);
            const text = length > 0 ? told.next(length) : '';
            const token = told.number(at);
            const handle = this._pending.get(token);
            if (handle === undefined)
                continue;
            this._pending.delete(token);
            try {
                this._settle(handle, words[at + TOLD_STATUS], words[at + TOLD_ENCODING], text, words[at + TOLD_ATTEMPTS]);
            } catch (error) {
                handle._reject(error);
            }
        }
    }

    _settle(handle, status, encoding, text, attempts) {
        if (status === Status.SUCCEEDED) {
            handle._end(status, attempts);
            handle._resolve(text ? decode(text) : undefined);
            return;
        }
        const object = this.queue.lookup(handle._id);
        handle._end(status, attempts);
        if (encoding === Encoding.JSON && text[0] === ' ')
            handle._reject(decode(text));
        else
            handle._reject(new TaskError(object.dup_error(), object.get_error_details()?.recursiveUnpack?.() ?? null));
    }
}

// This program, if it is GJS; else what the PATH has.
function findInterpreter() {
    try {
        const path = GLib.file_read_link('/proc/self/exe');
        if (/^gjs/.test(GLib.path_get_basename(path)))
            return path;
    } catch {
        // No such file where it is not Linux.
    }
    return 'gjs';
}

function makeEnvironment(env) {
    let list = GLib.get_environ();
    for (const [name, value] of Object.entries(env))
        list = value === null ? GLib.environ_unsetenv(list, name) : GLib.environ_setenv(list, name, `${value}`, true);
    return list;
}

// Makes a backend 'subprocess' with workers that run JavaScript.
export function makeBackend(options = {}) {
    const backend = Osiiso.Backend.create('subprocess');
    const here = GLib.filename_from_uri(import.meta.url)[0];

    backend.worker_argv = [findInterpreter(), '-m', GLib.build_filenamev([GLib.path_get_dirname(here), 'worker.js'])];
    for (const key of WORKER_OPTIONS) {
        if (options[key] !== undefined)
            backend[key] = options[key];
    }
    if (options.env !== undefined)
        backend.environment = makeEnvironment(options.env);
    return backend;
}

// Runs the exports of a module in processes that are there as long as the pool.
export class ProcessPool {
    constructor(options = {}) {
        checkOptions(options, ['module', 'env', ...QUEUE_OPTIONS, ...WORKER_OPTIONS], 'a ProcessPool');
        this._module = checkModule(options.module);
        this._queue = Osiiso.Queue.new_with_backend(makeBackend(options));
        this._queue.keep_results = false;
        for (const key of QUEUE_OPTIONS) {
            if (options[key] !== undefined)
                this._queue[key] = options[key];
        }
        this._calls = new Calls(this._queue);
        this._queue.start();
    }

    // The Osiiso.Queue.
    get queue() {
        return this._queue;
    }

    // A promise of what the export returns.
    call(name, ...args) {
        return this.submit(name, args).value();
    }

    // The same with options, and a handle to follow and to cancel it.
    submit(name, args = [], options = undefined) {
        return this._calls.submit(this._module, name, args, options);
    }

    // A promise of all values, in the order of the items, each of which is the argument of
    // one call. When one of the calls fails, the others are cancelled.
    async map(name, items, options = undefined) {
        const handles = Array.from(items, item => this.submit(name, [item], options));
        try {
            return await Promise.all(handles.map(handle => handle.value()));
        } catch (error) {
            handles.forEach(handle => handle.cancel());
            throw error;
        }
    }

    // Ends the processes: when all calls are over, or at once.
    close({force = false} = {}) {
        return new Promise((resolve_, reject) => {
            this._queue.shutdown_async(force, null, (queue, result) => {
                try {
                    queue.shutdown_finish(result);
                    resolve_();
                } catch (error) {
                    reject(error);
                }
            });
        });
    }
}
