# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the package have in common."""
import hypothesis

# The same examples each time, and nothing that is left in the tree.
hypothesis.settings.register_profile('project', database=None, deadline=None, derandomize=True)
hypothesis.settings.load_profile('project')
