//! Command line of the repository's own checks.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::{Result, bail};
use xtask::check;
use xtask::sabotage;
use xtask::workspace::{Places, Workspace};

const USAGE: &str = "usage: cargo run -p xtask -- check | sabotage";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => check_workspace(),
        ["sabotage", ref words @ ..] => sabotage(words),
        ["--help"] => {
            println!("{USAGE}\n\n{}", sabotage::USAGE);
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("{USAGE}\n\n{}", sabotage::USAGE),
    }
}

fn sabotage(words: &[&str]) -> Result<ExitCode> {
    let places = Places::find()?;
    sabotage::command(&places.root, &places.target, &sabotage::Options::parse(words)?)
}

fn check_workspace() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let violations = check::all(&workspace);
    for violation in &violations {
        println!("{violation}");
    }
    println!(
        "xtask check: {} packages, {} Rust files, {} texts: {} violations",
        workspace.packages.len(),
        workspace.sources.len(),
        workspace.texts.len(),
        violations.len()
    );
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
