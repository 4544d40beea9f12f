use crate::http::routes::openapi;
use serde_json::Value;
use std::collections::BTreeSet;

fn operations() -> Vec<(String, String, Value)> {
    let api: Value = serde_json::from_str(&openapi().to_json().unwrap()).unwrap();
    let mut all = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("responses").is_some() {
                all.push((method.clone(), path.clone(), operation.clone()));
            }
        }
    }
    assert!(all.len() >= 13, "{}", all.len());
    all
}

#[test]
fn every_operation_says_all_that_it_may_answer() {
    for (method, path, operation) in operations() {
        let answers = operation["responses"].as_object().unwrap();
        let mut wanted = vec!["400", "421", "503"];
        let open = operation["security"] == serde_json::json!([{}]);
        if !open {
            wanted.extend(["401", "403", "429"]);
        }
        if operation.get("requestBody").is_some() {
            wanted.extend(["413", "415", "422"]);
        }
        if path.contains('{') {
            wanted.push("404");
        }
        if method != "get" {
            wanted.push("412");
        }
        for status in wanted {
            assert!(answers.contains_key(status), "{method} {path} {status}");
        }
        for (status, answer) in answers.iter().filter(|(status, _)| status.as_str() >= "400") {
            let schema = &answer["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
            assert!(answer["description"].as_str().unwrap().contains(|c: char| c.is_alphabetic()));
        }
        assert_eq!(open, ["/healthz", "/readyz", "/v1/sessions"].contains(&&*path), "{path}");
    }
}

#[test]
fn operations_have_names_tags_and_words_and_are_documented() {
    let text = include_str!("../../../../docs/api.md");
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations() {
        assert!(names.insert(operation["operationId"].to_string()), "{method} {path}");
        assert!(operation["tags"][0].is_string(), "{method} {path}");
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path}");
        let plain = path.replace("{instance}", "{key or id}");
        assert!(text.contains(&plain), "{plain} is not in docs/api.md");
    }
}

#[test]
fn every_schema_that_is_named_is_there() {
    let text = openapi().to_json().unwrap();
    let api: Value = serde_json::from_str(&text).unwrap();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(api["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

#[test]
fn what_takes_if_match_answers_with_a_tag_where_it_is_looked_at() {
    let all = operations();
    let versioned = super::versioned(&openapi());
    assert!(versioned.contains(&("DELETE".to_owned(), "/v1/tokens/{name}".to_owned())));
    for (_, path) in &versioned {
        let look = all.iter().find(|(method, p, _)| method == "get" && p == path);
        let (_, _, look) = look.unwrap_or_else(|| panic!("nobody can look at {path}"));
        assert!(look["responses"]["200"]["headers"]["ETag"].is_object(), "{path}");
    }
}
