# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the code in the documentation: fenced blocks of pages and of comments."""
import pathlib
import re
from typing import NamedTuple

FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r'/\*\*\n(.*?)\*/', re.DOTALL)
STAR = re.compile(r'^ ?\s*\* ?', re.MULTILINE)


class Block(NamedTuple):
    page: str       # the path of the file, from the top of the tree
    line: int       # of the first line of the code
    language: str
    code: str

    @property
    def name(self):
        return f'{self.page}:{self.line}'


def blocks_of_text(page, text, offset=0):
    for match in FENCE.finditer(text):
        line = offset + text.count('\n', 0, match.start()) + 2
        yield Block(page, line, match[1], match[2])


def blocks_of_source(page, text):
    for comment in COMMENT.finditer(text):
        offset = text.count('\n', 0, comment.start(1))
        yield from blocks_of_text(page, STAR.sub('', comment[1]), offset)


def find(root):
    """All blocks, in the order of their files and lines."""
    root = pathlib.Path(root)
    pages = [root / 'README.md', *sorted((root / 'docs').glob('*.md'))]
    sources = [path for folder in ('libosiiso-core', 'plugins', 'tools')
               for path in sorted((root / folder).rglob('*.[ch]'))]
    for path in pages:
        yield from blocks_of_text(str(path.relative_to(root)), path.read_text(encoding='utf-8'))
    for path in sources:
        yield from blocks_of_source(str(path.relative_to(root)), path.read_text(encoding='utf-8'))
