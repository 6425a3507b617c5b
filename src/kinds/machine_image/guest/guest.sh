# What is done on the machine once it is armed. All paths begin with $root, which is empty on a machine.

say() {
	printf 'reconcile: %s\n' "$*"
}

# Calls find on a path, where there is one. The path itself may be a link.
seek() {
	place=$root$1
	shift
	if [ -e "$place" ]; then
		find -H "$place" "$@" || failed=yes
	fi
}

# Does something, in the words of find, with each trace that an image must not have. What stands for itself are folders
# whose content goes as a whole; where the folders are those of packages, only files go.
traces() {
	failed=
	seek /etc/ssh -maxdepth 1 -name 'ssh_host_*' "$@"
	seek /etc/machine-id -size +0 "$@"
	# As a rule a link to the other, and to be kept.
	[ -L "$root/var/lib/dbus/machine-id" ] || seek /var/lib/dbus/machine-id "$@"
	seek /var/lib/systemd/random-seed "$@"
	seek /var/lib/systemd/credential.secret "$@"
	seek /var/lib/cloud -mindepth 1 -maxdepth 1 "$@"
	seek /var/log/journal -mindepth 1 -maxdepth 1 "$@"
	seek /var/log ! -type d "$@"
	seek /var/lib/apt/lists ! -type d "$@"
	seek /var/cache/apt ! -type d "$@"
	seek /var/cache/yum -mindepth 1 -maxdepth 1 "$@"
	seek /var/cache/dnf -mindepth 1 -maxdepth 1 "$@"
	seek /var/lib/dhcp ! -type d "$@"
	seek /var/lib/dhclient ! -type d "$@"
	seek /root -maxdepth 1 -name '.*_history' "$@"
	seek /home -mindepth 2 -maxdepth 2 -name '.*_history' "$@"
	seek /tmp -mindepth 1 -maxdepth 1 "$@"
	seek /var/tmp -mindepth 1 -maxdepth 1 "$@"
	# Cloud Assistant keeps each command there while it runs (aliyun_assist_client, assistpath.go).
	seek /usr/local/share/aliyun-assist/work ! -type d "$@"
	seek /usr/local/share/aliyun-assist -path '*/log/*' ! -type d "$@"
	for folder in /etc/systemd /usr/lib/systemd/system /etc/cron.d /etc/init.d /var/spool /usr/local /opt /root; do
		seek "$folder" -name 'reconcile[-.]*' "$@"
	done
	[ -z "$failed" ]
}

# An empty machine-id is made anew at the next boot; a missing one would count as the very first boot (machine-id(5)).
clean() {
	if [ -e "$root/etc/machine-id" ]; then
		: >"$root/etc/machine-id" || return 121
	fi
	traces -exec rm -rf {} + || return 121
}

check() {
	left=$(traces -print 2>&1)
	if [ -n "$left" ]; then
		printf '%s\n' "$left" | head -n 20 | sed 's/^/reconcile: left behind: /'
		return 122
	fi
}

# What still runs may write once more: two more rounds are for that.
finish() {
	for round in 1 2 3; do
		clean 2>/dev/null && check >/dev/null && return 0
	done
	clean || return
	check
}

# Each input is one word of base64 behind its name, so that nothing in it is ever read as code.
provision() {
	set --
	while read -r name value; do
		value=$(printf '%s' "$value" | base64 -d && printf .)
		set -- "$@" "$name=${value%.}"
	done <"$work/inputs"
	chmod 700 "$work/script"
	(cd "$root/" && exec env HOME="${HOME:-/root}" "$@" "$work/script") </dev/null 9>&-
}

# The same command may come twice, even at once: the second waits, and finds the script done.
main() {
	mkdir -p "$root/run/reconcile" || return 120
	exec 9>"$root/run/reconcile/lock"
	flock 9 2>/dev/null
	if [ ! -e "$root/run/reconcile/$build" ]; then
		say "provisioning"
		provision
		code=$?
		if [ "$code" -ne 0 ]; then
			say "the script ended with $code"
			rm -rf "$work"
			case $code in 120 | 121 | 122) return 1 ;; esac
			return "$code"
		fi
		: >"$root/run/reconcile/$build"
	fi
	say "cleaning"
	finish
	code=$?
	case $code in
	0) say "provisioned, cleaned and checked" ;;
	121) say "the clean-up failed" ;;
	122) say "the check found what the clean-up left" ;;
	esac
	sync
	return "$code"
}
