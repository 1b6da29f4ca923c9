// SPDX-License-Identifier: LGPL-2.1-or-later
// Uses the library through plain introspection, as GJS offers it.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Osiiso from 'gi://Osiiso?version=1';
import System from 'system';

import {assert, assertEqual, assertError, assertRejects, assertThrows, main, settle, test, turn} from './tap.js';

const {QueueError, Status} = Osiiso;
const LONG = 60;

Gio._promisify(Osiiso.Queue.prototype, 'submit_async');
Gio._promisify(Osiiso.Queue.prototype, 'run_async');
Gio._promisify(Osiiso.Queue.prototype, 'join_async');
Gio._promisify(Osiiso.Queue.prototype, 'shutdown_async');
Gio._promisify(Osiiso.Handle.prototype, 'wait_async');
Gio._promisify(Osiiso.Group.prototype, 'wait_async');
Gio._promisify(Osiiso.Group.prototype, 'next_completed_async');

function items(model) {
    return Array.from({length: model.get_n_items()}, (_, i) => model.get_item(i));
}

function options(properties) {
    return new Osiiso.TaskOptions(properties);
}

const returnIndex = attempt => attempt.return_int(attempt.get_index());
const returnTen = attempt => attempt.return_int(10);
const fail = attempt =>
    attempt.return_error(new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy'));

// Connects to the three signals; the list grows as they come.
function listen(queue) {
    const seen = [];
    queue.connect('on-start', (_queue, handle) => seen.push({kind: 'start', handle}));
    queue.connect('on-complete', (_queue, handle) => seen.push({kind: 'complete', handle}));
    queue.connect('on-retry', (_queue, handle, error) => seen.push({kind: 'retry', handle, error}));
    return seen;
}

function kindsOf(events, handle) {
    return events.filter(event => event.handle === handle).map(event => event.kind);
}

// Runs one task and returns what it succeeded with.
function valueOf(report) {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(attempt => report(attempt), null);
    queue.run(null).check();
    return handle.get_value();
}

// Runs one task, which fails, and returns its error.
function errorOf(report, taskOptions = null) {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(attempt => report(attempt), taskOptions);
    queue.run(null);
    assertEqual(handle.status, Status.FAILED);
    assertEqual(handle.get_value(), null);
    const error = handle.dup_error();
    const result = handle.dup_result();
    assertEqual(result.message, error.message);
    for (const other of [result.dup_error(), result.error])
        assertError(other, error.domain, error.code, error.message);
    return error;
}

// ---- Submitting

test('submit', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(returnTen, null);
    assertEqual(handle.status, Status.PENDING);
    assertEqual(handle.get_value(), null);
    assertEqual(handle.dup_error(), null);
    assertEqual(handle.dup_result(), null);
    assert(!handle.is_done());
    const summary = queue.run(null);
    assertEqual(summary.succeeded, 1);
    assert(handle.is_done());
    assertEqual(handle.get_value(), 10);
    assertEqual(handle.dup_result().get_value(), 10);
});

test('options', () => {
    const given = new Osiiso.TaskOptions({
        priority: 1, must_complete: true, timeout: LONG, retries: 3, retry_delay: 0.25, backoff: 2,
        max_retry_delay: 4, jitter: 0.5, name: 'name', group_id: 'id', detached: true,
        metadata: new GLib.Variant('a{si}', {key: 7}),
    });
    assert(given.validate());
    const copy = given.copy();
    assertEqual([copy.retries, copy.get_backoff(), copy.jitter, copy.maxRetryDelay], [3, 2, 0.5, 4]);

    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(returnTen, given);
    given.name = 'too late';
    assertEqual([handle.name, handle.priority, handle.group_id, handle.must_complete, handle.detached],
        ['name', 1, 'id', true, true]);
    assertEqual(handle.metadata.recursiveUnpack(), {key: 7});
    assertEqual(queue.run(null).total_submitted, 0);
    assertEqual([handle.get_value(), handle.attempts], [10, 1]);
});

test('queue properties', () => {
    const backend = Osiiso.Backend.create('main-loop');
    const queue = new Osiiso.Queue({
        backend, workers: 2, timeout: LONG, mode: Osiiso.Mode.FINITE,
        failPolicy: Osiiso.FailPolicy.FAIL_FIRST, onTimeout: Osiiso.TimeoutPolicy.CANCEL,
        keepResults: false,
    });
    assertEqual(queue.backend, backend);
    assertEqual([queue.workers, backend.get_workers(), queue.timeout], [2, 2, LONG]);
    assertEqual([queue.fail_policy, queue.on_timeout, queue.keep_results],
        [Osiiso.FailPolicy.FAIL_FIRST, Osiiso.TimeoutPolicy.CANCEL, false]);
});

