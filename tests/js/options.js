// SPDX-License-Identifier: LGPL-2.1-or-later
// Options, and what is said of wrong ones.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {
    BoundTask, Group, Handle, Osiiso, Queue, QueueError, RunSummary, TaskContext, TaskOptions, TaskResult,
    makeWorkers, resolve,
} from '../../introspection/js/osiiso.js';
import {assert, assertEqual, main, test} from '../bindings/tap.js';
import {assertThrown, rejection} from './helpers.js';

const nothing = () => {};

test('options of a queue', () => {
    const queue = new Queue({
        backend: 'main-loop', workers: 3, size: 10, rate: 50, burst: 2, timeout: 60, onTimeout: 'cancel', shutdownTimeout: 5,
        mode: 'infinite', failPolicy: 'fail-first', keepResults: false,
    });
    assertEqual([queue.workers, queue.size, queue.rate, queue.burst, queue.timeout, queue.onTimeout, queue.shutdownTimeout,
        queue.mode, queue.failPolicy, queue.keepResults], [3, 10, 50, 2, 60, 'cancel', 5, 'infinite', 'fail-first', false]);
    queue.workers = null;
    queue.rate = Infinity;
    queue.failPolicy = 'continue';
    assertEqual([queue.workers, queue.rate, queue.failPolicy], [0, 0, 'continue']);
    assertThrown(RangeError, /^workers must be a whole number from 0 to \d+; got -1$/, () => {
        queue.workers = -1;
    });
});

test('words of the model', () => {
    assertEqual(new Queue({failPolicy: 'fail_first'}).failPolicy, 'fail-first');
    assertEqual(new Queue().mode, 'finite');
});

test('a backend that is made', () => {
    const backend = Osiiso.Backend.create('main-loop');
    assertEqual(new Queue({backend}).backend, backend);
});

for (const [type, options, pattern] of [
    [TypeError, null, /^the options of a queue must be an object; got null$/],
    [TypeError, {worker: 1}, /^unknown option 'worker' in the options of a queue; expected one of backend, workers, /],
    [TypeError, {backend: 7}, /^backend must be the name of a backend or an Osiiso\.Backend; got 7$/],
    [TypeError, {workers: '2'}, /^workers must be a whole number from 0 to 65536; got '2'$/],
    [RangeError, {workers: 1.5}, /^workers must be a whole number .*; got 1\.5$/],
    [RangeError, {rate: -1}, /^rate must be attempts per second, not below 0, or null for none; got -1$/],
    [RangeError, {timeout: NaN}, /^timeout must be seconds, not below 0, or null for none; got NaN$/],
    [RangeError, {burst: 0}, /^burst must be a whole number from 1 to 4294967295; got 0$/],
    [RangeError, {mode: 'endless'}, /^mode must be one of 'finite', 'infinite'; got 'endless'$/],
    [TypeError, {failPolicy: true}, /^failPolicy must be one of 'continue', 'fail-first'; got true$/],
    [TypeError, {onStart: 'x'}, /^onStart must be a function; got 'x'$/],
    [TypeError, {keepResults: 1}, /^keepResults must be true or false; got 1$/],
]) {
    test(`queue: ${pattern.source}`, () => {
        assertThrown(type, pattern, () => new Queue(options));
    });
}

test('a backend that is not there', () => {
    const error = assertThrown(QueueError, /nowhere/, () => new Queue({backend: 'nowhere'}));
    assertEqual(error.code, Osiiso.QueueError.NOT_FOUND);
});

for (const [type, options, pattern] of [
    [TypeError, 3, /^the options of a task must be an object; got 3$/],
    [TypeError, {retires: 3}, /^unknown option 'retires' in the options of a task; expected one of priority, /],
    [RangeError, {priority: 128}, /^priority must be a whole number from -128 to 127; got 128$/],
    [TypeError, {retries: '3'}, /^retries must be a whole number from 0 to 2147483647; got '3'$/],
    [RangeError, {retryDelay: -1}, /^retryDelay must be seconds, not below 0; got -1$/],
    [RangeError, {backoff: 0}, /^backoff must be a number above 0; got 0$/],
    [RangeError, {jitter: 2}, /^jitter must be a number from 0 to 1; got 2$/],
    [TypeError, {timeout: 10n}, /^timeout must be seconds, not below 0, or null for none; got 10n$/],
    [TypeError, {name: 7}, /^name must be a string or null; got 7$/],
    [RangeError, {name: 'a\0b'}, /^name must be a string without NUL/],
    [TypeError, {mustComplete: 'yes'}, /^mustComplete must be true or false; got 'yes'$/],
    [TypeError, {retryOn: 7}, /^retryOn must be a function \(error, attempt\), a class of errors or an array of classes; got 7$/],
    [TypeError, {cancellable: {}}, /^cancellable must be a Gio\.Cancellable or null; got an Object$/],
    [TypeError, {signal: {}}, /^signal must be an AbortSignal or null/],
    [TypeError, {runAt: 'now'}, /^runAt must be a Date, a GLib\.DateTime or seconds since 1970; got 'now'$/],
    [TypeError, new Osiiso.TaskOptions({retries: 2}), /^the options of a task must be an object like \{priority: …\}; got /],
    [TypeError, new Map([['retries', 2]]), /^the options of a task must be an object like \{priority: …\}; got a Map$/],
    [TypeError, {group: {groupId: 'x'}}, /^group must be a string, a Group or null; got an Object$/],
    [TypeError, {delay: 1, runAt: 1}, /^delay and runAt cannot both be given$/],
]) {
    test(`task: ${pattern.source}`, () => {
        const queue = new Queue();
        assertThrown(type, pattern, () => queue.submit(nothing, options));
        assertEqual(queue.pendingCount, 0);
    });
}

