# A node of Kubernetes whose kubelet runs the program as its credential provider, and containerd, which pulls with the answers.
# Service account tokens are signed by a cluster that IAM knows. tests/kubernetes does the same with the programs of Kubernetes.
# shellcheck shell=bash

readonly issuer=https://oidc.example.com/id/cluster-1
readonly annotation=docker-credential-icr/trusted-profile
readonly private_image=us.icr.io/private/hello:latest
readonly keys=$TEST_ROOT/cluster-keys

# Only service accounts of this cluster, build/deployer and all of the namespace `other`, are linked to the profile.
before_each_test() {
    [ -d "$keys" ] || create_cluster
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

create_cluster() {
    mkdir "$keys"
    openssl genrsa -out "$keys/cluster" 2048
    openssl genrsa -out "$keys/unknown" 2048
    jq --null-input --arg n "$(modulus "$keys/cluster")" --arg issuer "$issuer" --arg profile "$profile" '{
        crn: "crn:v1:bluemix:public:containers-kubernetes:us-south:a/1:cluster-1::", $issuer,
        keys: {keys: [{use: "sig", kty: "RSA", kid: "cluster", alg: "RS256", $n, e: "AQAB"}]},
        links: [{$profile, namespace: "build", name: "deployer"}, {$profile, namespace: "other"}],
    }' >"$keys/cluster.json"
    control cluster "@$keys/cluster.json"
}

modulus() {
    openssl rsa -in "$1" -noout -modulus | cut --delimiter = --fields 2 | tr --delete '\n' | basenc --base16 --decode | base64url
}

base64url() {
    basenc --base64url --wrap 0 | tr --delete =
}

# Sets the token of a pod of this service account, with changed claims, signed with this key of the cluster.
pod_of() {
    local changes=${3:-"{}"} key=${4:-cluster} signed
    signed=$(printf '{"alg":"RS256","kid":"cluster"}' | base64url).$(jq --null-input --compact-output --join-output \
        --arg namespace "$1" --arg name "$2" --arg issuer "$issuer" --argjson now "$EPOCHSECONDS" --argjson changes "$changes" '{
            aud: ["iam"], exp: ($now + 3600), iat: $now, nbf: $now, iss: $issuer, sub: "system:serviceaccount:\($namespace):\($name)",
            "kubernetes.io": {$namespace, pod: {name: "pod-1", uid: "uid-1"}, serviceaccount: {$name, uid: "uid-2"}},
        } + $changes' | base64url)
    token=$signed.$(printf %s "$signed" | openssl dgst -sha256 -sign "$keys/$key" | base64url)
}

annotated() {
    annotations=$(jq --null-input --compact-output --arg key "$annotation" --arg profile "${1:-$profile}" '{($key): $profile}')
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
    [ $status != 0 ] || mapfile -t login < <(jq --raw-output --arg host "${image%%/*}" \
        '.auth[$host] // empty | "--user", "\(.username):\(.password)"' <<<"$answer")
    try containerd_client images pull --snapshotter native "${login[@]}" "$image"
}

# containerd of the docker engine. Its own namespace separates the images from those of docker and of other tests.
containerd_client() {
    within 60 ctr --address "$TEST_ROOT/docker-exec/containerd/containerd.sock" --namespace "$ICR_NAMESPACE" "$@"
}

pulls() {
    pull_on_node "$1"
    [ $status = 0 ] || fail "the node should pull $1; the provider said: $problem"
}

