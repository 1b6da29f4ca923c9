// SPDX-License-Identifier: LGPL-2.1-or-later
// Options, checked.
import {Group} from './group.js';
import {Gio, GLib, Osiiso} from './raw.js';

const MAX_UINT = 0xffffffff;
const MAX_WORKERS = 65536;
const MAX_INT = 0x7fffffff;

function withArticle(noun) {
    return `${/^[AEIOU]/i.test(noun) ? 'an' : 'a'} ${noun}`;
}

export function show(value) {
    if (typeof value === 'string')
        return `'${value}'`;
    if (typeof value === 'bigint')
        return `${value}n`;
    if (typeof value === 'function')
        return value.name ? `function ${value.name}` : 'a function';
    if (Array.isArray(value))
        return `an array of ${value.length}`;
    if (value !== null && typeof value === 'object')
        return value instanceof Error ? `${value}` : withArticle(value.constructor?.name || 'object');
    return String(value);
}

function wrongType(name, expected, value) {
    return new TypeError(`${name} must be ${expected}; got ${show(value)}`);
}

function wrongRange(name, expected, value) {
    return new RangeError(`${name} must be ${expected}; got ${show(value)}`);
}

function wholeNumber(min, max) {
    const expected = `a whole number from ${min} to ${max}`;
    return (name, value) => {
        if (typeof value !== 'number')
            throw wrongType(name, expected, value);
        if (!Number.isInteger(value) || value < min || value > max)
            throw wrongRange(name, expected, value);
        return value;
    };
}

function number(expected, test) {
    return (name, value) => {
        if (typeof value !== 'number')
            throw wrongType(name, expected, value);
        if (!test(value))
            throw wrongRange(name, expected, value);
        return value;
    };
}

// null and Infinity are no limit, which is 0 in the library.
function limit(expected) {
    const check = number(`${expected}, or null for none`, value => value >= 0);
    return (name, value) => {
        if (value === null || value === Infinity)
            return 0;
        return check(name, value);
    };
}

function bool(name, value) {
    if (typeof value !== 'boolean')
        throw wrongType(name, 'true or false', value);
    return value;
}

function text(name, value) {
    if (value === null)
        return null;
    if (typeof value !== 'string')
        throw wrongType(name, 'a string or null', value);
    if (value.includes('\0'))
        throw wrongRange(name, 'a string without NUL', value);
    return value;
}

function func(name, value) {
    if (typeof value !== 'function')
        throw wrongType(name, 'a function', value);
    return value;
}

function choice(choices) {
    const expected = `one of ${Object.keys(choices).map(show).join(', ')}`;
    return (name, value) => {
        if (typeof value !== 'string')
            throw wrongType(name, expected, value);
        const key = value.replaceAll('_', '-');
        if (!Object.hasOwn(choices, key))
            throw wrongRange(name, expected, value);
        return choices[key];
    };
}

function cancellable(name, value) {
    if (value === null || value instanceof Gio.Cancellable)
        return value;
    throw wrongType(name, 'a Gio.Cancellable or null', value);
}

// Like the AbortSignal of other platforms, which GJS does not have.
function abortSignal(name, value) {
    if (value === null || (typeof value?.aborted === 'boolean' && typeof value.addEventListener === 'function'))
        return value;
    throw wrongType(name, 'an AbortSignal or null', value);
}

function isErrorClass(value) {
    return typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null &&
        (value.prototype instanceof Error || value === Error || value.prototype instanceof GLib.Error || value === GLib.Error ||
         Object.hasOwn(value, '$gtype'));
}

// A predicate, or classes of errors.
function retryOn(name, value) {
    if (value === null)
        return null;
    const expected = 'a function (error, attempt), a class of errors or an array of classes';
    const classes = Array.isArray(value) ? value : [value];
    if (classes.every(isErrorClass))
        return error => classes.some(type => error instanceof type);
    if (typeof value !== 'function')
        throw wrongType(name, expected, value);
    return value;
}

// Seconds since 1970, or a date.
function time(name, value) {
    const expected = 'a Date, a GLib.DateTime or seconds since 1970';
    if (value instanceof Date)
        value = value.getTime() / 1000;
    else if (value instanceof GLib.DateTime)
        value = value.to_unix() + value.get_microsecond() / 1e6;
    if (typeof value !== 'number')
        throw wrongType(name, expected, value);
    if (!Number.isFinite(value))
        throw wrongRange(name, expected, value);
    // 0 would be none, and all of the past is now.
    return Math.max(value, 1);
}

function any(_name, value) {
    return value;
}

const seconds = number('seconds, not below 0', value => value >= 0 && value < Infinity);

const TASK_OPTIONS = {
    priority: wholeNumber(Osiiso.PRIORITY_MIN, Osiiso.PRIORITY_MAX),
    mustComplete: bool,
    timeout: limit('seconds, not below 0'),
    deadline: limit('seconds, not below 0'),
    retries: wholeNumber(0, MAX_INT),
    retryDelay: seconds,
    backoff: number('a number above 0', value => value > 0 && value < Infinity),
    maxDelay: limit('seconds, not below 0'),
    jitter: number('a number from 0 to 1', value => value >= 0 && value <= 1),
    retryOn,
    delay: seconds,
    runAt: time,
    name: text,
    group: (name, value) => {
        if (typeof value === 'object' && value !== null && !(value instanceof Group))
            throw wrongType(name, 'a string, a Group or null', value);
        return value instanceof Group ? value : text(name, value);
    },
    detached: bool,
    metadata: any,
    cancellable,
    signal: abortSignal,
    onProgress: func,
};

