// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs, their summaries, signals, and the life of a queue.
import Gio from 'gi://Gio';

import {CancelledError, ClosedError, ExecutionError, Queue, QueueError} from '../../introspection/js/osiiso.js';
import {assert, assertEqual, main, test, turn} from '../bindings/tap.js';
import {assertThrown, makeGatedTask, rejection} from './helpers.js';

const never = () => new Promise(() => {});
const fail = message => () => {
    throw new Error(message);
};

test('a summary', async () => {
    const queue = new Queue();
    queue.submit(() => 1, {name: 'one', group: 'a'});
    queue.submit(() => 2, {name: 'two', group: 'a'});
    queue.submit(fail('broken'), {name: 'one', retries: 2});
    queue.submit(() => 3, {detached: true});
    const cancelled = queue.submit(() => 4);
    cancelled.cancel();
    const summary = await queue.run();
    assertEqual([summary.totalSubmitted, summary.succeeded, summary.failed, summary.cancelled, summary.ok, summary.timedOut],
        [4, 2, 1, 1, false, false]);
    assertEqual(summary.values, [1, 2]);
    assertEqual([...summary.byName().keys()].sort(), ['one', cancelled.name, 'two']);
    assertEqual(summary.byName('one').map(result => result.status).sort(), ['failed', 'succeeded']);
    assertEqual(summary.byGroup('a').length, 2);
    assertEqual(summary.byGroup(null).length, 2);
    assertEqual([...summary.byGroup().keys()].filter(key => key !== null), ['a']);
    assertEqual(summary.byTaskId(cancelled.taskId).message, 'cancelled before execution');
    assertEqual(summary.byTaskId(12345), null);
    assertEqual([summary.errors.length, summary.successes.length, summary.cancellations.length], [1, 2, 1]);
    const lines = `${summary}`.replace(/Duration {4}: \d+\.\d{3}s/, 'Duration    : Ns').split('\n').filter(line => !line.startsWith('-'));
    assertEqual(lines, ['  Run Summary: COMPLETED WITH ERRORS', '  Total tasks : 4', '  Succeeded   : 2', '  Failed      : 1',
        '  Cancelled   : 1', '  Duration    : Ns', '  Failures:', '    - one (3 attempts)', '      broken', '']);
    const error = assertThrown(ExecutionError, /^1 task\(s\) failed; 1 task\(s\) cancelled: one: broken$/, () => summary.check());
    assertEqual([error.results[0].attempts, error.cause.message], [3, 'broken']);
});

test('the same lines as the library', async () => {
    const queue = new Queue();
    const summary = await queue.run();
    assert(summary.ok && summary.check() === summary);
    const raw = queue.object.dup_summary().to_string();
    const clean = text => text.replace(/Duration .*/, '');
    assertEqual(clean(`${summary}`), clean(raw));
});

test('a strict run', async () => {
    const queue = new Queue();
    queue.submit(fail('no'));
    const error = await rejection(queue.run({strict: true}));
    assert(error instanceof ExecutionError);
    assertEqual(error.errors.map(each => each.message), ['no']);
});

test('what belongs to a run', async () => {
    const queue = new Queue();
    await queue.submit(() => 1).value();
    await queue.join();
    queue.submit(() => {
        queue.submit(() => 3);
        return 2;
    });
    assertEqual((await queue.run()).values, [2, 3]);
    assertEqual(queue.summary().values, [1, 2, 3]);
    queue.clearResults();
    assertEqual([queue.summary().values, queue.summary().succeeded], [[], 3]);
    queue.keepResults = false;
    queue.submit(() => 4);
    const summary = await queue.run();
    assertEqual([summary.values, summary.succeeded], [[], 1]);
});

test('the time limit of a run', async () => {
    const queue = new Queue();
    const handle = queue.submit(never);
    const task = makeGatedTask();
    const must = queue.submit(task.fn, {mustComplete: true});
    handle.settled().then(() => task.open());
    const summary = await queue.run({timeout: 0.01});
    assertEqual([summary.timedOut, handle.status, must.status, summary.ok], [true, 'cancelled', 'succeeded', false]);
    assert(`${summary}`.includes('TIMED OUT'));
});

test('the first failure', async () => {
    const queue = new Queue({workers: 1});
    queue.submit(() => 1);
    queue.submit(fail('first'));
    const waiting = queue.submit(() => 2);
    const summary = await queue.run({failPolicy: 'fail-first'});
    assertEqual([summary.succeeded, summary.failed, summary.cancelled, waiting.status], [1, 1, 1, 'cancelled']);
});

test('two runs at a time', async () => {
    const queue = new Queue();
    const task = makeGatedTask();
    queue.submit(task.fn);
    const run = queue.run();
    const error = await rejection(queue.run());
    assert(error instanceof QueueError);
    task.open();
    assertEqual((await run).succeeded, 1);
    assertEqual(await queue.submit(() => 'after').value(), 'after');
});

test('a run whose wait is cancelled', async () => {
    const queue = new Queue();
    const task = makeGatedTask();
    const handle = queue.submit(task.fn);
    const cancellable = new Gio.Cancellable();
    const run = queue.run({cancellable});
    await task.begun;
    cancellable.cancel();
    assert(await rejection(run) instanceof CancelledError);
    task.open('goes on');
    assertEqual(await handle.value(), 'goes on');
});

