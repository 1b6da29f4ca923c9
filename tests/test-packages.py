#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the Debian packages, installs them and runs what the README shows, in TAP.

Usage: test-packages.py SOURCE_ROOT [ROOT]

They are installed into a copy of this system that is thrown away, a file system
laid over it in a name space of mounts; or into the folder ROOT, a Debian system
that debootstrap made, whose packages apt completes. Where no name space can be
had, they are unpacked into a folder, and variables of the environment lead there.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PACKAGES = ('libosiiso-1-0', 'libosiiso-1-dev', 'libosiiso-1-doc', 'gir1.2-osiiso-1', 'python3-osiiso', 'osiiso-tools')
# What a mount there does to others is left as it is: / need not be one that can be set.
UNSHARE = ('unshare', '--mount', '--propagation', 'unchanged', *(() if os.geteuid() == 0 else ('--map-root-user',)))
SQUARES = '0\n1\n4\n9\n16\n'
FENCE = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)

# Runs in the new name spaces: argument 1 is a folder for the layers, the rest a command.
OVERLAY = '''
set -eu
layers=$1; shift
mount --make-rprivate / 2>/dev/null || true
mount -t tmpfs tmpfs "$layers"
mkdir "$layers/upper" "$layers/work" "$layers/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
mount --rbind /proc "$layers/root/proc"
mount --rbind /dev "$layers/root/dev"
mount -t tmpfs tmpfs "$layers/root/tmp"
mkdir -p "$layers/root/tmp/job"
mount --bind "$JOB" "$layers/root/tmp/job"
exec chroot "$layers/root" "$@"
'''
# The same in a folder that is a system already.
CHROOT = '''
set -eu
root=$1; shift
mkdir -p "$root/tmp/job"
mount -t proc proc "$root/proc"
mount --bind "$JOB" "$root/tmp/job"
exec chroot "$root" "$@"
'''
# Says whether the first one can be.
PROBE = '''
set -eu
mount --make-rprivate / 2>/dev/null || true
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
exec chroot "$1/root" true
'''
# Without any of that.
UNPACKED = '''
set -eu
root=$1; shift
for package in "$JOB"/*.deb; do dpkg-deb -x "$package" "$root"; done
lib=$(dirname "$(ls "$root"/usr/lib/*/libosiiso-1.so.0)")
export ROOT="$root" LD_LIBRARY_PATH="$lib" GI_TYPELIB_PATH="$lib/girepository-1.0"
sed -i "s#^prefix=.*#prefix=$root/usr#" "$lib/pkgconfig/osiiso-1.pc"
export PKG_CONFIG_PATH="$lib/pkgconfig" PATH="$root/usr/bin:$PATH"
export OSIISO_BACKEND_PATH="$lib/osiiso-1/backends" OSIISO_LIBEXEC_PATH="$lib/osiiso-1"
export PYTHONPATH="$root/usr/lib/python3/dist-packages" GJS_PATH="$root/usr/share/gjs-1.0"
cd "$JOB"
exec "$@"
'''
# Runs there; prints a line “case NAME” before what each of them prints.
INSIDE = r'''
set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
vala=
if [ "$1" = unpacked ]; then
  vala="--vapidir $ROOT/usr/share/vala/vapi -X -I$ROOT/usr/include/osiiso-1 -X -L$LD_LIBRARY_PATH"
else
  unset OSIISO_BACKEND_PATH OSIISO_LIBEXEC_PATH OSIISO_MODULE_PATH LD_LIBRARY_PATH GI_TYPELIB_PATH PYTHONPATH GJS_PATH
  unset PKG_CONFIG_PATH XDG_DATA_DIRS G_DEBUG
  export HOME=/tmp/home PATH=/usr/sbin:/usr/bin:/sbin:/bin ROOT=
  mkdir -p /tmp/home; cd /tmp/job
fi
if [ "$1" = unpacked ]; then
  :
elif [ "$1" = complete ]; then
  apt-get -q update >&2
  apt-get -q -y install --no-install-recommends ./*.deb gcc libc6-dev pkgconf valac gjs man-db >&2
else
  dpkg --force-unsafe-io -i ./*.deb >&2
fi
echo 'case c'; gcc hello.c -o hello-c $(pkg-config --cflags --libs osiiso-1); ./hello-c
echo 'case vala'; valac $vala --pkg osiiso-1 hello.vala -o hello-vala; ./hello-vala
echo 'case python'; /usr/bin/python3 hello.py
echo 'case js'; gjs -m hello.js
for file in package-*.py; do echo "case $file"; /usr/bin/python3 "$file"; done
echo 'case command'; osiiso run -k echo {#}: {/.} ::: photos/sea.jpg photos/hill.jpg
echo 'case backends'; osiiso backends | grep -oE '^(main-loop|subprocess|thread-pool)'
echo 'case processes'; /usr/bin/python3 processes.py
echo 'case conformance'; osiiso-backend-conformance --backend thread-pool -p /conformance/tasks >&2; echo passed
echo 'case worker'; test -x "$(pkg-config --variable=workerdir osiiso-1)/osiiso-worker"; echo there
echo 'case pages'; test -e $ROOT/usr/share/doc/osiiso-1/overview.html && test -e $ROOT/usr/share/man/man1/osiiso.1.gz; echo there
if [ "$1" = given ]; then
  dpkg --remove libosiiso-1-dev libosiiso-1-doc python3-osiiso osiiso-tools gir1.2-osiiso-1 libosiiso-1-0 >&2
  echo 'case removed'; find /usr -xdev -name '*siiso*' -newer /tmp/job/stamp -not -name '*.pyc' | sort
fi
'''
PROCESSES = '''
import osiiso
if __name__ == '__main__':
    print(osiiso.pmap(abs, [-1, -2, -3], workers=2))
'''


