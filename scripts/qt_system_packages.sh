#!/usr/bin/env bash
# Provide what Qt 6 needs to open OpenGL windows on a machine without a screen: Xvfb, software OpenGL, the xcb libraries.
# Installs them when it may (root, or sudo without a password); otherwise prints the one line that does and fails.
set -euo pipefail

packages=(
    xvfb xauth
    libgl1 libglx-mesa0 libgl1-mesa-dri libegl1 libopengl0
    libglib2.0-0 libgssapi-krb5-2 libdbus-1-3 libfontconfig1 libfreetype6
    libx11-xcb1 libxkbcommon0 libxkbcommon-x11-0
    libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-render0
    libxcb-shape0 libxcb-shm0 libxcb-sync1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1
)

# Elsewhere Qt brings what it needs, and there is a screen.
[ "$(uname -s)" = Linux ] || exit 0

if ! command -v apt-get >/dev/null; then
    command -v xvfb-run >/dev/null && exit 0
    echo "xvfb-run was not found: install Xvfb, software OpenGL (Mesa) and the xcb libraries of Qt 6 with your package manager" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    # ${db:Status-Status} of a virtual name (libglib2.0-0 on newer releases) is empty: ask who provides it.
    if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ] &&
        ! dpkg-query -W -f='${db:Status-Status} ${Provides}\n' 2>/dev/null | grep -qE "^installed .*[ ,]${package//./\\.}([ ,]|\$)"; then
        missing+=("$package")
    fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo=(sudo -n)
else
    echo "Qt needs system packages to open a window without a screen; this line installs them:" >&2
    echo "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

"${sudo[@]}" apt-get update
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
