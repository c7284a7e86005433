#!/usr/bin/env bash
# The cure of 2016 by hand, for comparison: unpack the image, add the exports to the script, pack it again.
#
#   benches/recipe.sh IN.img OUT.img PROXY
#
# IN.img has one gzip member. Needs root, since the image holds device nodes.
set -euo pipefail
in=$(realpath "$1") out=$(realpath -m "$2") proxy=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
gunzip -c "$in" | cpio -id --quiet --no-absolute-filenames
sed -i "1a export http_proxy=$proxy https_proxy=$proxy" etc/init.d/docker
find . | cpio -o -H newc --quiet | gzip > "$out"