test('what is no function, or cannot be iterated', () => {
    const queue = new Queue();
    assertThrown(TypeError, /^a task must be a function; got 'work'$/, () => queue.submit('work'));
    assertThrown(TypeError, /^a task must be a function; got null$/, () => queue.map(null, []));
    assertThrown(TypeError, /^the items of a map must be iterable; got 7$/, () => queue.map(nothing, 7));
    assertThrown(TypeError, /^a task must be a function; got 7$/, () => queue.group([nothing, 7]));
    assertThrown(TypeError, /^a queue has no signal 'on-end'; expected one of on-start, on-complete, on-retry$/,
        () => queue.connect('on-end', nothing));
    assertThrown(TypeError, /^the handler of on-start must be a function; got null$/, () => queue.connect('on-start', null));
});

test('the end of a queue', async () => {
    const queue = new Queue();
    for (const [call, pattern] of [
        [() => queue.join({timeout: 3}), /^unknown option 'timeout' in the options of a join; expected one of cancellable$/],
        [() => queue.join({cancellable: 5}), /^cancellable must be a Gio\.Cancellable or null; got 5$/],
        [() => queue.shutdown({forced: true}), /^unknown option 'forced' in the options of a shutdown; expected one of force, cancellable$/],
        [() => queue.shutdown(true), /^the options of a shutdown must be an object; got true$/],
        [() => queue.close({force: 1}), /^force must be true or false; got 1$/],
    ]) {
        const error = await rejection(call());
        assert(error instanceof TypeError && pattern.test(error.message), `${error}`);
    }
    assertEqual(queue.closed, false);
    const handle = queue.submit(() => new Promise(() => {}));
    queue.start();
    await queue.close({force: true});
    assertEqual([handle.status, queue.closed], ['cancelled', true]);
});

test('functions that are no tasks', async () => {
    const queue = new Queue();
    const pattern = /^a task must be a function that does the work when it is called; got generator function make$/;
    assertThrown(TypeError, pattern, () => queue.submit(function* make() {}));
    assertThrown(TypeError, pattern, () => queue.map(async function* make() {}, [1]));
    const other = new Queue({initializer: async () => {}});
    assert(/the initializer must not be async/.test((await rejection(other.submit(nothing).value())).message));
    assertThrown(RangeError, /^workers must be a whole number from 0 to 65536; got 65537$/, () => new Queue({workers: 65537}));
});

test('workers and their modules', () => {
    assertThrown(TypeError, /^the options of workers must be an object; got 5$/, () => makeWorkers(5));
    assertThrown(TypeError, /^the base URI must be a string, as in resolve\('\.\/work\.js', import\.meta\.url\); got undefined$/,
        () => resolve('./work.js'));
});

test('a group of another queue', async () => {
    const queue = new Queue();
    const group = new Queue().group('other');
    const pattern = /^the group 'other' belongs to another queue; expected one of this queue, or a name$/;
    for (const call of [
        () => queue.submit(nothing, {group}),
        () => queue.map(nothing, [1], {group}),
        () => queue.group([nothing], {group}),
        () => queue.task(nothing, {group})(),
    ])
        assertThrown(TypeError, pattern, call);
    assert(pattern.test((await rejection(queue.submitAsync(nothing, {group}))).message));
    assertEqual([queue.pendingCount, group.length], [0, 0]);
});

