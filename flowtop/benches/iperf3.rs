//! One stream of iperf3 over loopback, and its own count of it.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    io::{self, BufRead as _, BufReader},
    process::{Command, Stdio},
};

/// What the client sends over each connection to say which test it is of.
const COOKIE_BYTES: u64 = 37;

/// What iperf3 says of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Rate at the receiver.
    pub gigabits_a_second: f64,
    /// Bytes that the sender has sent, its cookie included.
    pub sent_bytes: u64,
}

/// Runs one stream of `seconds` to `port`, in writes of `length` as iperf3 spells it.
pub fn stream(port: u16, seconds: u32, length: &str) -> Result<Stream> {
    let port = port.to_string();
    // The server ends with its first test.
    let mut server = Command::new("iperf3");
    server.args(["--server", "--one-off", "--forceflush", "--bind", "127.0.0.1", "--port", &port]);
    let mut server = server.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(missing)?;
    let lines = BufReader::new(server.stdout.take().context("iperf3 has no stdout")?).lines();
    let mut lines = lines.map_while(Result::ok);
    let listens = lines.any(|line| line.starts_with("Server listening"));
    let result =
        if listens { client(&port, seconds, length) } else { Err(anyhow::anyhow!("iperf3 does not listen")) };
    if result.is_err() {
        // It may have ended already.
        let _ = server.kill();
    }
    lines.for_each(drop);
    server.wait()?;
    result
}

fn client(port: &str, seconds: u32, length: &str) -> Result<Stream> {
    let seconds = seconds.to_string();
    let mut client = Command::new("iperf3");
    client.args(["--client", "127.0.0.1", "--port", port, "--time", &seconds, "--length", length, "--json"]);
    let output = client.stdin(Stdio::null()).output().map_err(missing)?;
    let report: Value = serde_json::from_slice(&output.stdout).context("iperf3 did not answer in JSON")?;
    ensure!(report["error"].is_null(), "iperf3 failed: {}", report["error"]);
    let end = &report["end"];
    let bits_a_second = end["sum_received"]["bits_per_second"].as_f64().context("iperf3 told no rate")?;
    let sent_bytes = end["sum_sent"]["bytes"].as_u64().context("iperf3 told no bytes")?;
    Ok(Stream { gigabits_a_second: bits_a_second / 1e9, sent_bytes: sent_bytes + COOKIE_BYTES })
}

fn missing(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("iperf3 is missing; install the package iperf3"),
        _ => anyhow::Error::new(error).context("cannot run iperf3"),
    }
}
