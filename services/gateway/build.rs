//! A release has the interface built in: a new build of it is a reason for a new build of this. Other builds read
//! `web/dist` while they run.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed=../../web/dist");
    }
}
