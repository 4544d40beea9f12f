mod past;

use super::*;
use std::os::unix::fs::PermissionsExt;

async fn meta(store: &Store, key: &str) -> Option<String> {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(key.to_owned())
        .fetch_optional(store.read())
        .await
        .unwrap()
}

fn put<'c>(c: &'c mut AnyConnection, key: &'c str) -> BoxFuture<'c, Result<(), Error>> {
    Box::pin(async move {
        sqlx::query("INSERT INTO meta (key, value) VALUES ($1, 'x')").bind(key).execute(c).await?;
        Ok(())
    })
}

#[tokio::test]
async fn a_write_happens_whole_or_not_at_all() {
    for test in test_stores().await {
        let store = &test.store;
        store.write(|c| put(c, "kept")).await.unwrap();
        let refused: Result<(), Error> = store
            .write(|c| {
                Box::pin(async move {
                    put(c, "half").await?;
                    Err(Error::Url("no".into()))
                })
            })
            .await;
        assert!(refused.is_err(), "{}", test.name);
        let mut dropped = store.begin().await.unwrap();
        put(dropped.connection(), "dropped").await.unwrap();
        drop(dropped);
        let test = test.reopen().await;
        assert_eq!(meta(&test.store, "kept").await.as_deref(), Some("x"), "{}", test.name);
        assert_eq!(meta(&test.store, "half").await, None, "{}", test.name);
        assert_eq!(meta(&test.store, "dropped").await, None, "{}", test.name);
    }
}

#[tokio::test]
async fn writers_take_turns() {
    for test in test_stores().await {
        let add = |_| {
            let store = test.store.clone();
            tokio::spawn(async move {
                let add = "UPDATE head SET seq = seq + 1";
                store
                    .write(|c| {
                        Box::pin(async move {
                            sqlx::query(add).execute(c).await?;
                            Ok::<_, Error>(())
                        })
                    })
                    .await
            })
        };
        for done in (0..50).map(add).collect::<Vec<_>>() {
            done.await.unwrap().unwrap();
        }
        let seq: i64 =
            sqlx::query_scalar("SELECT seq FROM head").fetch_one(test.store.read()).await.unwrap();
        assert_eq!(seq, 50, "{}", test.name);
    }
}

#[tokio::test]
async fn steps_are_taken_once_and_a_newer_store_is_left_alone() {
    for test in test_stores().await {
        let engine = test.store.engine();
        let run = |steps: &'static [&'static str]| {
            test.store.write(move |c| Box::pin(migrate::steps(c, engine, steps)))
        };
        let two: &[&str] = &["", "INSERT INTO meta (key, value) VALUES ('second', 'x');"];
        run(two).await.unwrap();
        run(two).await.unwrap();
        assert!(meta(&test.store, "second").await.is_some(), "{}", test.name);
        let newer = run(&[""]).await.unwrap_err();
        assert!(matches!(newer, Error::Newer { found: 2, known: 1 }), "{newer}");
    }
}

#[tokio::test]
async fn the_file_is_ours_alone() {
    let test = testing::sqlite().await;
    let path = test.store.url().trim_start_matches("sqlite:").to_owned();
    for name in [path.clone(), format!("{path}-wal")] {
        let mode = std::fs::metadata(&name).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let twice = Store::open(test.store.url()).await.unwrap_err();
    assert!(matches!(twice, Error::InUse(_)), "{twice}");
    for wrong in ["", "mysql://secret@x/y", "sqlite:", "/a/path"] {
        let error = Store::open(wrong).await.unwrap_err();
        assert!(matches!(&error, Error::Url(told) if !told.contains("secret")), "{wrong}: {error}");
    }
}