test('priority', () => {
    const queue = new Osiiso.Queue({backendName: 'main-loop', workers: 1});
    const order = [];
    for (const priority of [3, 9, -1])
        queue.submit(() => order.push(priority), options({priority}));
    const late = queue.submit(() => order.push('raised'), null);
    assert(late.set_priority(Osiiso.PRIORITY_MIN));
    queue.run(null);
    assertEqual(order, ['raised', -1, 3, 9]);
    assert(!late.set_priority(0));
});

test('size', async () => {
    const queue = new Osiiso.Queue({backend_name: 'main-loop', size: 1});
    const first = queue.try_submit(returnTen, null);
    assertThrows(QueueError, QueueError.FULL, () => queue.try_submit(returnTen, null));
    assertThrows(QueueError, QueueError.FULL, () => queue.try_push(returnTen, null));
    // They come in one after the other while the loop turns.
    const handles = await Promise.all(Array.from({length: 5}, () => queue.submit_async(returnTen, null, null)));
    await queue.join_async(null);
    assertEqual([first, ...handles].map(handle => handle.get_value()), Array(6).fill(10));
    const cancellable = Gio.Cancellable.new();
    cancellable.cancel();
    await assertRejects(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, queue.submit_async(returnTen, null, cancellable));
});

test('push', () => {
    const queue = Osiiso.Queue.new('main-loop');
    let done = 0;
    const taskId = queue.push(() => done++, options({name: 'name'}));
    const handle = queue.lookup(taskId);
    assertEqual([handle.task_id, handle.name], [taskId, 'name']);
    const summary = queue.run(null);
    assertEqual([done, handle.status, summary.succeeded], [1, Status.SUCCEEDED, 1]);
    assertEqual(queue.lookup(taskId + 1), null);
});

// ---- Signals

test('three signals', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const events = listen(queue);
    const good = queue.submit(attempt => {
        if (attempt.get_number() === 1)
            fail(attempt);
        else
            attempt.return_string('done');
    }, new Osiiso.TaskOptions({retries: 3, name: 'good'}));
    const bad = queue.submit(fail, options({name: 'bad'}));
    queue.run(null);

    assertEqual(kindsOf(events, good), ['start', 'retry', 'start', 'complete']);
    assertEqual(kindsOf(events, bad), ['start', 'complete']);
    assertEqual(events.length, 6);
    assertError(events.find(event => event.kind === 'retry').error, Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');
    assertEqual([good.status, good.attempts], [Status.SUCCEEDED, 2]);
    assertEqual([bad.status, bad.attempts], [Status.FAILED, 1]);
    assertError(bad.dup_error(), Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');
});

test('status at signal', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    const seen = [];
    for (const signal of ['on-start', 'on-retry', 'on-complete'])
        queue.connect(signal, (_queue, handle) => seen.push([signal, handle.status]));
    queue.submit(attempt => {
        seen.push(['function', attempt.get_number()]);
        if (attempt.get_number() === 1) {
            const kept = attempt.defer();
            setTimeout(() => fail(kept), 0);
        }
    }, options({retries: 1, retryDelay: 0.001}));
    await queue.run_async(null);
    assertEqual(seen, [['on-start', Status.RUNNING], ['function', 1], ['on-retry', Status.RETRYING],
        ['on-start', Status.RUNNING], ['function', 2], ['on-complete', Status.SUCCEEDED]]);
});

test('notify', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(returnTen, null);
    const seen = new Set();
    handle.connect('notify', (_handle, pspec) => seen.add(pspec.name));
    queue.run(null);
    assertEqual([...seen].sort(), ['attempts', 'duration', 'finished', 'started', 'status']);
});

const TestQueue = GObject.registerClass(class TestQueue extends Osiiso.Queue {
    vfunc_on_start(handle) {
        (this.seen ??= []).push(['start', handle]);
    }

    vfunc_on_complete(handle) {
        this.seen.push(['complete', handle]);
    }

    vfunc_on_retry(handle, error) {
        this.seen.push(['retry', handle, error.message]);
    }
});

test('subclass', () => {
    const queue = new TestQueue({backendName: 'main-loop'});
    const handle = queue.submit(fail, options({retries: 1}));
    queue.run(null);
    assertEqual(queue.seen, [['start', handle], ['retry', handle, 'busy'], ['start', handle],
        ['complete', handle]]);
});

// ---- Groups

test('map', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const group = queue.map(5, returnIndex, options({groupId: 'squares', priority: 2}));
    assertEqual([group.get_n_items(), group.n_finished], [5, 0]);
    assertEqual(group.get_item_type(), Osiiso.Handle.$gtype);
    queue.run(null);
    assertEqual(items(group).map(handle => handle.get_value()), [0, 1, 2, 3, 4]);
    assertEqual(items(group).map(handle => handle.index), [0, 1, 2, 3, 4]);
    assertEqual([...new Set(items(group).map(handle => handle.group_id))], ['squares']);
    assertEqual(group.get_item(2), group.get_handle(2));
    assertEqual([group.get_handle(5), group.get_item(5), group.n_finished], [null, null, 5]);
});

