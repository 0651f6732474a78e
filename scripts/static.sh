#!/usr/bin/env bash
# A static binary, linked with musl, that runs on any Linux of its architecture: `scripts/static.sh [x86_64|aarch64]`.
# Prints its path as the last line. Installs what it needs. What was made is looked at: the architecture in its ELF header, that
# it asks for no interpreter and no library; and it is run, under qemu's user emulation where it is another machine's.
# KLAMM_PROFILE=dev makes it faster, for tests of what is around it.
set -euo pipefail
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
arch=${1:-$(uname -m)}
target=$arch-unknown-linux-musl
case $arch in
x86_64) tools="musl-gcc:musl-tools" ;;
aarch64) tools="aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu" ;;
*) echo "there are x86_64 and aarch64, not $arch" >&2 && exit 2 ;;
esac
[ "$arch" = "$(uname -m)" ] || tools="$tools qemu-$arch:qemu-user"
bash scripts/prepare.sh tools $tools >&2
rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target" >&2

strip=strip
case $arch in
x86_64) export CC_x86_64_unknown_linux_musl=musl-gcc ;;
aarch64)
    # Debian has no cross compiler for musl. The C of ring and zstd calls nothing whose form differs between the two libraries;
    # it is linked with the musl that comes with Rust's target. Atomics out of line are libgcc's, which is not linked.
    export CC_aarch64_unknown_linux_musl=aarch64-linux-gnu-gcc AR_aarch64_unknown_linux_musl=aarch64-linux-gnu-ar
    export CFLAGS_aarch64_unknown_linux_musl="-mno-outline-atomics -U_FORTIFY_SOURCE"
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=aarch64-linux-gnu-gcc
    strip=aarch64-linux-gnu-strip
    ;;
esac
profile=${KLAMM_PROFILE:-release}
built=$CARGO_TARGET_DIR/$target/${profile/dev/debug}/klamm
cargo build --locked --profile "$profile" --target "$target" --bin klamm >&2

out=${KLAMM_DIST:-$KLAMM_CACHE/dist}/$arch
mkdir -p "$out"
$strip -o "$out/klamm.new" "$built"
# Without optimisations it is larger than what is promised.
[ "$profile" = release ] && most=20 || most=100
python3 -B scripts/check-static.py "$arch" "$out/klamm.new" $most >&2
run=
[ "$arch" = "$(uname -m)" ] || run=qemu-$arch
$run "$out/klamm.new" --version >&2
mv "$out/klamm.new" "$out/klamm"
ls -l "$out/klamm" >&2
echo "$out/klamm"
