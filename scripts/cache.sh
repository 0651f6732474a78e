# Sourced by the other scripts: where things live that a checkout does not hold. Downloads and builds go to KLAMM_CACHE, so
# that a clean clone builds warm; everything in there can be deleted at any time.
KLAMM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export KLAMM_ROOT
export KLAMM_CACHE=${KLAMM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/klamm}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$KLAMM_CACHE/target}
PEER_VERSION=4.4.0 # src/cache.rs and clients/java/pom.xml of compat-tests name it, too
KAFKA_LIBS=$KLAMM_CACHE/kafka-$PEER_VERSION/libs
mkdir -p "$KLAMM_CACHE"
