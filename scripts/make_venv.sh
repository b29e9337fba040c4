#!/usr/bin/env bash
# Make a virtual environment, also where the distribution has split venv or pip from Python.
# Usage: make_venv.sh FOLDER [PYTHON]
set -euo pipefail

folder=$1
python=${2:-python3}

command -v "$python" >/dev/null || { echo "No '$python' was found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$("$python" --version) was found and 3.11 or newer is needed: name another one with make PYTHON=/path/to/python3" >&2
    exit 1
}

make_venv() { rm -rf "$folder" && "$python" -m venv "$@" "$folder"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"

if make_venv >/dev/null 2>&1; then
    :
elif "$python" -m pip --version >/dev/null 2>&1 && make_venv --without-pip >/dev/null 2>&1 &&
    "$python" -m pip --python "$folder/bin/python" install pip; then
    :
elif command -v apt-get >/dev/null && as_root apt-get update && as_root apt-get install -y --no-install-recommends "$package" && make_venv; then
    :
else
    rm -rf "$folder"
    echo "Python's venv module is missing. On Debian and Ubuntu, this line provides it: sudo apt-get install $package" >&2
    exit 1
fi
