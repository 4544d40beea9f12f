use super::*;
use common::ticket::{Keys, Right, verify};

fn ticket(lives: Duration) -> NewTicket {
    NewTicket {
        subject: "video/api".into(),
        instances: vec!["c/a.1".into(), "c/a.2".into()],
        files: "**/*.log".into(),
        rights: vec![Right::Read],
        lives,
    }
}

#[tokio::test]
async fn tickets_hold_what_was_asked_and_end_with_the_asker() {
    for open in Open::all().await {
        let now = Moment::now();
        let ada = open.make(json!({"name": "ada", "role": "viewer", "expires_in": "10m"})).await;
        let caller = open.access.with(&ada.secret).await.unwrap();
        let asked = ticket(Duration::from_secs(60));
        let signed = open.access.make_ticket(&caller, asked, None, now).await.unwrap();
        let keys = Keys::new(&open.access.public_keys(now)).unwrap();
        let read = verify(&signed.ticket, &keys, now).unwrap();
        assert_eq!((read.user.as_str(), read.id.as_str()), ("user:ada", signed.id.as_str()));
        assert_eq!(read.expires, now.after(Duration::from_secs(60)));
        assert!(read.covers("c/a.1") && read.covers("c/a.2"));
        let second = verify(&signed.each[1], &keys, now).unwrap();
        assert!(second.covers("c/a.2") && !second.covers("c/a.1"));

        let asked = ticket(Duration::from_secs(1_000_000));
        let long = open.access.make_ticket(&caller, asked, None, now).await.unwrap();
        assert_eq!(Some(long.expires), caller.expires);
        let admin = open.admin().await;
        let asked = ticket(Duration::from_secs(1_000_000));
        let long = open.access.make_ticket(&admin, asked, None, now).await.unwrap();
        assert_eq!(long.expires, now.after(Duration::from_secs(12 * 3600)));

        let instances = (0..501).map(|n| format!("c/{n}")).collect();
        let many = NewTicket { instances, ..ticket(Duration::from_secs(60)) };
        let refused = open.access.make_ticket(&caller, many, None, now).await.unwrap_err();
        assert_eq!(code_of(refused), "ticket_too_large");
        let node = open.make(json!({"name": "n", "role": "node", "node": "h"})).await;
        let node = open.access.with(&node.secret).await.unwrap();
        let asked = ticket(Duration::from_secs(60));
        let refused = open.access.make_ticket(&node, asked, None, now).await.unwrap_err();
        assert_eq!(code_of(refused), "role_needed");
    }
}

#[tokio::test]
async fn keys_survive_a_restart_and_rotate() {
    for open in Open::all().await {
        let (admin, now) = (open.admin().await, Moment::now());
        let first = open.access.public_keys(now);
        let asked = ticket(Duration::from_secs(600));
        let old = open.access.make_ticket(&admin, asked, None, now).await.unwrap();
        let keys = open.access.rotate_key(&admin, None, IfMatch::default(), now).await.unwrap();
        assert_eq!((keys.len(), &keys[1]), (2, &first[0]));
        let asked = ticket(Duration::from_secs(600));
        let new = open.access.make_ticket(&admin, asked, None, now).await.unwrap();
        assert!(new.ticket.contains(&keys[0].kid) && old.ticket.contains(&keys[1].kid));
        let known = Keys::new(&keys).unwrap();
        verify(&old.ticket, &known, now).unwrap();
        verify(&new.ticket, &known, now).unwrap();

        let Open { access, dir, store, stop, tasks, .. } = open;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        drop(access);
        let store = store.reopen().await;
        let again = Access::open(store.store.clone(), dir.path(), &tasks, stop).await.unwrap();
        assert_eq!(again.public_keys(now), keys);
    }
}
