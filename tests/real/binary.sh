#!/usr/bin/env bash
# The binary of the image needs no library, is small, and can be made again to the byte: by another folder and another
# home of cargo's, from the same files.  Usage: binary.sh FOLDER, into which deploy/static.sh has put it
set -euo pipefail
binary="$(realpath "$1")/reconcile"
cd "$(dirname "$0")/../.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
bytes_max=15000000
fail() { echo "$*" && exit 1; }

ldd "$binary" | grep -q 'statically linked' || fail 'the binary asks for libraries'
bytes="$(stat -c %s "$binary")"
((bytes < bytes_max)) || fail "the binary has $bytes bytes, at most $bytes_max"
printf 'figure: release binary, static, MB: %s.%s\n' "$((bytes / 1000000))" "$((bytes % 1000000 / 100000))"

# As somebody else would have it: all files that are not ignored, below a longer path, with a cargo that lives elsewhere.
copy="$work/another/place/of/the/project"
mkdir -p "$copy" "$work/cargo"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$copy"
ln -s "${CARGO_HOME:-$HOME/.cargo}/registry" "$work/cargo/registry"
CARGO_HOME="$work/cargo" "$copy/deploy/static.sh" "$work/image"
cmp "$binary" "$work/image/reconcile" || fail 'the same files made another binary'
sha256sum "$binary" "$work/image/reconcile"
