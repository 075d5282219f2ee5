//! The manifests in `install/kubernetes/pull-secret`.

use std::path::Path;

use yaml_rust2::Yaml;
use yaml_rust2::YamlLoader;

use super::*;

fn documents(name: &str) -> Vec<Yaml> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("install/kubernetes/pull-secret");
    let text = std::fs::read_to_string(root.join(name)).expect(name);
    YamlLoader::load_from_str(&text).expect(name)
}

fn texts(list: &Yaml) -> Vec<&str> {
    let items = list.as_vec().unwrap_or_else(|| panic!("{list:?}"));
    items
        .iter()
        .map(|item| item.as_str().expect("a text"))
        .collect()
}

/// Returns the templates of the pods of the Deployment and of the CronJob.
fn pods() -> [Yaml; 2] {
    let deployment = &documents("deployment.yaml")[0];
    let job = &documents("cronjob/cronjob.yaml")[0];
    [
        deployment["spec"]["template"]["spec"].clone(),
        job["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone(),
    ]
}

#[test]
fn the_arguments_in_the_manifests_are_accepted_and_write_all_secrets() {
    for pod in pods() {
        let cluster = Cluster::new();
        let arguments = texts(&pod["containers"][0]["args"]);
        let is_for_once =
            |text: &&str| !text.starts_with("--watch") && !text.starts_with("--ready-file");
        let arguments: Vec<&str> = arguments.into_iter().filter(is_for_once).collect();
        let outcome = cluster.env.run(&arguments, "");
        assert_eq!(
            (outcome.status, &*outcome.stderr),
            (Some(0), ""),
            "{outcome:?}"
        );
        assert!(cluster.secret("build").is_some());
        assert_eq!(cluster.pull_secrets("test", "default"), [NAME]);
    }
}

#[test]
fn the_file_of_the_readiness_probe_is_the_one_that_is_written() {
    let [pod, _] = pods();
    let container = &pod["containers"][0];
    let probe = texts(&container["readinessProbe"]["exec"]["command"]);
    let file = probe.last().expect("a file");
    assert_eq!(
        probe[..3],
        ["/docker-credential-icr", "pull-secret", "ready"]
    );
    assert!(texts(&container["args"]).contains(&&*format!("--ready-file={file}")));
    let directory = container["volumeMounts"][0]["mountPath"]
        .as_str()
        .expect("a path");
    assert!(
        file.starts_with(directory),
        "the root file system is read-only"
    );
}

#[test]
fn pods_run_without_rights_and_with_a_token_for_iam() {
    for pod in pods() {
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(container["readOnlyRootFilesystem"].as_bool(), Some(true));
        assert_eq!(container["allowPrivilegeEscalation"].as_bool(), Some(false));
        assert_eq!(texts(&container["capabilities"]["drop"]), ["ALL"]);
        assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
        // OpenShift refuses pods that choose numbers outside of the range of their namespace
        // (OpenShift documentation, "Managing security context constraints").
        for name in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert!(pod["securityContext"][name].is_badvalue(), "{name}");
        }
        let volumes = pod["volumes"].as_vec().expect("volumes");
        let token = volumes
            .iter()
            .find(|volume| volume["name"].as_str() == Some("token"));
        let token = &token.expect("a volume")["projected"]["sources"][0]["serviceAccountToken"];
        assert_eq!(token["audience"].as_str(), Some("iam"));
        assert_eq!(token["expirationSeconds"].as_i64(), Some(3600));
    }
}

#[test]
fn the_rights_are_for_objects_of_these_names_and_nothing_can_be_deleted() {
    let documents = documents("base/rbac.yaml");
    let role = documents
        .iter()
        .find(|it| it["kind"].as_str() == Some("ClusterRole"));
    let rules = role.expect("a role")["rules"]
        .as_vec()
        .expect("rules")
        .clone();
    let rules: Vec<(&str, Option<&str>, Vec<&str>)> = rules
        .iter()
        .map(|rule| {
            let resource = rule["resources"][0].as_str().expect("a resource");
            (
                resource,
                rule["resourceNames"][0].as_str(),
                texts(&rule["verbs"]),
            )
        })
        .collect();
    let expected = [
        ("namespaces", None, vec!["list"]),
        (
            "secrets",
            Some(NAME),
            vec!["create", "get", "list", "patch"],
        ),
        (
            "serviceaccounts",
            Some("default"),
            vec!["get", "list", "patch"],
        ),
    ];
    assert_eq!(rules, expected);
}
