#!/bin/bash
# Installs what is missing, builds, and runs all tests; the last line is `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly all_stages=(format layers links unit pg integration drivers fuzz sanitizer)
readonly results=build/results
readonly python=${PYTHON:-/usr/bin/python3}
jobs=$(nproc)
readonly jobs

usage() {
  cat <<END
usage: tests/run.sh [--quick | STAGE...]

Stages: ${all_stages[*]}. All are run without an argument.
  --quick  format, layers, links and unit: what needs neither PostgreSQL nor a second build
What the stages print is in build/results/STAGE/log.
END
}

say() { printf '==> %s\n' "$*"; }

# configure DIRECTORY [option...]
configure() {
  cmake -S . -B "$1" -G Ninja "${@:2}" >"$1.log" 2>&1 || { cat "$1.log"; return 1; }
}

build_release() {
  configure build -DCMAKE_BUILD_TYPE=Release
  ninja -C build
}

# run_programs BUILD-DIRECTORY LABEL STAGE [option...]: the tests of ctest with that label.
run_programs() {
  GTEST_OUTPUT=xml:$PWD/$results/$3/ ctest --test-dir "$1" --label-regex "^$2\$" \
    --output-on-failure --no-tests=error --output-junit "$PWD/$results/$3/ctest.xml" "${@:4}"
}

stage_format() {
  git ls-files -co --exclude-standard -- '*.h' '*.cc' '*.c' |
    xargs clang-format --dry-run -Werror
}
stage_layers() { tests/layers.sh; }
stage_links() { tests/links.sh; }
stage_unit() {
  build_release
  run_programs build test unit -j "$jobs"
}
stage_pg() {
  build_release
  run_programs build pgtest pg -j "$jobs"
}
stage_fuzz() {
  build_release
  run_programs build fuzz fuzz -j "$jobs"
}
stage_integration() {
  build_release
  "$python" -m pytest tests/integration -q -p no:cacheprovider -n "$jobs" --dist loadfile \
    --junitxml="$results/integration/pytest.xml"
}
stage_drivers() {
  build_release
  "$python" tests/drivers/run.py "$results/drivers/drivers.xml"
}
# -O1: the tests run twice as fast as with -O0, and the build takes hardly longer. Without precompiled
# headers, so that a file which lacks an #include is found.
stage_sanitizer() {
  configure build-asan -DCMAKE_BUILD_TYPE=Debug -DMERIDIAN_SANITIZE=ON -DMERIDIAN_PCH=OFF \
    -DCMAKE_CXX_FLAGS_DEBUG='-O1 -g1'
  local targets
  mapfile -t targets < <(ninja -C build-asan -t targets all |
    sed -n 's/^\([a-z_]*_test\): phony.*/\1/p')
  ninja -C build-asan "${targets[@]}"
  # Frames are many times as large with the sanitizers, and the planner recurses.
  ulimit -s 65536
  run_programs build-asan test sanitizer -j "$jobs"
}

run_stage() {
  local start=$SECONDS status=0
  mkdir -p "$results/$1"
  say "$1"
  # Not in a condition: errexit is to hold in the stage.
  set +e
  (set -e; "stage_$1") 2>&1 | tee "$results/$1/log"
  status=${PIPESTATUS[0]}
  set -e
  echo "$status" >"$results/$1/status"
  say "$1: $([[ $status == 0 ]] && echo passed || echo FAILED), $((SECONDS - start)) s"
}

main() {
  local stages=("${all_stages[@]}")
  case ${1:-} in
    -h | --help) usage; exit 0 ;;
    --quick) stages=(format layers links unit) ;;
    "") ;;
    *) stages=("$@") ;;
  esac
  local stage
  for stage in "${stages[@]}"; do
    if [[ $(type -t "stage_$stage") != function ]]; then usage >&2; exit 2; fi
  done
  say "packages"
  deploy/install-packages.sh deploy/packages.txt tests/packages.txt
  rm -rf "$results"
  mkdir -p "$results"
  for stage in "${stages[@]}"; do
    run_stage "$stage"
  done
  "$python" tests/results.py "$results"
}

main "$@"
