# An API server of Kubernetes on loopback, with etcd and an issuer of service account tokens.
# shellcheck shell=bash

readonly issuer=https://oidc.example.com/id/cluster-1
readonly node_name=node-1

# Creates keys and certificates, and files for clients: admin.kubeconfig and kubelet.kubeconfig.
create_cluster_files() {
    local directory=$1 port=$2
    mkdir -p "$directory"
    openssl genrsa -out "$directory/service-accounts.key" 2048 2>/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=cluster -keyout "$directory/authority.key" \
        -out "$directory/authority.pem" 2>/dev/null
    certificate "$directory" server /CN=kube-apiserver \
        'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc'
    certificate "$directory" admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth
    certificate "$directory" kubelet "/O=system:nodes/CN=system:node:$node_name" extendedKeyUsage=clientAuth
    client_configuration "$directory" admin "$port"
    client_configuration "$directory" kubelet "$port"
}

certificate() {
    local directory=$1 name=$2 subject=$3 extension=$4
    openssl req -new -newkey rsa:2048 -nodes -subj "$subject" -keyout "$directory/$name.key" -out "$directory/$name.csr" 2>/dev/null
    openssl x509 -req -in "$directory/$name.csr" -CA "$directory/authority.pem" -CAkey "$directory/authority.key" -CAcreateserial \
        -days 2 -extfile <(echo "$extension") -out "$directory/$name.pem" 2>/dev/null
}

client_configuration() {
    local directory=$1 name=$2 port=$3
    cat >"$directory/$name.kubeconfig" <<END
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster: {server: "https://127.0.0.1:$port", certificate-authority: "$directory/authority.pem"}
users:
- name: $name
  user: {client-certificate: "$directory/$name.pem", client-key: "$directory/$name.key"}
contexts:
- name: test
  context: {cluster: test, user: $name}
END
}

# The commands of the services; the caller runs them in the background.
run_etcd() {
    local programs=$1 directory=$2 port=$3
    exec "$programs/etcd" --data-dir "$directory/etcd" --listen-client-urls "http://127.0.0.1:$port" \
        --advertise-client-urls "http://127.0.0.1:$port" --listen-peer-urls "http://127.0.0.1:$((port + 1))" \
        --initial-advertise-peer-urls "http://127.0.0.1:$((port + 1))" \
        --initial-cluster "default=http://127.0.0.1:$((port + 1))"
}

run_api_server() {
    local programs=$1 directory=$2 port=$3 etcd_port=$4
    # No machine has the advertised address: it is for clients in the cluster, and there are none.
    exec "$programs/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd_port" --bind-address 127.0.0.1 --secure-port "$port" \
        --advertise-address 192.0.2.1 --endpoint-reconciler-type none --service-cluster-ip-range 10.96.0.0/24 \
        --cert-dir "$directory" --tls-cert-file "$directory/server.pem" --tls-private-key-file "$directory/server.key" \
        --client-ca-file "$directory/authority.pem" --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
        --allow-privileged --service-account-issuer "$issuer" --api-audiences https://kubernetes.default.svc \
        --service-account-key-file "$directory/service-accounts.key" \
        --service-account-signing-key-file "$directory/service-accounts.key" \
        --kubelet-certificate-authority "$directory/authority.pem" \
        --kubelet-client-certificate "$directory/admin.pem" --kubelet-client-key "$directory/admin.key"
}
