#!/usr/bin/env bash
# Compares src/codec/schema with the definitions inside Kafka's published jars. The jars come through Maven, by name,
# into a cache outside the checkout; once they are there, nothing is fetched. Ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.4.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/klamm/kafka-$version"
artifacts=(kafka-clients kafka-metadata kafka-group-coordinator kafka-transaction-coordinator kafka-share-coordinator)

jars=()
for artifact in "${artifacts[@]}"; do
    jar="$cache/$artifact-$version.jar"
    if [ ! -s "$jar" ]; then
        mkdir -p "$cache"
        mvn -q -B -ntp -Dstyle.color=never dependency:copy -Dartifact="org.apache.kafka:$artifact:$version" -DoutputDirectory="$cache" >&2
    fi
    jars+=("$jar")
done

python3 scripts/check-schemas.py "${jars[@]}"
