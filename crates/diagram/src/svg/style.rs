//! How the image looks, on light and on dark paper.
//!
//! The snapshots' colours are those of Okabe and Ito, which everybody can tell apart; a cut has its
//! name beside it, so that the colour is never the only sign. It is a broad translucent band, so that
//! the marker that made a process record is seen on it.

use history::SnapshotId;

/// Plain properties, since not everything that shows SVG knows CSS variables.
pub(super) const STYLE: &str = "\
text { font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; \
fill: #1f2328; font-variant-numeric: tabular-nums }
.title { font-size: 20px; font-weight: 600 }
.bold { font-weight: 600 }
.muted, .line { fill: #59636e }
.line { font-size: 12px }
.amount, .state, .refused { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
.state { fill: #59636e }
.refused { fill: #a40e26 }
.pill ~ .amount.bold { stroke-width: 0 }
.paper { fill: #ffffff }
.pill { fill: #ffffff; stroke-width: 1.5 }
.life { fill: none; stroke: #1f2328; stroke-width: 1.5 }
.guide { fill: none; stroke: #d1d9e0; stroke-width: 1.5; stroke-dasharray: 2 4 }
.border { fill: none; stroke: #afb8c1; stroke-width: 1.5; stroke-dasharray: 6 5 }
.message { fill: none; stroke: #1f2328; stroke-width: 1.6 }
.crosses { stroke-width: 2.4 }
.marker { fill: none; stroke-width: 1.5; stroke-dasharray: 6 4 }
.cut { fill: none; stroke-width: 12; stroke-opacity: 0.28; stroke-linejoin: round; stroke-linecap: round }
.pen { fill: none; stroke-opacity: 0.28; stroke-linecap: round }
.glyph { fill: none; stroke-width: 2 }
.ink { fill: #1f2328 } .pale { fill: #ffffff; stroke: #1f2328 }
.rim { stroke: #ffffff; stroke-width: 1.5 }
.bad { fill: none; stroke: #a40e26; stroke-width: 2 } .dead { stroke-width: 3.5 }
.k0 { stroke: #0072b2 } .f0 { fill: #0072b2 }
.k1 { stroke: #d55e00 } .f1 { fill: #d55e00 }
.k2 { stroke: #009e73 } .f2 { fill: #009e73 }
.k3 { stroke: #b8639a } .f3 { fill: #b8639a }
.k4 { stroke: #d08f00 } .f4 { fill: #d08f00 }
.k5 { stroke: #3d9cd6 } .f5 { fill: #3d9cd6 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.muted, .line, .state { fill: #9198a1 }
.refused { fill: #ff7b72 }
.amount, .state, .refused { stroke: #0d1117 }
.paper, .pill { fill: #0d1117 }
.life, .message { stroke: #d1d7e0 }
.guide { stroke: #3d444d } .border { stroke: #656c76 }
.ink { fill: #d1d7e0 } .pale { fill: #0d1117; stroke: #d1d7e0 }
.rim { stroke: #0d1117 }
.bad { stroke: #ff7b72 }
.cut, .pen { stroke-opacity: 0.4 }
.k0 { stroke: #4aa8e0 } .f0 { fill: #4aa8e0 }
.k1 { stroke: #f0803c } .f1 { fill: #f0803c }
.k2 { stroke: #2ec49a } .f2 { fill: #2ec49a }
.k3 { stroke: #dd94c0 } .f3 { fill: #dd94c0 }
.k4 { stroke: #e69f00 } .f4 { fill: #e69f00 }
.k5 { stroke: #f0e442 } .f5 { fill: #f0e442 }
}
";

const COLOURS: u64 = 6;

/// The class of a line in the snapshot's colour.
pub(super) fn stroke(snapshot: SnapshotId) -> &'static str {
    ["k0", "k1", "k2", "k3", "k4", "k5"][colour(snapshot)]
}

/// The class of an area in the snapshot's colour.
pub(super) fn fill(snapshot: SnapshotId) -> &'static str {
    ["f0", "f1", "f2", "f3", "f4", "f5"][colour(snapshot)]
}

fn colour(snapshot: SnapshotId) -> usize {
    (snapshot.0.wrapping_sub(1) % COLOURS) as usize
}
