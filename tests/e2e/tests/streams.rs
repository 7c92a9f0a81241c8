//! A thousand open event streams over fifty runs: `make streams-test`, `make streams-test STREAMS=200 RUNS=10`.

#[path = "streams/mod.rs"]
mod streams;

use std::process::ExitCode;

use streams::Plan;

fn number(name: &str, otherwise: usize) -> usize {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty());
    text.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::main]
async fn main() -> ExitCode {
    // A login shell's usual limit: fewer than there are streams and files besides.
    let plan = Plan { streams: number("STREAMS", 1_000), runs: number("RUNS", 50), files: number("FILES", 1_024) };
    let report = plan.run().await;
    println!("{report}");
    if report.problems().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
