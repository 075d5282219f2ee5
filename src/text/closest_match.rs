//! Which name was meant by one that is none?

/// How alike two names must be for one to be meant by the other (Jaro, 0 to 1;
/// clap takes the same).
const ALIKE: f64 = 0.7;

/// The known name that is most like this one, if any is.
pub(crate) fn closest_match<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let alike = known
        .iter()
        .map(|known| (strsim::jaro(name, known), *known))
        .filter(|(alike, _)| *alike > ALIKE);
    let closest_match = alike.max_by(|(a, _), (b, _)| a.total_cmp(b));
    closest_match.map(|(_, closest_match)| closest_match)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_nothing_is_made_up() {
        let known = ["status", "settings", "store"];
        assert_eq!(closest_match("stauts", &known), Some("status"));
        assert_eq!(closest_match("setting", &known), Some("settings"));
        assert_eq!(closest_match("zzz", &known), None);
        assert_eq!(closest_match("", &known), None);
        assert_eq!(closest_match("status", &[]), None);
    }
}
