#!/bin/bash
# Meridian against PgBouncer and direct connections; see tests/bench/README.md. Options: --help.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/install-packages.sh deploy/packages.txt tests/packages.txt
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
ninja -C build meridian >/dev/null
exec "${PYTHON:-/usr/bin/python3}" tests/bench/bench.py "$@"
