# The OCI image: copied from in builds, as a step of a pipeline, and as an init container. The scenario runs if ICR_IMAGE is the
# archive that install/image has written.
# shellcheck shell=bash
. "$here/newer.sh"
. "$here/users.sh"

readonly archive=$TEST_ROOT/clients/image.tar helper=/usr/local/bin/docker-credential-icr
# In a private namespace, as users have it.
readonly pushed_image=us.icr.io/private/docker-credential-icr

before_each_test() {
    [ -e "$archive" ] || skip 'ICR_IMAGE names no archive of the image'
    PATH=$PATH:$newer/usr/bin
    [ -e "$TEST_ROOT/image-is-pushed" ] || push_image
    logged_in_user
    printf %s "$api_key" >"$user_dir/key"
}

# Engines keep the variables of a container in their databases, so that containers read the key in a file.
run_test_body() {
    "$@"
    rm "$user_dir/key"
}

push_image() {
    succeeds skopeo copy --all "oci-archive:$archive" "docker://$open_registry/private/docker-credential-icr"
    touch "$TEST_ROOT/image-is-pushed"
}

# The variables and files that a container needs to reach the emulator and to trust it.
readonly reach_the_cloud=(--network host --volume "$TEST_ROOT/tls/authority.pem:/authority.pem:ro" --env SSL_CERT_FILE=/authority.pem)

# A job's image with busybox, the helper from the image, and no other file.
recipe_of_a_job() {
    mkdir --parents recipe
    cat >recipe/Dockerfile <<END
FROM us.icr.io/private/hello
COPY --from=$pushed_image /docker-credential-icr $helper
ENV PATH=/usr/local/bin:/
END
}

# The options with an API key in a file, as only credential of a container.
with_key() {
    key=(--volume "$user_dir/key:/key:ro" --env IBMCLOUD_API_KEY=@/key)
}

# Runs a shell command in a container of the job's image, with an API key in the variable.
job() {
    with_key
    docker run --rm "${reach_the_cloud[@]}" "${key[@]}" --entrypoint /busybox "$1" \
        sh -euc "export IBMCLOUD_API_KEY=\$(/busybox cat /key); $2"
}

is_a_credential() {
    is "$(jq --raw-output .Username <<<"$stdout")" iambearer
    is "$stderr" ''
}

