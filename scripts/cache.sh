# Sourced by the other scripts: where things live that a checkout does not hold. Downloads and builds go to KLAMM_CACHE, so
# that a clean clone builds warm; everything in there can be deleted at any time.
KLAMM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export KLAMM_ROOT
export KLAMM_CACHE=${KLAMM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/klamm}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$KLAMM_CACHE/target}
PEER_VERSION=4.4.0 # src/cache.rs and clients/java/pom.xml of compat-tests name it, too
KAFKA_LIBS=$KLAMM_CACHE/kafka-$PEER_VERSION/libs
mkdir -p "$KLAMM_CACHE"

# The version of Klamm; this machine's architecture, and how Debian and images call one; where what is given away is put.
KLAMM_VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$KLAMM_ROOT/Cargo.toml" | head -n 1)
KLAMM_ARCH=$(uname -m)
debian_arch() {
    case $1 in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) echo "there are x86_64 and aarch64, not $1" >&2 && return 2 ;;
    esac
}
# What runs another architecture's programs here.
runner_of() { [ "$1" = "$KLAMM_ARCH" ] || echo "qemu-$1"; }
KLAMM_DIST=${KLAMM_DIST:-$KLAMM_CACHE/dist}