test('what a queue does not have', async () => {
    const queue = new Queue();
    assertThrown(TypeError, /nonsense/, () => {
        queue.nonsense = 1;
    });
    assertThrown(TypeError, /closed/, () => {
        queue.closed = true;
    });
    class Own extends Queue {
        field = 1;
    }
    const own = new Own();
    own.more = 2;
    assertEqual([own.field, own.more, (await own.submit(() => 3).value())], [1, 2, 3]);
});

test('what is not made by new', () => {
    for (const [type, pattern] of [
        [BoundTask, /^a BoundTask is what task\(\) of a queue returns, and not made by new$/],
        [Group, /^a Group is made by group\(\) and map\(\) of a queue, not by new$/],
        [Handle, /^a Handle is what submit\(\) of a queue returns, and not made by new$/],
        [RunSummary, /^a RunSummary is what run\(\) of a queue promises, and not made by new$/],
        [TaskContext, /^a TaskContext is what the function of a task gets, and not made by new$/],
        [TaskResult, /^a TaskResult is what result\(\) of a handle promises, and not made by new$/],
    ])
        assertThrown(TypeError, pattern, () => new type());
});

test('a run', async () => {
    const queue = new Queue();
    assert(await rejection(queue.run({timeout: -1})) instanceof RangeError);
    assert(await rejection(queue.run({workers: 1})) instanceof TypeError);
});

test('what the options are', async () => {
    const metadata = {any: 'thing'};
    const queue = new Queue();
    const handle = queue.submit(ctx => [ctx.metadata, ctx.name], {
        priority: -5, mustComplete: true, timeout: 60, deadline: 600, retries: 2, retryDelay: 1, backoff: 2, maxDelay: 5, jitter: 0.5,
        name: 'näme', group: 'id', detached: true, metadata, cancellable: null, signal: null,
    });
    assertEqual([handle.priority, handle.mustComplete, handle.name, handle.groupId, handle.detached, handle.metadata],
        [-5, true, 'näme', 'id', true, metadata]);
    const {object} = handle;
    assertEqual([object.priority, object.must_complete, object.name, object.group_id, object.detached],
        [-5, true, 'näme', 'id', true]);
    assertEqual(await handle.value(), [metadata, 'näme']);
});

test('names do not stick', () => {
    const queue = new Queue();
    const names = [{name: 'one'}, {}, {name: 'two'}, undefined, {priority: 1, name: 'three'}, {priority: 1}]
        .map(options => queue.submit(nothing, options).object.name);
    assertEqual(names.filter((_name, i) => i % 2 === 0), ['one', 'two', 'three']);
    assert(!names.filter((_name, i) => i % 2 === 1).some(name => ['one', 'two', 'three'].includes(name)));
});

test('options that are used again', async () => {
    const queue = new Queue();
    const options = new TaskOptions({retries: 1, name: 'flaky'});
    const other = new TaskOptions({priority: 0}, options);
    const flaky = ctx => ctx.attempt === 1 ? Promise.reject(new Error('first')) : ctx.name;
    assertEqual(await queue.submit(flaky, options).value(), 'flaky');
    const handle = queue.submit(flaky, other);
    assertEqual([await handle.value(), handle.priority], ['flaky', 0]);
});

test('times', async () => {
    const queue = new Queue();
    const now = Date.now() / 1000;
    const late = queue.submit(nothing, {delay: 3600});
    const date = queue.submit(nothing, {runAt: new Date((now + 3600) * 1000)});
    const dateTime = queue.submit(nothing, {runAt: GLib.DateTime.new_from_unix_utc(Math.floor(now) + 3600)});
    const past = queue.submit(() => 'past', {runAt: 0});
    for (const handle of [late, date, dateTime])
        assert(Math.abs(handle.scheduledFor - now - 3600) < 100, `${handle.scheduledFor}`);
    assertEqual(await past.value(), 'past');
    assertEqual(queue.scheduledCount, 3);
    queue.cancel();
});

test('a cancellable for many', async () => {
    const queue = new Queue();
    const cancellable = new Gio.Cancellable();
    const handles = [1, 2, 3].map(() => queue.submit(nothing, {cancellable}));
    const other = queue.submit(() => 'other');
    cancellable.cancel();
    await queue.run();
    assertEqual(handles.map(handle => handle.status), ['cancelled', 'cancelled', 'cancelled']);
    assertEqual(other.currentValue, 'other');
});

test('a signal as on other platforms', async () => {
    const listeners = [];
    const signal = {aborted: false, addEventListener: (_type, listener) => listeners.push(listener)};
    const queue = new Queue();
    const handle = queue.submit(nothing, {signal});
    const early = queue.submit(nothing, {signal: {...signal, aborted: true}});
    listeners.forEach(listener => listener());
    await queue.run();
    assertEqual([handle.status, early.status], ['cancelled', 'cancelled']);
});

await main(ARGV);
