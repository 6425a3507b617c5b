#!/bin/sh
# Makes this machine a runner of one job and switches it off afterwards, whatever happens. Run once, by cloud-init, as root.
# It asks the metadata service nothing, holds no key of the cloud and reads no file that the job can write. All paths begin
# with $root, which is empty on a machine.
root=
home=$root/opt/actions-runner
version='@version@'
tarball=actions-runner-linux-@machine@-$version.tar.gz
@arm@

say() {
	printf 'reconcile: %s\n' "$*"
}

fail() {
	say "$*"
	exit 1
}

# Each of these gives up by itself, and the next is tried.
off="systemctl poweroff || shutdown -P now || poweroff -f || echo o >$root/proc/sysrq-trigger"
switch_off() {
	trap '' HUP INT PIPE TERM
	eval "$off"
}

# Value by value in base64, so that none is ever read as code. A line of .env cannot hold what has several.
environment() {
	while read -r name value; do
		[ -n "$name" ] || continue
		value=$(printf '%s' "$value" | base64 -d && printf .) || return 1
		value=${value%.}
		export "$name=$value" || return 1
		[ "$value" != "$(printf '%s' "$value" | tr -d '\r\n')" ] || lines="$lines
$name=$value"
	done <<'.'
@environment@
.
}

# curl itself does not try again after a connection was reset, so this is called more than once.
fetch() {
	url=https://github.com/actions/runner/releases/download/v$version/$tarball
	if command -v curl >/dev/null; then
		timeout -k 10 600 curl --fail --location --proto '=https' --silent --show-error --retry 3 \
			--connect-timeout 20 --speed-limit 1000 --speed-time 30 --output "$tarball" "$url"
	else
		timeout -k 10 600 wget --no-verbose --tries=3 --timeout=30 --output-document="$tarball" "$url"
	fi
}

obtain() {
	[ -n "$version" ] || fail "the image holds no runner"
	{ mkdir -p "$home" && cd "$home"; } || fail "there is no place for the runner"
	fetch || fetch || fetch || fail "the runner cannot be downloaded"
	echo "@sha256@  $tarball" | sha256sum -c - || fail "this is not the runner that was asked for"
	tar -xzf "$tarball" --no-same-owner || fail "the runner cannot be unpacked"
	rm -f "$tarball"
	[ ! -e bin/installdependencies.sh ] || timeout -k 10 600 ./bin/installdependencies.sh </dev/null ||
		say "what the runner depends on may be missing"
}

# The configuration is in the environment, since everybody can read a command line.
serve() {
	{ cd "$home" && [ -x run.sh ]; } || fail "there is no runner"
	[ -z "$lines" ] || (umask 077 && printf '%s\n' "$lines" >>.env) || say "the runner has no .env"
	export HOME="${HOME:-/root}" ACTIONS_RUNNER_INPUT_JITCONFIG='@jit@'
	if id -u runner >/dev/null 2>&1; then
		chown -R runner: "$home/" || fail "the runner cannot own its folder"
		set -- runuser -u runner --
	else
		export RUNNER_ALLOW_RUNASROOT=1
		set --
	fi
	say "waiting for the job"
	timeout -k 60 @minutes@m "$@" ./run.sh </dev/null
	say "the runner ended with $?"
}

# All but this is done in a unit of its own, where there are such: that outlives cloud-init, and systemd switches the machine
# off even when everything in it is killed at once. A systemd that answered too late may have begun it nonetheless.
if [ "${1:-}" != alone ]; then
	trap switch_off EXIT
	trap 'exit 1' HUP INT PIPE TERM
	arm @minutes@
	# What cloud-init does with its output ends with cloud-init.
	if (: >>"$root/dev/console") 2>/dev/null; then
		exec >>"$root/dev/console" 2>&1
	fi
	if systemd-run --quiet --collect --unit=reconcile-runner --property=ExecStopPost="/bin/sh -c \"$off\"" \
		--property=TimeoutStopSec=30 --property=IgnoreSIGPIPE=no --property=StandardOutput=journal+console \
		/bin/sh "$0" alone || systemctl is-active --quiet reconcile-runner; then
		trap - EXIT HUP INT PIPE TERM
		exit
	fi
	say "there is no unit for the runner"
fi
lines=
environment || fail "the environment is unreadable"
[ -x "$home/run.sh" ] || obtain
serve
