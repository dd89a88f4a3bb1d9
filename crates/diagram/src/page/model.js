'use strict';
// The run: its events, what led to what, and what the system's state was after each of them. Nothing
// here draws. Amounts and ids are strings of digits, and sums are BigInt: a double has 53 bits.

const RUN = JSON.parse(document.getElementById('data').textContent);

/** What happens at one process in one step: an event, or all that one rule of the algorithm does. */
const moments = [];
/** The moment of each event. A moment's row is its process's lane, or the observer's below them. */
const momentOf = RUN.events.map((event, index) => {
  if (event.joins) {
    moments[moments.length - 1].events.push(index);
  } else {
    const isGlobal = event.kind === 'start' || event.kind === 'end';
    const row = event.lane ?? (isGlobal ? undefined : RUN.processes.length);
    moments.push({ events: [index], lane: event.lane, row });
  }
  return moments.length - 1;
});
linkMoments();
for (const snapshot of RUN.snapshots) snapshot.crossing = new Set(snapshot.crossing);

/** Gives each moment its neighbours: those that led to it, and those that it led to. */
function linkMoments() {
  const lastOf = new Map();
  moments.forEach((moment, index) => {
    moment.causes = [];
    moment.effects = [];
    if (moment.lane !== undefined) {
      if (lastOf.has(moment.lane)) link(lastOf.get(moment.lane), index);
      lastOf.set(moment.lane, index);
    }
  });
  for (const message of RUN.messages) {
    if (message.sent !== undefined && message.received !== undefined) link(momentOf[message.sent], momentOf[message.received]);
  }
  for (const snapshot of RUN.snapshots) {
    if (snapshot.collect === undefined) continue;
    for (const event of snapshot.cut) link(momentOf[event], momentOf[snapshot.collect]);
  }
}

function link(cause, effect) {
  moments[cause].effects.push(effect);
  moments[effect].causes.push(cause);
}

/** All moments that are reached from some by following `links`, those some included. */
function reach(from, links) {
  const reached = new Set(from);
  const next = [...from];
  while (next.length > 0) {
    for (const moment of moments[next.pop()][links]) {
      if (reached.has(moment)) continue;
      reached.add(moment);
      next.push(moment);
    }
  }
  return reached;
}

/** What can have caused a moment or message, and what it can have caused. */
function causality(selected) {
  if (selected.message === undefined) {
    return { past: reach([selected.moment], 'causes'), future: reach([selected.moment], 'effects') };
  }
  const message = RUN.messages[selected.message];
  const ends = [message.sent, message.received].map(
    event => event === undefined ? [] : [momentOf[event]]);
  return { past: reach(ends[0], 'causes'), future: reach(ends[1], 'effects') };
}

/**
 * Where each moment is: its column, and the order of all. As they happened; or, for a snapshot, as
 * its cut is straight. That order was computed and checked where the page was made; here its
 * moments are but given their columns, those of the cut the same one.
 */
function arrange(snapshot) {
  if (snapshot === undefined) {
    const order = moments.map((_, index) => index);
    const columns = new Float64Array(moments.length);
    fillColumns(columns, order, 0);
    return { order, columns };
  }
  const { order, line } = RUN.snapshots[snapshot].straight;
  const sides = [new Set(), new Set(), new Set()];
  const seen = new Set();
  const events = unroll(order);
  const onLine = new Set(events.slice(...line).map(event => momentOf[event]));
  events.forEach((event, at) => {
    const moment = momentOf[event];
    if (seen.has(moment)) return;
    seen.add(moment);
    sides[onLine.has(moment) ? 1 : at < line[0] ? 0 : 2].add(moment);
  });
  const columns = new Float64Array(moments.length);
  const middle = fillColumns(columns, sides[0], 0) + 0.5;
  for (const moment of sides[1]) columns[moment] = middle;
  fillColumns(columns, sides[2], middle + 1.5);
  return { order: sides.flatMap(side => [...side]), columns, line: middle };
}

/**
 * Gives moments their columns from a first one on; returns the column after the last. Neighbours
 * share one as long as they are at different processes and none led to another.
 */
