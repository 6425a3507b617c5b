#!/usr/bin/env bash
# Builds the image twice to the same id, from what deploy/static.sh put into a folder, and runs it as it is meant to run:
# nobody's user, no capability, a root that cannot be written, little memory. It brings a simulated cloud in real time to
# what is declared, finds nothing left to do, and trusts over TLS whom its certificates name and nobody else. Wants buildah,
# podman, runc, openssl and python3.  Usage: image.sh FOLDER
set -euo pipefail
folder="$(realpath "$1")"
project="$(cd "$(dirname "$0")/../.." && pwd)"
work="$(mktemp -d)"
servers=()
finish() {
  for server in "${servers[@]}"; do
    kill "$server"
    wait "$server" || true
  done
  rm -rf "$work"
}
trap finish EXIT

# A store of its own, so that nothing else is touched and nothing is left; on any file system, and without cgroups v2.
store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)
build() {
  buildah "${store[@]}" bud -q --isolation chroot --timestamp 0 --layers=false --target prebuilt \
    -f "$project/Dockerfile" -t "$1" "$folder"
}
# The simulated cloud is on loopback, so the network is the host's. The limits are set because podman would raise them.
run() {
  podman "${store[@]}" --cgroup-manager cgroupfs --runtime runc run --rm --pull never --network host \
    --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --read-only --read-only-tmpfs=false --cap-drop all \
    --security-opt no-new-privileges --memory 64m --http-proxy=false "$@"
}
fail() { echo "$*" && exit 1; }
# refused CODE WORDS COMMAND...: the command ends with that exit code, and says why in these words.
refused() {
  local code=0
  "${@:3}" >"$work/said" 2>&1 || code=$?
  if [ "$code" != "$1" ] || ! grep -q "$2" "$work/said"; then fail "$code: $(cat "$work/said") (to be $1: $2)"; fi
  echo "refused: $2"
}

# Twice from the same files.
image="$(build localhost/reconcile:first)"
[ "$image" = "$(build localhost/reconcile:second)" ] || fail 'the same files made another image'
echo "image $image, the same when built again"
[ "$(run "$image" --version)" = "$("$folder/reconcile" --version)" ] || fail 'the image holds another version'

# State files as they are, and as Kubernetes mounts a ConfigMap: links into a hidden folder.
mkdir -p "$work/state/..2026"
cp "$project"/state/*.yaml "$project"/state/scripts/* "$work/state/..2026/"
# The keys of a ConfigMap are no paths: a script lies beside the files that name it.
sed -i 's|script: scripts/|script: |' "$work"/state/..2026/*.yaml
ln -s ..2026 "$work/state/..data"
for file in "$work"/state/..2026/*; do ln -s "..data/${file##*/}" "$work/state/${file##*/}"; done
for state in "$project/state" "$work/state"; do run -v "$state:/state:ro" "$image" check; done
run -v "$project/state:/state:ro" "$image" --once --simulate --wait 2h | grep 'Everything is as declared.'

# A cloud beside the containers, from the same binary. No file of the image's root can be written.
mkfifo "$work/line"
"$folder/reconcile" simulate --clock real >"$work/line" &
servers+=($!)
read -r line <"$work/line"
python3 -c 'import json, sys
for name, value in json.loads(sys.argv[1])["env"].items(): print(f"{name}={value}")' "$line" >"$work/environment"
cloud=(--env-file "$work/environment" -v "$project/state:/state:ro")
in_cloud() { run "${cloud[@]}" -v reconcile:/var/lib/reconcile "$image" "$@"; }
in_cloud plan | grep '^Plan: '
refused 78 'Read-only file system' in_cloud --once --status-dir /status
in_cloud --once --wait 10m
in_cloud --once | tee "$work/second"
grep -q '^No changes\. ' "$work/second" || fail 'the second run found something to do'
in_cloud --interval 1s --listen 127.0.0.1:0 --for 3s | grep '^No changes\. '

# A folder as Kubernetes' emptyDir: of root, and open to all. The status is lost with it, which costs nothing here.
mkdir "$work/volume"
chmod 0777 "$work/volume"
run "${cloud[@]}" -v "$work/volume:/var/lib/reconcile" "$image" --once | grep '^No changes\. '
[ "$(stat -c '%u %a' "$work/volume/status")" = '65532 700' ] || fail 'the status directory is not its own'

# TLS before the cloud, under a name that is not loopback's to the binary: refused, until the image's file names who signed.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/CN=ecs.test' \
  -addext 'subjectAltName=DNS:ecs.test' -addext 'basicConstraints=critical,CA:FALSE' \
  -keyout "$work/key" -out "$work/certificate" 2>"$work/openssl" || fail "$(cat "$work/openssl")"
cat /etc/ssl/certs/ca-certificates.crt "$work/certificate" >"$work/certificates"
base="$(sed -n 's/^ALIYUN_ECS_ENDPOINT=//p' "$work/environment")"
mkfifo "$work/port"
python3 "$project/tests/real/tls.py" "$work/certificate" "$work/key" "${base##*:}" >"$work/port" &
servers+=($!)
read -r port <"$work/port"
over_tls=("${cloud[@]}" --add-host ecs.test:127.0.0.1 --env "ALIYUN_ECS_ENDPOINT=https://ecs.test:$port")
lookup=(image-id demo-runner-amd64-latest --region cn-hangzhou)
refused 1 'invalid peer certificate: UnknownIssuer' run "${over_tls[@]}" "$image" "${lookup[@]}"
run "${over_tls[@]}" -v "$work/certificates:/etc/ssl/certs/ca-certificates.crt:ro" "$image" "${lookup[@]}"
