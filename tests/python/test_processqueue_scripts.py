# SPDX-License-Identifier: LGPL-2.1-or-later
"""ProcessQueue in whole programs: what is in the main module, and how they end."""
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from watch import is_alive, until


def write(path, text):
    path.write_text(textwrap.dedent(text))
    return str(path)


def run(*args, status=0, **options):
    """What a program has written; it must end by itself."""
    done = subprocess.run([sys.executable, *args], capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == status, done.stderr
    return done


SCRIPT = '''
    import dataclasses, os, sys
    import osiiso

    @dataclasses.dataclass
    class Point:
        x: int

    def move(point, by):
        return Point(point.x + by)

    async def wait(x):
        return x

    def show(text):
        print(text)
        print(text + '!', file=sys.stderr)

    print('imported as', __name__)
    if __name__ == '__main__':
        with osiiso.ProcessQueue(workers=1) as queue:
            handle = queue.submit(move, Point(1), 2)
            later = queue.submit(wait, 5)
            queue.submit(show, 'out')
            queue.run()
        print(handle.value() == Point(3), type(handle.value()) is Point, later.value())
'''


def test_script(tmp_path):
    done = run(write(tmp_path / 'script.py', SCRIPT))
    assert done.stdout.splitlines().count('imported as __main__') == 1
    assert 'imported as __mp_main__' in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == 'True True 5'
    # What tasks write goes where the program writes.
    assert 'out' in done.stdout.splitlines() and 'out!' in done.stderr.splitlines()


def test_script_in_another_folder(tmp_path):
    (tmp_path / 'folder').mkdir()
    write(tmp_path / 'folder' / 'script.py', SCRIPT.replace("if __name__ == '__main__':", "if __name__ == '__main__':\n"
                                                            "        os.chdir('/')"))
    assert run('folder/script.py', cwd=tmp_path).stdout.splitlines()[-1] == 'True True 5'


def test_module(tmp_path):
    (tmp_path / 'package').mkdir()
    (tmp_path / 'package' / '__init__.py').touch()
    write(tmp_path / 'package' / 'script.py', SCRIPT)
    assert run('-m', 'package.script', cwd=tmp_path).stdout.splitlines()[-1] == 'True True 5'


def test_neighbour_of_a_script(tmp_path):
    """What the script imports from its own folder is found."""
    write(tmp_path / 'neighbour.py', 'def twice(x):\n    return 2 * x\n')
    done = run(write(tmp_path / 'script.py', '''
        import neighbour, osiiso
        if __name__ == '__main__':
            print(osiiso.pmap(neighbour.twice, [1, 2], workers=1))
    '''), cwd='/')
    assert done.stdout == '(2, 4)\n'


def test_command_line(tmp_path):
    """There is no main module to import; other modules are found all the same."""
    done = run('-c', 'import osiiso, operator; print(osiiso.pmap(operator.neg, [1, 2], workers=1))')
    assert done.stdout == '(-1, -2)\n'
    done = run('-c', textwrap.dedent('''
        import osiiso
        def here():
            pass
        with osiiso.ProcessQueue(workers=1) as queue:
            print(queue.submit(here).wait(30).message)
    '''))
    assert 'could not unpickle task in worker' in done.stdout


def test_script_without_a_guard(tmp_path):
    """Its workers do not start workers."""
    done = run(write(tmp_path / 'script.py', '''
        import osiiso
        def f(x):
            return x
        queue = osiiso.ProcessQueue(workers=1)
        handle = queue.submit(f, 1)
        queue.run()
        queue.shutdown()
        print(handle.status, handle.exception())
    '''))
    assert done.stdout.startswith('failed ')
    assert "if __name__ == '__main__'" in done.stdout and done.stdout.count('failed') == 1


def test_main_module_that_fails(tmp_path):
    done = run(write(tmp_path / 'script.py', '''
        import osiiso
        def f(x):
            return x
        if __name__ == '__main__':
            with osiiso.ProcessQueue(workers=1) as queue:
                print(queue.submit(f, 1).wait(30).message)
        else:
            raise OSError('not here')
    '''))
    assert done.stdout == 'not here\n'


def test_queue_in_a_worker(tmp_path):
    done = run(write(tmp_path / 'script.py', '''
        import osiiso
        def inner(x):
            return 2 * x
        def outer(x):
            return osiiso.pmap(inner, [x, x + 1], workers=1)
        if __name__ == '__main__':
            print(osiiso.pmap(outer, [1], workers=1))
    '''))
    assert done.stdout == '((2, 4),)\n'


SLEEPER = '''
    import os, sys, time
    import osiiso

    def sleep(path):
        with open(path, 'w') as file:
            file.write(f'{os.getpid()}\\n')
        time.sleep(300)

    if __name__ == '__main__':
        queue = osiiso.ProcessQueue(workers=2).start()
        handles = queue.map(sleep, sys.argv[1:3])
        waiting = queue.map(sleep, sys.argv[1:3] * 10)
        while not all(os.path.exists(path) and os.path.getsize(path) for path in sys.argv[1:3]):
            time.sleep(0.002)
        %s
'''


def start_sleepers(tmp_path, end, **options):
    paths = [tmp_path / 'a', tmp_path / 'b']
    script = write(tmp_path / 'script.py', SLEEPER % end)
    process = subprocess.Popen([sys.executable, script, *map(str, paths)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, **options)
    until(lambda: all(path.exists() and path.read_text().endswith('\n') for path in paths))
    return process, [int(path.read_text()) for path in paths]


@pytest.mark.parametrize('end', ['pass', 'raise SystemExit(0)', 'del queue, handles, waiting', 'os._exit(0)'])
def test_end_with_work(tmp_path, end):
    """However a program ends, it does not wait for tasks, and leaves nobody behind."""
    process, pids = start_sleepers(tmp_path, end)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == ''
    until(lambda: not any(map(is_alive, pids)))


def test_killed_parent(tmp_path):
    process, pids = start_sleepers(tmp_path, 'print(1, flush=True); time.sleep(300)')
    process.kill()
    process.wait(60)
    until(lambda: not any(map(is_alive, pids)))
    process.communicate()


def test_interrupt(tmp_path):
    """Ctrl-C goes to all of them; the program decides."""
    process, pids = start_sleepers(tmp_path, '''
        try:
            print('ready', flush=True)
            queue.run()
        except KeyboardInterrupt:
            print('interrupted', [os.path.exists(f'/proc/{open(path).read().strip()}') for path in sys.argv[1:3]])
            queue.shutdown(force=True)
            print(handles[0].status)
    '''.strip(), start_new_session=True)
    assert process.stdout.readline() == 'ready\n'
    time.sleep(0.2)
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - start < 60
    assert out == 'interrupted [True, True]\ncancelled\n', err
    until(lambda: not any(map(is_alive, pids)))


def test_fork(tmp_path):
    """The child of a program has no use of its queue, and makes one of its own."""
    done = run(write(tmp_path / 'script.py', '''
        import os, osiiso
        if __name__ == '__main__':
            with osiiso.ProcessQueue(workers=1) as queue:
                queue.submit(abs, -1).wait(30)
                pid = os.fork()
                if pid == 0:
                    try:
                        queue.submit(abs, -1)
                    except RuntimeError as error:
                        print('refused', flush=True)
                    print(osiiso.pmap(abs, [-5], workers=1), flush=True)
                    os._exit(0)
                os.waitpid(pid, 0)
                print(queue.submit(abs, -2).wait(30).value)
    '''))
    assert done.stdout.splitlines() == ['refused', '(5,)', '2']
