//! The terminal as a screen: a thread of its own draws the dashboard and hears keys.

use std::io::{self, Stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ddsp_studio::Event;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    self, Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::dashboard::Dashboard;
use crate::interrupt;

/// Time between two pictures: quick enough for the eye, 1% of a processor.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Whether the terminal is in our hands.
static IS_OPEN: AtomicBool = AtomicBool::new(false);

/// The dashboard on the terminal that stderr is; dropping it gives the terminal back.
pub struct Screen {
    events: Option<Sender<Event>>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    ///
    /// If the terminal does not allow it; it is as before then.
    pub fn open(title: &str) -> io::Result<Self> {
        restore_on_panic();
        enable_raw_mode()?;
        IS_OPEN.store(true, Ordering::SeqCst);
        let opened = execute!(io::stderr(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stderr())));
        let terminal = opened.inspect_err(|_| restore())?;
        let (sender, receiver) = channel();
        let dashboard = Dashboard::new(title);
        let thread = thread::spawn(move || run(terminal, dashboard, &receiver));
        Ok(Self { events: Some(sender), thread: Some(thread) })
    }

    /// Shows an event.
    pub fn show(&self, event: Event) {
        if let Some(events) = &self.events {
            // A thread that is gone has given the terminal back; the work goes on without it.
            let _ = events.send(event);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.events.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        restore();
    }
}

/// Whether the terminal is taken over.
pub fn is_open() -> bool {
    IS_OPEN.load(Ordering::SeqCst)
}

/// Gives the terminal back, if it was taken; nothing that fails here could be told.
pub fn restore() {
    if IS_OPEN.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(io::stderr(), LeaveAlternateScreen, ratatui::crossterm::cursor::Show);
    }
}

/// A panic's message must not vanish with the screen that it was printed on.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            hook(panic);
        }));
    });
}

/// Draws and listens until the work hangs up, or the terminal fails.
fn run(
    mut terminal: Terminal<CrosstermBackend<Stderr>>,
    mut dashboard: Dashboard,
    events: &Receiver<Event>,
) {
    while is_open() {
        loop {
            match events.try_recv() {
                Ok(event) => dashboard.take(event),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        dashboard.set_stopping(interrupt::is_requested());
        if terminal.draw(|frame| dashboard.draw(frame)).is_err() {
            return;
        }
        match event::poll(DRAW_EVERY) {
            Ok(true) => hear(event::read()),
            Ok(false) => {}
            // A terminal that shows but does not listen.
            Err(_) => thread::sleep(DRAW_EVERY),
        }
    }
}

/// Ends the work gently at `q` or Ctrl-C, which the terminal hands over as a key.
fn hear(input: io::Result<Input>) {
    if let Ok(Input::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. })) = input {
        let is_interrupt = code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL);
        let is_quit = code == KeyCode::Char('q') && !interrupt::is_requested();
        if is_interrupt || is_quit {
            interrupt::request();
        }
    }
}
