// SPDX-License-Identifier: LGPL-2.1-or-later
// A queue of functions in JavaScript.
//
// The library knows a task by a number, its token. Functions, values and errors stay
// here, in a Map. Of a success it is this side that tells the library; of all other
// ends the library tells this side, many at a time.
import System from 'system';

import {BoundTask} from './bound.js';
import {TaskContext} from './context.js';
import {CancelledError, QueueFullError, TimeoutError, wrapError} from './errors.js';
import {Group} from './group.js';
import {Handle, messageOf} from './handle.js';
import {
    DEFAULT_OPTIONS, ERROR_DOMAIN, FAILURE, FINAL_FAILURE, TaskOptions,
    checkQueueOption, groupIdOf, parseQueueOptions, parseRunOptions, show,
} from './options.js';
import {GLib, Gio, Osiiso} from './raw.js';
import {RunSummary} from './summary.js';

const {Status} = Osiiso;
const SIGNALS = ['on-start', 'on-complete', 'on-retry'];

// GJS gets slow, and refuses calls for a while, when many wrappers of objects are
// around that nobody needs any more.
const WRAPPERS_PER_COLLECTION = 10000;
let nWrappers = 0;

function countWrapper() {
    if (++nWrappers >= WRAPPERS_PER_COLLECTION) {
        nWrappers = 0;
        System.gc();
    }
}

// Options of the library that stand for those of tasks. The name is changed from one
// submit to the next, which take a copy.
const cores = new Map();
const MAX_CORES = 256;

function newCore(options) {
    countWrapper();
    return {object: options.toCore(), name: null};
}

function coreFor(options) {
    // Anything that is not the same for all tasks with the same numbers.
    if (options.cancellable)
        return newCore(options);
    const key = `${options.priority} ${options.mustComplete} ${options.timeout} ${options.deadline} ${options.retries} ${
        options.retryDelay} ${options.backoff} ${options.maxDelay} ${options.jitter} ${options.delay} ${options.runAt} ${
        options.detached} ${options.retryOn != null} ${groupIdOf(options.group)}`;
    let core = cores.get(key);
    if (core === undefined) {
        if (cores.size >= MAX_CORES)
            cores.clear();
        core = newCore(options);
        cores.set(key, core);
    }
    return core;
}

function objectFor(options) {
    if (options === DEFAULT_OPTIONS)
        return null;
    const core = coreFor(options);
    const name = options.name ?? null;
    if (core.name !== name) {
        core.object ??= new Osiiso.TaskOptions();
        core.object.name = core.name = name;
    }
    return core.object;
}

function parseTaskOptions(given, base = null) {
    if (given === undefined)
        return base ?? DEFAULT_OPTIONS;
    if (given instanceof TaskOptions && base === null)
        return given;
    return new TaskOptions(given, base);
}

