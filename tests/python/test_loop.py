# SPDX-License-Identifier: LGPL-2.1-or-later
"""osiiso.run(), and queues on other event loops."""
import asyncio
import importlib.util

import pytest

import osiiso
from osiiso import loop

has_uvloop = importlib.util.find_spec('uvloop') is not None


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
    pytest.importorskip('uvloop')
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
