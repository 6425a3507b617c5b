#!/usr/bin/env bash
# Two processes against a simulated cloud in real time: the first brings it to what is declared, the second has nothing
# to do and asks for no more than it must.  Usage: twice.sh RECONCILE
set -euo pipefail
reconcile="$(realpath "$1")"
folder="$(mktemp -d)"
server=
finish() {
  if [ -n "$server" ]; then kill "$server" && wait "$server"; fi
  rm -r "$folder"
}
trap finish EXIT

mkfifo "$folder/line"
"$reconcile" simulate --clock real >"$folder/line" &
server=$!
read -r line <"$folder/line"
# An environment of nothing but what the simulated cloud asks for.
mapfile -t environment < <(python3 -c 'import json, sys
for name, value in json.loads(sys.argv[1])["env"].items(): print(f"{name}={value}")' "$line")
base="$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["base"])' "$line")"
run() { env -i PATH="$PATH" "${environment[@]}" "$reconcile" --status-dir "$folder/status" "$@"; }
calls() { curl -sS --noproxy '*' "$base/_sim/calls?after=$1"; }

run --once --wait 10m
last="$(calls 0 | python3 -c 'import json, sys; print(json.load(sys.stdin)["last"])')"
run --once | tee "$folder/second"
grep -q '^No changes\. ' "$folder/second"
state="$(curl -sS --noproxy '*' "$base/_sim/state")"
calls "$last" | STATE="$state" python3 -c '
import json, os, sys
region = json.loads(os.environ["STATE"])["regions"]["cn-hangzhou"]
pages = lambda objects: max(1, -(-len(objects) // 100))
expected = pages(region["images"]) + pages(region["instances"]) + 1
# What the images of two architectures are built from.
expected += 2
# Of runners: their list, and the runs that are queued or in progress.
expected += 3
# Of images: each required tag with its two sources, and once more in the mirror; all tags and all versions; and at each of
# the two registries a request that is refused and a token.
expected += 3 * (3 + 1) + 1 + 1 + 2 * 2
calls = json.load(sys.stdin)["calls"]
writes = sum(call["write"] for call in calls)
print(f"second run: {len(calls) - writes} reads ({expected} is the fewest), {writes} writes")
sys.exit(0 if writes == 0 and len(calls) == expected else 1)'
