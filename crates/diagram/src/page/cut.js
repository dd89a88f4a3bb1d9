// The reader's own cut: a handle on every process's line, and what the cut is, in words.

/**
 * How many steps of each process are inside, and how far behind the last of them its handle is, in
 * columns; `steps` is undefined while there is no such cut. `reached` is the process whose handle Tab
 * leads to.
 */
const own = { steps: undefined, behind: [], verdict: undefined, lit: [], reached: 0 };
/** How near to an event a handle may be, in columns, and how far behind one it is put. */
const NEAREST = 0.4;
const BEHIND = 0.5;

/** Makes what a cut is drawn with, beneath and above the run. */
function buildOwnCut() {
  own.area = svgElement('g', { class: 'own-cut' });
  layers.messages.before(own.area);
  own.past = svgElement('polygon', { class: 'own-past' }, own.area);
  own.line = svgElement('polyline', { class: 'own-line' }, own.area);
  own.pens = svgElement('g', {}, own.area);
  layers.handles = svgElement('g', { class: 'handles', role: 'group', 'aria-label': 'Your cut' }, layers.run);
  own.handles = RUN.processes.map(({ id }, lane) => buildHandle(id, lane));
  for (const element of [own.area, layers.handles]) element.style.display = 'none';
}

function buildHandle(id, lane) {
  const handle = svgElement('g', {
    class: 'handle',
    role: 'slider',
    tabindex: -1,
    'aria-label': `Your cut at process ${id}`,
    'aria-valuemin': 0,
    'aria-valuemax': stepsOf[lane].length,
  }, layers.handles);
  svgElement('circle', { class: 'reach', r: 20 }, handle);
  svgElement('circle', { class: 'knob', r: 10 }, handle);
  svgElement('path', { class: 'grip', d: 'M-3-4L-6 0L-3 4M3-4L6 0L3 4' }, handle);
  handle.addEventListener('pointerdown', event => takeHandle(event, lane));
  // Or a finger that moves up and down would scroll: `touch-action` says nothing within a drawing.
  handle.addEventListener('touchstart', event => event.preventDefault(), { passive: false });
  handle.addEventListener('keydown', event => onHandleKey(event, lane));
  return handle;
}

/** Draws a cut with these steps inside; none takes it away. `behind` is where its handles are. */
function setOwnCut(steps, behind = steps?.map(() => BEHIND)) {
  Object.assign(own, { steps, behind });
  for (const element of [own.area, layers.handles]) element.style.display = steps ? '' : 'none';
  svg.classList.toggle('cutting', steps !== undefined);
  own.verdict = steps && judge(steps);
  tabToHandle(own.reached);
  placeOwnCut();
  showOwnCut();
  rememberPlace();
}

/** The cut with one process's steps changed. */
function moveHandle(lane, count, behind = BEHIND) {
  const steps = [...own.steps];
  steps[lane] = Math.min(stepsOf[lane].length, Math.max(0, count));
  const offsets = [...own.behind];
  offsets[lane] = behind;
  setOwnCut(steps, offsets);
}

/** A cut to begin with: that of the chosen snapshot, or else of the step reached. */
function beginOwnCut() {
  const { snapshot } = state;
  if (snapshot !== undefined && RUN.snapshots[snapshot].cut.length > 0) setOwnCut(cutOf(snapshot));
  else cutHere();
  revealOwnCut();
  if (own.handles.length > 0) focusHandle(0);
}

/** Looks where all handles are seen, if they are not. */
function revealOwnCut() {
  const near = own.steps.flatMap((count, lane) => stepsOf[lane].slice(Math.max(0, count - 1), count + 1));
  const isSeen = moment => xOf(moment) > view.pan + view.gutter && xOf(moment) < view.pan + view.width;
  if (near.every(isSeen)) return;
  Object.assign(view, viewOf(view.columns, near));
  keepInSight();
  schedule(true);
}

/** The cut of the step reached; as upright as it can be. */
function cutHere() {
  const steps = cutAfter(state.order, state.position);
  const column = view.columns[state.order[state.position]] + BEHIND;
  setOwnCut(steps, steps.map((count, lane) => column - columnBefore(lane, count)));
}

/** The column of the last step inside; left of the run, where there is none. */
function columnBefore(lane, count) {
  return count > 0 ? view.columns[stepsOf[lane][count - 1]] : -1;
}