test('submit into a group', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const group = queue.new_group('id');
    const changes = [];
    group.connect('items-changed', (_group, ...change) => changes.push(change));
    const first = group.submit(returnIndex, null);
    const second = group.submit(returnIndex, options({name: 'second'}));
    assertEqual(changes, [[0, 0, 1], [1, 0, 1]]);
    queue.run(null);
    assertEqual(items(group), [first, second]);
    assertEqual([first.get_value(), second.get_value()], [0, 1]);
    assertEqual([group.group_id, second.group_id], ['id', 'id']);
    assert(queue.new_group(null).group_id !== queue.new_group(null).group_id);
});

test('dropped group', () => {
    const queue = Osiiso.Queue.new('main-loop');
    let ran = 0;
    // A function of its own, so that nothing is left on the stack.
    (() => {
        const group = queue.new_group('id');
        for (let i = 0; i < 10; i++)
            group.submit(() => ran++, null);
    })();
    settle();
    System.gc();
    queue.run(null).check();
    assertEqual(ran, 10);
});

test('wait for a group', async () => {
    const group = Osiiso.Queue.new('main-loop').map(3, returnIndex, null);
    const summary = await group.wait_async(null);
    assertEqual(items(summary).map(result => result.get_value()), [0, 1, 2]);
});

test('next completed', async () => {
    const queue = new Osiiso.Queue({backendName: 'main-loop', workers: 1});
    const group = queue.new_group(null);
    const handles = [5, 4, 6].map(priority => group.submit(returnTen, options({priority})));
    const order = [];
    let handle;
    while ((handle = await group.next_completed_async(null)) !== null)
        order.push(handle);
    assertEqual(order, [handles[1], handles[0], handles[2]]);
});

test('cancel a group', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const group = queue.map(4, returnIndex, null);
    assert(group.get_handle(1).cancel());
    assertEqual(group.cancel(), 3);
    assertEqual(queue.dup_summary().cancelled, 4);
});

// ---- Waiting

test('run async', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    queue.map(3, returnIndex, null);
    assertEqual((await queue.run_async(null)).succeeded, 3);
    // A second run covers what came after the first.
    queue.submit(returnTen, null);
    assertEqual((await queue.run_async(null)).succeeded, 1);
    assertEqual(queue.dup_summary().succeeded, 4);
});

test('wait async', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(fail, null);
    assert(await handle.wait_async(null));
    assertEqual(handle.status, Status.FAILED);
    assert(await handle.wait_async(null));
    const handles = Array.from({length: 20}, () => queue.submit(returnTen, null));
    assertEqual(await Promise.all(handles.map(one => one.wait_async(null))), handles.map(() => true));
    assert(await queue.join_async(null));
});

test('wait with a callback', () => {
    const handle = Osiiso.Queue.new('main-loop').submit(returnTen, null);
    const loop = new GLib.MainLoop(null, false);
    let given;
    handle.wait_async(null, (source, result) => {
        given = [source, source.wait_finish(result)];
        loop.quit();
    });
    loop.run();
    assertEqual(given, [handle, true]);
});

test('cancelled wait', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    let kept;
    const handle = queue.submit(attempt => {
        kept = attempt.defer();
    }, null);
    const cancellable = new Gio.Cancellable();
    setTimeout(() => cancellable.cancel(), 0);
    await assertRejects(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, handle.wait_async(cancellable));
    assertThrows(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, () => queue.run(cancellable));
    kept.return_int(1);
    await queue.run_async(null);
    assertEqual(handle.get_value(), 1);
});

test('would deadlock', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(returnTen, null);
    const group = queue.map(2, returnIndex, null);
    assertThrows(QueueError, QueueError.WOULD_DEADLOCK, () => handle.wait(-1, null));
    assertThrows(QueueError, QueueError.WOULD_DEADLOCK, () => group.wait(-1, null));
    let inside = 0;
    queue.submit(() => {
        assertThrows(QueueError, QueueError.WOULD_DEADLOCK, () => queue.run(null));
        assertThrows(QueueError, QueueError.WOULD_DEADLOCK, () => queue.join(null));
        inside++;
    }, null);
    queue.run(null);
    assertEqual([inside, handle.get_value()], [1, 10]);
    assert(handle.wait(-1, null));
});

test('shutdown', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    const closed = [];
    queue.connect('notify::closed', () => closed.push(queue.closed));
    const handle = queue.submit(returnTen, null);
    assert(await queue.shutdown_async(false, null));
    assertEqual(handle.get_value(), 10);
    await turn();
    assertEqual(closed, [true]);
    assertThrows(QueueError, QueueError.CLOSED, () => queue.submit(returnTen, null));
    assertThrows(QueueError, QueueError.CLOSED, () => queue.run(null));
});

test('shutdown by force', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(returnTen, null);
    assert(queue.shutdown(true, null));
    assertEqual(handle.status, Status.CANCELLED);
});

