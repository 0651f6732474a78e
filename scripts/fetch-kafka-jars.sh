#!/usr/bin/env bash
# Prints the paths of those of Kafka's jars that hold message definitions. They come through Maven, by name, into a cache
# outside the checkout; once they are there, nothing is fetched.
set -euo pipefail

version=4.4.0
cache="${KLAMM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/klamm}/kafka-$version"
artifacts=(kafka-clients kafka-metadata kafka-group-coordinator kafka-transaction-coordinator kafka-share-coordinator)

for artifact in "${artifacts[@]}"; do
    jar="$cache/$artifact-$version.jar"
    if [ ! -s "$jar" ]; then
        mkdir -p "$cache"
        mvn -q -B -ntp -Dstyle.color=never dependency:copy -Dartifact="org.apache.kafka:$artifact:$version" \
            -DoutputDirectory="$cache" >&2
    fi
    echo "$jar"
done
