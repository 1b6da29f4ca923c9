// SPDX-License-Identifier: LGPL-2.1-or-later
// A queue of functions in JavaScript.
import {BoundTask} from './bound.js';
import {QueueError, QueueFullError, wrapError} from './errors.js';
import {Group} from './group.js';
import {Handle} from './handle.js';
import {beginWait, beginWaitForRoom, endWait} from './inside.js';
import {
    DEFAULT_OPTIONS, TaskOptions, checkQueueOption, parseJoinOptions, parseQueueOptions, parseRunOptions, parseShutdownOptions, show,
} from './options.js';
import {Osiiso} from './raw.js';
import {RunSummary} from './summary.js';
import {NO_ITEM, Tokens} from './tokens.js';
import {makeWorkers} from './workers.js';

const GENERATORS = ['GeneratorFunction', 'AsyncGeneratorFunction'];
const SIGNALS = ['on-start', 'on-complete', 'on-retry'];

function parseTaskOptions(given, base = null) {
    if (given === undefined)
        return base ?? DEFAULT_OPTIONS;
    if (given instanceof TaskOptions && base === null)
        return given;
    return new TaskOptions(given, base);
}

function makeCore(backend) {
    // Its workers are programs in JavaScript, unless somebody says otherwise.
    if (backend === 'subprocess')
        return Osiiso.Queue.new_with_backend(makeWorkers());
    return typeof backend === 'string' ? Osiiso.Queue.new(backend) : Osiiso.Queue.new_with_backend(backend);
}

export class Queue {
    constructor(options = {}) {
        const parsed = parseQueueOptions(options);
        const {backend = 'main-loop'} = parsed;

        this._results = [];        // handles of tasks that are over, in that order
        this._nCleared = 0;        // results that were dropped
        this._counts = {succeeded: 0, failed: 0, cancelled: 0};
        this._listeners = {'on-start': [], 'on-complete': [], 'on-retry': []};
        this._nextListener = 1;
        this._nextGroup = 1;
        this._waitingForRoom = [];
        this._nLent = 0;           // workers of tasks that wait for others
        this._nAutomatic = 0;      // workers meanwhile, if their number is left to the backend
        this._active = false;      // started, and not at rest again

        try {
            this._core = makeCore(backend);
            // What is kept is kept here.
            this._core.keep_results = false;
            this._keepResults = parsed.keepResults ?? true;
            for (const [name, property] of Object.entries(CORE_PROPERTIES)) {
                if (parsed[name] !== undefined)
                    this._core[property] = parsed[name];
            }
            if (parsed.initializer !== undefined) {
                this._core.set_initializer(() => {
                    const result = parsed.initializer();
                    if (typeof result?.then === 'function') {
                        Promise.resolve(result).catch(() => {});
                        throw new TypeError('the initializer must not be async: tasks would begin before it is over');
                    }
                    return true;
                });
            }
        } catch (error) {
            throw wrapError(error);
        }
        this._tokens = new Tokens(this._core, this);
        for (const [name, signal] of [['onStart', 'on-start'], ['onComplete', 'on-complete'], ['onRetry', 'on-retry']]) {
            if (parsed[name] !== undefined) {
                const listener = parsed[name];
                this.connect(signal, (_queue, ...args) => listener(...args));
            }
        }
        // What is not a property must not look like one; a class made of this one may have some.
        if (new.target === Queue)
            Object.preventExtensions(this);
    }

    // The Osiiso.Queue.
    get object() {
        return this._core;
    }

    get backend() {
        return this._core.backend;
    }

    get keepResults() {
        return this._keepResults;
    }

    set keepResults(keep) {
        this._keepResults = checkQueueOption('keepResults', keep);
    }

    get paused() {
        return this._core.paused;
    }

    get closed() {
        return this._core.closed;
    }

    get activeCount() {
        return this._core.active_count;
    }

    get pendingCount() {
        return this._core.pending_count;
    }

    get scheduledCount() {
        return this._core.scheduled_count;
    }

    get completedCount() {
        return this._core.completed_count;
    }

    // ---- Submitting

