#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# glib-tsan.sh: builds the GLib of this Debian for ThreadSanitizer, once, and prints
# where its libraries are, as the last line. It has to come from the same compiler as
# what is checked. It is kept in ~/.cache, for OSIISO_GLIB_TSAN says that it is elsewhere.
. tests/check/common.sh

if [ -n "${OSIISO_GLIB_TSAN:-}" ]; then
  [ -d "$OSIISO_GLIB_TSAN" ] || fail "OSIISO_GLIB_TSAN=$OSIISO_GLIB_TSAN is no folder"
  echo "$OSIISO_GLIB_TSAN"
  exit 0
fi

need apt-get dpkg-source gcc meson ninja
version=$(dpkg-query -W -f '${source:Version}' libglib2.0-dev)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/osiiso-check/glib-tsan-$version-gcc$(gcc -dumpversion)
libdir=$cache/lib

if [ ! -e "$cache/done" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  # The package lists may have no sources: these are looked up besides, for us alone.
  mkdir -p lists/partial
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] && sed -n 's/^deb /deb-src /p' "$file" >>sources.list
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >>deb.sources
  done
  mkdir -p parts
  [ -f deb.sources ] && mv deb.sources parts/
  touch sources.list
  apt="-o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=$work/parts -o Dir::State::Lists=$work/lists -o APT::Sandbox::User="
  # shellcheck disable=SC2086 # words
  apt-get -q $apt update && apt-get -q $apt source "glib2.0=$version" ||
    fail "could not get the source of glib2.0 $version"
  cd glib2.0-*/
  meson setup _tsan . --prefix="$cache" --libdir=lib -Db_sanitize=thread -Db_lundef=false -Dbuildtype=debugoptimized \
    -Dtests=false -Dlibmount=disabled -Dselinux=disabled -Dman=false -Dgtk_doc=false
  ninja -C _tsan install
  touch "$cache/done"
fi
echo "$libdir"
