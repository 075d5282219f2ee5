//! `kubelet install` on nodes whose units set the kubelet's flags in other ways than kubeadm's.

use super::host::CONFIG;
use super::host::ECR;
use super::host::FLAGS;
use super::host::Host;
use super::host::PROGRAMS;
use crate::support::write_executable;

const UNIT: &str = "etc/systemd/system/kubelet.service";
const DROP_IN: &str = "usr/local/lib/systemd/system/kubelet.service.d/10-kubeadm.conf";

/// Creates a node with a unit of its own, without kubeadm's drop-in.
fn node_with(unit: &str) -> Option<Host> {
    let host = Host::create()?;
    std::fs::remove_file(host.path(DROP_IN)).expect("a file");
    host.write(UNIT, &format!("[Service]\n{unit}"));
    Some(host)
}

#[test]
fn the_file_that_counts_gets_the_flags_once() {
    for (unit, file, text) in [
        (
            "EnvironmentFile=-/etc/kubernetes/kubelet.env\nExecStart=/usr/bin/kubelet $KUBELET_EXTRA_ARGS\n",
            "etc/kubernetes/kubelet.env",
            "KUBELET_EXTRA_ARGS=\"--v=2\"\n",
        ),
        (
            "Environment=KUBELET_EXTRA_ARGS=--v=1\nEnvironmentFile=/etc/default/kubelet\nEnvironmentFile=/etc/sysconfig/kubelet\nEnvironmentFile=/etc/environment\nExecStart=/usr/bin/kubelet ${KUBELET_EXTRA_ARGS}\n",
            "etc/sysconfig/kubelet",
            "KUBELET_EXTRA_ARGS = --v=2\n",
        ),
        (
            "EnvironmentFile=/etc/default/kubelet\nEnvironmentFile=/etc/environment\nExecStart=/usr/bin/kubelet $KUBELET_EXTRA_ARGS\n",
            FLAGS,
            "A=1\n",
        ),
    ] {
        let Some(host) = node_with(unit) else {
            return;
        };
        host.write("etc/environment", "PATH=/bin\n");
        host.write("etc/default/kubelet", "B=1\n");
        host.write(file, text);
        let before = host.snapshot();
        host.succeeds(&["install"]);
        assert!(
            host.read(file)
                .contains("--image-credential-provider-config=")
        );
        assert_eq!(host.read("etc/environment"), "PATH=/bin\n");
        assert_eq!(host.restarts(), "restart kubelet\n");
        let installed = host.snapshot();
        host.succeeds(&["install"]);
        assert_eq!(host.restarts(), "", "nothing has changed");
        assert!(host.snapshot() == installed);
        host.succeeds(&["uninstall"]);
        assert!(host.snapshot() == before);
    }
}

#[test]
fn the_provider_of_another_program_is_found_where_the_unit_names_it() {
    let flags = "--image-credential-provider-config=/etc/kubernetes/credential-provider.yaml --image-credential-provider-bin-dir=/opt/providers";
    for unit in [
        format!("ExecStart=/usr/bin/kubelet --v=2 \\\n  {flags}\n"),
        format!("Environment=\"ARGS={flags}\"\nExecStart=/usr/bin/kubelet $ARGS\n"),
        "EnvironmentFile=/etc/flags\nExecStart=/usr/bin/kubelet $ARGS $KUBELET_EXTRA_ARGS\n"
            .to_owned(),
    ] {
        let Some(host) = node_with(&unit) else {
            return;
        };
        host.write("etc/flags", &format!("ARGS='{flags}'\n"));
        // No unit reads it.
        host.write(
            FLAGS,
            "KUBELET_EXTRA_ARGS=--image-credential-provider-config=/etc/old.yaml\n",
        );
        host.write(CONFIG, ECR);
        host.write("opt/providers/ecr-credential-provider", "");
        write_executable(
            b"#!/bin/sh\n",
            &host.path("opt/providers/ecr-credential-provider"),
        );
        let before = host.snapshot();
        host.succeeds(&["install"]);
        assert!(host.read(CONFIG).starts_with(ECR));
        assert!(host.path("opt/providers/icr-credential-provider").exists());
        assert!(!host.path(PROGRAMS).exists());
        host.succeeds(&["uninstall"]);
        assert!(host.snapshot() == before);
    }
}

#[test]
fn a_node_is_not_changed_where_it_is_not_sure_how_its_kubelet_gets_flags() {
    const USES: &str = "ExecStart=/usr/bin/kubelet $KUBELET_EXTRA_ARGS\n";
    const DEFAULT: &str = "EnvironmentFile=-/etc/default/kubelet\n";
    let set = "KUBELET_EXTRA_ARGS=--v=2\n";
    for (unit, file, text, reason) in [
        (
            "Environment=KUBELET_EXTRA_ARGS=--v=2\n",
            FLAGS,
            "A=1\n",
            "sets KUBELET_EXTRA_ARGS itself",
        ),
        (
            "EnvironmentFile=/etc/environment\n",
            "etc/environment",
            "A=1\n",
            "none of the name kubelet",
        ),
        (
            "EnvironmentFile=/etc/environment\n",
            "etc/environment",
            set,
            "is set in /etc/environment",
        ),
        (
            "EnvironmentFile=/etc/kubelet.d/*\n",
            FLAGS,
            "A=1\n",
            "/etc/kubelet.d/*",
        ),
        (
            "",
            FLAGS,
            "KUBELET_EXTRA_ARGS=\"--a=\\\"b\\\"\"\n",
            "cannot add flags to /etc/default/kubelet",
        ),
        (
            "",
            FLAGS,
            "KUBELET_EXTRA_ARGS=--image-credential-provider-bin-dir=/opt\n",
            "/etc/default/kubelet sets --image-credential-provider-bin-dir without",
        ),
        (
            "",
            FLAGS,
            "KUBELET_EXTRA_ARGS=--image-credential-provider-config=a --image-credential-provider-bin-dir=/opt\n",
            "not absolute",
        ),
    ] {
        let default = if unit.contains("environment") {
            ""
        } else {
            DEFAULT
        };
        let Some(host) = node_with(&format!("{default}{unit}{USES}")) else {
            return;
        };
        host.write(file, text);
        let before = host.snapshot();
        host.run(&["install"]).is_user_error(&[reason]);
        assert!(host.snapshot() == before);
        assert_eq!(host.restarts(), "");
    }
}

#[test]
fn the_provider_is_tried_with_the_variables_of_the_unit() {
    let unit = "EnvironmentFile=-/etc/default/kubelet\nEnvironment=ICR_SOURCE=of-the-unit\nExecStart=/usr/bin/kubelet $KUBELET_EXTRA_ARGS\n";
    let Some(host) = node_with(unit) else {
        return;
    };
    let before = host.snapshot();
    let outcome = host.run(&["install"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(&outcome.stdout, &["ICR_SOURCE", "of-the-unit"]);
    assert!(host.snapshot() == before);
}

#[test]
fn the_version_is_that_of_the_program_in_the_unit() {
    let unit =
        "EnvironmentFile=-/etc/default/kubelet\nExecStart=-/opt/bin/kubelet $KUBELET_EXTRA_ARGS\n";
    let Some(host) = node_with(unit) else {
        return;
    };
    host.write("opt/bin/kubelet", "");
    let program = host.path("opt/bin/kubelet");
    write_executable(b"#!/bin/sh\necho Kubernetes v1.34.2\n", &program);
    host.succeeds(&["install", "--service-accounts"]);
}
