#!/usr/bin/env bash
# The full test command: `scripts/test.sh` runs every suite, `scripts/test.sh SUITE…` the named ones.
#
#   static   fmt clippy licences
#   oracles  schemas (our message table and Kafka's), codec (our bytes before Kafka's classes), assignors (who gets which
#            partition, topic patterns, subscription hashes: our answers before Kafka's classes)
#   own      unit (cargo test of klamm), benches (each micro-benchmark once), harness (the tests' own tests)
#   clients  kcat rdkafka java tools official_tools clients control quotas ring big_file crash disk_trouble directories
#            differential bad_input secured secured_clients secured_servers sasl oauth gssapi (which builds a Klamm with that
#            feature) security recipe (README's page about a secured listener, run as it stands)
#   testing  test_broker: `klamm test`, its figures, its ends, its storage, the releases that it is taken for; brokers: several of them in
#            one process, whose leaders move; scenarios; page: its page, clicked through in headless Chromium
#   packages  package_python package_node package_java package_go package_rust: each package of `packages/` built, installed
#            where its language does that, its own tests and the code of its README run there
#   installs installs (`klamm doctor`, Kafka's tool names, completions, the Debian package), images (container images, their root
#            file systems started in namespaces; needs root)
#   theirs   kgo librdkafka rust_rdkafka rskafka kafka_python: the suites of those clients, unmodified; librdkafka is all
#            of its own tests when it is named, in the run of everything without those that take longest
#   groups   groups group_tools churn siege (KLAMM_SIEGE=SECONDS goes on with it)
#   impatient  streams exactly_once; explore: `klamm explore` on the samples of examples/explore
#   extra    only when named: static (static binaries of both architectures and what is made of them, in the release profile),
#            starts (`klamm test` 10,000 times in a row), big (100 MB through every codec), kills (200 times kill -9 under four
#            producers), churn_full (ten minutes)
# compat-tests/README.md says what is in each from `clients` on. `scripts/test.sh --list` prints the names of all of them.
#
# Each suite prints `SUITE: N passed, N failed`; the last line is the sum, and the one before it tells how long each took. The exit
# code is 0 only if something ran and nothing failed. Needs no terminal; leaves nothing behind but the cache ($KLAMM_CACHE,
# ~/.cache/klamm by default).
#
# A run of everything is meant for two processors, and uses both: the broker is built beside the suites that need none, and those
# suites that mostly wait go on one after another beside the rest ($BESIDE).
set -uo pipefail
exec </dev/null
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT" || exit 1
CLIENTS="kcat rdkafka java tools official_tools clients control quotas ring big_file crash disk_trouble directories differential bad_input"
CLIENTS="$CLIENTS secured secured_clients secured_servers sasl oauth gssapi security recipe"
TESTING="test_broker brokers scenarios page"
PACKAGES="package_python package_node package_java package_go package_rust"
INSTALLS="installs images"
GROUPS_OF_CLIENTS="groups group_tools churn siege"
# Their clients have time limits of their own, and must not stand beside virtual machines of others: they come last.
IMPATIENT="streams exactly_once explore"
THEIRS="kgo librdkafka rust_rdkafka rskafka kafka_python"
# They mostly wait, or build what no other suite has: one after another they go on beside the others from where the broker is built,
# the longest first, so that none is left at the end.
BESIDE="librdkafka groups directories differential quotas images oauth kgo"
ALL="fmt clippy licences schemas codec assignors unit benches harness"
ALL="$ALL $CLIENTS $TESTING $PACKAGES $INSTALLS $THEIRS $GROUPS_OF_CLIENTS $IMPATIENT"
EXTRA="static starts big kills churn_full"
CLIENT_SUITES=" $CLIENTS $TESTING $PACKAGES $INSTALLS $GROUPS_OF_CLIENTS $IMPATIENT $THEIRS $EXTRA "
if [ "${1:-}" = --list ]; then
    printf '%s\n' $ALL $EXTRA
    exit 0
fi
# No suite takes half of it, where the machine does nothing else.
SUITE_LIMIT=1800

