# Clients that need no engine: crane, cosign, oras and Helm's own SDK.
# shellcheck shell=bash
. "$here/users.sh"
. "$here/newer.sh"
PATH=$newer/usr/bin:$PATH
environment=helm
. "$here/python.sh"

# The helper's token, as a user gives it to a client on stdin. This is no call of a client, so it is not recorded.
printed_token() {
    "$LAB/bin/docker-credential-icr" print us.icr.io
}

## crane, whose keychain is that of ko and kaniko, too

require_crane() {
    require_newer crane crane --help
}

test_crane_pulls_pushes_and_copies() {
    require_crane
    logged_in_user
    succeeds crane pull us.icr.io/lab/hello image.tar
    succeeds crane push image.tar us.icr.io/lab/by-crane
    succeeds crane copy us.icr.io/lab/by-crane us.icr.io/lab/copied-by-crane
    succeeds crane digest us.icr.io/lab/copied-by-crane
    helper_was_asked_for_one_registry_only
}

test_crane_hands_on_what_the_helper_says() {
    require_crane
    logged_in_user
    succeeds crane auth get us.icr.io
    is "$(jq --raw-output .Username <<<"$stdout")" iambearer
    is "$(secret_in_answer)" "$(printed_token)"
    helper_was_asked_for_one_registry_only
}

test_crane_reads_podmans_file_where_there_is_none_of_dockers() {
    require_crane
    logged_in_user
    mv "$config" "$XDG_RUNTIME_DIR/containers/auth.json"
    succeeds crane digest us.icr.io/lab/hello
    helper_was_asked_for_one_registry_only
}

test_crane_asks_a_helper_for_everything_with_the_image_itself() {
    require_crane
    logged_in_user
    credential_store_user
    succeeds crane digest us.icr.io/lab/hello
    is "$(<"$calls")" 'get us.icr.io/lab/hello'
}

test_crane_with_a_failing_key_shows_why() {
    require_crane
    user_with_a_wrong_key
    fails crane digest us.icr.io/lab/hello
    shows_why_the_key_failed
}

test_crane_reads_a_public_image_with_nothing_configured() {
    require_crane
    use_helper_in "$config" icr.io
    record_calls
    succeeds crane digest icr.io/public/hello
    is "$(sort --unique "$calls")" 'get icr.io'
    is "$stderr" ''
}

# As in kaniko's image: no home, no keychain, a key in the environment.
test_crane_needs_no_more_than_a_key_in_the_environment() {
    require_crane
    use_helper_in kaniko/config.json us.icr.io
    succeeds env --ignore-environment "PATH=$LAB/bin" "DOCKER_CONFIG=$PWD/kaniko" "IBMCLOUD_API_KEY=$api_key" \
        "$(command -v crane)" digest us.icr.io/lab/hello
}

test_crane_with_a_printed_configuration_needs_no_helper() {
    require_crane
    logged_in_user
    mkdir kaniko
    docker-credential-icr print us.icr.io --format docker-config >kaniko/config.json
    record_calls
    DOCKER_CONFIG=$PWD/kaniko succeeds crane digest us.icr.io/lab/hello
    is "$(<"$calls")" ''
    rm -r kaniko
}

test_crane_gives_a_printed_token_to_the_helper() {
    require_crane
    logged_in_user
    try_with "$(printed_token)" crane auth login us.icr.io --username iambearer --password-stdin
    is "$status" 0
    helper_was_given_its_token_and_kept_the_key
}

# A login that replaced the key would end within the hour.
helper_was_given_its_token_and_kept_the_key() {
    is "$(grep store "$calls")" 'store us.icr.io iambearer'
    holds_no_secret "$(printed_token)"
    clear_tokens
    exchanging 1 gets us.icr.io iambearer
}

## cosign

require_cosign() {
    require_newer cosign cosign version
}

