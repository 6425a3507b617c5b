#!/usr/bin/env bash
# What a runner is told, in a real Debian of its own: the machine is armed before anything else happens, the one job runs
# with what it was given, and whatever fails, and however, the machine is switched off last. What would switch it off, and
# what would download, only write down how they were called; all else that is called does that too and is real. There is no
# metadata service, because nothing may ask one. Wants mmdebstrap and root.
# Usage: runner.sh
# shellcheck disable=SC2016,SC2034  # what stands in single quotes is for the guest, or for a case, which uses the rest
set -euo pipefail
project="$(cd "$(dirname "$0")/../.." && pwd)"
part="$project/src/kinds/runner_set/guest/runner.sh"
arm="$project/src/kinds/machine_image/guest/arm.sh"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
root="$work/root"
home="$root/opt/actions-runner"
jit="$(printf 'the configuration of one job \373\377\276 %0999d' 1 | base64 -w 0)"
url=https://github.com/actions/runner/releases/download/v2.330.0/actions-runner-linux-x64-2.330.0.tar.gz
off='systemctl poweroff'
newline=$'\n'
fail() { echo "$*" && exit 1; }

mmdebstrap --quiet --variant=essential "${SUITE:-trixie}" "$root"
# Where /proc was real, so would be the power switch.
if mountpoint -q "$root/proc"; then fail "$root/proc is mounted"; fi
cp "$root/etc/passwd" "$work/passwd"
cp "$root/etc/group" "$work/group"

# No value may become code, or change. Those of one line reach the job by .env, too.
odd='http://u:p&q@proxy:3128/$(touch /pwned)`touch /pwned`;touch /pwned'
declare -A one_line=(
  [HTTP_PROXY]="$odd" [http_proxy]="$odd" [HTTPS_PROXY]="it's \"so\" \\ \\n | %s%n ä" [https_proxy]=$'  \ta  '
  [NO_PROXY]='localhost,100.100.100.200' [no_proxy]='localhost,100.100.100.200' [EMPTY]=''
)
declare -A more_lines=([LINES_A]=$'\na\n$(touch /pwned)\n\n' [LINES_B]=$'a\r' [LINES_C]=$'\n')
inputs() {
  local name
  for name in "${!one_line[@]}"; do printf '%s %s\n' "$name" "$(printf '%s' "${one_line[$name]}" | base64 -w 0)"; done
  for name in "${!more_lines[@]}"; do printf '%s %s\n' "$name" "$(printf '%s' "${more_lines[$name]}" | base64 -w 0)"; done
}

# As the program does it: what is put in the place of a name is text, to the byte.
render() {
  local text
  text="$(cat "$part")"
  text="${text/$'\n@arm@\n'/$'\n'"$(cat "$arm")"$'\n'}"
  text="${text/$'\n@environment@\n'/$'\n'"$environment"}"
  text="${text//@minutes@/240}"
  text="${text//@machine@/x64}"
  text="${text//@version@/"$version"}"
  text="${text//@sha256@/"$sha256"}"
  text="${text//@jit@/"$jit"}"
  printf '%s\n' "$text"
}

# stub NAME CODE: a program that writes down how it was called, then does what CODE says.
stub() {
  printf '#!/bin/sh\nprintf "%%s\\n" "%s${*:+ $*}" >>/log\n%s\n' "$1" "$2" >"$root/stubs/$1"
  chmod 755 "$root/stubs/$1"
}
# first NAME CODE: the program does this before what it would do.
first() { stub "$1" "$2"$'\n'"$(tail -n +3 "$root/stubs/$1")"; }
# What a runner is: it writes down what it was given.
runner() {
  stub run.sh 'env -0 >/seen/env; id -un >/seen/user; pwd >/seen/folder
'"$1"
  stub installdependencies.sh "${2:-}"
  mkdir -p "$work/tree/bin"
  mv "$root/stubs/run.sh" "$work/tree/"
  mv "$root/stubs/installdependencies.sh" "$work/tree/bin/"
  pack
}
pack() {
  tar -czf "$root/tarball" -C "$work/tree" .
  sha256="$(sha256sum "$root/tarball" | head -c 64)"
}
in_image() {
  mkdir -p "$home"
  cp -r "$work/tree/." "$home"
  printf LANG=C >"$home/.env"
}
unprivileged() {
  echo runner:x:1001:1001::/home/runner:/bin/sh >>"$root/etc/passwd"
  echo runner:x:1001: >>"$root/etc/group"
}
missing() { (cd "$root/stubs" && rm -f "$@"); }
# What has a limit reaches it at once; what would hang does not end before.
hang='exec sleep 30'
hangs() { stub timeout 'shift 3; exec /usr/bin/timeout -k 0.1 0.1 "$@"'; }

