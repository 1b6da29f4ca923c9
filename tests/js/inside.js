// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls in a task that would wait for the task itself, and waits that hold no worker.
import {ExecutionError, Osiiso, Queue, QueueError} from '../../introspection/js/osiiso.js';
import {assert, assertEqual, main, test, turn} from '../bindings/tap.js';
import {makeGate, makeGatedTask, rejection} from './helpers.js';

async function assertRefused(promise, pattern) {
    const error = await rejection(promise);
    assert(error instanceof QueueError && error.code === Osiiso.QueueError.WOULD_DEADLOCK, `${error}`);
    assert(pattern.test(error.message), error.message);
}

const CALLS = {
    'run()': queue => queue.run(),
    'join()': queue => queue.join(),
    'shutdown()': queue => queue.shutdown(),
    'close()': queue => queue.close(),
};

for (const [name, call] of Object.entries(CALLS)) {
    const pattern = /^(run|join|shutdown)\(\) in task 'one' would wait for that task itself; wait for it outside of the task/;

    test(`${name} at the begin of a task`, async () => {
        const queue = new Queue();
        const handle = queue.submit(() => call(queue), {name: 'one'});
        await assertRefused(handle.value(), pattern);
        assertEqual(await queue.submit(() => 'goes on').value(), 'goes on');
    });

    test(`${name} later in a task`, async () => {
        const queue = new Queue();
        const helper = async () => {
            await turn();
            await call(queue);
        };
        const handle = queue.submit(async () => {
            await turn();
            for (let i = 0; i < 20; i++)
                await null;
            await Promise.all([helper()]);
        }, {name: 'one'});
        await assertRefused(handle.value(), pattern);
        assertEqual((await queue.run()).ok, true);
    });
}

test('during a run', async () => {
    const queue = new Queue();
    const handle = queue.submit(async () => {
        await turn();
        await queue.run();
    });
    const summary = await queue.run();
    assertEqual([summary.failed, handle.error.code], [1, Osiiso.QueueError.WOULD_DEADLOCK]);
});

test('each attempt, and a function of map () and of task ()', async () => {
    const queue = new Queue();
    const handle = queue.submit(() => queue.join(), {retries: 2});
    const group = queue.map(async () => {
        await null;
        await queue.join();
    }, [1, 2]);
    const bound = queue.task(() => queue.join())();
    await queue.run();
    assertEqual([handle.attempts, ...[handle, bound, ...group].map(each => each.error.code)],
        [3, ...new Array(4).fill(Osiiso.QueueError.WOULD_DEADLOCK)]);
});

test('where nothing waits for itself', async () => {
    const queue = new Queue();
    const other = new Queue();
    other.submit(() => 2);
    // Another queue; a callback that belongs to no task; a task that is over.
    assertEqual((await queue.submit(async () => (await other.run()).values).value()), [2]);
    const late = makeGate();
    const task = makeGatedTask();
    const handle = queue.submit(task.fn);
    await queue.submit(() => {
        turn().then(() => queue.join()).then(late.resolve, late.reject);
    }).value();
    task.open();
    await late.promise;
    assertEqual(handle.status, 'succeeded');

    const over = makeGate();
    const second = makeGate();
    const holding = makeGatedTask();
    queue.submit(holding.fn);
    await queue.submit(() => {
        (async () => {
            await over.promise;
            await queue.join();
        })().then(second.resolve, second.reject);
    }).value();
    over.resolve();
    await turn();
    holding.open();
    await second.promise;
});

test('a forced shutdown in a task', async () => {
    const queue = new Queue();
    const gate = makeGate();
    const handle = queue.submit(() => queue.shutdown({force: true}).then(gate.resolve, gate.reject));
    assertEqual(await handle.settled(), handle);
    await gate.promise;
    assertEqual([handle.status, queue.closed], ['cancelled', true]);
});

test('a task that waits for itself', async () => {
    const queue = new Queue();
    for (const call of [
        ctx => ctx.handle.value(),
        async ctx => {
            await turn();
            await ctx.handle.result();
        },
        ctx => ctx.handle.settled(),
    ])
        await assertRefused(queue.submit(call, {name: 'one'}).value(), /^(value|result|settled)\(\) in task 'one'/);
    for (const call of [
        group => group.values(),
        group => group.wait(),
        async group => {
            await turn();
            for await (const handle of group)
                assert(handle);
        },
    ]) {
        const group = queue.group('all');
        const handle = group.submit(() => call(group), {name: 'one'});
        await assertRefused(handle.value(), /in task 'one'/);
    }
});

