# The services that all tests use: an emulated IBM Cloud, registries, a docker engine and a desktop's keychain, all on loopback.
# shellcheck shell=bash

readonly regions=(icr.io us.icr.io uk.icr.io de.icr.io au.icr.io jp.icr.io jp2.icr.io ca.icr.io ca2.icr.io br.icr.io es.icr.io
    fr2.icr.io in.icr.io in2.icr.io)
readonly registries=("${regions[@]}" "${regions[@]/#/private.}")
readonly open_registry=open.example:5001
readonly emulator=https://iam.cloud.ibm.com
readonly pass=/usr/bin/pass

# All secrets of the tests. Afterwards, no file may contain one (scenarios/plaintext.sh).
readonly api_key=icr-test-api-key-7Jm2vQx9Lr4TzB8nWc5Ks1Yd
# API keys that are revoked, one for each scenario that does so.
readonly revocable_api_keys=(icr-test-revocable-api-key-3Hf6Gp0Rt8Ue icr-test-revocable-api-key-9Wd2Kc5Sv7Ao)
readonly wrong_api_key=icr-test-wrong-api-key-Zq5Xw2Mn7Va9
readonly service_id_api_key=icr-test-service-id-api-key-Nb4Lk8Tj6Ye
readonly registry_token=icr-test-registry-token-Rk7Zv1Fn4Qb
readonly entitlement_key=icr-test-entitlement-key-Mx2Gt6Bu8Jp
# Two accounts with private namespaces.
readonly key_of_team_a=icr-test-key-of-team-a-Vt3Xq8Lk2Wm
readonly key_of_team_b=icr-test-key-of-team-b-Pz7Nc4Rd9Ye
readonly compute_resource_token=icr-test-compute-resource-token-Hb5Ju1Kx
# Enough identities to fill the kernel keyring of an ordinary user.
mapfile -t many_api_keys < <(printf 'icr-test-many_api_keys-key-%02d-Ws6Hq1Vc3Zx\n' {1..30})
readonly many_api_keys profile=Profile-8dd84246-7df4-4667-94e4-8cede51d5ac5

start_environment() {
    mkdir -p "$logs" "$TEST_ROOT"/{registry,tls}
    export HOME=$TEST_ROOT/service-home DOCKER_HOST=unix://$TEST_ROOT/docker.sock
    mkdir "$HOME"
    write_hosts
    start_emulator
    trust_only_the_emulator
    start_registries
    start_docker
    configure_podman
    create_images
    start_keychain
}

write_hosts() {
    local host
    for host in localhost "$(uname -n)" "${registries[@]}" cp.icr.io iam.cloud.ibm.com "${open_registry%:*}"; do
        echo "127.0.0.1 $host"
    done >/etc/hosts
    echo "hosts: files" >/etc/nsswitch.conf
}

# The directory for the logs of services.
logs=$TEST_ROOT/log

# Starts a service in the background, with its output in a log. Without the redirection, bash would close its stdin.
start() {
    local name=$1
    shift
    "$@" <&0 >"$logs/$name" 2>&1 3>&- &
}

# Waits until a command succeeds. If a service does not start, prints the end of its log and ends the run.
wait_for() {
    local name=$1
    shift
    for _ in {1..600}; do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.05
    done
    echo "end-to-end: $name is not ready after 30 s. Its log ends with:" >&2
    tail -n 20 "$logs/$name" >&2
    exit 1
}

start_emulator() {
    local host key arguments=()
    for host in "${registries[@]}" cp.icr.io iam.cloud.ibm.com; do arguments+=(--host "$host"); done
    for key in "${revocable_api_keys[@]}" "${many_api_keys[@]}"; do arguments+=(--api-key "$key"); done
    start emulator icr-emulator serve --listen 127.0.0.1:443 --tls-directory "$TEST_ROOT/tls" "${arguments[@]}" \
        --registry-upstream 127.0.0.1:5000 --public-namespace public --ready-file "$TEST_ROOT/emulator-ready" \
        --api-key "$api_key" --service-id-api-key "$service_id_api_key" \
        --profile "$profile" --registry-token "$registry_token" \
        --entitlement-key "$entitlement_key" --compute-resource-token "$compute_resource_token=$profile" --metadata \
        --linked-profile "$profile" --account-api-key "team-a=$key_of_team_a" --account-api-key "team-b=$key_of_team_b" \
        --account-namespace team-a=team-a --account-namespace team-b=team-b
    wait_for emulator test -e "$TEST_ROOT/emulator-ready"
}

trust_only_the_emulator() {
    cp --remove-destination "$TEST_ROOT/tls/authority.pem" /etc/ssl/certs/ca-certificates.crt
}

