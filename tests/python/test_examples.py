# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples in Python, each run on real input."""
import collections
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(os.environ['OSIISO_TEST_SOURCE'])
EXAMPLES = SOURCE / 'examples/python'
COMMENT = '# SPDX-License-Identifier: LGPL-2.1-or-later\n'


def run(name, *arguments):
    done = subprocess.run([sys.executable, EXAMPLES / name, *map(str, arguments)], capture_output=True, text=True,
                          timeout=290)
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize('name, output', [
    ('quick-start-async.py', "fetched news\n('fetched users', 'fetched posts')\n"),
    ('quick-start-threads.py',
     "[8, 9, 32]\nfailed - invalid literal for int() with base 10: 'x'\n(1, 2)\n"),
])
def test_quick_starts(name, output):
    assert run(name) == output
    code = (EXAMPLES / name).read_text().removeprefix(COMMENT)
    assert f'```python\n{code}```' in (SOURCE / 'README.md').read_text()


def test_main_loop():
    files = sorted((SOURCE / 'examples').glob('hello.*'))
    assert len(files) > 3
    lines = run('main-loop.py', *files, 'missing').splitlines()
    assert lines[0] == 'the loop is free'
    assert set(lines[1:-1]) == {f'{digest(path)}  {path}' for path in files} | {
        "missing: [Errno 2] No such file or directory: 'missing'"}
    assert lines[-1] == f'{len(files)} of {len(files) + 1} files'


def expected_index(top):
    """The same without a queue."""
    digests, words, n_bytes = {}, collections.Counter(), 0
    for folder, _, names in os.walk(top):
        for name in names:
            path = pathlib.Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue
            digests[str(path.relative_to(top))] = digest(path)
            n_bytes += path.stat().st_size
            if path.suffix in {'.c', '.h', '.md', '.py', '.txt', '.js', '.vala', '.build'}:
                words.update(re.findall(r'[^\W\d_]{3,}', path.read_text(errors='replace').lower()))
    by_digest = collections.defaultdict(list)
    for path in sorted(digests):
        by_digest[digests[path]].append(path)
    return {
        'files': len(digests), 'bytes': n_bytes, 'checksums': digests,
        'duplicates': [paths for paths in by_digest.values() if len(paths) > 1],
        'words': dict(sorted(words.items(), key=lambda item: (-item[1], item[0]))[:20]), 'errors': [],
    }


def test_folder_index(tmp_path):
    # Of the tree, because nothing changes there; and two files that are the same.
    for name in ('docs', 'examples'):
        for path in (SOURCE / name).rglob('*'):
            if path.is_file() and '__pycache__' not in path.parts:
                copy = tmp_path / path.relative_to(SOURCE)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    (tmp_path / 'again.md').write_bytes((SOURCE / 'docs/semantics.md').read_bytes())
    (tmp_path / 'link').symlink_to('again.md')
    (tmp_path / 'empty').mkdir()
    index = json.loads(run('folder-index.py', tmp_path))
    expected = expected_index(tmp_path)
    assert index == expected
    assert index['files'] > 20 and ['again.md', 'docs/semantics.md'] in index['duplicates']


def test_folder_index_tells_of_what_cannot_be_read(tmp_path):
    (tmp_path / 'a.txt').write_text('words and words')
    (tmp_path / 'secret').mkdir()
    (tmp_path / 'secret').chmod(0)
    try:
        can_read = os.access(tmp_path / 'secret', os.R_OK)
        index = json.loads(run('folder-index.py', tmp_path))
    finally:
        (tmp_path / 'secret').chmod(0o700)
    assert index['files'] == 1 and index['words'] == {'words': 2, 'and': 1}
    assert len(index['errors']) == (0 if can_read else 1)
    assert json.loads(run('folder-index.py', tmp_path / 'nowhere'))['errors'] == [
        f"walk: [Errno 2] No such file or directory: '{tmp_path / 'nowhere'}'"]