test('pause', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    queue.pause();
    queue.map(2, returnIndex, null);
    queue.submit(returnTen, options({delay: LONG}));
    queue.start();
    settle();
    assert(queue.paused);
    assertEqual([queue.pending_count, queue.scheduled_count, queue.active_count, queue.completed_count],
        [3, 1, 0, 0]);
    const first = queue.map(1, returnIndex, null).wait_async(null);
    queue.resume();
    await first;
    assertEqual([queue.paused, queue.completed_count], [false, 3]);
    queue.cancel();
    assert(queue.shutdown(false, null));
});

// ---- Values and errors

test('values', () => {
    assertEqual(valueOf(attempt => attempt.return_int(7)), 7);
    assertEqual(valueOf(attempt => attempt.return_int(-(2 ** 53 - 1))), -(2 ** 53 - 1));
    assertEqual(valueOf(attempt => attempt.return_double(0.5)), 0.5);
    assertEqual(valueOf(attempt => attempt.return_boolean(true)), true);
    assertEqual(valueOf(attempt => attempt.return_string('žluť')), 'žluť');
    assertEqual(valueOf(attempt => attempt.return_string(null)), null);
    assertEqual([...valueOf(attempt => attempt.return_bytes(new GLib.Bytes([0, 255]))).toArray()], [0, 255]);
    assertEqual(valueOf(attempt => attempt.return_variant(new GLib.Variant('(si)', ['a', 1]))).deepUnpack(),
        ['a', 1]);
    assertEqual(valueOf(attempt => attempt.return_none()), null);
    assertEqual(valueOf(() => {}), null);
    const item = Gio.SimpleAction.new('name', null);
    assertEqual(valueOf(attempt => attempt.return_object(item)), item);
});

test('GValue', () => {
    const item = Gio.SimpleAction.new('name', null);
    for (const plain of [5, 0.5, 'text', true, item])
        assertEqual(valueOf(attempt => attempt.return_value(plain)), plain);
    const value = new GObject.Value();
    value.init(GObject.TYPE_INT);
    value.set_int(12);
    assertEqual(valueOf(attempt => attempt.return_value(value)), 12);
});

test('JavaScript object as GValue', () => {
    const events = [];
    const queue = Osiiso.Queue.new('main-loop');
    queue.connect('on-complete', (_queue, handle) => events.push(handle));
    const handles = [
        queue.submit(attempt => attempt.return_value({a: 1}), null),
        queue.submit(attempt => {
            const kept = attempt.defer();
            setTimeout(() => kept.return_value({b: 2}), 0);
        }, null),
    ];
    queue.run(null);
    System.gc();
    assertEqual(events, handles);
    for (const handle of handles) {
        assertEqual([handle.status, handle.get_value()], [Status.FAILED, null]);
        assertError(handle.dup_error(), QueueError, QueueError.NOT_SUPPORTED);
    }
});

test('errors', () => {
    const {EXISTS, NOT_FOUND} = Gio.IOErrorEnum;
    assertError(errorOf(attempt => attempt.return_error(new GLib.Error(Gio.IOErrorEnum, EXISTS, 'text'))),
        Gio.IOErrorEnum, EXISTS, 'text');
    assertError(errorOf(attempt => attempt.return_error(new Gio.IOErrorEnum({code: EXISTS, message: 'text'}))),
        Gio.IOErrorEnum, EXISTS, 'text');
    assertError(errorOf(attempt => attempt.return_error(new QueueError({code: QueueError.FULL, message: 'full'}))),
        QueueError, QueueError.FULL, 'full');
    assertError(errorOf(attempt => {
        try {
            Gio.File.new_for_path('/nonexistent/file').load_contents(null);
        } catch (error) {
            attempt.return_error(error);
        }
    }), Gio.IOErrorEnum, NOT_FOUND);
    assert(errorOf(attempt => attempt.return_error_literal(QueueError.quark(), QueueError.FAILED, 'text')) instanceof QueueError);
    const error = errorOf(attempt =>
        attempt.return_error_literal(GLib.quark_from_string('test-domain'), -5, 'žluť'));
    assertEqual([GLib.quark_to_string(error.domain), error.code, error.message], ['test-domain', -5, 'žluť']);
    // The first report counts.
    assertEqual(errorOf(attempt => {
        fail(attempt);
        attempt.return_int(1);
    }).message, 'busy');
});

test('tasks', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(attempt => attempt.return_int(1), null);
    const tasks = queue.get_tasks();
    assertEqual(tasks.get_n_items(), 1);
    assert(tasks.get_item(0) === handle);
    queue.run(null);
    assertEqual(tasks.get_n_items(), 0);
});

test('retry after', () => {
    const numbers = [];
    const error = errorOf(attempt => {
        numbers.push(attempt.get_number());
        attempt.retry_after(0, new QueueError({code: QueueError.FULL, message: 'later'}));
    }, options({retries: 2, retryDelay: LONG}));
    assertError(error, QueueError, QueueError.FULL, 'later');
    assertEqual(numbers, [1, 2, 3]);
});

