// SPDX-License-Identifier: LGPL-2.1-or-later
// Queues of functions in JavaScript: what becomes of a task.
import {CancelledError, Queue, TimeoutError} from '../../introspection/js/osiiso.js';
import {assert, assertEqual, main, test} from '../bindings/tap.js';

async function rejection(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    throw new Error('the promise was not rejected');
}

test('values', async () => {
    const queue = new Queue();
    const plain = queue.submit(() => 1);
    const object = {};
    const asynchronous = queue.submit(async () => {
        await null;
        return object;
    });
    assertEqual([plain.status, plain.done], ['pending', false]);
    assertEqual(await plain.value(), 1);
    assertEqual(await asynchronous.value(), object);
    assertEqual([plain.status, plain.attempts, plain.done], ['succeeded', 1, true]);
});

test('the very error', async () => {
    class OwnError extends Error {}
    const queue = new Queue();
    const error = new OwnError('broken');
    const throwing = queue.submit(() => {
        throw error;
    });
    const rejecting = queue.submit(() => Promise.reject(error));
    assertEqual(await rejection(throwing.value()), error);
    assertEqual(await rejection(rejecting.value()), error);
    assertEqual([throwing.status, throwing.error, throwing.message], ['failed', error, 'broken']);
});

test('retries', async () => {
    const queue = new Queue();
    const attempts = [];
    const retries = [];
    queue.connect('on-retry', (_queue, handle, error) => retries.push([handle.name, error.message]));
    for (const isAsync of [false, true]) {
        const fn = ctx => {
            attempts.push(ctx.attempt);
            if (ctx.attempt < 3)
                throw new Error(`attempt ${ctx.attempt}`);
            return 'done';
        };
        queue.submit(isAsync ? async ctx => fn(ctx) : fn, {retries: 5, name: 'flaky'});
        const summary = await queue.run();
        assertEqual(summary.values, ['done']);
    }
    assertEqual(attempts, [1, 2, 3, 1, 2, 3]);
    const both = [['flaky', 'attempt 1'], ['flaky', 'attempt 2']];
    assertEqual(retries, [...both, ...both]);
});

test('a timeout', async () => {
    const queue = new Queue();
    const handle = queue.submit(() => new Promise(() => {}), {timeout: 0.01, name: 'slow'});
    const error = await rejection(handle.value());
    assert(error instanceof TimeoutError);
    assertEqual(error.message, "task 'slow' exceeded 0.01s timeout");
});

test('cancelled', async () => {
    const queue = new Queue();
    const handle = queue.submit(() => 1);
    assert(handle.cancel());
    assertEqual(handle.status, 'cancelled');
    const error = await rejection(handle.value());
    assert(error instanceof CancelledError);
    assertEqual(error.message, 'cancelled before execution');
    assert(!handle.cancel());
});

test('map and run', async () => {
    const queue = new Queue({workers: 2});
    const group = queue.map(async (n, ctx) => {
        await null;
        return n * 10 + ctx.index;
    }, [1, 2, 3]);
    const summary = await queue.run();
    assert(summary.ok);
    assertEqual(summary.totalSubmitted, 3);
    assertEqual(await group.values(), [10, 21, 32]);
});

await main(ARGV);