/** Where a handle is: behind the last step inside, and before the next. */
function columnOfHandle(lane) {
  const count = own.steps[lane];
  const next = stepsOf[lane][count];
  const before = next === undefined ? Infinity : view.columns[next] - NEAREST;
  return Math.min(columnBefore(lane, count) + own.behind[lane], before);
}

function placeOwnCut() {
  const { steps, behind } = own;
  if (steps === undefined) return;
  if (!hasMoved(own, steps, behind, view.columns, view.column, view.lane, view.gutter, view.width)) return;
  const points = own.steps.map((_, lane) => [
    round(Math.max(view.gutter + 4, view.gutter + MARGIN + columnOfHandle(lane) * view.column)),
    round(yOf(lane)),
  ]);
  const beyond = Math.min(34, view.lane / 2);
  const [first, last] = [points[0], points[points.length - 1]];
  const ends = [[first[0], first[1] - beyond], ...points, [last[0], last[1] + beyond]];
  own.line.setAttribute('points', ends.join(' '));
  own.past.setAttribute('points', [[view.gutter, ends[0][1]], ...ends, [view.gutter, last[1] + beyond]].join(' '));
  const size = Math.min(1, view.lane / 44);
  own.handles.forEach((handle, lane) => {
    handle.setAttribute('transform', `translate(${points[lane].join(' ')}) scale(${round(size)})`);
  });
  placeOwnPens();
}

/** What is in transit across the cut is marked, and what breaks it. */
function placeOwnPens() {
  const { across, broken } = own.verdict;
  const width = Math.max(widthOfRun(), view.width);
  const pen = kind => index => {
    const [from, to] = endsOf(RUN.messages[index], width);
    return svgElement('path', { class: kind, d: `M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}` });
  };
  const money = across.filter(index => RUN.messages[index].snapshot === undefined);
  own.pens.replaceChildren(...money.map(pen('across')), ...broken.map(pen('breaking')));
}

function takeHandle(event, lane) {
  const handle = own.handles[lane];
  const origin = svg.getBoundingClientRect().left;
  event.stopPropagation();
  event.preventDefault();
  handle.setPointerCapture(event.pointerId);
  focusHandle(lane);
  hideTooltip();
  const move = moved => {
    moved.stopPropagation();
    if (moved.pointerId !== event.pointerId) return;
    const x = moved.clientX - origin;
    if (x > view.width - 20) panBy(12, 0);
    if (x < view.gutter + 20) panBy(-12, 0);
    const column = (x + view.pan - view.gutter - MARGIN) / view.column;
    const count = stepsOf[lane].filter(moment => view.columns[moment] < column).length;
    moveHandle(lane, count, Math.max(NEAREST, column - columnBefore(lane, count)));
  };
  const release = () => {
    handle.removeEventListener('pointermove', move);
    for (const kind of ['pointerup', 'pointercancel']) handle.removeEventListener(kind, release);
  };
  handle.addEventListener('pointermove', move);
  for (const kind of ['pointerup', 'pointercancel']) handle.addEventListener(kind, release);
}

function onHandleKey(event, lane) {
  const count = own.steps[lane];
  const to = {
    ArrowLeft: count - 1,
    ArrowRight: count + 1,
    PageDown: count - 5,
    PageUp: count + 5,
    Home: 0,
    End: stepsOf[lane].length,
  }[event.key];
  const other = { ArrowUp: lane - 1, ArrowDown: lane + 1 }[event.key];
  if (to === undefined && other === undefined && event.key !== 'Enter') return;
  event.preventDefault();
  event.stopPropagation();
  if (to !== undefined) moveHandle(lane, to);
  if (own.handles[other] !== undefined) focusHandle(other);
  const step = stepsOf[lane][Math.max(0, own.steps[lane] - 1)];
  if (to !== undefined && step !== undefined) reveal(step);
}

/** One handle is reached with Tab, from there the others with the arrows. */
function focusHandle(lane) {
  tabToHandle(lane);
  own.handles[lane].focus({ preventScroll: true });
}

function tabToHandle(lane) {
  own.handles[own.reached]?.setAttribute('tabindex', -1);
  own.reached = lane;
  own.handles[lane]?.setAttribute('tabindex', own.steps === undefined ? -1 : 0);
}

