#!/bin/sh
# Prepares the folders of the server and starts it, or runs another command:
#   entrypoint.sh                     the server with its configuration
#   entrypoint.sh --port 6380         the same, with more options
#   entrypoint.sh redis-cli info      something else
set -e

user=${REDIS_USER:-redis}

# A volume from the host has the host's ids: REDIS_UID and REDIS_GID map the
# user of the server onto them.
if [ -n "${REDIS_GID:-}" ] && [ "$(id -g "$user")" != "$REDIS_GID" ]; then
  groupmod -o -g "$REDIS_GID" "$user"
fi
if [ -n "${REDIS_UID:-}" ] && [ "$(id -u "$user")" != "$REDIS_UID" ]; then
  usermod -o -u "$REDIS_UID" "$user"
fi

# /run is empty in a new container; the socket and the pid file live there.
for folder in "${REDIS_DATA_DIR:-/var/lib/redis}" \
              "${REDIS_LOG_DIR:-/var/log/redis}" /run/redis; do
  mkdir -p "$folder"
  chown -R "$user:$user" "$folder"
  chmod 0755 "$folder"
done

case "${1:-}" in
  "" | -*) exec redis-server /etc/redis/redis.conf "$@" ;;
  *) exec "$@" ;;
esac
