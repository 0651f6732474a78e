#!/usr/bin/env bash
# Puts the answers of our assignors, subscription hashes and topic patterns to thousands of random questions before the
# classes in Kafka's own jars: they must say the same. `KLAMM_SEED=n` asks others. Ends with "N passed, N failed".
set -euo pipefail
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"

mkdir -p "$CARGO_TARGET_DIR/tmp"
answers=$CARGO_TARGET_DIR/tmp/assignors.txt
cargo run -q --locked --example assignors -- "$answers" >&2
exec java -cp "$KLAMM_CACHE/java:$KLAMM_CACHE/kafka-$PEER_VERSION/libs/*" Assignors "$answers"