test('not found', async () => {
    const {message} = assertThrows(QueueError, QueueError.NOT_FOUND, () => Osiiso.Queue.new('no-such-backend'));
    for (const name of ['no-such-backend', 'main-loop', 'thread-pool'])
        assert(message.includes(name), message);
    assertThrows(QueueError, QueueError.NOT_FOUND, () => Osiiso.Backend.create('no-such-backend'));
    const queue = new Osiiso.Queue({backendName: 'no-such-backend'});
    assertEqual(queue.backend, null);
    for (const call of [() => queue.start(), () => queue.run(null), () => queue.submit(returnTen, null),
        () => queue.push(returnTen, null), () => queue.map(3, returnTen, null)])
        assertThrows(QueueError, QueueError.NOT_FOUND, call);
    await assertRejects(QueueError, QueueError.NOT_FOUND, queue.run_async(null));
});

test('invalid', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    for (const bad of [options({timeout: -1}), options({retries: -2}), options({delay: NaN})]) {
        for (const call of [() => bad.validate(), () => queue.submit(returnTen, bad), () => queue.push(returnTen, bad),
            () => queue.map(2, returnTen, bad), () => queue.new_group(null).submit(returnTen, bad)])
            assertThrows(QueueError, QueueError.INVALID, call);
    }
    queue.timeout = -1;
    assertThrows(QueueError, QueueError.INVALID, () => queue.run(null));
    await assertRejects(QueueError, QueueError.INVALID, queue.run_async(null));
});

test('busy', () => {
    const queue = Osiiso.Queue.new('main-loop');
    let n = 0;
    queue.connect('on-complete', () => {
        assertThrows(QueueError, QueueError.BUSY, () => queue.run(null));
        n++;
    });
    queue.submit(returnTen, null);
    queue.run(null);
    assertEqual(n, 1);
});

// ---- Worker threads

test('threads are refused', () => {
    const queue = Osiiso.Queue.new('thread-pool');
    const group = queue.new_group(null);
    let called = 0;
    const work = () => called++;
    for (const call of [() => queue.submit(work, null), () => queue.push(work, null),
        () => queue.set_initializer(work),
        () => queue.map(10, work, null), () => group.submit(work, null),
        () => queue.submit(work, options({retries: 3, name: 'name'}))]) {
        const {message} = assertThrows(QueueError, QueueError.NOT_SUPPORTED, call);
        assert(message.includes("'main-loop'"), message);
        assert(message.includes("'subprocess'"), message);
    }
    assertEqual(group.get_n_items(), 0);
    System.gc();
    queue.start();
    assertEqual(queue.run(null).total_submitted, 0);
    settle();
    assert(queue.shutdown(false, null));
    assertEqual(called, 0);
});

test('initializer', () => {
    const queue = Osiiso.Queue.new('main-loop');
    let called = 0;
    assert(queue.set_initializer(() => ++called === 1));
    const handles = [1, 2].map(() => queue.submit(attempt => attempt.return_int(called), null));
    queue.run(null).check();
    assertEqual(handles.map(handle => handle.get_value()), [1, 1]);
    assertThrows(QueueError, QueueError.BUSY, () => queue.set_initializer(null));
});

test('initializer throws', () => {
    const queue = Osiiso.Queue.new('main-loop');
    let fails = true;
    queue.set_initializer(() => {
        if (fails)
            throw new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');
        return true;
    });
    const handle = queue.submit(returnTen, options({mustComplete: true}));
    assertThrows(QueueError, QueueError.FAILED, () => queue.run(null).check());
    assertError(handle.dup_error(), Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'worker initializer failed: busy');
    fails = false;
    const second = queue.submit(returnTen, null);
    queue.run(null).check();
    assertEqual(second.get_value(), 10);
});

test('run_full', () => {
    const queue = new Osiiso.Queue({backendName: 'main-loop', workers: 1});
    const handles = [fail, returnTen].map(work => queue.submit(work, null));
    const summary = queue.run_full(LONG, Osiiso.FailPolicy.FAIL_FIRST, null);
    assertEqual(handles.map(handle => handle.status), [Status.FAILED, Status.CANCELLED]);
    assertEqual(summary.cancelled, 1);
    assertThrows(QueueError, QueueError.INVALID, () => queue.run_full(-1, Osiiso.FailPolicy.CONTINUE, null));
});

test('reset', () => {
    const queue = new Osiiso.Queue({backendName: 'main-loop', shutdownTimeout: LONG});
    const seen = [];
    queue.connect('notify::closed', () => seen.push(queue.closed));
    const handle = queue.submit(returnTen, null);
    assert(queue.shutdown(false, null));
    assert(queue.reset());
    assertEqual([handle.get_value(), queue.completed_count, queue.shutdown_timeout], [10, 0, LONG]);
    assertEqual(seen, [true, false]);
    const waiting = queue.submit(returnTen, null);
    assert(queue.reset());
    assertEqual(waiting.status, Status.CANCELLED);
});