# An image of its own, and keys to sign it with.
image_to_sign() {
    skopeo copy --quiet --digestfile digest docker://us.icr.io/lab/hello docker://us.icr.io/lab/signed
    COSIGN_PASSWORD='' cosign generate-key-pair
}

# Signs without Sigstore's services, which cosign 3 learns of in another way than cosign 2.
sign() {
    local alone=(--tlog-upload=false)
    [[ $(cosign sign --help 2>&1) != *use-signing-config* ]] || alone+=(--use-signing-config=false)
    COSIGN_PASSWORD='' within 60 cosign sign "${alone[@]}" --yes --key cosign.key "us.icr.io/lab/signed@$(<digest)"
}

test_cosign_signs_and_verifies() {
    require_cosign
    logged_in_user
    image_to_sign
    record_calls
    succeeds sign
    succeeds cosign verify --insecure-ignore-tlog --key cosign.pub us.icr.io/lab/signed
    shows "$(<digest)"
    helper_was_asked_for_one_registry_only
}

test_cosign_with_a_failing_key_shows_why() {
    require_cosign
    user_with_a_wrong_key
    fails cosign download signature us.icr.io/lab/hello
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
    succeeds oras push us.icr.io/lab/by-oras:1 artifact:text/plain
    succeeds oras pull --output pulled us.icr.io/lab/by-oras:1
    is "$(<pulled/artifact)" hello
    helper_was_asked_for_one_registry_only
}

test_oras_with_a_failing_key_shows_why() {
    require_oras
    user_with_a_wrong_key
    fails oras manifest fetch us.icr.io/lab/hello:latest
    shows_why_the_key_failed
}

test_oras_reads_a_public_image_with_nothing_configured() {
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
    holds_no_secret "$api_key"
    gets us.icr.io iambearer
    succeeds oras logout us.icr.io
    gets_nothing us.icr.io
    is "$(grep --invert-match get "$calls")" $'store us.icr.io iamapikey\nerase us.icr.io'
}

test_oras_gives_a_printed_token_to_the_helper() {
    require_oras
    logged_in_user
    try_with "$(printed_token)" oras login us.icr.io --username iambearer --password-stdin
    is "$status" 0
    helper_was_given_its_token_and_kept_the_key
}

## helm

# Helm has a file of its own, as after a login anywhere else. While it has none, it asks the system's keychain, where docker's
# helper for that is installed, before it reads docker's file.
user_of_helm() {
    mkdir -p .config/helm/registry
    jq --null-input '{auths: ({"elsewhere.example": {}} + $ARGS.named)}' "$@" >.config/helm/registry/config.json
}

# How programs begin.
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
helm.push("chart-0.1.0.tgz", "oci://us.icr.io/lab")
helm.pull("oci://us.icr.io/lab/chart", version="0.1.0", untar=True, untar_dir="pulled")
PYTHON
    is "$(<pulled/chart/values.yaml)" "$(<chart/values.yaml)"
    helper_was_asked_for_one_registry_only
}

test_helm_with_a_failing_key_shows_why() {
    user_with_a_wrong_key
    user_of_helm
    python <<PYTHON
$chart
helm.push("chart-0.1.0.tgz", "oci://us.icr.io/lab")
PYTHON
    is "$status" 1
    shows_why_the_key_failed
}

test_helm_uses_what_its_own_login_has_stored_before_it_asks_the_helper() {
    logged_in_user
    user_of_helm --argjson us.icr.io "{\"auth\": \"$(printf iambearer:an-old-token | base64)\"}"
    python_succeeds <<PYTHON
$chart
try:
    helm.push("chart-0.1.0.tgz", "oci://us.icr.io/lab")
    raise AssertionError("the old token should be taken")
except helm.HelmRegistryError as refused:
    print(refused)
helm.RegistryClient().logout("us.icr.io")
helm.push("chart-0.1.0.tgz", "oci://us.icr.io/lab")
PYTHON
    shows 'unauthorized'
    helper_was_asked_for_one_registry_only
}
