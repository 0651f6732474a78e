#!/usr/bin/env bash
# Prints the figures of the closing note: time from exec to the first answer, idle memory, size of the binary, build time,
# lines of code per level, and a load by kcat next to Apache Kafka. `scripts/figures.sh [ROUNDS]`; give it a quiet machine.
# `scripts/figures.sh groups [ROUNDS]` prints only what groups cost: the time that a thousand members take to share a
# thousand partitions, offset commits per second and their price, next to Apache Kafka.
set -euo pipefail
exec </dev/null
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
bash scripts/prepare.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch

echo "machine: $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
echo "TCP congestion control: $(cat /proc/sys/net/ipv4/tcp_congestion_control)"
echo "klamm $(git rev-parse --short HEAD 2>/dev/null || echo '?'), Apache Kafka $PEER_VERSION, $(java -version 2>&1 | head -n 1)"
echo
if [ "${1:-}" = groups ]; then
    cargo build --locked --release --bin klamm --quiet
    export KLAMM_BIN=$CARGO_TARGET_DIR/release/klamm
else
    python3 -B scripts/lines.py
    echo
    cargo fetch --locked --quiet
    began=$(date +%s.%N)
    CARGO_TARGET_DIR=$scratch/target cargo build --locked --release --bin klamm --quiet
    echo "release build from nothing: $(echo "$(date +%s.%N) $began" | awk '{ printf "%.1f s", $1 - $2 }')"
    export KLAMM_BIN=$scratch/target/release/klamm
fi
cargo build --locked --release --quiet --manifest-path compat-tests/Cargo.toml --bin figures
# What Apache Kafka's own start script gives it.
export KLAMM_KAFKA_FLAGS="-server -Xmx1G -Xms1G -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
-XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent"
"$CARGO_TARGET_DIR/release/figures" "$@"
