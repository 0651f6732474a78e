#!/usr/bin/env bash
# Two container images as OCI archives, made without a container engine: `scripts/image.sh [x86_64|aarch64]`.
#
#   klamm        the static binary and nothing else
#   klamm-kafka  with a shell, the paths and the tool names that images of Apache Kafka, Confluent and Redpanda are asked for
#
# `podman load -i`, `docker load -i` and `skopeo copy oci-archive:` are meant to take them: scripts/image.py says what each looks
# for. KLAMM_STATIC names a static binary that is there already. Prints the paths of the archives.
set -euo pipefail
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
arch=${1:-$KLAMM_ARCH}
debian=$(debian_arch "$arch")
bash scripts/prepare.sh image "$arch" >&2
binary=${KLAMM_STATIC:-$(bash scripts/static.sh "$arch")}
tools=$KLAMM_CACHE/image/$arch
for tool in bash-static busybox; do python3 -B scripts/check-static.py "$arch" "$tools/bin/$tool" >&2; done
out=$KLAMM_DIST/$arch
mkdir -p "$out"
python3 -B scripts/image.py scratch "$debian" "$KLAMM_VERSION" "$binary" "$out/klamm.oci.tar"
# shellcheck disable=SC2046
python3 -B scripts/image.py kafka "$debian" "$KLAMM_VERSION" "$binary" "$out/klamm-kafka.oci.tar" "$tools" $(runner_of "$arch")
