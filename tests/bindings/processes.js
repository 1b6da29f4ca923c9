// SPDX-License-Identifier: LGPL-2.1-or-later
// Functions in other processes: introspection/js/process-pool.js.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Osiiso from 'gi://Osiiso?version=1';

import {
    CallHandle, CancelledError, ClosedError, CrashedError, ProcessPool, Queue, QueueError, TimeoutError, resolve,
} from '../../introspection/js/osiiso.js';
import {assert, assertEqual, main, test} from './tap.js';

const MODULE = resolve('./process-functions.js', import.meta.url);

async function withPool(options, func) {
    const pool = new ProcessPool({module: MODULE, workers: 2, ...options});
    try {
        await func(pool);
    } finally {
        await pool.close({force: true});
    }
}

function poolTest(name, func, options = {}) {
    test(name, () => withPool(options, func));
}

async function rejection(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    throw new Error('the promise was not rejected');
}

function thrown(func) {
    try {
        func();
    } catch (error) {
        return error;
    }
    throw new Error('nothing was thrown');
}

// ---- Calls

poolTest('call', async pool => {
    assertEqual(await pool.call('add', 1, 2), 3);
    assertEqual(await pool.call('addAsync', 'a', 'b'), 'ab');
    assertEqual(await pool.call('nothing'), undefined);
    assertEqual(await Promise.all([1, 2, 3, 4].map(i => pool.call('add', i, i))), [2, 4, 6, 8]);
});

poolTest('map', async pool => {
    assertEqual(await pool.map('square', [1, 2, 3]), [1, 4, 9]);
    assertEqual(await pool.map('square', new Set([4])), [16]);
    assertEqual(await pool.map('square', []), []);
    const error = await rejection(pool.map('odd', [1, 3, 4, 5]));
    assertEqual([error.name, error.message], ['RangeError', '4 is even']);
});

poolTest('other processes', async pool => {
    const folder = GLib.dir_make_tmp('osiiso-XXXXXX');
    const pids = new Set(await pool.map('meet', [folder, folder]));
    assertEqual([pids.size, pids.has(new Gio.Credentials().get_unix_pid())], [2, false]);
    pids.forEach(pid => GLib.unlink(`${folder}/${pid}`));
    GLib.rmdir(folder);
});

poolTest('handle', async pool => {
    const handle = pool.submit('add', [1, 2], {name: 'three'});
    assert(handle instanceof CallHandle && handle.taskId > 0);
    assertEqual(handle.name, 'three');
    assertEqual(await handle.value(), 3);
    assertEqual([handle.status, handle.attempts, handle.cancel(), handle.finished >= handle.started], ['succeeded', 1, false, true]);
});

poolTest('a worker that waits leaves the processor alone', async pool => {
    const before = await pool.call('cpuTime');
    await new Promise(resolve => setTimeout(resolve, 500));
    const used = await pool.call('cpuTime') - before;
    assert(used < 0.2, `${used} s of 0.5`);
}, {workers: 1});

// ---- Failures

poolTest('errors', async pool => {
    const error = await rejection(pool.call('fail', 'message'));
    assert(error instanceof RangeError);
    assertEqual([error.name, error.message, error.extra, error.cause.why], ['RangeError', 'message', 7n, 'cause']);
    assert(error.stack.includes('process-functions.js'), error.stack);

    const own = await rejection(pool.call('failOwn'));
    assert(own instanceof Error);
    assertEqual([own.name, own.message], ['OwnError', 'own']);
    assertEqual(await rejection(pool.call('failValue')), 'just a text');
    const ofGio = await rejection(pool.call('failGio'));
    assert(ofGio.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY));
    assertEqual(ofGio.message, 'busy');
    // It has what no text can tell.
    const strange = await rejection(pool.call('failStrange'));
    assertEqual([strange.name, strange.message], ['Error', 'strange']);
});

test('each retry is told once', async () => {
    const events = new Map();
    const note = (handle, what) => {
        events.set(handle, [...events.get(handle) ?? [], what]);
    };
    const pool = new ProcessPool({module: MODULE, workers: 2, onStart: handle => note(handle, 'start'),
        onRetry: (handle, error) => note(handle, error.message)});
    const retries = n => `attempt ${n} of fail has failed`;
    const handles = Array.from({length: 50}, () => pool.submit('fail', ['no'], {retries: 3}));
    await Promise.all(handles.map(handle => handle.settled()));
    await pool.close();
    for (const handle of handles) {
        const told = events.get(handle);
        assertEqual(told.filter(what => what !== 'start'), [1, 2, 3].map(retries));
        // What was given back before it ran is told to begin again.
        assert(told[0] === 'start' && told.at(-1) === 'start' && told.length >= 7, told.join(', '));
    }
});

