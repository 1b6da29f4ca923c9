# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in faults.py have in common: programs, figures, and bars."""
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import random
import subprocess
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# Each test says how long a single program of it may take at most.
DEADLINE = 30
# Where the machine may be busy, or memory is watched, everything takes longer.
SHORT_FACTOR = 10


class Broken(Exception):
    """Something that must never be."""


class Hang(Broken):
    """A program that is not over when it has to be."""


class NotRun(Exception):
    """Something that cannot be tried here, and why."""


@dataclasses.dataclass
class Bar:
    """What a figure has to be. One of time says nothing on a busy machine."""
    figure: str
    relation: str
    value: float
    of_time: bool = False

    def holds(self, figures):
        figure = figures[self.figure]
        return {'==': figure == self.value, '<=': figure <= self.value, '>=': figure >= self.value}[self.relation]

    def __str__(self):
        return f'{self.figure} {self.relation} {self.value:g}'


@dataclasses.dataclass
class Test:
    name: str
    title: str
    bars: list
    function: object
    calm: bool


TESTS = {}


def fault(name, title, *bars, calm=False):
    """Adds a test: a function of a Place that returns figures. A calm one measures time, so that nothing is
    to run beside it."""
    def add(function):
        TESTS[name] = Test(name, title, list(bars), function, calm)
        return function
    return add


class Place:
    """Where a test finds its programs, and how much it is to do."""

    def __init__(self, build, seed, short, minutes):
        self.build = pathlib.Path(build).resolve()
        self.short = short
        self.minutes = minutes
        self.random = random.Random(seed)
        self.broken = []

    def amount(self, short, full):
        return short if self.short else full

    def seed(self):
        return self.random.randrange(1, 1 << 31)

    def environment(self, preload=None, **more):
        """Nothing of another build is found; preload is a module of tests/."""
        plugins = [str(self.build / 'plugins' / name) for name in ('main-loop', 'thread-pool', 'subprocess')]
        environment = {key: value for key, value in os.environ.items() if key != 'LD_PRELOAD'}
        environment.update(OSIISO_BACKEND_PATH=':'.join(plugins), OSIISO_LIBEXEC_PATH=str(self.build / 'tools'),
                           OSIISO_MODULE_PATH=str(self.build / 'tests' / 'soak'), G_DEBUG='fatal-criticals',
                           LC_ALL='C.UTF-8')
        if preload is not None:
            environment['LD_PRELOAD'] = str(self.build / 'tests' / preload)
        environment.update({key: str(value) for key, value in more.items()})
        return environment

    def run(self, command, deadline=DEADLINE, environment=None, prefix=(), **more):
        """Runs a program to its end; more is for subprocess.run()."""
        if self.short:
            deadline *= SHORT_FACTOR
        command = [*prefix, *map(str, command)]
        try:
            return subprocess.run(command, env=environment or self.environment(), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=deadline, encoding='utf-8',
                                  errors='replace', check=False, **more)
        except subprocess.TimeoutExpired:
            raise Hang(f'{" ".join(command)}: not over after {deadline} s') from None

    def soak(self, test, deadline=DEADLINE, environment=None, prefix=(), **parameters):
        """Runs a test of osiiso-soak, and returns its figures."""
        command = [self.build / 'tests' / 'soak' / 'osiiso-soak', test]
        command += [f'{key}={value}' for key, value in parameters.items()]
        result = self.run(command, deadline, environment, prefix)
        said = result.stderr.strip()[-2000:]
        if result.returncode != 0:
            raise Broken(f'{" ".join(map(str, command))}: ended with {result.returncode}: {said}')
        figures = json.loads(result.stdout)
        if figures['broken'] and len(self.broken) < 20:
            self.broken.append(f'{" ".join(map(str, command))}: {said}')
        return figures

    def folder(self):
        return tempfile.TemporaryDirectory(prefix='osiiso-soak-')


def add_up(all_figures):
    """The sum of each figure."""
    total = {}
    for figures in all_figures:
        for key, value in figures.items():
            total[key] = total.get(key, 0) + value
    return total


def in_parallel(function, arguments, jobs):
    """Calls function with each of them, some at a time; what it raises ends all."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(function, *each) for each in arguments]
        try:
            return [future.result() for future in futures]
        except Exception:
            pool.shutdown(cancel_futures=True)
            raise


def run(test, build, seed, short, minutes):
    """Runs a test; a dictionary of what came of it, for the table and the JSON."""
    place = Place(build, f'{seed}/{test.name}', short, minutes)
    bars = [bar for bar in test.bars if not (short and bar.of_time)]
    result = {'test': test.name, 'title': test.title, 'seed': seed, 'figures': {}, 'bars': list(map(str, bars)),
              'missed': [], 'broken': [], 'not_run': None}
    try:
        result['figures'] = figures = test.function(place)
        figures.setdefault('broken', 0)
        result['missed'] = [str(bar) for bar in bars if not bar.holds(figures)]
    except NotRun as error:
        result['not_run'] = str(error)
    except Broken as error:
        place.broken.append(str(error))
    result['broken'] = place.broken
    result['passed'] = not result['missed'] and not result['broken'] and not result['figures'].get('broken')
    return result
