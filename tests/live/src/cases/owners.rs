//! Who is named: processes that pass sockets on, share them, sit idle, change their program or are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::Case;
use super::offload::{MPTCP, mptcp_is_possible};
use super::reporting::{row_between, row_of, same};
use crate::compare::exact;
use crate::net::{End, LOOPBACK, Listener, Pair, stream};
use crate::netns;
use crate::stage::Stage;
use crate::sys;
use crate::worker::{Order, Worker};

pub const CASES: &[Case] = &[
    Case::exact(
        "a socket passed on over SCM_RIGHTS",
        "the first user shown for ever, or only the last",
        passed,
    ),
    Case::exact(
        "two processes that accept from one listener",
        "both connections given to one of them",
        prefork,
    ),
    Case::exact("a socket used by many threads", "a row for each thread", threads),
    Case::exact("an idle server from before the start", "no owner until it speaks", idle),
    Case::exact("a process that is gone at once", "an owner read from /proc too late", gone),
    Case::exact("a process that has become another program", "the name from before the exec", executed)
        .limited(super::LATE_NAMES, exact),
    Case::exact("the kernel's own sockets", "nobody, or a process that only asked for them", kernel)
        .where_possible(mptcp_is_possible)
        .limited("MPTCP may send bytes again, and its worker may close a subflow later", exact),
    Case::exact(
        "a server among many processes",
        "owners that take longer the more processes there are",
        many,
    ),
    Case::exact("owners as ss names them", "sockets or owners that another tool sees", as_ss)
        .where_possible(has_ss),
    Case::exact(
        "owners as ss names them, without the kernel's iterator",
        "sockets or owners that only the iterator finds",
        as_ss_by_proc,
    )
    .where_possible(has_ss),
];

fn passed(stage: &mut Stage<'_>) -> Result<()> {
    let mut worker = Worker::start("heir")?;
    let mut bench = stage.start(&[])?;
    let mut pair = Pair::connect()?;
    pair.exchange(1_000)?;
    bench.check_report("before", |report| {
        let row = row_of(report, &pair)?;
        same("owner", &Some(std::process::id()), &row.pid)?;
        same("users", &Some(1), &row.users)
    })?;
    worker.give(pair.initiator.socket())?;
    let heir = worker.pid();
    let ends = (pair.initiator.local, pair.acceptor.local);
    let usage = || {
        worker.order(Order::Send(5_000))?;
        pair.acceptor.receive_exactly(5_000)?;
        // The tracepoint plan before Linux 6.3 sees the receiver's process, not the sender's.
        pair.acceptor.send_small(20_000)?;
        worker.order(Order::Receive(20_000))
    };
    bench.check_user("after", usage, |report| {
        let row = row_between(report, ends)?;
        same("owner", &(Some(heir), Some("heir".to_owned())), &(row.pid, row.comm.clone()))?;
        same("users", &Some(2), &row.users)
    })?;
    bench.quit()
}

fn prefork(stage: &mut Stage<'_>) -> Result<()> {
    let listener = Listener::bind(LOOPBACK)?;
    let mut workers = [Worker::start("prefork-0")?, Worker::start("prefork-1")?];
    let mut bench = stage.start(&[])?;
    let mut clients = Vec::new();
    for worker in &mut workers {
        worker.give(listener.socket())?;
        let mut client = End::dial(listener.address, None)?;
        client.send_small(700)?;
        worker.order(Order::Accept)?;
        worker.order(Order::Receive(700))?;
        clients.push(client);
    }
    bench.check_report("while open", |report| {
        for (client, worker) in clients.iter().zip(&workers) {
            let row = report.flows.iter().find(|row| row.local() == client.local).ok_or("expected a row")?;
            let peer = row.peer.as_ref().ok_or("expected a peer, got none")?;
            same("owner of the accepted end", &Some(worker.pid()), &peer.pid)?;
        }
        Ok(())
    })?;
    bench.quit()
}

fn threads(stage: &mut Stage<'_>) -> Result<()> {
    let mut bench = stage.start(&[])?;
    let mut pair = Pair::connect()?;
    for _ in 0..8 {
        thread::scope(|scope| scope.spawn(|| pair.ask(300, 100)).join())
            .map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    }
    bench.check_report("while open", |report| {
        let ours = |row: &&crate::report::Row| row.local() == pair.initiator.local;
        same("rows", &1, &report.flows.iter().filter(ours).count())?;
        let row = row_of(report, &pair)?;
        same("owner and users", &(Some(std::process::id()), Some(1)), &(row.pid, row.users))
    })?;
    bench.quit()
}

