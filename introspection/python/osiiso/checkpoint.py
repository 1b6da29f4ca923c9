# SPDX-License-Identifier: LGPL-2.1-or-later
"""Remembering what is done, so that an interrupted job can go on."""
from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger('osiiso.checkpoint')

# How many keys one query asks for.
_BATCH = 500

# Of the file; 0 are files from before there was a number, which have the same table.
_VERSION = 1

_SCHEMA = '''
CREATE TABLE IF NOT EXISTS completions (
  namespace TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB,
  encoding TEXT NOT NULL,
  name TEXT,
  recorded_at REAL NOT NULL,
  PRIMARY KEY (namespace, key)
) WITHOUT ROWID
'''


class Hit(NamedTuple):
    """A key that was found; without a value when only the key was kept."""

    value: Any
    has_value: bool


def canonical_key(entry: Any) -> str:
    """The same text for the same entry, whatever the order of its mappings."""
    try:
        return json.dumps(entry, sort_keys=True, separators=(',', ':'), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f'cannot make a checkpoint key of {entry!r} ({error}); pass key=') from None


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False).encode()


class Checkpoint:
    """A store of finished tasks, in an SQLite file. Any thread.

    A row is written when a task has succeeded, in one transaction, so that a process
    that is killed loses at most what it was doing. ``encoder`` and ``decoder`` turn
    values into bytes and back; JSON without.
    """

    def __init__(self, path: str | os.PathLike[str] = ':memory:', *, store_values: bool = True,
                 encoder: Callable[[Any], bytes | str] | None = None,
                 decoder: Callable[[bytes], Any] | None = None) -> None:
        import sqlite3  # which most programs do without

        self._path = os.fspath(path)
        self._store_values = store_values
        self._encoder = encoder or _encode
        self._decoder = decoder or json.loads
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = sqlite3.connect(
            self._path, timeout=30.0, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute('PRAGMA journal_mode=WAL')
            self._db.execute('PRAGMA synchronous=NORMAL')
            version = int(self._db.execute('PRAGMA user_version').fetchone()[0])
            if version > _VERSION:
                raise ValueError(f'{self._path}: this is a checkpoint of version {version}, and at most '
                                 f'{_VERSION} is understood')
            self._db.execute(_SCHEMA)
            if version < _VERSION:
                self._db.execute(f'PRAGMA user_version={_VERSION}')
        except BaseException:
            self._db.close()
            self._db = None
            raise

    def is_done(self, namespace: str, key: str) -> bool:
        """Whether that key was recorded."""
        rows = self._query('SELECT 1 FROM completions WHERE namespace = ? AND key = ?', (namespace, key))
        return bool(rows)

    def lookup(self, namespace: str, keys: Iterable[str]) -> dict[str, Hit]:
        """Those of the keys that were recorded; without those that cannot be decoded."""
        self._check_open()
        wanted = list(dict.fromkeys(keys))
        hits: dict[str, Hit] = {}
        for at in range(0, len(wanted), _BATCH):
            batch = wanted[at:at + _BATCH]
            marks = ','.join('?' * len(batch))
            rows = self._query('SELECT key, value, encoding FROM completions '
                               f'WHERE namespace = ? AND key IN ({marks})', (namespace, *batch))
            for key, value, encoding in rows:
                if encoding == 'none':
                    hits[key] = Hit(None, False)
                    continue
                try:
                    hits[key] = Hit(self._decoder(value), True)
                except Exception:
                    log.warning('the value of %r in namespace %r cannot be decoded; it is done again', key,
                                namespace, exc_info=True)
        return hits

    def record(self, namespace: str, key: str, value: Any = None, *, name: str | None = None) -> bool:
        """Writes a row; False, and nothing is written, if the value cannot be encoded."""
        encoded: bytes | None = None
        if self._store_values:
            try:
                data = self._encoder(value)
                encoded = data.encode() if isinstance(data, str) else bytes(data)
            except Exception:
                log.warning('the value of %r in namespace %r cannot be encoded; it is not recorded', key,
                            namespace, exc_info=True)
                self._check_open()
                return False
        self._query('INSERT OR REPLACE INTO completions VALUES (?, ?, ?, ?, ?, ?)',
                    (namespace, key, encoded, 'json' if self._store_values else 'none', name, time.time()))
        return True

    def count(self, namespace: str | None = None) -> int:
        """How many rows there are, in one namespace or in all."""
        if namespace is None:
            rows = self._query('SELECT count(*) FROM completions')
        else:
            rows = self._query('SELECT count(*) FROM completions WHERE namespace = ?', (namespace,))
        return int(rows[0][0])

    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that have rows, sorted."""
        return tuple(row[0] for row in self._query('SELECT DISTINCT namespace FROM completions ORDER BY namespace'))

    def clear(self, namespace: str | None = None) -> int:
        """Removes the rows of one namespace, or all; how many there were."""
        with self._lock:
            db = self._open()
            if namespace is None:
                return db.execute('DELETE FROM completions').rowcount
            return db.execute('DELETE FROM completions WHERE namespace = ?', (namespace,)).rowcount

    def close(self) -> None:
        """Closes the file; again does nothing."""
        with self._lock:
            db, self._db = self._db, None
        if db is not None:
            db.close()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._db is None:
            return f'Checkpoint({self._path!r}, closed)'
        return f'Checkpoint({self._path!r}, entries={self.count()})'

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError('checkpoint is closed — make a new one to go on')
        return self._db

    def _check_open(self) -> None:
        with self._lock:
            self._open()

    def _query(self, statement: str, arguments: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            return self._open().execute(statement, arguments).fetchall()
