# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs measurements, and watches what else the processors do meanwhile."""
import json
import os
import shlex
import subprocess
import time

# More of a processor than this used by others spoils a measurement.
MAX_FOREIGN = 0.35
# The kernel counts in ticks, and short measurements see only few of them.
TICK_ERROR = 0.02
ATTEMPTS = 3
TIMEOUT = 300

TICK = os.sysconf('SC_CLK_TCK')

# What tests set in order to find bugs makes memory slow.
UNWANTED = ('MALLOC_CHECK_', 'MALLOC_PERTURB_', 'G_SLICE', 'G_DEBUG', 'G_ENABLE_DIAGNOSTIC')


class Failed(Exception):
    """A measurement gave no result."""


def model():
    with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as file:
        for line in file:
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return os.uname().machine


def memory():
    with open('/proc/meminfo', encoding='ascii') as file:
        total = int(file.readline().split()[1])
    return f'{total / 2**20:.0f} GiB'


def n_processors():
    return len(os.sched_getaffinity(0))


def available_memory():
    """Bytes, of the machine or of what we may use of it."""
    available = float('inf')
    with open('/proc/meminfo', encoding='ascii') as file:
        for line in file:
            if line.startswith('MemAvailable:'):
                available = int(line.split()[1]) * 1024
    try:
        with open('/sys/fs/cgroup/memory.max', encoding='ascii') as limit, \
                open('/sys/fs/cgroup/memory.current', encoding='ascii') as current:
            available = min(available, int(limit.read()) - int(current.read()))
    except (OSError, ValueError):
        pass
    return available


def busy_seconds(cpu):
    """What all, or one, of the processors have worked so far."""
    name = 'cpu' if cpu is None else f'cpu{cpu}'
    with open('/proc/stat', encoding='ascii') as file:
        for line in file:
            fields = line.split()
            if fields[0] == name:
                user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
                return (user + nice + system + irq + softirq + steal) / TICK
    raise RuntimeError('/proc/stat has no line ' + name)


class Runner:
    def __init__(self, programs, cpu, apart):
        self.cpu = cpu
        self.placement = [f'cpu={cpu}'] if cpu is not None else ['apart=1'] if apart else []
        self.patience = 0  # seconds that may still be spent on waiting for a calm machine
        self.environment = {k: v for k, v in os.environ.items() if k not in UNWANTED}
        self.calm = False
        self.programs = {}
        self.first = shlex.split(programs[0])
        # One may be an interpreter and what it runs.
        for program in map(shlex.split, programs):
            for name in self.call([*program, 'list'])[0].split():
                self.programs.setdefault(name, program)

    def call(self, argv):
        """What it prints, and the processor time that it took."""
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=self.environment,
                              text=True) as child:
            before = os.times()
            try:
                output, _none = child.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                child.kill()
                raise Failed(' '.join(argv) + f': not done after {TIMEOUT} s') from None
            after = os.times()
        if child.returncode != 0:
            raise Failed(' '.join(argv) + f': ended with status {child.returncode}')
        own = sum(after[:4]) - sum(before[:4])
        return output, own

    def info(self):
        return json.loads(self.call([*self.first, 'info'])[0])

    def has(self, contestant):
        return contestant in self.programs

    def run(self, contestant, params):
        if not self.has(contestant):
            raise Failed(f"no program has the contestant '{contestant}'")
        argv = [*self.programs[contestant], contestant]
        argv += [f'{k}={v:.12g}' for k, v in params.items()]
        argv += self.placement
        begun, busy = time.monotonic(), busy_seconds(self.cpu)
        output, own = self.call(argv)
        elapsed = time.monotonic() - begun
        foreign = busy_seconds(self.cpu) - busy - own - TICK_ERROR
        result = json.loads(output)
        result['foreign'] = round(max(0, foreign) / max(elapsed, 0.05), 3)
        return result

    def await_calm(self):
        # What was calm a moment ago is so still.
        while self.patience > 0 and not self.calm:
            begun, busy, own = time.monotonic(), busy_seconds(self.cpu), time.process_time()
            time.sleep(0.08)
            self.patience -= time.monotonic() - begun
            if busy_seconds(self.cpu) - busy - (time.process_time() - own) <= TICK_ERROR + 0.001:
                break

    def measure(self, contestant, params):
        """The calmest of a few attempts."""
        best = None
        for _attempt in range(ATTEMPTS):
            self.await_calm()
            begun = time.monotonic()
            result = self.run(contestant, params)
            self.calm = result['foreign'] <= MAX_FOREIGN / 4
            if best is None or result['foreign'] < best['foreign']:
                best = result
            if best['foreign'] <= MAX_FOREIGN or self.patience <= 0:
                break
            self.patience -= time.monotonic() - begun
        return best
