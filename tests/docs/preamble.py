# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the pieces of Python in the documentation take for granted."""
import gi
gi.require_version('Osiiso', '1')