def run(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=1500, check=False, encoding='utf-8', errors='replace', **options)
    assert done.returncode == 0, f'{command[0]} exits with {done.returncode}:\n{done.stdout[-4000:]}'
    return done.stdout


class Tests:
    def __init__(self, root, system, scratch):
        self.root = root
        self.system = system
        self.scratch = scratch
        self.output = {}
        probe = scratch / 'probe'
        probe.mkdir()
        self.has_layers = not subprocess.run([*UNSHARE, 'sh', '-c', PROBE, 'sh', probe], stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                             check=False).returncode and 'OSIISO_TEST_UNPACKED' not in os.environ

    def build(self):
        folder = self.scratch / 'packages'
        environment = {name: value for name, value in os.environ.items()
                       if name in ('PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'CCACHE_DIR')}
        environment.update(PATH='/usr/sbin:/usr/bin:/sbin:/bin', DEB_BUILD_OPTIONS='nocheck parallel=2 noautodbgsym')
        run([self.root / 'packaging/build-debian', folder, '-b'], env=environment)
        built = {path.name.split('_')[0] for path in folder.glob('*.deb')}
        assert built == set(PACKAGES), f'built were {sorted(built)}'

    def lint(self):
        options = ['--allow-root'] if os.geteuid() == 0 else []
        run(['lintian', '--fail-on', 'error', *options, *sorted(self.scratch.glob('packages/*.changes'))])

    def install(self):
        job = self.scratch / 'job'
        job.mkdir()
        for path in self.scratch.glob('packages/*.deb'):
            shutil.copy(path, job)
        for language in ('c', 'vala', 'py', 'js'):
            shutil.copy(self.root / f'examples/hello.{language}', job)
        text = (self.root / 'README.md').read_text(encoding='utf-8')
        blocks = [code for language, code in FENCE.findall(text) if language == 'python' and 'import osiiso' in code]
        assert blocks, 'the README shows nothing of the Python package'
        for number, code in enumerate(blocks):
            (job / f'package-{number}.py').write_text(code, encoding='utf-8')
        (job / 'processes.py').write_text(PROCESSES, encoding='utf-8')
        (job / 'stamp').touch()
        layers = self.scratch / 'layers'
        layers.mkdir()
        how = UNPACKED, layers, 'unpacked'
        if self.system:
            how = CHROOT, self.system, 'complete'
        elif self.has_layers:
            how = OVERLAY, layers, 'given'
        apart = [] if how[0] is UNPACKED else UNSHARE
        text = run([*apart, 'sh', '-c', how[0], 'sh', how[1], 'sh', '-c', INSIDE, 'sh', how[2]],
                   env={**os.environ, 'JOB': str(job)})
        for piece in re.split(r'^case ', text, flags=re.MULTILINE)[1:]:
            name, _, output = piece.partition('\n')
            self.output[name] = output

    def has(self, name, expected):
        assert name in self.output, 'it did not come to that'
        found = self.output[name]
        assert expected in found, f'{found[-2000:]!r} does not have {expected!r}'

    def leaves_nothing(self):
        left = [line for line in self.output['removed'].splitlines() if line.startswith('/')]
        assert not left, f'left behind: {left}'


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    system = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(prefix='osiiso-packages-') as scratch:
        tests = Tests(root, system, pathlib.Path(scratch))
        cases = [
            ('the packages are built', tests.build),
            ('lintian finds no errors', tests.lint),
            ('they are installed', tests.install),
            *((f'the example in {name} runs', lambda name=name: tests.has(name, SQUARES))
              for name in ('c', 'vala', 'python', 'js')),
            ('the Python package runs coroutines', lambda: tests.has('package-0.py', 'fetched news')),
            ('the Python package runs threads', lambda: tests.has('package-1.py', '[8, 9, 32]')),
            ('the Python package runs processes', lambda: tests.has('processes', '(1, 2, 3)')),
            ('the command runs', lambda: tests.has('command', '1: sea\n2: hill\n')),
            ('all backends are found', lambda: tests.has('backends', 'main-loop\nsubprocess\nthread-pool\n')),
            ('the conformance test runs', lambda: tests.has('conformance', 'passed')),
            ('the worker is where pkg-config says', lambda: tests.has('worker', 'there')),
            ('the pages are there', lambda: tests.has('pages', 'there')),
        ]
        if tests.has_layers and not system:
            cases.append(('nothing is left when they are removed', tests.leaves_nothing))
        print(f'1..{len(cases)}')
        failed = 0
        for number, (name, check) in enumerate(cases, 1):
            try:
                check()
                print(f'ok {number} - {name}', flush=True)
            except (AssertionError, OSError, subprocess.SubprocessError, KeyError) as error:
                failed = 1
                print(f'not ok {number} - {name}')
                print('# ' + str(error).replace('\n', '\n# '), flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
