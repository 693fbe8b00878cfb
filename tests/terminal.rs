//! The view in a real terminal: every key, other sizes, stop and go on, signals, a terminal that goes away; and that
//! the terminal is afterwards what it was before.
//!
//! Without tmux a test is skipped, as are those that count where BPF programs cannot be loaded.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use flowtop::tui::screen::Screen;
use flowtop_view::state::input::Key;
use flowtop_view::state::keys::{Action, Binding, TABLE};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

mod input;
mod replay;
mod tmux;
use crate::tools;
use tmux::Terminal;

const FLOWTOP: &str = env!("CARGO_BIN_EXE_flowtop");
const SIZE: (u16, u16) = (100, 30);

/// A terminal with the demo in it, and the modes it had before.
fn demo(test: &str) -> Option<(Terminal, String)> {
    let mut terminal = Terminal::open(test, SIZE)?;
    let before = terminal.modes();
    terminal.run(&format!("{FLOWTOP} --demo --theme mono; echo code=$?"));
    // The first frame has no rows yet.
    terminal.wait(|screen| is_drawn(screen) && screen.contains("=>"));
    Some((terminal, before))
}

/// The footer is the last thing on a screen.
fn is_drawn(screen: &str) -> bool {
    screen.lines().last().is_some_and(|line| line.starts_with("TOTAL:"))
}

fn signal(terminal: &Terminal, signal: Signal) {
    kill_process(Pid::from_raw(terminal.child()).unwrap(), signal).unwrap();
}

/// The terminal is as it was: modes, main screen, cursor, no mouse, and pasted text is as if it had been typed.
fn assert_restored(terminal: &mut Terminal, before: &str) {
    let flags = ["alternate_on", "cursor_flag", "mouse_any_flag"].map(|name| terminal.flag(name));
    assert_eq!(flags, ["0", "1", "0"]);
    assert_eq!(terminal.modes(), before);
    assert_eq!(terminal.pasted("plain"), "plain");
}

