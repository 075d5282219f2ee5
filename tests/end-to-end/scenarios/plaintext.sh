# Runs last: after all tests, no file that clients or the helper wrote contains a secret.
# shellcheck shell=bash

# Prints all secrets that were sent to IAM or the registry in this run, and the beginnings of all access and registry tokens.
secrets_of_this_run() {
    printf '%s\n' "$api_key" "${revocable_api_keys[@]}" "$wrong_api_key" "$service_id_api_key" "$registry_token" "$entitlement_key" \
        "$key_of_team_a" "$key_of_team_b" "$compute_resource_token" "${many_api_keys[@]}"
    curl --silent --show-error --fail "$emulator/emulator/requests" |
        jq --raw-output '.[].form[] | select(.[0] == "refresh_token" or .[0] == "apikey") | .[1]'
    printf '{"alg":"HS256","typ":"JWT"}' | base64 --wrap 0
    echo
    IBMCLOUD_API_KEY=$api_key docker-credential-icr get us.icr.io | jq --raw-output '.Secret | split(".")[0]'
}

test_no_file_holds_a_secret() {
    local secret patterns
    patterns=$(secrets_of_this_run | sort --unique | while read -r secret; do encodings "$secret"; done)
    grep --quiet --fixed-strings eyJ <<<"$patterns"
    # The scripts contain the tests' secrets, and clients were fetched before the tests.
    try grep --recursive --devices=skip --files-with-matches --fixed-strings --exclude-dir=scripts --exclude-dir=clients \
        --file=<(echo "$patterns") /run /tmp /root /home /dev/shm
    is "$stdout" ''
}
