#!/bin/bash
# Makes FOLDER/root, in which qemu runs LiteRT as ARM64 code: Debian's Python
# for arm64, and LiteRT and NumPy in the versions that $PYTHON has. Nothing is
# installed on this machine and no root is needed.
#
#   PYTHON=.venv/bin/python tests/arm64/sysroot.sh FOLDER
#
# A complete root of the same versions is kept. Ends with 69 (EX_UNAVAILABLE)
# where packages cannot be downloaded.
set -euo pipefail

unavailable() {
  echo "sysroot.sh: $*" >&2
  exit 69
}

folder=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

wheels=$("$python" - <<'END'
from importlib.metadata import version

for name in ("ai-edge-litert", "numpy"):
    print(f"{name}=={version(name)}")
END
)
made=$(cat "$0" "$here/cpuinfo" <(echo "$wheels") | sha256sum)
[ "$(cat "$folder/root/.made" 2>/dev/null)" != "$made" ] || exit 0

work=$(mktemp -d -p "$folder")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/proc" "$work"/{state/lists/partial,cache/archives/partial,wheels}

# The packages: an apt of another architecture, with a state of its own. It
# thinks that nothing is installed, so all that Python needs is downloaded.
for sources in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
  [ ! -s "$sources" ] || break
done
touch "$work/status"
apt=(
  -o APT::Architecture=arm64
  -o APT::Sandbox::User="$(id -un)"
  -o Dir::State="$work/state"
  -o Dir::State::status="$work/status"
  -o Dir::Cache="$work/cache"
  -o Dir::Etc::SourceList="$sources"
  -o Dir::Etc::SourceParts=/dev/null
)
apt-get "${apt[@]}" update >"$work/log" 2>&1 \
  || unavailable "apt-get update failed: $(tail -n 3 "$work/log")"
version=$(apt-cache "${apt[@]}" show python3-minimal 2>/dev/null \
  | grep -om 1 'python3\.[0-9]*-minimal' | grep -o '3\.[0-9]*' || true)
[ -n "$version" ] || unavailable "$sources offers no python3-minimal for arm64."
apt-get "${apt[@]}" install --yes --download-only --no-install-recommends \
  "python$version" libstdc++6 >"$work/log" 2>&1 \
  || unavailable "apt-get install failed: $(tail -n 3 "$work/log")"
for package in "$work"/cache/archives/*.deb; do
  dpkg-deb --extract "$package" "$root"
done
ln -s "python$version" "$root/usr/bin/python3"
# Later Debians have all in /usr.
[ -e "$root/lib" ] || ln -s usr/lib "$root/lib"

# shellcheck disable=SC2086  # a word for each package
"$python" -m pip download --quiet --no-deps --only-binary=:all: \
  --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
  --python-version "$version" --dest "$work/wheels" $wheels \
  >"$work/log" 2>&1 || unavailable "pip download failed: $(cat "$work/log")"
for wheel in "$work"/wheels/*.whl; do
  "$python" -m zipfile -e "$wheel" "$root/site"
done

# LiteRT's cpuinfo crashes on the lines that /proc/cpuinfo has on x86; qemu
# opens this file in their place.
cp "$here/cpuinfo" "$root/proc/cpuinfo"

echo "$made" >"$root/.made"
rm -rf "$folder/root"
mv "$root" "$folder/root"
