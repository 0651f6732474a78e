#!/usr/bin/env bash
# A static binary, linked with musl, that runs on any Linux of its architecture: `scripts/static.sh [x86_64|aarch64]`.
# Prints its path as the last line. What was made is looked at: the architecture in its ELF header, that it asks for no interpreter
# and no library, its size; and it is run, under qemu's user emulation where it is another machine's.
# KLAMM_PROFILE=dev makes it faster, and larger than what is promised, for tests of what is around it.
set -euo pipefail
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
arch=${1:-$KLAMM_ARCH}
bash scripts/prepare.sh static "$arch" >&2
target=$arch-unknown-linux-musl
of_target=${target//-/_}

strip=strip
if [ "$arch" = "$KLAMM_ARCH" ]; then
    export "CC_$of_target=musl-gcc"
else
    # Debian has no cross compiler for musl. The C of ring and zstd calls nothing whose form differs between the two libraries;
    # it is linked with the musl that comes with Rust's target. Atomics out of line are libgcc's, which is not linked.
    export "CC_$of_target=$arch-linux-gnu-gcc" "AR_$of_target=$arch-linux-gnu-ar"
    flags=-U_FORTIFY_SOURCE
    [ "$arch" != aarch64 ] || flags="$flags -mno-outline-atomics"
    export "CFLAGS_$of_target=$flags" "CARGO_TARGET_${of_target^^}_LINKER=$arch-linux-gnu-gcc"
    strip=$arch-linux-gnu-strip
fi
profile=${KLAMM_PROFILE:-release}
# It would be stripped.
export "CARGO_PROFILE_${profile^^}_DEBUG=0"
built=$CARGO_TARGET_DIR/$target/${profile/dev/debug}/klamm
cargo build --locked --profile "$profile" --target "$target" --bin klamm >&2

out=$KLAMM_DIST/$arch
mkdir -p "$out"
$strip -o "$out/klamm.new" "$built"
# What is promised is the size of a release.
[ "$profile" = release ] && limited=--limited || limited=
# shellcheck disable=SC2086
python3 -B scripts/check-static.py "$arch" "$out/klamm.new" $limited >&2
$(runner_of "$arch") "$out/klamm.new" --version >&2
mv "$out/klamm.new" "$out/klamm"
ls -l "$out/klamm" >&2
echo "$out/klamm"
