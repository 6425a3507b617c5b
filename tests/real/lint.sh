#!/usr/bin/env bash
# Every file that is not Rust, by its own linter, without a network. Each linter must also find a fault that is planted in a
# copy: one that never says anything proves nothing.  Usage: lint.sh BIN, the folder with the programs of
# lint-requirements.txt; systemd-analyze is the machine's
# shellcheck disable=SC2016  # the $ in single quotes is for sed: the last line
set -euo pipefail
PATH="$(realpath "$1"):$PATH"
cd "$(dirname "$0")/../.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
declare -A linted
count=0
fail() { echo "$*" && exit 1; }

# A copy, to plant faults in.
mkdir "$work/bad"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$work/bad"

# lint LINTER FAULT FILE...: each file passes, and no longer does when the sed script FAULT has changed it.
lint() {
  local linter="$1" fault="$2" file bad
  shift 2
  for file in "$@"; do
    "$linter" "$file" >"$work/said" 2>&1 || fail "$(cat "$work/said") $linter: $file does not pass"
    bad="$work/bad/$file"
    sed -i "$fault" "$bad"
    if cmp -s "$file" "$bad"; then fail "$linter: nothing in $file to plant a fault in: $fault"; fi
    if "$linter" "$bad" >"$work/said" 2>&1; then fail "$linter: $file passes with a fault in it: $fault"; fi
    cp "$file" "$bad"
    linted[$file]=1
    count=$((count + 1))
  done
}

workflow() { actionlint "$1"; }
workflow_safety() { zizmor --offline --no-progress --quiet --strict-collection --persona pedantic "$1"; }
image() { hadolint "$1"; }
shell() { shellcheck "$1"; }
yaml() { yamllint --strict "$1"; }
words() { typos "$1"; }
# What the kustomization of the file's folder comes to, against the schemas of Kubernetes.
manifests() {
  kubectl kustomize "${1%/*}" >"$work/manifests.yaml" && kubernetes-validate --strict --quiet "$work/manifests.yaml"
}
# A unit among those of the machine, with something in the place of the binary. An unknown key is only a warning, so it has
# to say nothing at all.
root="$work/root"
mkdir -p "$root/usr/lib/systemd" "$root/usr/local/bin" "$root/etc/systemd/system"
cp -r /lib/systemd/system "$root/usr/lib/systemd/"
ln -s usr/lib "$root/lib"
install -m 0755 /dev/null "$root/usr/local/bin/reconcile"
unit() {
  local said
  cp deploy/systemd/*.* "$root/etc/systemd/system/"
  cp "$1" "$root/etc/systemd/system/"
  said="$(systemd-analyze verify --root="$root" --man=no "${1##*/}" 2>&1)" && [ -z "$said" ] && return
  echo "$said"
  return 1
}
# What a service could still do: of 100, at most 15. A unit without hardening has 96.
sandbox() { systemd-analyze security --offline=yes --threshold=15 --no-pager "$1" >"$work/exposure"; }

mapfile -t scripts < <(git ls-files -z --cached --others --exclude-standard | xargs -0 grep -lE '^#!.*\bbash$')
lint shell '$a cp $1 $2' "${scripts[@]}"
lint image 's/^WORKDIR \//WORKDIR /' Dockerfile
lint yaml '$a key:   value' .yamllint state/*.yaml deploy/*/*.y*ml deploy/kubernetes/*/*.yaml deploy/runners/state/*.yaml
lint words '$a # recieve' README.md deploy/README.md deploy/runners.md Dockerfile .deny.toml
lint workflow 's/contents: read/contents: reed/' deploy/github/reconcile.yml
lint workflow 's/target\/release\/reconcile check/echo ${{ github.head_ref }}/' deploy/github/reconcile.yml
lint workflow 's/target\/release\/reconcile --once/echo ${{ github.head_ref }}/' deploy/github/runners.yml
lint workflow_safety 's/@[0-9a-f]\{40\}/@main/' deploy/github/runners.yml
lint workflow_safety '/with:$/{N;/persist-credentials/d}' deploy/github/reconcile.yml
lint workflow_safety 's/@[0-9a-f]\{40\}/@main/' deploy/github/reconcile.yml
lint manifests 's/automountServiceAccountToken: false/automountToken: false/' deploy/kubernetes/common/account.yaml
lint manifests 's/literals:/literal:/' deploy/kubernetes/common/kustomization.yaml
lint manifests 's/backoffLimit: 0/backoffLimit: "0"/' deploy/kubernetes/cronjob/cronjob.yaml
lint manifests 's/replicas: 1/replicas: "1"/' deploy/kubernetes/daemon/daemon.yaml
lint manifests 's/common/nowhere/' deploy/kubernetes/{cronjob,daemon}/kustomization.yaml
lint unit 's/^\[Unit\]/&\nDescripton=a/' deploy/systemd/*.*
lint sandbox '/^CapabilityBoundingSet=/d' deploy/systemd/*.service

for file in deploy/*.* deploy/*/*.* deploy/*/*/*.*; do
  [ -n "${linted[$file]:-}" ] || fail "$file is looked at by no linter"
done
echo "${#linted[@]} files passed $count checks, and each check found the fault that was planted in a copy"
