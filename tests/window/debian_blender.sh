#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Debian's Blender with all that a window test needs, in a folder of its own: debian_blender.sh SUITE FOLDER
# Suites: trixie (Blender 4.3), sid (Blender 5.2). As root, on Debian, with debootstrap; 2 GB, four minutes.
set -euo pipefail
suite="$1" folder="$2"
mirror="$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)"
debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$folder" "$mirror"
cp /etc/resolv.conf /etc/hosts "$folder/etc/"
cp /etc/apt/apt.conf.d/99* "$folder/etc/apt/apt.conf.d/" 2>/dev/null || true
mkdir -p "$folder/etc/ssl/certs"
cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
chroot "$folder" apt-get update -qq
# Debian only recommends numpy and cattrs; without them Blender's own scripts fail.
DEBIAN_FRONTEND=noninteractive chroot "$folder" apt-get install -y -qq --no-install-recommends \
    blender python3-numpy python3-cattr python3-requests python3-zstandard \
    xvfb xauth imagemagick fonts-dejavu-core libgl1-mesa-dri libegl1 libegl-mesa0 libgl1 libglx-mesa0
chroot "$folder" apt-get clean
chroot "$folder" blender --version
