# The commands of README.md and docs/ci.md with the real clients. tests/documentation runs those of all pages, with stand-ins.
# shellcheck shell=bash
. "$here/users.sh"

# Prints the commands in the blocks below a heading of a page, with names of this environment.
commands_below() {
    awk -v heading="$2" '
        /^#/ && !is_block { is_below = $0 == heading }
        /^ *```/ { is_block = !is_block; next }
        is_below && is_block' "$TEST_ROOT/pages/$1" |
        sed -E 's/^ *(- )?(run: )?//; s/ login$/ login --api-key @key/; s|/path/to/key|key|' |
        sed -E "s|NAMESPACE/IMAGE|private/$3|" |
        grep -E '^(buildah|docker|docker-credential-icr|export|podman) '
}

# Runs the commands, at least as many as given.
runs() {
    local count=$1 commands=$2
    echo "$commands"
    [ "$(wc -l <<<"$commands")" -ge "$count" ] || exit 1
    printf %s "$api_key" >key
    chmod 600 key
    remove_images
    succeeds bash -euo pipefail -c "$commands"
    rm key
}

test_the_quick_start_pulls_with_docker_and_podman() {
    runs 5 "$(commands_below README.md '## Quick start' hello)"
    shows 'all other registries'
    contains_no_secret "$api_key"
}

test_a_key_in_a_file_is_moved_and_still_pulls() {
    # With a login in its file, docker does not use the system's keychain.
    echo '{"auths": {"another.example": {}}}' >"$config"
    runs 3 "$(commands_below README.md '## Coming from another login' hello | head -n 3)"
    contains_no_secret "$api_key"
}

test_the_few_lines_for_ci() {
    export IBMCLOUD_API_KEY=$api_key
    runs 2 "$(commands_below README.md '## CI' hello)"
    contains_no_secret "$api_key"
}

# Runs a job of docs/ci.md, which builds from a private image and pushes: its heading.
runs_the_job() {
    export IBMCLOUD_API_KEY=$api_key GITHUB_SHA=1 CI_COMMIT_SHA=2 GIT_COMMIT=3
    echo 'FROM us.icr.io/private/hello' >Dockerfile
    runs 3 "$(commands_below ci.md "## $1" "$2")"
    contains_no_secret "$api_key"
    try docker-credential-icr list
    is "$stdout" '{}'
}

test_the_job_for_github_builds_and_pushes() {
    runs_the_job 'GitHub Actions' from-github
}

test_the_job_for_gitlab_builds_and_pushes() {
    runs_the_job GitLab from-gitlab
}

test_the_job_for_jenkins_builds_and_pushes() {
    runs_the_job Jenkins from-jenkins
}

test_the_job_for_tekton_builds_and_pushes() {
    runs_the_job Tekton from-tekton
}
