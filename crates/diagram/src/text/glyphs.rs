//! The characters that the diagram is made of.

/// Each is one column wide, `to` excepted.
pub(super) struct Glyphs {
    pub(super) lane: &'static str,
    pub(super) others: &'static str,
    pub(super) dash: &'static str,
    pub(super) marker: &'static str,
    pub(super) arriving: &'static str,
    /// Pointing left and right: sent, and arrived.
    pub(super) sent: [&'static str; 2],
    pub(super) arrived: [&'static str; 2],
    pub(super) event: &'static str,
    pub(super) refused: &'static str,
    pub(super) recorded: &'static str,
    pub(super) died: &'static str,
    pub(super) restarted: &'static str,
    pub(super) to: &'static str,
    pub(super) ellipsis: char,
}

pub(super) const UNICODE: Glyphs = Glyphs {
    lane: "│",
    others: "┊",
    dash: "─",
    marker: "┄",
    arriving: "·",
    sent: ["◁", "▷"],
    arrived: ["◀", "▶"],
    event: "●",
    refused: "○",
    recorded: "◆",
    died: "✗",
    restarted: "↻",
    to: "→",
    ellipsis: '…',
};

pub(super) const ASCII: Glyphs = Glyphs {
    lane: "|",
    others: ":",
    dash: "-",
    marker: "~",
    arriving: ".",
    sent: ["(", ")"],
    arrived: ["<", ">"],
    event: "*",
    refused: "o",
    recorded: "#",
    died: "x",
    restarted: "@",
    to: "->",
    ellipsis: '+',
};
