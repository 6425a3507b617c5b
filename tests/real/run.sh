#!/usr/bin/env bash
# The official Python SDKs against the simulated cloud: a day of more than 25 actions through each, the same for all; and
# the demo's work done by hand through each, to the same end as through reconcile.  Usage: run.sh RECONCILE PYTHON
set -euo pipefail
reconcile="$(realpath "$1")"
python="$2"
here="$(cd "$(dirname "$0")" && pwd)"
folder="$(mktemp -d)"
server=
finish() {
  if [ -n "$server" ]; then kill "$server" && wait "$server"; fi
  rm -r "$folder"
}
trap finish EXIT

mkfifo "$folder/line"
"$reconcile" simulate --clock manual >"$folder/line" &
server=$!
read -r line <"$folder/line"
"$python" "$here/compare.py" "$line"
# Nobody builds an image by hand here, nor waits for jobs.
cp -r "$here/../../state" "$folder/state"
rm "$folder/state/builds.yaml" "$folder/state/runners.yaml"
"$python" "$here/by_hand.py" "$line" "$reconcile" "$folder/state"
echo 'figure: official clients that work against the simulator: 3'
