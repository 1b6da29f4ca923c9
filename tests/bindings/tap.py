# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the unittest cases of a module and reports in TAP.

What a callback raises is printed by the binding and lost to its caller, so it is
collected here and makes the test fail in which it happened.
"""
import sys
import traceback
import unittest


class Case(unittest.TestCase):
    """A test case that fails when something was raised in a callback."""

    def setUp(self):
        self.raised = []
        self.addCleanup(setattr, sys, 'excepthook', sys.excepthook)
        sys.excepthook = lambda *raised: self.raised.append(raised)

    def tearDown(self):
        for raised in self.raised:
            raise AssertionError('raised in a callback:\n' +
                                 ''.join(traceback.format_exception(*raised)))


class Result(unittest.TestResult):
    """Prints one line for each test, and the details of those that fail."""

    def startTest(self, test):
        super().startTest(test)
        self.details = []

    def stopTest(self, test):
        super().stopTest(test)
        name = '.'.join(test.id().split('.')[-2:])
        print(f'{"not ok" if self.details else "ok"} {self.testsRun} - {name}')
        for line in ''.join(self.details).splitlines():
            print('#', line)
        sys.stdout.flush()

    def _keep(self, test, error):
        self.details.append(self._exc_info_to_string(error, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._keep(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._keep(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.details.append(f'{subtest.id()}\n')
            self._keep(test, err)


def main(module='__main__'):
    """Runs the tests of a module, or those of them that the arguments name."""
    loader = unittest.TestLoader()
    names = sys.argv[1:]
    suite = (loader.loadTestsFromNames(names, sys.modules[module]) if names
             else loader.loadTestsFromModule(sys.modules[module]))
    print(f'1..{suite.countTestCases()}')
    suite.run(Result())
    # The lines say what failed. Meson takes any other status for a crash.
    sys.exit(0)
