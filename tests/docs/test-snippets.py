#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compiles or runs every piece of code that the documentation shows, in TAP.

Usage: test-snippets.py SOURCE_ROOT LANGUAGE COMMAND...

COMMAND compiles C (a file name is added, and what makes a program of it comes
from the flags that follow), translates Vala, or is the interpreter. A line of C
or Vala that is only an ellipsis stands for code that is left out.

C and Vala are compiled. Pieces at the top level of a file are seen by those
that follow on the same page; others are put into a function, in which what
they take for granted is as preamble.* beside this file has it. Python and
JavaScript are run as they stand, as by a reader who pastes one into a file.
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

import snippets

HERE = pathlib.Path(__file__).parent
ELLIPSIS = re.compile(r'^[ \t]*(?:(?://|#) *)?…[ \t]*$', re.MULTILINE)
TIMEOUT = 120
PRINTS = re.compile(r'^[^#\n]*\bprint ?\(.*\);? +(?:#|//) (.+)$', re.MULTILINE)


def run(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=TIMEOUT, check=False, encoding='utf-8', errors='replace', **options)
    return f'exit status {done.returncode}\n{done.stdout}' if done.returncode else None


def numbered(block, code):
    """The code where the page has it, so that messages name the page's lines."""
    return f'#line {block.line} "{block.page}"\n{code}\n'


class C:
    suffix = '.c'
    at_top = re.compile(r'^(?:static\b|#(?:include|define)\b|typedef\b|struct\b|G_D\w+ ?\(|'
                        r'[A-Z_]+ \(|[\w ]+\*?\n\w+ \()', re.MULTILINE)

    def __init__(self, command):
        self.command = command
        self.preamble = (HERE / 'preamble.c').read_text(encoding='utf-8')
        self.before = {}

    def prepare(self, block):
        code = ELLIPSIS.sub('', block.code)
        before = self.before.get(block.page, '')
        if '#include <osiiso.h>' in code:
            return numbered(block, code)
        if not self.at_top.search(code):
            return self.preamble + before + self.in_function(block, code)
        # A function, and perhaps its call.
        top, brace, rest = code.rpartition('\n}\n')
        if not brace:
            top, rest = code, ''
        elif '(' in rest and not self.at_top.search(rest):
            line = block.line + code[:-len(rest)].count('\n')
            rest = self.in_function(block._replace(line=line), rest)
        top = numbered(block, top + brace)
        self.before[block.page] = before + top
        return self.preamble + before + top + rest

    @staticmethod
    def in_function(block, code):
        type_ = 'GVariant *' if re.search(r'^return [^;]', code, re.MULTILINE) else 'void'
        return f'static {type_}\nsnippet (SNIPPET_ARGUMENTS)\n{{\n  {{\n{numbered(block, code)}  }}\n}}\n'

    def check(self, block, text, folder):
        path = folder / f'snippet-{block.line}{self.suffix}'
        path.write_text(text, encoding='utf-8')
        return run([*self.command, str(path)], cwd=folder)


class Vala(C):
    suffix = '.vala'
    at_top = re.compile(r'^(?:(?:public|private|static|async|abstract|delegate|\[\w)|(?:class|interface|namespace|struct) |'
                        r'(?:void|int|bool|string) \w+ \()', re.MULTILINE)

    def __init__(self, command):
        self.command = command
        self.preamble = (HERE / 'preamble.vala').read_text(encoding='utf-8')
        self.before = {}

    def prepare(self, block):
        code = ELLIPSIS.sub('', block.code)
        before = self.before.get(block.page, '')
        if re.search(r'^int main ', code, re.MULTILINE):
            return code
        if self.at_top.search(code):
            self.before[block.page] = before + code + '\n'
            return self.preamble + before + code
        start, _, end = self.preamble.partition('/* THE SNIPPET */\n')
        return before + start + code + end


class Script:
    """A piece is a program as it stands, and prints what the comments behind its calls of print() say."""

    def __init__(self, command):
        self.command = command
        # Those that begin with the name of a file are there for the others of the page.
        self.files = {}

    def prepare(self, block):
        name = re.match(r'(?:#|//) ([\w-]+\.(?:js|py))\n', block.code)
        if name:
            self.files.setdefault(block.page, {})[name[1]] = block.code
        return block.code

    def check(self, block, text, folder):
        for name, code in self.files.get(block.page, {}).items():
            (folder / name).write_text(code, encoding='utf-8')
        path = folder / f'snippet-{block.line}{self.suffix}'
        path.write_text(text, encoding='utf-8')
        done = subprocess.run([*self.command, str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=TIMEOUT, check=False, encoding='utf-8', errors='replace',
                              cwd=folder)
        if done.returncode:
            return f'exit status {done.returncode}\n{done.stdout}{done.stderr}'
        if 'Warning' in done.stderr:
            return done.stderr
        printed = iter(done.stdout.splitlines())
        for comment in PRINTS.findall(text):
            for line in comment.split(', then '):
                if line not in printed:
                    return f'does not print “{line}”, or not in this place:\n{done.stdout}'
        return None


class JavaScript(Script):
    suffix = '.js'


class Python(Script):
    suffix = '.py'


# Programs that only a queue can start; the tests of workers run them. And pieces of files
# that are built: test-excerpts.py compares them.
ELSEWHERE = {('docs/worker-protocol.md', 'python'), ('docs/worker-protocol.md', 'js'),
             ('docs/writing-a-backend.md', 'c'), ('docs/writing-a-backend.md', 'vala')}
LANGUAGES = {'c': C, 'vala': Vala, 'js': JavaScript, 'python': Python}


def main():
    root, language, *command = sys.argv[1:]
    blocks = [block for block in snippets.find(root) if block.language == language
              and (block.page, language) not in ELSEWHERE]
    kind = LANGUAGES[language](command)
    print(f'1..{len(blocks)}')

    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = []
        for number, block in enumerate(blocks):
            folder = pathlib.Path(scratch) / str(number)
            folder.mkdir()
            jobs.append((block, kind.prepare(block), folder))
        failures = [pool.submit(kind.check, *job) for job in jobs]
        for number, (block, failure) in enumerate(zip(blocks, failures), 1):
            text = failure.result()
            print(f'{"not ok" if text else "ok"} {number} - {block.name}', flush=True)
            if text:
                print(''.join(f'# {line}\n' for line in text.splitlines()), end='', flush=True)
    return 0 if blocks else 1


if __name__ == '__main__':
    sys.exit(main())