# What is on every machine. Only what is listed first is real.
mkdir "$root/stubs"
for name in base64 chown id mkdir rm runuser sha256sum tar timeout tr; do
  stub "$name" "exec $(PATH=/usr/sbin:/usr/bin chroot "$root" sh -c "command -v $name") \"\$@\""
done
stub systemctl 'case $1 in is-active) exit 1 ;; esac'
stub shutdown ''
stub poweroff ''
stub curl 'while [ "$1" != --output ]; do shift; done; cat /tarball >"$2"'
stub wget 'for it in "$@"; do case $it in --output-document=*) cat /tarball >"${it#*=}" ;; esac; done'
# As systemd does it: at once, with an environment of its own, and with what is to follow whatever happens.
stub systemd-run 'case "$*" in *--unit=reconcile-release*) exit 0 ;; esac
for it in "$@"; do
  case $it in
  --property=ExecStopPost=*) stop=${it#*=*=} ;;
  --property=StandardOutput=journal+console) [ ! -f /dev/console ] || output=/dev/console ;;
  --*) ;;
  *) break ;;
  esac
  shift
done
(
  env -i --default-signal PATH="$PATH" /bin/sh -c '\''echo $$ >/pid; exec "$@"'\'' sh "$@"
  eval "$stop"
) </dev/null >>"${output:-/journal}" 2>&1 &'
runner ''
cp -r "$root/stubs" "$root/tarball" "$work/"
mv "$work/tree" "$work/begun"
packed="$sha256"
inputs="$(inputs)$newline"

# world SHELL MODE: a machine that was just begun, on which all would go well; the runner is not in the image.
world() {
  rm -rf "${root:?}"/{stubs,opt,seen,pid,pwned,journal,proc/sysrq-trigger,dev/console} "$work/tree"
  mkdir "$root"/{opt,seen}
  cp -r "$work/stubs" "$work/tarball" "$root/"
  cp "$work/passwd" "$work/group" "$root/etc/"
  cp -r "$work/begun" "$work/tree"
  : >"$root/log"
  : >"$root/dev/console"
  chmod 777 "$root/seen" "$root/log"
  ln -sf "$1" "$root/bin/sh"
  version=2.330.0
  sha256="$packed"
  environment="$inputs"
  armed='systemctl is-active --quiet reconcile-release.timer'
  if [ "$2" = no-unit ]; then missing systemd-run; fi
}

# Ends when all has ended that was begun: each process holds the pipe.
run() {
  render >"$root/user-data"
  {
    env -i --default-signal PATH=/stubs:/usr/sbin:/usr/bin:/sbin:/bin timeout -k 1 20 chroot "$root" \
      /bin/sh -c 'echo $$ >/pid; exec /bin/sh /user-data' 9>&1 </dev/null >"$work/said" 2>&1 || true
  } | timeout 20 cat || wrong 'something does not end'
}

wrong() {
  echo "$case: $*"
  for it in log dev/console journal; do echo "--- /$it" && cat "$root/$it"; done 2>/dev/null
  echo '--- said' && cat "$work/said"
  exit 1
}

# judge JOBS LAST: how many jobs were run, and what the last thing was that was done.
judge() {
  local first last
  first="$(head -n 1 "$root/log")"
  last="$(tail -n 1 "$root/log")"
  # shellcheck disable=SC2053  # a pattern
  [[ "$first" == $armed ]] || wrong "the first thing done was: $first"
  if [ "$2" = sysrq ]; then
    [ "$(cat "$root/proc/sysrq-trigger")" = o ] || wrong 'it is still on'
  else
    [ "$last" = "$2" ] || wrong "the last thing done was: $last"
    [ "$(grep -cxF -- "$2" "$root/log")" = 1 ] || wrong 'it was switched off more than once'
    [ ! -e "$root/proc/sysrq-trigger" ] || wrong 'it was switched off in two ways'
  fi
  [ "$(grep -cx 'run\.sh' "$root/log" || true)" = "$1" ] || wrong "not $1 jobs were run"
  if grep -q '^run\.sh .' "$root/log"; then wrong 'the runner has arguments'; fi
  if grep -rqsF -- "$jit" "$root"/{log,journal,dev/console} "$work/said"; then wrong 'the configuration was shown'; fi
  [ ! -e "$root/pwned" ] || wrong 'a value became code'
}