# Two docker-registries with the same images: one behind the emulator, which requires tokens, and one without a login.
start_registries() {
    registry_configuration 127.0.0.1:5000 >"$TEST_ROOT/registry.yml"
    cat >>"$TEST_ROOT/registry.yml" <<END
auth:
  token:
    realm: https://us.icr.io/oauth/token
    service: registry
    issuer: icr-emulator
    rootcertbundle: $TEST_ROOT/tls/token-signing.pem
END
    registry_configuration 127.0.0.1:5001 >"$TEST_ROOT/open-registry.yml"
    start registry docker-registry serve "$TEST_ROOT/registry.yml"
    start open-registry docker-registry serve "$TEST_ROOT/open-registry.yml"
    wait_for registry curl --silent http://127.0.0.1:5000/v2/
    wait_for open-registry curl --silent http://127.0.0.1:5001/v2/
}

registry_configuration() {
    cat <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $TEST_ROOT/registry}}
http: {addr: "$1", relativeurls: true}
END
}

# An engine without networks: containers reach the services with --network host.
start_docker() {
    start docker dockerd --host "$DOCKER_HOST" --data-root "$TEST_ROOT/docker" --exec-root "$TEST_ROOT/docker-exec" \
        --pidfile "$TEST_ROOT/docker.pid" --storage-driver vfs --bridge none --iptables=false --ip6tables=false \
        --registry-mirror "http://$open_registry"
    wait_for docker docker version
}

# Docker prefers `pass` to the desktop's keychain if it is installed, although it has no store.
hide_pass() {
    [ ! -x $pass ] || mount --bind /dev/null $pass
}

show_pass() {
    umount $pass
}

configure_podman() {
    mkdir -p /etc/containers
    configure_storage podman
    cat >/etc/containers/containers.conf <<END
[containers]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
END
    configure_registries ''
}

# The storage of podman, buildah and skopeo; an older version cannot use that of a newer one.
configure_storage() {
    cat >/etc/containers/storage.conf <<END
[storage]
driver = "vfs"
runroot = "$TEST_ROOT/$1-run"
graphroot = "$TEST_ROOT/$1"
END
}

# Writes podman's registries.conf, with a line at its top.
configure_registries() {
    registries_configuration "$1" >/etc/containers/registries.conf
}

registries_configuration() {
    cat <<END
$1
[[registry]]
location = "$open_registry"
insecure = true
END
}

# One image under the names that the tests pull: private, public, entitled, of two accounts, and docker.io's library.
create_images() {
    local name
    cp "$(command -v busybox)" "$TEST_ROOT/tmp/busybox"
    tar --directory "$TEST_ROOT/tmp" --create busybox | docker import --change 'ENTRYPOINT ["/busybox"]' - hello >/dev/null
    for name in private/hello public/hello cp/hello team-a/hello team-b/hello library/hello; do
        docker tag hello "$open_registry/$name"
        docker push --quiet "$open_registry/$name" >/dev/null
    done
}

# The unlocked keychain of a desktop session. scenarios/keychain.sh creates sessions in other states.
start_keychain() {
    start_bus "$TEST_ROOT/bus"
    start_gnome_keyring
}

# A session bus that starts no services, so that it has only those of the tests.
start_bus() {
    export DBUS_SESSION_BUS_ADDRESS=unix:path=$1
    cat >"$1.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>$DBUS_SESSION_BUS_ADDRESS</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
END
    start bus dbus-daemon --nofork --config-file="$1.conf"
    wait_for bus test -S "$1"
}

# Starts the Secret Service on the bus, with an unlocked collection in the current home.
start_gnome_keyring() {
    start keychain gnome-keyring-daemon --foreground --unlock --components=secrets < <(printf password)
    wait_for keychain is_on_the_bus org.freedesktop.secrets
}

# A bus without a Secret Service.
bus_without_provider() {
    start_bus "$user_dir/bus"
}

# A bus with a Secret Service that accepts every call and never answers.
bus_with_silent_provider() {
    bus_without_provider
    start black-hole dbus-test-tool black-hole --name=org.freedesktop.secrets
    wait_for black-hole is_on_the_bus org.freedesktop.secrets
}

is_on_the_bus() {
    call_bus /org/freedesktop/DBus NameHasOwner "$1" | grep --quiet true
}

call_bus() {
    gdbus call --session --dest org.freedesktop.DBus --object-path "$1" --method "org.freedesktop.DBus.$2" "${@:3}"
}

# Sends a control request to the emulator.
control() {
    curl --silent --show-error --fail --output /dev/null --data-binary "$2" "$emulator/emulator/$1"
}

# Prints the number of token requests to IAM so far.
exchanges() {
    curl --silent --show-error --fail "$emulator/emulator/exchanges"
}

# A refresh token, as the ibmcloud CLI gets one. IAM replaces it when it is used, so each test needs its own.
new_refresh_token() {
    curl --silent --show-error --fail --user bx:bx --data grant_type=urn:ibm:params:oauth:grant-type:apikey \
        --data "apikey=$api_key" "$emulator/identity/token" | jq --raw-output .refresh_token
}
