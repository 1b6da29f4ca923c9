// SPDX-License-Identifier: LGPL-2.1-or-later
// No task and no end may be lost while GJS collects garbage, when it refuses calls:
//
//     gjs -m stress.js [TASKS]
//
// With OSIISO_TEST_LONG=1 there are five times as many.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

import {CancelledError, Queue, TimeoutError} from '../../introspection/js/osiiso.js';

const IS_LONG = !['', '0'].includes(GLib.getenv('OSIISO_TEST_LONG') ?? '');
const N = Number(ARGV[0] ?? (IS_LONG ? 300000 : 60000));
const BATCH = 20000;

// Wrappers of objects make collections slow: then they are done in slices, and between
// them nothing is called.
let garbage = [];
let nWrappers = 0;

function litter() {
    for (let i = 0; i < 4; i++) {
        const object = new Gio.SimpleAction({name: 'litter'});
        object.connect('activate', () => {});
        garbage.push(object);
    }
    nWrappers += 4;
    if (garbage.length > 20000)
        garbage = [];
}

let nQuick = 0;
const kinds = [
    () => {
        if (++nQuick % 4 === 0)
            litter();
        return 1;
    },
    async () => {
        await null;
        return 1;
    },
    ctx => {
        litter();
        ctx.progress(0.5);
        return 1;
    },
    ctx => {
        if (ctx.attempt === 1)
            throw new Error('again');
        return 1;
    },
    () => {
        throw new RangeError('for good');
    },
    ctx => {
        litter();
        garbage.push(ctx.cancellable);
        return new Promise(() => {});
    },
    () => new Promise(() => {}),
];
const OPTIONS = [undefined, undefined, undefined, {retries: 1}, undefined, undefined, {timeout: 0.0005}];
const EXPECTED = ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'failed', 'cancelled', 'failed'];
const NAMES = [undefined, undefined, undefined, undefined, RangeError, CancelledError, TimeoutError];

const queue = new Queue({workers: 64, keepResults: false});
const wrong = [];
let nCompleted = 0;
queue.connect('on-complete', (_queue, handle) => {
    if (!handle.detached)
        nCompleted++;
});

async function batch(n) {
    const handles = [];
    for (let i = 0; i < n; i++) {
        // Most of them are quick.
        const kind = i % 50 < 43 ? i % 2 : 2 + i % 5;
        const handle = queue.submit(kinds[kind], OPTIONS[kind]);
        handle.kind = kind;
        handles.push(handle);
    }
    const cancelled = handles.filter(handle => handle.kind === 5);
    let summary = null;
    const running = queue.run().then(result => {
        summary = result;
    });
    // They are cancelled while they run, or wait.
    while (cancelled.length > 0) {
        await queue.submit(() => 1, {priority: 0, detached: true}).value();
        for (const handle of cancelled.splice(0, 100))
            handle.cancel();
    }
    await running;
    if (summary.totalSubmitted !== n)
        wrong.push(`a summary of ${summary.totalSubmitted} of ${n}`);
    for (const handle of handles) {
        const {kind} = handle;
        if (handle.status !== EXPECTED[kind] || (NAMES[kind] && !(handle.error instanceof NAMES[kind])))
            wrong.push(`kind ${kind}: ${handle.status} ${handle.error}`);
    }
}

const begin = GLib.get_monotonic_time();
for (let left = N; left > 0; left -= BATCH) {
    await batch(Math.min(left, BATCH));
    if (left % (5 * BATCH) === 0)
        System.gc();
}
await queue.close();
const seconds = (GLib.get_monotonic_time() - begin) / 1e6;

print('TAP version 13');
print('1..2');
print(`${wrong.length === 0 ? 'ok' : 'not ok'} 1 - the end of each task`);
for (const text of wrong.slice(0, 20))
    print(`# ${text}`);
print(`${nCompleted === N ? 'ok' : 'not ok'} 2 - on-complete`);
print(`# ${nCompleted} of ${N} tasks, ${nWrappers} wrappers, ${seconds.toFixed(1)} s, ${(seconds / N * 1e6).toFixed(1)} µs each`);
System.exit(0);
