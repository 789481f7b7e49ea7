//! Pictures of a report, as SVG: bars of rates and CPU for each row, and delays by percentile.

use std::fs;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figures::Spread;
use super::markdown::{rate, significant};
use super::results::{Figure, Measurement, Report, Row};
use crate::Outcome;

const WIDTH: u32 = 900;
const BAR: u32 = 34;
/// Room for the title above the bars.
const TOP: u32 = 52;
/// Room for the names left of the bars.
const NAMES: u32 = 330;
/// Room for the values right of the longest bar.
const VALUES: u32 = 170;

const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const OTHERS: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const TEXT: RGBColor = RGBColor(0x22, 0x28, 0x2f);

/// How a figure is written at its bar.
type Print = fn(f64) -> String;

/// A picture of the measurements of a row whose names begin alike.
struct Drawing {
    row: &'static str,
    prefix: &'static str,
    file: &'static str,
    title: &'static str,
    unit: &'static str,
}

const DRAWINGS: &[Drawing] = &[
    Drawing {
        row: "time",
        prefix: "",
        file: "time.svg",
        title: "Where the processor time of a record goes",
        unit: "ns",
    },
    Drawing {
        row: "latency",
        prefix: "produced to live",
        file: "delays-live.svg",
        title: "Delays, produced to live",
        unit: "ms",
    },
    Drawing {
        row: "latency",
        prefix: "produced to durable",
        file: "delays-durable.svg",
        title: "Delays, produced to durable",
        unit: "ms",
    },
];

/// Draws all pictures into `folder`; returns the names of the files.
pub(crate) fn draw(report: &Report, folder: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for row in report.rows.iter().filter(|row| !row.standings.is_empty()) {
        let figures: [(&str, &str, Figure, Print); 2] = [
            ("rate", "records a second, stream", Figure::StreamRate, rate),
            ("cpu", "CPU seconds of a million records", Figure::CpuPerMillion, significant),
        ];
        for (suffix, what, figure, print) in figures {
            let bars = bars_of(row, figure);
            if !bars.is_empty() {
                let name = format!("{}-{suffix}.svg", row.name);
                let title = format!("{}: {what}", row.title);
                fs::write(folder.join(&name), bars_svg(&title, &bars, print)?)?;
                names.push(name);
            }
        }
    }
    for Drawing { row, prefix, file, title, unit } in DRAWINGS {
        let measurements = report.row(row).map_or(&[][..], |row| &row.measurements);
        let bar = |measured: &Measurement| {
            let name = measured.what.strip_prefix(prefix)?.trim_start().to_owned();
            Some(Bar { name, spread: Spread::of(measured.figures.iter().copied())?, is_ours: true })
        };
        let bars: Vec<Bar> = measurements.iter().filter_map(bar).collect();
        if !bars.is_empty() {
            fs::write(folder.join(file), bars_svg(title, &bars, |figure| format!("{} {unit}", significant(figure)))?)?;
            names.push((*file).to_owned());
        }
    }
    Ok(names)
}

/// One bar: the median, with a line from the least to the most.
struct Bar {
    name: String,
    spread: Spread,
    is_ours: bool,
}

fn bars_of(row: &Row, figure: Figure) -> Vec<Bar> {
    let bar = |standing: &super::results::Standing| {
        let is_ours = standing.contestant.contains("walbook");
        Some(Bar { name: standing.contestant.clone(), spread: standing.spread(figure)?, is_ours })
    };
    row.standings.iter().filter_map(bar).collect()
}

fn bars_svg(title: &str, bars: &[Bar], print: impl Fn(f64) -> String) -> Outcome<String> {
    let mut svg = String::new();
    {
        let height = TOP + BAR * bars.len() as u32 + 14;
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        write(&area, title, (16, 26), 19, HPos::Left)?;
        let most = bars.iter().map(|bar| bar.spread.max).fold(f64::MIN_POSITIVE, f64::max);
        let at = |value: f64| NAMES as i32 + (value / most * f64::from(WIDTH - NAMES - VALUES)) as i32;
        for (index, bar) in bars.iter().enumerate() {
            let top = (TOP + BAR * index as u32) as i32;
            let (bottom, middle) = (top + BAR as i32 - 10, top + (BAR as i32 - 10) / 2);
            let color = if bar.is_ours { OURS } else { OTHERS };
            area.draw(&Rectangle::new(
                [(at(0.0), top), (at(bar.spread.median).max(at(0.0) + 1), bottom)],
                color.filled(),
            ))?;
            let range = [(at(bar.spread.min), middle), (at(bar.spread.max), middle)];
            area.draw(&PathElement::new(range, TEXT.stroke_width(2)))?;
            write(&area, &bar.name, (NAMES as i32 - 10, middle), 14, HPos::Right)?;
            write(&area, &print(bar.spread.median), (at(bar.spread.max) + 10, middle), 14, HPos::Left)?;
        }
        area.present()?;
    }
    Ok(svg)
}

fn write<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    text: &str,
    at: (i32, i32),
    size: i32,
    side: HPos,
) -> Outcome<()>
where
    B::ErrorType: 'static,
{
    let style = ("sans-serif", size).into_font().color(&TEXT).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), at, style))?;
    Ok(())
}
