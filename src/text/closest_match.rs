//! Which name was meant by one that is none?

/// How alike two names must be for one to be meant by the other (Jaro, 0 to 1;
/// clap takes the same).
const ALIKE: f64 = 0.7;

/// The known name that is most like this one, if any is.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let alike = known
        .iter()
        .map(|known| (strsim::jaro(name, known), *known))
        .filter(|(alike, _)| *alike > ALIKE);
    let nearest = alike.max_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest.map(|(_, nearest)| nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_nothing_is_made_up() {
        let known = ["status", "settings", "store"];
        assert_eq!(nearest("stauts", &known), Some("status"));
        assert_eq!(nearest("setting", &known), Some("settings"));
        assert_eq!(nearest("zzz", &known), None);
        assert_eq!(nearest("", &known), None);
        assert_eq!(nearest("status", &[]), None);
    }
}