test_the_image_has_labels_licences_a_user_and_no_other_files() {
    succeeds skopeo inspect --raw "oci-archive:$archive"
    is "$(jq --raw-output .mediaType <<<"$stdout")" application/vnd.oci.image.index.v1+json
    shows '"architecture":"amd64"'
    succeeds skopeo inspect --config "oci-archive:$archive"
    is "$(jq --compact-output '.config | [.User, .Entrypoint, .Env]' <<<"$stdout")" '["65532:65532",["/docker-credential-icr"],["PATH=/"]]'
    local label
    for label in created description licenses title version; do
        [ "$(jq --raw-output ".config.Labels[\"org.opencontainers.image.$label\"]" <<<"$stdout")" != null ] || fail "no label $label"
    done
    succeeds docker pull "$pushed_image"
    succeeds docker create --name contents "$pushed_image"
    try docker export --output contents.tar contents
    docker rm contents >/dev/null
    is "$(tar --list --file contents.tar | grep --extended-regexp --invert-match '/$|^(dev|proc|sys|etc/(hosts|hostname|mtab|resolv.conf)|.dockerenv)' | sort)" \
        "docker-credential-icr
etc/group
etc/passwd
etc/ssl/certs/ca-certificates.crt
licenses/ca-certificates/LICENSE
licenses/docker-credential-icr/LICENSE-APACHE
licenses/docker-credential-icr/LICENSE-MIT
licenses/docker-credential-icr/third-party-licences.txt"
    rm contents.tar
}

test_copied_by_a_classic_build() {
    recipe_of_a_job
    export DOCKER_BUILDKIT=0
    succeeds docker build --tag job recipe
    succeeds job job 'echo us.icr.io | docker-credential-icr get'
    is_a_credential
}

test_copied_by_buildx() {
    require_newer docker-buildx "$newer/usr/libexec/docker/cli-plugins/docker-buildx" version
    ln --symbolic "$newer/usr/libexec/docker/cli-plugins" .docker/cli-plugins
    recipe_of_a_job
    succeeds docker buildx build --pull --tag job-of-buildx recipe
    succeeds job job-of-buildx 'echo us.icr.io | docker-credential-icr get'
    is_a_credential
}

test_copied_by_buildah() {
    recipe_of_a_job
    succeeds buildah build --tag job-of-buildah recipe
    succeeds buildah from job-of-buildah
    local container=$stdout directory
    succeeds buildah mount "$container"
    directory=$stdout
    export IBMCLOUD_API_KEY=$api_key
    succeeds "$directory$helper" get us.icr.io
    is_a_credential
    succeeds buildah rm "$container"
}

# A job of a pipeline has only the key: it configures a client and asks for a credential as the client does.
test_a_step_of_a_pipeline_has_only_a_key() {
    with_key
    succeeds docker run --rm --interactive=false "${reach_the_cloud[@]}" "${key[@]}" --read-only \
        --cap-drop ALL --security-opt no-new-privileges "$pushed_image" get us.icr.io
    is_a_credential
    recipe_of_a_job
    succeeds docker build --tag job recipe
    # shellcheck disable=SC2016 # the shell of the job expands it
    succeeds job job 'export HOME=/tmp
        docker-credential-icr configure docker --registry us.icr.io 1>&2
        /busybox cat $HOME/.docker/config.json'
    is "$(jq --compact-output .credHelpers <<<"$stdout")" '{"us.icr.io":"icr"}'
}

# kaniko has the code for credentials of crane. In its image, all is in /kaniko, and there is no home directory.
test_the_layout_of_kaniko() {
    require_newer crane crane version
    mkdir --parents recipe
    echo '{"credHelpers": {"us.icr.io": "icr"}}' >recipe/config.json
    cat >recipe/Dockerfile <<END
FROM us.icr.io/private/hello
COPY --from=$pushed_image /docker-credential-icr /kaniko/docker-credential-icr
COPY config.json /kaniko/.docker/config.json
ENV PATH=/kaniko DOCKER_CONFIG=/kaniko/.docker
END
    succeeds docker build --tag kaniko recipe
    # Debian's crane needs a C library, which the image does not have.
    local volumes=() directory
    for directory in /lib /lib64 /usr/lib; do
        [ ! -e "$directory" ] || volumes+=(--volume "$(readlink --canonicalize "$directory"):$directory:ro")
    done
    with_key
    succeeds docker run --rm "${reach_the_cloud[@]}" "${volumes[@]}" --volume "$(command -v crane):/kaniko/executor:ro" \
        "${key[@]}" --entrypoint /kaniko/executor kaniko digest us.icr.io/private/hello
    shows sha256:
}

# A pod's volume, which the init container fills and the other container uses.
test_an_init_container_puts_the_binary_into_a_shared_volume() {
    mkdir --mode 777 volume
    chmod 777 volume
    local time
    for time in installed 'is already there'; do
        succeeds docker run --rm --read-only --cap-drop ALL --network none --volume "$PWD/volume:/shared" "$pushed_image" \
            install --to /shared
        shows "/shared/docker-credential-icr: version"
        shows "$time"
    done
    is "$(stat --format '%u %a' volume/docker-credential-icr)" '65532 755'
    succeeds docker pull us.icr.io/private/hello
    with_key
    succeeds docker run --rm "${reach_the_cloud[@]}" "${key[@]}" --volume "$PWD/volume:/shared:ro" \
        --env PATH=/shared:/ --entrypoint /busybox us.icr.io/private/hello \
        sh -c 'echo us.icr.io | docker-credential-icr get'
    is_a_credential
}

test_podman_runs_the_archive() {
    with_key
    succeeds podman run --rm --quiet "${reach_the_cloud[@]}" "${key[@]}" "oci-archive:$archive" get us.icr.io
    is "$(jq --raw-output .Username <<<"$stdout")" iambearer
}
