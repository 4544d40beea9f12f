//! Several processes on one PostgreSQL.

use super::*;

/// A PostgreSQL and a second store on it; None without one.
async fn postgres() -> Option<(TestStore, Store)> {
    for test in test_stores().await {
        if let Some(other) = test.again().await {
            return Some((test, other));
        }
    }
    eprintln!("QAE_TEST_POSTGRES is not set: nothing tested");
    None
}

fn stamp(centre: &Centre, who: &'static str, n: usize) -> impl Future<Output = Answer> + use<> {
    let centre = centre.clone();
    let decide = move |w: &World| vec![app_named(&format!("{who}.{n}.{}", w.apps().count()))];
    async move { centre.change(origin(), decide).await }
}

#[tokio::test]
async fn two_processes_write_one_gapless_sequence() {
    let Some((test, other)) = postgres().await else { return };
    let (a, b) = (TestCentre::over(&test.store).await, TestCentre::over(&other).await);
    assert_eq!(a.centre.epoch(), b.centre.epoch());
    let bus = crate::bus::Bus::new(b.centre.clone());
    let mut answers = tokio::task::JoinSet::new();
    for n in 0..200 {
        answers.spawn(stamp(&a.centre, "a", n));
        answers.spawn(stamp(&b.centre, "b", n));
    }
    let mut seqs = Vec::new();
    while let Some(answer) = answers.join_next().await {
        seqs.extend(answer.unwrap().unwrap().iter().map(|e| e.seq));
    }
    seqs.sort_unstable();
    assert!(seqs.iter().copied().eq(1..=400));
    assert!(a.centre.reached(400).await && b.centre.reached(400).await);
    assert_eq!(a.centre.read(World::clone), b.centre.read(World::clone));
    // each decision saw all before it
    let events = a.centre.events_after(0, 1000).await.unwrap();
    for (n, event) in events.iter().enumerate() {
        assert!(event.subject.ends_with(&format!(".{n}")), "{} is event {}", event.subject, n + 1);
    }
    let of = |centre: &Centre| {
        let centre = centre.clone();
        async move {
            let told = centre.told_after(0, 1000).await.unwrap();
            told.iter().map(|t| t.frame.clone()).collect::<Vec<_>>()
        }
    };
    assert_eq!(of(&a.centre).await, of(&b.centre).await);
    drop(bus);
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn what_one_writes_the_other_tells_at_once() {
    let Some((test, other)) = postgres().await else { return };
    let (a, b) = (TestCentre::over(&test.store).await, TestCentre::over(&other).await);
    let mut seen = b.centre.watch();
    put(&a.centre, vec![app_named("a")]).await;
    tokio::time::timeout(Duration::from_secs(10), seen.wait_for(|s| *s == 1))
        .await
        .unwrap()
        .unwrap();
    // a cursor from there is not ahead here, even before it was heard of
    let head = put(&a.centre, vec![app_named("b"), app_named("c")]).await[1].seq;
    assert!(b.centre.reached(head).await);
    assert!(!b.centre.reached(head + 1).await);
    // nothing has to change, seen from the newest world
    assert_eq!(put(&b.centre, vec![app_named("c")]).await, []);
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_process_that_was_far_behind_begins_anew() {
    let Some((test, other)) = postgres().await else { return };
    let (a, b) = (TestCentre::over(&test.store).await, TestCentre::over(&other).await);
    // with all its connections taken, b cannot look
    let mut held = Vec::new();
    while held.len() < 10 {
        held.push(other.read().acquire().await.unwrap());
    }
    put(&a.centre, (0..50).map(|n| app_named(&format!("new{n}"))).collect()).await;
    a.centre.forget_before(40).await;
    drop(held);
    eventually(|| b.centre.head().seq == 50).await;
    assert_eq!(b.centre.counts().others.load(Ordering::Relaxed), 0, "not event by event");
    assert_eq!(b.centre.oldest(), 40);
    assert!(matches!(b.centre.told_after(38, 9).await, Err(Error::TooOld { oldest: 40 })));
    put(&b.centre, vec![app_named("last")]).await;
    assert!(a.centre.reached(51).await);
    assert_eq!(a.centre.read(World::clone), b.centre.read(World::clone));
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_lease_has_one_holder_and_goes_on_to_the_next() {
    let Some((test, other)) = postgres().await else { return };
    let (a, b) = (TestCentre::over(&test.store).await, TestCentre::over(&other).await);
    let (mut first, mut second) = (a.centre.lease("marathon/x"), b.centre.lease("marathon/x"));
    let wait = Duration::from_secs(10);
    tokio::time::timeout(wait, async {
        tokio::select! { () = first.acquired() => {}, () = second.acquired() => {} }
    })
    .await
    .unwrap();
    assert!(first.held() != second.held());
    let (holder, mut lost, mut next) =
        if first.held() { (a, first, second) } else { (b, second, first) };
    holder.end().await;
    tokio::time::timeout(wait, lost.lost()).await.unwrap();
    tokio::time::timeout(wait, next.acquired()).await.unwrap();
    assert!(!lost.held() && next.held());
}

#[tokio::test]
async fn a_killed_connection_leaves_no_half_and_the_writer_goes_on() {
    let Some((test, other)) = postgres().await else { return };
    let a = TestCentre::over(&test.store).await;
    let kill = "SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE pid <> pg_backend_pid() AND query LIKE '%INSERT INTO events%') AS killed";
    let (mut stored, mut failed, mut killed) = (0, 0, 0);
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut n = 0;
    while killed < 3 && tokio::time::Instant::now() < end {
        let apps: Vec<_> = (0..400).map(|m| app_named(&format!("a{n}.{m}"))).collect();
        n += 1;
        let centre = a.centre.clone();
        let change =
            tokio::spawn(async move { centre.change(origin(), move |_| apps.clone()).await });
        while !change.is_finished() {
            let count: i64 = sqlx::query_scalar(kill).fetch_one(other.read()).await.unwrap();
            killed += count;
        }
        match change.await.unwrap() {
            Ok(events) => stored += events.len(),
            Err(Error::Store(_) | Error::Unknown(_)) => failed += 1,
            Err(e) => panic!("{e}"),
        }
    }
    assert!(killed > 0);
    eventually(|| a.centre.healthy().is_ok()).await;
    put(&a.centre, vec![app_named("last")]).await;
    let head = a.centre.head().seq;
    let events = a.centre.events_after(0, 100_000).await.unwrap();
    assert!(events.iter().map(|e| e.seq).eq(1..=head), "killed {killed}, failed {failed}");
    assert_eq!(usize::try_from(head).unwrap(), stored + 1, "killed {killed}, failed {failed}");
    let b = TestCentre::over(&other).await;
    assert_eq!(a.centre.read(World::clone), b.centre.read(World::clone));
    a.end().await;
    b.end().await;
}

/// What a way to the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Breaks once a commit was sent, before its answer comes back; then it is open again.
    Breaking,
    /// Carries nothing more, without a word: connections of now never work again.
    Frozen,
}

/// A way to the server of `store`: the store's URL through it, and what says what it does.
async fn way(url: &str) -> (String, watch::Sender<Way>) {
    let (user, rest) = url.split_once('@').unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = format!("{user}@{}/{path}", listener.local_addr().unwrap());
    let (way, host) = (watch::Sender::new(Way::Open), host.to_owned());
    let says = way.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::TcpStream::connect(&host).await.unwrap();
            tokio::spawn(carry(client, server, says.clone()));
        }
    });
    (through, way)
}

