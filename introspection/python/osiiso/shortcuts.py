# SPDX-License-Identifier: LGPL-2.1-or-later
"""One call for one batch: a queue is made, used and closed."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .asyncqueue import AsyncQueue
from .sync import SyncQueue
from .threadqueue import ThreadQueue

if TYPE_CHECKING:
    from .checkpoint import Checkpoint


async def amap(fn: Callable[..., Any], iterable: Iterable[Any], *, workers: int | None = None,
               rate: float | None = None, timeout: float | None = None, checkpoint: Checkpoint | None = None,
               key: Callable[[Any], object] | None = None, namespace: str | None = None,
               **options: Any) -> tuple[Any, ...]:
    """Calls ``fn`` for each element on the running event loop; the values, in order.

    ``timeout`` is for all of it. ExecutionError if a call has failed.
    """
    async with AsyncQueue(workers=workers, rate=rate) as queue:
        group = queue.group(fn, iterable, checkpoint=checkpoint, key=key, namespace=namespace, **options)
        await queue.run(timeout)
        return await group.values()


def tmap(fn: Callable[..., Any], iterable: Iterable[Any], *, workers: int | None = None,
         rate: float | None = None, timeout: float | None = None, checkpoint: Checkpoint | None = None,
         key: Callable[[Any], object] | None = None, namespace: str | None = None,
         **options: Any) -> tuple[Any, ...]:
    """Calls ``fn`` for each element in threads; the values, in order.

    ``timeout`` is for all of it. ExecutionError if a call has failed.
    """
    return _map(ThreadQueue(workers=workers, rate=rate), fn, iterable, timeout, checkpoint, key, namespace, options)


def pmap(fn: Callable[..., Any], iterable: Iterable[Any], *, workers: int | None = None,
         rate: float | None = None, timeout: float | None = None, checkpoint: Checkpoint | None = None,
         key: Callable[[Any], object] | None = None, namespace: str | None = None, context: Any = None,
         initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = (),
         **options: Any) -> tuple[Any, ...]:
    """Calls ``fn`` for each element in processes; the values, in order.

    ``timeout`` is for all of it. ExecutionError if a call has failed.
    """
    from .processqueue import ProcessQueue
    return _map(ProcessQueue(workers=workers, rate=rate, context=context, initializer=initializer,
                             initargs=initargs),
                fn, iterable, timeout, checkpoint, key, namespace, options)


def _map(queue: SyncQueue, fn: Callable[..., Any], iterable: Iterable[Any], timeout: float | None,
         checkpoint: Checkpoint | None, key: Callable[[Any], object] | None, namespace: str | None,
         options: dict[str, Any]) -> tuple[Any, ...]:
    with queue:
        group = queue.group(fn, iterable, checkpoint=checkpoint, key=key, namespace=namespace, **options)
        queue.run(timeout)
        return group.values()
