#!/bin/bash
# Checks that includes follow the layers: a file may include only files of its own folder and of the
# folders that its library uses in CMakeLists.txt (the arrows of docs/architecture.md), and the pure
# folders touch no socket, clock or log. Prints each breach as file:line.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

readonly sources=$(git ls-files -co --exclude-standard -- metrics sharding router proxy rebalance |
  grep -E '\.(h|cc|c)$' || true)
[[ -n $sources ]] || { echo "layers.sh: no sources found" >&2; exit 1; }

breaches=$(
  # shellcheck disable=SC2086  # one argument per file
  awk '
    function folder_of(path) { sub("/[^/]*$", "", path); return path }

    # meridian_library(FOLDER dependency...), over one or several lines; the library of a folder a/b
    # is called a_b.
    FILENAME == "CMakeLists.txt" {
      if (/^meridian_library\(/) call = ""
      else if (call == "done") next
      if (/^meridian_library\(/ || call != "") {
        call = call " " $0
        if (/\)/) {
          gsub(/meridian_library\(|\)/, " ", call)
          count = split(call, word, " ")
          name = word[1]; gsub("/", "_", name)
          folders[name] = word[1]
          for (i = 2; i <= count; i++) uses[word[1]] = uses[word[1]] " " word[i]
          call = ""
        }
      }
      next
    }

    function reach(from, folder,   word, count, i) {
      if ((from, folder) in allowed) return
      allowed[from, folder] = 1
      count = split(uses[folder], word, " ")
      for (i = 1; i <= count; i++) if (word[i] in folders) reach(from, folders[word[i]])
    }
    !ready { ready = 1; for (name in folders) reach(folders[name], folders[name]) }

    /^[ \t]*#[ \t]*include[ \t]*"/ {
      split($0, part, "\"")
      from = folder_of(FILENAME)
      to = folder_of(part[2])
      # proxy/main.cc puts everything together. The top folder of a room holds the words that its
      # subfolders speak: router/statement.h is for router/parse, too.
      if (FILENAME == "proxy/main.cc" || (from, to) in allowed) next
      if (index(from, to "/") == 1) next
      if (!(from in uses)) print FILENAME ":" FNR ": its folder is no library in CMakeLists.txt"
      else print FILENAME ":" FNR ": " from " may not use " to " (" part[2] ")"
    }
  ' CMakeLists.txt $sources

  pure=$(grep -E '^(sharding/[^/]*|router/.*|proxy/wire/.*|proxy/session/.*)$' <<<"$sources")
  # shellcheck disable=SC2086
  grep -nE '#include *[<"](uv\.h|libpq-fe\.h|sys/(socket|epoll)\.h|spdlog/|metrics/log\.h)' $pure |
    sed 's/$/: a pure folder/' || true
  # shellcheck disable=SC2086
  grep -nE '_clock::now\(|\b(clock_gettime|gettimeofday)\(|\btime\((NULL|nullptr|0)\)' $pure |
    sed 's/$/: a clock in a pure folder/' || true
  # shellcheck disable=SC2086
  grep -nE '#include *[<"]uv\.h' $sources | grep -v '^proxy/net/' |
    sed 's/$/: only proxy\/net may/' || true
)

if [[ -n $breaches ]]; then
  printf '%s\n' "$breaches"
  exit 1
fi
