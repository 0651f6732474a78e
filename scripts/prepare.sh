#!/usr/bin/env bash
# Installs what the tests need and is missing, and fills the cache: Debian packages, Apache Kafka's jars, the programs of the
# foreign clients. Safe to run again: what is there and up to date is left alone. `prepare.sh build` stops after what
# building and linting klamm itself needs.
set -euo pipefail
source "$(dirname "$0")/cache.sh"
clients=$KLAMM_ROOT/compat-tests/clients

# One Debian package for each command that is missing.
install_missing() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "installing ${missing[*]}"
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo -n"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# `stale NAME INPUT…`: whether NAME was made from other files than these, or never.
stale() {
    local name=$1 stamp
    shift
    stamp=$(cat "$@" | sha256sum)
    [ "$(cat "$KLAMM_CACHE/$name.stamp" 2>/dev/null)" != "$stamp" ]
}

made() {
    local name=$1
    shift
    cat "$@" | sha256sum >"$KLAMM_CACHE/$name.stamp"
}

kafka_jars() {
    local libs=$KLAMM_CACHE/kafka-$PEER_VERSION/libs pom=$clients/java/pom.xml
    stale kafka "$pom" || [ ! -d "$libs" ] || return 0
    echo "fetching the jars of Apache Kafka $PEER_VERSION"
    rm -rf "$libs"
    mvn -q -B -Dstyle.color=never -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs"
    made kafka "$pom"
}

java_programs() {
    local out=$KLAMM_CACHE/java inputs=("$clients"/java/*.java "$clients/java/pom.xml")
    stale java "${inputs[@]}" || [ ! -d "$out" ] || return 0
    echo "compiling the Java programs"
    rm -rf "$out"
    javac -nowarn -d "$out" -cp "$KLAMM_CACHE/kafka-$PEER_VERSION/libs/*" "$clients"/java/*.java
    made java "${inputs[@]}"
}

go_program() {
    local out=$KLAMM_CACHE/go/franz inputs=("$clients"/go/main.go "$clients"/go/go.mod "$clients"/go/go.sum)
    stale go "${inputs[@]}" || [ ! -x "$out" ] || return 0
    echo "building the franz-go program"
    mkdir -p "$KLAMM_CACHE/go"
    (cd "$clients/go" && go build -o "$out" .)
    made go "${inputs[@]}"
}

js_modules() {
    local out=$KLAMM_CACHE/js inputs=("$clients"/js/package.json "$clients"/js/package-lock.json)
    stale js "${inputs[@]}" || [ ! -d "$out/node_modules" ] || return 0
    echo "fetching kafkajs"
    rm -rf "$out" && mkdir -p "$out"
    cp "${inputs[@]}" "$out/"
    (cd "$out" && npm ci --silent --no-audit --no-fund)
    made js "${inputs[@]}"
}

python_venv() {
    local out=$KLAMM_CACHE/venv inputs=("$clients/python/requirements.txt")
    stale python "${inputs[@]}" || [ ! -x "$out/bin/python" ] || return 0
    echo "making the virtual environment of kafka-python"
    rm -rf "$out"
    python3 -m venv "$out"
    "$out/bin/pip" install -q --disable-pip-version-check -r "${inputs[0]}"
    made python "${inputs[@]}"
}

install_missing cargo:cargo cc:build-essential python3:python3
for component in rustfmt clippy; do
    cargo "${component/rust/}" --version >/dev/null 2>&1 || rustup component add "$component"
done
[ "${1:-all}" = build ] && exit 0
install_missing kcat:kcat mvn:maven javac:default-jdk-headless go:golang-go node:nodejs npm:npm make:make
python3 -c 'import ensurepip' 2>/dev/null || install_missing klamm-no-such-command:python3-venv
[ -e /usr/include/zlib.h ] || install_missing klamm-no-such-command:zlib1g-dev
kafka_jars
java_programs
go_program
js_modules
python_venv
