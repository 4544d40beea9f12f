//! The terminal: taken, drawn on, and always given back: by `Drop`, which also runs when a stop or an error ends the view, and before
//! a panic prints its message.

use super::render::{Line, Tone};
use crossterm::event::{self, Event};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{cursor, execute, queue};
use std::io::{self, Write, stdout};
use std::sync::Once;
use std::time::Duration;
use tokio::sync::mpsc;

/// The terminal while it is ours.
#[derive(Debug)]
pub struct Screen(());

impl Screen {
    /// Takes it: no echo, no line editing, the other screen.
    pub fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let printing = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                printing(panic);
            }));
        });
        enable_raw_mode()?;
        let screen = Self(());
        execute!(stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    /// Columns and lines.
    pub fn size(&self) -> (usize, usize) {
        let (columns, lines) = size().unwrap_or((80, 24));
        (usize::from(columns), usize::from(lines))
    }

    /// Draws all lines, from the top.
    pub fn draw(&self, lines: &[Line]) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(64 * 1024, stdout().lock());
        queue!(out, BeginSynchronizedUpdate, cursor::MoveTo(0, 0))?;
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                queue!(out, Print("\r\n"))?;
            }
            match line.tone {
                Tone::Plain => {}
                Tone::Heading => queue!(out, SetAttribute(Attribute::Reverse))?,
                Tone::Alarm => queue!(out, SetForegroundColor(Color::Red))?,
                Tone::Dim => queue!(out, SetAttribute(Attribute::Dim))?,
            }
            queue!(
                out,
                Print(&line.text),
                SetAttribute(Attribute::Reset),
                ResetColor,
                Clear(ClearType::UntilNewLine)
            )?;
        }
        queue!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Harmless when the terminal is not taken.
fn restore() {
    if crossterm::terminal::is_raw_mode_enabled().unwrap_or(true) {
        // a terminal that is gone need not be restored
        drop(execute!(stdout(), LeaveAlternateScreen, cursor::Show));
        drop(disable_raw_mode());
    }
}

/// Keys and changes of size, read by a thread of their own, which ends when the receiver is dropped.
pub fn events() -> mpsc::Receiver<Event> {
    let (to, from) = mpsc::channel(16);
    std::thread::spawn(move || {
        while !to.is_closed() {
            // the pause between two looks at the receiver
            match event::poll(Duration::from_millis(200)) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(_) => return,
            }
            match event::read() {
                Ok(event) if to.blocking_send(event).is_ok() => {}
                _ => return,
            }
        }
    });
    from
}
