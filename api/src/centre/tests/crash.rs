//! Ends in the middle of something.

use super::*;

/// A runtime that is dropped at any moment, with all tasks in it, is as near to a kill as one process can play.
#[test]
fn a_kill_at_any_moment_leaves_whole_transactions() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("qae.db").display());
    let mut answered = 0;
    for round in 0..12_u64 {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let last = Arc::new(AtomicU64::new(0));
        let opened = runtime.block_on(async {
            let store = Store::open(&url).await.unwrap();
            check(&store, answered).await;
            TestCentre::over(&store).await
        });
        let (centre, heard) = (opened.centre.clone(), Arc::clone(&last));
        runtime.spawn(async move {
            for n in 0.. {
                let apps: Vec<_> =
                    (0..50).map(|m| app_named(&format!("r{round}.{n}.{m}"))).collect();
                match centre.change(origin(), move |_| apps.clone()).await {
                    Ok(events) => heard.store(events[49].seq, Ordering::Relaxed),
                    Err(_) => return,
                }
            }
        });
        // a different moment each time, after at least one answer
        let begun = std::time::Instant::now();
        while last.load(Ordering::Relaxed) == 0
            || begun.elapsed().as_micros() < u128::from(round) * 3_333
        {
            std::thread::yield_now();
        }
        drop(opened);
        runtime.shutdown_timeout(Duration::from_secs(10));
        answered = last.load(Ordering::Relaxed);
    }
}

/// Every event of whole transactions, and exactly the state that they make.
async fn check(store: &Store, answered: u64) {
    let t = TestCentre::over(store).await;
    let head = t.centre.head();
    assert!(head.seq >= answered && head.seq % 50 == 0, "head {} answered {answered}", head.seq);
    let mut world = World::new(Cursor { epoch: head.epoch.clone(), seq: 0 });
    for event in t.centre.events_after(0, 1_000_000).await.unwrap() {
        world.apply(&event);
    }
    assert_eq!(world, t.centre.read(World::clone));
    t.end().await;
}

#[tokio::test]
async fn whoever_stops_waiting_stops_nothing() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let asked = t.centre.change(origin(), |_| vec![app_named("a")]);
        // polled once: it waits in the queue, then its caller goes
        let mut asked = Box::pin(asked);
        assert!(futures_util::poll!(&mut asked).is_pending());
        drop(asked);
        eventually(|| t.centre.head().seq == 1).await;
        t.end().await;
    }
}

#[tokio::test]
async fn what_waits_at_the_stop_is_still_done() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let centre = t.centre.clone();
        let ask = |n| {
            let centre = centre.clone();
            let app = app_named(&format!("a{n}"));
            async move { centre.change(origin(), move |_| vec![app.clone()]).await }
        };
        let mut asked: Vec<_> = (0..20).map(|n| Box::pin(ask(n))).collect();
        for asked in &mut asked {
            assert!(futures_util::poll!(asked).is_pending());
        }
        t.end().await;
        for asked in asked {
            assert_eq!(asked.await.unwrap().len(), 1, "{}", test.name);
        }
        assert!(matches!(ask(99).await, Err(Error::Stopping)));
        assert!(centre.healthy().is_err());
    }
}