    submit(fn, options = undefined) {
        const parsed = parseTaskOptions(options);
        if (typeof parsed.group === 'object' && parsed.group !== null)
            return this._submitInto(this._checkGroup(parsed.group), fn, parsed);
        return this._admit(new Handle(this, this._check(fn), parsed, null, 0, NO_ITEM));
    }

    // The same, but waits for room in a queue that has a size; in the order of arrival.
    async submitAsync(fn, options = undefined) {
        const parsed = parseTaskOptions(options);
        let place = 'push';
        if (this._waitingForRoom.length > 0) {
            await this._roomFor(place);
            place = 'unshift';
        }
        for (;;) {
            try {
                return this.submit(fn, parsed);
            } catch (error) {
                if (!(error instanceof QueueFullError)) {
                    // The next one will not get further, and nobody else would tell it.
                    this._waitingForRoom.shift()?.();
                    throw error;
                }
            }
            await this._roomFor(place);
            place = 'unshift';
        }
    }

    async _roomFor(place) {
        const wait = beginWaitForRoom(this, this._tokens.length);
        try {
            this._wanted();
            await new Promise(resolve => this._waitingForRoom[place](resolve));
        } finally {
            endWait(wait);
        }
    }

    // A group of calls fn (item, context), one for each item.
    map(fn, items, options = undefined) {
        const parsed = parseTaskOptions(options);
        return this._mapInto(this._groupFor(parsed), fn, items, parsed);
    }

    // group (), group (name): an empty one; group (functions, options),
    // group (function, …, options), also with the name first: a group of these.
    group(...args) {
        let name = null;
        if (typeof args[0] === 'string' || args[0] === null)
            name = args.shift();
        let functions = args;
        let options;
        if (args.length > 0 && typeof args.at(-1) !== 'function' && !Array.isArray(args.at(-1)))
            options = functions.pop();
        if (Array.isArray(functions[0]) && functions.length === 1)
            [functions] = functions;
        for (const fn of functions)
            this._check(fn);
        let parsed = parseTaskOptions(options);
        if (name !== null)
            parsed = new TaskOptions({group: name}, parsed);
        const group = this._groupFor(parsed);
        if (functions.length > 0)
            this._submitAll(group, functions.map((fn, i) => new Handle(this, fn, parsed, group, i, NO_ITEM)), parsed);
        return group;
    }

    // A function each call of which is submitted.
    task(fn, options = undefined) {
        return new BoundTask(this, this._check(fn), parseTaskOptions(options));
    }

    // A call of an export of an ES module in another process, with a backend 'subprocess'.
    call(uri, name, args = [], options = undefined) {
        const parsed = parseTaskOptions(options);
        const calls = this._checkCalls();
        const group = typeof parsed.group === 'object' && parsed.group !== null ? this._checkGroup(parsed.group) : null;
        const handle = calls.makeHandle(name, args, parsed, group, group?._handles.length ?? 0);
        calls.submit(uri, handle);
        this._addCall(handle);
        return handle;
    }

    // A group of calls, one for each item.
    mapCalls(uri, name, items, options = undefined) {
        if (typeof items?.[Symbol.iterator] !== 'function')
            throw new TypeError(`the items of a map must be iterable; got ${show(items)}`);
        let parsed = parseTaskOptions(options);
        const calls = this._checkCalls();
        const group = this._groupFor(parsed);
        if (parsed.group !== group)
            parsed = new TaskOptions({group}, parsed);
        const first = group._handles.length;
        const handles = Array.from(items, (item, i) => calls.makeHandle(name, [item], parsed, group, first + i));
        calls.submitAll(uri, name, handles, parsed);
        handles.forEach(handle => this._addCall(handle));
        return group;
    }

    _checkCalls() {
        if (this._tokens.calls === null) {
            throw new QueueError("this queue runs functions of this process; calls are for the backend 'subprocess'",
                Osiiso.QueueError.NOT_SUPPORTED);
        }
        return this._tokens.calls;
    }

    _addCall(handle) {
        handle._group?._handles.push(handle);
        if (handle._options.signal)
            this._watch(handle, handle._options.signal);
    }

    _check(fn) {
        if (typeof fn !== 'function')
            throw new TypeError(`a task must be a function; got ${show(fn)}`);
        if (fn[Symbol.toStringTag] !== undefined && GENERATORS.includes(fn[Symbol.toStringTag]))
            throw new TypeError(`a task must be a function that does the work when it is called; got generator ${show(fn)}`);
        return fn;
    }

