//! What is measured, in which order, and against which targets.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cpus::{Affinity, Cpus};
use crate::error::{Error, While};
use crate::ours::{Lasts, Ours, peak_memory, time_on_cpu};
use crate::plan::{BATCH, Layout, Plan};
use crate::raw;
use crate::rows::{Row, Unit};
use crate::scripts::{self, Step};
use crate::{frames, lasting, loads};
use bank::topology::Shape;

/// What every measurement has.
pub(crate) struct Bench {
    pub(crate) ours: Ours,
    pub(crate) cpus: Cpus,
    pub(crate) plan: Plan,
}

/// Rows that are measured together; the work fills them in.
pub(crate) struct Job {
    pub(crate) what: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) work: Work,
}

pub(crate) type Work = Box<dyn Fn(&Bench, &mut [Row]) -> Result<(), Error>>;

/// Everything there is to do.
pub(crate) fn all(plan: &Plan, cpus: usize, can_load: bool) -> Vec<Job> {
    let mut jobs = vec![codec()];
    for affinity in [Affinity::One, Affinity::Two] {
        jobs.extend([1, BATCH].map(|in_a_write| one_pipe(affinity, in_a_write, cpus)));
    }
    jobs.extend(scripts());
    jobs.extend([Affinity::One, Affinity::Any].map(echo));
    jobs.push(receive_all());
    let meshes = plan.load_nodes.iter().map(|nodes| Layout::mesh(*nodes));
    let loaded = meshes.chain(plan.sparse.iter().copied());
    jobs.extend(loaded.map(|layout| loads::load(layout, can_load)));
    jobs.push(loads::loss(plan.loss_nodes, can_load));
    jobs.extend(
        plan.idle_snapshot_nodes
            .iter()
            .map(|nodes| snapshot_when_idle(*nodes)),
    );
    let meshes = plan.mesh_nodes.iter().map(|nodes| Layout::mesh(*nodes));
    jobs.extend(meshes.chain(plan.sparse.iter().copied()).map(up));
    jobs.push(idle(plan.idle_nodes));
    jobs.extend(lasting::all(plan, can_load));
    jobs
}

/// Ours and the raw baseline by turns, so that what the machine does meanwhile befalls both; the
/// best of each counts.
pub(crate) fn by_turns(
    times: usize,
    row: &mut Row,
    mut ours: impl FnMut() -> Result<f64, Error>,
    mut raw: impl FnMut() -> Result<f64, Error>,
) -> Result<(), Error> {
    for _ in 0..times {
        better(row.unit, &mut row.raw, raw()?);
        better(row.unit, &mut row.ours, ours()?);
    }
    Ok(())
}

pub(crate) fn better(unit: Unit, best: &mut Option<f64>, value: f64) {
    *best = Some(match *best {
        Some(best) if unit.more_is_better() => best.max(value),
        Some(best) => best.min(value),
        None => value,
    });
}

fn codec() -> Job {
    let row = |key, measure| Row::new(key, measure, Unit::Nanoseconds);
    Job {
        what: "frames".to_owned(),
        rows: vec![
            row("frame.encode", "encode a frame"),
            row("frame.decode", "decode a frame"),
        ],
        work: Box::new(|bench, rows| {
            for _ in 0..bench.plan.repeats {
                let ours = frames::codec(bench.plan.codec_rounds)?;
                let raw = frames::bare_codec(bench.plan.codec_rounds);
                for (row, (ours, raw)) in rows.iter_mut().zip([(ours.0, raw.0), (ours.1, raw.1)]) {
                    better(row.unit, &mut row.ours, ours);
                    better(row.unit, &mut row.raw, raw);
                }
            }
            Ok(())
        }),
    }
}

fn one_pipe(affinity: Affinity, in_a_write: usize, cpus: usize) -> Job {
    let (key, words) = match in_a_write {
        1 => ("single", "a write a frame"),
        _ => ("batch", "16 KiB a write"),
    };
    let key = format!("pipe.{key}.{}", affinity.key());
    let measure = format!("frames through one pipe, {words}, {}", affinity.words());
    let mut row = Row::new(key, &measure, Unit::PerSecond);
    if affinity == Affinity::Two && cpus < 2 {
        row = loads::skipped(row, "there is only one CPU to run on");
    }
    Job {
        what: measure,
        rows: vec![row],
        work: Box::new(move |bench, rows| {
            let frames = match in_a_write {
                1 => bench.plan.single_frames,
                _ => bench.plan.batched_frames,
            };
            by_turns(
                bench.plan.repeats,
                &mut rows[0],
                || frames::measure(&bench.cpus, affinity, frames, in_a_write),
                || raw::pipe::measure(&bench.cpus, affinity, frames, in_a_write),
            )
        }),
    }
}

