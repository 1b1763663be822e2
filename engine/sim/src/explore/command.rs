//! The command line of an exploration.

use std::process::ExitCode;

use super::{Scope, explore, replay};

const USAGE: &str = "\
usage: thalweg-sim explore [SCOPE…] [--appends N] [--crashes N] [--choices A,B,…]

  SCOPE            try everything in this scope; without one, in all
  --appends N      appends in all lives together, in place of the scope's own number
  --crashes N      crashes, in place of the scope's own number
  --choices A,B,…  make these choices alone, in the one scope named, and tell what happens

exit code: 0 nothing is wrong, 1 the durability rule is broken, 2 wrong usage";

struct Arguments {
    scopes: Vec<Scope>,
    choices: Option<Vec<u32>>,
}

/// Explores what the words behind `explore` ask for.
pub fn command(words: impl Iterator<Item = String>) -> ExitCode {
    let arguments = match parse(words) {
        Ok(arguments) => arguments,
        Err(message) => {
            let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name).collect();
            eprintln!("{message}\n\n{USAGE}\n\nscopes: {}", names.join(", "));
            return ExitCode::from(2);
        }
    };
    let mut passed = true;
    for scope in &arguments.scopes {
        let outcome = match &arguments.choices {
            Some(choices) => replay(scope, choices).map(|story| story.join("\n")),
            None => explore(scope).map(|explored| explored.to_string()),
        };
        passed &= outcome.is_ok();
        match outcome {
            Ok(text) => println!("{}: {text}", scope.name),
            Err(failure) => println!("{}: FAILED: {failure}", scope.name),
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut scopes, mut appends, mut crashes, mut choices) = (Vec::new(), None, None, None);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--appends" => appends = Some(number(&value()?)?),
            "--crashes" => crashes = Some(number(&value()?)?),
            "--choices" => choices = Some(numbers(&value()?)?),
            name => scopes.push(Scope::named(name).ok_or(format!("there is no scope {name}"))?),
        }
    }
    if choices.is_some() && scopes.len() != 1 {
        return Err("choices are made in one scope".to_owned());
    }
    if scopes.is_empty() {
        scopes.extend(Scope::ALL);
    }
    for scope in &mut scopes {
        scope.appends = appends.unwrap_or(scope.appends);
        scope.crashes = crashes.unwrap_or(scope.crashes);
    }
    Ok(Arguments { scopes, choices })
}

fn numbers(text: &str) -> Result<Vec<u32>, String> {
    text.split(',').map(|number| number.parse().map_err(|_| format!("{number} is not a choice"))).collect()
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}
