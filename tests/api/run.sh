#!/usr/bin/env bash
# The server API against its description: schemathesis makes requests from api/openapi.json, good
# and bad ones, and checks every answer against it. Needs Python 3.10 or newer and PyPI; installs
# into target/schemathesis. Usage: tests/api/run.sh [path of the binary]
set -euo pipefail
cd "$(dirname "$0")/../.."

version=4.32.5
anser=${1:-target/debug/anser}
venv=target/schemathesis
if [ "$(cat "$venv/version" 2>/dev/null)" != "$version" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
  echo "$version" >"$venv/version"
fi

place=$(mktemp -d)
server=
cleanup() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$place"
}
trap cleanup EXIT

# Limits would turn most answers into 429; they have tests of their own.
ANSER_API_USER_MESSAGES_PER_MINUTE=0 ANSER_API_GROUP_MESSAGES_PER_SECOND=0 \
  "$anser" serve --data "$place/data" --listen 127.0.0.1:0 --ready-json \
  >"$place/ready" 2>"$place/log" &
server=$!
for _ in $(seq 300); do
  [ -s "$place/ready" ] && break
  kill -0 "$server" || { cat "$place/log"; exit 1; }
  sleep 0.1
done
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$place/ready" "$1"; }
url=$(field url)

# Something to find.
basic=(-fsS -o /dev/null -u "default:$(field api_secret)" -H 'Content-Type: application/json')
for user in alice bob; do curl "${basic[@]}" -X PUT "$url/v1/users/$user" -d '{}'; done
curl "${basic[@]}" "$url/v1/groups" -d '{"group_id": "team", "owner": "alice", "members": ["bob"]}'
curl "${basic[@]}" "$url/v1/rooms" -d '{"id": "hall", "history_days": 30}'
curl "${basic[@]}" "$url/v1/messages" \
  -d '{"sender": "alice", "to_user": "bob", "content": {"type": "text", "text": "hello"}}'

# Uploads in pieces speak tus, whose answers and bodies the tool does not know; they have tests of
# their own.
export ANSER_ADMIN ANSER_SECRET
ANSER_ADMIN=$(field admin_token)
ANSER_SECRET=$(field api_secret)
status=0
"$venv/bin/schemathesis" --config-file tests/api/schemathesis.toml run api/openapi.json \
  --exclude-path-regex '^/v1/media/uploads' --url "$url" || status=$?

# Whatever was asked of it, the server is still there.
curl -fsS "$url/readyz" >/dev/null
if grep -q panicked "$place/log"; then
  grep -A5 panicked "$place/log"
  status=1
fi
exit "$status"