test('tasks that wait for each other', async () => {
    const queue = new Queue();
    const other = new Queue();
    const handles = [];
    for (let i = 0; i < 3; i++) {
        handles.push((i === 1 ? other : queue).submit(async () => {
            await turn();
            return handles[(i + 1) % 3].value();
        }));
    }
    const results = await Promise.all(handles.map(handle => handle.result()));
    // The last one is refused, which is what the others are told.
    for (const {error} of results)
        assertEqual(error.code, Osiiso.QueueError.WOULD_DEADLOCK);

    // The same by a queue.
    const outer = queue.submit(() => other.join());
    const inner = other.submit(async () => {
        await turn();
        await outer.value();
    });
    await assertRefused(inner.value(), /^value\(\) in task/);
    assertEqual(await outer.value(), undefined);
});

test('a task that waits for others holds no worker', async () => {
    for (const workers of [1, 2, null]) {
        const queue = new Queue({workers});
        const before = queue.workers;
        const fib = async n => {
            if (n < 2)
                return n;
            const parts = [n - 1, n - 2].map(each => queue.submit(() => fib(each)).value());
            const [a, b] = await Promise.all(parts);
            return a + b;
        };
        assertEqual(await queue.submit(() => fib(9)).value(), 34);
        assertEqual([queue.workers, queue.object.workers], [before, before]);
    }
});

test('a task that waits for a group holds no worker', async () => {
    const queue = new Queue({workers: 1});
    const seen = [];
    await queue.submit(async () => {
        await turn();
        const group = queue.map(n => n, [1, 2, 3]);
        for await (const handle of group)
            seen.push(handle.currentValue);
        await queue.map(n => seen.push(n), [4, 5]).values();
        assertEqual((await queue.map(n => n, [6]).wait()).values, [6]);
        // What is set meanwhile stays.
        const inner = queue.submit(() => {
            queue.workers = 3;
            return queue.workers;
        });
        assertEqual(await inner.value(), 3);
    }).value();
    assertEqual([seen, queue.workers, queue.object.workers], [[1, 2, 3, 4, 5], 3, 3]);
});

test('a task that waits for room', async () => {
    const queue = new Queue({size: 2, workers: 1});
    // One place is its own; the other one is of a task that has yet to run.
    const outer = queue.submit(async () => {
        await turn();
        const first = await queue.submitAsync(() => 1);
        const second = await queue.submitAsync(() => 2);
        return [await first.value(), await second.value()];
    });
    assertEqual(await outer.value(), [1, 2]);

    queue.size = 1;
    await assertRefused(queue.submit(async () => {
        await turn();
        await queue.submitAsync(() => 3);
    }, {name: 'one'}).value(), /^submitAsync\(\) in task 'one' would wait for places that .* \(size 1\)$/);
    assertEqual([queue.workers, await (await queue.submitAsync(() => 4)).value()], [1, 4]);

    queue.size = 2;
    const both = await Promise.all([1, 2].map(n => queue.submit(async () => {
        await turn();
        return (await queue.submitAsync(() => n)).status;
    }, {priority: 0}).result()));
    assertEqual(both.map(result => result.status).sort(), ['failed', 'succeeded']);
});

test('more tasks than can be marked', async () => {
    const queue = new Queue({workers: 5000});
    const gates = Array.from({length: 3000}, makeGatedTask);
    const group = queue.map(gate => gate.fn(), gates);
    queue.start();
    await Promise.all(gates.map(gate => gate.begun));
    gates.forEach(gate => gate.open());
    assertEqual((await group.wait()).succeeded, 3000);
    const error = await rejection(queue.submit(() => queue.run()).value());
    assertEqual(error.code, Osiiso.QueueError.WOULD_DEADLOCK);
});

test('a strict run tells what was refused', async () => {
    const queue = new Queue();
    queue.submit(() => queue.close(), {name: 'one'});
    const error = await rejection(queue.run({strict: true}));
    assert(error instanceof ExecutionError && /close|shutdown\(\) in task 'one'/.test(error.message), error.message);
});

await main(ARGV);
