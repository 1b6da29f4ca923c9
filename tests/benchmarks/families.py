# SPDX-License-Identifier: LGPL-2.1-or-later
"""All that is measured."""
import family_languages
import family_main_loop
import family_subprocess
import family_threads
import family_waiting

FAMILIES = [family for module in (family_threads, family_waiting, family_main_loop, family_subprocess, family_languages)
            for family in module.FAMILIES]


def rows(chosen):
    return [row for family in chosen for row in family.rows]