// ---- Deferred attempts

test('promise', async () => {
    const queue = new Osiiso.Queue({backendName: 'main-loop', workers: 3});
    const later = value => new Promise(resolve => setTimeout(() => resolve(value), 0));
    let most = 0;
    const group = queue.map(10, attempt => {
        const kept = attempt.defer();
        later(attempt.get_index() * 2).then(value => {
            most = Math.max(most, queue.active_count);
            kept.return_int(value);
        });
    }, null);
    const rejected = queue.submit(attempt => {
        const kept = attempt.defer();
        (async () => {
            await later();
            throw new Error('rejected');
        })().catch(error => kept.return_error_literal(QueueError.quark(), QueueError.FAILED, error.message));
    }, null);
    const summary = await queue.run_async(null);
    assertEqual(items(group).map(handle => handle.get_value()), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    assertError(rejected.dup_error(), QueueError, QueueError.FAILED, 'rejected');
    assertEqual([summary.succeeded, summary.failed, most], [10, 1, 3]);
});

test('abandoned', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(attempt => {
        attempt.defer();
    }, null);
    queue.start();
    while (handle.status !== Status.RUNNING)
        GLib.MainContext.default().iteration(true);
    const over = handle.wait_async(null);
    // The wrappers of the attempt go, and the attempt with them.
    const collect = setInterval(() => System.gc(), 1);
    await over;
    clearInterval(collect);
    assertError(handle.dup_error(), QueueError, QueueError.ABANDONED);
});

// ---- Cancelling

// Gio.Cancellable has a method of its own with the name of the one for signals.
function onCancelled(attempt, handler) {
    GObject.Object.prototype.connect.call(attempt.get_cancellable(), 'cancelled', handler);
}

function assertCancelled(handle) {
    assertEqual(handle.status, Status.CANCELLED);
    assertError(handle.dup_error(), Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);
    assert(!handle.cancel());
}

test('cancel pending', () => {
    const queue = Osiiso.Queue.new('main-loop');
    let ran = 0;
    const handle = queue.submit(() => ran++, null);
    assert(handle.cancel());
    assertCancelled(handle);
    assertEqual(queue.dup_summary().cancelled, 1);
    queue.run(null);
    assertEqual(ran, 0);
});

test('cancel deferred', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    let kept, told = 0;
    const handle = queue.submit(attempt => {
        onCancelled(attempt, () => told++);
        kept = attempt.defer();
        setTimeout(() => handle.cancel(), 0);
    }, null);
    await queue.run_async(null);
    assertCancelled(handle);
    assertEqual([told, kept.get_cancellable().is_cancelled(), kept.is_open()], [1, true, false]);
    kept.return_int(1);
    assertEqual(handle.get_value(), null);
});

test('timeout', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    let told = 0, kept = null;
    const handle = queue.submit(attempt => {
        // Timeouts are watched in another thread, but this comes here.
        onCancelled(attempt, () => told++);
        kept = attempt.defer();
    }, options({timeout: 0.02}));
    await handle.wait_async(null);
    await turn();
    assertEqual(handle.status, Status.FAILED);
    assertError(handle.dup_error(), Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT);
    // On a busy machine the time may be over before the function is called.
    if (kept !== null)
        assertEqual([told, kept.is_open()], [1, false]);
});

test('progress', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    const seen = [];
    let kept;
    const handle = queue.submit(attempt => {
        attempt.set_progress(0.5, 'half');
        kept = attempt.defer();
    }, null);
    handle.connect('notify::progress', () => {
        seen.push([handle.progress, handle.status_text]);
        kept.return_none();
    });
    await queue.run_async(null);
    assertEqual(seen, [[0.5, 'half']]);
    assertEqual([handle.get_progress(), handle.dup_status_text()], [0.5, 'half']);
});

// ---- Properties and summaries

test('all properties are readable', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const group = queue.map(2, returnIndex, null);
    const summary = queue.run(null);
    for (const item of [queue, queue.backend, group, group.get_handle(0), summary, summary.get_item(0),
        new Osiiso.TaskOptions()]) {
        const pspecs = GObject.Object.list_properties.call(item.constructor.$gtype);
        assert(pspecs.length > 0);
        for (const {name, flags} of pspecs) {
            if (flags & GObject.ParamFlags.READABLE)
                assert(item[name.replaceAll('-', '_')] !== undefined, name);
        }
    }
});

function makeSummary() {
    const queue = new Osiiso.Queue({backendName: 'main-loop', workers: 1});
    const good = queue.submit(returnTen, options({name: 'good'}));
    const bad = queue.submit(fail, options({name: 'bad', groupId: 'id'}));
    const lost = queue.submit(returnTen, options({name: 'lost'}));
    queue.connect('on-start', () => lost.cancel());
    return {queue, good: good.task_id, bad: bad.task_id, lost: lost.task_id, summary: queue.run(null)};
}

