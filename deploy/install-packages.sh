#!/bin/bash
# Installs the Debian packages named in the lists given as arguments (default: deploy/packages.txt,
# what building and running need). Does nothing, quickly and without root, where all are there.
#
# A line of a list is one or more packages; "unless COMMAND" at its end: only where that command is
# not there already (from elsewhere than Debian). Everything behind # is a comment.
set -euo pipefail

readonly root=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '%s\n' "$*"; }
fail() { say "install-packages: $*" >&2; exit 1; }

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# The packages of a list that are missing, one a line.
missing_of() {
  local line command
  while read -r line; do
    line=${line%%#*}
    if [[ $line =~ ^(.*)[[:space:]]unless[[:space:]]+([^[:space:]]+) ]]; then
      line=${BASH_REMATCH[1]} command=${BASH_REMATCH[2]}
      command -v "$command" >/dev/null && continue
    fi
    for package in $line; do
      installed "$package" || say "$package"
    done
  done <"$1"
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o APT::Color=0 -q "$@" </dev/null
}

# Services of the packages are not wanted: the demo and the tests start servers of their own, on
# ports that pgbouncer (6432) or a cluster "main" (5432) would take.
forbid_services() {
  [[ -e /usr/sbin/policy-rc.d ]] && return
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

forbid_main_cluster() {
  installed postgresql-15 && return
  apt install -y --no-install-recommends postgresql-common
  sed -i 's/^#\?create_main_cluster *=.*/create_main_cluster = false/' \
    /etc/postgresql-common/createcluster.conf
}

disable_service() {
  if [[ -d /run/systemd/system ]]; then systemctl disable --quiet "$1" || true; fi
}

main() {
  local lists=("$@") missing
  (($#)) || lists=("$root/deploy/packages.txt")
  command -v dpkg-query >/dev/null || fail "this is not Debian; see ${lists[*]} for what is needed"
  for list in "${lists[@]}"; do
    [[ -r $list ]] || fail "cannot read $list"
  done
  mapfile -t missing < <(for list in "${lists[@]}"; do missing_of "$list"; done)
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    fail "these packages are missing; install them as root, or run this as root: ${missing[*]}"
  fi
  say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  forbid_services
  apt update || fail "apt-get update failed (is there a network?)"
  if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then forbid_main_cluster; fi
  apt install -y --no-install-recommends "${missing[@]}" ||
    fail "apt-get install failed; see its message above"
  if [[ " ${missing[*]} " == *" pgbouncer "* ]]; then disable_service pgbouncer; fi
}

main "$@"
