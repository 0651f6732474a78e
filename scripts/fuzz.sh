#!/usr/bin/env bash
# Runs the fuzzers of fuzz/: `scripts/fuzz.sh [TARGET|all] [MINUTES]`, by default all of them, one after the other, a minute
# each. It begins with fuzz/corpus and keeps what it learns in the cache; what it finds it leaves under fuzz/artifacts.
set -euo pipefail
exec </dev/null
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
bash scripts/prepare.sh build
cargo fuzz --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-fuzz
# The engine's instrumentation is an unstable flag of the compiler; nothing of the code is.
export RUSTC_BOOTSTRAP=1
targets=${1:-all}
[ "$targets" != all ] || targets=$(cd fuzz/fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
seconds=$(awk -v minutes="${2:-1}" 'BEGIN { print int(minutes * 60) }')
for target in $targets; do
    kept=$KLAMM_CACHE/fuzz/$target
    mkdir -p "$kept"
    echo "$target: $seconds s"
    cargo fuzz run --release --sanitizer none "$target" "$kept" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1
done
