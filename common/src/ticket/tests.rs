use super::*;
use proptest::prelude::*;

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn keys() -> Keys {
    Keys::new(&[SigningKey::from_seed(&[1; 32]).public(), key().public()]).unwrap()
}

fn at(ms: u64) -> Moment {
    Moment::from_unix_ms(ms)
}

fn ticket() -> Ticket {
    Ticket {
        id: "t1".into(),
        user: "user:ada".into(),
        instances: vec!["local/host-1/60ea206fa3b4".into(), "m1/shop_web.1".into()],
        files: "**".into(),
        rights: vec![Right::Read],
        issued: at(1_000_000),
        expires: at(2_000_000),
    }
}

#[test]
fn what_is_signed_is_read_and_holds() {
    let text = sign(&ticket(), &key());
    assert!(text.starts_with(&format!("qtk1.{}.", key().kid())), "{text}");
    let read = verify(&text, &keys(), at(1_500_000)).unwrap();
    assert_eq!(read, ticket());
    assert!(read.allows("m1/shop_web.1", "a/b.log", Right::Read));
    assert!(!read.allows("m1/shop_web.1", "a/b.log", Right::Download));
    assert!(!read.allows("m1/shop_web.2", "a/b.log", Right::Read));
    assert!(!read.allows("m1/shop_web.1", "../b.log", Right::Read));
}

#[test]
fn the_form_is_the_documented_one() {
    // the first test vector of RFC 8032
    let seed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    let public = SigningKey::from_secret(seed).unwrap().public();
    assert_eq!(public.public_key, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_eq!(public.kid, "21fe31dfa154a261");
    assert_eq!(public.alg, "Ed25519");
    assert_eq!(SigningKey::from_secret(&key().secret()).unwrap().kid(), key().kid());
    assert!(!format!("{:?}", key()).contains(&key().secret()));
    assert_ne!(
        SigningKey::generate().unwrap().kid(),
        SigningKey::generate().unwrap().kid(),
        "random"
    );
}

#[test]
fn time_is_checked_with_a_little_patience_for_clocks() {
    let text = sign(&ticket(), &key());
    let refused = |ms| verify(&text, &keys(), at(ms)).map_err(|r| r.code());
    assert!(refused(1_999_999).is_ok());
    assert_eq!(refused(2_000_000), Err("ticket_expired"));
    assert!(refused(1_000_000 - 30_000).is_ok());
    assert_eq!(refused(1_000_000 - 30_001), Err("ticket_not_yet"));
}

#[test]
fn foreign_keys_and_weak_ones_are_refused() {
    let text = sign(&ticket(), &SigningKey::from_seed(&[9; 32]));
    let refused = verify(&text, &keys(), at(1_500_000)).unwrap_err();
    assert!(matches!(refused, Refusal::UnknownKey { .. }), "{refused}");
    // another's signature under a known id
    let forged = text.replacen(SigningKey::from_seed(&[9; 32]).kid(), key().kid(), 1);
    assert_eq!(verify(&forged, &keys(), at(1_500_000)), Err(Refusal::Signature));
    let mut public = key().public();
    public.kid = "0".repeat(16);
    assert_eq!(Keys::new(&[public.clone()]), Err(KeyError::Id("0".repeat(16))));
    public.public_key = URL_SAFE_NO_PAD.encode([0; 32]);
    assert_eq!(Keys::new(&[public.clone()]), Err(KeyError::Form), "a point of small order");
    public.alg = "none".into();
    assert_eq!(Keys::new(&[public]), Err(KeyError::Algorithm("none".into())));
    let many: Vec<_> = (0..17).map(|n| SigningKey::from_seed(&[n; 32]).public()).collect();
    assert_eq!(Keys::new(&many), Err(KeyError::Many));
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    let mut json = serde_json::to_value(ticket()).unwrap();
    json["only_from"] = "10.0.0.0/8".into();
    let signed =
        format!("qtk1.{}.{}", key().kid(), URL_SAFE_NO_PAD.encode(json.to_string().as_bytes()));
    let text = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key().sign(signed.as_bytes())));
    let refused = verify(&text, &keys(), at(1_500_000)).unwrap_err();
    assert!(matches!(refused, Refusal::Form(_)), "{refused}");
}

#[test]
fn bounds_are_the_same_for_both_sides() {
    let long = |n: usize| Ticket { instances: vec!["i".repeat(40); n], ..ticket() };
    let most = long(MAX_INSTANCES);
    most.check().unwrap();
    verify(&sign(&most, &key()), &keys(), at(1_500_000)).unwrap();
    let over = long(MAX_INSTANCES + 1);
    assert!(over.check().is_err());
    assert!(verify(&sign(&over, &key()), &keys(), at(1_500_000)).is_err());
    let wide = Ticket { instances: vec!["i".repeat(1000); 40], ..ticket() };
    assert!(wide.check().is_err());
    let refused = verify(&sign(&wide, &key()), &keys(), at(1_500_000)).unwrap_err();
    assert_eq!(refused.code(), "ticket_malformed");
    let long = Ticket { files: "*".repeat(MAX_NAME + 1), ..ticket() };
    assert!(long.check().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_ticket_within_bounds_comes_back(
        id in ".{0,40}", user in ".{0,40}", files in ".{0,40}",
        instances in proptest::collection::vec(".{0,60}", 0..20),
        times in (0..Moment::LAST.unix_ms(), 1u64..100_000),
    ) {
        let (issued, lives) = times;
        let issued = at(issued);
        let expires = at(issued.unix_ms() + lives);
        let rights = vec![Right::Read, Right::Download];
        let ticket = Ticket { id, user, instances, files, rights, issued, expires };
        prop_assume!(expires > issued);
        prop_assert_eq!(verify(&sign(&ticket, &key()), &keys(), issued), Ok(ticket));
    }

    #[test]
    fn one_changed_byte_is_enough_to_refuse(at_byte in any::<proptest::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let text = sign(&ticket(), &key());
        let place = at_byte.index(text.len());
        let mut changed = text.clone();
        changed.replace_range(place..=place, &to);
        prop_assume!(changed != text);
        prop_assert!(verify(&changed, &keys(), at(1_500_000)).is_err(), "{}", changed);
    }

    #[test]
    fn any_text_is_refused(text in "(qtk1\\.)?[A-Za-z0-9_.-]{0,200}|.{0,100}") {
        prop_assert!(verify(&text, &keys(), at(1_500_000)).is_err());
    }
}
