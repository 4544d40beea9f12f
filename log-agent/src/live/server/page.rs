//! The page: a few files, built in. Loading them needs no ticket; what they show does.

use axum::Router;
use common::serve::StaticPage;
use common::static_page;

static PAGE: StaticPage = static_page!("../../web":
    "index.html",
    "logs.css",
    "icon.svg",
    "main.js",
    "ansi.js",
    "draw.js",
    "list.js",
    "store.js",
    "stream.js",
);

/// `/` and `/logs/{file}`.
pub(super) fn routes() -> Router {
    PAGE.routes("logs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_the_page_names_is_there_and_nothing_is_made_of_markup() {
        let files: Vec<_> = PAGE.files.iter().map(|file| (file.name, file.text)).collect();
        e2e::web::check(&files, "logs");
    }
}
