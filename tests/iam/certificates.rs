//! Which servers are trusted, and what is said of the others.

use super::*;

#[test]
fn only_certificates_of_trusted_authorities_are_accepted() {
    let mut env = TestEnv::with_environment_key();
    let authority = Authority::create(env.path("authority")).unwrap();
    let cloud = Emulator::builder().tls(&authority, &[]).start().unwrap();
    cloud
        .accounts()
        .add_api_key(ENVIRONMENT_KEY, Subject::user("tls"));
    env.set("IBMCLOUD_IAM_API_ENDPOINT", cloud.url());
    let outcome = env.get("us.icr.io");
    outcome.is_client_error(&[
        "$IBMCLOUD_API_KEY",
        &cloud.url(),
        "certificate",
        "SSL_CERT_FILE",
    ]);
    assert_eq!(cloud.exchanges(), 0, "the key was not sent");

    env.set("SSL_CERT_FILE", authority.certificate_path());
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-tls");
    assert_eq!(cloud.exchanges(), 1);

    let another = Authority::create(env.path("another")).unwrap();
    env.set("SSL_CERT_FILE", another.certificate_path());
    env.get("us.icr.io").is_client_error(&["certificate"]);
    assert_eq!(cloud.exchanges(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_certificate_for_another_name_is_refused() {
    let mut env = TestEnv::with_environment_key();
    let authority = Authority::create(env.path("authority")).unwrap();
    let builder = Emulator::builder().tls(&authority, &["us.icr.io"]);
    let cloud = builder.listen(([127, 0, 0, 2], 0).into()).start().unwrap();
    env.set("SSL_CERT_FILE", authority.certificate_path());
    env.set(
        "IBMCLOUD_IAM_API_ENDPOINT",
        format!("https://{}", cloud.address()),
    );
    env.get("us.icr.io").is_client_error(&["certificate"]);
    assert_eq!(cloud.exchanges(), 0);
}

#[test]
fn an_unusable_certificate_file_is_named() {
    let mut env = TestEnv::with_environment_key();
    std::fs::write(env.path("empty.pem"), "").unwrap();
    std::fs::write(
        env.path("broken.pem"),
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for name in ["missing.pem", "empty.pem", "broken.pem"] {
        let path = env.path(name);
        env.set("SSL_CERT_FILE", &path);
        env.get("us.icr.io")
            .is_client_error(&["$SSL_CERT_FILE", &path.display().to_string()]);
    }
    let quoted = format!("\"{}\"", env.path("authority.pem").display());
    env.set("SSL_CERT_FILE", quoted);
    env.get("us.icr.io")
        .is_client_error(&["without the quotes"]);
    env.set("SSL_CERT_FILE", "~/authority.pem");
    env.get("us.icr.io")
        .is_client_error(&["no shell has expanded"]);
    for (content, words) in [
        (
            &b"\x30\x82\x03\x01"[..],
            "it is in DER format. Convert it with 'openssl",
        ),
        (b"\xff\xfe-\0-\0", "it is UTF-16 text"),
    ] {
        let path = env.path("other.cer");
        std::fs::write(&path, content).expect("a file");
        env.set("SSL_CERT_FILE", &path);
        env.get("us.icr.io").is_client_error(&[words]);
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn each_untrusted_server_has_its_words() {
    for (kind, parts) in [
        (
            CertificateKind::Expired,
            &[
                "this machine's clock (",
                "agrees with the server's",
                "expired on 2020-01-01 00:00 UTC",
                "renew",
            ][..],
        ),
        (
            CertificateKind::NotYetValid,
            &[
                "this machine's clock (",
                "agrees with the server's",
                "valid from 3000-01-01 00:00 UTC",
            ],
        ),
        (
            CertificateKind::ForAnotherHost,
            &[
                "its certificate is for login.hotel.example, not for localhost",
                "login page",
            ],
        ),
        (
            CertificateKind::SelfSigned,
            &["its certificate is self-signed", "SSL_CERT_FILE"],
        ),
        (
            CertificateKind::SelfSignedAuthority,
            &["its certificate is self-signed"],
        ),
    ] {
        let (env, cloud) = env_with_certificate(kind);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&["$IBMCLOUD_API_KEY: cannot trust IAM at ", &cloud.url()]);
        outcome.is_client_error(parts);
        assert_eq!(cloud.exchanges(), 0, "the key was not sent");
        let requests = cloud.requests();
        let lines: Vec<_> = requests.iter().map(|it| (&*it.method, &*it.path)).collect();
        assert_eq!(lines, [("GET", "/")], "it was only asked about itself");
        assert_eq!(requests[0].header("authorization"), None);
    }
}

#[test]
fn a_login_page_of_the_network_is_named() {
    let (env, cloud) = env_with_certificate(CertificateKind::ForAnotherHost);
    let elsewhere = Fault::Redirect("http://login.hotel.example/?from=iam".into());
    cloud.always_for(Service::StartPage, Some(elsewhere));
    env.get("us.icr.io").is_client_error(&[
        "a login page of this network answers instead: its certificate is for login.hotel.example",
        "open any page in a browser",
    ]);
    assert_eq!(cloud.exchanges(), 0);
}

#[test]
fn a_server_without_tls_is_named() {
    let mut env = TestEnv::with_environment_key();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        client.write_all(answer).expect("a client");
        let _ = std::io::copy(&mut client, &mut std::io::sink());
    });
    env.set("IBMCLOUD_IAM_API_ENDPOINT", &url);
    env.get("us.icr.io")
        .is_client_error(&[&url, "the server does not speak TLS", "login page"]);
}

#[test]
fn an_unreadable_certificate_among_others_is_skipped() {
    let (mut env, cloud) = env_with_tls();
    let good = std::fs::read_to_string(env.path("authority/authority.pem")).expect("PEM");
    let damaged = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let (half, _) = good.split_at(good.len() / 2);
    let path = env.path("several.pem");
    env.set("SSL_CERT_FILE", &path);
    for (index, text) in [
        format!("{damaged}{good}"),
        format!("{good}{other}"),
        format!("{half}\n{good}"),
        format!("{}{good}", good.trim_end()),
    ]
    .iter()
    .enumerate()
    {
        std::fs::write(&path, text).expect("a file");
        env.get("us.icr.io").is_credential("iambearer");
        assert_eq!(cloud.exchanges(), index + 1, "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_without_certificates_is_named() {
    let (mut env, cloud) = env_with_tls();
    let directory = env.path("certificates");
    std::fs::create_dir(&directory).expect("a directory");
    let missing = env.path("missing");
    let file = env.path("authority/authority.pem");
    env.unset("SSL_CERT_FILE");
    for path in [&directory, &missing, &file] {
        env.set("SSL_CERT_DIR", path);
        env.get("us.icr.io").is_client_error(&[
            &format!(
                "cannot use {}, the directory in $SSL_CERT_DIR",
                path.display()
            ),
            "Set SSL_CERT_DIR",
        ]);
    }
    let damaged = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    std::fs::write(directory.join("damaged.pem"), damaged).expect("a file");
    std::fs::copy(&file, directory.join("good.pem")).expect("a file");
    env.set("SSL_CERT_DIR", &directory);
    env.get("us.icr.io").is_credential("iambearer");
    // One usable directory is enough.
    env.set(
        "SSL_CERT_DIR",
        format!("{}:{}", missing.display(), directory.display()),
    );
    env.get("us.icr.io").is_credential("iambearer");
    assert_eq!(cloud.exchanges(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn an_unreadable_certificate_of_the_system_is_skipped() {
    let (mut env, cloud) = env_with_tls();
    let system = "/etc/ssl/certs/ca-certificates.crt";
    let file = env.path("system.pem");
    let good = std::fs::read_to_string(env.path("authority/authority.pem")).expect("PEM");
    std::fs::write(&file, &good).expect("a file");
    let script = format!(
        "mount --bind {} {system} && exec {} get",
        file.display(),
        env!("CARGO_BIN_EXE_docker-credential-icr")
    );
    let command = || {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command
    };
    let mount = format!("mount --bind {} {system}", file.display());
    let probe = command().args(["sh", "-c", &mount]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        support::skipped(&format!("it needs a mount namespace and {system}"));
        return;
    }
    env.unset("SSL_CERT_FILE");
    let damaged = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let (half, _) = good.split_at(good.len() / 2);
    for (index, text) in [
        good.clone(),
        format!("{damaged}{good}"),
        format!("{half}\n{good}"),
        format!("{}{good}", good.trim_end()),
    ]
    .iter()
    .enumerate()
    {
        std::fs::write(&file, text).expect("a file");
        let mut command = command();
        command.args(["sh", "-c", &script]);
        env.apply_to(&mut command);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let outcome = env.start_as(command, "us.icr.io").finish();
        assert_eq!(outcome.status, Some(0), "{text}: {outcome:?}");
        assert_eq!(cloud.exchanges(), index + 1, "{text}");
    }
}

/// Creates an environment and an IAM whose certificate is of this kind.
fn env_with_certificate(kind: CertificateKind) -> (TestEnv, Emulator) {
    let mut env = TestEnv::with_environment_key();
    let authority = Authority::create(env.path("authority")).expect("an authority");
    let builder = Emulator::builder().tls(&authority, &[]).certificate(kind);
    let cloud = builder.start().expect("an emulator");
    env.set("SSL_CERT_FILE", authority.certificate_path());
    env.set("IBMCLOUD_IAM_API_ENDPOINT", cloud.url());
    (env, cloud)
}