    _checkGroup(group) {
        if (group._queue !== this)
            throw new TypeError(`the group '${group.groupId}' belongs to another queue; expected one of this queue, or a name`);
        return group;
    }

    _groupFor(options) {
        if (typeof options.group === 'object' && options.group !== null)
            return this._checkGroup(options.group);
        return new Group(this, options.group ?? `group-${this._nextGroup++}`);
    }

    _submitInto(group, fn, options) {
        let parsed = parseTaskOptions(options);
        if (parsed.group !== group)
            parsed = new TaskOptions({group}, parsed);
        const handle = this._admit(new Handle(this, this._check(fn), parsed, group, group._handles.length, NO_ITEM));
        group._handles.push(handle);
        return handle;
    }

    _mapInto(group, fn, items, options) {
        this._check(fn);
        if (typeof items?.[Symbol.iterator] !== 'function')
            throw new TypeError(`the items of a map must be iterable; got ${show(items)}`);
        let parsed = parseTaskOptions(options);
        if (parsed.group !== group)
            parsed = new TaskOptions({group}, parsed);
        const handles = [];
        let index = group._handles.length;
        for (const item of items)
            handles.push(new Handle(this, fn, parsed, group, index++, item));
        this._submitAll(group, handles, parsed);
        return group;
    }

    _admit(handle) {
        this._tokens.submit(handle);
        if (handle._options.signal)
            this._watch(handle, handle._options.signal);
        return handle;
    }

    _submitAll(group, handles, options) {
        this._tokens.submitAll(handles, options);
        for (const handle of handles) {
            group._handles.push(handle);
            if (options.signal)
                this._watch(handle, options.signal);
        }
    }

    _watch(handle, signal) {
        if (signal.aborted)
            handle.cancel();
        else
            signal.addEventListener('abort', () => handle.cancel(), {once: true});
    }

    // A task that waits for others of this queue holds no worker.
    _lendWorker(n) {
        const workers = this._getWorkers();
        if (this._nLent === 0)
            this._nAutomatic = workers === 0 ? this._core.backend.get_workers() : 0;
        this._nLent += n;
        this._setWorkers(workers);
    }

    _getWorkers() {
        const {workers} = this._core;
        return this._nLent === 0 ? workers : workers - this._nLent - this._nAutomatic;
    }

    _setWorkers(workers) {
        if (workers > 0)
            this._nAutomatic = 0;
        this._core.workers = this._nLent === 0 ? workers : Math.min(workers + this._nAutomatic + this._nLent, 65536);
    }

    // ---- Running

    // Somebody waits for tasks, so a queue at rest begins.
    _wanted() {
        if (this._active)
            return;
        try {
            this.start();
        } catch (error) {
            if (!this._core.closed)
                throw error;
        }
    }

    start() {
        try {
            this._core.start();
        } catch (error) {
            throw wrapError(error);
        }
        this._active = true;
    }

    // A summary of what ends until no work is left; see the options of a run.
    async run(options = {}) {
        const {timeout = this._core.timeout, failPolicy = this._core.fail_policy, cancellable = null, strict = false} =
            parseRunOptions(options);
        const first = this._nCleared + this._results.length;
        const before = {...this._counts};
        const wasActive = this._active;
        this._active = true;
        let told;
        try {
            told = await this._operate('run()', 'tell_run', timeout, failPolicy, cancellable);
        } catch (error) {
            this._active = wasActive;
            throw error;
        }
        // It rests now.
        this._active = false;
        const counts = {};
        for (const key of Object.keys(before))
            counts[key] = this._counts[key] - before[key];
        const summary = new RunSummary(this._results.slice(Math.max(0, first - this._nCleared)), counts,
            told.timed_out, told.duration);
        return strict ? summary.check() : summary;
    }

    // When no work is left.
    async join(options = {}) {
        const {cancellable = null} = parseJoinOptions(options);
        await this._operate('join()', 'tell_join', cancellable);
    }

    // Takes no more tasks, and is over when no work is left; by force that is cancelled.
    async shutdown(options = {}) {
        const {force = false, cancellable = null} = parseShutdownOptions(options);
        await this._operate(force ? null : 'shutdown()', 'tell_shutdown', force, cancellable);
    }