test('summary', () => {
    const {queue, good, bad, lost, summary} = makeSummary();
    const ids = model => items(model).map(result => result.task_id);
    assertEqual([summary.total_submitted, summary.succeeded, summary.failed, summary.cancelled, summary.ok,
        summary.timed_out], [3, 1, 1, 1, false, false]);
    assert(summary.duration > 0);
    assertEqual(summary.get_item_type(), Osiiso.TaskResult.$gtype);
    assertEqual(ids(summary), [lost, good, bad]);
    assertEqual(ids(summary.successes()), [good]);
    assertEqual(ids(summary.errors()), [bad]);
    assertEqual(ids(summary.cancellations()), [lost]);
    assertEqual(ids(summary.by_name('good')), [good]);
    assertEqual(ids(summary.by_name('nobody')), []);
    assertEqual(ids(summary.by_group('id')), [bad]);
    assertEqual(ids(summary.by_group(null)), [lost, good]);
    assertEqual(summary.list_names(), ['lost', 'good', 'bad']);
    assertEqual(summary.list_groups(), ['id']);
    assertEqual(summary.by_task_id(bad).message, 'busy');
    assertEqual(summary.by_task_id(2 ** 50), null);
    const {message} = assertThrows(QueueError, QueueError.FAILED, () => summary.check());
    assert(message.includes('bad: busy'), message);
    for (const part of ['COMPLETED WITH ERRORS', 'bad', 'busy'])
        assert(summary.to_string().includes(part), summary.to_string());
    queue.submit(returnTen, null);
    assert(queue.run(null).check());
});

// ---- Backends

const InlineBackend = GObject.registerClass(class InlineBackend extends Osiiso.Backend {
    vfunc_get_capabilities() {
        return Osiiso.BackendCapabilities.FUNCTIONS | Osiiso.BackendCapabilities.CLOSURES;
    }

    vfunc_get_default_workers() {
        return 3;
    }

    vfunc_open() {
        this.calls = ['open'];
        return true;
    }

    // Called in the thread that submits or reports, which is always this one
    // as long as no timer makes a task runnable.
    vfunc_wake(_n) {
        this.calls.push('wake');
        let attempt;
        while ((attempt = this.take()) !== null)
            attempt.run();
    }

    vfunc_interrupt(attempt, reason) {
        this.calls.push([attempt.get_task_id(), reason]);
    }

    vfunc_close(_force) {
        this.calls.push('close');
        this.closed();
    }
});

const BrokenBackend = GObject.registerClass(class BrokenBackend extends Osiiso.Backend {
    vfunc_open() {
        throw new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'broken');
    }
});

test('backend', () => {
    assert(Osiiso.Backend.register('js-inline', InlineBackend.$gtype));
    assert(Osiiso.Backend.list_names().includes('js-inline'));
    const queue = Osiiso.Queue.new('js-inline');
    const {backend} = queue;
    assert(backend instanceof InlineBackend);
    assertEqual(backend.get_workers(), 3);
    const events = listen(queue);
    const retried = queue.submit(fail, options({retries: 1}));
    const group = queue.map(5, returnIndex, null);
    const summary = queue.run(null);
    assertEqual(kindsOf(events, retried), ['start', 'retry', 'start', 'complete']);
    assertEqual(items(group).map(handle => handle.get_value()), [0, 1, 2, 3, 4]);
    assertEqual([summary.succeeded, summary.failed], [5, 1]);

    let kept;
    queue.start();
    const lost = queue.submit(attempt => {
        kept = attempt.defer();
    }, null);
    assert(kept.is_open());
    assert(lost.cancel());
    assert(queue.shutdown(false, null));
    assertEqual(backend.calls.filter(call => call !== 'wake'),
        ['open', [lost.task_id, Osiiso.InterruptReason.CANCELLED], 'close']);
    assert(backend.calls.includes('wake'));
});

test('backend does not open', () => {
    const queue = Osiiso.Queue.new_with_backend(new BrokenBackend());
    assertThrows(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, () => queue.start());
    // It says nothing of closures, so it might call them anywhere.
    assertThrows(QueueError, QueueError.NOT_SUPPORTED, () => queue.submit(returnTen, null));
});

test('register', () => {
    Osiiso.Backend.register('js-broken', BrokenBackend.$gtype);
    assert(Osiiso.Backend.register('js-broken', BrokenBackend.$gtype));
    assertThrows(QueueError, QueueError.BUSY, () => Osiiso.Backend.register('js-broken', InlineBackend.$gtype));
    assertThrows(QueueError, QueueError.INVALID, () => Osiiso.Backend.register('No Name', InlineBackend.$gtype));
    assertThrows(QueueError, QueueError.INVALID, () => Osiiso.Backend.register('js-queue', Osiiso.Queue.$gtype));
    assertThrows(QueueError, QueueError.INVALID, () => Osiiso.Backend.register('js-abstract', Osiiso.Backend.$gtype));
});