// NUL ends a text of the library, and half a pair of surrogates is none.
function cleanText(text) {
    return text.replace(/\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD');
}

export class Queue {
    constructor(options = {}) {
        const parsed = parseQueueOptions(options);
        const {backend = 'main-loop'} = parsed;

        this._tasks = new Map();   // handles of tasks that are not over, by token
        this._operations = new Map(); // promises of what the library tells, by token
        this._nextToken = 1;
        this._results = [];        // handles of those that are, in that order
        this._nCleared = 0;        // results that were dropped
        this._counts = {succeeded: 0, failed: 0, cancelled: 0};
        this._listeners = {'on-start': [], 'on-complete': [], 'on-retry': []};
        this._nextListener = 1;
        this._nextGroup = 1;
        this._waitingForRoom = [];
        this._active = false;      // started, and not at rest again
        this._refusal = null;      // why it runs no functions

        try {
            this._core = typeof backend === 'string' ? Osiiso.Queue.new(backend) : Osiiso.Queue.new_with_backend(backend);
            // What is kept is kept here.
            this._core.keep_results = false;
            this._keepResults = parsed.keepResults ?? true;
            for (const [name, property] of Object.entries(CORE_PROPERTIES)) {
                if (parsed[name] !== undefined)
                    this._core[property] = parsed[name];
            }
            if (parsed.initializer !== undefined) {
                this._core.set_initializer(() => {
                    parsed.initializer();
                    return true;
                });
            }
        } catch (error) {
            throw wrapError(error);
        }
        this._connectCore();
        for (const [name, signal] of [['onStart', 'on-start'], ['onComplete', 'on-complete'], ['onRetry', 'on-retry']]) {
            if (parsed[name] !== undefined) {
                const listener = parsed[name];
                this.connect(signal, (_queue, ...args) => listener(...args));
            }
        }
    }

    _connectCore() {
        this._core.set_completions_func(Osiiso.CompletionFlags.SKIP_SUCCEEDED | Osiiso.CompletionFlags.ACKNOWLEDGED,
            (tokens, statuses) => {
                // A call that GJS refuses is repeated.
                this._core.acknowledge_told();
                this._told(tokens, statuses);
            });
        try {
            this._core.set_runner((token, taskId, attempt) => {
                try {
                    this._run(token, taskId, attempt);
                } catch (error) {
                    logError(error, 'Osiiso');
                }
                return taskId;
            });
        } catch (error) {
            this._refusal = wrapError(error);
        }
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
            return this._submitInto(parsed.group, fn, parsed);
        return this._admit(new Handle(this, this._check(fn), parsed, null, 0, NO_ITEM));
    }

    // The same, but waits for room in a queue that has a size.
    async submitAsync(fn, options = undefined) {
        const parsed = parseTaskOptions(options);
        for (let begin = true; ; begin = false) {
            if (begin ? this._waitingForRoom.length === 0 : true) {
                try {
                    return this.submit(fn, parsed);
                } catch (error) {
                    if (!(error instanceof QueueFullError))
                        throw error;
                    this._wanted();
                }
            }
            await new Promise(resolve => {
                if (begin)
                    this._waitingForRoom.push(resolve);
                else
                    this._waitingForRoom.unshift(resolve);
            });
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

    _check(fn) {
        if (typeof fn !== 'function')
            throw new TypeError(`a task must be a function; got ${show(fn)}`);
        return fn;
    }

    _groupFor(options) {
        if (typeof options.group === 'object' && options.group !== null)
            return options.group;
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
        if (this._refusal !== null)
            throw this._refusal;
        const token = this._nextToken++;
        handle._token = token;
        this._tasks.set(token, handle);
        try {
            handle._id = this._core.submit_token(token, objectFor(handle._options));
        } catch (error) {
            this._tasks.delete(token);
            throw wrapError(error);
        }
        if (handle._options.signal)
            this._watch(handle, handle._options.signal);
        return handle;
    }

    // All or none.
    _submitAll(group, handles, options) {
        if (this._refusal !== null)
            throw this._refusal;
        const first = this._nextToken;
        this._nextToken += handles.length;
        handles.forEach((handle, i) => {
            handle._token = first + i;
            this._tasks.set(first + i, handle);
        });
        try {
            const ids = this._core.submit_tokens(first, handles.length, objectFor(options));
            handles.forEach((handle, i) => {
                handle._id = ids[i];
            });
        } catch (error) {
            for (const handle of handles)
                this._tasks.delete(handle._token);
            throw wrapError(error);
        }
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
        const running = this._operate('tell_run', timeout, failPolicy, cancellable);
        this._active = true;
        let core;
        try {
            core = await running;
        } finally {
            this._active = false;
        }
        const counts = {};
        for (const key of Object.keys(before))
            counts[key] = this._counts[key] - before[key];
        const summary = new RunSummary(this._results.slice(Math.max(0, first - this._nCleared)), counts,
            core.timed_out, core.duration);
        return strict ? summary.check() : summary;
    }

    // When no work is left.
    async join({cancellable = null} = {}) {
        await this._operate('tell_join', cancellable);
    }

    // Takes no more tasks, and is over when no work is left; by force that is cancelled.
    async shutdown({force = false, cancellable = null} = {}) {
        await this._operate('tell_shutdown', force, cancellable);
    }

    async close() {
        if (!this.closed)
            await this.shutdown();
    }

    // Calls a method of the library that tells by a token when it is over: callbacks
    // that GJS refuses would be lost.
    _operate(method, ...args) {
        return new Promise((resolve, reject) => {
            const token = this._nextToken++;
            this._operations.set(token, {resolve, reject});
            try {
                this._core[method](token, ...args);
            } catch (error) {
                this._operations.delete(token);
                reject(wrapError(error));
            }
        });
    }

    _operationEnded(token, {resolve, reject}) {
        this._operations.delete(token);
        try {
            resolve(this._core.finish_told(token));
        } catch (error) {
            reject(wrapError(error));
        }
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
        const id = this._nextListener++;
        this._listeners[signal] = [...this._listeners[signal], {id, callback}];
        return id;
    }

    disconnect(id) {
        for (const signal of SIGNALS)
            this._listeners[signal] = this._listeners[signal].filter(listener => listener.id !== id);
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

    // ---- Tasks that run

    // The library has a token to run; more are asked for, as long as their functions
    // are over when they return.
    _run(token, taskId, attempt) {
        let more = true;
        while (more) {
            const handle = this._tasks.get(token);
            if (handle === undefined) {
                // It has ended, and this side was told, which comes to the same.
                this._core.token_failed(taskId, attempt, ERROR_DOMAIN, FINAL_FAILURE, 'unknown task', -1);
                return;
            }
            const [over, value] = this._begin(handle, taskId, attempt);
            if (over === PENDING)
                return;
            let accepted;
            [more, accepted, token, taskId, attempt] = this._core.exchange_token();
            if (over === FAILED)
                this._tellRetry(handle);
            else if (accepted)
                this._settle(handle, 'succeeded', value);
        }
    }

    _begin(handle, taskId, attempt) {
        handle._id = taskId;
        handle._attempts = attempt;
        if (handle._started === 0)
            handle._started = Date.now();
        if (attempt > 1 && handle._toldRetry < attempt - 1)
            this._emitRetry(handle, attempt - 1);
        if (this._listeners['on-start'].length > 0)
            this._emit('on-start', handle);

        const context = new TaskContext(handle, attempt);
        const item = handle._item;
        try {
            const value = item === NO_ITEM ? handle._fn(context) : handle._fn(item, context);
            if (typeof value?.then !== 'function')
                return [RETURNED, value];
            (value instanceof Promise ? value : Promise.resolve(value)).then(
                result => this._resolved(handle, taskId, attempt, result),
                error => {
                    this._failed(handle, context, taskId, error);
                    this._tellRetry(handle);
                });
            return IS_PENDING;
        } catch (error) {
            this._failed(handle, context, taskId, error);
            return HAS_FAILED;
        }
    }

    _resolved(handle, taskId, attempt, value) {
        if (this._core.token_done(taskId, attempt))
            this._settle(handle, 'succeeded', value);
    }

    _failed(handle, context, taskId, error) {
        const {attempt} = context;
        if (handle._final !== null || handle._attempts !== attempt)
            return;
        const isCore = error instanceof GLib.Error;
        let [domain, code] = isCore ? [error.domain, error.code] : [ERROR_DOMAIN, FAILURE];
        if (handle._options.retryOn && !this._isToBeRetried(handle, attempt, error))
            [domain, code] = [ERROR_DOMAIN, FINAL_FAILURE];
        let text = messageOf(error);
        if (error instanceof Error)
            text = text ? `${error.name}: ${text}` : `${error.name}`;

        const before = [handle._failure, handle._failedAttempt];
        [handle._failure, handle._failedAttempt] = [error, attempt];
        if (!this._core.token_failed(taskId, attempt, domain, code, cleanText(text), context._retryAfter))
            [handle._failure, handle._failedAttempt] = before;
    }

    // Those who want to hear of it are told when it is sure, and at the latest when the
    // next attempt begins.
    _tellRetry(handle) {
        if (this._listeners['on-retry'].length > 0 && handle._final === null &&
            handle._toldRetry < handle._attempts && this._coreStatus(handle._id) === Status.RETRYING)
            this._emitRetry(handle, handle._attempts);
    }

    _emitRetry(handle, attempt) {
        handle._toldRetry = attempt;
        // When it did not fail by itself, it took too long.
        this._emit('on-retry', handle, handle._failedAttempt === attempt ? handle._failure : timeoutError(handle));
    }

    _isToBeRetried(handle, attempt, error) {
        try {
            return attempt <= (handle._options.retries ?? 0) && Boolean(handle._options.retryOn(error, attempt));
        } catch (problem) {
            logError(problem, `retryOn of ${handle.name}`);
            return false;
        }
    }

    // ---- Tasks that are over

    // The library tells of ends that are not successes.
    _told(tokens, statuses) {
        for (let i = 0; i < tokens.length; i++) {
            const handle = this._tasks.get(tokens[i]);
            if (handle === undefined) {
                const operation = this._operations.get(tokens[i]);
                if (operation !== undefined)
                    this._operationEnded(tokens[i], operation);
            } else if (statuses[i] === Status.CANCELLED)
                this._settle(handle, 'cancelled', new CancelledError(handle._attempts > 0 ? 'cancelled' : 'cancelled before execution'));
            else if (handle._attempts > 0 && handle._failedAttempt === handle._attempts)
                this._settle(handle, 'failed', handle._failure);
            else
                this._settle(handle, 'failed', this._coreError(handle));
        }
    }

    // Why a task has failed that did not say so.
    _coreError(handle) {
        const error = this._lookUp(handle._id)?.dup_error();
        if (!error)
            return new CancelledError('the task was lost');
        if (error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT))
            return new TimeoutError(error.message, {cause: error});
        return wrapError(error);
    }

    _settle(handle, final, outcome) {
        if (!this._tasks.delete(handle._token))
            return;
        handle._settle(final, outcome);
        if (!handle.detached) {
            this._counts[final]++;
            if (this._keepResults)
                this._results.push(handle);
        }
        handle._group?._ended(handle);
        if (this._listeners['on-complete'].length > 0)
            this._emit('on-complete', handle);
        if (this._waitingForRoom.length > 0)
            this._waitingForRoom.shift()();
    }

    // ---- For handles

    _lookUp(taskId) {
        countWrapper();
        return this._core.lookup(taskId);
    }

    _coreStatus(taskId) {
        return this._lookUp(taskId)?.status;
    }

    _cancel(handle) {
        handle._asked = true;
        return this._core.token_cancel(handle._id);
    }

    _setPriority(handle, priority) {
        return this._lookUp(handle._id)?.set_priority(priority) ?? false;
    }

    _cancellableOf(handle, attempt) {
        countWrapper();
        return this._core.token_dup_cancellable(handle._id, attempt);
    }

    _progressed(handle, attempt, fraction, text) {
        if (!this._core.token_progress(handle._id, attempt, fraction, text === null ? null : cleanText(text)))
            return;
        handle._progress = fraction;
        handle._statusText = text;
    }
}

function timeoutError(handle) {
    return new TimeoutError(`task '${handle.name}' exceeded ${handle._options.timeout ?? 0}s timeout`);
}

const NO_ITEM = Symbol('no item');

const RETURNED = 0;
const PENDING = 1;
const FAILED = 2;
const IS_PENDING = [PENDING, undefined];
const HAS_FAILED = [FAILED, undefined];

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
            const value = this._core[property];
            return WORDS[name]?.[value] ?? value;
        },
        set(value) {
            this._core[property] = checkQueueOption(name, value);
        },
        configurable: true,
    });
}

if (Symbol.asyncDispose) {
    Queue.prototype[Symbol.asyncDispose] = function () {
        return this.close();
    };
}
