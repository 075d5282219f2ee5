//! The known name that an unknown one probably means.

/// The similarity from which a name is suggested (Jaro, 0 to 1; the same as clap's).
const MIN_SIMILARITY: f64 = 0.7;

/// Returns the known name that is most similar, if any is similar enough. The case of letters does
/// not count.
pub(crate) fn closest_match<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let alike = known
        .iter()
        .map(|known| (strsim::jaro(&name, &known.to_lowercase()), *known))
        .filter(|(alike, _)| *alike > MIN_SIMILARITY);
    let closest_match = alike.max_by(|(a, _), (b, _)| a.total_cmp(b));
    closest_match.map(|(_, closest_match)| closest_match)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_matched_and_other_names_are_not() {
        let known = ["status", "settings", "store"];
        assert_eq!(closest_match("stauts", &known), Some("status"));
        assert_eq!(closest_match("setting", &known), Some("settings"));
        assert_eq!(closest_match("STORE", &known), Some("store"));
        assert_eq!(closest_match("zzz", &known), None);
        assert_eq!(closest_match("", &known), None);
        assert_eq!(closest_match("status", &[]), None);
    }
}