/// The name of a key for `tmux send-keys`.
fn name(key: Key) -> String {
    match key {
        Key::Char(' ') => "Space".to_owned(),
        Key::Char(c) => c.to_string(),
        Key::Ctrl(c) => format!("C-{c}"),
        Key::Esc => "Escape".to_owned(),
        Key::BackTab => "BTab".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Presses every key of the table that does not end or stop the program, and waits for what it shows.
fn press_every_key(terminal: &Terminal) {
    let is_safe =
        |binding: &&Binding| !matches!(binding.action, Action::Quit | Action::Suspend | Action::Replay(_));
    for binding in TABLE.iter().filter(is_safe) {
        for key in binding.keys {
            terminal.press(&[&name(*key)]);
            let label = match binding.action {
                Action::Filter => "Net filter>",
                Action::ScreenFilter => "Screen filter>",
                Action::Search => "Search>",
                Action::Threshold => "Hide rows below",
                Action::Save => "Save to",
                Action::Help => "flowtop, version",
                Action::Detail => "sent 10 min",
                _ => "",
            };
            if !label.is_empty() {
                terminal.wait_for(label);
                terminal.press(&["Escape"]);
                terminal.wait(|screen| !screen.contains(label));
            }
            if !binding.messages.is_empty() {
                terminal.wait(|screen| binding.messages.iter().any(|message| screen.contains(message)));
            }
        }
    }
}

/// A log has the reports; who waits for the only one sees how long that takes.
#[test]
fn a_long_report_has_a_line_of_progress_where_somebody_looks() {
    let Some(terminal) = Terminal::open("progress", SIZE) else { return };
    let report = format!("{FLOWTOP} -t --demo -s 1000");
    terminal.run(&format!("{report} >log; echo code=$?"));
    terminal.wait(|screen| screen.contains("flowtop: 1000 s left") || screen.contains("flowtop: 999 s left"));
    terminal.press(&["C-c"]);
    let screen = terminal.wait(|screen| screen.contains("code=0"));
    assert!(!screen.contains("s left"), "{screen}");
    terminal.run("clear; tail -2 log");
    terminal.wait(|screen| screen.contains(&"=".repeat(92)));
    terminal
        .run(&format!("clear; {report} >log 2>said & while ! grep making said; do :; done; kill $!; wait"));
    terminal.run("grep -c left said; echo code=$?");
    let screen = terminal.wait(|screen| screen.contains("code=1"));
    assert!(!screen.contains("s left"), "{screen}");
}

#[test]
fn every_key_then_quit_leaves_the_terminal_as_it_was() {
    let Some((mut terminal, before)) = demo("keys") else { return };
    press_every_key(&terminal);
    terminal.press(&["q"]);
    terminal.wait_for("code=0");
    assert_restored(&mut terminal, &before);
}

#[test]
fn a_tiny_terminal_gets_a_hint_and_a_large_one_the_view_again() {
    let Some((mut terminal, before)) = demo("resize") else { return };
    for (width, height, hint) in [(20, 5, "too small"), (1, 1, ""), (29, 8, "too small")] {
        terminal.resize(width, height);
        terminal.wait(|screen| screen.contains(hint) && !screen.contains("TOTAL"));
        terminal.resize(SIZE.0, SIZE.1);
        terminal.wait(is_drawn);
    }
    terminal.press(&["C-c"]);
    terminal.wait_for("code=0");
    assert_restored(&mut terminal, &before);
}

#[test]
fn stopped_it_gives_the_terminal_back_and_goes_on_where_it_was() {
    let Some((mut terminal, before)) = demo("stop") else { return };
    for round in 0..2 {
        if round == 0 {
            terminal.press(&["C-z"]);
        } else {
            signal(&terminal, Signal::TSTP);
        }
        terminal.wait(|screen| screen.contains("Stopped") && !is_drawn(screen));
        assert_restored(&mut terminal, &before);
        terminal.run("clear; fg");
        terminal.wait(is_drawn);
        assert_eq!(terminal.flag("alternate_on"), "1");
        terminal.press(&["h"]);
        terminal.wait_for("flowtop, version");
        terminal.press(&["h"]);
        terminal.wait(is_drawn);
    }
    terminal.press(&["q"]);
    terminal.wait(|screen| !is_drawn(screen));
    assert_restored(&mut terminal, &before);
}

#[test]
fn signals_that_end_it_leave_the_terminal_as_it_was() {
    let Some(mut terminal) = Terminal::open("signals", SIZE) else { return };
    let before = terminal.modes();
    for (number, ending) in [Signal::TERM, Signal::HUP, Signal::INT].into_iter().enumerate() {
        terminal.run(&format!("{FLOWTOP} --demo; echo ended{number}=$?"));
        terminal.wait(is_drawn);
        signal(&terminal, ending);
        terminal.wait_for(&format!("ended{number}=0"));
        assert_restored(&mut terminal, &before);
    }
}

#[test]
fn an_error_is_told_on_the_terminal_as_it_was() {
    let Some(mut terminal) = Terminal::open("error", SIZE) else { return };
    let before = terminal.modes();
    for (flags, code, error) in [
        ("--demo --interval 60", 2, "flowtop: --interval: a screen is refreshed every 0.5 to 10 seconds"),
        ("--demo -i nosuch", 1, "flowtop: there is no interface \"nosuch\""),
    ] {
        terminal.run(&format!("clear; {FLOWTOP} {flags}; echo code=$?"));
        terminal.wait_for(error);
        terminal.wait_for(&format!("code={code}"));
    }
    assert_restored(&mut terminal, &before);
}

/// Set for the process that the next test starts.
const PANIC: &str = "FLOWTOP_TEST_PANIC";

#[test]
fn a_panic_is_told_on_the_terminal_as_it_was() {
    if std::env::var_os(PANIC).is_some() {
        let _screen = Screen::open().unwrap();
        panic!("while the terminal is taken");
    }
    let Some(mut terminal) = Terminal::open("panic", SIZE) else { return };
    let before = terminal.modes();
    let own = std::env::current_exe().unwrap();
    let test = "terminal::a_panic_is_told_on_the_terminal_as_it_was";
    terminal.run(&format!("{PANIC}=1 {} --exact {test} --nocapture; echo code=$?", own.display()));
    terminal.wait_for("while the terminal is taken");
    terminal.wait_for("code=101");
    assert_restored(&mut terminal, &before);
}

#[test]
fn a_terminal_that_goes_away_ends_the_program() {
    // A shell that ignores SIGHUP starts programs that do.
    for (test, trap) in [("gone", ""), ("gone-unheard", "trap '' HUP; ")] {
        let Some(terminal) = Terminal::open(test, SIZE) else { return };
        terminal.run(&format!("{trap}{FLOWTOP} --demo"));
        terminal.wait(is_drawn);
        let process = Pid::from_raw(terminal.child()).unwrap();
        // Opened before, so that the number stays that of this process.
        let process = pidfd_open(process, PidfdFlags::empty()).unwrap();
        terminal.close();
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&AT_MOST)).unwrap();
        assert_eq!(ended, 1, "{test}: it is still there");
    }
}

/// Long enough for a busy machine.
const AT_MOST: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

