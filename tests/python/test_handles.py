# SPDX-License-Identifier: LGPL-2.1-or-later
"""Handles and groups, of each kind of queue."""
import asyncio
import concurrent.futures
import functools
import threading

import pytest

import osiiso


def pending_error(kind):
    return asyncio.InvalidStateError if kind.is_async else RuntimeError


def cancelled_error(kind):
    return asyncio.CancelledError if kind.is_async else concurrent.futures.CancelledError


def test_states(kind, tmp_path):
    """Pending, running, retrying, succeeded; attempts count those that began."""
    with kind.opened(workers=1) as queue:
        gates = [tmp_path / name for name in 'abc']
        seen = []
        blocker = queue.submit(kind.work.pass_gate, str(gates[0]))
        handle = queue.submit(kind.work.flaky, str(tmp_path / 'calls'), 1, retries=1, retry_delay=.05)
        seen.append((handle.status, handle.attempts, handle.done(), handle.cancelled()))
        gates[0].touch()
        kind.until(lambda: handle.status == 'retrying')
        seen.append((handle.status, handle.attempts, handle.done()))
        kind.do(handle.wait())
        seen.append((handle.status, handle.attempts, handle.done(), handle.cancelled()))
        assert blocker.done()
        running = queue.submit(kind.work.pass_gate, str(gates[1]))
        kind.until(lambda: running.status == 'running')
        assert running.attempts == 1 and not running.done()
        gates[1].touch()
    assert seen == [('pending', 0, False, False), ('retrying', 1, False), ('succeeded', 2, True, False)]


def test_before_the_end(kind):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.double, 1)
        for call in (handle.result, handle.value, handle.exception):
            with pytest.raises(pending_error(kind), match='result not ready'):
                call()


def test_success(kind):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.double, 21)
        kind.do(queue.run())
        result = handle.result()
        assert handle.result() is result and result.value == 42
        assert handle.value() == 42 and handle.exception() is None
        assert kind.do(handle.wait()) is result


def test_failure(kind):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.boom, 'wrong')
        kind.do(queue.run())
        error = handle.exception()
        assert type(error) is ValueError and str(error) == 'wrong' and handle.result().exception is error
        with pytest.raises(ValueError) as raised:
            handle.value()
        assert raised.value is error and not handle.cancelled()


def test_cancellation(kind):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.double, 1)
        assert handle.cancel() and handle.cancelled() and handle.done()
        assert handle.exception() is None and handle.result().message == 'cancelled before execution'
        with pytest.raises(cancelled_error(kind), match='cancelled before execution'):
            handle.value()


def test_the_first_end_counts(kind):
    """What has ended cannot be cancelled, and what was cancelled stays so."""
    with kind.prepared(workers=1) as queue:
        done, cancelled = queue.submit(kind.work.double, 1), queue.submit(kind.work.double, 2)
        assert cancelled.cancel() and not cancelled.cancel()
        kind.do(queue.run())
        result = done.result()
        assert not done.cancel() and done.result() is result and done.status == 'succeeded'
        assert cancelled.status == 'cancelled'


def test_many_wait(kind, tmp_path):
    gate = tmp_path / 'gate'
    with kind.opened(workers=1) as queue:
        handle = queue.submit(kind.work.pass_gate, str(gate), 7)
        if kind.is_async:
            async def wait():
                waiters = [asyncio.ensure_future(handle.wait()) for _ in range(2)]
                await asyncio.sleep(0)
                gate.touch()
                return await asyncio.gather(*waiters)

            results = kind.do(wait())
        else:
            results = []
            threads = [threading.Thread(target=lambda: results.append(handle.wait())) for _ in range(2)]
            for thread in threads:
                thread.start()
            gate.touch()
            for thread in threads:
                thread.join()
    assert [result.value for result in results] == [7, 7] and results[0] is results[1]


def test_wait_with_a_timeout(sync_kind, tmp_path):
    with sync_kind.opened(workers=1) as queue:
        handle = queue.submit(sync_kind.work.pass_gate, str(tmp_path / 'gate'))
        for timeout in (0, .01):
            with pytest.raises(TimeoutError, match='result not ready'):
                handle.wait(timeout)
        (tmp_path / 'gate').touch()
        assert handle.wait(60).status == 'succeeded'


def test_callbacks(kind, caplog):
    """In the order of registration, once, at once when there is nothing to wait for."""
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.double, 4)
        heard = []

        def wrong(handle):
            heard.append('wrong')
            raise ValueError('in a callback')

        handle.add_done_callback(lambda handle: heard.append(handle.value()))
        handle.add_done_callback(wrong)
        handle.add_done_callback(lambda handle: heard.append('last'))
        assert heard == []
        kind.do(queue.run())
        assert heard == [8, 'wrong', 'last']
        handle.add_done_callback(lambda handle: heard.append('late'))
        assert heard[3:] == ['late']
    assert 'in a callback' in caplog.text and caplog.records[0].name == 'osiiso.handle'


