//! What the kubelet does with answers: the stand-in's own rules, and the program under them.

use super::kubelet::go_duration;
use super::kubelet::matches;
use super::*;

/// Returns the text of an answer with these members.
fn answer(members: &str) -> String {
    format!(
        "cat > /dev/null; echo '{{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"{V1}\",{members}}}'"
    )
}

const AUTH: &str = r#""auth":{"*.icr.io":{"username":"u","password":"p"}}"#;

#[test]
fn an_answer_with_a_field_too_much_or_a_wrong_one_is_lost() {
    let Some((env, provider)) = node() else {
        return;
    };
    let valid = format!("\"cacheKeyType\":\"Registry\",\"cacheDuration\":\"1h\",{AUTH}");
    let logins = |text: &str| {
        let kubelet = script(&env, &provider, text);
        (
            kubelet.logins("us.icr.io/a", None).len(),
            kubelet.log().len(),
        )
    };
    assert_eq!(logins(&answer(&valid)), (1, 0));
    for text in [
        answer(&format!("\"more\":1,{valid}")),
        answer(&valid.replace("Registry", "Host")),
        answer(&valid.replace("\"cacheKeyType\":\"Registry\",", "")),
        answer(&valid.replace("1h", "soon")),
        answer(&valid).replace("io/v1", "io/v1beta1"),
        answer(&valid).replace("Response", "Request"),
        format!("{}; exit 1", answer(&valid)),
        "echo".to_owned(),
    ] {
        assert_eq!(logins(&text), (0, 1), "{text}");
    }
}

#[test]
fn a_provider_that_does_not_end_is_killed() {
    let Some((env, mut provider)) = node() else {
        return;
    };
    provider.timeout = Duration::from_millis(200);
    let kubelet = script(&env, &provider, "exec tail -f /dev/null");
    assert_eq!(kubelet.logins("us.icr.io/a", None), []);
    assert_eq!(kubelet.log(), ["context deadline exceeded: "]);
}

#[test]
fn an_answer_is_kept_by_image_registry_or_for_all() {
    let Some((env, provider)) = node() else {
        return;
    };
    for (key_type, runs) in [("Image", 3), ("Registry", 2), ("Global", 1)] {
        let members = format!("\"cacheKeyType\":\"{key_type}\",\"cacheDuration\":\"1m\",{AUTH}");
        let kubelet = script(&env, &provider, &answer(&members));
        for image in ["us.icr.io/a", "us.icr.io/b", "de.icr.io/a", "us.icr.io/a"] {
            assert_eq!(kubelet.logins(image, None).len(), 1);
        }
        assert_eq!(kubelet.runs(), runs, "{key_type}");
        kubelet.advance(Duration::from_secs(60));
        kubelet.logins("us.icr.io/a", None);
        assert_eq!(kubelet.runs(), runs + 1, "{key_type}");
    }
}

#[test]
fn no_duration_means_that_of_the_configuration_and_zero_is_not_kept() {
    let Some((env, provider)) = node() else {
        return;
    };
    for (duration, runs) in [("", 1), ("\"cacheDuration\":\"0s\",", 3)] {
        let members = format!("\"cacheKeyType\":\"Registry\",{duration}\"auth\":null");
        let kubelet = script(&env, &provider, &answer(&members));
        for _ in 0..3 {
            assert_eq!(kubelet.logins("us.icr.io/a", None), []);
        }
        assert_eq!(
            kubelet.runs(),
            runs,
            "an answer without credentials is kept, too"
        );
    }
}

#[test]
fn patterns_compare_labels_ports_and_the_beginning_of_paths() {
    for (pattern, image, expected) in [
        ("us.icr.io", "us.icr.io/ns/app", true),
        ("*.icr.io", "us.icr.io/ns/app", true),
        ("*.icr.io", "icr.io/ns/app", false),
        ("*.icr.io", "private.us.icr.io/ns/app", false),
        ("*.*.icr.io", "private.us.icr.io/ns/app", true),
        ("u*.icr.io", "uk.icr.io/ns/app", true),
        ("us.icr.io/*", "us.icr.io/ns/app", false),
        ("us.icr.io/team", "us.icr.io/team-b/x", true),
        ("us.icr.io/team/", "us.icr.io/team-b/x", false),
        ("us.icr.io", "us.icr.io:443/ns/app", false),
        ("us.icr.io:443", "us.icr.io:443/ns/app", true),
    ] {
        assert_eq!(matches(pattern, image), expected, "{pattern} {image}");
    }
    assert_eq!(go_duration("1h2m3s"), Some(Duration::from_secs(3723)));
    assert_eq!(go_duration("12"), None);
}

