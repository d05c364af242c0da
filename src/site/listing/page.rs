//! The listing as a page: one table, sorted by links, readable on a phone and in the dark.

use chrono::SecondsFormat;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Column, Listing, Order, href, modified, shown};
use crate::net::beneath::listing::FolderEntry;

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(super) fn of(listing: &Listing<'_>) -> Markup {
    let entries = &listing.content.entries;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Index of " (listing.address()) }
                // Without this line a browser asks for /favicon.ico.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Index of " (trail(listing)) }
                table {
                    thead {
                        tr {
                            (heading("Name", Column::Name, listing.order))
                            (heading("Size", Column::Size, listing.order))
                            (heading("Changed (UTC)", Column::Date, listing.order))
                        }
                    }
                    tbody {
                        @if listing.depth > 0 {
                            tr { td { a href="../" { "../" } } td {} td {} }
                        }
                        @for entry in entries { (row(entry)) }
                    }
                }
                p { (summary(entries)) }
                @if !listing.content.is_complete {
                    p class="note" {
                        "This folder has more than " (entries.len()) " entries. The others are not listed, but can be opened by their addresses."
                    }
                }
            }
        }
    }
}

/// The way from the root of the site to the folder, as links.
fn trail(listing: &Listing<'_>) -> Markup {
    let address = listing.address();
    let names: Vec<&str> = address.split_terminator('/').collect();
    // The first is the root and has no name; the last is this folder.
    let last = names.len().saturating_sub(1);
    html! {
        span class="trail" {
            @for (place, name) in names.iter().enumerate() {
                @let up = last - place;
                @if up > 0 && up <= listing.depth {
                    a href=("../".repeat(up)) { bdi { (name) } "/" }
                } @else {
                    bdi { (name) } "/"
                }
            }
        }
    }
}

/// A heading that sorts by its column, the other way round if it is sorted by it.
fn heading(title: &str, column: Column, order: Order) -> Markup {
    let is_sorted = order.by == column;
    let sort = match column {
        Column::Name => "name",
        Column::Size => "size",
        Column::Date => "date",
    };
    // The largest and the newest first: that is what one looks for.
    let is_descending = if is_sorted { !order.is_descending } else { column != Column::Name };
    let next = if is_descending { "desc" } else { "asc" };
    let now = match (is_sorted, order.is_descending) {
        (false, _) => None,
        (true, false) => Some("ascending"),
        (true, true) => Some("descending"),
    };
    html! {
        th scope="col" aria-sort=[now] { a href={ "?sort=" (sort) "&order=" (next) } { (title) } }
    }
}

fn row(entry: &FolderEntry) -> Markup {
    let slash = if entry.is_folder { "/" } else { "" };
    html! {
        tr {
            td { a href=(href(entry)) { bdi { (shown(entry)) } (slash) } }
            td title=[(!entry.is_folder).then(|| format!("{} bytes", entry.size))] {
                @if !entry.is_folder { (size(entry.size)) }
            }
            td {
                @if let Some(date) = modified(entry) {
                    time datetime=(date.to_rfc3339_opts(SecondsFormat::Secs, true)) {
                        (date.format("%Y-%m-%d")) span { " " (date.format("%H:%M")) }
                    }
                }
            }
        }
    }
}

/// How much there is.
fn summary(entries: &[FolderEntry]) -> String {
    let folders = entries.iter().filter(|entry| entry.is_folder).count();
    let files = entries.len() - folders;
    let bytes = entries.iter().filter(|entry| !entry.is_folder).map(|entry| entry.size).sum();
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    format!("{}, {}, {}", count(folders, "folder"), count(files, "file"), size(bytes))
}

/// A size to be read: three digits are enough.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be rounded to 1024 of a unit is 1 of the next.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let decimals = if amount < 99.95 { 1 } else { 0 };
    format!("{amount:.decimals$} {}", UNITS[unit])
}