/// A script that is measured: its key, what it is, and the steps of a number of commands.
pub(crate) struct Script {
    pub(crate) key: &'static str,
    pub(crate) measure: &'static str,
    steps: fn(u64) -> Vec<Step>,
    pub(crate) window: Option<u32>,
}

pub(crate) const SCRIPTS: [Script; 4] = [
    Script {
        key: "pairs",
        measure: "script, sends each with its receive, random pairs",
        steps: scripts::pairs,
        window: None,
    },
    Script {
        key: "blocks",
        measure: "script, 1,000 sends, then their receives",
        steps: scripts::blocks,
        window: None,
    },
    Script {
        key: "chain",
        measure: "script, chain with bare receives",
        steps: scripts::chain,
        window: None,
    },
    Script {
        key: "serial",
        measure: "script, `--window 1`",
        steps: scripts::pairs,
        window: Some(1),
    },
];

impl Script {
    /// How many commands it has, and which.
    fn steps(&self, plan: &Plan) -> (u64, Vec<Step>) {
        let commands = match self.window {
            Some(_) => plan.serial_commands,
            None => plan.commands,
        };
        (commands, (self.steps)(commands))
    }

    /// Writes it to a file: how many commands, the file, and its steps.
    pub(crate) fn write(&self, bench: &Bench) -> Result<(u64, PathBuf, Vec<Step>), Error> {
        let (commands, steps) = self.steps(&bench.plan);
        let text = scripts::created(Layout::mesh(scripts::NODES)) + &scripts::lines(&steps);
        let path = bench.ours.scratch("script.txt");
        fs::write(&path, text).while_("write a script")?;
        Ok((commands, path, steps))
    }
}

fn scripts() -> Vec<Job> {
    let job = |script: Script| {
        let key = format!("script.{}", script.key);
        let row = Row::new(key, script.measure, Unit::PerSecond);
        let row = match script.key {
            "pairs" => row.target(800_000.0),
            "blocks" => row.target(2_500_000.0),
            "chain" => row.target(500_000.0),
            _ => row.ratio_target(0.6),
        };
        script_job(row, script)
    };
    SCRIPTS.map(job).into()
}

fn script_job(row: Row, script: Script) -> Job {
    Job {
        what: script.measure.to_owned(),
        rows: vec![row],
        work: Box::new(move |bench, rows| {
            let raw_window = { script.window }.map_or(raw::serve::LARGEST_WINDOW, |it| it as usize);
            let (commands, path, steps) = script.write(bench)?;
            let ours = || bench.ours.script(&path, script.window, Lasts::Not);
            by_turns(
                bench.plan.repeats,
                &mut rows[0],
                || Ok(commands as f64 / ours()?),
                || raw::serve::measure(&bench.cpus, scripts::NODES, &steps, raw_window),
            )
        }),
    }
}

fn echo(affinity: Affinity) -> Job {
    let measure = format!("bare round trip to one process, {}", affinity.words());
    Job {
        what: measure.clone(),
        rows: vec![Row::new(
            format!("echo.{}", affinity.key()),
            measure,
            Unit::PerSecond,
        )],
        work: Box::new(move |bench, rows| {
            for _ in 0..bench.plan.repeats {
                let rate =
                    raw::serve::measure_echo(&bench.cpus, affinity, bench.plan.serial_commands)?;
                better(Unit::PerSecond, &mut rows[0].raw, rate);
            }
            Ok(())
        }),
    }
}

fn receive_all() -> Job {
    let measure = "`ReceiveAll`, messages waiting on 12 channels";
    Job {
        what: measure.to_owned(),
        rows: vec![Row::new("script.receive_all", measure, Unit::PerSecond).target(1_000_000.0)],
        work: Box::new(|bench, rows| {
            let sends = scripts::lines(&scripts::sends(bench.plan.waiting));
            for _ in 0..bench.plan.repeats {
                let mut session = bench.ours.session(Lasts::Not)?;
                session.run(&scripts::created(Layout::mesh(scripts::NODES)))?;
                session.run(&sends)?;
                let began = Instant::now();
                session.run("ReceiveAll\n")?;
                let rate = bench.plan.waiting as f64 / began.elapsed().as_secs_f64();
                session.end()?;
                better(Unit::PerSecond, &mut rows[0].ours, rate);
            }
            Ok(())
        }),
    }
}