    // call: what it is called, unless it ends also those tasks that wait for it.
    async _operate(call, method, ...args) {
        const wait = call === null ? null : beginWait({queue: this}, call);
        try {
            return await this._tokens.operate(method, ...args);
        } finally {
            endWait(wait);
        }
    }

    async close(options = {}) {
        parseShutdownOptions(options);
        if (!this.closed)
            await this.shutdown(options);
    }

    pause() {
        this._core.pause();
    }

    resume() {
        this._core.resume();
    }

    // A forced shutdown that nobody waits for.
    cancel() {
        this._core.cancel();
    }

    // As it was when it was new; while it rests.
    reset() {
        try {
            this._core.reset();
        } catch (error) {
            throw wrapError(error);
        }
        this._active = false;
        this._results = [];
        this._nCleared = 0;
        this._counts = {succeeded: 0, failed: 0, cancelled: 0};
    }

    clearResults() {
        this._nCleared += this._results.length;
        this._results = [];
    }

    // Of all that has ended since the queue was made, or reset.
    summary() {
        return new RunSummary([...this._results], this._counts, false, 0);
    }

    // ---- Signals

    connect(signal, callback) {
        if (!SIGNALS.includes(signal))
            throw new TypeError(`a queue has no signal ${show(signal)}; expected one of ${SIGNALS.join(', ')}`);
        if (typeof callback !== 'function')
            throw new TypeError(`the handler of ${signal} must be a function; got ${show(callback)}`);
        if (signal !== 'on-complete')
            this._tokens.calls?.listen();
        const id = this._nextListener++;
        this._listeners[signal] = [...this._listeners[signal], {id, callback}];
        return id;
    }

    disconnect(id) {
        for (const signal of SIGNALS)
            this._listeners[signal] = this._listeners[signal].filter(listener => listener.id !== id);
    }

    _hears(signal) {
        return this._listeners[signal].length > 0;
    }

    _emit(signal, ...args) {
        for (const {callback} of this._listeners[signal]) {
            try {
                callback(this, ...args);
            } catch (error) {
                logError(error, `a handler of ${signal}`);
            }
        }
    }

    // A task is over, and its handle settled.
    _ended(handle, final) {
        if (!handle.detached) {
            this._counts[final]++;
            if (this._keepResults)
                this._results.push(handle);
        }
        handle._group?._ended(handle);
        if (this._hears('on-complete'))
            this._emit('on-complete', handle);
        if (this._waitingForRoom.length > 0)
            this._waitingForRoom.shift()();
    }
}

const CORE_PROPERTIES = {
    workers: 'workers',
    size: 'size',
    burst: 'burst',
    rate: 'rate',
    timeout: 'timeout',
    onTimeout: 'on_timeout',
    shutdownTimeout: 'shutdown_timeout',
    mode: 'mode',
    failPolicy: 'fail_policy',
};

const WORDS = {
    onTimeout: {[Osiiso.TimeoutPolicy.COMPLETE]: 'complete', [Osiiso.TimeoutPolicy.CANCEL]: 'cancel'},
    mode: {[Osiiso.Mode.FINITE]: 'finite', [Osiiso.Mode.INFINITE]: 'infinite'},
    failPolicy: {[Osiiso.FailPolicy.CONTINUE]: 'continue', [Osiiso.FailPolicy.FAIL_FIRST]: 'fail-first'},
};

for (const [name, property] of Object.entries(CORE_PROPERTIES)) {
    Object.defineProperty(Queue.prototype, name, {
        get() {
            const value = name === 'workers' ? this._getWorkers() : this._core[property];
            return WORDS[name]?.[value] ?? value;
        },
        set(value) {
            const checked = checkQueueOption(name, value);
            if (name === 'workers' && this._nLent > 0)
                this._setWorkers(checked);
            else
                this._core[property] = checked;
            if (name === 'size')
                this._waitingForRoom.splice(0).forEach(resolve => resolve());
        },
        configurable: true,
    });
}

if (Symbol.asyncDispose) {
    Queue.prototype[Symbol.asyncDispose] = function () {
        return this.close();
    };
}
