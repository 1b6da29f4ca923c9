# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints where a Python that is installed below PREFIX looks for packages.

Usage: package-dir.py PREFIX

Meson 1.0 takes Debian's Python for one that looks in the same place whatever the
prefix is; it does not.
"""
import sys
import sysconfig

prefix = sys.argv[1].rstrip('/') or '/'
schemes = sysconfig.get_scheme_names()
if prefix == '/usr' and 'deb_system' in schemes:
    print(sysconfig.get_path('purelib', 'deb_system', vars={'base': '/usr'}))
elif prefix == '/usr/local' and 'posix_local' in schemes:
    # That scheme adds local by itself.
    print(sysconfig.get_path('purelib', 'posix_local', vars={'base': '/usr'}))
else:
    print(sysconfig.get_path('purelib', 'posix_prefix', vars={'base': prefix}))
