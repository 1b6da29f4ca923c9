# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the types of gi.repository.Osiiso for type checkers.

Usage: make-stubs.py GIR OVERRIDE STUBS

The GIR says what PyGObject offers. Of what the override defines, the annotations there
count: they are taken as they are, so they may only use the names that are imported at
the top of the stubs.
"""
import ast
import keyword
import sys
import xml.etree.ElementTree as ElementTree

HEADER = '''\
# SPDX-License-Identifier: LGPL-2.1-or-later
# Made from the GIR and the override; do not edit.
import concurrent.futures
import queue
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self, overload

from gi.repository import Gio, GLib, GObject
'''
CORE = '{http://www.gtk.org/introspection/core/1.0}'
C = '{http://www.gtk.org/introspection/c/1.0}'
GLIB = '{http://www.gtk.org/introspection/glib/1.0}'
BASIC = {
    'none': 'None', 'gboolean': 'bool', 'utf8': 'str', 'filename': 'str', 'gdouble': 'float', 'gpointer': 'Any',
    'GType': 'Any', 'GLib.Quark': 'int', 'GObject.Value': 'Any',
    **dict.fromkeys(['gint', 'guint', 'gint64', 'guint64', 'guint8', 'gsize', 'gint32', 'guint32', 'gulong'], 'int'),
}
INDENT = '    '


def name_of(element):
    name = element.get('name').replace('-', '_')
    return name + '_' if keyword.iskeyword(name) else name


def is_true(element, attribute):
    return element.get(attribute) == '1'


class Stubs:
    """The text of one namespace."""

    def __init__(self, namespace, overrides):
        self.namespace = namespace
        self.overrides = overrides
        self.callbacks = {element.get('name'): element for element in namespace.findall(CORE + 'callback')}
        self.lines = []

    def add(self, depth, text):
        self.lines.append(INDENT * depth + text if text else '')

    # Types.

    def type_of(self, element, given=False):
        """Of a value; of one that is given to a call it is less strict."""
        array = element.find(CORE + 'array')
        if array is not None:
            item = array.find(CORE + 'type').get('name')
            if item == 'guint8':
                text = 'bytes'
            else:
                text = f'{"Sequence" if given else "list"}[{self.named(item)}]'
        else:
            found = element.find(CORE + 'type')
            text = 'Callable[..., Any]' if found is None else self.named(found.get('name'))
        if is_true(element, 'nullable') or (given and is_true(element, 'allow-none')):
            text += ' | None' if text != 'Any' else ''
        return text

    def named(self, name):
        if name in BASIC:
            return BASIC[name]
        if name in self.callbacks:
            return self.callback(self.callbacks[name])
        if name.endswith(('.AsyncReadyCallback', '.DestroyNotify')):
            return 'Callable[..., object]'
        return name

    def callback(self, element):
        arguments, _, result = self.signature(element)
        if any(argument.startswith('*') for argument in arguments):
            # What the data are is not known here.
            return f'Callable[..., {result}]'
        return f'Callable[[{", ".join(argument.split(": ")[1] for argument in arguments)}], {result}]'

    # Calls.

    def signature(self, element):
        """Arguments of a call as PyGObject has them, whether there are data, and its result."""
        parameters = element.findall(f'{CORE}parameters/{CORE}parameter')
        result = element.find(CORE + 'return-value')
        hidden = set()
        closures = set()
        for holder in [*parameters, result]:
            array = holder.find(CORE + 'array')
            if array is not None and array.get('length') is not None:
                hidden.add(int(array.get('length')))
            if holder.get('destroy') is not None:
                hidden.add(int(holder.get('destroy')))
            if holder.get('closure') is not None:
                closures.add(int(holder.get('closure')))
        if element.tag == CORE + 'callback':
            closures = {i for i, parameter in enumerate(parameters) if parameter.get('closure') == str(i)} or {
                i for i, parameter in enumerate(parameters) if parameter.get('name') == 'user_data'}
        else:
            # Both ends of the pair carry the other's number; the data are what is no function.
            closures = {i for i in closures if parameters[i].find(CORE + 'type').get('name') == 'gpointer'}
        results = [] if result.find(CORE + 'type') is not None and result.find(CORE + 'type').get('name') == 'none' else [
            self.type_of(result)]
        arguments, has_data = [], False
        optional = self.first_optional(parameters, hidden | closures)
        for i, parameter in enumerate(parameters):
            if i in hidden:
                continue
            if parameter.get('direction') == 'out':
                results.append(self.type_of(parameter))
            elif i in closures:
                arguments.append('*user_data: Any')
                has_data = True
            else:
                default = ' = ...' if i >= optional else ''
                arguments.append(f'{name_of(parameter)}: {self.type_of(parameter, given=True)}{default}')
        if has_data and sum(argument.startswith('*') for argument in arguments) > 1:
            last = max(i for i, argument in enumerate(arguments) if argument.startswith('*'))
            arguments = [argument for i, argument in enumerate(arguments) if not argument.startswith('*') or i == last]
        text = 'None' if not results else results[0] if len(results) == 1 else f'tuple[{", ".join(results)}]'
        return arguments, has_data, text

    def first_optional(self, parameters, left_out):
        """From where on all arguments may be None, which PyGObject takes as their default."""
        first = len(parameters)
        for i in reversed(range(len(parameters))):
            parameter = parameters[i]
            if i in left_out or parameter.get('direction') == 'out':
                continue
            if not (is_true(parameter, 'nullable') or is_true(parameter, 'allow-none')):
                break
            first = i
        return first

    def add_call(self, depth, element, kind):
        arguments, _, result = self.signature(element)
        name = name_of(element)
        if kind == 'constructor':
            self.add(depth, '@classmethod')
            arguments.insert(0, 'cls')
        elif kind == 'method':
            arguments.insert(0, 'self')
        elif kind == 'virtual':
            arguments.insert(0, 'self')
            name = 'do_' + name
        elif kind == 'static':
            self.add(depth, '@staticmethod')
        self.add(depth, f'def {name}({", ".join(arguments)}) -> {result}: ...')

    # What has a name.

    def add_class(self, element):
        name = element.get('name')
        own = self.overrides.get(name, {})
        is_object = element.tag == CORE + 'class'
        bases = []
        if is_object:
            parent = element.get('parent')
            bases = [parent] + [interface.get('name') for interface in element.findall(CORE + 'implements')]
        self.add(0, '')
        self.add(0, '')
        self.add(0, f'class {name}({", ".join(bases)}):' if bases else f'class {name}:')
        start = len(self.lines)
        if is_object:
            self.add_properties(element)
        for kind, tag in [('constructor', 'constructor'), ('method', 'method'), ('static', 'function'),
                          ('virtual', 'virtual-method')]:
            for call in element.findall(CORE + tag):
                if is_true(call, 'moved-to') or call.get('introspectable') == '0' or call.get('shadowed-by'):
                    continue
                if call.get('name') in own and kind != 'virtual':
                    continue
                self.add_call(1, call, kind)
        for member, text in own.items():
            if member != '__init__':
                for line in text.splitlines():
                    self.add(1, line)
        if len(self.lines) == start:
            self.add(1, '...')

    def add_properties(self, element):
        properties = element.findall(CORE + 'property')
        readable = [p for p in properties if p.get('readable') != '0']
        if readable:
            base = element.get('parent')
            self.add(1, f'class Props({base}.Props):' if '.' not in base and base != 'GObject' else 'class Props:')
            for element_ in readable:
                self.add(2, f'{name_of(element_)}: {self.type_of(element_)}')
            self.add(1, '@property')
            self.add(1, 'def props(self) -> Props: ...')
        settable = [p for p in properties if is_true(p, 'writable')]
        arguments = ['self'] + (['*'] if settable else []) + [
            f'{name_of(p)}: {self.type_of(p, given=True)} = ...' for p in settable]
        if element.get('abstract') != '1':
            self.add(1, f'def __init__({", ".join(arguments)}) -> None: ...')

    def add_enumeration(self, element):
        name = element.get('name')
        self.add(0, '')
        self.add(0, '')
        self.add(0, f'class {name}(int):')
        self.add(1, 'value_name: str')
        self.add(1, 'value_nick: str')
        for member in element.findall(CORE + 'member'):
            self.add(1, f'{member.get("name").upper()}: ClassVar[{name}]')

    def text(self):
        for element in self.namespace.findall(CORE + 'constant'):
            self.add(0, f'{element.get("name")}: {self.type_of(element)}')
        for tag in ('enumeration', 'bitfield'):
            for element in self.namespace.findall(CORE + tag):
                self.add_enumeration(element)
        for tag in ('record', 'class'):
            for element in self.namespace.findall(CORE + tag):
                if element.get(GLIB + 'is-gtype-struct-for') is None:
                    self.add_class(element)
        for name, text in self.overrides.get('', {}).items():
            self.add(0, '')
            self.add(0, '')
            for line in text.splitlines():
                self.add(0, line)
        self.add(0, '')
        self.add(0, '')
        for element in self.namespace.findall(CORE + 'function'):
            if element.get('introspectable') != '0':
                self.add_call(0, element, 'function')
        return HEADER + '\n' + '\n'.join(self.lines) + '\n'


class Bare(ast.NodeTransformer):
    """Inside of the namespace its name is not needed."""

    def visit_Attribute(self, node):
        if isinstance(node.value, ast.Name) and node.value.id == 'Osiiso':
            return ast.Name(node.attr)
        return self.generic_visit(node)


def signature_text(function):
    """A function without its body."""
    bare = Bare().visit(ast.parse(ast.unparse(function)).body[0])
    if isinstance(bare, ast.AsyncFunctionDef) and any(isinstance(node, ast.Yield) for node in ast.walk(bare)):
        # What is called gives an iterator at once.
        bare = ast.FunctionDef(bare.name, bare.args, bare.body, bare.decorator_list, bare.returns)
        ast.fix_missing_locations(bare)
    bare.body = [ast.Expr(ast.Constant(...))]
    # What is called by name keeps it; defaults are of no interest.
    for defaults in (bare.args.defaults, bare.args.kw_defaults):
        defaults[:] = [default and ast.Constant(...) for default in defaults]
    lines = ast.unparse(bare).splitlines()
    assert lines[-1].strip() == '...', lines
    return '\n'.join(lines[:-2] + [lines[-2] + ' ...'])


def read_overrides(path):
    """By class what is defined there; with no class what is exported besides."""
    with open(path, encoding='utf-8') as source:
        tree = ast.parse(source.read())
    found = {'': {}}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        is_override = any(ast.unparse(base) == f'Osiiso.{node.name}' for base in node.bases)
        bases = ', '.join(ast.unparse(base) for base in node.bases)
        if not is_override and 'GLib.Error' not in bases:
            continue
        members = {}
        for member in node.body:
            if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
                text = signature_text(member)
                is_overload = text.startswith('@overload')
                if member.name not in members:
                    members[member.name] = text
                elif is_overload:
                    # What follows the last one implements them.
                    members[member.name] += '\n' + text
        if is_override:
            found[node.name] = members
        else:
            body = ['    ' + line for text in members.values() for line in text.splitlines()]
            found[''][node.name] = '\n'.join([f'class {node.name}({bases}):', *(body or ['    ...'])])
    return found


def main():
    gir, *sources, target = sys.argv[1:]
    overrides = {}
    for source in sources:
        for name, members in read_overrides(source).items():
            overrides.setdefault(name, {}).update(members)
    namespace = ElementTree.parse(gir).getroot().find(CORE + 'namespace')
    with open(target, 'w', encoding='utf-8') as stubs:
        stubs.write(Stubs(namespace, overrides).text())


if __name__ == '__main__':
    main()