scratch=$(mktemp -d)
export TMPDIR=$scratch
# Ends what still runs and removes what the tests left; a broker dies with the test that started it.
cleanup() {
    local running
    running=$(jobs -p)
    [ -z "$running" ] || kill $running 2>/dev/null
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

logs=$KLAMM_CACHE/logs
mkdir -p "$logs"
passed=0
failed=0
times=

# Runs a command with its output in the suite's log, shown if it fails.
logged() {
    local suite=$1 code
    shift
    # In the background, so that a signal to this script ends it, with all that it started, at once.
    timeout -k 10 "$SUITE_LIMIT" "$@" >"$logs/$suite.log" 2>&1 &
    wait $!
    code=$?
    if [ $code -ne 0 ]; then
        echo "---- $suite failed with code $code: $* (the end of $logs/$suite.log)"
        tail -n 300 "$logs/$suite.log"
        echo "----"
    fi
    return $code
}

count() {
    local suite=$1
    passed=$((passed + $2))
    failed=$((failed + $3))
    echo "$suite: $2 passed, $3 failed"
    times="$times $suite $((SECONDS - suite_began)) s,"
}

# A suite that is one check.
check() {
    local suite=$1
    shift
    if logged "$suite" "$@"; then count "$suite" 1 0; else count "$suite" 0 1; fi
}

# A suite of Rust's own test harness, which may print several results.
cargo_tests() {
    local suite=$1 code ok bad
    shift
    logged "$suite" cargo test "$@"
    code=$?
    ok=$(grep -oE '^test result: .* [0-9]+ passed' "$logs/$suite.log" | awk '{ n += $(NF-1) } END { print n + 0 }')
    bad=$(grep -oE '^test result: .* [0-9]+ failed' "$logs/$suite.log" | awk '{ n += $(NF-1) } END { print n + 0 }')
    # It may fail without a test that failed: it does not compile, or nothing ran.
    if [ "$bad" -eq 0 ] && { [ $code -ne 0 ] || [ "$ok" -eq 0 ]; }; then bad=1; fi
    count "$suite" "$ok" "$bad"
}

# A suite whose last such line has the counts: "N passed, N failed", perhaps behind a name.
counted() {
    local suite=$1 code line ok bad
    shift
    logged "$suite" "$@"
    code=$?
    # Some tools colour their output even without a terminal.
    line=$(sed 's/\x1b\[[0-9;]*m//g' "$logs/$suite.log" | grep -oE '(^|: )[0-9]+ passed, [0-9]+ failed$' | tail -n 1)
    ok=$(echo "${line#: }" | awk '{ print $1 + 0 }')
    bad=$(echo "${line#: }" | awk '{ print $3 + 0 }')
    if [ "$bad" -eq 0 ] && { [ $code -ne 0 ] || [ "$ok" -eq 0 ]; }; then bad=1; fi
    count "$suite" "$ok" "$bad"
}

client_suite() {
    local suite=$1 test=$2
    shift 2
    counted "$suite" cargo test --locked --manifest-path compat-tests/Cargo.toml --test "$test" "$@"
}

# A suite that others wrote.
their_suite() {
    counted "$1" cargo test --locked --manifest-path compat-tests/Cargo.toml --test existing -- "$1"
}

# Starts a command that goes on beside others, with what it prints kept in $scratch/NAME.out.
begin() {
    local name=$1
    shift
    (
        trap 'kill $(jobs -p) 2>/dev/null; exit 130' TERM
        "$@"
    ) >"$scratch/$name.out" 2>&1 &
}

# The broker, and where everything runs the programs of all suites: the linker works while tests wait.
build_all() {
    logged build cargo build --locked --release --bin klamm || return 1
    [ $is_all = no ] || logged build-suites cargo test --locked --manifest-path compat-tests/Cargo.toml --tests --no-run
}

await_broker() {
    wait "$building"
    local code=$?
    cat "$scratch/build.out"
    export KLAMM_BIN=${KLAMM_BIN:-$CARGO_TARGET_DIR/release/klamm}
    return $code
}

# The images with a binary that is made fast: what is tested is what is around it.
images() {
    if ! KLAMM_PROFILE=dev KLAMM_DIST=$scratch/dist logged images-build bash scripts/image.sh; then
        count images 0 1
        return
    fi
    KLAMM_IMAGES=$scratch/dist/$KLAMM_ARCH client_suite images images
}

# Both architectures as they would be given away. Counts what was made.
static() {
    local arch script made=0 wrong=0
    for arch in x86_64 aarch64; do
        for script in static image deb; do
            if KLAMM_STATIC=$([ $script = static ] || echo "$KLAMM_DIST/$arch/klamm") \
                logged "static-$script-$arch" bash "scripts/$script.sh" "$arch"; then
                made=$((made + 1))
            else
                wrong=$((wrong + 1))
            fi
        done
        grep -h '^static, ' "$logs/static-static-$arch.log"
    done
    count static $made $wrong
}

compat_clippy() {
    cargo clippy --locked --all-targets --features gssapi,sim -- -D warnings &&
        cargo clippy --locked --manifest-path compat-tests/Cargo.toml --all-targets -- -D warnings &&
        cargo clippy --locked --manifest-path fuzz/Cargo.toml -- -D warnings
}

format() {
    cargo fmt --check && cargo fmt --check --manifest-path compat-tests/Cargo.toml &&
        cargo fmt --check --manifest-path fuzz/Cargo.toml &&
        cargo fmt --check --manifest-path compat-tests/clients/rust/login/Cargo.toml
}
export -f compat_clippy format

run() {
    case $1 in
    fmt) check fmt bash -c format ;;
    clippy) check clippy bash -c compat_clippy ;;
    licences) check licences python3 -B scripts/check-licences.py Cargo.toml compat-tests/Cargo.toml ;;
    schemas) counted schemas bash scripts/check-schemas.sh ;;
    codec) counted codec bash scripts/check-codec.sh ;;
    assignors) counted assignors bash scripts/check-assignors.sh ;;
    # The commit decides which seeds of the simulation run beside those that always do.
    unit) KLAMM_SIM_COMMIT=$(git rev-parse HEAD 2>/dev/null) cargo_tests unit --locked ;;
    # With the test profile: what counts here is that they run, and a release build takes minutes.
    benches) check benches cargo bench --locked --profile dev --bench data_path --bench fast_paths -- --test ;;
    harness) cargo_tests harness --locked --manifest-path compat-tests/Cargo.toml --lib --bins ;;
    images) images ;;
    static) static ;;
    starts)
        KLAMM_STARTS=${KLAMM_STARTS:-10000} client_suite starts test_broker -- starts_in_a_row
        grep ' starts in ' "$logs/starts.log"
        ;;
    big) KLAMM_BIG=1 client_suite big big_file ;;
    kills)
        KLAMM_KILLS=${KLAMM_KILLS:-200} client_suite kills crash -- four_producers
        grep ' kills, ' "$logs/kills.log"
        ;;
    siege)
        SUITE_LIMIT=$((SUITE_LIMIT + ${KLAMM_SIEGE:-0})) client_suite siege siege
        grep ' rounds, ' "$logs/siege.log" | tail -n 1
        ;;
    churn_full) KLAMM_CHURN=full client_suite churn_full churn ;;
    package_*) counted "$1" bash scripts/check-package.sh "${1#package_}" ;;
    kgo | rust_rdkafka | rskafka | kafka_python | librdkafka) their_suite "$1" ;;
    *) client_suite "$1" "$1" ;;
    esac
}