#[test]
fn what_is_shown_is_saved_as_text_and_as_json() {
    let Some((mut terminal, before)) = demo("save") else { return };
    for (file, part) in [("screen.txt", "TOTAL:"), ("screen.json", "\"rows_are\": \"flows\"")] {
        terminal.press(&["w"]);
        terminal.wait_for("Save to");
        terminal.press(&["C-u"]);
        terminal.enter(file);
        terminal.press(&["Enter"]);
        terminal.wait_for(&format!("Saved to {file}"));
        let text = std::fs::read_to_string(terminal.folder().join(file)).unwrap();
        assert!(text.contains(part), "{text}");
    }
    terminal.press(&["w", "C-u"]);
    terminal.enter("screen.txt");
    terminal.press(&["Enter"]);
    terminal.wait_for("screen.txt exists; take another name");
    // At once they would be Alt with Q.
    terminal.press(&["Escape"]);
    terminal.wait(|screen| !screen.contains("Save to"));
    terminal.press(&["q"]);
    terminal.wait_for("code=0");
    assert_restored(&mut terminal, &before);
}

#[test]
fn a_filter_that_is_wrong_is_told_and_one_that_is_right_holds() {
    let Some((terminal, _)) = demo("filter") else { return };
    terminal.press(&["f"]);
    terminal.enter("port http or");
    terminal.press(&["Enter"]);
    let screen = terminal
        .wait(|screen| screen.lines().nth(1).is_some_and(|line| line.contains("an expression is missing")));
    assert!(screen.starts_with("Net filter> port http or"), "{screen}");
    terminal.press(&["C-u"]);
    terminal.enter("port 873");
    terminal.press(&["Enter"]);
    terminal.wait_for("filter port 873");
    terminal.wait_for("hidden by filter");
}

/// Bytes go round on loopback until the value is dropped.
struct Traffic {
    port: u16,
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Traffic {
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let (mut server, _) = listener.accept()?;
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stop);
        let sender = thread::spawn(move || {
            while !theirs.load(Ordering::Relaxed) && client.write_all(&[7; 4096]).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let receiver = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while server.read(&mut bytes).is_ok_and(|n| n > 0) {}
        });
        Ok(Self { port, stop, threads: vec![sender, receiver] })
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_signal_or_q_while_the_hooks_load_leaves_the_terminal_as_it_was() {
    let test = "loading";
    if !tools::can_count() {
        return;
    }
    let Some(mut terminal) = Terminal::open(test, SIZE) else { return };
    let before = terminal.modes();
    for number in 0..2 {
        terminal.run(&format!("{FLOWTOP} -n; echo ended{number}=$?"));
        // The first frame, or a later one where this looks too late.
        terminal.wait_for("TOTAL:");
        if number == 0 {
            signal(&terminal, Signal::TERM);
        } else {
            terminal.press(&["q"]);
        }
        terminal.wait_for(&format!("ended{number}=0"));
        assert_restored(&mut terminal, &before);
    }
}

#[test]
fn real_traffic_is_shown_through_every_key_size_stop_and_signal() {
    let test = "real";
    if !tools::can_count() {
        return;
    }
    let Some(mut terminal) = Terminal::open(test, SIZE) else { return };
    let before = terminal.modes();
    let traffic = Traffic::start().unwrap();
    let own =
        Path::new(&std::env::current_exe().unwrap()).file_name().unwrap().to_string_lossy()[..8].to_owned();
    terminal.run(&format!("{FLOWTOP} -nNP -i lo -f 'port {}' --theme mono; echo code=$?", traffic.port));
    // On either side: the initiator is unknown.
    terminal.wait(|screen| {
        screen.lines().any(|line| line.contains("=>") && line.contains(&format!(":{}", traffic.port)))
    });
    terminal.press(&["Enter"]);
    terminal.wait(|screen| screen.contains(&format!("owner {own}")) && screen.contains("ESTABLISHED"));
    terminal.press(&["Escape"]);
    terminal.wait(|screen| !screen.contains("ESTABLISHED"));
    press_every_key(&terminal);
    terminal.resize(20, 5);
    terminal.wait_for("too small");
    terminal.resize(SIZE.0, SIZE.1);
    terminal.wait_for("TOTAL:");
    terminal.press(&["C-z"]);
    terminal.wait_for("Stopped");
    assert_restored(&mut terminal, &before);
    terminal.run("clear; fg");
    terminal.wait_for("TOTAL:");
    signal(&terminal, Signal::TERM);
    terminal.wait(|screen| !screen.contains("TOTAL:"));
    assert_restored(&mut terminal, &before);
}
