#!/usr/bin/env bash
# Compares src/codec/schema with the definitions inside Kafka's published jars. Ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t jars < <(scripts/fetch-kafka-jars.sh)
exec python3 scripts/check-schemas.py "${jars[@]}"
