//! The dashboard: one page, put together from files that each own a part of it.
//!
//! Contract: the page asks for nothing but `/status.json` and `/lanes.json`. What the server sends becomes text
//! nodes, never markup. The scripts are one script in this order, and share their names.

/// The page.
pub(super) const DASHBOARD: &str = concat!(
    include_str!("head.html"),
    "<style>\n",
    include_str!("style.css"),
    "</style>\n\n",
    include_str!("body.html"),
    "\n<script>\n\"use strict\";\n",
    include_str!("settings.js"),
    include_str!("elements.js"),
    include_str!("asking.js"),
    include_str!("summary.js"),
    include_str!("map.js"),
    include_str!("lanes.js"),
    include_str!("traffic.js"),
    include_str!("backends.js"),
    include_str!("start.js"),
    "</script>\n</html>\n",
);
