// SPDX-License-Identifier: LGPL-2.1-or-later
// The worker programs of a queue with the backend 'subprocess'.
import {wrapError} from './errors.js';
import {show} from './options.js';
import {GLib, Osiiso, folder} from './raw.js';

// The options that are properties of the backend, and what these may be.
const UINT = [0, 0xffffffff];
const RANGES = {
    window: [0, 4096], tasksPerWorker: UINT, maxFrameSize: [4096, 0xffffffff - 64], nice: [-20, 19],
    addressSpaceLimit: [0, Number.MAX_SAFE_INTEGER], cpuTimeLimit: UINT, graceTime: [0, 3600], startTimeout: [0.001, 3600],
};
const ARE_SECONDS = ['cpuTimeLimit', 'graceTime', 'startTimeout'];

export const WORKER_OPTIONS = Object.keys(RANGES);

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
    if (env === null || typeof env !== 'object')
        throw new TypeError(`env must be an object; got ${show(env)}`);
    let list = GLib.get_environ();
    for (const [name, value] of Object.entries(env)) {
        if (!name || name.includes('='))
            throw new RangeError(`a variable of env must have a name without '='; got ${show(name)}`);
        if (value !== null && typeof value !== 'string')
            throw new TypeError(`env.${name} must be a string or null; got ${show(value)}`);
        list = value === null ? GLib.environ_unsetenv(list, name) : GLib.environ_setenv(list, name, value, true);
    }
    return list;
}

function checkNumber(name, value) {
    const [min, max] = RANGES[name];
    const what = ARE_SECONDS.includes(name) ? 'seconds' : 'a whole number';
    if (typeof value !== 'number')
        throw new TypeError(`${name} must be ${what} from ${min} to ${max}; got ${show(value)}`);
    if (!(value >= min && value <= max) || (what !== 'seconds' && !Number.isInteger(value)))
        throw new RangeError(`${name} must be ${what} from ${min} to ${max}; got ${show(value)}`);
    return value;
}

// A backend whose workers run JavaScript, for new Queue({backend}).
export function makeWorkers(options = {}) {
    let backend;

    if (options === null || typeof options !== 'object' || Array.isArray(options))
        throw new TypeError(`the options of workers must be an object; got ${show(options)}`);
    if (folder === null)
        throw new Error('a module in a resource cannot start workers: worker.js has to be a file');
    try {
        backend = Osiiso.Backend.create('subprocess');
    } catch (error) {
        throw wrapError(error);
    }
    backend.worker_argv = [findInterpreter(), '-m', `${folder}/worker.js`];
    for (const name of Object.keys(options)) {
        if (name === 'env')
            backend.environment = makeEnvironment(options.env);
        else if (!Object.hasOwn(RANGES, name))
            throw new TypeError(`unknown option '${name}' of workers; expected one of env, ${Object.keys(RANGES).join(', ')}`);
        else
            backend[name] = checkNumber(name, options[name]);
    }
    return backend;
}
