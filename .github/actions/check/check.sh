#!/usr/bin/env bash
# Checks each of INDEXES, and fails unless all are ok. A verdict that is not known passes if ALLOW_NOT_KNOWN is true.
# What could not be checked at all has no report, and fails: its name may be misspelt, or the catalog out of reach.
set -uo pipefail

failed=0
set -f # Names are words, not patterns of files.
# shellcheck disable=SC2086
set -- $INDEXES
if [ "$#" -eq 0 ]; then
  # GitHub passes a variable that nobody set as an empty input, also where the input is required.
  echo "::error::no index was given, so nothing was checked; set the input index"
  exit 1
fi
for index in "$@"; do
  # What starts with a dash is a name too: --help would end with 0.
  report=$(datahub-llmops check ${POLICY:+--policy "$POLICY"} -- "$index")
  code=$?
  printf '%s\n' "$report"
  if [ "$code" -eq 2 ] && [ -z "$report" ]; then
    echo "::error::$index: it could not be checked, see the message above"
    failed=1
  elif [ "$code" -eq 2 ] && [ "${ALLOW_NOT_KNOWN:-false}" = true ]; then
    echo "::warning::$index: the verdict is not known"
  elif [ "$code" -ne 0 ]; then
    echo "::error::$index: not to be trusted, see the checks above"
    failed=1
  fi
done
exit "$failed"
