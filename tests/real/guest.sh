#!/usr/bin/env bash
# What a builder is told, in a real Debian of its own: the script's inputs arrive as they are and run nothing, each trace
# alone is found, and afterwards no file of the whole root holds a trace, nor the script, nor an input. What is looked for
# is a word in every trace, so that this does not trust the check that it tests. Wants mmdebstrap and root.
# Usage: guest.sh
# shellcheck disable=SC2016  # what stands in single quotes is for the guest
set -euo pipefail
project="$(cd "$(dirname "$0")/../.." && pwd)"
parts="$project/src/kinds/machine_image/guest"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
root="$work/root"
word=A-TRACE-OF-A-BUILDER
fail() { echo "$*" && exit 1; }

mmdebstrap --quiet --variant=minbase --include=openssh-server "${SUITE:-trixie}" "$root"

# The command as the program makes it: three parts, compressed and in base64.
packed() { gzip -9 | base64 -w 0; }
command_of() {
  local script inputs
  script="$(packed <"$1")"
  inputs="$(packed <"$2")"
  sed -e "/^@arm@\$/{r $parts/arm.sh" -e 'd}' -e 's/@minutes@/120/' -e "s/@build@/$(sha256sum "$1" | head -c 16)/" \
    -e "s|@guest@|$(packed <"$parts/guest.sh")|" -e "s|@inputs@|$inputs|" -e "s|@script@|$script|" "$parts/command.sh"
}
input() { printf '%s %s\n' "$1" "$(printf '%s' "$2" | base64 -w 0)"; }

# The same traces as in the unit tests, where the packages of Debian have not left their own.
traces=(
  etc/ssh/ssh_host_ed25519_key etc/machine-id var/lib/systemd/random-seed var/lib/cloud/instances/i-1/user-data.txt
  var/log/cloud-init-output.log var/log/journal/0123/system.journal var/lib/apt/lists/archive_InRelease
  var/cache/apt/archives/x.deb var/cache/dnf/x.solv var/lib/dhcp/dhclient.leases root/.bash_history
  home/someone/.bash_history tmp/x 'var/tmp/with a space' usr/local/share/aliyun-assist/work/script/t-1.sh
  usr/local/share/aliyun-assist/2.2/log/main.log etc/systemd/system/reconcile-release.service opt/reconcile-done
)
plant() { mkdir -p "$(dirname "$root/$1")" && echo "$word" >"$root/$1"; }
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"; }

value=$'it\'s "so"\n`id` $(touch /pwned) \\ ; & |\n'
{ input ODD "$value$word" && input EMPTY ''; } >"$work/inputs"
printf '#!/bin/sh\n# %s\nprintf %%s "$ODD" | sha256sum >/etc/odd\n[ -z "${EMPTY-x}" ] || exit 9\necho installed >/opt/tool\n' "$word" >"$work/script"
for shell in dash bash; do
  rm -rf "$root/run/reconcile"
  for trace in "${traces[@]}"; do plant "$trace"; done
  plant etc/kept
  command_of "$work/script" "$work/inputs" >"$root/tmp/command"
  inside "$shell" /tmp/command || fail "$shell: $?"
  [ "$(cat "$root/etc/odd")" = "$(printf '%s' "$value$word" | sha256sum)" ] || fail "$shell: an input has changed"
  [ ! -e "$root/pwned" ] || fail "$shell: an input became code"
  [ "$(cat "$root/opt/tool")" = installed ] || fail "$shell: what was installed is gone"
  left="$(grep -rlF --exclude-dir=proc --exclude-dir=sys -- "$word" "$root" || true)"
  [ "$left" = "$root/etc/kept" ] || fail "$shell: left are $left"
  [ -z "$(ls "$root"/etc/ssh/ssh_host_* 2>/dev/null)" ] || fail "$shell: the keys of the host are left"
  [ -z "$(cat "$root/etc/machine-id")" ] || fail "$shell: the id of the machine is left"
  echo "$shell: provisioned, and no trace is left"
done

found=0
for trace in "${traces[@]}"; do
  plant "$trace"
  code=0
  { echo 'root='; cat "$parts/guest.sh"; echo check; } >"$root/run/check"
  inside sh /run/check >"$work/said" || code=$?
  if [ "$code" != 122 ] || ! grep -q 'left behind: /' "$work/said"; then fail "$trace: $code: $(cat "$work/said")"; fi
  sed 's/^check$/finish/' "$root/run/check" >"$root/run/finish"
  inside sh /run/finish || fail "$trace: $? after the clean-up"
  found=$((found + 1))
done
echo "figure: traces that are found and removed, each alone, in a real Debian: $found of ${#traces[@]}"
