# Clients that need no engine: crane, cosign, oras and Helm.
# shellcheck shell=bash
. "$here/users.sh"
. "$here/newer.sh"
PATH=$newer/usr/bin:$PATH
environment=helm
. "$here/python.sh"

# Prints the helper's token, which a user gives to a client on stdin. It is not a call of a client, so it is not recorded.
printed_token() {
    "$TEST_ROOT/bin/docker-credential-icr" print us.icr.io
}

## crane, whose code for credentials ko and kaniko use, too

require_crane() {
    require_newer crane crane --help
}

test_crane_pulls_pushes_and_copies() {
    require_crane
    logged_in_user
    succeeds crane pull us.icr.io/private/hello image.tar
    succeeds crane push image.tar us.icr.io/private/by-crane
    succeeds crane copy us.icr.io/private/by-crane us.icr.io/private/copied-by-crane
    succeeds crane digest us.icr.io/private/copied-by-crane
    helper_was_called_for_one_registry_only
}

test_crane_shows_the_error_of_the_helper() {
    require_crane
    logged_in_user
    succeeds crane auth get us.icr.io
    is "$(jq --raw-output .Username <<<"$stdout")" iambearer
    is "$(secret_in_answer)" "$(printed_token)"
    helper_was_called_for_one_registry_only
}

test_crane_reads_podmans_file_if_dockers_does_not_exist() {
    require_crane
    logged_in_user
    mv "$config" "$XDG_RUNTIME_DIR/containers/auth.json"
    succeeds crane digest us.icr.io/private/hello
    helper_was_called_for_one_registry_only
}

test_crane_sends_the_whole_image_name_to_a_helper_for_all_registries() {
    require_crane
    logged_in_user
    credential_store_user
    succeeds crane digest us.icr.io/private/hello
    is "$(<"$calls")" 'get us.icr.io/private/hello'
}

test_crane_with_a_failing_key_shows_why() {
    require_crane
    user_with_a_wrong_key
    fails crane digest us.icr.io/private/hello
    shows_why_the_key_failed
}

test_crane_reads_a_public_image_without_a_login() {
    require_crane
    use_helper_in "$config" icr.io
    record_calls
    succeeds crane digest icr.io/public/hello
    is "$(sort --unique "$calls")" 'get icr.io'
    is "$stderr" ''
}

# As in kaniko's image: no home directory, no keychain, and a key in the environment.
test_crane_needs_only_a_key_in_the_environment() {
    require_crane
    use_helper_in kaniko/config.json us.icr.io
    succeeds env --ignore-environment "PATH=$TEST_ROOT/bin" "DOCKER_CONFIG=$PWD/kaniko" "IBMCLOUD_API_KEY=$api_key" \
        "$(command -v crane)" digest us.icr.io/private/hello
}

test_crane_with_a_printed_configuration_needs_no_helper() {
    require_crane
    logged_in_user
    mkdir kaniko
    docker-credential-icr print us.icr.io --format docker-config >kaniko/config.json
    record_calls
    DOCKER_CONFIG=$PWD/kaniko succeeds crane digest us.icr.io/private/hello
    is "$(<"$calls")" ''
    rm -r kaniko
}

test_crane_stores_a_printed_token_with_the_helper() {
    require_crane
    logged_in_user
    try_with "$(printed_token)" crane auth login us.icr.io --username iambearer --password-stdin
    is "$status" 0
    helper_ignored_its_own_token_and_kept_the_key
}

# If the token replaced the key, the login would expire within an hour.
helper_ignored_its_own_token_and_kept_the_key() {
    is "$(grep store "$calls")" 'store us.icr.io iambearer'
    contains_no_secret "$(printed_token)"
    clear_tokens
    exchanging 1 gets us.icr.io iambearer
}

## cosign

require_cosign() {
    require_newer cosign cosign version
}

# Creates an image, and keys to sign it with.
image_to_sign() {
    skopeo copy --quiet --digestfile digest docker://us.icr.io/private/hello docker://us.icr.io/private/signed
    COSIGN_PASSWORD='' cosign generate-key-pair
}

# Signs without Sigstore's services. cosign 3 needs other options for that than cosign 2.
sign() {
    local offline=(--tlog-upload=false)
    [[ $(cosign sign --help 2>&1) != *use-signing-config* ]] || offline+=(--use-signing-config=false)
    COSIGN_PASSWORD='' within 60 cosign sign "${offline[@]}" --yes --key cosign.key "us.icr.io/private/signed@$(<digest)"
}

