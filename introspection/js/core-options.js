// SPDX-License-Identifier: LGPL-2.1-or-later
// Options of tasks as the library has them.
import System from 'system';

import {DEFAULT_OPTIONS} from './options.js';
import {Osiiso} from './raw.js';

// GJS gets slow, and refuses calls for a while, when many wrappers of objects are
// around that nobody needs any more.
const WRAPPERS_PER_COLLECTION = 10000;
let nWrappers = 0;

export function countWrapper() {
    if (++nWrappers >= WRAPPERS_PER_COLLECTION) {
        nWrappers = 0;
        System.gc();
    }
}

// Options of the library that stand for those of tasks. The name is changed from one
// submit to the next, which take a copy.
const cores = new Map();
const ownCores = new WeakMap();
const MAX_CORES = 256;

function newCore(options) {
    countWrapper();
    return {object: options.toCore(), name: null};
}

function coreFor(options) {
    // What is not the same for all tasks with the same numbers: those of a group have the
    // same options in one object.
    if (options.cancellable || options.group) {
        let core = ownCores.get(options);
        if (core === undefined) {
            core = newCore(options);
            ownCores.set(options, core);
        }
        return core;
    }
    const key = `${options.priority} ${options.mustComplete} ${options.timeout} ${options.deadline} ${options.retries} ${
        options.retryDelay} ${options.backoff} ${options.maxDelay} ${options.jitter} ${options.delay} ${options.runAt} ${
        options.detached} ${options.retryOn != null}`;
    let core = cores.get(key);
    if (core === undefined) {
        if (cores.size >= MAX_CORES)
            cores.clear();
        core = newCore(options);
        cores.set(key, core);
    }
    return core;
}

// The Osiiso.TaskOptions, or null for its defaults; until the next call.
export function objectFor(options) {
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
