# Of deploy/quickstart.sh: the PostgreSQL servers. s1 and s2 are primaries, s1r and s2r their
# replicas. Local connections by the socket in run/ (a directory of mode 0700) need no password.

port_of() {
  case $1 in
    s1) echo "$pg_port" ;;
    s1r) echo "$((pg_port + 1))" ;;
    s2) echo "$((pg_port + 2))" ;;
    s2r) echo "$((pg_port + 3))" ;;
  esac
}

# server_psql SERVER DATABASE [option...]: as superuser.
server_psql() {
  as_server "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$(data_dir)/run" -p "$(port_of "$1")" \
    -U postgres -d "$2" "${@:3}"
}

server_running() {
  [[ -d $(data_dir)/$1 ]] && as_server "$pg_bin/pg_ctl" status -D "$(data_dir)/$1" >/dev/null 2>&1
}

server_settings() {
  cat <<END
port = $(port_of "$1")
listen_addresses = 'localhost'
unix_socket_directories = '$(data_dir)/run'
wal_level = logical
max_prepared_transactions = 100
max_connections = 200
password_encryption = scram-sha-256
cluster_name = '$1'
hot_standby = on
END
}

server_access() {
  cat <<END
local all all trust
local replication all trust
host all all localhost scram-sha-256
END
}

# The directory appears under its name when it is complete, so that an interrupted run leaves none.
make_primary() {
  local dir
  dir=$(data_dir)/$1
  as_server rm -rf "$dir.new"
  as_server "$pg_bin/initdb" -D "$dir.new" -U postgres --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 --data-checksums --no-instructions >"$demo/log/initdb-$1.log" 2>&1 ||
    fail "initdb of $1 failed; see $demo/log/initdb-$1.log"
  server_settings "$1" | as_server tee -a "$dir.new/postgresql.conf" >/dev/null
  server_access | as_server tee "$dir.new/pg_hba.conf" >/dev/null
  as_server mv "$dir.new" "$dir"
}

make_replica() {
  local dir primary=${1%r}
  dir=$(data_dir)/$1
  as_server rm -rf "$dir.new"
  as_server "$pg_bin/pg_basebackup" -D "$dir.new" -h "$(data_dir)/run" -p "$(port_of "$primary")" \
    -U postgres --wal-method=stream --checkpoint=fast --write-recovery-conf \
    >"$demo/log/basebackup-$1.log" 2>&1 ||
    fail "the copy of $primary for its replica failed; see $demo/log/basebackup-$1.log"
  # The later line of a setting wins.
  server_settings "$1" | as_server tee -a "$dir.new/postgresql.conf" >/dev/null
  as_server mv "$dir.new" "$dir"
}

start_server() {
  server_running "$1" && return
  local log=$demo/log/$1.log
  touch "$log"
  if ((EUID == 0)); then chown postgres: "$log"; fi
  # pg_ctl's own --log would be opened by a user who may not reach it.
  as_server "$pg_bin/pg_ctl" start -w -t 60 -D "$(data_dir)/$1" >>"$log" 2>&1 </dev/null 9>&- ||
    fail "PostgreSQL $1 does not start; see $log"
}

start_servers() {
  step "Starting PostgreSQL: s1, s2 and their replicas"
  local server
  for server in s1 s2; do
    [[ -d $(data_dir)/$server ]] || make_primary "$server"
    start_server "$server"
  done
  make_roles
  for server in s1 s2; do
    [[ -d $(data_dir)/${server}r ]] || make_replica "${server}r"
    start_server "${server}r"
  done
}

# The roles and the database, where they are not there: roles_sql CONTROL-SECRET DEMO-SECRET, each a
# password or its verifier.
roles_sql() {
  cat <<END
SELECT 'CREATE ROLE meridian LOGIN SUPERUSER' WHERE to_regrole('meridian') IS NULL \\gexec
ALTER ROLE meridian PASSWORD '$1';
SELECT 'CREATE ROLE demo LOGIN' WHERE to_regrole('demo') IS NULL \\gexec
ALTER ROLE demo PASSWORD '$2';
SELECT 'CREATE DATABASE shop OWNER demo'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'shop') \\gexec
END
}

# A database of its own: within the shop, pg_dump by the shop's owner would fail at its schema.
catalog_sql() {
  cat <<END
SELECT 'CREATE DATABASE catalog OWNER meridian'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'catalog') \\gexec
END
}

verifier_of() {
  server_psql s1 postgres -At -c "SELECT rolpassword FROM pg_authid WHERE rolname = '$1'"
}

# The roles are PostgreSQL's own. They have the same verifier on each shard: that lets the proxy log
# in as the client with what the client proved, without knowing the password.
make_roles() {
  [[ -e $(data_dir)/proxy/control-password ]] && return
  local password
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  { roles_sql "$password" demo; catalog_sql; } | server_psql s1 postgres >/dev/null ||
    fail "cannot make the roles on s1; see $demo/log/s1.log"
  roles_sql "$(verifier_of meridian)" "$(verifier_of demo)" | server_psql s2 postgres >/dev/null ||
    fail "cannot make the roles on s2; see $demo/log/s2.log"
  printf '%s' "$password" | as_server tee "$(data_dir)/proxy/control-password" >/dev/null
}

stop_servers() {
  local server
  # Primaries first: their replicas get all that was written.
  for server in s1 s2 s1r s2r; do
    if server_running "$server"; then
      as_server "$pg_bin/pg_ctl" stop -m fast -w -t 60 -D "$(data_dir)/$server" >/dev/null ||
        fail "PostgreSQL $server does not stop; see $demo/log/$server.log"
      say "stopped $server"
    fi
  done
}
