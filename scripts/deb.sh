#!/usr/bin/env bash
# A Debian package with the static binary, a unit of systemd, the man page and completions: `scripts/deb.sh [x86_64|aarch64]`.
# Made by dpkg-deb from what is in packaging/debian. KLAMM_STATIC names a static binary that is there already. The man page and
# the completions come from the binary; KLAMM_BIN is one that runs here, where the package is for another machine. Prints the
# path of the package.
set -euo pipefail
source "$(dirname "$0")/cache.sh"
cd "$KLAMM_ROOT"
arch=${1:-$KLAMM_ARCH}
debian=$(debian_arch "$arch")
bash scripts/prepare.sh deb "$arch" >&2
binary=${KLAMM_STATIC:-$(bash scripts/static.sh "$arch")}
runs="$(runner_of "$arch") $binary"
[ "$arch" = "$KLAMM_ARCH" ] || runs=${KLAMM_BIN:-$runs}
# The first package of this version.
version=$KLAMM_VERSION-1
out=$KLAMM_DIST/$arch
made=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
trap 'exit 130' INT TERM HUP
umask 022
chmod 755 "$tree"
from=packaging/debian
maintainer="The authors of Klamm <klamm@localhost>"

install -D -m 755 "$binary" "$tree/usr/bin/klamm"
install -D -m 644 $from/klamm.service "$tree/lib/systemd/system/klamm.service"
install -D -m 644 $from/server.properties "$tree/etc/klamm/server.properties"
install -D -m 644 $from/klamm.default "$tree/etc/default/klamm"
install -d "$tree/usr/share/man/man1" "$tree/usr/share/bash-completion/completions" "$tree/usr/share/zsh/vendor-completions" \
    "$tree/usr/share/fish/vendor_completions.d"
$runs man | gzip -9n >"$tree/usr/share/man/man1/klamm.1.gz"
$runs completions bash >"$tree/usr/share/bash-completion/completions/klamm"
$runs completions zsh >"$tree/usr/share/zsh/vendor-completions/_klamm"
$runs completions fish >"$tree/usr/share/fish/vendor_completions.d/klamm.fish"
doc=$tree/usr/share/doc/klamm
install -D -m 644 $from/copyright "$doc/copyright"
install -m 644 README.md "$doc/README.md"
gzip -9n <CHANGELOG.md >"$doc/changelog.gz"
gzip -9n >"$doc/changelog.Debian.gz" <<CHANGELOG
klamm ($version) unstable; urgency=medium

  * What is new in this version stands in changelog.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$made")
CHANGELOG
install -D -m 644 $from/lintian-overrides "$tree/usr/share/lintian/overrides/klamm"

install -d "$tree/DEBIAN"
install -m 755 $from/postinst $from/prerm $from/postrm "$tree/DEBIAN/"
printf '/etc/klamm/server.properties\n/etc/default/klamm\n' >"$tree/DEBIAN/conffiles"
(cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs md5sum) >"$tree/DEBIAN/md5sums"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: klamm
Version: $version
Architecture: $debian
Maintainer: $maintainer
Section: net
Priority: optional
Depends: adduser
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f 1)
Description: Kafka broker in one small binary
 Klamm speaks the Kafka protocol and keeps Kafka's own files on disk, so that
 clients, tools and frameworks work with it unchanged. It needs no JVM. The
 package brings the service klamm, which is not enabled by itself.
CONTROL
mkdir -p "$out"
find "$tree" -exec touch -h -d "@$made" {} +
dpkg-deb -Zgzip --root-owner-group --build "$tree" "$out/klamm_${version}_$debian.deb" >&2
echo "$out/klamm_${version}_$debian.deb"