has() {
  local it
  for it in "${seen[@]}"; do
    if [ "$it" = "$1" ]; then return; fi
  done
  return 1
}
# done_as USER HOME: the job was given what it should be given, as it is.
done_as() {
  local name lines expected
  mapfile -d '' -t seen <"$root/seen/env"
  for name in "${!one_line[@]}"; do has "$name=${one_line[$name]}" || wrong "$name did not arrive"; done
  for name in "${!more_lines[@]}"; do has "$name=${more_lines[$name]}" || wrong "$name did not arrive"; done
  has "ACTIONS_RUNNER_INPUT_JITCONFIG=$jit" || wrong 'the configuration did not arrive'
  has "HOME=$2" || wrong 'it has another home'
  if has RUNNER_ALLOW_RUNASROOT=1; then [ "$1" = root ]; else [ "$1" != root ]; fi || wrong 'it is root, or is not'
  [ "$(cat "$root/seen/user")" = "$1" ] || wrong "it was not run as $1"
  [ "$(cat "$root/seen/folder")" = /opt/actions-runner ] || wrong 'it was run elsewhere'
  mapfile -t lines <"$home/.env"
  mapfile -t expected < <(for name in "${!one_line[@]}"; do echo "$name=${one_line[$name]}"; done)
  [ "$(printf '%s\n' "${lines[@]}" | grep -v -e '^$' -e '^LANG=C$' | sort)" = "$(printf '%s\n' "${expected[@]}" | sort)" ] ||
    wrong ".env is: ${lines[*]}"
  [ "$(chroot "$root" stat -c %U /opt/actions-runner/.env)" = "$1" ] || wrong ".env is not of $1"
}

# What was done in which order, without what does not matter.
order() {
  grep -oE '^(mkdir|curl|wget|sha256sum|tar|installdependencies\.sh|run\.sh|systemctl poweroff)' "$root/log" | paste -sd ' '
}

well=0
# well NAME ORDER USER HOME CASE
well() {
  for shell in dash bash; do
    for mode in unit no-unit; do
      case="$shell, $mode: $1"
      world "$shell" "$mode"
      eval "$5"
      run
      judge 1 "$off"
      [ "$(order)" = "$2" ] || wrong "it went otherwise: $(order)"
      [ -z "$3" ] || done_as "$3" "$4"
      left="$(grep -rlF --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev -- "$jit" "$root" | sort | paste -sd ' ')"
      [ "$left" = "$root/seen/env $root/user-data" ] || wrong "the configuration is in $left"
      if [ "$mode" = unit ] && [ -s "$root/journal" ]; then wrong 'not all it says is on the console'; fi
      if [ -s "$work/said" ]; then wrong 'not all it says is on the console'; fi
      well=$((well + 1))
    done
  done
}

ways=0
held=0
# way NAME JOBS LAST CASE: with a unit of its own and without, if not told by `modes`. What `never` names is not called.
way() {
  for shell in dash bash; do
    for mode in ${modes:-unit no-unit}; do
      case="$shell, $mode: $1"
      ways=$((ways + 1))
      world "$shell" "$mode"
      eval "$4"
      run
      judge "$2" "$3"
      for it in ${never:-}; do
        if grep -q "^$it" "$root/log"; then wrong "$it was called"; fi
      done
      held=$((held + 1))
    done
  done
}

# What it is, before it is run.
case=text
world dash unit
render >"$work/rendered"
[ "$(wc -c <"$part")" -lt 4096 ] || fail "$part is too large"
if grep -E '@[a-z0-9]+@' "$work/rendered"; then fail 'something was not replaced'; fi
[ "$(grep -oF -- "'$jit'" "$work/rendered" | wc -l)" = 1 ] || fail 'the configuration is not there once, in quotes'
bash -n "$work/rendered"
chroot "$root" dash -n <"$work/rendered"
if command -v shellcheck >/dev/null; then shellcheck "$work/rendered"; fi

download="mkdir curl sha256sum tar installdependencies.sh run.sh $off"
well "the image's runner" "run.sh $off" root /root 'in_image'
well "the image's runner and user" "run.sh $off" runner /home/runner 'in_image; unprivileged'
well "the image's runner, no version told" "run.sh $off" root /root "in_image; version=; sha256="
well 'downloaded' "$download" root /root ''
well 'downloaded, with a user' "$download" runner /home/runner 'unprivileged'
well 'downloaded by wget' "${download/curl/wget}" root /root 'missing curl'
well 'no environment' "$download" '' '' 'environment='
grep -q "^curl .*--proto =https .*--output ${url##*/} $url\$" "$root/log" || wrong 'something else was downloaded'
echo "the one job is run and the machine switched off, in each of $well ways"

refused='case $* in *release*) exit 1 ;; esac'
way 'no timer' 1 "$off" '[ $mode = no-unit ] || first systemd-run "$refused"'
way 'no timer, no shutdown' 1 "$off" '[ $mode = no-unit ] || first systemd-run "$refused"; stub shutdown "exit 1"'
way 'no systemctl' 1 'shutdown -P now' 'missing systemctl; armed="@(systemd-run*release*|shutdown -P +240)"'
modes=no-unit way 'nothing to arm with' 1 'poweroff -f' 'missing systemctl shutdown; armed="base64*"'
for signal in TERM HUP INT PIPE; do
  kill="kill -$signal \$(cat /pid)"
  way "$signal while it is armed" 0 "$off" 'first systemctl "[ \$1 = poweroff ] || $kill"'
