//! What registries warn of is in the log, once, and changes nothing.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::{Answer, Asked, clients, index, lab};

/// A log that is kept.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what this thread logs, as long as the guard lives.
    pub(crate) fn kept() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(false)
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines that hold this.
    pub(crate) fn lines_with(&self, words: &str) -> Vec<String> {
        let log = self.0.lock().expect("no test panics in there");
        let log = String::from_utf8_lossy(&log).into_owned();
        let lines = log.lines().filter(|it| it.contains(words));
        lines.map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no test panics in there")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_registry_warns_of_is_logged_once_and_changes_nothing() {
    let (log, _guard) = Log::kept();
    let script = |asked: &Asked| {
        let warned = match asked.target.ends_with("v1") {
            true => Answer::manifest(&index()),
            false => Answer::error(403, "DENIED"),
        };
        warned.with(
            "warning",
            "299 - \"this registry\tends in May\", 299 - \"and that is that\"",
        )
    };
    let (clients, _, at) = lab(script).await;
    for _ in 0..3 {
        let head = clients.registries.head_now(&at, "v1").await;
        assert!(head.expect("it is there").is_some());
    }
    assert!(clients.registries.head_now(&at, "v2").await.is_err());
    let lines = log.lines_with("a registry warns");
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("this registry ends in May"), "{lines:#?}");
    assert!(
        lines[0].contains(&at.site.host) && lines[0].contains("WARN"),
        "{lines:#?}"
    );
    assert!(lines[1].contains("and that is that"), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_warning_that_repeats_a_secret_does_not_show_it() {
    let (log, _guard) = Log::kept();
    let script = |asked: &Asked| match asked.header("authorization") {
        "" => Answer::error(401, "UNAUTHORIZED").with("www-authenticate", "Basic"),
        sent => Answer::manifest(&index()).with(
            "warning",
            &format!("299 - \"{sent} and hunter2-password end\""),
        ),
    };
    let server = super::Server::new(script).await;
    let at = server.location_with_login("example/app");
    let known = clients(&[
        ("RECONCILE_USER_X", "u"),
        ("RECONCILE_PASSWORD_X", "hunter2-password"),
    ]);
    let head = known.registries.head_now(&at, "v1").await;
    assert!(head.expect("it is there").is_some());
    let lines = log.lines_with("a registry warns");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("Basic *** and *** end"), "{lines:#?}");
}
