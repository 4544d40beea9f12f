//! The side of an HTTP connection that moves bytes, driven by whoever waits for an answer: no task of its own, so it ends when it is dropped.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

/// Nothing moves but in [`Connection::during`].
pub(super) struct Connection(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

impl Connection {
    pub(super) fn new(driver: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Self {
        Self(Some(Box::pin(driver)))
    }

    /// Waits for what travels over the connection. When the far side closes it, what has arrived is still handed out; a failure is that
    /// of the request or body too. Cancel safe if `work` is.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            let driven = self.0.as_mut().map(|driver| driver.as_mut().poll(context));
            let Some(Poll::Ready(ended)) = driven else { return Poll::Pending };
            if let Err(cause) = ended {
                tracing::trace!(%cause, "connection ended");
            }
            self.0 = None;
            work.as_mut().poll(context)
        })
        .await
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Connection(open)" } else { "Connection(closed)" })
    }
}
