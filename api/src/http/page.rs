//! The page: a few files, built in, that use nothing but the documented API. Loading them needs no token; what they show does.

use axum::Router;
use common::serve::StaticPage;
use common::static_page;

static PAGE: StaticPage = static_page!("../web":
    "index.html",
    "page.css",
    "icon.svg",
    "main.js",
    "api.js",
    "bus.js",
    "draw.js",
    "figures.js",
    "logs.js",
    "view.js",
    "world.js",
);

/// `/` and `/page/{file}`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    PAGE.routes("page")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_the_page_names_is_there_and_nothing_is_made_of_markup() {
        let files: Vec<_> = PAGE.files.iter().map(|file| (file.name, file.text)).collect();
        e2e::web::check(&files, "page");
    }
}
