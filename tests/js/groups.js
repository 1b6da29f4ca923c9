// SPDX-License-Identifier: LGPL-2.1-or-later
// Groups, maps and functions that belong to a queue.
import {BoundTask, ClosedError, Queue, QueueError, QueueFullError} from '../../introspection/js/osiiso.js';
import {assert, assertEqual, main, test} from '../bindings/tap.js';
import {assertThrown, makeGatedTask, rejection} from './helpers.js';

test('order of completion', async () => {
    const queue = new Queue({workers: 3});
    const tasks = [0, 1, 2].map(makeGatedTask);
    const group = queue.group(tasks.map(task => task.fn), {group: 'gated'});
    const seen = [];
    const reader = (async () => {
        for await (const handle of group)
            seen.push(handle.index);
    })();
    await Promise.all(tasks.map(task => task.begun));
    for (const i of [2, 0, 1]) {
        tasks[i].open(i);
        await group.at(i).settled();
    }
    await reader;
    assertEqual(seen, [2, 0, 1]);
    assertEqual(await group.values(), [0, 1, 2]);
    assertEqual([...group].map(handle => handle.groupId), ['gated', 'gated', 'gated']);
    assertEqual([group.length, group.finishedCount, group.done], [3, 3, true]);
});

test('iterated twice, and by many', async () => {
    const queue = new Queue();
    const group = queue.map(n => n, [1, 2, 3]);
    const read = async () => {
        const values = [];
        for await (const handle of group)
            values.push(handle.currentValue);
        return values;
    };
    const [one, two] = await Promise.all([read(), read()]);
    assertEqual([one, two, await read()], [[1, 2, 3], [1, 2, 3], [1, 2, 3]]);
});

test('a group that grows', async () => {
    const queue = new Queue();
    const group = queue.group('open');
    const seen = [];
    for await (const handle of group)
        seen.push(handle);
    assertEqual(seen, []);
    group.submit(() => 1);
    group.map(n => n, [2, 3]);
    queue.submit(() => 4, {group});
    for await (const handle of group) {
        if (seen.push(handle.currentValue) === 1)
            group.submit(() => 5);
    }
    assertEqual(seen, [1, 2, 3, 4, 5]);
    assertEqual(group.handles.map(handle => handle.index), [0, 1, 2, 3, 4]);
    assertEqual((await queue.run()).byGroup('open').length, 0);
});

test('forms', async () => {
    const queue = new Queue();
    const groups = [
        queue.group(() => 1, async () => 2),
        queue.group([() => 1, async () => 2]),
        queue.group(() => 1, () => 2, {priority: 0}),
        queue.group('name', [() => 1, () => 2], {priority: 0}),
        queue.group('name', () => 1, () => 2),
    ];
    for (const group of groups)
        assertEqual(await group.values(), [1, 2]);
    assertEqual(groups.map(group => group.at(0).priority), [3, 3, 0, 0, 3]);
    assertEqual(groups.slice(3).map(group => group.groupId), ['name', 'name']);
    assert(groups[0].groupId !== groups[1].groupId);
});

test('failures', async () => {
    const queue = new Queue();
    const error = new RangeError('odd');
    const group = queue.map(n => {
        if (n % 2)
            throw error;
        return n;
    }, [0, 1, 2, 3]);
    assertEqual(await rejection(group.values()), error);
    const summary = await group.wait();
    assertEqual([summary.succeeded, summary.failed, summary.ok, summary.values], [2, 2, false, [0, 2]]);
    assertEqual(summary.results.map(result => result.status), ['succeeded', 'failed', 'succeeded', 'failed']);
});

test('cancel', async () => {
    const queue = new Queue({workers: 1});
    const task = makeGatedTask();
    const group = queue.group([task.fn, () => 1, () => 2], {group: 'some'});
    queue.start();
    await task.begun;
    task.open('first');
    await group.at(0).settled();
    queue.pause();
    const more = group.submit(() => 3);
    const n = group.cancel();
    const summary = await group.wait();
    assert(n >= 1 && n <= 3, `${n}`);
    assertEqual([summary.succeeded, summary.cancelled, more.status], [4 - n, n, 'cancelled']);
});

test('an empty map, and any iterable', async () => {
    const queue = new Queue();
    assertEqual(await queue.map(n => n, []).values(), []);
    assertEqual(await queue.map(n => n, new Set([1, 2])).values(), [1, 2]);
    assertEqual(await queue.map(([key, value]) => key + value, new Map([['a', 1]])).values(), ['a1']);
    assertEqual(await queue.map(n => n, [undefined, null]).values(), [undefined, null]);
});

test('all of a map or nothing', () => {
    const queue = new Queue({size: 2});
    assertThrown(QueueError, /3 tasks can never fit into a queue of size 2/, () => queue.map(n => n, [1, 2, 3]));
    queue.submit(() => 1);
    assertThrown(QueueFullError, /queue is full/, () => queue.map(n => n, [1, 2]));
    assertEqual([queue.pendingCount, queue.map(n => n, [1]).length], [1, 1]);
    assertThrown(QueueFullError, /queue is full \(2 tasks outstanding\)/, () => queue.submit(() => 1));
});

test('waiting for room', async () => {
    const queue = new Queue({size: 2});
    const handles = await Promise.all(Array.from({length: 20}, (_, i) => queue.submitAsync(() => i)));
    assertEqual(await Promise.all(handles.map(handle => handle.value())), Array.from({length: 20}, (_, i) => i));
    await queue.close();
    assert(await rejection(queue.submitAsync(() => 1)) instanceof QueueError);
});

test('waiting for room that comes otherwise', async () => {
    const queue = new Queue({size: 1});
    const task = makeGatedTask();
    queue.submit(task.fn);
    const waiting = [1, 2, 3].map(n => queue.submitAsync(() => n));
    await task.begun;
    queue.size = 3;
    const [one, two] = await Promise.all(waiting.slice(0, 2));
    assertEqual([await one.value(), await two.value(), await (await waiting[2]).value()], [1, 2, 3]);

    queue.size = 1;
    const late = [4, 5, 6].map(n => rejection(queue.submitAsync(() => n)));
    const shutdown = queue.shutdown();
    task.open();
    await shutdown;
    for (const error of await Promise.all(late))
        assert(error instanceof ClosedError, `${error}`);
});

test('a function that belongs to a queue', async () => {
    const queue = new Queue();
    const add = queue.task(function add(a, b, ctx) {
        return `${a + b} ${ctx.name}`;
    }, {priority: 1});
    assert(add instanceof BoundTask && typeof add === 'function');
    assertEqual([add.name, await add(1, 2).value(), await add.submit(3, 4).value()], ['add', '3 add', '7 add']);
    const urgent = add.with({priority: 0, name: 'urgent'});
    const handle = urgent(5, 6);
    assertEqual([await handle.value(), handle.priority, add(1, 1).priority], ['11 urgent', 0, 1]);
    const double = queue.task(n => n * 2);
    assertEqual(await double.map([1, 2], {priority: 5}).values(), [2, 4]);
});

test('functions on a thread are refused', () => {
    const queue = new Queue({backend: 'thread-pool'});
    const error = assertThrown(QueueError, /main-loop.*subprocess/, () => queue.submit(() => 1));
    assert(assertThrown(QueueError, /main-loop/, () => queue.map(() => 1, [1, 2])).code === error.code);
    assertEqual(queue.pendingCount, 0);
});

await main(ARGV);
