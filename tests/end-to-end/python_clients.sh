# Clients that PyPI has: fetched before the namespaces, which have no network. Nothing of the system's Python changes.
# shellcheck shell=bash

# The system's own: what others install elsewhere (pyenv, say, in a home) is not there in the lab.
readonly system_python=/usr/bin/python3

# Makes a virtual environment in a directory with what a file names; where that cannot be, a file `missing` in it says why.
fetch_python_clients() {
    local directory=$1 file=$2
    mkdir "$directory"
    if ! "$system_python" -m pip --version >/dev/null 2>&1; then
        echo "no pip for $system_python (package python3-pip)" >"$directory/missing"
    elif ! "$system_python" -m venv --without-pip "$directory" >"$directory/log" 2>&1 ||
        ! fetch_into "$directory/bin/python3" "$here/$file" >>"$directory/log" 2>&1; then
        echo "they cannot be had from PyPI: $(tail -n 1 "$directory/log")" >"$directory/missing"
    fi
}

# Only wheels: a source distribution would run code of its own outside the namespaces.
fetch_into() {
    timeout 180 "$system_python" -m pip --python "$1" --no-cache-dir --retries 1 --timeout 10 install --only-binary :all: \
        --no-compile --requirement "$2"
}
