//! `kubelet uninstall` after others have changed files of the node.

use super::host::CONFIG;
use super::host::ECR;
use super::host::FLAGS;
use super::host::Host;
use super::host::PROGRAMS;
use crate::support::write_executable;

const PROGRAM: &str = "usr/local/libexec/kubelet-credential-providers/icr-credential-provider";
const CONFIG_FLAG: &str =
    "--image-credential-provider-config=/etc/kubernetes/credential-provider.yaml";
const PROGRAMS_FLAG: &str =
    "--image-credential-provider-bin-dir=/usr/local/libexec/kubelet-credential-providers";

#[test]
fn flags_in_another_order_are_removed() {
    let Some(host) = Host::create() else {
        return;
    };
    host.succeeds(&["install"]);
    host.write(
        FLAGS,
        &format!("KUBELET_EXTRA_ARGS=\"{PROGRAMS_FLAG} --v=4 {CONFIG_FLAG}\"\n"),
    );
    host.succeeds(&["uninstall"]);
    assert_eq!(host.read(FLAGS), "KUBELET_EXTRA_ARGS=\"--v=4\"\n");
    assert!(!host.path(CONFIG).exists() && !host.path(PROGRAM).exists());
}

#[test]
fn what_the_kubelet_still_names_is_not_deleted() {
    let flags = format!("{CONFIG_FLAG} {PROGRAMS_FLAG}");
    let drop_in = "usr/local/lib/systemd/system/kubelet.service.d/20-ours.conf";
    let cases: [(&str, String, &str); 4] = [
        // The flags were moved.
        (
            drop_in,
            format!("[Service]\nExecStart=\nExecStart=/usr/bin/kubelet {flags}\n"),
            "20-ours.conf",
        ),
        // One of them has another value, or is at another place.
        (
            FLAGS,
            format!(
                "KUBELET_EXTRA_ARGS=\"--image-credential-provider-config=/etc/other.yaml {PROGRAMS_FLAG}\"\n"
            ),
            "/etc/default/kubelet",
        ),
        (
            drop_in,
            format!(
                "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet {CONFIG_FLAG} $KUBELET_EXTRA_ARGS\n"
            ),
            "20-ours.conf",
        ),
        // The configuration cannot be changed.
        (
            CONFIG,
            "providers: [{name: icr-credential-provider}]\n".to_owned(),
            "/etc/kubernetes/credential-provider.yaml",
        ),
    ];
    for (path, text, source) in cases {
        let Some(host) = Host::create() else {
            return;
        };
        host.succeeds(&["install"]);
        host.restarts();
        host.write(path, &text);
        let before = host.snapshot();
        let outcome = host.run(&["uninstall"]);
        outcome.is_user_error(&["nothing was changed", source]);
        assert!(outcome.stderr.contains("hint: Remove "), "{outcome:?}");
        assert!(host.snapshot() == before, "{path}");
        assert_eq!(host.restarts(), "");
        // A person does what the hint says.
        if path == CONFIG {
            host.write(path, ECR);
        } else if path == drop_in {
            std::fs::remove_file(host.path(path)).expect("a file");
        } else {
            host.write(path, "KUBELET_EXTRA_ARGS=\n");
        }
        host.succeeds(&["uninstall"]);
        assert!(!host.path(PROGRAM).exists());
    }
}

#[test]
fn the_last_provider_of_a_configuration_that_is_named_stays() {
    let Some(host) = Host::create() else {
        return;
    };
    host.write(
        FLAGS,
        &format!("KUBELET_EXTRA_ARGS='{CONFIG_FLAG} {PROGRAMS_FLAG}'\n"),
    );
    host.write(CONFIG, ECR);
    host.write(&format!("{PROGRAMS}/ecr-credential-provider"), "");
    crate::support::write_executable(
        b"#!/bin/sh\n",
        &host.path(PROGRAMS).join("ecr-credential-provider"),
    );
    host.succeeds(&["install"]);
    let text = host.read(CONFIG);
    let at = text.find("- name: icr-").expect("the provider");
    let head = text.split("# of AWS").next().expect("the head");
    host.write(CONFIG, &format!("{head}{}", &text[at..]));
    let before = host.snapshot();
    host.run(&["uninstall"]).is_user_error(&["would not start"]);
    assert!(host.snapshot() == before);
}

