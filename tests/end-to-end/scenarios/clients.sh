# Clients without a scenario of their own: docker compose, docker-py, testcontainers and oras for Python.
# shellcheck shell=bash

. "$here/users.sh"
. "$here/compose.sh"
environment=python
. "$here/python.sh"

## Clients written in Python

test_docker_py_pulls_builds_and_pushes() {
    logged_in_user
    python_succeeds <<'PYTHON'
import docker, io

client = docker.from_env()
client.images.pull("us.icr.io/private/hello", tag="latest")
recipe = io.BytesIO(b"FROM us.icr.io/private/hello\nLABEL built=by-docker-py\n")
client.images.build(fileobj=recipe, pull=True, tag="us.icr.io/private/built")
for step in client.images.push("us.icr.io/private/built", stream=True, decode=True):
    assert "error" not in step, step
PYTHON
    helper_was_called_for_one_registry_only
    docker image rm --force us.icr.io/private/built >/dev/null
    succeeds docker pull us.icr.io/private/built
    is "$(docker image inspect --format '{{.Config.Labels.built}}' us.icr.io/private/built)" by-docker-py
}

test_docker_py_with_a_failing_key_shows_why() {
    user_with_a_wrong_key
    python <<'PYTHON'
import docker

docker.from_env().images.pull("us.icr.io/private/hello", tag="latest")
PYTHON
    is "$status" 1
    shows_why_the_key_failed
}

test_docker_py_pulls_a_public_image_without_a_login() {
    use_helper_in "$config" icr.io
    python_succeeds <<'PYTHON'
import docker

docker.from_env().images.pull("icr.io/public/hello", tag="latest")
PYTHON
}

test_testcontainers_runs_a_private_image() {
    logged_in_user
    export TESTCONTAINERS_RYUK_DISABLED=true
    python_succeeds <<'PYTHON'
from testcontainers.core.container import DockerContainer

container = DockerContainer("us.icr.io/private/hello").with_command(["sh", "-c", "exit 42"]).with_kwargs(network_mode="none")
with container:
    assert container.get_wrapped_container().wait()["StatusCode"] == 42
PYTHON
    helper_was_called_for_one_registry_only
}

# Only a pull: for a push, this client requests a token that only allows pulls, which docker-registry rejects.
test_oras_for_python_pulls() {
    logged_in_user
    skopeo copy --quiet --format oci docker://us.icr.io/private/hello docker://us.icr.io/private/artifact
    record_calls
    python_succeeds <<'PYTHON'
import oras.client

assert oras.client.OrasClient().pull(target="us.icr.io/private/artifact:latest", outdir="pulled")
PYTHON
    [ -n "$(find pulled -type f -size +0)" ] || fail 'should pull files'
    helper_was_called_for_one_registry_only
}

## Printed credentials for tools without helper support, such as kaniko and helm

test_a_printed_configuration_works_without_the_helper() {
    logged_in_user
    mkdir printed
    docker-credential-icr print us.icr.io --format docker-config >printed/config.json
    record_calls
    succeeds docker --config printed pull us.icr.io/private/hello
    succeeds skopeo inspect --authfile printed/config.json docker://us.icr.io/private/hello
    is "$(<"$calls")" ''
    rm -r printed
}

test_a_printed_token_logs_in_from_stdin() {
    logged_in_user
    mkdir other
    try log_in_with_printed_token
    is "$status" 0
    succeeds skopeo inspect --authfile other/auth.json docker://us.icr.io/private/hello
    rm -r other
}

log_in_with_printed_token() {
    docker-credential-icr print us.icr.io |
        skopeo login --authfile other/auth.json --username iambearer --password-stdin us.icr.io
}
