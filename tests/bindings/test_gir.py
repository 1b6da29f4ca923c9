# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks Osiiso-1.gir for what Python, JavaScript and Vala cannot use; prints TAP.

Usage: test_gir.py GIR
"""
import re
import sys
import unittest
import xml.etree.ElementTree as ElementTree

import tap

CORE = '{http://www.gtk.org/introspection/core/1.0}'
C = '{http://www.gtk.org/introspection/c/1.0}'
CALLABLES = ('function', 'method', 'constructor', 'virtual-method', 'callback')

# What is for C only, with what does the same for everybody.
TWINS = {
    'osiiso_attempt_return_new_error': 'osiiso_attempt_return_error_literal',
    # The same with one place for all numbers.
    'osiiso_queue_exchange_tokens': 'osiiso_queue_tokens_done',
    'osiiso_queue_exchange_token_slots': 'osiiso_queue_exchange_token',
    # Calls functions in C; workers in other languages are loops over a channel.
    'osiiso_worker_main': 'osiiso_worker_channel_receive',
}

# What blocks has a pair that does not: it is called like one of these, or can be cancelled,
# or its documentation says so.
BLOCKING_NAME = re.compile(r'^(submit|push|map|run|join|shutdown|wait|next)(_|$)')
BLOCKING_WORDS = re.compile(r'\b(blocks?\b(?! for ever)|[Ww]aits for room|[Ww]aits (when|until|for that))')
# Those without, with what a program uses that must not block.
UNPAIRED = {
    # They begin it and return; the end is told.
    'osiiso_queue_tell_run': 'osiiso_queue_finish_told',
    'osiiso_queue_tell_join': 'osiiso_queue_finish_told',
    'osiiso_queue_tell_shutdown': 'osiiso_queue_finish_told',
    # For the threads of a backend. One without threads is told when there is something to take.
    'osiiso_backend_serve': 'osiiso_backend_take',
    'osiiso_backend_take_wait': 'osiiso_backend_take',
    # For worker programs; those with a main loop attach the channel to it.
    'osiiso_worker_channel_receive': 'osiiso_worker_channel_attach',
    # Reads folders, and waits for nobody.
    'osiiso_backend_list_names': 'osiiso_backend_create',
    # Runs the function of the task, which may do anything.
    'osiiso_attempt_run': 'osiiso_attempt_defer',
    # Others wait, of whom its documentation tells.
    'osiiso_queue_set_size': 'osiiso_queue_set_size',
}

TREE = ElementTree.parse(sys.argv.pop(1))
NAMESPACE = TREE.getroot().find(CORE + 'namespace')


def is_skipped(node):
    return node.get('introspectable') == '0'


def callables(kinds=CALLABLES):
    for kind in kinds:
        yield from NAMESPACE.iter(CORE + kind)


def public(kinds=CALLABLES):
    return [node for node in callables(kinds) if not is_skipped(node)]


def name_of(node):
    return node.get(C + 'identifier') or node.get('name')


def parameters(node):
    return node.findall(f'{CORE}parameters/{CORE}parameter')


def type_name(node):
    inner = node.find(CORE + 'type')
    return inner.get('name') if inner is not None else None


def may_block(node):
    if re.search('_(async|finish)$|_try_', name_of(node)):
        return False
    documentation = ' '.join((node.findtext(CORE + 'doc') or '').split())
    cancellable = any(type_name(parameter) == 'Gio.Cancellable' for parameter in parameters(node))
    sets = node.get('name').startswith('set_')
    return bool(BLOCKING_NAME.search(node.get('name')) or cancellable and not sets or BLOCKING_WORDS.search(documentation))


def callback_names():
    return {node.get('name') for node in NAMESPACE.findall(CORE + 'callback')} | {'Gio.AsyncReadyCallback'}


class TestGir(unittest.TestCase):
    def test_skipped_have_twins(self):
        skipped = {name_of(node) for node in callables(('function', 'method', 'constructor')) if is_skipped(node)}
        there = {name_of(node) for node in public()}
        self.assertEqual(skipped, set(TWINS))
        for twin in TWINS.values():
            self.assertIn(twin, there)

    def test_no_pointers(self):
        for node in public(('function', 'method', 'constructor')):
            self.assertNotEqual(type_name(node.find(CORE + 'return-value')), 'gpointer', name_of(node))
            for parameter in parameters(node):
                if type_name(parameter) == 'gpointer':
                    self.assertIn(parameter.get('name'), ('user_data', 'callback_data'), name_of(node))

    def test_callbacks_are_whole(self):
        found = 0
        for node in public(('function', 'method', 'constructor')):
            for parameter in parameters(node):
                if type_name(parameter) not in callback_names():
                    continue
                found += 1
                where = f"{name_of(node)} ({parameter.get('name')})"
                self.assertIsNotNone(parameter.get('closure'), where)
                if parameter.get('scope') != 'async':
                    self.assertEqual(parameter.get('scope'), 'notified', where)
                    self.assertIsNotNone(parameter.get('destroy'), where)
        self.assertGreater(found, 5)

    def test_virtual_methods_take_no_callbacks(self):
        for node in callables(('virtual-method',)):
            for parameter in parameters(node):
                self.assertNotIn(type_name(parameter), callback_names(), name_of(node))

    def test_no_closures(self):
        for node in public(('function', 'method', 'constructor')):
            for parameter in parameters(node):
                self.assertNotEqual(type_name(parameter), 'GObject.Closure', name_of(node))

    def test_async_pairs(self):
        there = {name_of(node) for node in public()}
        starts = [name for name in there if name.endswith('_async')]
        self.assertGreater(len(starts), 4)
        for name in starts:
            self.assertIn(name[:-len('_async')] + '_finish', there)

    def test_blocking_calls_have_pairs(self):
        there = {name_of(node) for node in public()}
        blocking = {name_of(node) for node in public(('function', 'method', 'constructor')) if may_block(node)}
        paired = {name for name in blocking if {f'{name}_async', f"{name.removesuffix('_full')}_async"} & there}
        self.assertGreater(len(paired), 20)
        self.assertEqual(blocking - paired, set(UNPAIRED))
        self.assertEqual(set(UNPAIRED.values()) - there, set())

    def test_versions(self):
        for node in public(('function', 'method', 'constructor')):
            if not name_of(node).endswith('_quark'):
                self.assertEqual(node.get('version'), '1.0', name_of(node))
        for kind in ('class', 'record', 'enumeration', 'bitfield', 'callback', 'property'):
            for node in NAMESPACE.iter(CORE + kind):
                private = node.get('name', '').endswith('Private') or node.get(f'{{http://www.gtk.org/introspection/glib/1.0}}is-gtype-struct-for')
                inner = node.tag == CORE + 'callback' and node not in NAMESPACE.findall(CORE + 'callback')
                if not private and not inner and not is_skipped(node):
                    self.assertEqual(node.get('version'), '1.0', f"{kind} {node.get('name')}")

    def test_documented(self):
        for node in public(('function', 'method', 'constructor')):
            if name_of(node).endswith('_quark'):
                continue
            self.assertIsNotNone(node.find(CORE + 'doc'), name_of(node))
            for parameter in parameters(node):
                self.assertIsNotNone(parameter.find(CORE + 'doc'), f"{name_of(node)} ({parameter.get('name')})")

    def test_internals_are_absent(self):
        text = ElementTree.tostring(NAMESPACE, encoding='unicode')
        for word in ('OsiisoScheduler', 'OsiisoRecord', 'OsiisoOutbox', 'OsiisoBatch', 'test_hooks'):
            self.assertNotIn(word, text)


if __name__ == '__main__':
    tap.main()
