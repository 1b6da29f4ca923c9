# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that osiiso-1.vapi has all that Osiiso-1.gir has; prints TAP.

Usage: test_vapi.py GIR VAPI
"""
import re
import sys
import unittest
import xml.etree.ElementTree as ElementTree

import tap

CORE = '{http://www.gtk.org/introspection/core/1.0}'
GLIB = '{http://www.gtk.org/introspection/glib/1.0}'

VAPI = open(sys.argv.pop(2), encoding='utf-8').read()
NAMESPACE = ElementTree.parse(sys.argv.pop(1)).getroot().find(CORE + 'namespace')
# A declaration at the first level, up to the brace that closes it there.
TYPE = re.compile(r'^\tpublic (?:\w+ )*?(?:class|enum|errordomain|struct) (\w+)[^{]*\{\n(.*?)^\t\}', re.MULTILINE | re.DOTALL)
TYPES = dict(TYPE.findall(VAPI))


def is_there(node):
    return node.get('introspectable') != '0' and node.get('moved-to') is None


def children(node, kind):
    return [child for child in node.findall(CORE + kind) if is_there(child)]


def types(*kinds):
    return [node for kind in kinds for node in children(NAMESPACE, kind) if not node.get(GLIB + 'is-gtype-struct-for')]


class TestVapi(unittest.TestCase):
    def test_types(self):
        wanted = {node.get('name') for node in types('class', 'record', 'enumeration', 'bitfield')}
        self.assertGreater(len(wanted), 15)
        # The rest is what Osiiso-1-custom.vala adds.
        self.assertEqual(set(TYPES) - wanted, {'BackendDescriptor', 'Length'})
        self.assertEqual(wanted - set(TYPES), set())

    def test_methods(self):
        found = 0
        for node in types('class', 'record'):
            for kind in ('method', 'function', 'virtual-method'):
                for method in children(node, kind):
                    name = method.get('name')
                    if name.endswith('_finish'):
                        name = name[:-len('_finish')] + '_async'
                    with self.subTest(f'{node.get("name")}.{name}'):
                        self.assertRegex(TYPES[node.get('name')], rf'\b@?{name} \(')
                    found += 1
        self.assertGreater(found, 200)

    def test_properties_and_signals(self):
        for node in types('class'):
            members = TYPES[node.get('name')]
            for prop in node.findall(CORE + 'property'):
                self.assertRegex(members, rf'\b{prop.get("name").replace("-", "_")} \{{')
            for signal in node.findall(GLIB + 'signal'):
                # With a slot, so that it can be overridden.
                self.assertRegex(members, rf'virtual signal void {signal.get("name").replace("-", "_")} \(')

    def test_values(self):
        for node in types('enumeration', 'bitfield'):
            for member in node.findall(CORE + 'member'):
                self.assertRegex(TYPES[node.get('name')], rf'(?m)^\t\t{member.get("name").upper()}[,;]?$')

    def test_delegates(self):
        for node in types('callback'):
            self.assertRegex(VAPI, rf'public delegate [\w.?]+ {node.get("name")} \(')
        # What is kept until it is called is given away.
        kept = re.findall(r'(\w*) ?Osiiso\.\w+Func\?? func\b', VAPI)
        self.assertGreater(len(kept), 10)
        self.assertEqual(set(kept), {'owned'})

    def test_defaults(self):
        for kind in ('GLib.Cancellable', 'Osiiso.TaskOptions'):
            with self.subTest(kind):
                parameters = re.findall(rf'[(, ]{re.escape(kind)}\? \w+( = null)?[,)]', VAPI)
                self.assertGreater(len(parameters), 10)
                self.assertEqual(set(parameters), {' = null'})

    def test_asynchronous(self):
        names = re.findall(r'public async [\w.?]+ (\w+) \(', VAPI)
        self.assertGreater(len(names), 6)
        for name in names:
            self.assertRegex(name, r'_async$')
        self.assertNotIn('AsyncReadyCallback', VAPI)
        self.assertIsNone(re.search(r'_finish \(', VAPI))

    def test_abstract(self):
        for name in ('open', 'close'):
            self.assertRegex(TYPES['Backend'], rf'public abstract \w+ {name} \(')


if __name__ == '__main__':
    tap.main()
