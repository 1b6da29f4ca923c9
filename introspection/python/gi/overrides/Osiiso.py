# SPDX-License-Identifier: LGPL-2.1-or-later
"""What makes gi.repository.Osiiso pleasant in Python."""
from gi.module import get_introspection_module

Osiiso = get_introspection_module('Osiiso')
__all__: list[str] = []