/// A worker holds the accepted end, which has not been used since the start.
fn idle_server() -> Result<(Worker, Pair)> {
    let mut worker = Worker::start("idle-server")?;
    let mut pair = Pair::connect()?;
    pair.exchange(500)?;
    worker.give(pair.acceptor.socket())?;
    pair.acceptor.close();
    Ok((worker, pair))
}

fn check_idle(stage: &mut Stage<'_>) -> Result<()> {
    let (worker, mut pair) = idle_server()?;
    let mut bench = stage.start(&[])?;
    pair.initiator.send_small(300)?;
    let client = pair.initiator.local;
    bench.check_report("while idle", |report| {
        let row = report.flows.iter().find(|row| row.local() == client || row.remote() == client);
        let row = row.ok_or("expected a row")?;
        let peer = row.peer.as_ref().ok_or("expected a peer, got none")?;
        let named =
            if row.local() == client { (peer.pid, peer.comm.clone()) } else { (row.pid, row.comm.clone()) };
        same("owner of the idle end", &(Some(worker.pid()), Some("idle-server".to_owned())), &named)
    })?;
    bench.quit()
}

fn idle(stage: &mut Stage<'_>) -> Result<()> {
    check_idle(stage)
}

fn gone(stage: &mut Stage<'_>) -> Result<()> {
    let listener = Listener::bind(LOOPBACK)?;
    let mut worker = Worker::start("mayfly")?;
    let mut bench = stage.start(&[])?;
    worker.finish(Order::Hit(listener.address.port(), 900))?;
    let mut end = listener.accept()?;
    end.receive_exactly(900)?;
    bench.check_report("after its end", |report| {
        let row = report.flows.iter().find(|row| row.remote() == listener.address).ok_or("expected a row")?;
        same("owner", &(Some(worker.pid()), Some("mayfly".to_owned())), &(row.pid, row.comm.clone()))
    })?;
    bench.quit()
}

fn executed(stage: &mut Stage<'_>) -> Result<()> {
    let mut bench = stage.start(&[])?;
    let mut worker = Worker::start("before-exec")?;
    let mut pair = Pair::connect()?;
    worker.give(pair.initiator.socket())?;
    worker.order(Order::Send(200))?;
    pair.acceptor.receive_exactly(200)?;
    // The new program does not answer; what it sends is the answer.
    worker.begin(Order::Exec(400))?;
    pair.acceptor.receive_exactly(400)?;
    let ends = (pair.initiator.local, pair.acceptor.local);
    let usage = || {
        pair.acceptor.send_small(1)?;
        pair.acceptor.receive_exactly(400)
    };
    bench.check_user("after the exec", usage, |report| {
        let row = row_between(report, ends)?;
        let named = (row.pid, row.comm.clone());
        same("owner", &(Some(worker.pid()), Some("after-exec".to_owned())), &named)
    })?;
    bench.quit()
}

/// A subflow of MPTCP is a socket that the kernel makes and holds. It is the process's from when the process is seen to use
/// it, which depends on the plan and on what the kernel's MPTCP calls; it never has no owner.
fn kernel(stage: &mut Stage<'_>) -> Result<()> {
    let listener = Listener::bind_with(SocketAddr::new(LOOPBACK, 0), MPTCP)?;
    let socket = stream(LOOPBACK, MPTCP)?;
    rustix::net::connect(&socket, &listener.address)?;
    let mut pair = Pair::of(End::new(socket)?, listener.accept()?)?;
    let mut bench = stage.start(&[])?;
    pair.initiator.send_small(1_500)?;
    pair.acceptor.receive_exactly(1_500)?;
    pair.close();
    let client = pair.initiator.local;
    bench.check_report("after the close", |report| {
        let row = report.flows.iter().find(|row| row.local() == client || row.remote() == client);
        let row = row.ok_or("expected a row")?;
        let peer = row.peer.as_ref().ok_or("expected a peer, got none")?;
        let of_row = (row.pid, row.comm.clone(), row.bytes.tx);
        let of_peer = (peer.pid, peer.comm.clone(), peer.bytes.tx);
        let (pid, comm, tx_bytes) = if row.local() == client { of_row } else { of_peer };
        same("at least the bytes, at most twice", &true, &(1_500..=3_000).contains(&tx_bytes))?;
        let kernels = pid.is_none() && comm.as_deref() == Some("kernel");
        same("owner of the subflow", &true, &(kernels || pid == Some(std::process::id())))
    })?;
    bench.quit()
}