// ---- Memory

// When one of the objects of a binding is finalized, it has no source any more.
function watch(item, property, targetProperty) {
    return item.bind_property(property, watch.target ??= new Osiiso.TaskOptions(), targetProperty,
        GObject.BindingFlags.DEFAULT);
}

function isAlive(binding) {
    return binding.dup_source() !== null;
}

test('objects go', () => {
    const watches = {};
    const alive = () => Object.keys(watches).filter(name => isAlive(watches[name]));
    const use = () => {
        const queue = Osiiso.Queue.new('main-loop');
        queue.connect('on-complete', () => {});
        const taskOptions = options({retries: 1, name: 'name'});
        const handle = queue.submit(fail, taskOptions);
        const group = queue.map(3, returnIndex, null);
        const value = Gio.SimpleAction.new('value', null);
        queue.submit(attempt => attempt.return_object(value), null);
        const summary = queue.run(null);
        watches.queue = watch(queue, 'workers', 'retries');
        watches.backend = watch(queue.backend, 'slice', 'timeout');
        watches.options = watch(taskOptions, 'name', 'name');
        watches.handle = watch(handle, 'index', 'retries');
        watches.group = watch(group, 'group-id', 'group-id');
        watches.member = watch(group.get_handle(0), 'index', 'retries');
        watches.value = watch(value, 'enabled', 'detached');
        watches.summary = watch(summary, 'ok', 'detached');
        watches.result = watch(summary.get_item(0), 'index', 'retries');
        assertEqual(alive().length, 9);
        assert(queue.shutdown(false, null));
    };
    use();
    settle();
    settle();
    assertEqual(alive(), []);
});

test('callbacks go', () => {
    // Submits a function that holds an object, and watches the object.
    const use = (queue, end) => {
        const held = Gio.SimpleAction.new('name', null);
        const work = attempt => {
            assert(held.enabled);
            if (end === 'failure')
                fail(attempt);
        };
        if (end === 'thread-pool') {
            assertThrows(QueueError, QueueError.NOT_SUPPORTED, () => queue.submit(work, null));
        } else if (end === 'shut down') {
            queue.shutdown(true, null);
            assertThrows(QueueError, QueueError.CLOSED, () => queue.submit(work, null));
        } else {
            const handle = queue.submit(work, null);
            if (end === 'cancel')
                handle.cancel();
            if (end !== 'never run')
                queue.run(null);
        }
        return watch(held, 'enabled', 'detached');
    };
    for (const end of ['success', 'failure', 'cancel', 'never run', 'shut down', 'thread-pool']) {
        const backend = end === 'thread-pool' ? end : 'main-loop';
        // One queue goes at once, the other stays.
        const queue = Osiiso.Queue.new(backend);
        const watches = [use(Osiiso.Queue.new(backend), end), use(queue, end)];
        settle();
        settle();
        assertEqual([end, ...watches.map(isAlive)], [end, false, end === 'never run']);
        assertEqual(queue.workers, 0);
    }
});

test('many tasks', async () => {
    // 2 000 tasks with collections in between.
    const queue = new Osiiso.Queue({backendName: 'main-loop', keepResults: false});
    const counts = {start: 0, complete: 0};
    queue.connect('on-start', () => counts.start++);
    queue.connect('on-complete', () => counts.complete++);
    let total = 0;
    for (let round = 0; round < 10; round++) {
        const handles = Array.from({length: 100}, (_, i) => queue.submit(returnTen, options({priority: i % 5})));
        const group = queue.map(100, returnIndex, null);
        System.gc();
        (await queue.run_async(null)).check();
        System.gc();
        for (const handle of [...handles, ...items(group)])
            total += handle.get_value();
    }
    assertEqual([total, counts.start, counts.complete], [10 * (100 * 10 + 4950), 2000, 2000]);
});

// ---- What there is

test('internals are hidden', () => {
    for (const name of ['Record', 'Scheduler', 'Outbox', 'Batch', 'Submission', 'Waiter', 'TestHooks',
        'private_test_hooks'])
        assertEqual(Osiiso[name], undefined);
    assertEqual(Osiiso.Attempt.prototype.return_new_error, undefined);
});

test('constants', () => {
    assertEqual([Osiiso.MAJOR_VERSION, Osiiso.MINOR_VERSION, Osiiso.MICRO_VERSION].join('.'), Osiiso.VERSION_S);
    assert(Osiiso.PRIORITY_MIN < Osiiso.PRIORITY_DEFAULT && Osiiso.PRIORITY_DEFAULT < Osiiso.PRIORITY_MAX);
    assertEqual(new Osiiso.TaskOptions().priority, Osiiso.PRIORITY_DEFAULT);
});

await main(ARGV);
