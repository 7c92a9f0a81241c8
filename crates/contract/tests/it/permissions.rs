use caffeine_contract::{Identity, Service, Subjects};

#[test]
fn of_a_service() {
    let permissions = Subjects::new("p").permissions(Service::Chunker.into());
    insta::assert_debug_snapshot!(permissions);
}

#[test]
fn no_pattern_reaches_beyond_the_installation() {
    for identity in Identity::ALL {
        let permissions = Subjects::new("p").permissions(identity);
        for pattern in &permissions.publish {
            let own = pattern.starts_with("p.caffeine.v1.") || pattern.split('.').any(|token| token.starts_with("p_"));
            assert!(own, "{}: {pattern}", identity.as_str());
        }
        assert_eq!(permissions.subscribe, [format!("_INBOX_{}.>", identity.as_str())]);
    }
}

#[test]
fn only_housekeeper_and_provisioner_touch_streams() {
    for identity in Identity::ALL {
        let permissions = Subjects::new("").permissions(identity);
        let touches = |verb: &str| permissions.publish.iter().any(|pattern| pattern.contains(verb));
        let housekeeper = identity == Identity::Service(Service::Housekeeper);
        for verb in ["STREAM.MSG.DELETE", "STREAM.PURGE"] {
            assert_eq!(touches(verb), housekeeper, "{} {verb}", identity.as_str());
        }
        let looks = housekeeper || identity == Identity::Service(Service::Gateway);
        assert_eq!(touches("STREAM.MSG.GET"), looks, "{}", identity.as_str());
        for verb in ["STREAM.CREATE", "STREAM.UPDATE"] {
            assert_eq!(touches(verb), identity == Identity::Provisioner, "{} {verb}", identity.as_str());
        }
        for verb in ["STREAM.DELETE", "CONSUMER.PAUSE"] {
            assert!(!touches(verb), "{} {verb}", identity.as_str());
        }
    }
}
