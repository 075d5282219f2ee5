# Programs that use clients of python_clients.sh; a scenario sets $environment, the name of the virtual environment.
# shellcheck shell=bash

# Runs a program of Python from stdin.
python() {
    local directory=$TEST_ROOT/clients/$environment
    [ ! -e "$directory/missing" ] || skip "$(<"$directory/missing")"
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt try "$directory/bin/python3" -
}

python_succeeds() {
    python
    is "$status" 0
}
