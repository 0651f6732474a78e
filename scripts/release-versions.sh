#!/usr/bin/env bash
# Writes src/config/releases.txt: what a broker of each minor release of Apache Kafka tells in ApiVersions, read from the jars
# of its last patch (ReleaseVersions.java). Run by hand, when there is a new release; with --check it only compares.
set -euo pipefail
source "$(dirname "$0")/cache.sh"
out=$KLAMM_ROOT/src/config/releases.txt
jars=$KLAMM_CACHE/releases
mkdir -p "$jars"
new=$(mktemp)
trap 'rm -f "$new"' EXIT

fetch() {
    [ -e "$jars/$1-$2.jar" ] || mvn -q -B -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
        -Dartifact="org.apache.kafka:$1:$2" -DoutputDirectory="$jars"
}

cat >"$new" <<'HEAD'
# What brokers of Apache Kafka tell in ApiVersions. Written by scripts/release-versions.sh from their own jars.
# Up to 3.2 that of a broker with ZooKeeper, which was the one for production; since 3.3 that of a broker with KRaft.
# release NAME PATCH, then: api KEY NAME LOWEST HIGHEST, feature NAME LOWEST HIGHEST DEFAULT.
HEAD
for patch in 2.8.2 3.0.2 3.1.2 3.2.3 3.3.2 3.4.1 3.5.2 3.6.2 3.7.2 3.8.1 3.9.1 4.0.1 4.1.1 4.2.0 4.3.1 4.4.0; do
    fetch kafka-clients $patch
    classes=$jars/kafka-clients-$patch.jar listener=BROKER
    case $patch in
    2.8.* | 3.[0-2].*) listener=ZK_BROKER ;;
    *) fetch kafka-server-common $patch && classes=$classes:$jars/kafka-server-common-$patch.jar ;;
    esac
    echo "release ${patch%.*} $patch" >>"$new"
    java -cp "$classes:$(echo "$KAFKA_LIBS"/slf4j-api-*.jar)" "$KLAMM_ROOT/scripts/ReleaseVersions.java" $listener >>"$new"
done
if [ "${1:-}" = --check ]; then
    diff -u "$out" "$new" && echo "releases.txt is up to date"
else
    cp "$new" "$out"
fi