done
way 'an environment that cannot be decoded' 0 "$off" 'environment="HTTP_PROXY a&b$newline"'
way 'an environment without a name' 0 "$off" 'environment="A-B YQ==$newline"'
way 'no base64' 0 "$off" 'stub base64 "exit 127"'
way 'no console' 1 "$off" 'rm "$root/dev/console"; mkdir "$root/dev/console"'

way 'no runner in the image' 0 "$off" 'version=; sha256='
way 'no curl' 1 "$off" 'missing curl'
way 'no curl, no wget' 0 "$off" 'missing curl wget'
way 'curl fails' 0 "$off" 'stub curl "exit 22"'
way 'curl fails once' 1 "$off" 'first curl "[ -e /seen/once ] || { : >/seen/once; exit 56; }"'
way 'curl writes nothing' 0 "$off" 'stub curl ""'
way 'curl hangs' 0 "$off" 'hangs; stub curl "$hang"'
way 'wget fails' 0 "$off" 'missing curl; stub wget "exit 4"'
way 'wget hangs' 0 "$off" 'missing curl; hangs; stub wget "$hang"'
never='tar run.sh'
way 'another checksum' 0 "$off" 'sha256=${sha256//[0-9]/0}'
way 'another runner' 0 "$off" 'echo >>"$root/tarball"'
way 'no checksum' 0 "$off" 'sha256='
way 'no sha256sum' 0 "$off" 'stub sha256sum "exit 127"'
never=
way 'tar fails' 0 "$off" 'stub tar "exit 2"'
way 'tar fails at its end' 0 "$off" 'stub tar "/usr/bin/tar \"\$@\"; exit 2"'
way 'no run.sh' 0 "$off" 'rm "$work/tree/run.sh"; pack'
way 'mkdir fails' 0 "$off" 'stub mkdir "exit 1"'
way 'no folder can be made' 0 "$off" 'rmdir "$root/opt"; : >"$root/opt"'
way 'what it depends on fails' 1 "$off" 'runner "" "exit 1"'
way 'what it depends on hangs' 1 "$off" 'hangs; runner "" "$hang"'
for signal in TERM HUP INT PIPE KILL; do
  # What is killed outright can do nothing any more, and systemd has to. Of INT bash takes no notice where it has no trap.
  case $signal in KILL) modes=unit ;; INT) modes=no-unit ;; *) modes= ;; esac
  kill="kill -$signal \$(cat /pid)"
  way "$signal while it downloads" 0 "$off" 'first curl "$kill"'
  way "$signal while the job runs" 1 "$off" 'runner "$kill"'
done
modes=

way 'the job fails' 1 "$off" 'runner "exit 1"'
way 'the job is killed' 1 "$off" 'runner "kill -KILL \$\$"'
way 'the job hangs' 1 "$off" 'hangs; runner "$hang"'
way "a user's job is killed" 1 "$off" 'unprivileged; runner "kill -KILL \$\$"'
way "a user's job hangs" 1 "$off" 'unprivileged; hangs; runner "$hang"'
way 'no limit for the job' 0 "$off" 'in_image; stub timeout "exit 127"'
way 'no .env' 1 "$off" 'in_image; rm "$home/.env"; mkdir "$home/.env"'
way 'chown fails' 0 "$off" 'unprivileged; stub chown "exit 1"'
way 'runuser fails' 0 "$off" 'unprivileged; stub runuser "exit 1"'

refused='case $* in *reconcile-runner*) exit 1 ;; esac'
modes=unit way 'a unit is refused' 1 "$off" 'first systemd-run "$refused"'
modes=unit way 'a unit is refused, but begins' 1 "$off" 'first systemctl "case \$* in *runner) exit 0 ;; esac"
  echo exit 1 >>"$root/stubs/systemd-run"'
way 'systemctl fails' 1 'shutdown -P now' 'stub systemctl "exit 1"'
way 'shutdown fails, too' 1 'poweroff -f' 'stub systemctl "exit 1"; stub shutdown "exit 1"'
modes=no-unit way 'TERM again while it is switched off' 0 'shutdown -P now' \
  'stub systemctl "kill -TERM \$(cat /pid); exit 1"'
way 'all of them fail' 1 sysrq 'stub systemctl "exit 1"; stub shutdown "exit 1"; stub poweroff "exit 1"'
way 'none of them is there' 1 sysrq 'missing systemctl shutdown poweroff; armed="@(systemd-run*release*|base64*)"'
echo "figure: ways in which a runner's guest fails, each of which switches it off: $held of $ways"
