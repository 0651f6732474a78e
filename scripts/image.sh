#!/usr/bin/env bash
# Two container images as OCI archives, made without a container engine: `scripts/image.sh [x86_64|aarch64]`.
#
#   klamm        the static binary and nothing else
#   klamm-kafka  with a shell, the paths and the tool names that images of Apache Kafka, Confluent and Redpanda are asked for
#
# `podman load -i`, `docker load -i` and `skopeo copy oci-archive:` take them. KLAMM_STATIC names a static binary that is there
# already. Prints the paths of the archives.
set -euo pipefail
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
arch=${1:-$(uname -m)}
binary=${KLAMM_STATIC:-$(bash scripts/static.sh "$arch")}
out=${KLAMM_DIST:-$KLAMM_CACHE/dist}/$arch
mkdir -p "$out"
if [ "$arch" = "$(dpkg --print-architecture 2>/dev/null | sed 's/amd64/x86_64/; s/arm64/aarch64/')" ]; then
    bash scripts/prepare.sh tools bash-static:bash-static busybox:busybox-static >&2
    shell=$(command -v bash-static) busybox=$(command -v busybox)
    # Debian has one that is not.
    python3 -B scripts/check-static.py "$arch" "$busybox" >&2
else
    # Packages of the other architecture are unpacked, not installed.
    foreign=$out/debian
    debian=$(echo "$arch" | sed 's/x86_64/amd64/; s/aarch64/arm64/')
    mkdir -p "$foreign"
    if [ ! -x "$foreign/bin/bash-static" ] || [ ! -x "$foreign/bin/busybox" ]; then
        dpkg --print-foreign-architectures | grep -qx "$debian" || { dpkg --add-architecture "$debian" && apt-get update -qq; } >&2
        (cd "$foreign" && apt-get download -qq "bash-static:$debian" "busybox-static:$debian" >&2)
        for package in "$foreign"/*.deb; do dpkg-deb -x "$package" "$foreign"; done
    fi
    shell=$foreign/bin/bash-static busybox=$foreign/bin/busybox
fi
python3 -B scripts/image.py scratch "$arch" "$binary" "$out/klamm.oci.tar"
python3 -B scripts/image.py kafka "$arch" "$binary" "$out/klamm-kafka.oci.tar" "$shell" "$busybox"