poolTest('what cannot be called', async pool => {
    const missing = await rejection(pool.call('missing'));
    assert(missing.message.includes("exports no function 'missing'"), missing.message);
    assert((await rejection(pool.call('notFunction'))).message.includes('notFunction'));
    const other = new ProcessPool({module: 'file:///nowhere/module.js', workers: 1});
    assert((await rejection(other.call('f'))).message.includes('/nowhere/module.js'));
    await other.close();
});

poolTest('objects of plain values', async pool => {
    const sent = [Object(5), Object('x'), Object(false), Object(5n)];
    const found = await pool.call('echo', sent);
    assertEqual(found.map(each => Object.getPrototypeOf(each)), sent.map(each => Object.getPrototypeOf(each)));
    assertEqual(found.map(each => each.valueOf()), [5, 'x', false, 5n]);
});

poolTest('values that cannot be sent', async pool => {
    const error = thrown(() => pool.submit('echo', [{a: [1, () => 1]}]));
    assert(error instanceof TypeError);
    assertEqual(error.message, 'arguments[0].a[1] cannot be sent to another process: a function');
    const symbol = thrown(() => pool.submit('echo', [Object(Symbol('s'))]));
    assertEqual([symbol.name, symbol.message], ['TypeError', 'arguments[0] cannot be sent to another process: an object of Symbol']);
    const back = await rejection(pool.call('returnFunction'));
    assert(back instanceof TypeError && back.message.includes("a function ('inner')"), back.message);
});

poolTest('a process that dies', async pool => {
    const error = await rejection(pool.call('die'));
    assert(error instanceof CrashedError && error instanceof QueueError);
    assertEqual([error.name, error.code, error.details.signal], ['CrashedError', Osiiso.QueueError.CRASHED, 9]);
    assert(error.cause instanceof GLib.Error);
    assertEqual(await pool.call('add', 1, 2), 3);
});

poolTest('a process that exits', async pool => {
    for (const name of ['exitAtOnce', 'exitLater', 'exitOld']) {
        const error = await rejection(pool.call(name, 3));
        assert(error instanceof CrashedError, `${name}: ${error}`);
        assertEqual(error.details['exit-status'], 3);
    }
    assertEqual(await pool.call('add', 1, 2), 3);
}, {workers: 1});

poolTest('retries', async pool => {
    const [path, file] = Gio.File.new_tmp('osiiso-XXXXXX');
    const handle = pool.submit('failTwice', [path.get_path()], {retries: 5});
    assertEqual([await handle.value(), handle.attempts], [3, 3]);
    file.close(null);
    path.delete(null);
});

poolTest('timeout', async pool => {
    const error = await rejection(pool.submit('wait', [], {timeout: 0.05}).value());
    assert(error instanceof TimeoutError, error.message);
    assertEqual(await pool.call('add', 1, 2), 3);
}, {graceTime: 0.1});

poolTest('cancel', async pool => {
    const seen = [];
    const handle = pool.submit('wait', [], {
        onProgress: (fraction, text) => {
            seen.push(text);
            assertEqual(handle.status, 'running');
            assert(handle.cancel());
        },
    });
    const error = await rejection(handle.value());
    assert(error instanceof CancelledError, error.message);
    assertEqual([handle.status, seen], ['cancelled', ['waits']]);

    const cancellable = new Gio.Cancellable();
    const other = pool.submit('wait', [], {cancellable, onProgress: () => cancellable.cancel()});
    assert(await rejection(other.value()) instanceof CancelledError);
});

poolTest('progress', async pool => {
    const seen = [];
    const handle = pool.submit('progress', [], {onProgress: (...args) => seen.push(args)});
    await handle.value();
    assertEqual([handle.progress, handle.statusText], [1, 'last']);
    assert(seen.every(([fraction, text]) => fraction === 1 ? text === 'last' : text === 'more'));
});

poolTest('context', async pool => {
    const handle = pool.submit('tellContext', [], {name: 'told', onProgress: () => {}});
    assertEqual(await handle.value(), [1, 0, 'told', false, false]);
    assertEqual([handle.progress, handle.statusText], [0.25, 'quarter']);
    for (const wrong of [2, -1, NaN, 'half', undefined]) {
        const error = await rejection(pool.call('progressTo', wrong));
        assert(error instanceof RangeError && error.message.includes(`got ${wrong}`), error.message);
    }
});

