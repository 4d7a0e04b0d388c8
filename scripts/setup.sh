#!/bin/bash
# Installs what the build needs; with --peers also the tools that the tests and
# the demo compare with. Asks the network only when something is missing.
set -euo pipefail

BUILD="antlr4 ccache cmake g++ git libabsl-dev libantlr4-runtime-dev
  libarchive-dev libcli11-dev libcurl4-openssl-dev libgtest-dev libisal-dev
  libseccomp-dev libsqlite3-dev libssl-dev libzstd-dev ninja-build
  nlohmann-json3-dev pkg-config python3 zlib1g-dev"
PEERS="buildah busybox-static clang-14 libclang-rt-14-dev mmdebstrap openssh-client openssl podman
  redis-tools runc skopeo strace umoci zstd"

wanted=$BUILD
if [ "${1:-}" = --peers ]; then
  wanted="$wanted $PEERS"
fi

# shellcheck disable=SC2086  # A list of words.
installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' $wanted \
  2>/dev/null | sed -n 's/ installed$//p' || true)
missing=
for package in $wanted; do
  grep -qx -- "$package" <<< "$installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "setup: installing$missing"
$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q
# shellcheck disable=SC2086  # A list of words.
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
