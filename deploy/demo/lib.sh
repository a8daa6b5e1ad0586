# Of deploy/quickstart.sh: messages, users, directories, ports.

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }
fail() {
  printf 'quickstart: %s\n' "$*" >&2
  exit 1
}
unexpected() {
  printf 'quickstart: failed in line %s; logs are in %s. If it fails again: quickstart.sh --clean\n' \
    "$1" "$demo/log" >&2
}

# Two runs at once would start everything twice.
one_at_a_time() {
  exec 9<"$root/deploy/quickstart.sh"
  flock -n 9 || fail "another quickstart.sh is running for this checkout"
}

# The user that servers run as: PostgreSQL refuses root.
server_user() { if ((EUID == 0)); then echo postgres; else id -un; fi; }

# Runs a program as that user. Not in our directory, which it may not be able to enter.
as_server() {
  if ((EUID == 0)); then
    (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups "$@")
  else
    (cd / && exec "$@")
  fi
}

# Where the servers' data really is; see make_directories.
data_dir() { readlink -f "$demo/data"; }

# Everything is in .demo, except where the servers' user cannot reach it (a checkout in /root): then
# .demo/data is a link to a directory that it can reach.
make_directories() {
  mkdir -p "$demo/log" || fail "cannot write to $root"
  if [[ ! -e $demo/data ]]; then
    if as_server test -x "$demo"; then
      mkdir "$demo/data"
    else
      local elsewhere
      elsewhere=$(mktemp -d /var/lib/meridian-demo.XXXXXX)
      ln -sfn "$elsewhere" "$demo/data"
      say "The user postgres cannot enter $root: the servers' data is in $elsewhere"
    fi
    chmod 700 "$(data_dir)"
  fi
  mkdir -p "$(data_dir)"/{run,proxy}
  if ((EUID == 0)); then chown postgres: "$(data_dir)" "$(data_dir)"/{run,proxy}; fi
  local socket
  socket="$(data_dir)/run/.s.PGSQL.$pg_port"
  ((${#socket} < 104)) ||
    fail "the path of this checkout is too long for a unix socket ($socket); move it"
}

remove_directories() {
  if [[ -L $demo/data ]]; then rm -rf "$(data_dir)"; fi
  rm -rf "$demo"
}

# need_disk DIRECTORY KIB WHAT
need_disk() {
  local free
  free=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
  ((free >= $2)) ||
    fail "too little disk for $3: $1 has $((free / 1024)) MiB free, $(($2 / 1024)) MiB are needed"
}

check_disk() {
  [[ -x $root/build/meridian ]] || need_disk "$root" "$build_kib_needed" "the build"
  [[ -d $(data_dir)/s2r ]] || need_disk "$(data_dir)" "$demo_kib_needed" "the demo's data"
}

port_open() { (exec 3<>"/dev/tcp/localhost/$1") 2>/dev/null; }

# check_port PORT WHAT VARIABLE
check_port() {
  if port_open "$1"; then
    fail "port $1, wanted for $2, is in use by another program: stop that, or choose another port" \
      "with $3 (deploy/quickstart.sh --help)"
  fi
}

check_ports() {
  local server
  for server in "${servers[@]}"; do
    server_running "$server" || check_port "$(port_of "$server")" "server $server" DEMO_PG_PORT
  done
  proxy_running && return
  check_port "$proxy_port" "the proxy" DEMO_PORT
  check_port "$metrics_port" "its metrics" DEMO_METRICS_PORT
}
