#!/usr/bin/env bash
# How long `reconcile check` takes over 500 resources: the median of five runs, in milliseconds.
# Usage: check_speed.sh RECONCILE
set -euo pipefail
reconcile="$(realpath "$1")"
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT

mkdir "$folder/state"
document() { printf -- '---\napiVersion: reconcile/v1alpha1\nkind: %s\nmetadata: {name: %s, labels: {team: edge}}\n' "$1" "$2"; }
{
  document AliyunRegion home
  printf 'spec: {regionId: cn-hangzhou, scope: demo}\n'
} >"$folder/state/region.yaml"
for n in $(seq 499); do
  if ((n % 2)); then
    document MachineImage "line-$n"
    printf 'spec:\n  regionRef: home\n  namePrefix: line-%s\n  architectures: [amd64, arm64]\n  retention: {keep: 3}\n' "$n"
  else
    document InstancePolicy "policy-$n"
    printf 'spec:\n  regionRef: home\n  selector:\n    tags: {purpose: "%s"}\n  maxAge: 4h\n  idleAfter: 10m\n' "$n"
  fi >>"$folder/state/$((n / 50)).yaml"
done

cd "$folder"
[ "$("$reconcile" check)" = '500 resources in state: valid' ]
for _ in 1 2 3 4 5; do
  begun="$(date +%s%N)"
  "$reconcile" check >/dev/null
  echo "$((($(date +%s%N) - begun) / 1000000))"
done | sort -n | sed -n 3p
