# SPDX-License-Identifier: LGPL-2.1-or-later
"""Submitting only what a checkpoint does not have yet."""
from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from .checkpoint import Checkpoint, Hit, canonical_key
from .handle import BaseHandle, name_of
from .options import TaskOptions

if TYPE_CHECKING:
    from .base import BaseQueue

log = logging.getLogger('osiiso.checkpoint')

H = TypeVar('H', bound=BaseHandle)


def map_with_checkpoint(queue: BaseQueue[H, Any], fn: Callable[..., Any], iterable: Iterable[Any],
                        options: TaskOptions, checkpoint: Checkpoint, key: Callable[[Any], object] | None,
                        namespace: str | None) -> list[H]:
    """``map()``, where what was done before is not done again."""
    _check(checkpoint)
    entries = list(iterable)
    keys = [_key_of(entry, key) for entry in entries]
    return _resume(queue, queue._handles_for(fn, entries, options), keys, checkpoint, namespace or name_of(fn))


def group_with_checkpoint(queue: BaseQueue[H, Any], tasks: Any, iterable: Iterable[Any] | None,
                          options: TaskOptions, checkpoint: Checkpoint, key: Callable[[Any], object] | None,
                          namespace: str | None, group_id: str | None) -> list[H]:
    """The same for ``group()``."""
    _check(checkpoint)
    if iterable is not None:
        queue._check_callable(tasks, options)
        return map_with_checkpoint(queue, tasks, iterable, options, checkpoint, key, namespace)
    entries = list(tasks)
    handles = queue._handles_of(entries, options)
    space = namespace or group_id
    if space is None:
        raise ValueError('a group of different callables needs namespace= or group_id= for its checkpoint')
    if key is not None:
        keys = [str(key(entry)) for entry in entries]
    else:
        keys = [canonical_key([name_of(entry[0]), list(entry[1:])]) for entry in entries]
    return _resume(queue, handles, keys, checkpoint, space)


def _check(checkpoint: Any) -> None:
    if not hasattr(checkpoint, 'lookup'):
        hint = f'; Checkpoint({checkpoint!r}) makes one' if isinstance(checkpoint, (str, os.PathLike)) else ''
        raise TypeError(f'checkpoint must be a Checkpoint, not {checkpoint!r}{hint}')


def _key_of(entry: Any, key: Callable[[Any], object] | None) -> str:
    return canonical_key(entry) if key is None else str(key(entry))


def _resume(queue: BaseQueue[H, Any], handles: list[H], keys: list[str], checkpoint: Checkpoint,
            namespace: str) -> list[H]:
    hits = checkpoint.lookup(namespace, keys)
    missing: list[H] = []
    for handle, key in zip(handles, keys):
        hit = hits.get(key)
        if hit is not None:
            _restore(handle, hit)
        else:
            handle.add_done_callback(_recorder(checkpoint, namespace, key))
            missing.append(handle)
    queue._submit_all(missing)
    return handles


def _restore(handle: BaseHandle, hit: Hit) -> None:
    message = 'restored from checkpoint'
    if not hit.has_value:
        message += ' (value not retained)'
    handle._finish('succeeded', hit.value, None, message, time.perf_counter())


def _recorder(checkpoint: Checkpoint, namespace: str, key: str) -> Callable[[Any], None]:
    def record(handle: BaseHandle) -> None:
        if handle.status != 'succeeded':
            return
        try:
            checkpoint.record(namespace, key, handle.value(), name=handle.name)
        except Exception:
            log.exception('%r was done, but it could not be recorded', handle)

    return record
