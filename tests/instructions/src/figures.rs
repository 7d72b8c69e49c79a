//! The figures that are committed, and by how much a count may differ from one.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

/// In percent, for what another version of the compiler does differently.
const TOLERANCE: i64 = 5;
/// In instructions, because a few of few are many percent.
const AT_LEAST: i64 = 5;

/// Instructions by the name of the step.
#[derive(Default)]
pub(crate) struct Figures(BTreeMap<String, i64>);

/// How a count compares with its figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    AsBefore,
    Fewer,
    More,
}

/// One file for each platform, since each has instructions of its own.
pub(crate) fn path() -> String {
    let directory = env!("CARGO_MANIFEST_DIR");
    format!("{directory}/figures/{}-{}.txt", std::env::consts::ARCH, std::env::consts::OS)
}

impl Figures {
    pub(crate) fn read() -> Result<Self, Box<dyn Error>> {
        let path = path();
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        Self::parse(&text)
    }

    /// A line for each: the number, then the name.
    fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let read = |line: &str| {
            let (number, name) = line.trim().split_once(' ')?;
            Some((name.to_owned(), number.parse().ok()?))
        };
        text.lines().map(|line| read(line).ok_or_else(|| format!("no figure: {line}").into())).collect()
    }

    pub(crate) fn of(&self, name: &str) -> Result<i64, Box<dyn Error>> {
        self.0.get(name).copied().ok_or_else(|| format!("there is no figure of {name}").into())
    }

    pub(crate) fn put(&mut self, name: &str, figure: i64) {
        self.0.insert(name.to_owned(), figure);
    }

    pub(crate) fn write(&self) -> Result<(), Box<dyn Error>> {
        let lines: Vec<_> = self.0.iter().map(|(name, figure)| format!("{figure:>6} {name}\n")).collect();
        Ok(fs::write(path(), lines.concat())?)
    }
}

impl FromIterator<(String, i64)> for Figures {
    fn from_iter<T: IntoIterator<Item = (String, i64)>>(figures: T) -> Self {
        Self(figures.into_iter().collect())
    }
}

pub(crate) fn judge(found: i64, figure: i64) -> Verdict {
    let tolerated = (figure.abs() * TOLERANCE / 100).max(AT_LEAST);
    match found - figure {
        more if more > tolerated => Verdict::More,
        fewer if fewer < -tolerated => Verdict::Fewer,
        _ => Verdict::AsBefore,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_may_differ_by_five_percent_and_by_five_instructions() {
        assert_eq!([judge(205, 200), judge(210, 200), judge(190, 200)], [Verdict::AsBefore; 3]);
        assert_eq!([judge(211, 200), judge(189, 200)], [Verdict::More, Verdict::Fewer]);
        assert_eq!([judge(25, 20), judge(15, 20), judge(5, 0)], [Verdict::AsBefore; 3]);
        assert_eq!([judge(26, 20), judge(14, 20), judge(6, 0)], [Verdict::More, Verdict::Fewer, Verdict::More]);
    }

    #[test]
    fn figures_are_read_as_they_are_written() {
        let figures = Figures::parse("    10 one step\n   -20 another, of 47 bytes\n").expect("figures");
        assert_eq!(figures.of("one step").ok(), Some(10));
        assert_eq!(figures.of("another, of 47 bytes").ok(), Some(-20));
        assert!(figures.of("a third").is_err());
        assert!(Figures::parse("many of it").is_err());
    }

    #[test]
    fn every_step_has_a_figure() {
        let figures = Figures::parse(include_str!("../figures/x86_64-linux.txt")).expect("figures");
        for step in crate::steps::Step::ALL {
            assert!(figures.of(step.name()).is_ok(), "{}", step.name());
        }
    }
}
