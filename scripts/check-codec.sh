#!/usr/bin/env bash
# Puts messages of every kind and version, drawn and encoded by our tests, before the generated classes in Kafka's own
# jars: they must read them and write the same bytes. Ends with "N passed, N failed".
set -euo pipefail
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"

cargo test -q --test oracle every_message >&2
exec java -cp "$KAFKA_LIBS/*" scripts/CheckCodec.java "$CARGO_TARGET_DIR/tmp/messages.txt"