# Asserts that the node gets no image, because the provider fails for this reason, in one line without a secret and without
# a newline at its end.
does_not_pull() {
    local image=$1 reason=$2
    pull_on_node "$image"
    [ $status != 0 ] || fail "the node should not pull $image"
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

test_a_node_pulls_with_its_api_key() {
    echo "$api_key" >"$user_dir/key"
    chmod 600 "$user_dir/key"
    environment+=("IBMCLOUD_API_KEY=@$user_dir/key")
    exchanging 1 pulls "$private_image"
    is "$(owner_of_the_answer | cut --delimiter - --fields 1)" IBMid
    exchanging 0 pulls "$private_image"
    rm "$user_dir/key"
}

test_a_node_pulls_with_the_profile_of_its_virtual_server() {
    environment+=("IBMCLOUD_CR_VPC_URL=$emulator" "IBMCLOUD_CR_PROFILE=$profile")
    pulls "$private_image"
    is "$(owner_of_the_answer)" "iam-$profile"
}

test_skopeo_and_podman_pull_with_the_answer() {
    local login
    environment+=("IBMCLOUD_API_KEY=$api_key")
    ask "$private_image"
    login=$(jq --raw-output '.auth["us.icr.io"] | "\(.username):\(.password)"' <<<"$stdout")
    succeeds skopeo inspect --creds "$login" "docker://$private_image"
    succeeds podman pull --creds "$login" "$private_image"
}

test_a_node_without_an_identity_pulls_public_images_only() {
    answers_nothing "$private_image"
    pulls us.icr.io/public/hello:latest
    pull_on_node "$private_image"
    [ $status != 0 ] || fail "the node should not pull"
    shows 'authorization failed'
}

test_a_pod_pulls_with_the_token_of_its_service_account() {
    pod_of build deployer
    annotated
    exchanging 1 pulls "$private_image"
    is "$(owner_of_the_answer)" "iam-$profile"
    is "$(jq --raw-output .cacheDuration <<<"$answer")" 30m0s
    # Another pod of the account has another token.
    pod_of build deployer '{"jti": "pod-2"}'
    exchanging 0 pulls "$private_image"
}

test_a_pod_of_another_account_is_refused_although_the_node_has_a_key() {
    environment+=("IBMCLOUD_API_KEY=$api_key")
    annotated
    pod_of build default
    does_not_pull "$private_image" 'not linked to the trusted profile'
    pod_of test deployer
    does_not_pull "$private_image" 'not linked to the trusted profile'
    annotated Profile-00000000-0000-0000-0000-000000000000
    pod_of build deployer
    does_not_pull "$private_image" 'not linked to the trusted profile'
    # The node itself still pulls.
    token=''
    pulls "$private_image"
}

test_a_pod_without_an_annotation_is_refused_although_the_node_has_a_key() {
    environment+=("IBMCLOUD_API_KEY=$api_key")
    pod_of build deployer
    exchanging 0 does_not_pull "$private_image" 'no trusted profile is named for service account build/deployer'
    shows 'authorization failed'
}

test_a_token_of_another_audience_or_that_expired_is_refused() {
    annotated
    pod_of other audience '{"aud": ["https://kubernetes.default.svc"]}'
    does_not_pull "$private_image" 'serviceAccountTokenAudience: iam'
    pod_of other expired "{\"exp\": $((EPOCHSECONDS - 600))}"
    does_not_pull "$private_image" 'expired'
}

test_a_token_that_the_cluster_did_not_sign_is_refused() {
    annotated
    pod_of other forged '{}' unknown
    does_not_pull "$private_image" 'compute resource token is invalid'
    pod_of other foreign '{"iss": "https://oidc.example.com/id/cluster-2"}'
    does_not_pull "$private_image" 'compute resource token is invalid'
    pod_of other long "{\"exp\": $((EPOCHSECONDS + 7200))}"
    does_not_pull "$private_image" 'more than one hour'
}

test_while_iam_is_down_private_images_are_refused_quickly_and_public_ones_pulled() {
    annotated
    pod_of build deployer
    control fault '{"always": {"status": 503}}'
    within_milliseconds 50000 does_not_pull "$private_image" 'IAM'
    # The refusal is remembered, because the kubelet asks every 13 seconds.
    exchanging 0 within_milliseconds 5000 does_not_pull "$private_image" 'IAM'
    pulls us.icr.io/public/hello:latest
    control fault '{"always": null}'
    forget_outages
    pod_of other later
    pulls "$private_image"
}

test_nothing_of_it_is_written_to_a_file() {
    annotated
    pod_of build deployer
    pulls "$private_image"
    contains_no_secret "$token" "$(jq --raw-output '.auth["us.icr.io"].password' <<<"$answer")"
    is "$(find /run/docker-credential-icr -type f -size +0 2>/dev/null)" ''
}
