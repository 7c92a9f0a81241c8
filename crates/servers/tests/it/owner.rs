//! What happens to the servers when their owner ends, in each of the ways it can.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{is_alive, wait_until};

/// `caffeine-with-servers` around a shell that prints what it was given and waits for us.
fn owner() -> (Child, ChildStdin, Vec<String>) {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_caffeine-with-servers"))
        .args(["--", "sh", "-c", "echo $CAFFEINE_NATS_URL; echo $CAFFEINE_DATABASE_URL; read -r never"])
        .env_remove("CAFFEINE_NATS_URL")
        .env_remove("CAFFEINE_DATABASE_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let lines = BufReader::new(owner.stdout.take().expect("asked for")).lines();
    let urls = lines.take(2).map(|line| line.expect("two lines")).collect();
    // Waiting for a child would close it.
    let stdin = owner.stdin.take().expect("asked for");
    (owner, stdin, urls)
}

/// The process that listens on the port of an address, by asking the system for its arguments.
fn server_of(url: &str) -> u32 {
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).expect("a port");
    let is_it = |arguments: &str| match url.starts_with("nats") {
        true => arguments
            .split('\0')
            .filter(|argument| argument.ends_with("nats.json"))
            .any(|config| std::fs::read_to_string(config).is_ok_and(|text| text.contains(port))),
        false => arguments.contains(&format!("-p\0{port}\0")),
    };
    std::fs::read_dir("/proc")
        .expect("Linux")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| is_it(&line)))
        .expect("the server runs")
}

fn signal(name: &str, pid: u32) {
    let status = Command::new("sh").args(["-c", r#"kill -s "$1" "$2""#, "sh", name, &pid.to_string()]).status();
    assert!(status.expect("sh runs").success());
}

#[test]
fn the_servers_end_with_an_owner_that_is_killed() {
    let (mut owner, _stdin, urls) = owner();
    let servers: Vec<u32> = urls.iter().map(|url| server_of(url)).collect();
    assert!(servers.iter().all(|pid| is_alive(*pid)));
    owner.kill().expect("it can be killed");
    owner.wait().expect("it ends");
    wait_until("the end of both servers", || !servers.iter().any(|pid| is_alive(*pid)));

    let folder = |pid: u32| std::env::temp_dir().join(format!("caffeine-servers-{pid}"));
    let killed = folder(owner.id());
    assert!(killed.exists());
    let (mut next, stdin, _) = self::owner();
    assert!(!killed.exists(), "the next run tidies up");
    drop(stdin);
    next.wait().expect("it ends");
    assert!(!folder(next.id()).exists());
}

#[test]
fn a_terminated_owner_ends_the_command_and_then_the_servers() {
    let (mut owner, _stdin, urls) = owner();
    let servers: Vec<u32> = urls.iter().map(|url| server_of(url)).collect();
    signal("TERM", owner.id());
    let status = owner.wait().expect("it ends");
    assert_eq!(status.code(), Some(128 + 15));
    assert!(!servers.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn the_commands_exit_code_is_passed_on_and_given_servers_are_left_alone() {
    let output = Command::new(env!("CARGO_BIN_EXE_caffeine-with-servers"))
        .args(["--", "sh", "-c", "echo $CAFFEINE_NATS_URL $CAFFEINE_DATABASE_URL; exit 7"])
        .env("CAFFEINE_NATS_URL", "nats://given")
        .env("CAFFEINE_DATABASE_URL", "postgres://given")
        .env("CAFFEINE_TOOLS", "/nowhere")
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "nats://given postgres://given\n");
}

#[test]
fn without_tools_the_way_out_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_caffeine-with-servers"))
        .args(["--", "true"])
        .env_remove("CAFFEINE_NATS_URL")
        .env_remove("CAFFEINE_DATABASE_URL")
        .env("CAFFEINE_TOOLS", "/nowhere")
        .output()
        .expect("the program runs");
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("make setup"), "{words}");
}