test('an infinite run', async () => {
    const queue = new Queue({mode: 'infinite'});
    const run = queue.run();
    assertEqual(await queue.submit(() => 1).value(), 1);
    assertEqual(await queue.submit(() => 2).value(), 2);
    await queue.shutdown();
    assertEqual((await run).values, [1, 2]);
});

test('signals', async () => {
    const queue = new Queue({workers: 1, onStart: handle => seen.push(`hook ${handle.name}`)});
    const seen = [];
    queue.connect('on-start', (q, handle) => seen.push(`start ${handle.name} ${q === queue} ${handle.attempts}`));
    queue.connect('on-complete', (_queue, handle) => seen.push(`complete ${handle.name} ${handle.status}`));
    const id = queue.connect('on-retry', (_queue, handle, error) => seen.push(`retry ${handle.name} ${error.message}`));
    queue.submit(ctx => {
        if (ctx.attempt === 1)
            throw new Error('busy');
    }, {name: 'a', retries: 1});
    await queue.run();
    assertEqual(seen, ['hook a', 'start a true 1', 'retry a busy', 'hook a', 'start a true 2', 'complete a succeeded']);
    queue.disconnect(id);
    queue.submit(never, {name: 'slow', timeout: 0.01, retries: 1});
    seen.length = 0;
    await queue.run();
    assertEqual(seen.filter(text => text.startsWith('retry')), []);
    assertEqual(seen.at(-1), 'complete slow failed');
});

test('a retry after a timeout is told', async () => {
    const errors = [];
    const queue = new Queue({onRetry: (_handle, error) => errors.push(`${error}`)});
    queue.submit(never, {name: 'slow', timeout: 0.01, retries: 2});
    await queue.run();
    assertEqual(errors, Array(2).fill("TimeoutError: task 'slow' exceeded 0.01s timeout"));
});

test('a handler that throws', async () => {
    const queue = new Queue();
    let n = 0;
    queue.connect('on-complete', () => {
        n++;
        throw new Error('of the handler');
    });
    queue.connect('on-complete', () => n++);
    // It is printed, which is no reason to end the test.
    const handle = queue.submit(() => 1);
    assertEqual([await handle.value(), n], [1, 2]);
});

test('pause and resume', async () => {
    const queue = new Queue();
    queue.pause();
    const handle = queue.submit(() => 1);
    queue.start();
    await turn();
    assertEqual([queue.paused, handle.status, queue.pendingCount, queue.activeCount], [true, 'pending', 1, 0]);
    queue.resume();
    assertEqual([await handle.value(), queue.completedCount], [1, 1]);
});

test('shutdown', async () => {
    const queue = new Queue();
    const handle = queue.submit(async () => 1);
    await queue.close();
    assertEqual([handle.status, queue.closed], ['succeeded', true]);
    assertThrown(ClosedError, /./, () => queue.submit(() => 2));
    await queue.close();
    assert(await rejection(queue.run()) instanceof ClosedError);
    queue.reset();
    assertEqual([queue.closed, queue.summary().values], [false, []]);
    assertEqual(await queue.submit(() => 3).value(), 3);
});

test('shutdown by force', async () => {
    const queue = new Queue();
    const task = makeGatedTask();
    const handles = [queue.submit(task.fn), queue.submit(() => 1, {delay: 3600})];
    queue.start();
    const ctx = await task.begun;
    await queue.shutdown({force: true});
    assertEqual(handles.map(handle => handle.status), ['cancelled', 'cancelled']);
    assertEqual(handles.map(handle => handle.message), ['cancelled', 'cancelled before execution']);
    assert(ctx.cancelled);
});

test('cancel inside of a task', async () => {
    const queue = new Queue({workers: 1});
    const handle = queue.submit(() => queue.cancel());
    const other = queue.submit(() => 1);
    await Promise.all([handle.settled(), other.settled()]);
    assertEqual(other.status, 'cancelled');
});

test('reset', async () => {
    const queue = new Queue();
    const handle = queue.submit(() => 1, {delay: 3600});
    queue.reset();
    await turn();
    assertEqual([handle.status, queue.summary().totalSubmitted], ['cancelled', 0]);
    const task = makeGatedTask();
    queue.submit(task.fn);
    queue.start();
    await task.begun;
    assertThrown(QueueError, /reset/, () => queue.reset());
    task.open();
    await queue.join();
});

test('an initializer', async () => {
    const calls = [];
    const queue = new Queue({initializer: () => calls.push('initializer')});
    queue.map(n => calls.push(n), [1, 2]);
    await queue.run();
    assertEqual(calls, ['initializer', 1, 2]);
    const broken = new Queue({initializer: fail('not ready')});
    const handle = broken.submit(() => 1);
    const error = await rejection(handle.value());
    assert(/not ready/.test(error.message), `${error}`);
});

test('a queue that nobody keeps', async () => {
    let value = 0;
    (() => {
        const queue = new Queue();
        queue.submit(() => new Promise(resolve => setTimeout(() => resolve(value++), 20)));
        queue.start();
    })();
    while (value === 0)
        await turn();
});

test('await using', async () => {
    const queue = new Queue();
    assertEqual(Boolean(queue[Symbol.asyncDispose]), Boolean(Symbol.asyncDispose));
    await (Symbol.asyncDispose ? queue[Symbol.asyncDispose]() : queue.close());
    assert(queue.closed);
});

await main(ARGV);
