//! What the command line asks for.

use anyhow::{Context, Result, bail};

/// How `sabotage` is called.
pub const USAGE: &str = "\
cargo run -p xtask -- sabotage [--check] [--only NAME]… [--seeds N] [--list]

  --only NAME  this sabotage only
  --seeds N    N seeds for each instead of the bound in its patch
  --check      try that every patch applies and compiles, then run three, chosen by the commit
  --list       print what each patch takes out, and run nothing";

/// What the command line asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// Only check that patches compile, and run three.
    pub check: bool,
    /// Print the patches and do nothing.
    pub list: bool,
    /// Print how it is called and do nothing.
    pub help: bool,
    /// Names of patches; all if empty.
    pub only: Vec<String>,
    /// Seeds for each patch, instead of its own bound.
    pub seeds: Option<u64>,
}

impl Options {
    /// Reads the words behind `sabotage`.
    ///
    /// # Errors
    /// If a word is not known, or its value is missing or no number.
    pub fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
            match *word {
                "--check" => options.check = true,
                "--help" => options.help = true,
                "--list" => options.list = true,
                "--only" => options.only.push((*value()?).to_owned()),
                "--seeds" => {
                    let seeds = value()?.parse().context("--seeds needs a number")?;
                    options.seeds = Some(seeds);
                }
                _ => bail!("unknown argument {word}\n{USAGE}"),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_others_are_refused() {
        let parsed = Options::parse(&["--check", "--only", "a", "--only", "b", "--seeds", "7"]).unwrap();
        let only = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(parsed, Options { check: true, only, seeds: Some(7), ..Options::default() });
        for wrong in [&["--only"][..], &["--seeds", "x"], &["checks"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
