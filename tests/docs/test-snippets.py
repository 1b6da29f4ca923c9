#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compiles or runs every piece of code that the documentation shows, in TAP.

Usage: test-snippets.py SOURCE_ROOT LANGUAGE COMMAND...

COMMAND compiles C (a file name is added, and what makes a program of it comes
from the flags that follow), translates Vala, or is the interpreter. What a
piece takes for granted is in preamble.* beside this file. A line that is only
an ellipsis stands for code that is left out.

C and Vala are compiled. Pieces at the top level of a file are seen by those
that follow on the same page; others are put into a function. Python and
JavaScript are run, the blocks of a page of Python one after another in one
interpreter, as a reader would type them.
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


class JavaScript:
    def __init__(self, command):
        self.command = command
        self.preamble = (HERE / 'preamble.js').read_text(encoding='utf-8')
        # Those that begin with the name of a file are there for the others of the page.
        self.files = {}

    def prepare(self, block):
        name = re.match(r'// ([\w-]+\.js)\n', block.code)
        if name:
            self.files.setdefault(block.page, {})[name[1]] = block.code
        imports = [line for line in block.code.splitlines() if line.startswith('import ')]
        names = {name for line in imports for name in re.findall(r'\w+', line.partition(' from ')[0])}
        preamble = '\n'.join(line for line in self.preamble.splitlines()
                             if not (line.startswith('import ') and line.split()[1] in names))
        code = '\n'.join('' if line in imports else line for line in ELLIPSIS.sub('', block.code).splitlines())
        if re.search(r'^export ', code, re.MULTILINE):
            return '\n'.join(imports) + '\n' + code
        return '\n'.join(imports) + '\n' + preamble.replace('/* THE SNIPPET */', '{' + code + '}')

    def check(self, block, text, folder):
        for name, code in self.files.get(block.page, {}).items():
            (folder / name).write_text(code, encoding='utf-8')
        path = folder / f'snippet-{block.line}.js'
        path.write_text(text, encoding='utf-8')
        return run([*self.command, str(path)], cwd=folder)


class Python:
    """A page at a time; what goes wrong is put down to its block."""

    def __init__(self, command):
        self.command = command
        self.pages = {}

    def prepare(self, block):
        self.pages.setdefault(block.page, []).append(block)
        return ''

    def check(self, block, text, folder):
        number = self.pages[block.page].index(block)
        command = [*self.command, str(HERE / 'run-page.py'), str(HERE / 'preamble.py'), str(number)]
        for i, earlier in enumerate(self.pages[block.page][:number + 1]):
            path = folder / f'{i}.py'
            path.write_text(ELLIPSIS.sub('', earlier.code), encoding='utf-8')
            command.append(str(path))
        return run(command, cwd=folder)


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
