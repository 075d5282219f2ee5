# A node of Kubernetes whose kubelet runs the program as its credential provider, and containerd, which pulls with the answers.
# Service account tokens are signed by a cluster that IAM knows. tests/kubernetes does the same with the programs of Kubernetes.
# shellcheck shell=bash
. "$here/node.sh"

readonly issuer=https://oidc.example.com/id/cluster-1
readonly keys=$TEST_ROOT/cluster-keys

# Only service accounts of this cluster, build/deployer and all of the namespace `other`, are linked to the profile.
before_each_test() {
    [ -d "$keys" ] || create_cluster
    new_node
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
    [ "$status" != 0 ] || fail "the node should not pull"
    shows 'authorization failed'
}

test_a_pod_pulls_with_the_token_of_its_service_account() {
    pod_of build deployer
    annotated "$profile"
    exchanging 1 pulls "$private_image"
    is "$(owner_of_the_answer)" "iam-$profile"
    is "$(jq --raw-output .cacheDuration <<<"$answer")" 30m0s
    # Another pod of the account has another token.
    pod_of build deployer '{"jti": "pod-2"}'
    exchanging 0 pulls "$private_image"
}

test_a_pod_of_another_account_is_refused_although_the_node_has_a_key() {
    environment+=("IBMCLOUD_API_KEY=$api_key")
    annotated "$profile"
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
    annotated "$profile"
    pod_of other audience '{"aud": ["https://kubernetes.default.svc"]}'
    does_not_pull "$private_image" 'serviceAccountTokenAudience: iam'
    pod_of other expired "{\"exp\": $((EPOCHSECONDS - 600))}"
    does_not_pull "$private_image" 'expired'
}

test_a_token_that_the_cluster_did_not_sign_is_refused() {
    annotated "$profile"
    pod_of other forged '{}' unknown
    does_not_pull "$private_image" 'compute resource token is invalid'
    pod_of other foreign '{"iss": "https://oidc.example.com/id/cluster-2"}'
    does_not_pull "$private_image" 'compute resource token is invalid'
    pod_of other long "{\"exp\": $((EPOCHSECONDS + 7200))}"
    does_not_pull "$private_image" 'more than one hour'
}

test_while_iam_is_down_private_images_are_refused_quickly_and_public_ones_pulled() {
    annotated "$profile"
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
    annotated "$profile"
    pod_of build deployer
    pulls "$private_image"
    contains_no_secret "$token" "$(jq --raw-output '.auth["us.icr.io"].password' <<<"$answer")"
    is "$(find /run/docker-credential-icr -type f -size +0 2>/dev/null)" ''
}
