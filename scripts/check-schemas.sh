#!/usr/bin/env bash
# Compares src/codec/schema with the definitions inside Kafka's published jars. Ends with "N passed, N failed".
set -euo pipefail
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
# Those that hold message definitions.
jars=("$KAFKA_LIBS"/kafka-{clients,metadata,group-coordinator,transaction-coordinator,share-coordinator}-"$PEER_VERSION".jar)
exec python3 scripts/check-schemas.py "${jars[@]}"
