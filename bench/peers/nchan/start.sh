#!/bin/sh
# Starts Nchan on the port given, in a folder of its own that goes with it.
set -eu
module=${NCHAN_MODULE:-/usr/lib/nginx/modules/ngx_nchan_module.so}
[ -f "$module" ] || { echo "there is no $module" >&2; exit 1; }
folder=$(mktemp -d)
sed "s|MODULE|$module|; s|PORT|$1|" "$(dirname "$0")/nginx.conf" >"$folder/nginx.conf"
nginx -e stderr -p "$folder" -c nginx.conf &
pid=$!
trap 'kill "$pid" 2>/dev/null || true' TERM INT
while kill -0 "$pid" 2>/dev/null; do wait "$pid" || true; done
rm -rf "$folder"
