//! The ratios as a picture: one line for each cell, a dot for the middle of the rounds, a bar from the least to the largest.

use compat_tests::Result;
use plotters::prelude::*;
use std::path::Path;

pub struct Point {
    pub name: String,
    pub ratio: f64,
    pub least: f64,
    pub most: f64,
}

const LINE_PIXELS: u32 = 22;
const AROUND_PIXELS: u32 = 90;
const NAME_PIXELS: u32 = 560;
const PLOT_PIXELS: u32 = 560;
const AHEAD: RGBColor = RGBColor(0x1b, 0x7f, 0x5c);
const BEHIND: RGBColor = RGBColor(0xb3, 0x3a, 0x3a);

pub fn draw(path: &Path, points: &[Point]) -> Result<()> {
    let size = (NAME_PIXELS + PLOT_PIXELS, points.len() as u32 * LINE_PIXELS + AROUND_PIXELS);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    let least = points.iter().map(|point| point.least).fold(0.5, f64::min) * 0.8;
    let most = points.iter().map(|point| point.most).fold(2.0, f64::max) * 1.25;
    let rows = points.len() as f64;
    let title = "Klamm beside Apache Kafka: so many times as good (logarithmic; right of 1 Klamm is ahead)";
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 15))
        .margin(10)
        .x_label_area_size(30)
        .set_label_area_size(LabelAreaPosition::Left, NAME_PIXELS)
        .build_cartesian_2d((least..most).log_scale(), 0.0..rows)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(8)
        .x_label_formatter(&|x| format!("{x}"))
        .draw()?;
    chart.draw_series([PathElement::new(vec![(1.0, 0.0), (1.0, rows)], BLACK)])?;
    for (at, point) in points.iter().enumerate() {
        let (y, color) = (rows - at as f64 - 0.5, if point.ratio < 1.0 { BEHIND } else { AHEAD });
        chart.draw_series([PathElement::new(vec![(point.least, y), (point.most, y)], color.stroke_width(2))])?;
        chart.draw_series([Circle::new((point.ratio, y), 4, color.filled())])?;
        let (_, pixel) = chart.backend_coord(&(1.0, y));
        let style = TextStyle::from(("sans-serif", 12)).color(&BLACK);
        area.draw_text(&format!("{}  {:.2}", point.name, point.ratio), &style, (10, pixel - 7))?;
    }
    Ok(area.present()?)
}
