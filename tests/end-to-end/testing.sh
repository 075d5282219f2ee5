# Runs tests, and defines their assertions. A test is a function test_… and starts as a new user without logins or tokens.
# shellcheck shell=bash

# Runs the tests of scenarios/NAME.sh in the order in which they are written.
run_scenario() (
    hide_pass
    # shellcheck disable=SC1090
    . "$here/scenarios/$1.sh"
    local test title number=0
    for test in $(tests_in_order); do
        title="$1: ${test#test_}"
        title=${title//_/ }
        number=$((number + 1))
        [[ $title != *"$ICR_ONLY"* ]] || run_test "$1-$number" "$test" "$title"
    done
)

tests_in_order() (
    local tests
    mapfile -t tests < <(compgen -A function test_)
    [ ${#tests[@]} -gt 0 ] || return 0
    shopt -s extdebug
    declare -F "${tests[@]}" | sort --key 3,3 --key 2,2n | cut --delimiter ' ' --fields 1
)

run_test() {
    local name=$1 test=$2 title=$3 status
    set +e
    (
        set -euo pipefail
        new_user "$name"
        before_each_test
        run_test_body "$test"
    ) >"$TEST_ROOT/test.log" 2>&1
    status=$?
    set -e
    case $status in
    0) echo "ok $title" ;;
    77) echo "skipped $title: $(tail -n 1 "$TEST_ROOT/test.log")" ;;
    *) echo "FAILED $title" ;;
    esac | tee --append "$TEST_ROOT/results"
    [ $status = 0 ] || [ $status = 77 ] || sed 's/^/    /' "$TEST_ROOT/test.log"
    rm "$TEST_ROOT/test.log"
}

# Runs before each test. A scenario may redefine it.
before_each_test() {
    :
}

# Runs a test. A scenario may redefine it, for example to run tests as another user.
run_test_body() {
    "$@"
}

# Prints the counts; fails if a test failed.
summary() {
    local passed failed skipped
    passed=$(grep --count '^ok ' "$TEST_ROOT/results") || true
    failed=$(grep --count '^FAILED ' "$TEST_ROOT/results") || true
    skipped=$(grep --count '^skipped ' "$TEST_ROOT/results") || true
    echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
    [ "$failed" = 0 ]
}

# Creates an empty home, runtime directory and kernel keyring, and removes all faults of the cloud.
new_user() {
    user_dir=$TEST_ROOT/users/$1
    export HOME=$user_dir/home XDG_RUNTIME_DIR=$user_dir/run TMPDIR=$user_dir/tmp
    export ICR_NAMESPACE=$1
    # Otherwise those of the machine are used, because the tests run as root.
    # systemd-creds refuses a key on a temporary file system, such as that of the users.
    export XDG_STATE_HOME=$HOME/.local/state SYSTEMD_CREDENTIAL_SECRET=/var/lib/systemd/$1.secret
    mkdir -p "$HOME/.docker" "$XDG_RUNTIME_DIR/containers" "$HOME/.config/containers" "$TMPDIR"
    chmod 700 "$XDG_RUNTIME_DIR"
    cd "$HOME"
    clear_tokens
    control fault '{"always":null}'
    configure_registries ''
}

# Empties the kernel keyring, where access tokens are cached.
clear_tokens() {
    keyctl clear "$(keyctl get_persistent @s)"
}

# Makes IAM answer the next request with a token that no registry accepts.
next_token_is_invalid() {
    clear_tokens
    control fault '{"token": {"access_token": "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.c2ln", "token_type": "Bearer",
        "expires_in": 3600, "expiration": 9999999999}}'
}

skip() {
    echo "$*"
    exit 77
}

# Runs assertions, and fails if they take longer than this many milliseconds.
within_milliseconds() {
    local limit=$1 start=${EPOCHREALTIME/./}
    shift
    "$@"
    local took=$(((${EPOCHREALTIME/./} - start) / 1000))
    [ "$took" -le "$limit" ] || fail "should take at most $limit ms, took $took ms"
}

# The keychain's timeout of 3 s, plus an exchange on a busy machine, in milliseconds.
readonly keychain_timeout=4500
# Less than the keychain's timeout, in milliseconds.
readonly no_wait=2500

