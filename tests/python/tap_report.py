# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plugin for pytest that reports in TAP, in place of its own reporter."""
import sys
from collections.abc import Generator
from typing import Any

import pytest

_out = None
_n_told = 0


def _tell(line: str) -> None:
    print(line, file=_out, flush=True)


def pytest_addoption(parser: Any) -> None:
    # The reporter that is replaced has it, and others ask for it.
    parser.addoption('--verbose', type=int, default=0)


def pytest_configure(config: Any) -> None:
    global _out
    # What a test prints is captured, and is not this stream.
    _out = open(1, 'w', encoding='utf-8', closefd=False) if _out is None else _out


def pytest_collection_finish(session: Any) -> None:
    _tell(f'1..{len(session.items)}')


def pytest_collectreport(report: Any) -> None:
    if report.failed:
        for line in str(report.longrepr).splitlines():
            _tell(f'# {line}')
        _tell(f'Bail out! {report.nodeid} cannot be collected')


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: Any, nextitem: Any) -> Generator[None, Any, None]:
    item.stash[_REPORTS] = []
    yield
    global _n_told
    _n_told += 1
    reports = item.stash[_REPORTS]
    failed = [report for report in reports if report.failed]
    name = item.nodeid.split('::', 1)[-1].replace('#', ' ')
    skipped = ' # SKIP' if not failed and any(report.skipped for report in reports) else ''
    _tell(f'{"not ok" if failed else "ok"} {_n_told} - {name}{skipped}')
    for report in failed:
        for line in str(report.longrepr).splitlines():
            _tell(f'# {line}')
        for title, text in report.sections:
            for line in [f'-- {title} --', *text.splitlines()]:
                _tell(f'# {line}')


_REPORTS = pytest.StashKey[list[Any]]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, None]:
    outcome = yield
    item.stash[_REPORTS].append(outcome.get_result())


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    if exitstatus == 1:
        # The lines say what failed; Meson takes another status for a crash.
        session.exitstatus = 0
    sys.stdout.flush()
