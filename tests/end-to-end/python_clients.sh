# Clients from PyPI. They are fetched before the namespaces start, which have no network. The system's Python does not change.
# shellcheck shell=bash

# The system's Python: one in a home directory (pyenv) does not exist in the namespaces.
readonly system_python=/usr/bin/python3

# Creates a virtual environment with the packages of a file. If that fails, the file `missing` in it contains the reason.
fetch_python_clients() {
    local directory=$1 file=$2
    mkdir "$directory"
    if ! "$system_python" -m pip --version >/dev/null 2>&1; then
        echo "no pip for $system_python (package python3-pip)" >"$directory/missing"
    elif ! "$system_python" -m venv --without-pip "$directory" >"$directory/log" 2>&1 ||
        ! fetch_into "$directory/bin/python3" "$here/$file" >>"$directory/log" 2>&1; then
        echo "they are not available from PyPI: $(tail -n 1 "$directory/log")" >"$directory/missing"
    fi
}

# Only wheels: a source distribution would run its code outside of the namespaces.
fetch_into() {
    timeout 180 "$system_python" -m pip --python "$1" --no-cache-dir --retries 1 --timeout 10 install --only-binary :all: \
        --no-compile --requirement "$2"
}
