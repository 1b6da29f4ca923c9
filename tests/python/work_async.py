# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same as coroutine functions."""
import asyncio
import os

import work_sync


async def double(x):
    return work_sync.double(x)


async def add(a, b=10):
    return work_sync.add(a, b)


async def boom(text='boom'):
    work_sync.boom(text)


async def nap(seconds, value=None):
    await asyncio.sleep(seconds)
    return value


async def mark(path, word):
    return work_sync.mark(path, word)


async def stamp(path):
    return work_sync.stamp(path)


async def flaky(path, failures):
    return work_sync.flaky(path, failures)


async def pass_gate(path, value=None):
    while not os.path.exists(path):
        await asyncio.sleep(0.002)
    return value


async def arrive(here, gate, value=None):
    work_sync.mark(here, 'here')
    return await pass_gate(gate, value)


async def identity(x):
    return x


async def describe(*args, **kwargs):
    return args, kwargs
