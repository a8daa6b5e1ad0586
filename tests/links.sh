#!/bin/bash
# Checks that the relative links of the Markdown files lead to files. Prints each that does not as
# file: target.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

broken=$(git ls-files -co --exclude-standard -- '*.md' | while read -r page; do
  { grep -oE '\]\([^)]+\)' "$page" || true; } | sed -E 's/^\]\(//; s/[)#].*//' |
    while read -r target; do
      case $target in
        "" | http://* | https://*) ;;
        *) [[ -e $(dirname "$page")/$target ]] || echo "$page: $target" ;;
      esac
    done
done)

if [[ -n $broken ]]; then
  printf '%s\n' "$broken"
  exit 1
fi
