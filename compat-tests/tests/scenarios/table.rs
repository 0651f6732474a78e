//! Keeps the table of `docs/scenarios.md` equal to the lists of the suite. `UPDATE=1` writes it.

use crate::SUBJECTS;
use compat_tests::{Context, Result, cache, ensure};

const BEGIN: &str = "<!-- scenarios -->\n";
const END: &str = "<!-- /scenarios -->";

fn table() -> String {
    let mut table = String::new();
    for (subject, scenarios) in SUBJECTS {
        table.push_str(&format!("\n## {subject}\n\n| scenario | client | source | how it is played |\n"));
        table.push_str("| --- | --- | --- | --- |\n");
        for of in *scenarios {
            table.push_str(&format!("| {} | {} | {} | {} |\n", of.name, of.client, of.source, of.played));
        }
    }
    table.push('\n');
    table
}

pub fn compare() -> Result<()> {
    let path = cache::package().parent().context("no parent folder")?.join("docs/scenarios.md");
    let page = std::fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).context("no table of scenarios")?;
    let (shown, after) = rest.split_once(END).context("the table of scenarios has no end")?;
    let made = table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}"))?;
        return Ok(());
    }
    ensure!(shown == made, "docs/scenarios.md shows another table: run it once more with UPDATE=1");
    Ok(())
}
