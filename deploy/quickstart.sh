#!/bin/bash
# Builds Meridian and starts the demo: two shards (each a PostgreSQL primary and a streaming
# replica), the proxy in front of them, and the shop's data, all in .demo/. Run it again at will: it
# does what is not done yet. `quickstart.sh --help` tells the options.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
readonly root demo=$root/.demo
readonly pg_bin=${PG_BINDIR:-/usr/lib/postgresql/15/bin}
readonly proxy_port=${DEMO_PORT:-6432} metrics_port=${DEMO_METRICS_PORT:-9640}
readonly pg_port=${DEMO_PG_PORT:-5501}
readonly servers=(s1 s1r s2 s2r)
readonly build_kib_needed=$((1500 * 1024)) demo_kib_needed=$((800 * 1024))

source "$root/deploy/demo/lib.sh"
source "$root/deploy/demo/servers.sh"
source "$root/deploy/demo/proxy.sh"
source "$root/deploy/demo/shop.sh"

usage() {
  cat <<END
usage: deploy/quickstart.sh [--stop | --clean | --help]

Without an option: installs the Debian packages that are missing (as root), builds, starts the demo
in .demo/, loads its data, and tells how to connect. What is done already is not done again.
  --stop   stops the demo and keeps its data
  --clean  stops the demo and removes .demo/

Environment: DEMO_PORT (proxy, 6432), DEMO_METRICS_PORT (9640), DEMO_PG_PORT (the first of the four
ports of the PostgreSQL servers, 5501).
END
}

build() {
  step "Building (Release; the first time takes a few minutes)"
  cmake -S "$root" -B "$root/build" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$demo/log/build.log" 2>&1 ||
    fail "cmake failed; see $demo/log/build.log"
  # Straight to the terminal: ninja shows its progress.
  ninja -C "$root/build" meridian || fail "the build failed; its messages are above"
}

connect_help() {
  cat <<END

The demo is running. Connect with psql or your own driver:
  psql "postgresql://demo:demo@localhost:$proxy_port/shop"          the shop, as one database
  psql "postgresql://admin:admin@localhost:$proxy_port/meridian"    admin SQL: SHOW SHARDS, HELP
  http://localhost:$metrics_port/metrics                          Prometheus metrics
The shards themselves: s1 on localhost:$(port_of s1) (replica $(port_of s1r)), s2 on localhost:$(port_of s2) (replica $(port_of s2r)).
Logs: $demo/log/    Configuration: $(data_dir)/proxy/meridian.toml
Stop: deploy/quickstart.sh --stop    Remove: deploy/quickstart.sh --clean
END
}

start() {
  "$root/deploy/install-packages.sh"
  make_directories
  # Before the build, which takes minutes.
  check_ports
  check_disk
  build
  start_servers
  start_proxy
  set_up_shop
  run_example_queries
  connect_help
}

stop() {
  stop_proxy
  stop_servers
}

clean() {
  stop
  remove_directories
  say "Removed $demo"
}

main() {
  case ${1:-} in
    "" | --stop | --clean) ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  if (($# > 1)); then usage >&2; exit 2; fi
  trap 'unexpected $LINENO' ERR
  one_at_a_time
  case ${1:-} in
    --stop) stop ;;
    --clean) clean ;;
    *) start ;;
  esac
}

main "$@"
