#!/bin/bash
# The main job from nothing to a running server: makes a base image, builds the
# redis example twice, runs it, and hands the archive to skopeo and podman.
# Needs root. Works in build/demo and leaves nothing elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || exec sudo -E "$0" "$@"
scripts/setup.sh --peers
scripts/build.sh

work=$PWD/build/demo
export LAMINA_ROOT=$work/store
export PATH=$PWD/build/release:$PATH
base=sameersbn/ubuntu:16.04.20180124
image=image_redis:v1.0
server=
podman="podman --root $work/podman --runroot $work/podman-run
  --storage-driver vfs --cgroup-manager cgroupfs --runtime runc"

clean_up() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  $podman rmi --all --force >/dev/null 2>&1 || true
}
trap clean_up EXIT

# Prints a command and runs it.
run() {
  echo
  echo "$ $*"
  "$@"
}

fail() {
  echo "demo: FAILED: $*" >&2
  exit 1
}

# make_base: a minimal Debian that gets its packages as this machine does.
make_base() {
  apt-config dump |
    grep -E '^Acquire::(https?::.*Proxy|Check-(Date|Valid-Until))' \
    > "$work/apt.conf" || true
  rm -rf "$work/base"
  run mmdebstrap --variant=minbase --include=tzdata \
    --aptopt="$work/apt.conf" bookworm "$work/base"
  ln -sf /usr/share/zoneinfo/Asia/Shanghai "$work/base/etc/localtime"
  echo Asia/Shanghai > "$work/base/etc/timezone"
}

mkdir -p "$work"
rm -rf "$LAMINA_ROOT" "$work"/podman* "$work/redis.tar"
[ -f "$work/base/etc/timezone" ] || make_base

echo
echo "$ tar -C build/demo/base -c . | lamina import - $base"
tar -C "$work/base" -c . | lamina import - "$base"

run lamina build -t "$image" -o "$work/redis.tar" examples/redis
first=$(sha256sum < "$work/redis.tar")

run lamina build --progress=plain -t "$image" -o "$work/redis.tar" \
  examples/redis 2>&1 | tee "$work/second.log"
[ "$first" = "$(sha256sum < "$work/redis.tar")" ] ||
  fail "the second build wrote another archive"
! grep -q 'Setting up redis-server' "$work/second.log" ||
  fail "the second build ran a step again"

run lamina images
run lamina history "$image"

echo
echo "$ lamina run --rm $image &"
lamina run --rm "$image" > "$work/server.log" 2>&1 &
server=$!
answer=
for _ in $(seq 100); do
  answer=$(redis-cli -h 127.0.0.1 ping 2>/dev/null || true)
  [ "$answer" != PONG ] || break
  kill -0 "$server" 2>/dev/null || { cat "$work/server.log"; fail "the server ended"; }
  sleep 0.1
done
echo "$ redis-cli ping"
echo "$answer"
[ "$answer" = PONG ] || { cat "$work/server.log"; fail "the server is silent"; }
kill -TERM "$server"
wait "$server" || true
server=

run skopeo inspect "docker-archive:$work/redis.tar"

run $podman load -i "$work/redis.tar"
# The limits podman would ask for may be above what this machine grants.
run $podman run --rm --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
  "$image" redis-server --version

echo
echo "demo: OK: $image was built, cached, run and read by skopeo and podman"
