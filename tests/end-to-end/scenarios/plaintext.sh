# Runs last: after everything that the clients and the helper have done, no file of the lab holds a secret.
# shellcheck shell=bash

# Every secret that was sent to IAM or the registry in this run, and how all access tokens and all registry tokens begin.
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
    patterns=$(secrets_of_this_run | sort --unique | while read -r secret; do renderings "$secret"; done)
    grep --quiet --fixed-strings eyJ <<<"$patterns"
    # The lab's scripts contain their own secrets; clients were fetched before.
    try grep --recursive --devices=skip --files-with-matches --fixed-strings --exclude-dir=scripts --exclude-dir=clients \
        --file=<(echo "$patterns") /run /tmp /root /home /dev/shm
    is "$stdout" ''
}