const QUEUE_OPTIONS = {
    backend: (name, value) => {
        if (typeof value !== 'string' && !(value instanceof Osiiso.Backend))
            throw wrongType(name, 'the name of a backend or an Osiiso.Backend', value);
        return value;
    },
    workers: (name, value) => value === null ? 0 : wholeNumber(0, MAX_WORKERS)(name, value),
    size: (name, value) => value === null ? 0 : wholeNumber(0, MAX_UINT)(name, value),
    rate: limit('attempts per second, not below 0'),
    burst: wholeNumber(1, MAX_UINT),
    timeout: limit('seconds, not below 0'),
    onTimeout: choice({complete: Osiiso.TimeoutPolicy.COMPLETE, cancel: Osiiso.TimeoutPolicy.CANCEL}),
    shutdownTimeout: limit('seconds, not below 0'),
    mode: choice({finite: Osiiso.Mode.FINITE, infinite: Osiiso.Mode.INFINITE}),
    failPolicy: choice({continue: Osiiso.FailPolicy.CONTINUE, 'fail-first': Osiiso.FailPolicy.FAIL_FIRST}),
    keepResults: bool,
    initializer: func,
    onStart: func,
    onComplete: func,
    onRetry: func,
};

const RUN_OPTIONS = {
    timeout: QUEUE_OPTIONS.timeout,
    failPolicy: QUEUE_OPTIONS.failPolicy,
    cancellable,
    strict: bool,
};

const JOIN_OPTIONS = {cancellable};
const SHUTDOWN_OPTIONS = {force: bool, cancellable};

function parse(what, known, given) {
    if (given === null || typeof given !== 'object' || Array.isArray(given))
        throw new TypeError(`${what} must be an object; got ${show(given)}`);
    // These have none of the names below, whatever is in them.
    if (given instanceof Map || given instanceof Promise || (given.constructor !== Object && Object.hasOwn(given.constructor ?? {}, '$gtype')))
        throw new TypeError(`${what} must be an object like {${Object.keys(known)[0]}: …}; got ${show(given)}`);
    const result = {};
    for (const name of Object.keys(given)) {
        if (!Object.hasOwn(known, name))
            throw new TypeError(`unknown option '${name}' in ${what}; expected one of ${Object.keys(known).join(', ')}`);
        if (given[name] !== undefined)
            result[name] = known[name](name, given[name]);
    }
    return result;
}

export function parseQueueOptions(given) {
    return parse('the options of a queue', QUEUE_OPTIONS, given);
}

export function parseRunOptions(given) {
    return parse('the options of a run', RUN_OPTIONS, given);
}

export function parseJoinOptions(given) {
    return parse('the options of a join', JOIN_OPTIONS, given);
}

export function parseShutdownOptions(given) {
    return parse('the options of a shutdown', SHUTDOWN_OPTIONS, given);
}

export function checkQueueOption(name, value) {
    return QUEUE_OPTIONS[name](name, value);
}

export function checkPriority(value) {
    return TASK_OPTIONS.priority('priority', value);
}

export function groupIdOf(group) {
    return typeof group === 'object' && group !== null ? group.groupId : group ?? null;
}

// Options of tasks, complete.
export class TaskOptions {
    constructor(given = {}, base = null) {
        Object.assign(this, base, parse('the options of a task', TASK_OPTIONS, given));
        if (base !== null && given.delay !== undefined)
            this.runAt = undefined;
        else if (base !== null && given.runAt !== undefined)
            this.delay = undefined;
        if (this.delay !== undefined && this.runAt !== undefined)
            throw new TypeError('delay and runAt cannot both be given');
        Object.freeze(this);
    }

    // The options of the library that stand for these, or null for its defaults. The
    // name is not one of them, as it differs from task to task.
    toCore() {
        let core = null;
        for (const [name, property] of CORE_PROPERTIES) {
            const value = name === 'group' ? groupIdOf(this.group) : this[name];
            if (value !== undefined && value !== null) {
                core ??= new Osiiso.TaskOptions();
                core[property] = value;
            }
        }
        if (this.retryOn && this.retries > 0) {
            core ??= new Osiiso.TaskOptions();
            core.never_retry_on(ERROR_DOMAIN, FINAL_FAILURE);
        }
        return core;
    }
}

// How errors of JavaScript are called in the library, which knows only their text.
export const ERROR_DOMAIN = GLib.quark_from_string('osiiso-js');
export const FAILURE = 0;
export const FINAL_FAILURE = 1;

const CORE_PROPERTIES = Object.entries({
    priority: 'priority',
    mustComplete: 'must_complete',
    timeout: 'timeout',
    deadline: 'deadline',
    retries: 'retries',
    retryDelay: 'retry_delay',
    backoff: 'backoff',
    maxDelay: 'max_retry_delay',
    jitter: 'jitter',
    delay: 'delay',
    runAt: 'run_at',
    group: 'group_id',
    detached: 'detached',
    cancellable: 'cancellable',
});

export const DEFAULT_OPTIONS = new TaskOptions();