async fn carry(
    mut client: tokio::net::TcpStream,
    mut server: tokio::net::TcpStream,
    way: watch::Sender<Way>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut up, mut down, mut says) = (vec![0; 1 << 16], vec![0; 1 << 16], way.subscribe());
    loop {
        tokio::select! {
            biased;
            () = async { drop(says.wait_for(|way| *way == Way::Frozen).await) } => std::future::pending().await,
            Ok(n @ 1..) = client.read(&mut up) => {
                server.write_all(&up[..n]).await.unwrap();
                let commit = up[..n].windows(7).any(|w| w == b"COMMIT\0");
                if commit && *way.borrow() == Way::Breaking {
                    way.send_replace(Way::Open);
                    // the server's answer comes, and goes nowhere
                    assert!(server.read(&mut down).await.unwrap() > 0);
                    return;
                }
            }
            Ok(n @ 1..) = server.read(&mut down) => {
                if client.write_all(&down[..n]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_known_to_have_happened() {
    let Some((test, _)) = postgres().await else { return };
    let (url, way) = way(test.store.url()).await;
    let store = Store::open(&url).await.unwrap();
    let a = TestCentre::over(&store).await;
    put(&a.centre, vec![app_named("a")]).await;
    way.send_replace(Way::Breaking);
    let events = put(&a.centre, vec![app_named("b")]).await;
    assert_eq!((events[0].seq, *way.borrow()), (2, Way::Open));
    assert_eq!(put(&a.centre, vec![app_named("b"), app_named("c")]).await[0].seq, 3);
    assert_eq!(a.centre.read(|w| w.apps().count()), 3);
    assert_eq!(a.centre.healthy(), Ok(()));
    a.end().await;
}

#[tokio::test]
async fn a_server_that_vanishes_without_a_word_is_an_error_and_passes() {
    let Some((test, _)) = postgres().await else { return };
    let (url, way) = way(test.store.url()).await;
    let store = crate::store::impatient(&url).await;
    let a = TestCentre::over(&store).await;
    put(&a.centre, vec![app_named("a")]).await;
    way.send_replace(Way::Frozen);
    for n in 0..3 {
        let app = app_named(&format!("b{n}"));
        let asked = a.centre.change(origin(), move |_| vec![app.clone()]);
        let answer = tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap();
        assert!(matches!(answer, Err(Error::Slow(_) | Error::Store(_))), "{answer:?}");
        assert!(a.centre.healthy().is_err());
    }
    assert_eq!(a.centre.read(|w| w.apps().count()), 1);
    way.send_replace(Way::Open);
    eventually(|| a.centre.healthy().is_ok()).await;
    assert_eq!(put(&a.centre, vec![app_named("b")]).await[0].seq, 2);
    a.end().await;
}
