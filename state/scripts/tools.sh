#!/bin/sh
# Installs what every job needs. Its inputs are in the environment; what it leaves of itself is removed for it.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# Names of packages hold no spaces.
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $PACKAGES
