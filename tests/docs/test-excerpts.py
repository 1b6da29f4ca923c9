#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that a page shows what is in the files that it is about, in TAP.

Usage: test-excerpts.py SOURCE_ROOT PAGE FILE...

Each piece of code on PAGE in the language of one of the files has to be a run of lines of
one of these, but for its indentation. The page is not compiled by test-snippets.py; the
files are.
"""
import pathlib
import sys
import textwrap

import snippets

LANGUAGES = {'.c': 'c', '.vala': 'vala', '.build': 'meson', '.py': 'python', '.js': 'js'}


def has(text, code):
    """Whether code is in text, both as lists of lines."""
    for start in range(len(text) - len(code) + 1):
        if text[start].strip() == code[0].strip() and \
           textwrap.dedent('\n'.join(text[start:start + len(code)])) == '\n'.join(code):
            return True
    return False


def main():
    root = pathlib.Path(sys.argv[1])
    page = sys.argv[2]
    files = {}
    for name in sys.argv[3:]:
        path = root / name
        files.setdefault(LANGUAGES[path.suffix], []).append(path.read_text(encoding='utf-8').splitlines())
    text = (root / page).read_text(encoding='utf-8')
    blocks = [block for block in snippets.blocks_of_text(page, text) if block.language in files]
    missing = set(files) - {block.language for block in blocks}

    print(f'1..{len(blocks) + 1}')
    print(f'{"not ok" if missing else "ok"} 1 - every file is shown{"".join(", but not " + name for name in missing)}')
    failed = bool(missing)
    for number, block in enumerate(blocks, 2):
        found = any(has(lines, block.code.splitlines()) for lines in files[block.language])
        failed |= not found
        print(f'{"ok" if found else "not ok"} {number} - {block.name}')
    return failed


if __name__ == '__main__':
    sys.exit(main())
