# A node of Kubernetes: the request of its kubelet, and containerd, which pulls with the answer.
# shellcheck shell=bash

readonly annotation=docker-credential-icr/trusted-profile
readonly private_image=us.icr.io/private/hello:latest

new_node() {
    forget_outages
    # The token of a service account, and what the kubelet sends of its annotations.
    token='' annotations={}
    # The variables of the kubelet: it has no home, no runtime directory and no session bus.
    environment=("PATH=$PATH" "ICR_NAMESPACE=$ICR_NAMESPACE")
}

# Processes tell each other for a few seconds that IAM is down. The kubelet has no runtime directory, so all tests share this one.
forget_outages() {
    rm -rf /run/docker-credential-icr
}

# Sets the annotations of a service account with this profile.
annotated() {
    annotations=$(jq --null-input --compact-output --arg key "$annotation" --arg profile "$1" '{($key): $profile}')
}

# Asks the provider about an image, as the kubelet does.
ask() {
    local request
    # The kubelet names an image without its tag.
    request=$(jq --null-input --compact-output --arg image "${1%:latest}" --arg token "$token" --argjson annotations "$annotations" '{
        kind: "CredentialProviderRequest", apiVersion: "credentialprovider.kubelet.k8s.io/v1", $image,
    } + if $token == "" then {} else {serviceAccountToken: $token, serviceAccountAnnotations: $annotations} end')
    try_with "$request"$'\n' env --ignore-environment --chdir / "${environment[@]}" docker-credential-icr kubelet
}

# Pulls an image as a node does: with the credential of the provider, and without one if there is none.
pull_on_node() {
    local image=$1 login=()
    ask "$image"
    answer=$stdout problem=$stderr
    [ "$status" != 0 ] || mapfile -t login < <(jq --raw-output --arg host "${image%%/*}" \
        '.auth[$host] // empty | "--user", "\(.username):\(.password)"' <<<"$answer")
    try containerd_client images pull --snapshotter native "${login[@]}" "$image"
}

# containerd of the docker engine. Its own namespace separates the images from those of docker and of other tests.
containerd_client() {
    within 60 ctr --address "$TEST_ROOT/docker-exec/containerd/containerd.sock" --namespace "$ICR_NAMESPACE" "$@"
}

pulls() {
    pull_on_node "$1"
    [ "$status" = 0 ] || fail "the node should pull $1; the provider said: $problem"
}

# Asserts that the node gets no image, because the provider fails for this reason, in one line without a secret and without
# a newline at its end.
does_not_pull() {
    local image=$1 reason=$2
    pull_on_node "$image"
    [ "$status" != 0 ] || fail "the node should not pull $image"
    [[ $problem == *"$reason"* ]] || fail "the provider should say '$reason', and not '$problem'"
    is "$answer" ''
    is "$(wc --lines <<<"$problem")" 1
    [ -z "$token" ] || [[ $problem != *"${token##*.}"* ]] || fail "the provider shows the token"
}

# Asserts that the provider has no credential, without an error.
answers_nothing() {
    ask "$1"
    is "$status" 0
    is "$(jq --compact-output '[.auth, .cacheDuration]' <<<"$stdout")" '[null,"0s"]'
    is "$stderr" ''
}

owner_of_the_answer() {
    local password
    password=$(jq --raw-output '.auth["us.icr.io"].password' <<<"$answer")
    curl --silent --fail --user "iambearer:$password" --output /dev/null \
        'https://us.icr.io/oauth/token?service=registry&scope=repository:private/hello:pull' || echo rejected
    cut --delimiter . --fields 2 <<<"$password" | tr _- /+ | base64 --decode 2>/dev/null | jq --raw-output .iam_id
}
