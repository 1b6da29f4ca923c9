# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running a program's coroutine."""
from __future__ import annotations

import asyncio
import functools
import importlib.util
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar('T')


@functools.cache
def uvloop_available() -> bool:
    """Whether uvloop can be imported; looked up once."""
    return importlib.util.find_spec('uvloop') is not None


def run(coro: Coroutine[Any, Any, T], *, use_uvloop: bool | None = None, debug: bool = False) -> T:
    """``asyncio.run()``, on uvloop when there is one.

    ``use_uvloop`` True insists on uvloop and raises ImportError without it, False
    never uses it. The event loop policy is left alone.
    """
    factory = None
    if use_uvloop or (use_uvloop is None and uvloop_available()):
        try:
            import uvloop
        except ImportError:
            coro.close()
            raise
        factory = uvloop.new_event_loop
    with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
        return runner.run(coro)
