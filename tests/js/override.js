// SPDX-License-Identifier: LGPL-2.1-or-later
// What the override adds to the raw namespace; GJS_PATH says where it is.
import Gio from 'gi://Gio';
import Osiiso from 'gi://Osiiso?version=1';

import {assert, assertEqual, assertRejects, main, test} from '../bindings/tap.js';

function assertThrowsType(func) {
    try {
        func();
    } catch (error) {
        assert(error instanceof TypeError, `${error}`);
        return;
    }
    throw new Error('nothing was thrown');
}

test('methods that can be awaited', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    const handle = queue.submit(attempt => attempt.return_int(7), null);
    assert(await queue.join_async(null));
    assertEqual(handle.get_value(), 7);
    const other = queue.submit(attempt => attempt.return_string('text'), null);
    assert(await other.wait_async(null));
    queue.submit(() => {}, null);
    const summary = await queue.run_async(null);
    assertEqual(summary.succeeded, 1);
    assert(`${summary}`.includes('Run Summary: PASSED'));
    await queue.shutdown_async(false, null);
    await assertRejects(Osiiso.QueueError, Osiiso.QueueError.CLOSED, queue.run_async(null));
});

test('callbacks all the same', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    queue.submit(() => {}, null);
    const summary = await new Promise((resolve, reject) => queue.run_full_async(0, Osiiso.FailPolicy.CONTINUE, null, (_queue, result) => {
        try {
            resolve(queue.run_full_finish(result));
        } catch (error) {
            reject(error);
        }
    }));
    assertEqual(summary.succeeded, 1);
});

test('submissions that wait for room', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    const work = attempt => attempt.return_int(7);
    queue.set_size(1);
    const group = queue.new_group(null);
    // Those behind the first one wait.
    const [id, handle, mapped, member] = await Promise.all([
        queue.push_async(work, null, null), queue.submit_async(work, null, null), queue.map_async(1, work, null, null),
        group.submit_async(work, null, null),
    ]);
    await queue.join_async(null);
    assert(id > 0);
    assertEqual([handle, mapped.get_handle(0), member].map(each => each.get_value()), [7, 7, 7]);

    queue.set_runner((_token, task) => {
        queue.token_done(task, 1);
        return task;
    });
    const ids = [await queue.submit_token_async(1, null, null), ...await queue.submit_tokens_async(2, 1, null, null)];
    assertEqual(new Set([id, 0, ...ids]).size, 4);
    await assertRejects(Osiiso.QueueError, Osiiso.QueueError.FULL, queue.submit_tokens_async(3, 2, null, null));
    assertThrowsType(() => queue.submit_tokens_finish(null));

    const called = await new Promise(resolve => queue.push_async(work, null, null, (_queue, result) =>
        resolve(queue.push_finish(result))));
    assert(called > ids[1]);
    await queue.shutdown_async(false, null);
});

test('members of a group', async () => {
    const queue = Osiiso.Queue.new('main-loop');
    const group = queue.map(3, attempt => attempt.return_int(attempt.get_index()), null);
    const first = group.next_completed_async(new Gio.Cancellable());
    assert(await first instanceof Osiiso.Handle);
    await group.wait_async(null);
    assertEqual([...group].map(handle => handle.get_value()), [0, 1, 2]);
});

test('the module', async () => {
    const {Osiiso: same, Queue} = await Osiiso.importModule();
    assertEqual(same, Osiiso);
    assert(Osiiso.moduleUri.endsWith('/osiiso.js'));
    assertEqual(await new Queue().submit(() => 1).value(), 1);
});

await main(ARGV);
