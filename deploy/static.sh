#!/usr/bin/env bash
# Builds the binary that needs nothing but a kernel, and puts it beside the certificates of this machine: all that an
# image holds. Where the project and cargo's folder lie leaves no trace in the binary: the same compiler and C library
# give the same bytes.  Usage: static.sh FOLDER
set -euo pipefail
folder="$(realpath -m "$1")"
cd "$(dirname "$0")/.."
project="$PWD"
cargo_home="${CARGO_HOME:-$HOME/.cargo}"
target="$(rustc -vV | sed -n 's/^host: //p')"

export CARGO_INCREMENTAL=0
# The image is pulled more often than it is built: as one piece it is a quarter smaller, and takes longer.
export CARGO_PROFILE_RELEASE_LTO=thin CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
# The target is named so that the flags do not reach what runs while it is built: proc-macros cannot be static.
RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$project=/project --remap-path-prefix=$cargo_home=/cargo" \
  cargo build --locked --release --target "$target" --target-dir "$project/target/static"

mkdir -p "$folder"
install -m 0755 "target/static/$target/release/reconcile" "$folder/reconcile"
install -m 0644 /etc/ssl/certs/ca-certificates.crt "$folder/ca-certificates.crt"
