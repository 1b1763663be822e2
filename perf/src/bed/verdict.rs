//! Saying whether a target was reached.

/// Prints whether `figure` is what `target` asks for; `is_reached` decides.
pub(crate) fn verdict(what: &str, figure: &str, target: &str, is_reached: bool) {
    let verdict = if is_reached { "reached" } else { "NOT REACHED" };
    println!("  target: {what} {target}: {figure}, {verdict}");
}
