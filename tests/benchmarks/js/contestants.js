// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Contestants in JavaScript, for run-benchmarks.py: one measurement in one process.
 *
 * gjs -m contestants.js list
 * gjs -m contestants.js CONTESTANT [KEY=VALUE...]
 *
 * Functions that do nothing, in the one thread that JavaScript has.
 */
import GLib from 'gi://GLib';
import System from 'system';

import {Osiiso, Queue} from '../../../introspection/js/osiiso.js';

let count = 0;

function nothing() {
    count++;
}

async function anothing() {
    await null;
    count++;
}

function newModuleQueue() {
    const queue = new Queue({keepResults: false});
    queue.start();
    return queue;
}

function newQueue() {
    const queue = Osiiso.Queue.new('main-loop');
    queue.start();
    return queue;
}

const contestants = {
    'js-push'(n) {
        const queue = newQueue();
        return measure(n, many => {
            for (let i = 0; i < many; i++)
                queue.push(nothing, null);
            queue.join(null);
        });
    },
    'js-submit'(n) {
        const queue = newQueue();
        return measure(n, many => {
            const handles = [];
            for (let i = 0; i < many; i++)
                handles.push(queue.submit(nothing, null));
            queue.join(null);
            handles.forEach(handle => handle.status);
        });
    },
    'js-idle'(n) {
        return measure(n, many => {
            const before = count;
            for (let i = 0; i < many; i++) {
                GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
                    nothing();
                    return GLib.SOURCE_REMOVE;
                });
            }
            while (count < before + many)
                GLib.MainContext.default().iteration(true);
        });
    },
    // The module, with all values read.
    async 'js-queue-all'(n) {
        const queue = newModuleQueue();
        return measureAsync(n, async many => {
            const values = [];
            for (let i = 0; i < many; i++)
                values.push(queue.submit(nothing).value());
            await Promise.all(values);
        });
    },
    async 'js-queue-async'(n) {
        const queue = newModuleQueue();
        return measureAsync(n, async many => {
            const values = [];
            for (let i = 0; i < many; i++)
                values.push(queue.submit(anothing).value());
            await Promise.all(values);
        });
    },
    async 'js-queue-options'(n) {
        const queue = newModuleQueue();
        return measureAsync(n, async many => {
            const values = [];
            for (let i = 0; i < many; i++)
                values.push(queue.submit(nothing, {retries: 3, timeout: 10, priority: i % 4}).value());
            await Promise.all(values);
        });
    },
    async 'js-queue-map'(n) {
        const queue = newModuleQueue();
        return measureAsync(n, many => queue.map(nothing, {length: many, *[Symbol.iterator]() {
            for (let i = 0; i < many; i++)
                yield i;
        }}).values());
    },
    async 'js-queue-each'(n) {
        const queue = newModuleQueue();
        return measureAsync(n, async many => {
            for (let i = 0; i < many; i++)
                await queue.submit(nothing).value();
        });
    },
    async 'js-promise-async'(n) {
        return measureAsync(n, async many => {
            const values = [];
            for (let i = 0; i < many; i++)
                values.push(anothing());
            await Promise.all(values);
        });
    },
    async 'js-promise'(n) {
        return measureAsync(n, async many => {
            const promises = [];
            for (let i = 0; i < many; i++)
                promises.push(Promise.resolve(i).then(nothing));
            await Promise.all(promises);
        });
    },
};

function begin() {
    System.gc();
    count = 0;
    return {wall: GLib.get_monotonic_time(), cpu: processTime()};
}

// Of the thread, in microseconds.
function processTime() {
    const [, bytes] = GLib.file_get_contents('/proc/self/schedstat');
    return Number(new TextDecoder().decode(bytes).split(' ')[0]) / 1000;
}

function end({wall, cpu}, n) {
    if (count !== n)
        throw new Error(`${count} tasks have run, expected ${n}`);
    return {wall: (GLib.get_monotonic_time() - wall) * 1000 / n, cpu: (processTime() - cpu) * 1000 / n};
}

// Once for few tasks, then for all.
function measure(n, run) {
    run(Math.min(n, 200));
    const begun = begin();
    run(n);
    return end(begun, n);
}

async function measureAsync(n, run) {
    await run(Math.min(n, 200));
    const begun = begin();
    await run(n);
    return end(begun, n);
}

const [name, ...rest] = ARGV;
if (name === 'list') {
    print(Object.keys(contestants).join('\n'));
} else {
    const params = Object.fromEntries(rest.map(argument => argument.split('=')));
    print(JSON.stringify(await contestants[name](Number(params.n ?? 1000))));
}
