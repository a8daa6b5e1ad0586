# Of deploy/quickstart.sh: the proxy.

proxy_pid() { cat "$(data_dir)/proxy/pid" 2>/dev/null; }

proxy_running() {
  local pid
  pid=$(proxy_pid) || return 1
  [[ $(cat "/proc/$pid/comm" 2>/dev/null) == meridian ]]
}

# proxy_psql USER DATABASE [option...]; the demo's passwords are the users' names.
proxy_psql() {
  PGPASSWORD=$1 PGOPTIONS='' PGCONNECT_TIMEOUT=10 "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 \
    -h localhost -p "$proxy_port" -U "$1" -d "$2" "${@:3}"
}

proxy_config() {
  cat <<END
# Written by deploy/quickstart.sh. All settings: docs/configuration.md.
listen_hosts = ["localhost"]
listen_port = $proxy_port
unix_socket_dir = "$(data_dir)/run"

[catalog]
host = "localhost"
port = $pg_port
dbname = "catalog"
user = "meridian"
password = "$(cat "$(data_dir)/proxy/control-password")"

[[database]]
name = "shop"

[[admin.user]]
name = "admin"
password = "admin"

[metrics]
listen = "localhost:$metrics_port"
END
}

proxy_serves() { proxy_psql admin meridian -c 'SHOW VERSION' >/dev/null 2>&1; }

start_proxy() {
  local dir log=$demo/log/meridian.log
  dir=$(data_dir)/proxy
  if proxy_running; then
    cmp -s "$root/build/meridian" "$dir/meridian" && return
    step "Stopping meridian, which is of an older build"
    stop_proxy
  fi
  step "Starting meridian on localhost:$proxy_port"
  # A copy: the user postgres may not reach build/, and a later build does not disturb it.
  install -m 755 "$root/build/meridian" "$dir/meridian"
  (umask 077 && proxy_config >"$dir/meridian.toml")
  if ((EUID == 0)); then chown postgres: "$dir/meridian.toml"; fi
  as_server "$dir/meridian" --check --config "$dir/meridian.toml" >>"$log" 2>&1 ||
    fail "the configuration is refused; see $log"
  as_server setsid sh -c 'echo $$ >"$1/pid"; exec "$1/meridian" --config "$1/meridian.toml"' sh \
    "$dir" >>"$log" 2>&1 </dev/null 9>&- &
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    proxy_serves && return
    proxy_running || ((tries < 10)) || break
    sleep 0.1
  done
  tail -n 5 "$log" >&2
  fail "meridian does not start; see $log"
}

stop_proxy() {
  proxy_running || return 0
  local pid tries
  pid=$(proxy_pid)
  kill -TERM "$pid"
  for ((tries = 0; tries < 100; tries++)); do
    proxy_running || break
    sleep 0.1
  done
  if proxy_running; then kill -KILL "$pid"; fi
  rm -f "$(data_dir)/proxy/pid"
  say "stopped meridian"
}
