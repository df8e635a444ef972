#!/usr/bin/env bash
# Checks each of INDEXES, and fails unless all are ok. A verdict that is not known passes if ALLOW_NOT_KNOWN is true.
set -uo pipefail

failed=0
set -f # Names are words, not patterns of files.
for index in $INDEXES; do
  datahub-llmops check "$index" ${POLICY:+--policy "$POLICY"}
  code=$?
  if [ "$code" -eq 2 ] && [ "${ALLOW_NOT_KNOWN:-false}" = true ]; then
    echo "::warning::$index: the verdict is not known"
  elif [ "$code" -ne 0 ]; then
    echo "::error::$index: not to be trusted, see the checks above"
    failed=1
  fi
done
exit "$failed"
