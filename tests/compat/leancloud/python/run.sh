#!/usr/bin/env bash
# LeanCloud's Python SDK for back ends, as it is on PyPI, against the binary. Needs Python 3.10 or
# newer and PyPI; installs into target/leancloud-python.
# Usage: tests/compat/leancloud/python/run.sh [path of the binary]
set -euo pipefail
cd "$(dirname "$0")/../../../.."

version=3.0.2
anser=${1:-target/debug/anser}
venv=target/leancloud-python
if [ "$(cat "$venv/version" 2>/dev/null)" != "$version" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  # The SDK imports setuptools' pkg_resources and an older urllib3 through its dependencies.
  "$venv/bin/pip" install --quiet --disable-pip-version-check "leancloud==$version" 'setuptools<81'
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

curl -fsS -o /dev/null -u "default:$(field api_secret)" -H 'Content-Type: application/json' \
  -X PUT "$url/v1/apps/default/doors/leancloud" \
  -d '{"settings": {"enabled": true, "app_id": "python-app", "app_key": "key", "master_key": "master"}}'

LC_API_SERVER=$url "$venv/bin/python" -m unittest discover -v -s tests/compat/leancloud/python
