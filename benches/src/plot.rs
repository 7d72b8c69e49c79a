//! The plot of a run: a bar for each ratio, on a logarithmic scale, beside the line of the floor.

use std::fmt::{Error, Write as _};

use crate::report::{Line, significant};

const ROW: usize = 22;
const LABELS: f64 = 470.0;
const BARS: f64 = 360.0;
const WIDTH: f64 = LABELS + BARS + 70.0;

pub(crate) fn plot(lines: &[Line]) -> Result<String, Error> {
    let ratios = || lines.iter().map(Line::ratio);
    let least = ratios().fold(0.5, f64::min);
    let most = ratios().fold(2.0, f64::max);
    let place = |ratio: f64| LABELS + BARS * (ratio / least).ln() / (most / least).ln();
    let height = (lines.len() + 2) * ROW;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
"#
    );
    for (row, line) in lines.iter().enumerate() {
        let (top, base) = (row * ROW + ROW, row * ROW + ROW + 15);
        let (from, to) = (place(1.0).min(place(line.ratio())), place(1.0).max(place(line.ratio())));
        let (label, ratio) = (escaped(&line.what), significant(line.ratio()));
        writeln!(svg, r##"<text x="{:.0}" y="{base}" text-anchor="end" fill="#222">{label}</text>"##, LABELS - 8.0)?;
        writeln!(
            svg,
            r##"<rect x="{from:.1}" y="{}" width="{:.1}" height="{}" fill="#3b6ea5"/>"##,
            top + 3,
            (to - from).max(1.0),
            ROW - 6
        )?;
        writeln!(svg, r##"<text x="{:.1}" y="{base}" fill="#222">{ratio}</text>"##, to + 5.0)?;
    }
    let (floor, bottom) = (place(1.0), height - ROW / 2);
    writeln!(
        svg,
        r##"<line x1="{floor:.1}" y1="{ROW}" x2="{floor:.1}" y2="{bottom}" stroke="#b33" stroke-width="2"/>"##
    )?;
    writeln!(svg, r##"<text x="{floor:.1}" y="15" text-anchor="middle" fill="#b33">the floor</text>"##)?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
