//! What holds for the files of every page: each that is named is there, and no script makes markup.

/// How markup would be made, or run, of text.
const FOREIGN: [&str; 6] =
    ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="];

/// Looks at a page's files, name and text, that name each other by `/FOLDER/NAME` and `./NAME`. Panics as a test does.
pub fn check(files: &[(&str, &str)], folder: &str) {
    let own = format!("\"/{folder}/");
    for (file, text) in files {
        for part in text.split(own.as_str()).skip(1).chain(text.split(" from \"./").skip(1)) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(files.iter().any(|(known, _)| *known == name), "{file} names {name}");
        }
        for foreign in FOREIGN {
            assert!(!text.contains(foreign), "{file} has {foreign}");
        }
    }
}