# Runs a command and stores its results for the next assertions: $status, $stdout, $stderr.
try() {
    tried=("$@")
    status=0
    within 60 "$@" >"$user_dir/stdout" 2>"$user_dir/stderr" || status=$?
    stdout=$(<"$user_dir/stdout") stderr=$(<"$user_dir/stderr")
    rm "$user_dir/stdout" "$user_dir/stderr"
}

# The same with a text on stdin.
try_with() {
    local input=$1
    shift
    try "$@" < <(printf %s "$input")
}

# Runs a program for at most this many seconds. Functions limit their programs themselves.
within() {
    local limit=$1
    shift
    [ "$(type -t "$1")" = function ] || set -- timeout --kill-after 5 "$limit" "$@"
    "$@"
}

fail() {
    echo "$*"
    echo "  command: ${tried[*]}"
    echo "  status:  $status"
    echo "  stdout:  $stdout"
    echo "  stderr:  $stderr"
    exit 1
}

succeeds() {
    try "$@"
    [ $status = 0 ] || fail "should succeed"
}

fails() {
    try "$@"
    [ $status != 0 ] || fail "should fail"
    [ $status != 124 ] || fail "should end by itself"
}

shows() {
    [[ $stdout$stderr == *"$1"* ]] || fail "should show: $1"
}

does_not_show() {
    [[ $stdout$stderr != *"$1"* ]] || fail "should not show: $1"
}

is() {
    [ "$1" = "$2" ] || fail "should be: $2
  but is:    $1"
}

# Asserts that the client shows both streams of the helper: stderr unchanged, stdout in the client's error.
shows_both_streams_of_the_helper() {
    shows 'error getting credentials - err: exit status 1, out: `'
    is "$(grep --only-matching --fixed-strings "$1" <<<"$stderr" | wc --lines) times $1" "2 times $1"
}

# Calls the helper's `get` for a registry.
get() {
    try_with "$1" docker-credential-icr get
}

# Asserts that the helper answers with this user name, and writes nothing to stderr.
gets() {
    get "$1"
    [ $status = 0 ] || fail "get should succeed"
    is "$(jq --raw-output .ServerURL <<<"$stdout")" "$1"
    is "$(jq --raw-output .Username <<<"$stdout")" "$2"
    is "$stderr" ''
}

gets_nothing() {
    get "$1"
    is "$status" 1
    is "$stdout" 'credentials not found in native keychain'
    is "$stderr" ''
}

# Asserts that the helper fails with one line, the same on both streams, that contains this text.
gets_error() {
    get "$1"
    is "$status" 1
    is "$stdout" "$stderr"
    is "$(wc --lines <<<"$stdout")" 1
    shows "$2"
    does_not_show 'credentials not found'
}

# Stores a login, as clients do.
store() {
    try_with "$(request_to_store "$@")" docker-credential-icr store
    is "$status" 0
}

request_to_store() {
    jq --null-input --arg s "$1" --arg u "$2" --arg p "$3" '{ServerURL: $s, Username: $u, Secret: $p}'
}

secret_in_answer() {
    jq --raw-output .Secret <<<"$stdout"
}

# Runs a command; it must request exactly this many tokens from IAM.
exchanging() {
    local expected=$1 before
    shift
    before=$(exchanges)
    "$@"
    is "$(($(exchanges) - before)) exchanges" "$expected exchanges"
}

# From now on, clients find a helper that records each call (verb and registry) and then runs the real one.
record_calls() {
    calls=$user_dir/calls
    export ICR_RECORDED_CALLS=$calls PATH=$TEST_ROOT/scripts/recording:$PATH
    : >"$calls"
}

# Adds the helper to a client's file for these registries.
use_helper_in() {
    local file=$1
    shift
    mkdir -p "$(dirname "$file")"
    jq --null-input '{credHelpers: ($ARGS.positional | map({(.): "icr"}) | add)}' --args "$@" >"$file"
}

# Asserts that no file of this user contains the secrets, neither unchanged nor in base64.
contains_no_secret() {
    local secret
    for secret in "$@"; do
        try grep --recursive --files-with-matches --fixed-strings --regexp="$(encodings "$secret")" "$user_dir"
        is "$stdout" ''
    done
}

# Prints a secret unchanged, and in base64 at each offset.
encodings() {
    local before
    echo "$1"
    for before in '' x xx; do
        printf %s%s "$before" "$1" | base64 --wrap 0 | sed --expression 's/^....//' --expression 's/....$//'
        echo
    done
}
