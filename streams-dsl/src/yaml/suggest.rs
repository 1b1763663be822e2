//! Nearest valid names.

/// What to say of `found`, which is none of `known`: `unknown WHAT 'found'`, the nearest name, and all names.
pub(super) fn unknown(what: &str, found: &str, known: &[&str]) -> String {
    let distance = |name: &&&str| strsim::damerau_levenshtein(found, name);
    let nearest = known.iter().min_by_key(distance).filter(|name| distance(name) <= 1 + name.len() / 3);
    let hint = nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    let all = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("unknown {what} '{found}'{hint} (known: {all})")
}
