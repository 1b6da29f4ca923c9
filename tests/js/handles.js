// SPDX-License-Identifier: LGPL-2.1-or-later
// Handles, and what the functions of tasks get.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {CancelledError, Queue, TaskResult, TimeoutError} from '../../introspection/js/osiiso.js';
import {assert, assertEqual, main, test, turn} from '../bindings/tap.js';
import {assertThrown, makeGatedTask, rejection} from './helpers.js';

// On a machine that does other things an attempt may be over before it begins.
const MANY = 1000;

test('states', async () => {
    const queue = new Queue();
    const task = makeGatedTask();
    const handle = queue.submit(task.fn, {name: 'name'});
    assertEqual([handle.status, handle.attempts, handle.started, handle.finished, handle.duration], ['pending', 0, null, null, 0]);
    const value = handle.value();
    assertEqual(handle.value(), value);
    await task.begun;
    assertEqual([handle.status, handle.attempts, handle.done, handle.error], ['running', 1, false, null]);
    task.open('value');
    assertEqual(await value, 'value');
    assertEqual([handle.status, handle.currentValue, `${handle}`], ['succeeded', 'value', '[Handle name: succeeded]']);
    assert(handle.created <= handle.started && handle.started <= handle.finished);
    assertEqual(await handle.value(), 'value');
});

test('retrying', async () => {
    const queue = new Queue();
    const handle = queue.submit(() => Promise.reject(new Error('x')), {retries: 1, retryDelay: 3600});
    queue.start();
    while (handle.status !== 'retrying')
        await turn();
    assertEqual([handle.attempts, handle.error], [1, null]);
    assert(handle.cancel());
    assert(await rejection(handle.value()) instanceof CancelledError);
});

test('results', async () => {
    const queue = new Queue();
    const bad = queue.submit(() => {
        throw new Error('bad');
    }, {name: 'bad', metadata: 7});
    const result = await bad.result();
    assert(result instanceof TaskResult && Object.isFrozen(result));
    assertEqual([result.name, result.status, result.value, result.error, result.message, result.attempts, result.metadata, result.groupId],
        ['bad', 'failed', undefined, bad.error, 'bad', 1, 7, null]);
    assertEqual(result.taskId, bad.taskId);
    const good = await queue.submit(() => 1).result();
    assertEqual([good.status, good.value, good.error, good.message], ['succeeded', 1, null, '']);
});

test('anything can be thrown', async () => {
    const queue = new Queue();
    const evil = {
        get message() {
            throw new Error('no message');
        },
    };
    for (const thrown of [undefined, null, 0, 'text', Symbol('s'), {a: 1}, evil, new Error('\0 \ud800'), Object.create(null)]) {
        const sync = queue.submit(() => {
            throw thrown;
        });
        const rejected = queue.submit(() => Promise.reject(thrown), {retries: 1});
        assertEqual(await rejection(sync.value()), thrown);
        assertEqual(await rejection(rejected.value()), thrown);
        assertEqual([sync.status, rejected.status, rejected.attempts], ['failed', 'failed', 2]);
        assertEqual(typeof sync.message, 'string');
    }
});

test('anything can be returned', async () => {
    const queue = new Queue();
    for (const value of [undefined, null, 0n, Symbol('s'), () => 1, new Map(), NaN, {then: 7}, queue])
        assertEqual(await queue.submit(() => value).value(), value);
    assertEqual(await queue.submit(() => ({then: resolve => resolve('thenable')})).value(), 'thenable');
});

test('errors of GLib', async () => {
    const queue = new Queue();
    const error = new Gio.IOErrorEnum({code: Gio.IOErrorEnum.NOT_FOUND, message: 'gone'});
    const handle = queue.submit(() => {
        throw error;
    });
    assertEqual(await rejection(handle.value()), error);
    const raw = queue.submit(() => {
        throw error;
    });
    const {object} = raw;
    await raw.settled();
    assert(object.dup_error().matches(Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_FOUND));
    // Cancelled is who was cancelled, not who says so.
    const says = queue.submit(() => {
        throw new Gio.IOErrorEnum({code: Gio.IOErrorEnum.CANCELLED, message: 'another one was'});
    });
    await says.settled();
    assertEqual(says.status, 'failed');
});

test('which errors are retried', async () => {
    const queue = new Queue();
    const attemptsOf = async (retryOn, error) => {
        const handle = queue.submit(() => {
            throw error;
        }, {retries: 3, retryOn});
        await handle.settled();
        assertEqual(handle.error, error);
        return handle.attempts;
    };
    const gone = new Gio.IOErrorEnum({code: Gio.IOErrorEnum.NOT_FOUND, message: 'gone'});
    assertEqual(await attemptsOf(RangeError, new RangeError('a')), 4);
    assertEqual(await attemptsOf(RangeError, new TypeError('a')), 1);
    assertEqual(await attemptsOf([RangeError, TypeError], new TypeError('a')), 4);
    assertEqual(await attemptsOf(Gio.IOErrorEnum, gone), 4);
    assertEqual(await attemptsOf(GLib.Error, gone), 4);
    assertEqual(await attemptsOf(Error, gone), 1);
    assertEqual(await attemptsOf((error, attempt) => attempt < 2, new Error('a')), 2);
    assertEqual(await attemptsOf(null, new Error('a')), 4);
});

test('a predicate that throws', async () => {
    const queue = new Queue();
    const error = new Error('of the task');
    const handle = queue.submit(() => Promise.reject(error), {retries: 3, retryOn: () => {
        throw new Error('of the predicate');
    }});
    assertEqual(await rejection(handle.value()), error);
    assertEqual(handle.attempts, 1);
});

