// The picture: what is drawn, and where. Elements are made once; `place` moves them. The vertical
// scale is the reader's screen, the horizontal one is zoomed, and letters keep their size.

const svg = document.getElementById('diagram');
const frame = document.getElementById('scroll');
const TOP = 46;
const BOTTOM = 30;
const MARGIN = 26;
const HAS_OBSERVER = moments.some(moment => moment.row === RUN.processes.length);
const ROWS = RUN.processes.length + (HAS_OBSERVER ? 1 : 0);
/** How wide a column can be, and how wide it must be for arrowheads and amounts. */
const WIDEST = 160;
const DENSE = 12;
/** How wide it must be for a run to be read, and for most labels to have room. */
const LEGIBLE = 16;
const READABLE = 24;

/** What is seen: how wide a column is, how far it is panned, how high a lane is; all in pixels. */
const view = { column: 40, pan: 0, lane: 60, width: 600, gutter: 80, columns: undefined };
const drawn = { moments: [], messages: [], cuts: [], lanes: [], lines: [], labels: [] };

function svgElement(name, attributes, parent, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

const layers = (() => {
  const run = svgElement('g', {}, svg);
  const layer = name => svgElement('g', { class: name }, run);
  return {
    run,
    grid: layer('grid'),
    gaps: layer('gaps'),
    pasts: layer('pasts'),
    step: svgElement('line', { class: 'now' }, run),
    cuts: layer('cuts'),
    messages: layer('messages'),
    labels: layer('labels'),
    halo: svgElement('circle', { class: 'halo' }, run),
    moments: layer('moments'),
    gutter: svgElement('g', { class: 'gutter' }, svg),
  };
})();

/** Makes all elements. */
function build() {
  svg.setAttribute('aria-label', `Space-time diagram: ${RUN.processes.length} processes, `
    + `${RUN.events.length} events, ${RUN.messages.length} messages and markers, `
    + `${RUN.snapshots.length} snapshots`);
  svg.classList.toggle('many', ROWS > 12);
  drawn.background = svgElement('rect', { class: 'background', x: 0, y: 0 }, layers.gutter);
  for (let lane = 0; lane < ROWS; lane += 1) buildLane(lane);
  if (RUN.events.some(({ line }) => line !== undefined)) {
    svgElement('text', { class: 'line-heading', x: 8, y: 14 }, layers.gutter, 'script line');
  }
  RUN.messages.forEach(buildMessage);
  RUN.snapshots.forEach(buildCut);
  moments.forEach(buildMoment);
  buildOwnCut();
  buildPlayed();
}

function buildLane(lane) {
  const isObserver = lane === RUN.processes.length;
  const group = svgElement('g', {}, layers.gutter);
  const name = isObserver ? 'observer' : RUN.processes[lane].id;
  drawn.lanes.push({
    lives: livesOf(lane),
    group,
    line: svgElement('path', { class: isObserver ? 'lane observer' : 'lane' }, layers.grid),
    gaps: svgElement('path', {}, layers.gaps),
    name: svgElement('text', { class: 'name', x: 8 }, group, name),
    balance: svgElement('text', { class: 'balance', 'text-anchor': 'end' }, group),
  });
}

function buildMessage(message, index) {
  const isMarker = message.snapshot !== undefined;
  const group = svgElement('g', {
    class: isMarker ? 'message marker' : 'message',
    role: 'img',
    tabindex: -1,
    'aria-label': describeMessage(index).join(', '),
  }, layers.messages);
  if (isMarker) group.style.color = colourOf(message.snapshot);
  drawn.messages.push({
    group,
    labels: [],
    pen: RUN.snapshots.some(({ crossing }) => crossing.has(index))
      ? svgElement('path', { class: 'pen' }, group) : undefined,
    line: svgElement('path', { class: 'line' }, group),
    head: svgElement('path', { class: message.lost ? 'head lost' : 'head' }, group),
    ends: [],
  });
  if (!isMarker) addLabel({ text: message.amount, message: index, rank: 2, kind: 'amount' });
}

function buildCut(snapshot, index) {
  const points = snapshot.cut;
  if (points.length === 0) return;
  const colour = colourOf(index);
  const past = svgElement('polygon', { class: 'past' }, layers.pasts);
  const line = svgElement('polyline', { class: 'cut' }, layers.cuts);
  const name = svgElement('text', { class: 'cut-name', 'text-anchor': 'middle' }, layers.cuts, `S${snapshot.id}`);
  for (const element of [past, line, name]) element.style.color = colour;
  drawn.cuts.push({ index, past, line, name, box: undefined });
}

function buildMoment(moment, index) {
  const events = moment.events.map(event => RUN.events[event]);
  const group = svgElement('g', {
    class: 'moment',
    role: 'img',
    tabindex: -1,
    'data-moment': index,
    'aria-label': [...describeMoment(index), whereAndWhen(events[0])].filter(Boolean).join(', '),
  }, layers.moments);
  const main = events.find(event => event.kind === 'record') ?? events[0];
  group.classList.add(main.kind);
  group.classList.toggle('begins', events[0].kind === 'begin');
  if (main.snapshot !== undefined) group.style.color = colourOf(main.snapshot);
  svgElement('path', { class: 'ring', d: 'M-13 0a13 13 0 1 0 26 0a13 13 0 1 0-26 0' }, group);
  svgElement('path', { class: 'glyph', d: glyphOf(main.kind) }, group);
  drawn.moments.push({ group, kind: main.kind, labels: [] });
  const before = moments[index - 1];
  const { line } = events[0];
  if (line !== undefined && line !== (before && RUN.events[before.events[0]].line)) {
    addLabel({ text: line, moment: index, rank: 4, kind: 'line' });
  }
  const label = { create: main.amount, refuse: main.amount, record: main.amount, death: 'died', restarted: 'restarted' }[main.kind];
  if (label !== undefined && moment.row !== undefined) {
    addLabel({ text: label, moment: index, rank: main.kind === 'record' ? 1 : 3, kind: main.kind });
  }
}

function addLabel(label) {
  label.element = svgElement('text', { class: `label ${label.kind}`, 'text-anchor': 'middle' }, layers.labels, label.text);
  label.width = label.text.length * 7 + 6;
  drawn.labels.push(label);
  const of = label.message === undefined ? drawn.moments[label.moment] : drawn.messages[label.message];
  of.labels.push(label.element);
}

function glyphOf(kind) {
  switch (kind) {
    case 'create': return 'M-2-9H2V9H-2Z';
    case 'record': return 'M-9 0L0-9L9 0L0 9Z';
    case 'marker_sent':
    case 'marker_received':
    case 'channel_closed': return 'M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0';
    case 'refuse': return 'M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0M-4 4L4-4';
    case 'collect':
    case 'audit': return 'M-6-6H6V6H-6ZM-3 0L-1 3L4-3';
    case 'death': return 'M-6-6L6 6M-6 6L6-6';
    case 'restarted': return 'M5.5-4.5A7 7 0 1 0 7 1M7-9V-3H1';
    case 'connect':
    case 'local':
    case 'start':
    case 'end': return 'M0-6V6';
    default: return 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0';
  }
}

function colourOf(snapshot) {
  return `var(--snapshot-${RUN.snapshots[snapshot].colour})`;
}

/** Where a moment is, in pixels, before panning. */
function xOf(moment) {
  return view.gutter + MARGIN + view.columns[moment] * view.column;
}

function yOf(row) {
  return row === undefined ? 26 : TOP + (row + 0.5) * view.lane;
}

/** How wide the whole run is. */
function widthOfRun() {
  return view.gutter + 2 * MARGIN + lastColumn(view.columns) * view.column;
}

function heightOfRun() {
  return yOf(ROWS - 0.5) + BOTTOM;
}

function lastColumn(columns) {
  let last = 0;
  for (const column of columns) last = Math.max(last, column);
  return last;
}

/** Puts every element where it belongs; those out of sight are not even drawn. */
function place() {
  const width = Math.max(widthOfRun(), view.width);
  svg.classList.toggle('dense', view.column < DENSE);
  drawn.lanes.forEach((lane, index) => placeLane(lane, index, width));
  setAttributes(drawn.background, { width: view.gutter, height: heightOfRun() });
  drawn.moments.forEach((moment, index) => placeMoment(moment, index));
  drawn.messages.forEach((message, index) => placeMessage(message, index, width));
  drawn.cuts.forEach(placeCut);
  placeOwnCut();
  placePlayed();
  placeLights();
  drawn.labels.forEach(placeLabel);
  placeStep();
  layers.run.setAttribute('transform', `translate(${round(-view.pan)} 0)`);
}

/** Shows or hides an element that reaches from one x to another; says whether it is seen. */
function show(item, element, from, to) {
  const isSeen = Math.max(from, to) > view.pan + view.gutter - 80
    && Math.min(from, to) < view.pan + view.width + 80;
  // What has the focus would lose it.
  const isShown = isSeen || element === document.activeElement;
  if (item.isShown !== isShown) element.style.display = isShown ? '' : 'none';
  item.isShown = isShown;
  return isShown;
}

/** Whether something is to be drawn elsewhere than before, by the numbers that its place depends on. */
function hasMoved(item, ...place) {
  const hasMoved = item.place === undefined || place.some((number, index) => number !== item.place[index]);
  item.place = place;
  return hasMoved;
}

function placeMoment(moment, index) {
  const x = xOf(index);
  if (!show(moment, moment.group, x, x) || !hasMoved(moment, x, yOf(moments[index].row))) return;
  moment.group.setAttribute('transform', `translate(${round(x)} ${round(yOf(moments[index].row))})`);
}

function placeLane(lane, index, width) {
  const y = yOf(index);
  const ends = lane.lives.map(({ from, to }) => [
    from === undefined ? view.gutter : xOf(from),
    to === undefined ? width : xOf(to),
  ]);
  const line = parts => parts.map(([from, to]) => `M${round(from)} ${round(y)}H${round(to)}`).join('');
  const gaps = ends.slice(1).map(([from], nth) => [ends[nth][1], from]);
  lane.line.setAttribute('d', line(ends));
  lane.gaps.setAttribute('d', line(gaps));
  lane.group.setAttribute('transform', `translate(0 ${round(y + 4)})`);
  lane.balance.setAttribute('x', view.gutter - 10);
}

function placeMessage(item, index, width) {
  const { pen, line, head, ends } = item;
  const message = RUN.messages[index];
  const [from, to] = endsOf(message, width);
  ends[0] = from;
  ends[1] = to;
  const size = sizeOfGlyphs();
  if (!show(item, item.group, from.x, to.x) || !hasMoved(item, from.x, from.y, to.x, to.y, size)) return;
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const [ux, uy] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const at = (back, aside) =>
    `${round(to.x - back * ux - aside * uy)} ${round(to.y - back * uy + aside * ux)}`;
  const back = message.received === undefined ? 0 : size * edgeOf(momentOf[message.received], ux, uy);
  line.setAttribute('d', `M${round(from.x)} ${round(from.y)}L${at(message.lost ? 0 : back + 5 * size, 0)}`);
  pen?.setAttribute('d', `M${round(from.x)} ${round(from.y)}L${at(0, 0)}`);
  head.setAttribute('d', message.lost
    ? `M${at(-4, -4)}L${at(4, 4)}M${at(-4, 4)}L${at(4, -4)}`
    : `M${at(back, 0)}L${at(back + 9 * size, 4 * size)}L${at(back + 9 * size, -4 * size)}Z`);
}

/** Zoomed out, there is less room for what stands on the lines. */
function sizeOfGlyphs() {
  return view.column < DENSE ? 0.6 : 1;
}

/** How far from its middle a moment's glyph ends, seen from where an arrow comes. */
function edgeOf(moment, ux, uy) {
  return drawn.moments[moment].kind === 'record' ? 10 / (Math.abs(ux) + Math.abs(uy)) : 5;
}

/** Where a message's arrow begins and ends; it may come in or go out over the border. */
function endsOf({ from, to, sent, received, lost }, width) {
  const start = sent === undefined
    ? { x: view.gutter, y: yOf(from) }
    : { x: xOf(momentOf[sent]), y: yOf(from) };
  if (received !== undefined) return [start, { x: xOf(momentOf[received]), y: yOf(to) }];
  if (lost) return [start, { x: start.x + 30, y: start.y + Math.sign(to - from) * view.lane * 0.4 }];
  return [start, { x: width, y: yOf(to) }];
}

function placeCut(cut) {
  const { index, past, line, name } = cut;
  const points = RUN.snapshots[index].cut.map(event => {
    const moment = momentOf[event];
    return [round(xOf(moment)), round(yOf(moments[moment].row))];
  });
  const [first, last] = [points[0], points[points.length - 1]];
  const beyond = Math.min(30, view.lane / 2);
  const ends = [[first[0], round(first[1] - beyond)], ...points, [last[0], round(last[1] + beyond)]];
  line.setAttribute('points', ends.join(' '));
  past.setAttribute('points', [[view.gutter, ends[0][1]], ...ends, [view.gutter, ends[ends.length - 1][1]]].join(' '));
  setAttributes(name, { x: first[0], y: round(first[1] - beyond - 5) });
  cut.box = boxAround(first[0], first[1] - beyond - 9, name.textContent.length * 9, 14);
}

/** The step's line follows what is reached. */
function placeStep() {
  const x = xOfTime() ?? xOf(state.order[state.position] ?? 0);
  setAttributes(layers.step, { x1: x, x2: x, y1: TOP - 10, y2: yOf(ROWS - 0.5) + 8 });
  const y = yOf(moments[state.order[state.position]]?.row);
  setAttributes(layers.halo, { cx: x, cy: y, r: 15 * sizeOfGlyphs() });
}

function placeLabel(label) {
  if (label.isCrowded) return;
  const { x, y } = spotOf(label, label.spot ?? 0);
  if (!show(label, label.element, x, x) || !hasMoved(label, x, y)) return;
  setAttributes(label.element, { x: round(x), y: round(y + 4) });
}

/** The middle of an event or a message, in pixels, before panning. */
function middleOf({ moment, message }) {
  if (message === undefined) return { x: xOf(moment), y: yOf(moments[moment].row) };
  const [from, to] = drawn.messages[message].ends;
  return { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
}

/** How far along its arrow a label may be; above or below, left or right of its event. */
const ALONG = [0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78];
const ASIDE = [[0, -18], [0, 19], [1, -14], [1, 16], [-1, -14], [-1, 16]];

/** The middle of a label at one of the spots where it may be; `undefined` after the last. */
function spotOf(label, spot) {
  if (label.message !== undefined) {
    const part = ALONG[spot];
    const [from, to] = drawn.messages[label.message].ends;
    return part && { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
  }
  if (label.kind === 'line') return spot === 0 ? { x: xOf(label.moment), y: 10 } : undefined;
  const aside = ASIDE[spot];
  const reach = label.width / 2 + 8;
  return aside && { x: xOf(label.moment) + aside[0] * reach, y: yOf(moments[label.moment].row) + aside[1] };
}

/** Shows those labels for which there is room, the important ones first; no two overlap. */
function chooseLabels() {
  const taken = new Map();
  const cell = 48;
  const cellsOf = ({ left, right }) => {
    const cells = [];
    for (let at = Math.floor(left / cell); at <= right / cell; at += 1) cells.push(at);
    return cells;
  };
  const isFree = box => cellsOf(box).every(at => (taken.get(at) ?? []).every(other =>
    box.right <= other.left || other.right <= box.left || box.bottom <= other.top || other.bottom <= box.top));
  const take = box => {
    for (const at of cellsOf(box)) {
      if (!taken.has(at)) taken.set(at, []);
      taken.get(at).push(box);
    }
  };
  moments.forEach(({ row }, index) => take(boxAround(xOf(index), yOf(row), 12, 12)));
  const end = Math.max(widthOfRun(), view.width);
  for (const cut of drawn.cuts) take(cut.box);
  for (const label of [...drawn.labels].sort((a, b) => rankOf(a) - rankOf(b))) {
    label.spot = 0;
    let box;
    const isHidden = view.column < DENSE && rankOf(label) > 1 && label.kind !== 'line';
    for (let at; !isHidden && (at = spotOf(label, label.spot)) !== undefined; label.spot += 1) {
      box = boxAround(at.x, at.y, label.width, 15);
      if (box.left >= view.gutter && box.right <= end && isFree(box)) break;
      box = undefined;
    }
    label.isCrowded = box === undefined;
    label.element.classList.toggle('crowded', label.isCrowded);
    if (label.isCrowded) continue;
    take(box);
    placeLabel(label);
  }
}

function rankOf(label) {
  return isCrossing(label.message) ? 0 : label.rank;
}

function boxAround(x, y, width, height) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

function setAttributes(element, attributes) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
}

function round(length) {
  return Math.round(length * 10) / 10;
}

/** What is nearest to a point of the diagram, if anything is near. */
function nearest(x, y, reachable) {
  let best = { distance: reachable };
  const consider = (distance, found) => {
    if (distance < best.distance) best = { distance, ...found };
  };
  moments.forEach(({ row }, index) => {
    consider(Math.hypot(xOf(index) - x, yOf(row) - y) - 3, { moment: index });
  });
  drawn.messages.forEach(({ ends: [from, to] }, index) => {
    if (drawn.messages[index].isShown) consider(distanceToLine(x, y, from, to) + 3, { message: index });
  });
  return best.moment === undefined && best.message === undefined ? undefined : best;
}

function distanceToLine(x, y, from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const part = ((x - from.x) * dx + (y - from.y) * dy) / (dx * dx + dy * dy || 1);
  const along = Math.min(1, Math.max(0, part));
  return Math.hypot(from.x + along * dx - x, from.y + along * dy - y);
}
