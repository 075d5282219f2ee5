# For the tests of this directory: the assertions and services of the end-to-end tests, and the programs of Kubernetes.
# shellcheck shell=bash

set -euo pipefail
here=$TEST_ROOT/scripts
readonly here
# shellcheck disable=SC2034 # used by the scripts that source this
readonly programs=$TEST_ROOT/clients/programs cluster=$TEST_ROOT/cluster
# shellcheck source=tests/end-to-end/environment.sh
. "$here/environment.sh"
# shellcheck source=tests/end-to-end/testing.sh
. "$here/testing.sh"
# shellcheck source=tests/end-to-end/node.sh
. "$here/node.sh"
# shellcheck source=tests/kubernetes/api_server.sh
. "$TEST_ROOT/clients/kubernetes/api_server.sh"
export DOCKER_HOST=unix://$TEST_ROOT/docker.sock

# Prints a token of a service account for this audience and number of seconds (TokenRequest). Debian 12's kubectl has no
# 'create token'.
request_token() {
    jq --null-input --arg audience "$3" --argjson seconds "$4" '{
        apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {audiences: [$audience], expirationSeconds: $seconds},
    }' | kubectl create --raw "/api/v1/namespaces/$1/serviceaccounts/$2/token" --filename - |
        jq --exit-status --raw-output .status.token
}

# Runs the functions test_… in the order in which they are written, and counts.
run_tests_of() {
    local test title number=0
    : >"$TEST_ROOT/results"
    for test in $(tests_in_order); do
        title="$1: ${test#test_}"
        number=$((number + 1))
        [[ ${title//_/ } != *"$ICR_ONLY"* ]] || run_test "$1-$number" "$test" "${title//_/ }"
    done
    summary
}