def test_metadata(kind):
    data = {'source': object()}
    with kind.prepared(workers=1) as queue:
        plain, marked = queue.submit(kind.work.double, 1), queue.submit(kind.work.double, 1, metadata=data)
        assert plain.metadata is None and marked.metadata is data
        kind.do(queue.run())
        assert plain.result().metadata is None and marked.result().metadata is data


def test_repr(kind):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.double, 1)
        assert repr(handle) == f"{kind.handle_class.__name__}('double', status='pending', id={handle.task_id[:8]})"


# Groups.

def test_members(kind):
    with kind.prepared(workers=1) as queue:
        group = queue.group(kind.work.double, [1, 2, 3], group_id='g')
        assert len(group) == 3 and list(group) == list(group.handles) and isinstance(group.handles, tuple)
        assert [handle.name for handle in group] == ['double'] * 3 and group.group_id == 'g'
        assert len(queue.group(kind.work.double, [])) == 0
        kind.do(queue.run())
        assert [handle.value() for handle in group] == [2, 4, 6]


def test_cancel_counts(kind):
    with kind.prepared(workers=1) as queue:
        group = queue.group(kind.work.double, [1, 2, 3])
        group.handles[0].cancel()
        assert group.cancel() == 2 and group.cancel() == 0
        done = queue.group(kind.work.double, [1])
        kind.do(queue.run())
        assert done.cancel() == 0


def test_wait_gives_a_summary(kind):
    with kind.opened(workers=1) as queue:
        group = queue.group([(kind.work.double, 1), (kind.work.boom, 'x'), (kind.work.double, 2)], group_id='mixed')
        slow = queue.submit(kind.work.double, 9, delay=1000)
        slow.cancel()
        summary = kind.do(group.wait())
        assert isinstance(summary, osiiso.RunSummary) and not summary.timed_out and not summary.ok
        assert (summary.succeeded, summary.failed, summary.cancelled) == (2, 1, 0)
        assert [result.name for result in summary.results] == ['double', 'boom', 'double']


def test_wait_for_cancelled_members(kind):
    with kind.opened(workers=1) as queue:
        group = queue.group(kind.work.double, [1, 2], delay=1000)
        group.cancel()
        summary = kind.do(group.wait())
        assert summary.cancelled == 2 and not summary.ok
        with pytest.raises(osiiso.ExecutionError, match='2 task.s. cancelled'):
            kind.do(group.values())


def test_values(kind):
    with kind.opened(workers=2) as queue:
        group = queue.group(kind.work.double, [3, 1, 2])
        assert kind.do(group.values()) == (6, 2, 4)
        wrong = queue.group([(kind.work.double, 1), (kind.work.boom, 'x')])
        with pytest.raises(osiiso.ExecutionError, match='1 task.s. failed') as raised:
            kind.do(wrong.values())
        assert [result.name for result in raised.value.results] == ['boom']


def test_group_waits_for_the_last_one(kind, tmp_path):
    gate = tmp_path / 'gate'
    with kind.opened(workers=2) as queue:
        group = queue.group([(kind.work.double, 1), (kind.work.pass_gate, str(gate), 5)])
        kind.do(group.handles[0].wait())
        assert not group.handles[1].done()
        gate.touch()
        assert kind.do(group.values()) == (2, 5)


def test_group_with_a_timeout(sync_kind, tmp_path):
    """One limit for all members; what has ended is not lost."""
    gate = tmp_path / 'gate'
    with sync_kind.opened(workers=2) as queue:
        group = queue.group([(sync_kind.work.double, 1), (sync_kind.work.pass_gate, str(gate), 5)])
        for call in (group.wait, group.values):
            with pytest.raises(TimeoutError):
                call(.01)
        assert group.handles[0].wait().value == 2
        gate.touch()
        assert group.wait(60).ok and group.values(60) == (2, 5)


def test_group_and_threads(sync_kind, tmp_path):
    gates = [tmp_path / name for name in 'ab']
    with sync_kind.opened(workers=2) as queue:
        group = queue.group(sync_kind.work.pass_gate, [(str(gate), i) for i, gate in enumerate(gates)])
        threads = [threading.Thread(target=gate.touch) for gate in reversed(gates)]
        for thread in threads:
            thread.start()
        assert group.values() == (0, 1)
        for thread in threads:
            thread.join()


def test_names(kind):
    class Callable:
        def __call__(self):
            return 1

    class Nameless:
        def __await__(self):
            yield from ()

    with kind.prepared(workers=1) as queue:
        def name(fn, **options):
            return queue.submit(fn, **options).name

        assert name(kind.work.double) == 'double' and name(lambda: 1) == '<lambda>' and name(Callable()) == 'Callable'
        assert name(functools.partial(kind.work.double, 1)) == 'partial' and name(kind.work.double, name='own') == 'own'
        assert queue.map(kind.work.add, [(1, 2), {'a': 1}])[1].name == 'add'
        if kind.is_async:
            coro = kind.work.double(1)
            assert name(coro) == 'double' and name(Nameless()) == 'Nameless'
        handles = [queue.submit(kind.work.double, 1) for _ in range(3)]
        assert len({handle.task_id for handle in handles}) == 3
        assert all(len(handle.task_id) == 32 and int(handle.task_id, 16) for handle in handles)
