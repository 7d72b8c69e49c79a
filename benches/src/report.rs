//! What a run says at its end, on the screen and in the repository.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::plot::plot;

/// A step beside its floor, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) nanos: f64,
    pub(crate) floor: &'static str,
    pub(crate) floor_nanos: f64,
}

impl Line {
    pub(crate) fn ratio(&self) -> f64 {
        self.nanos / self.floor_nanos
    }
}

#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    pub(crate) lines: Vec<Line>,
    pub(crate) notes: Vec<String>,
}

impl Report {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, lines: Vec::new(), notes: Vec::new() }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    #[expect(clippy::print_stdout, reason = "the table is what the run is for")]
    pub(crate) fn print(&self) {
        for line in &self.lines {
            let (time, floor_time) = (readable(line.nanos), readable(line.floor_nanos));
            println!("{:<64} {:>9.3} x {} ({time} to {floor_time})", line.what, line.ratio(), line.floor);
        }
        for note in &self.notes {
            println!("{note}");
        }
    }

    /// Puts the table into the README, and draws the plot.
    pub(crate) fn record(&self) -> Result<(), Box<dyn Error>> {
        put_into_readme(self.name, &self.markdown()?)?;
        let plots = Path::new(DIRECTORY).join("plots");
        fs::create_dir_all(&plots)?;
        fs::write(plots.join(format!("{}.svg", self.name)), plot(&self.lines)?)?;
        Ok(())
    }

    fn markdown(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::from("| step | against | ratio | medians |\n|---|---|---|---|\n");
        for line in &self.lines {
            let (time, floor_time) = (readable(line.nanos), readable(line.floor_nanos));
            let ratio = significant(line.ratio());
            writeln!(text, "| {} | {} | {ratio} | {time} to {floor_time} |", line.what, line.floor)?;
        }
        for note in &self.notes {
            write!(text, "\n{note}\n")?;
        }
        Ok(text)
    }
}

const DIRECTORY: &str = env!("CARGO_MANIFEST_DIR");

/// Between the two marks of the benchmark `name`.
pub(crate) fn put_into_readme(name: &str, table: &str) -> Result<(), Box<dyn Error>> {
    let readme = Path::new(DIRECTORY).join("README.md");
    let text = fs::read_to_string(&readme)?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = text.split_once(&begin).ok_or_else(|| format!("no {begin}"))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| format!("no {end}"))?;
    Ok(fs::write(&readme, format!("{before}{begin}{table}{end}{after}"))?)
}

/// With as many digits as say something.
pub(crate) fn significant(ratio: f64) -> String {
    match ratio {
        10_000.0.. => format!("{:.0},000", ratio / 1_000.0),
        10.0.. => format!("{ratio:.0}"),
        _ => format!("{ratio:.2}"),
    }
}

fn readable(nanos: f64) -> String {
    match nanos {
        1e6.. => format!("{:.1} ms", nanos / 1e6),
        1e3.. => format!("{:.1} µs", nanos / 1e3),
        _ => format!("{nanos:.1} ns"),
    }
}
