#!/usr/bin/env bash
# Prints the figures of the closing note: time from exec to the first answer, idle memory, size of the binary, build time,
# lines of code per level, and a load by kcat next to Apache Kafka. `scripts/figures.sh [ROUNDS]`; give it a quiet machine.
# `scripts/figures.sh storage [GIGABYTES]` prints those of storage instead: recovery of a log of that size (10), a start with
# 10,000 partitions, acknowledged syncs, compaction. It needs three times that much disk, and leaves none of it behind.
# `scripts/figures.sh groups [ROUNDS]` prints only what groups cost: the time that a thousand members take to share a
# thousand partitions, offset commits per second and their price, next to Apache Kafka.
# `scripts/figures.sh transactions [RESTARTS]` prints what 100,000 transactional ids cost: memory, and the time until all
# their coordinators are loaded after a restart, next to Apache Kafka.
# `scripts/figures.sh fixtures [ROUNDS]` prints what a broker for tests costs, next to Apache Kafka: README has the table.
set -euo pipefail
exec </dev/null
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
storage_bytes=
if [ "${1:-}" = storage ]; then
    gigabytes=${2:-10}
    storage_bytes=$(awk -v g="$gigabytes" 'BEGIN { printf "%.0f", g * 1e9 }')
    free=$(df --output=avail -B1 "${TMPDIR:-/tmp}" | tail -n 1)
    if [ "$free" -lt $((storage_bytes * 3)) ]; then
        echo "$gigabytes GB need three times as much free disk: there are $free bytes" >&2
        exit 1
    fi
fi
bash scripts/prepare.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch

echo "machine: $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
echo "TCP congestion control: $(cat /proc/sys/net/ipv4/tcp_congestion_control)"
echo "klamm $(git rev-parse --short HEAD 2>/dev/null || echo '?'), Apache Kafka $PEER_VERSION, $(java -version 2>&1 | head -n 1)"
echo
# What Apache Kafka's own start script gives it.
export KLAMM_KAFKA_FLAGS="-server -Xmx1G -Xms1G -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
-XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent"
program=figures
case ${1:-} in
storage)
    program=storage_figures
    set -- "$gigabytes"
    ;;
fixtures | groups | transactions)
    cargo build --locked --release --bin klamm --quiet
    export KLAMM_BIN=$CARGO_TARGET_DIR/release/klamm
    ;;
*)
    python3 -B scripts/lines.py
    echo
    cargo fetch --locked --quiet
    began=$(date +%s.%N)
    CARGO_TARGET_DIR=$scratch/target cargo build --locked --release --bin klamm --quiet
    echo "release build from nothing: $(echo "$(date +%s.%N) $began" | awk '{ printf "%.1f s", $1 - $2 }')"
    export KLAMM_BIN=$scratch/target/release/klamm
    ;;
esac
cargo build --locked --release --quiet --manifest-path compat-tests/Cargo.toml --bin "$program"
"$CARGO_TARGET_DIR/release/$program" "$@"