test_cosign_signs_and_verifies() {
    require_cosign
    logged_in_user
    image_to_sign
    record_calls
    succeeds sign
    succeeds cosign verify --insecure-ignore-tlog --key cosign.pub us.icr.io/private/signed
    shows "$(<digest)"
    helper_was_called_for_one_registry_only
}

test_cosign_with_a_failing_key_shows_why() {
    require_cosign
    user_with_a_wrong_key
    fails cosign download signature us.icr.io/private/hello
    shows_why_the_key_failed
}

## oras

require_oras() {
    require_newer oras oras version
}

test_oras_pushes_and_pulls() {
    require_oras
    logged_in_user
    echo hello >artifact
    succeeds oras push us.icr.io/private/by-oras:1 artifact:text/plain
    succeeds oras pull --output pulled us.icr.io/private/by-oras:1
    is "$(<pulled/artifact)" hello
    helper_was_called_for_one_registry_only
}

test_oras_with_a_failing_key_shows_why() {
    require_oras
    user_with_a_wrong_key
    fails oras manifest fetch us.icr.io/private/hello:latest
    shows_why_the_key_failed
}

test_oras_reads_a_public_image_without_a_login() {
    require_oras
    use_helper_in "$config" icr.io
    succeeds oras manifest fetch icr.io/public/hello:latest
    is "$stderr" ''
}

test_oras_logs_in_with_an_api_key_and_out() {
    require_oras
    use_helper_in "$config" us.icr.io
    record_calls
    try_with "$api_key" oras login us.icr.io --username iamapikey --password-stdin
    is "$status" 0
    contains_no_secret "$api_key"
    gets us.icr.io iambearer
    succeeds oras logout us.icr.io
    gets_nothing us.icr.io
    is "$(grep --invert-match get "$calls")" $'store us.icr.io iamapikey\nerase us.icr.io'
}

test_oras_stores_a_printed_token_with_the_helper() {
    require_oras
    logged_in_user
    try_with "$(printed_token)" oras login us.icr.io --username iambearer --password-stdin
    is "$status" 0
    helper_ignored_its_own_token_and_kept_the_key
}

## helm

# A user of Helm with a file of Helm, as after a login to another registry. Without the file, and with docker's helper for the
# system's keychain, Helm uses this keychain before it reads docker's file.
user_of_helm() {
    mkdir -p .config/helm/registry
    jq --null-input '{auths: ({"elsewhere.example": {}} + $ARGS.named)}' "$@" >.config/helm/registry/config.json
}

# The first lines of the Python programs.
readonly chart='
import helm_python as helm

helm.Chart.create("chart", ".")
helm.package("chart", destination=".")
'

test_helm_pushes_and_pulls_a_chart() {
    logged_in_user
    user_of_helm
    python_succeeds <<PYTHON
$chart
helm.push("chart-0.1.0.tgz", "oci://us.icr.io/private")
helm.pull("oci://us.icr.io/private/chart", version="0.1.0", untar=True, untar_dir="pulled")
PYTHON
    is "$(<pulled/chart/values.yaml)" "$(<chart/values.yaml)"
    helper_was_called_for_one_registry_only
}

test_helm_with_a_failing_key_shows_why() {
    user_with_a_wrong_key
    user_of_helm
    python <<PYTHON
$chart
helm.push("chart-0.1.0.tgz", "oci://us.icr.io/private")
PYTHON
    is "$status" 1
    shows_why_the_key_failed
}

test_helm_prefers_its_own_login_to_the_helper() {
    logged_in_user
    user_of_helm --argjson us.icr.io "{\"auth\": \"$(printf iambearer:an-old-token | base64)\"}"
    python_succeeds <<PYTHON
$chart
try:
    helm.push("chart-0.1.0.tgz", "oci://us.icr.io/private")
    raise AssertionError("the old token should be taken")
except helm.HelmRegistryError as refused:
    print(refused)
helm.RegistryClient().logout("us.icr.io")
helm.push("chart-0.1.0.tgz", "oci://us.icr.io/private")
PYTHON
    shows 'unauthorized'
    helper_was_called_for_one_registry_only
}
