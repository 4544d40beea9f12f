use super::*;
use crate::access::tests::Open;
use crate::store::test_stores;
use std::os::unix::fs::PermissionsExt as _;

async fn admins(store: &Store) -> Vec<(String, String)> {
    use sqlx::Row as _;
    let rows = sqlx::query("SELECT name, hash FROM tokens WHERE role = 'admin' ORDER BY name");
    let rows = rows.fetch_all(store.read()).await.unwrap();
    rows.iter().map(|row| (row.get("name"), row.get("hash"))).collect()
}

fn file(dir: &Path) -> Option<Secret> {
    Secret::parse(fs::read_to_string(dir.join(FILE)).ok()?.trim())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_first_start_makes_one_admin_and_the_next_none() {
    for store in test_stores().await {
        let dir = tempfile::tempdir().unwrap();
        let (dir, now) = (dir.path().join("api"), Moment::now());
        start(&store.store, &dir, now).await.unwrap();
        let secret = file(&dir).unwrap();
        let path = dir.join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(&dir), [FILE]);
        let made = vec![("admin".to_owned(), secret.hash().hex())];
        assert_eq!(admins(&store.store).await, made);
        start(&store.store, &dir, now).await.unwrap();
        fs::remove_file(&path).unwrap();
        start(&store.store, &dir, now).await.unwrap();
        assert_eq!(admins(&store.store).await, made);
        assert!(!path.exists(), "a file that was taken away on purpose stays away");
    }
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_taken_up() {
    for store in test_stores().await {
        let dir = tempfile::tempdir().unwrap();
        let (secret, ours) = secret_in(dir.path(), &dir.path().join(FILE)).unwrap();
        assert!(ours);
        // here the power went
        start(&store.store, dir.path(), Moment::now()).await.unwrap();
        assert_eq!(admins(&store.store).await, [("admin".to_owned(), secret.hash().hex())]);
    }
}

#[tokio::test]
async fn two_first_starts_at_once_make_one_admin() {
    for test in test_stores().await {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let second = test.again().await.unwrap_or_else(|| test.store.clone());
        let now = Moment::now();
        let (one, two) = tokio::join!(
            start(&test.store, dirs[0].path(), now),
            start(&second, dirs[1].path(), now)
        );
        one.unwrap();
        two.unwrap();
        let there = admins(&test.store).await;
        let files: Vec<_> = dirs.iter().filter_map(|dir| file(dir.path())).collect();
        assert_eq!((there.len(), files.len()), (1, 1), "{}", test.name);
        assert_eq!(there[0].1, files[0].hash().hex());
    }
    for test in test_stores().await {
        let dir = tempfile::tempdir().unwrap();
        let second = test.again().await.unwrap_or_else(|| test.store.clone());
        let now = Moment::now();
        let (one, two) =
            tokio::join!(start(&test.store, dir.path(), now), start(&second, dir.path(), now));
        one.unwrap();
        two.unwrap();
        let there = admins(&test.store).await;
        assert_eq!(there, [("admin".to_owned(), file(dir.path()).unwrap().hash().hex())]);
        assert_eq!(names(dir.path()), [FILE]);
    }
}

#[tokio::test]
async fn a_file_that_others_may_read_or_that_is_no_token_is_not_taken() {
    for store in test_stores().await {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let open = Secret::random(Kind::Token).unwrap();
        fs::write(&path, open.reveal()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        start(&store.store, dir.path(), Moment::now()).await.unwrap();
        assert_ne!(file(dir.path()).unwrap(), open);
        assert_eq!(names(dir.path()), [FILE, "admin-token.unused"]);
    }
    for store in test_stores().await {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), [0xff; 5000]).unwrap();
        start(&store.store, dir.path(), Moment::now()).await.unwrap();
        assert!(file(dir.path()).is_some());
    }
}

#[tokio::test]
async fn a_new_admin_token_ends_the_old_one() {
    for open in Open::all().await {
        let (dir, now) = (open.dir.path(), Moment::now());
        open.access.sign_in(&open.admin, crate::access::tests::HERE, now).await.unwrap();
        let path = renew(&open.store.store, dir, now).await.unwrap();
        assert_eq!(path, dir.join(FILE));
        let new = file(dir).unwrap();
        assert_ne!(new, open.admin);
        assert_eq!(admins(&open.store.store).await, [("admin".to_owned(), new.hash().hex())]);
        assert_eq!(names(dir), [FILE]);
        assert!(open.access.with(&new).await.is_ok(), "an unknown token makes it look");
        assert!(open.access.with(&open.admin).await.is_err());
        assert_eq!(open.access.counted()["sessions"], 0);
    }
}
