//! The manifests in `install/kubernetes`: they are built as `kubectl apply -k` does, and what their containers run is run on a
//! machine that is a directory.

use std::fs;
use std::process::Command;

use yaml_rust2::Yaml;
use yaml_rust2::YamlLoader;

use super::host::Host;
use super::host::terminate;
use super::*;
use crate::support::skipped;

/// Returns the documents of a kustomization. Returns `None`, and says so, without kubectl.
fn build(path: &str) -> Option<Vec<Yaml>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("install/kubernetes");
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(root.join(path))
        .output();
    let Ok(output) = output else {
        skipped("it needs kubectl");
        return None;
    };
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path}: {error}");
    let text = String::from_utf8(output.stdout).expect("text");
    Some(YamlLoader::load_from_str(&text).expect("YAML"))
}

fn of_kind<'y>(documents: &'y [Yaml], kind: &str) -> &'y Yaml {
    let mut found = documents
        .iter()
        .filter(|document| document["kind"].as_str() == Some(kind));
    found.next().expect(kind)
}

fn texts(list: &Yaml) -> Vec<&str> {
    let items = list.as_vec().into_iter().flatten();
    items.map(|item| item.as_str().expect("a text")).collect()
}

fn containers(documents: &[Yaml]) -> Vec<&Yaml> {
    let pod = &of_kind(documents, "DaemonSet")["spec"]["template"]["spec"];
    ["initContainers", "containers"]
        .into_iter()
        .flat_map(|key| pod[key].as_vec().expect(key))
        .collect()
}

/// Returns the arguments of a container, with the variables of the ConfigMap.
fn arguments(container: &Yaml, documents: &[Yaml], root: &str) -> Vec<String> {
    let data = &of_kind(documents, "ConfigMap")["data"];
    let arguments = texts(&container["args"]).into_iter().map(|argument| {
        let mut argument = argument.replace("=/host", &format!("={root}"));
        for (key, value) in data.as_hash().expect("variables") {
            let (key, value) = (
                key.as_str().expect("a text"),
                value.as_str().expect("a text"),
            );
            argument = argument.replace(&format!("$({key})"), value);
        }
        assert!(!argument.contains("$("), "{argument}");
        argument
    });
    arguments.collect()
}

#[test]
fn every_file_of_the_manifests_is_yaml() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("install/kubernetes");
    let files = crate::support::files_below(&root);
    let mut files = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    assert!(files.clone().count() >= 7);
    assert!(files.all(|path| {
        let text = fs::read_to_string(&path).expect("a file");
        !YamlLoader::load_from_str(&text).expect("YAML").is_empty()
    }));
}

/// What is deleted with one of the manifests must not take another one along.
#[test]
fn each_manifest_has_a_namespace_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("install/kubernetes");
    let files = crate::support::files_below(&root).into_iter();
    let files = files.filter(|path| path.ends_with("namespace.yaml"));
    let mut names: Vec<String> = files
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a file");
            let document = &YamlLoader::load_from_str(&text).expect("YAML")[0];
            let name = document["metadata"]["name"].as_str().expect("a name");
            let kustomization = path.with_file_name("kustomization.yaml");
            let kustomization = fs::read_to_string(kustomization).expect("a file");
            assert!(kustomization.contains(&format!("namespace: {name}\n")));
            name.to_owned()
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["docker-credential-icr", "docker-credential-icr-node"]
    );
}

#[test]
fn the_containers_have_no_more_rights_than_they_need() {
    for path in ["node-installer", "node-installer/remove"] {
        let Some(documents) = build(path) else {
            return;
        };
        let pod = &of_kind(&documents, "DaemonSet")["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"].as_bool(), Some(false));
        assert_eq!(pod["tolerations"][0]["operator"].as_str(), Some("Exists"));
        assert!(pod["hostPID"].is_badvalue());
        for container in containers(&documents) {
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"].as_bool(), Some(true));
            assert_eq!(security["allowPrivilegeEscalation"].as_bool(), Some(false));
            assert!(security["privileged"].is_badvalue());
            assert_eq!(texts(&security["capabilities"]["drop"]), ["ALL"]);
            assert_eq!(texts(&security["capabilities"]["add"]), ["SYS_CHROOT"]);
            assert!(!container["resources"]["limits"]["memory"].is_badvalue());
            let image = container["image"].as_str().expect("an image");
            let version = env!("CARGO_PKG_VERSION");
            assert!(
                image.ends_with(&format!("/docker-credential-icr:{version}")),
                "{image}"
            );
        }
    }
    let Some(documents) = build("service-accounts") else {
        return;
    };
    let rights = &of_kind(&documents, "ClusterRole")["rules"][0];
    assert_eq!(texts(&rights["resources"]), ["iam"]);
}

#[test]
fn the_containers_install_the_provider_and_remove_it() {
    let Some(host) = Host::create() else {
        return;
    };
    let before = host.snapshot();
    let root = host.path("").display().to_string();
    for path in ["node-installer", "node-installer/remove"] {
        let Some(documents) = build(path) else {
            return;
        };
        let containers = containers(&documents);
        let [first, second] = &containers[..] else {
            panic!("{containers:?}");
        };
        let arguments = |container| {
            let mut arguments = arguments(container, &documents, &root);
            let identity = arguments.iter().position(|it| it.starts_with("--env="));
            if let Some(identity) = identity {
                assert_eq!(arguments.remove(identity), "--env=ICR_SOURCE=vpc");
                arguments.push("--env".to_owned());
                arguments.extend(host.variables());
            }
            arguments
        };
        let mut command = host.command(PROGRAM);
        command.args(arguments(first));
        let outcome = host.start_command(command).finish();
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert_eq!(host.restarts(), "restart kubelet\n");
        let state = host.snapshot();
        // The second one finds nothing to do, and stays.
        let mut command = host.command(PROGRAM);
        command.args(arguments(second));
        let outcome = terminate(host.start_command(command));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert_eq!(host.restarts(), "");
        assert!(host.snapshot() == state);
    }
    assert!(host.snapshot() == before);
}