test('the wait that a task asks for', async () => {
    const queue = new Queue();
    const begun = [];
    const handle = queue.submit(ctx => {
        begun.push(Date.now());
        if (ctx.attempt === 1) {
            ctx.retryAfter(0.05);
            throw new Error('later');
        }
        return ctx.attempt;
    }, {retries: 1, retryDelay: 3600});
    assertEqual(await handle.value(), 2);
    assert(begun[1] - begun[0] >= 45, `${begun[1] - begun[0]} ms`);
});

test('cancelled while it runs', async () => {
    const queue = new Queue();
    const task = makeGatedTask();
    const handle = queue.submit(task.fn, {retries: 3});
    const value = handle.value();
    const ctx = await task.begun;
    const {cancellable} = ctx;
    assertEqual([ctx.cancelled, cancellable.is_cancelled()], [false, false]);
    ctx.throwIfCancelled();
    assert(handle.cancel());
    const error = await rejection(value);
    assert(error instanceof CancelledError);
    assertEqual([error.message, handle.status, handle.attempts], ['cancelled', 'cancelled', 1]);
    await turn();
    assert(cancellable.is_cancelled() && ctx.cancelled);
    assertThrown(CancelledError, /^attempt 1 at task '.*' was cancelled or has timed out$/, () => ctx.throwIfCancelled());
    // What it says then does not count.
    task.open('too late');
    await turn();
    assertEqual([handle.status, handle.currentValue], ['cancelled', undefined]);
});

test('timed out while it runs', async () => {
    const queue = new Queue();
    const contexts = [];
    const handle = queue.submit(ctx => {
        contexts.push(ctx);
        void ctx.cancellable;
        return contexts.length === 1 ? new Promise(() => {}) : 'second';
    }, {timeout: 0.02, retries: MANY});
    assertEqual(await handle.value(), 'second');
    assert(handle.attempts >= 2);
    await turn();
    assert(contexts[0].cancelled);
    const slow = queue.submit(() => new Promise(() => {}), {deadline: 0.01});
    assert(await rejection(slow.value()) instanceof TimeoutError);
});

test('a late failure does not count', async () => {
    const queue = new Queue();
    const task = makeGatedTask();
    let n = 0;
    const handle = queue.submit(ctx => ++n === 1 ? task.fn(ctx) : 'second', {timeout: 0.02, retries: MANY});
    assertEqual(await handle.value(), 'second');
    task.fail(new Error('of the first'));
    await turn();
    assertEqual(handle.status, 'succeeded');
});

test('progress', async () => {
    const queue = new Queue();
    const task = makeGatedTask();
    const told = [];
    const handle = queue.submit(task.fn, {onProgress: (fraction, text) => told.push([fraction, text])});
    queue.start();
    const ctx = await task.begun;
    ctx.progress(0.25, 'a quarter');
    assertEqual([handle.progress, handle.statusText, handle.object.progress], [0.25, 'a quarter', 0.25]);
    ctx.progress(0.5);
    assertThrown(RangeError, /^progress must be a number from 0 to 1; got 2$/, () => ctx.progress(2));
    assertThrown(TypeError, /^progress must be a number from 0 to 1; got 'half'$/, () => ctx.progress('half'));
    assertThrown(TypeError, /^the text of a progress must be a string or null; got 7$/, () => ctx.progress(0.5, 7));
    assertThrown(RangeError, /^retryAfter must be seconds, not below 0; got -1$/, () => ctx.retryAfter(-1));
    task.open();
    await handle.value();
    ctx.progress(0.9);
    assertEqual([handle.progress, told], [0.5, [[0.25, 'a quarter'], [0.5, null]]]);
});

test('priority', async () => {
    const queue = new Queue({workers: 1});
    const order = [];
    queue.submit(() => order.push('usual'));
    queue.submit(() => order.push('urgent'), {priority: -128});
    const raised = queue.submit(() => order.push('raised'), {priority: 100});
    assert(raised.setPriority(-1));
    assertEqual(raised.priority, -1);
    assertThrown(RangeError, /^priority must be/, () => raised.setPriority(1000));
    await queue.run();
    assertEqual(order, ['urgent', 'raised', 'usual']);
    assert(!raised.setPriority(0));
});

test('names', async () => {
    const queue = new Queue();
    const named = queue.submit(function compute() {});
    const anonymous = queue.submit(() => {});
    assertEqual([named.name, anonymous.name], ['compute', 'task-2']);
    await queue.run();
    assertEqual([named.name, anonymous.name], ['compute', 'task-2']);
});

// GJS prints a warning for a promise whose rejection nobody handles, and a fatal one
// would end this program.
test('failures that nobody waits for', async () => {
    const queue = new Queue();
    const fail = () => Promise.reject(new Error('nobody hears of it'));
    queue.submit(fail);
    queue.submit(fail).value();
    const settled = queue.submit(fail);
    await queue.run();
    settled.value();
    queue.submit(() => 1).cancel();
    await turn();
});

test('tasks that wait for tasks', async () => {
    const queue = new Queue();
    const outer = queue.submit(async () => {
        const inner = queue.map(n => n * 2, [1, 2]);
        return inner.values();
    });
    assertEqual(await outer.value(), [2, 4]);
});

test('values of other contexts stay what they are', async () => {
    const queue = new Queue();
    const identity = {};
    const values = await Promise.all(Array.from({length: 5000}, (_, i) => queue.submit(() => [i, identity]).value()));
    assert(values.every(([i, object], index) => i === index && object === identity));
});

await main(ARGV);
