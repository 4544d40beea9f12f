//! Which container a request means, and where a page begins. Pure.

use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use common::container::Container;
use common::serve::Problem;

/// Where a container stands in lists: app, instance, id.
pub type Key = (String, String, String);

/// Its place.
pub fn key(container: &Container) -> Key {
    (container.app.to_string(), container.instance.to_string(), container.id.clone())
}

/// A place as a `cursor`: opaque to clients, still good when that container is gone.
pub fn cursor(key: &Key) -> String {
    // three strings always print
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// The place a `cursor` stands for.
pub fn place(cursor: &str) -> Option<Key> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

/// The index of the container meant by `wanted`: an id, else an instance, else the beginning of one id only.
pub fn find(keys: &[Key], wanted: &str) -> Result<usize, Problem> {
    let indices = |meant: &dyn Fn(&Key) -> bool| -> Vec<usize> {
        keys.iter().enumerate().filter(|(_, key)| meant(key)).map(|(index, _)| index).collect()
    };
    let mut found = indices(&|(_, _, id)| id == wanted);
    if found.is_empty() {
        found = indices(&|(_, instance, _)| instance == wanted);
    }
    if found.is_empty() && !wanted.is_empty() {
        found = indices(&|(_, _, id)| id.starts_with(wanted));
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no_such_container",
            format!("no container here has the id or instance {wanted}; see /v1/containers"),
        )),
        several => {
            let ids: Vec<_> = several.iter().take(5).map(|i| keys[*i].2.as_str()).collect();
            let more = if several.len() > 5 { ", ..." } else { "" };
            Err(Problem::new(
                StatusCode::CONFLICT,
                "ambiguous",
                format!(
                    "{wanted} means {} containers, name one by its id: {}{more}",
                    several.len(),
                    ids.join(", ")
                ),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> Vec<Key> {
        [("a", "one", "abc1"), ("a", "two", "abd2"), ("b", "two", "xyz3"), ("b", "abc", "abc14")]
            .map(|(a, i, id)| (a.to_owned(), i.to_owned(), id.to_owned()))
            .to_vec()
    }

    #[test]
    fn an_id_goes_before_an_instance_and_that_before_a_beginning() {
        assert_eq!(find(&keys(), "abc1"), Ok(0));
        assert_eq!(find(&keys(), "abc"), Ok(3));
        assert_eq!(find(&keys(), "x"), Ok(2));
        assert_eq!(find(&keys(), "").unwrap_err().code, "no_such_container");
        assert_eq!(find(&keys(), "nope").unwrap_err().status, 404);
        let several = find(&keys(), "two").unwrap_err();
        assert_eq!((several.status, several.code.as_str()), (409, "ambiguous"));
        assert!(several.detail.ends_with("abd2, xyz3"), "{}", several.detail);
        assert_eq!(find(&keys(), "ab").unwrap_err().status, 409);
    }

    proptest! {
        #[test]
        fn a_cursor_gives_its_place_back(a in any::<String>(), b in any::<String>(), c in any::<String>()) {
            let key = (a, b, c);
            prop_assert_eq!(place(&cursor(&key)), Some(key));
        }

        #[test]
        fn foreign_cursors_are_refused_without_panic(text in any::<String>()) {
            prop_assert!(place(&text).is_none());
        }
    }
}
