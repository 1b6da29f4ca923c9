# SPDX-License-Identifier: LGPL-2.1-or-later
"""The override of gi.repository.Osiiso keeps nothing of what is over."""
import asyncio
import gc
import weakref

import gi
import pytest

gi.require_version('Osiiso', '1')
from gi.overrides import _osiiso_calls as module  # noqa: E402
from gi.repository import GLib, Osiiso  # noqa: E402

N = 5000


def fail():
    raise ValueError('wrong')


def failing(queue):
    for _ in range(N):
        queue.submit(fail)


def raw(queue):
    for _ in range(N):
        queue.submit(lambda attempt, *_: attempt.return_int(3), options=None)


def raw_failing(queue):
    for _ in range(N):
        queue.submit(lambda attempt, *_: fail(), options=None)


def submit(queue):
    for _ in range(N):
        queue.submit(abs, -1)


def push(queue):
    for _ in range(N):
        queue.push(abs, -1)


def group(queue):
    group = queue.new_group(None)
    for _ in range(N):
        group.submit(abs, -1)


def maps(queue):
    for _ in range(N // 10):
        queue.map(abs, range(10))


def awaits(queue):
    async def main():
        queue.start()
        for _ in range(N):
            await queue.submit(abs, -1)

    asyncio.run(main())


def callbacks(queue):
    left = [N]

    def done(handle, result):
        left[0] -= handle.wait_finish(result)

    queue.start()
    for _ in range(N):
        queue.submit(abs, -1).wait_async(None, done)
    while left[0]:
        GLib.MainContext.default().iteration(True)


def memory():
    gc.collect()
    with open('/proc/self/statm') as numbers:
        return int(numbers.read().split()[1]) * 4


@pytest.mark.parametrize('work', [submit, failing, raw, raw_failing, push, group, maps, awaits, callbacks])
def test_nothing_is_left(work):
    queue = Osiiso.Queue(backend_name='thread-pool', workers=2)
    queue.set_keep_results(False)
    others = set(module.calls)

    def once():
        work(queue)
        queue.run()
        while GLib.MainContext.default().iteration(False):
            pass
        queue.clear_results()

    once()
    growths = []
    for _ in range(6):
        before = memory()
        for _ in range(4):
            once()
        growths.append(memory() - before)
        if growths[-1] < 800:
            break
    # A callback for each leaves two megabytes on Debian 12, an exception twenty, each
    # time; what the heap is short of is taken once.
    assert growths[-1] < 800, growths
    assert not module.calls.keys() - others and not module.waits
    queue.shutdown()


def test_queues_and_groups_are_forgotten():
    for _ in range(20):
        queue = Osiiso.Queue.new('thread-pool')
        queue.new_group(None).submit(abs, 1)
        queue.run()
        queue.shutdown()
    place = hash(queue)
    assert place in module.queues.list()
    del queue
    gc.collect()
    assert len(module.queues.list()) < 20 and not module.groups.list()


def test_a_value_goes_with_its_handle():
    class Thing:
        pass

    queue = Osiiso.Queue.new('thread-pool')
    queue.set_keep_results(False)
    handle = queue.submit(Thing)
    queue.run()
    thing = weakref.ref(handle.result())
    assert thing() is not None
    del handle
    queue.shutdown()
    gc.collect()
    assert thing() is None


def test_an_exception_on_its_way_survives_the_end_of_a_queue():
    """And no place is known of what is gone, as something else may be there."""
    gc.collect()
    known = module.queues.list(), module.groups.list()

    def fail():
        return Osiiso.Queue.new('thread-pool'), fail.missing

    for _ in range(200):
        # What is on the stack of the function goes when it is left by the exception.
        with pytest.raises(AttributeError, match='missing') as caught:
            fail()
        del caught
    gc.collect()
    assert (module.queues.list(), module.groups.list()) == known