#[test]
fn the_kubelet_runs_the_program_once_for_a_registry_until_half_of_the_tokens_life() {
    let Some((env, provider)) = node() else {
        return;
    };
    let kubelet = Kubelet::new(provider);
    for image in ["us.icr.io/ns/a", "us.icr.io/ns/b", "us.icr.io/ns/a"] {
        assert_eq!(owner(&kubelet.logins(image, None)), "IBMid-node");
    }
    assert_eq!(kubelet.runs(), 1, "{:?}", kubelet.log());
    kubelet.logins("de.icr.io/ns/a", None);
    assert_eq!(kubelet.runs(), 2, "another registry");
    assert_eq!(env.cloud.exchanges(), 1, "the same token");
    kubelet.advance(Duration::from_secs(1795));
    kubelet.logins("us.icr.io/ns/a", None);
    assert_eq!(kubelet.runs(), 2);
    kubelet.advance(Duration::from_secs(5));
    kubelet.logins("us.icr.io/ns/a", None);
    assert_eq!(kubelet.runs(), 3);
}

#[test]
fn an_answer_is_never_kept_until_the_end_of_its_token() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    for (lifetime, expected) in [
        (3600, 1800),
        (900, 450),
        (600, 300),
        (400, 100),
        (290, 0),
        (70, 0),
    ] {
        let key = format!("API-KEY-OF-{lifetime}-SECONDS");
        env.add_api_key(&key, "node");
        env.cloud.accounts().set_token_lifetime(lifetime);
        let kubelet = Kubelet::new(provider(&env, &[("IBMCLOUD_API_KEY", &key)]));
        kubelet.logins("us.icr.io/ns/a", None);
        let answers = kubelet.answers();
        let duration = answers[0]
            .split("\"cacheDuration\":\"")
            .nth(1)
            .expect("a duration");
        let duration =
            go_duration(duration.split('"').next().expect("its end")).expect("Go's form");
        let expected = expected..=Duration::from_secs(expected).as_secs();
        let seconds = duration.as_secs();
        assert!(
            seconds <= *expected.end() && seconds + 3 >= *expected.start(),
            "{lifetime}: {duration:?}"
        );
    }
}

#[test]
fn an_outage_does_not_take_the_nodes_token_away() {
    let Some((env, provider)) = node() else {
        return;
    };
    let kubelet = Kubelet::new(provider);
    kubelet.logins("us.icr.io/ns/a", None);
    env.cloud.always(Some(icr_emulator::Fault::Status(503)));
    kubelet.advance(Duration::from_secs(3600));
    assert_eq!(owner(&kubelet.logins("us.icr.io/ns/a", None)), "IBMid-node");
}

#[test]
fn a_namespace_with_a_profile_of_its_own_is_kept_by_image() {
    let Some((env, mut provider)) = node() else {
        return;
    };
    env.add_api_key("API-KEY-OF-THE-TEAM", "team");
    let key = env.file(
        "team.env",
        "CONTAINER_REGISTRY_APIKEY=API-KEY-OF-THE-TEAM\n",
    );
    let settings = env.file(
        "namespaces.toml",
        &format!(
            "[profile.team]\nsource = \"credentials-file\"\nfile = \"{}\"\n[registry.\"us.icr.io/team\"]\nprofile = \"team\"\n",
            key.display()
        ),
    );
    let settings = settings.to_string_lossy().into_owned();
    provider
        .environment
        .push(("ICR_CONFIG".to_owned(), settings));
    let kubelet = Kubelet::new(provider);
    for (image, expected) in [
        ("us.icr.io/team/app", "IBMid-team"),
        ("us.icr.io/team-b/app", "IBMid-node"),
        ("us.icr.io/other/app", "IBMid-node"),
        ("us.icr.io/team/app", "IBMid-team"),
        ("de.icr.io/team/app", "IBMid-node"),
    ] {
        let logins = kubelet.logins(image, None);
        assert_eq!(owner(&logins), expected, "{image}: {:?}", kubelet.log());
    }
    let of_image = |answer: &String| answer.contains("\"cacheKeyType\":\"Image\"");
    let types: Vec<bool> = kubelet.answers().iter().map(of_image).collect();
    assert_eq!(types, [true, true, true, false]);
}