// Nobody ends it by force within an hour.
poolTest('cancel what asks', async pool => {
    const pid = await pool.call('getPid');
    const handle = pool.submit('waitForCancel', [], {onProgress: () => handle.cancel()});
    assert(await rejection(handle.value()) instanceof CancelledError);
    assertEqual(await pool.call('getPid'), pid);
}, {workers: 1, graceTime: 3600});

// ---- Queues

test('queue', async () => {
    const events = [];
    const queue = new Queue({
        backend: 'subprocess', workers: 2,
        onStart: handle => events.push(`start ${handle.name}`),
        onComplete: handle => events.push(`complete ${handle.name} ${handle.status}`),
        onRetry: (handle, error) => events.push(`retry ${handle.name} ${error.message}`),
    });
    const handle = queue.call(MODULE, 'add', [1, 2]);
    assertEqual([handle.status, handle.attempts, handle.progress, handle.name], ['pending', 0, 0, 'add']);
    const failing = queue.call(MODULE, 'fail', ['bad'], {retries: 1, name: 'failing'});
    const summary = await queue.run();
    assertEqual([summary.succeeded, summary.failed, handle.currentValue, failing.error.message], [1, 1, 3, 'bad']);
    assertEqual(events.filter(event => event.includes('failing')),
        ['start failing', 'retry failing attempt 1 of failing has failed', 'start failing', 'complete failing failed']);
    assert(events.includes('complete add succeeded'));

    const group = queue.mapCalls(MODULE, 'square', [1, 2, 3, 'ä']);
    const seen = [];
    for await (const member of group)
        seen.push(member.index);
    assertEqual([seen.sort(), group.at(2).currentValue], [[0, 1, 2, 3], 9]);
    assertEqual(group.at(3).currentValue, NaN);
    await queue.close();

    const error = thrown(() => new Queue().call(MODULE, 'add', [1, 2]));
    assert(error instanceof QueueError && error.code === Osiiso.QueueError.NOT_SUPPORTED, error.message);
});

// ---- Options

test('options', () => {
    for (const [options, part] of [
        [{}, 'module must be'], [{module: 5}, 'got 5'], [{module: './work.js'}, "resolve('./work.js', import.meta.url)"],
        [{module: 'work.js'}, "got 'work.js'"], [{module: MODULE, wrokers: 2}, "unknown option 'wrokers'"],
        [null, 'must be an object'], [{module: MODULE, nice: 20}, 'nice must be a whole number from -20 to 19; got 20'],
        [{module: MODULE, graceTime: '1'}, "graceTime must be seconds from 0 to 3600; got '1'"],
        [{module: MODULE, workers: -1}, 'workers must be'], [{module: MODULE, env: 5}, 'env must be an object; got 5'],
        [{module: MODULE, window: 1.5}, 'got 1.5'], [{module: 'http://x/y.js'}, "got 'http://x/y.js'"],
        [{module: MODULE, env: {A: 5}}, 'env.A must be a string or null; got 5'], [{module: MODULE, env: {'A=B': 'c'}}, "'A=B'"],
    ]) {
        const error = thrown(() => new ProcessPool(options));
        assert((error instanceof TypeError || error instanceof RangeError) && error.message.includes(part), error.message);
    }
});

poolTest('options of calls', pool => {
    for (const [args, part] of [
        [['add', [1], {retry: 5}], "unknown option 'retry'"], [['add', 5], 'must be an array; got 5'],
        [[''], 'must be a string'], [['add', [], 7], 'must be an object; got 7'],
        [['add', [], {onProgress: 1}], 'must be a function; got 1'], [['add', [], {retries: -1}], 'got -1'],
        [['add', [], {retryOn: RangeError}], 'retryOn'],
    ]) {
        const error = thrown(() => pool.submit(...args));
        assert((error instanceof TypeError || error instanceof RangeError) && error.message.includes(part), error.message);
    }
});

poolTest('environment', async pool => {
    assertEqual(await pool.call('getenv', 'OSIISO_TEST_NAME'), 'value');
}, {env: {OSIISO_TEST_NAME: 'value'}});

// ---- The end

poolTest('close', async pool => {
    const handle = pool.submit('add', [1, 2]);
    await pool.close();
    assertEqual(await handle.value(), 3);
    assert(thrown(() => pool.submit('add', [1, 2])) instanceof ClosedError);
    await pool.close();
});

poolTest('close by force', async pool => {
    const handle = pool.submit('wait', []);
    await pool.close({force: true});
    assert(await rejection(handle.value()) instanceof CancelledError);
}, {graceTime: 0.1});

await main(ARGV);
