#!/bin/sh
# Provisions this machine, cleans it and checks that nothing is left.
root=
build=@build@
@arm@
arm @minutes@

umask 077
unpack() {
	base64 -d | gzip -dc
}
mkdir -p "$root/tmp" && work=$(mktemp -d "$root/tmp/reconcile.XXXXXXXX") || exit 120
unpack >"$work/guest" <<'.' || exit 120
@guest@
.
unpack >"$work/inputs" <<'.' || exit 120
@inputs@
.
unpack >"$work/script" <<'.' || exit 120
@script@
.
[ -s "$work/guest" ] && [ -s "$work/script" ] || exit 120
. "$work/guest"
main
exit