/** Says what the cut is: beneath the diagram, beside it, and at its handles. */
function showOwnCut() {
  const { steps, verdict } = own;
  const isBroken = steps !== undefined && verdict.broken.length > 0;
  svg.classList.toggle('broken', isBroken);
  for (const group of own.lit) group.classList.remove('breaks');
  own.lit = (verdict?.broken ?? []).map(index => drawn.messages[index].group);
  for (const group of own.lit) group.classList.add('breaks');
  const button = byId('draw-cut');
  button.setAttribute('aria-pressed', steps !== undefined);
  byId('own-verdict').hidden = steps === undefined;
  byId('own').hidden = steps === undefined;
  if (steps === undefined) return;
  own.handles.forEach((handle, lane) => {
    handle.setAttribute('aria-valuenow', steps[lane]);
    handle.setAttribute('aria-valuetext', `${whereIs(lane)}; the cut is ${isBroken ? 'not consistent' : 'consistent'}`);
  });
  byId('own-verdict').classList.toggle('broken', isBroken);
  byId('own-words').replaceChildren(...wordsOf(verdict));
  byId('own-repair').hidden = !isBroken;
  const { snapshot } = state;
  byId('own-snapshot').hidden = snapshot === undefined || RUN.snapshots[snapshot].cut.length === 0;
  if (snapshot !== undefined) byId('own-snapshot').textContent = `From ${snapshotName(snapshot)}`;
  byId('own-tables').replaceChildren(...ownTables(verdict));
}

function whereIs(lane) {
  const [count, all] = [own.steps[lane], stepsOf[lane].length];
  if (count === 0) return all === 0 ? 'there are no steps' : `before all ${all} steps`;
  return `after step ${count} of ${all}: ${describeMoment(stepsOf[lane][count - 1]).join(', ')}`;
}

function wordsOf({ broken, total, held, moving, surplus }) {
  const sums = `${total} = ${held} in balances + ${moving} in transit`;
  if (broken.length === 0) {
    return [make('strong', {}, '✓ Consistent. '), 'All that is received inside the cut was also sent '
      + `inside it: the system could have been in this state. In all ${sums}.`];
  }
  const { from, to, amount, snapshot } = RUN.messages[broken[0]];
  const what = snapshot === undefined ? `The message of ${amount}` : `The marker of ${snapshotName(snapshot)}`;
  const others = broken.length - 1;
  const more = others === 0 ? '' : others === 1 ? ' So was another.' : ` So were ${others} others.`;
  const money = surplus === 0n
    ? ` ${others ? 'They' : 'It'} moved no money, so the sum is right: ${sums}.`
    : ` What ${others ? 'they' : 'it'} carried is counted twice, at its sender and at its receiver: `
      + `${sums}, which is ${surplus} too much.`;
  return [make('strong', {}, '✗ Not consistent. '), `${what} was received by ${nameOf(to)} inside the cut `
    + `but sent by ${nameOf(from)} after it: an effect without its cause.${more}${money}`];
}

function ownTables({ balances, across, broken, total, surplus }) {
  const states = RUN.processes.flatMap(({ id }, lane) => balances[lane] === undefined
    ? [] : [[id, balances[lane].toString()]]);
  const rows = transitRows(inTransit({ sent: across, received: new Set() }));
  const isBroken = broken.length > 0;
  const sums = surplus === 0n ? `${total} in all` : `${total} in all, ${surplus} too much`;
  return [
    paragraph(`${isBroken ? '✗ Not consistent' : '✓ Consistent'}: ${sums}`, isBroken ? 'failed' : 'passed'),
    states.length > 0 ? table('States at the cut', ['Process', 'Balance'], states) : paragraph('No process has begun.'),
    rows.length > 0 ? table('Across the cut', ['Channel', 'In transit'], rows) : paragraph('Nothing is in transit across it.'),
  ];
}

function toggleOwnCut() {
  if (own.steps === undefined) beginOwnCut();
  else setOwnCut(undefined);
}

function listenToOwnCut() {
  byId('draw-cut').addEventListener('click', toggleOwnCut);
  byId('own-causes').addEventListener('click', () => setOwnCut(withCauses(own.steps)));
  byId('own-effects').addEventListener('click', () => setOwnCut(withoutEffects(own.steps)));
  byId('own-step').addEventListener('click', cutHere);
  byId('own-snapshot').addEventListener('click', () => setOwnCut(cutOf(state.snapshot)));
}
