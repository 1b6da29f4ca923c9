# SPDX-License-Identifier: LGPL-2.1-or-later
"""osiiso.run(), and queues on other event loops."""
import asyncio
import importlib.util

import glib_loop
import pytest
from gi.repository import GLib

import osiiso
from osiiso import loop

@pytest.fixture(autouse=True)
def forget():
    loop.uvloop_available.cache_clear()
    yield
    loop.uvloop_available.cache_clear()


async def running():
    return asyncio.get_running_loop()


async def values():
    async with osiiso.AsyncQueue(workers=3) as queue:
        async def one(x):
            await asyncio.sleep(0)
            return x

        group = queue.group(one, range(30))
        return await group.values()


def pretend(monkeypatch, available):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec',
                        lambda name, *rest: (name if available else None) if name == 'uvloop' else real(name, *rest))


def test_value():
    async def seven():
        return 7

    assert osiiso.run(seven()) == 7


@pytest.mark.parametrize('debug', [True, False])
def test_debug(debug):
    async def ask():
        return asyncio.get_running_loop().get_debug()

    assert osiiso.run(ask(), debug=debug) is debug
    assert osiiso.run(ask()) is False


def test_never_uvloop():
    assert type(osiiso.run(running(), use_uvloop=False)).__module__.startswith('asyncio')
    assert osiiso.run(values(), use_uvloop=False) == tuple(range(30))


def test_uvloop_is_required(monkeypatch):
    import sys
    monkeypatch.setitem(sys.modules, 'uvloop', None)
    with pytest.raises(ImportError):
        osiiso.run(running(), use_uvloop=True)


def test_falls_back(monkeypatch):
    pretend(monkeypatch, False)
    assert type(osiiso.run(running())).__module__.startswith('asyncio')


def test_queue_on_uvloop():
    assert osiiso.run(values(), use_uvloop=True) == tuple(range(30))
    assert type(osiiso.run(running())).__module__ == 'uvloop'


def test_policy_is_left_alone():
    before = asyncio.get_event_loop_policy()
    osiiso.run(running())
    assert asyncio.get_event_loop_policy() is before


@pytest.mark.parametrize('available', [True, False])
def test_is_looked_up_once(monkeypatch, available):
    pretend(monkeypatch, available)
    assert loop.uvloop_available() is available
    pretend(monkeypatch, not available)
    assert loop.uvloop_available() is available


def test_the_loop_is_the_same_in_tasks(async_kind):
    """Whatever loop runs is used, and none is made."""
    loops = []

    async def ask():
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())

    async def main():
        before = asyncio.get_event_loop_policy()
        async with async_kind.new(workers=2) as queue:
            handles = [queue.submit(ask), queue.submit(lambda: loops.append(None)), queue.submit(ask, delay=.01)]
            await queue.join()
            assert [handle.status for handle in handles] == ['succeeded'] * 3
        assert asyncio.get_event_loop_policy() is before
        return asyncio.get_running_loop()

    running = async_kind.do(main())
    assert len(loops) == 5 and set(loops) == {running, None}


def test_sources_are_dispatched_meanwhile():
    """On a loop of GLib callbacks and tasks take turns."""
    seen = []

    async def main():
        done = asyncio.Event()

        def tick():
            seen.append(len(seen))
            if len(seen) == 3:
                done.set()
            return len(seen) < 3

        async with osiiso.AsyncQueue(workers=2) as queue:
            waiting = queue.submit(done.wait)
            GLib.timeout_add(1, tick)
            assert (await waiting).value is True

    with asyncio.Runner(loop_factory=glib_loop.new_event_loop) as runner:
        runner.run(main())
    assert seen == [0, 1, 2]


def test_tasks_are_cancelled_from_other_threads(async_kind):
    async def main():
        async with async_kind.new(workers=1) as queue:
            first = queue.submit(asyncio.sleep, 1000)
            second = queue.submit(asyncio.sleep, 1000)
            while first.status != 'running':
                await asyncio.sleep(0)
            assert await asyncio.to_thread(second.cancel) and await asyncio.to_thread(first.cancel)
            await queue.join()
            return first.status, second.status

    assert async_kind.do(main()) == ('cancelled', 'cancelled')