function fillColumns(columns, order, first) {
  let column = first;
  let together = [];
  for (const index of order) {
    const { row, causes } = moments[index];
    const fits = together.every(it => {
      const other = moments[it].row;
      return row !== undefined && other !== undefined && other !== row && !causes.includes(it);
    });
    if (!fits) {
      column += 1;
      together = [];
    }
    together.push(index);
    columns[index] = column;
  }
  return together.length > 0 ? column + 1 : column;
}

/** A list of numbers that is kept as runs: a first number, then how many follow each other. */
function unroll(runs) {
  const numbers = [];
  for (let index = 0; index < runs.length; index += 2) {
    for (let offset = 0; offset < runs[index + 1]; offset += 1) numbers.push(runs[index] + offset);
  }
  return numbers;
}

/** The system's state after the moment at `position` of an order. */
function stateAfter(order, position) {
  const state = {
    balances: RUN.processes.map(({ before }) => before === undefined ? undefined : BigInt(before)),
    // Where not everybody has a channel to everybody.
    channels: RUN.channels && new Set(RUN.channels.map(([from, to]) => `${from} ${to}`)),
    dead: new Set(RUN.processes.flatMap(({ died }, lane) => died ? [lane] : [])),
    sent: RUN.messages.flatMap(({ sent }, index) => sent === undefined ? [index] : []),
    received: new Set(),
    recorders: RUN.processes.map(({ recording }) => new Map(recording.map(
      ({ snapshot, closed }) => [snapshot, new Set(closed)]))),
  };
  for (const moment of order.slice(0, position + 1)) {
    for (const event of moments[moment].events) apply(state, RUN.events[event]);
  }
  return state;
}

function apply(state, event) {
  switch (event.kind) {
    case 'create':
      state.balances[event.lane] = BigInt(event.amount);
      break;
    case 'connect':
      state.channels?.add(`${event.from} ${event.to}`);
      break;
    case 'send':
      state.balances[event.lane] -= BigInt(event.amount);
      state.sent.push(event.message);
      break;
    case 'marker_sent':
      state.sent.push(event.message);
      break;
    case 'receive':
      state.balances[event.lane] += BigInt(event.amount);
      state.received.add(event.message);
      break;
    case 'marker_received':
      state.received.add(event.message);
      break;
    case 'record':
      state.recorders[event.lane].set(event.snapshot, new Set());
      break;
    case 'channel_closed':
      state.recorders[event.lane].get(event.snapshot)?.add(event.from);
      break;
    case 'collect':
      for (const recorder of state.recorders) recorder.delete(event.snapshot);
      break;
    case 'death':
      if (event.lane !== undefined) state.dead.add(event.lane);
      break;
    case 'restarted':
      state.dead.delete(event.lane);
      break;
  }
}

/**
 * The lives of whoever is in a row: each from a moment to a moment, or from before what is shown, or
 * beyond it.
 */
function livesOf(row) {
  const own = moments.flatMap((moment, index) => moment.row === row ? [[RUN.events[moment.events[0]].kind, index]] : []);
  let isAlive = !own.some(([kind]) => kind === 'create') && !RUN.processes[row]?.died;
  const lives = isAlive ? [{}] : [];
  for (const [kind, moment] of own) {
    if (kind === 'death' && isAlive) {
      lives[lives.length - 1].to = moment;
      isAlive = false;
    } else if ((kind === 'create' || kind === 'restarted') && !isAlive) {
      lives.push({ from: moment });
      isAlive = true;
    }
  }
  return lives;
}

/** What is in transit in a state: for each channel that is not empty, its messages in order. */
function inTransit(state) {
  const channels = new Map();
  const waiting = state.sent.filter(index => !state.received.has(index)).map(index => RUN.messages[index]);
  // The sort is stable: messages of a channel stay in their order.
  waiting.sort((a, b) => a.from - b.from || a.to - b.to);
  for (const message of waiting) {
    const name = channelName(message.from, message.to);
    if (!channels.has(name)) channels.set(name, []);
    channels.get(name).push(message);
  }
  return channels;
}

function channelName(from, to) {
  return `${nameOf(from)} → ${nameOf(to)}`;
}