# Runs suites one after another, and leaves the sums of each for `gather_beside`.
run_beside() {
    local suite
    # From here on others work the disk, and how long a stop takes says nothing about the broker.
    export KLAMM_BESIDE=1
    for suite in "$@"; do
        passed=0 failed=0 times= suite_began=$SECONDS
        run "$suite"
        echo "$passed $failed $times" >"$scratch/$suite.sum"
    done
}

# Begins those of the suites that go on beside the others.
begin_beside() {
    local suite
    for suite in $BESIDE; do case $1 in *" $suite "*) beside_suites="$beside_suites $suite" ;; esac; done
    [ -n "$beside_suites" ] || return
    # shellcheck disable=SC2086
    begin beside run_beside $beside_suites
    beside=$!
    export KLAMM_BESIDE=1
}

# Waits for those and counts them; one that was ended before it could tell has failed.
gather_beside() {
    local suite ok bad took
    [ -n "$beside" ] || return
    wait "$beside"
    cat "$scratch/beside.out"
    for suite in $beside_suites; do
        read -r ok bad took <"$scratch/$suite.sum" || { ok=0 bad=1 took= && echo "$suite: ended"; }
        passed=$((passed + ok)) failed=$((failed + bad)) times="$times $took"
    done
}

for suite in ${*:-$ALL}; do
    case " $ALL $EXTRA " in
    *" $suite "*) ;;
    *) echo "no suite is called $suite; there are: $ALL $EXTRA" >&2 && exit 2 ;;
    esac
done
is_all=no
[ $# -gt 0 ] || { is_all=yes && export KLAMM_QUICK=1; }

suite_began=$SECONDS
scope=build
needs_broker=no
for suite in ${*:-$ALL}; do
    case "$CLIENT_SUITES schemas codec assignors " in *" $suite "*) scope=all ;; esac
    case "$CLIENT_SUITES" in *" $suite "*) needs_broker=${KLAMM_PEER:-klamm} ;; esac
    [ "$suite $scope" != "clippy build" ] || scope=lint
done
if ! logged prepare bash scripts/prepare.sh $scope; then
    count prepare 0 1
    echo "$passed passed, $failed failed"
    exit 1
fi

if [ "$needs_broker" = klamm ]; then
    begin build build_all
    building=$!
fi
beside=
beside_suites=
for suite in ${*:-$ALL}; do
    suite_began=$SECONDS
    if [[ $CLIENT_SUITES == *" $suite "* && $needs_broker == klamm ]]; then
        needs_broker=no
        if ! await_broker; then
            count build 0 1
            break
        fi
        times="$times build $((SECONDS - suite_began)) s,"
        suite_began=$SECONDS
    fi
    # From the first suite on that needs the broker.
    if [[ -z $beside && $CLIENT_SUITES == *" $suite "* ]]; then begin_beside " ${*:-$ALL} "; fi
    case " $BESIDE " in
    *" $suite "*) ;;
    *) run "$suite" ;;
    esac
done
gather_beside

echo "time:${times%,}; in all $SECONDS s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