fn many(stage: &mut Stage<'_>) -> Result<()> {
    let count = stage.setting.processes;
    let start = Instant::now();
    let idlers = sys::Idlers::start(count).context("cannot start the processes")?;
    let (started_s, start) = (start.elapsed().as_secs_f64(), Instant::now());
    let outcome = check_idle(stage);
    // Not judged: a processor that is emulated or busy takes longer.
    println!(
        "note {} {count} processes: {started_s:.1} s to start them, {:.1} s from flowtop's start to its end",
        stage.setting.plan,
        start.elapsed().as_secs_f64()
    );
    drop(idlers);
    outcome
}

fn has_ss() -> Result<()> {
    let output = Command::new("ss").arg("-V").output().context("ss of iproute2 is not installed")?;
    ensure!(output.status.success(), "ss does not run");
    Ok(())
}

/// Local and remote address of a socket, and the processes that have it open.
type Socket = (SocketAddr, SocketAddr, BTreeSet<u32>);

/// Three connections in a namespace, two ends of which workers have too or alone, and what ss says of them.
fn beside_ss() -> Result<([Pair; 3], [Worker; 2], BTreeSet<Socket>)> {
    let mut pairs = [Pair::connect()?, Pair::connect()?, Pair::connect()?];
    let mut workers = [Worker::start("one")?, Worker::start("two")?];
    workers[0].give(pairs[0].acceptor.socket())?;
    pairs[0].acceptor.close();
    workers[1].give(pairs[1].initiator.socket())?;
    let sockets = ss()?;
    ensure!(sockets.len() == 6, "ss shows {} sockets, expected 6", sockets.len());
    Ok((pairs, workers, sockets))
}

fn as_ss(stage: &mut Stage<'_>) -> Result<()> {
    judge_as_ss(stage, "auto")
}

fn as_ss_by_proc(stage: &mut Stage<'_>) -> Result<()> {
    judge_as_ss(stage, "proc")
}

fn judge_as_ss(stage: &mut Stage<'_>, way: &str) -> Result<()> {
    let (mut pairs, _workers, expected) = netns::in_new(beside_ss)?;
    let mut bench = stage.start(&["--holders", way])?;
    for pair in &mut pairs {
        pair.initiator.send_small(100)?;
    }
    let is_ours = |row: &&crate::report::Row| {
        expected.iter().any(|(local, remote, _)| (row.local(), row.remote()) == (*local, *remote))
    };
    bench.check_report("beside ss", |report| {
        let mut found = BTreeMap::new();
        for row in report.flows.iter().filter(is_ours) {
            let peer = row.peer.as_ref().ok_or("expected a peer, got none")?;
            found.insert((row.local(), row.remote()), (row.pid, row.users));
            found.insert((row.remote(), row.local()), (peer.pid, None));
        }
        same("sockets", &expected.len(), &found.len())?;
        for (local, remote, pids) in &expected {
            let (pid, users) = found.get(&(*local, *remote)).ok_or("a socket of ss is missing")?;
            same("an owner that ss names too", &true, &pid.is_some_and(|pid| pids.contains(&pid)))?;
            same("users", &users.map(|_| pids.len()), &users.map(|users| users as usize))?;
        }
        Ok(())
    })?;
    bench.quit()
}

/// The established sockets of this network namespace.
fn ss() -> Result<BTreeSet<Socket>> {
    let output = Command::new("ss").args(["-Htnp", "state", "established"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    text.lines().map(|line| parse(line).with_context(|| format!("ss wrote {line:?}"))).collect()
}

/// `0 100 127.0.0.1:1 127.0.0.1:2 users:(("one",pid=7,fd=3))`
fn parse(line: &str) -> Result<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, _, local, remote, rest @ ..] = &fields[..] else { bail!("too few fields") };
    let users = rest.concat();
    let pids = users.split("pid=").skip(1).map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().context("pid")
    });
    Ok((local.parse()?, remote.parse()?, pids.collect::<Result<_>>()?))
}