#[test]
fn a_snippet_with_our_paths_is_deleted() {
    let Some(host) = Host::create() else {
        return;
    };
    let snippet = "etc/microshift/config.d/90-docker-credential-icr.yaml";
    host.write("etc/microshift/config.yaml", "");
    host.write("etc/systemd/system/microshift.service", "");
    let before = host.snapshot();
    host.succeeds(&["install"]);
    host.write(snippet, &(host.read(snippet) + "# of a person\n"));
    host.succeeds(&["uninstall"]);
    assert!(host.snapshot() == before);
}

#[test]
fn changes_of_others_outlast_a_second_installation() {
    let Some(host) = Host::create() else {
        return;
    };
    host.write(CONFIG, ECR);
    host.write(
        FLAGS,
        "KUBELET_EXTRA_ARGS='--image-credential-provider-config=/etc/kubernetes/credential-provider.yaml --image-credential-provider-bin-dir=/opt/providers'\n",
    );
    host.write("opt/providers/ecr-credential-provider", "");
    crate::support::write_executable(
        b"#!/bin/sh\n",
        &host.path("opt/providers/ecr-credential-provider"),
    );
    host.succeeds(&["install"]);
    let changed = |text: String| text.replace("12h", "6h").replace("# of AWS", "# of Amazon");
    for is_with_ours in [true, false] {
        let text = if is_with_ours {
            host.read(CONFIG).replace(
                "matchImages:\n      - \"us.icr.io\"",
                "matchImages:\n      - \"de.icr.io\"",
            )
        } else {
            ECR.to_owned()
        };
        host.write(CONFIG, &changed(text));
        host.succeeds(&["install"]);
        host.succeeds(&["uninstall"]);
        assert_eq!(host.read(CONFIG), changed(ECR.to_owned()));
        host.succeeds(&["install"]);
    }
}

#[test]
fn flags_that_others_wrote_before_a_second_installation_stay() {
    let Some(host) = Host::create() else {
        return;
    };
    host.succeeds(&["install"]);
    host.write(FLAGS, "KUBELET_EXTRA_ARGS=--v=5\n");
    host.succeeds(&["install"]);
    assert!(host.read(FLAGS).contains("--v=5 --image"));
    host.succeeds(&["uninstall"]);
    assert_eq!(host.read(FLAGS), "KUBELET_EXTRA_ARGS=--v=5\n");
}

#[test]
fn flags_stay_if_another_provider_has_come_to_need_them() {
    let Some(host) = Host::create() else {
        return;
    };
    host.succeeds(&["install"]);
    let flags = host.read(FLAGS);
    let config = host.read(CONFIG);
    let (_, ecr) = ECR.split_once("# of AWS\n").expect("a comment");
    let ecr = ecr.lines().map(|line| format!("  {line}\n"));
    host.write(CONFIG, &format!("{config}{}", ecr.collect::<String>()));
    let program = format!("{PROGRAMS}/ecr-credential-provider");
    host.write(&program, "");
    write_executable(b"#!/bin/sh\n", &host.path(&program));
    let outcome = host.succeeds(&["uninstall"]);
    outcome.has(&outcome.stdout, &["stays, because other providers"]);
    assert_eq!(host.read(FLAGS), flags);
    let text = host.read(CONFIG);
    assert!(
        text.contains("ecr-credential-provider") && !text.contains("icr-credential-provider\n")
    );
    assert!(host.path(&program).exists());
    assert!(!host.path(PROGRAMS).join("icr-credential-provider").exists());
}
