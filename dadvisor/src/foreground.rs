//! The daemon and its live view in one process (`--top`): log lines wait while the view has the terminal, `q` stops both.

use crate::args::{Args, Sort};
use crate::config::Config;
use crate::top::client::Client;
use crate::top::keys::View;
use crate::top::live;
use common::logging::Kept;
use common::stop::Stop;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The terminal, if the view is to have it.
pub struct Screen(Option<Arc<Kept>>);

/// As the command line asks, and only if stdout is a terminal.
pub fn wanted(args: &Args) -> Screen {
    Screen((args.top && std::io::stdout().is_terminal()).then(Arc::default))
}

impl Screen {
    /// The stop as the daemon is to see it: a SIGHUP of the terminal that has the view means that whoever looked at it is gone. It ends
    /// both, and nothing is read again.
    pub fn hangup(&self, stop: Stop) -> Stop {
        if self.0.is_none() {
            return stop;
        }
        let Stop { token, reload } = stop;
        let shown = token.clone();
        tokio::spawn(async move {
            reload.notified().await;
            shown.cancel();
        });
        Stop { token, reload: Arc::default() }
    }

    /// Where log lines are to wait.
    pub fn kept(&self) -> Option<Arc<Kept>> {
        self.0.clone()
    }

    /// Shows the view of the daemon at `address`; its end stops the daemon, and the other way round.
    pub fn open(
        self,
        address: SocketAddr,
        config: &Config,
        stop: &Stop,
    ) -> Result<Open, crate::top::client::Error> {
        let Some(kept) = self.0 else { return Ok(Open(None)) };
        let client = Client::at(address, config)?;
        let token = stop.token.clone();
        let shown = token.clone();
        let task = tokio::spawn(async move {
            let view = View { sort: Sort::Cpu, ..View::default() };
            let ended = live(client, view, shown.clone()).await;
            eprint!("{}", kept.release());
            if let Err(error) = ended {
                tracing::error!(error = &*error, "the live view ended");
            }
            shown.cancel();
        });
        Ok(Open(Some((task, token))))
    }
}

/// The view while it is shown.
pub struct Open(Option<(JoinHandle<()>, CancellationToken)>);

impl Open {
    /// Ends it, and waits until the terminal is given back.
    pub async fn close(self) {
        let Some((task, token)) = self.0 else { return };
        token.cancel();
        if let Err(error) = task.await {
            tracing::error!(%error, "the live view broke");
        }
    }
}
