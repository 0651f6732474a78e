#!/usr/bin/env bash
# Puts messages of every kind and version, drawn and encoded by our tests, before the generated classes in Kafka's own
# jars: they must read them and write the same bytes. Ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test -q --test oracle every_message >&2
messages="$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/tmp/messages.txt"
jars="$(scripts/fetch-kafka-jars.sh)"
exec java -cp "${jars//$'\n'/:}" scripts/CheckCodec.java "$messages"
