# The lab, which all tests use: an IBM Cloud, registries, a docker engine and a desktop's keychain, all on loopback.
# shellcheck shell=bash

readonly regions=(icr.io us.icr.io uk.icr.io de.icr.io au.icr.io jp.icr.io jp2.icr.io ca.icr.io ca2.icr.io br.icr.io es.icr.io
    in.icr.io in2.icr.io)
readonly registries=("${regions[@]}" "${regions[@]/#/private.}")
readonly open_registry=open.example:5001
readonly emulator=https://iam.cloud.ibm.com

# All secrets that tests use: none may be in a file afterwards (scenarios/plaintext.sh).
readonly api_key=icr-lab-api-key-7Jm2vQx9Lr4TzB8nWc5Ks1Yd
# One for each scenario that revokes one.
readonly revocable_api_keys=(icr-lab-revocable-api-key-3Hf6Gp0Rt8Ue icr-lab-revocable-api-key-9Wd2Kc5Sv7Ao)
readonly wrong_api_key=icr-lab-wrong-api-key-Zq5Xw2Mn7Va9
readonly service_id_api_key=icr-lab-service-id-api-key-Nb4Lk8Tj6Ye
readonly registry_token=icr-lab-registry-token-Rk7Zv1Fn4Qb
readonly entitlement_key=icr-lab-entitlement-key-Mx2Gt6Bu8Jp
# Two accounts with private namespaces.
readonly key_of_team_a=icr-lab-key-of-team-a-Vt3Xq8Lk2Wm
readonly key_of_team_b=icr-lab-key-of-team-b-Pz7Nc4Rd9Ye
readonly compute_resource_token=icr-lab-compute-resource-token-Hb5Ju1Kx
# Enough identities to fill the kernel keyring of an ordinary user.
mapfile -t many_api_keys < <(printf 'icr-lab-many_api_keys-key-%02d-Ws6Hq1Vc3Zx\n' {1..30})
readonly many_api_keys profile=Profile-8dd84246-7df4-4667-94e4-8cede51d5ac5

open_lab() {
    mkdir -p "$logs" "$LAB"/{registry,tls}
    export HOME=$LAB/service-home DOCKER_HOST=unix://$LAB/docker.sock
    mkdir "$HOME"
    name_the_hosts
    start_emulator
    trust_only_the_emulator
    start_registries
    start_docker
    configure_podman
    make_images
    start_keychain
}

name_the_hosts() {
    local host
    for host in localhost "$(uname -n)" "${registries[@]}" cp.icr.io iam.cloud.ibm.com "${open_registry%:*}"; do
        echo "127.0.0.1 $host"
    done >/etc/hosts
    echo "hosts: files" >/etc/nsswitch.conf
}

# The directory for the logs of services.
logs=$LAB/log

# Starts a service in the background, with its output in a log. Without the redirection, bash would close its stdin.
start() {
    local name=$1
    shift
    "$@" <&0 >"$logs/$name" 2>&1 3>&- &
}

# Waits until a command succeeds; if a service does not start, prints the end of its log and ends the run.
wait_for() {
    local name=$1
    shift
    for _ in {1..600}; do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.05
    done
    echo "end-to-end: $name is not ready after 30 s; its log ends with:" >&2
    tail -n 20 "$logs/$name" >&2
    exit 1
}

start_emulator() {
    local host key arguments=()
    for host in "${registries[@]}" cp.icr.io iam.cloud.ibm.com; do arguments+=(--host "$host"); done
    for key in "${revocable_api_keys[@]}" "${many_api_keys[@]}"; do arguments+=(--api-key "$key"); done
    start emulator icr-emulator serve --listen 127.0.0.1:443 --tls-directory "$LAB/tls" "${arguments[@]}" \
        --registry-upstream 127.0.0.1:5000 --public-namespace public --ready-file "$LAB/emulator-ready" \
        --api-key "$api_key" --service-id-api-key "$service_id_api_key" \
        --profile "$profile" --registry-token "$registry_token" \
        --entitlement-key "$entitlement_key" --compute-resource-token "$compute_resource_token=$profile" --metadata \
        --linked-profile "$profile" --account-api-key "team-a=$key_of_team_a" --account-api-key "team-b=$key_of_team_b" \
        --account-namespace team-a=team-a --account-namespace team-b=team-b
    wait_for emulator test -e "$LAB/emulator-ready"
}

trust_only_the_emulator() {
    cp --remove-destination "$LAB/tls/authority.pem" /etc/ssl/certs/ca-certificates.crt
}

# Two docker-registries with the same images: one behind the emulator that requires tokens, one open to all.
start_registries() {
    registry_configuration 127.0.0.1:5000 >"$LAB/registry.yml"
    cat >>"$LAB/registry.yml" <<END
auth:
  token:
    realm: https://us.icr.io/oauth/token
    service: registry
    issuer: icr-emulator
    rootcertbundle: $LAB/tls/token-signing.pem
END
    registry_configuration 127.0.0.1:5001 >"$LAB/open-registry.yml"
    start registry docker-registry serve "$LAB/registry.yml"
    start open-registry docker-registry serve "$LAB/open-registry.yml"
    wait_for registry curl --silent http://127.0.0.1:5000/v2/
    wait_for open-registry curl --silent http://127.0.0.1:5001/v2/
}

registry_configuration() {
    cat <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $LAB/registry}}
http: {addr: "$1", relativeurls: true}
END
}

# An engine without networks: containers reach the lab with --network host.
start_docker() {
    start docker dockerd --host "$DOCKER_HOST" --data-root "$LAB/docker" --exec-root "$LAB/docker-exec" \
        --pidfile "$LAB/docker.pid" --storage-driver vfs --bridge none --iptables=false --ip6tables=false \
        --registry-mirror "http://$open_registry"
    wait_for docker docker version
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
runroot = "$LAB/$1-run"
graphroot = "$LAB/$1"
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
make_images() {
    local name
    cp "$(command -v busybox)" "$LAB/tmp/busybox"
    tar --directory "$LAB/tmp" --create busybox | docker import --change 'ENTRYPOINT ["/busybox"]' - hello >/dev/null
    for name in lab/hello public/hello cp/hello team-a/hello team-b/hello library/hello; do
        docker tag hello "$open_registry/$name"
        docker push --quiet "$open_registry/$name" >/dev/null
    done
}

# The keychain of a desktop session, unlocked; sessions in other states are made by scenarios/keychain.sh.
start_keychain() {
    start_bus "$LAB/bus"
    start_gnome_keyring
}

# A session bus that starts no services by itself, so that it has only those of the lab.
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

# A refresh token as the ibmcloud CLI gets one; IAM replaces it when it is used, so every test needs its own.
new_refresh_token() {
    curl --silent --show-error --fail --user bx:bx --data grant_type=urn:ibm:params:oauth:grant-type:apikey \
        --data "apikey=$api_key" "$emulator/identity/token" | jq --raw-output .refresh_token
}