function nameOf(lane) {
  return RUN.processes[lane].id;
}

function snapshotName(snapshot) {
  return `snapshot ${RUN.snapshots[snapshot].id}`;
}

/** An event in words. */
function describe(event) {
  const at = event.lane === undefined ? '' : `process ${nameOf(event.lane)}`;
  const message = RUN.messages[event.message];
  switch (event.kind) {
    case 'start': return 'the system starts';
    case 'end': return 'the system ends';
    case 'create': return `${at} begins with ${event.amount}`;
    case 'connect': return `${at} opens channel ${channelName(event.lane, event.to)}`;
    case 'local': return `${at}: ${event.reason}`;
    case 'send': return `${at} sends ${event.amount} to ${nameOf(message.to)}${inferred(event)}`;
    case 'receive': return `${at} receives ${event.amount} from ${nameOf(message.from)}`;
    case 'refuse': return `${at} refuses to send ${event.amount} to ${nameOf(event.to)}: it has less`;
    case 'begin': return `${at} begins ${snapshotName(event.snapshot)}`;
    case 'record': return `${at} records its state: ${event.amount}`;
    case 'marker_sent': return `${at} sends a marker of ${snapshotName(event.snapshot)} to ${nameOf(message.to)}${inferred(event)}`;
    case 'marker_received': return `${at} receives the marker of ${snapshotName(event.snapshot)} from ${nameOf(message.from)}`;
    case 'channel_closed': return `channel ${channelName(event.from, event.lane)} is recorded`;
    case 'collect': return `${snapshotName(event.snapshot)} is collected`;
    case 'audit': return `${snapshotName(event.snapshot)} ${event.reason === undefined ? `passes its audit: ${event.amount} in all` : `fails its audit: ${event.reason}`}`;
    case 'death': return `${at || 'the observer'} dies: ${event.reason}`;
    case 'restarted': return `${at || 'the observer'} is restarted: incarnation ${event.incarnation}`;
    default: return event.kind;
  }
}

function inferred(event) {
  return event.inferred ? ' (not confirmed before it died)' : '';
}

/** A moment in words, a line for each thing; markers that leave together are one of them. */
function describeMoment(index) {
  const lines = [];
  const to = [];
  const { events } = moments[index];
  for (const event of events.map(it => RUN.events[it])) {
    if (event.kind === 'marker_sent') to.push(nameOf(RUN.messages[event.message].to));
    if (event.kind === 'marker_sent' && to.length > 1) continue;
    lines.push(describe(event));
  }
  if (to.length > 1) {
    const first = lines.findIndex(line => line.includes(' sends a marker '));
    const whom = to.length > 6 ? `${to.length} processes` : to.join(', ');
    lines[first] = lines[first].replace(/ a marker (.*) to .*/, ` markers $1 to ${whom}`);
  }
  return lines;
}

/** A message or marker in words. */
function describeMessage(index) {
  const message = RUN.messages[index];
  const what = message.snapshot === undefined ? `message of ${message.amount}` : `marker of ${snapshotName(message.snapshot)}`;
  const lines = [`${what} on channel ${channelName(message.from, message.to)}`];
  if (message.number !== undefined) lines.push(`number ${message.number} on its channel`);
  if (message.lost) lines.push('never received');
  RUN.snapshots.forEach((snapshot, number) => {
    if (snapshot.crossing.has(index)) lines.push(`in transit at the cut of ${snapshotName(number)}`);
  });
  return lines;
}

/** Where in the script and when an event was. */
function whereAndWhen(event) {
  const parts = [];
  if (event.line !== undefined) parts.push(`line ${event.line}`);
  if (event.time !== undefined) parts.push(`${event.time} µs`);
  return parts.join(' · ');
}

/** How many characters the longest balance of the run has. */
function widestBalance() {
  const state = stateAfter([], 0);
  const lengths = state.balances.map(balance => (balance ?? '').toString().length);
  let widest = Math.max(1, ...lengths);
  for (const event of RUN.events) {
    apply(state, event);
    const balance = state.balances[event.lane];
    if (balance !== undefined) widest = Math.max(widest, balance.toString().length);
  }
  return widest;
}
