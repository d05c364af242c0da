use super::*;
use crate::protocol::testing::{leaked_space, start};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

fn auth() -> Arc<BasicAuth> {
    let hash = bcrypt::hash("rahasia", 4).unwrap();
    Arc::new(BasicAuth::new(Htpasswd::parse(&format!("budi:{hash}\n")).unwrap()))
}

fn judge(auth: &Arc<BasicAuth>, login: &str, client: u8, verified: Option<bool>, now: &Now) -> Verdict {
    let encoded = BASE64_STANDARD.encode(login);
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {encoded}\r\n\r\n");
    let head = RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap();
    BasicAuth::judge(auth, &head, IpAddr::from([192, 0, 2, client]), verified, now)
}

fn wanted(auth: &Arc<BasicAuth>, login: &str, client: u8, now: &Now) -> PasswordCheck {
    match judge(auth, login, client, None, now) {
        Verdict::Verify(check) => check,
        other => panic!("{other:?}"),
    }
}

#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Verifies what waits, and ends.
fn verify_all(auth: &BasicAuth) {
    auth.close();
    auth.verify();
}

#[test]
fn a_password_is_verified_once_and_then_remembered() {
    for (login, is_right) in [("budi:rahasia", true), ("budi:salah", false), ("ani:rahasia", false)] {
        let (auth, now, calls) = (auth(), start(), Arc::new(Calls::default()));
        let mut check = wanted(&auth, login, 1, &now);
        assert!(check.is_due());
        assert_eq!(check.advance(&now, || Arc::clone(&calls).into()), Progress::Waiting);
        assert!(!check.is_due());
        assert_eq!(check.advance(&now, || unreachable!()), Progress::Waiting);
        verify_all(&auth);
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
        assert!(check.is_due());
        assert_eq!(check.advance(&now, || unreachable!()), Progress::Verified(is_right));
        let shown = |verdict| match verdict {
            Verdict::Pass(Some(login)) => String::from_utf8_lossy(login.user()).into_owned(),
            Verdict::Refused(refused) => refused.refusal.status.to_string(),
            other => panic!("{other:?}"),
        };
        let wanted = if is_right { "budi" } else { "401" };
        assert_eq!(
            shown(judge(&auth, login, 1, Some(is_right), &now)),
            wanted,
            "the same request, judged again"
        );
        assert_eq!(shown(judge(&auth, login, 2, None, &now.after(REMEMBERED / 2))), wanted, "a later one");
        assert!(matches!(judge(&auth, login, 2, None, &now.after(REMEMBERED)), Verdict::Verify(_)));
    }
}

#[test]
fn at_most_so_many_wait_and_of_one_client_fewer() {
    let (auth, now) = (auth(), start());
    let mut held = Vec::new();
    let mut submit = |client: u8| {
        let mut check = wanted(&auth, &format!("a:{}", held.len()), client, &now);
        let progress = check.advance(&now, || Waker::noop().clone());
        held.push(check);
        progress
    };
    let busy = Progress::Refused(BUSY);
    for _ in 0..PENDING_PER_CLIENT_MAX {
        assert_eq!(submit(1), Progress::Waiting);
    }
    assert_eq!(submit(1), busy);
    for number in PENDING_PER_CLIENT_MAX..PENDING_MAX {
        assert_eq!(submit(10 + u8::try_from(number).unwrap()), Progress::Waiting);
    }
    assert_eq!(submit(200), busy);
    // Those who leave make room.
    held.truncate(1);
    assert_eq!(wanted(&auth, "b:1", 200, &now).advance(&now, || Waker::noop().clone()), Progress::Waiting);
    assert!(auth.verifications.waiting() <= 2);
}

#[test]
fn without_a_password_there_is_a_401_that_asks_for_one() {
    let (auth, now) = (auth(), start());
    let head = RequestHead::parse(b"GET / HTTP/1.0\r\n\r\n", leaked_space()).unwrap().unwrap();
    let verdict = BasicAuth::judge(&auth, &head, IpAddr::from([192, 0, 2, 1]), None, &now);
    let Verdict::Refused(refused) = verdict else { panic!("{verdict:?}") };
    assert_eq!((refused.refusal.status, refused.refusal.field), (401, Some(ExtraField::Authenticate)));
}