fn snapshot_when_idle(nodes: usize) -> Job {
    let measure = format!("snapshot by script, idle, {nodes} nodes");
    let key = format!("latency.idle.{nodes}");
    Job {
        what: measure.clone(),
        rows: vec![Row::new(key, measure, Unit::Milliseconds)],
        work: Box::new(move |bench, rows| {
            let mut session = bench.ours.session(Lasts::Not)?;
            session.run(&scripts::created(Layout::mesh(nodes)))?;
            let mut times = Vec::new();
            for _ in 0..bench.plan.idle_snapshots {
                let began = Instant::now();
                session.run("BeginSnapshot 1\nReceiveAll\nCollectState\n")?;
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
            session.end()?;
            rows[0].ours = loads::median(times.clone());
            rows[0].ours_runs = times;
            Ok(())
        }),
    }
}

fn up(layout: Layout) -> Job {
    let nodes = layout.nodes;
    let (is_mesh, key) = (layout.shape == Shape::Mesh, layout.key());
    let up = match nodes {
        128 if is_mesh => Some(500.0),
        512 if is_mesh => Some(3000.0),
        _ => None,
    };
    let memory = |who: &str, target: Option<f64>| {
        let (key, measure) = (
            format!("memory.{who}.{key}"),
            format!(
                "memory of {}, {layout}",
                if who == "node" { "a node" } else { who }
            ),
        );
        Row::new(key, measure, Unit::Megabytes).target(target)
    };
    let measure = format!("{layout} up and connected");
    Job {
        what: measure.clone(),
        rows: vec![
            Row::new(
                format!("{}.{key}", if is_mesh { "mesh" } else { "up" }),
                measure,
                Unit::Milliseconds,
            )
            .target(up),
            memory("node", (is_mesh && nodes == 64).then_some(4.0)),
            memory("master", (is_mesh && nodes == 512).then_some(60.0)),
        ],
        work: Box::new(move |bench, rows| {
            let [up, of_node, of_master] = rows else {
                return Ok(());
            };
            let raw = || {
                let began = Instant::now();
                let children = raw::mesh::build(layout, "idle")?;
                let milliseconds = began.elapsed().as_secs_f64() * 1e3;
                raw::mesh::end(children)?;
                Ok(milliseconds)
            };
            let ours = || {
                let began = Instant::now();
                let mut session = bench.ours.session(Lasts::Not)?;
                session.run(&scripts::created(layout))?;
                let milliseconds = began.elapsed().as_secs_f64() * 1e3;
                let pids = session.pids()?;
                of_master.ours = Some(peak_memory(pids.master)?);
                // All nodes are alike, but the first has been there for longest.
                if let Some(first) = pids.nodes.values().next() {
                    of_node.ours = Some(peak_memory(*first)?);
                }
                session.end()?;
                Ok(milliseconds)
            };
            by_turns(bench.plan.repeats, up, ours, raw)
        }),
    }
}

/// After the last command somebody may still have to go to sleep.
const SETTLE: Duration = Duration::from_millis(200);

fn idle(nodes: usize) -> Job {
    let measure = format!("CPU time in a second of an idle bank, {nodes} nodes");
    Job {
        what: measure.clone(),
        rows: vec![Row::new("idle", measure, Unit::Milliseconds).target(0.0)],
        work: Box::new(move |bench, rows| {
            let mut session = bench.ours.session(Lasts::Not)?;
            session.run(&scripts::created(Layout::mesh(nodes)))?;
            let pids = session.pids()?;
            let used = || -> Result<u64, Error> {
                let observer = pids.observer.into_iter();
                let nodes = pids.nodes.values().copied();
                let all = nodes.chain(observer).chain([pids.master]);
                all.map(time_on_cpu).sum()
            };
            std::thread::sleep(SETTLE);
            let (before, began) = (used()?, Instant::now());
            std::thread::sleep(bench.plan.idle);
            let nanoseconds = (used()? - before) as f64 / began.elapsed().as_secs_f64();
            rows[0].ours = Some(nanoseconds / 1e6);
            session.end()
        }),
    }
}
