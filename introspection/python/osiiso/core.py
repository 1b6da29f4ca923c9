# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where BoundTask has its other name."""
from .bound import BoundTask

__all__ = ['BoundTask']
