// Playing the run: a line sweeps over it, money travels along its arrows, and what is recorded lights
// up. At every moment the balances on the line and what travels add up to the same sum.

/** How long the line needs for one column at normal speed, in milliseconds. */
const COLUMN_TIME = 800;
/** After a pause longer than this, as of a tab that was not seen, playing goes on where it was. */
const LONGEST_FRAME = 100;
/** How far the view may be panned before what comes into sight is drawn, in pixels. */
const FOLLOW = 50;

/** Where frames and their time come from. */
const ticker = {
  ask: frame => requestAnimationFrame(frame),
  cancel: id => cancelAnimationFrame(id),
};

/**
 * `column` is how far the line is, in columns; undefined where nothing is played or paused. `last`
 * is the time of the frame before, `lights` is what will light up, `travelling` are the messages under
 * way, each with one of the coins, and `purses` are the balances.
 */
const played = { column: undefined, isRunning: false, frame: 0, last: undefined, waited: 0, lights: [], travelling: [], coins: [], purses: [], pan: 0 };

function buildPlayed() {
  played.lit = svgElement('g', { class: 'lit' });
  layers.messages.before(played.lit);
  played.layer = svgElement('g', { class: 'played' }, layers.run);
  // What arrives goes in beneath the balance.
  const [below, above] = [svgElement('g', {}, played.layer), svgElement('g', {}, played.layer)];
  played.purses = RUN.processes.map(() => buildCoin('purse', above));
  played.addCoin = () => played.coins.push(buildCoin('coin', below));
}

/** A text on a rounded ground. */
function buildCoin(kind, parent) {
  const group = svgElement('g', { class: kind }, parent);
  const ground = svgElement('rect', {}, group);
  const label = svgElement('text', { y: 4, 'text-anchor': 'middle' }, group);
  return { group, ground, label, text: undefined };
}

function writeCoin(coin, text) {
  if (coin.text === text) return;
  coin.text = text;
  coin.label.textContent = text;
  const [width, height] = text === '' ? [10, 10] : [text.length * 7.7 + 12, 18];
  setAttributes(coin.ground, { x: -width / 2, y: -height / 2, width, height, rx: height / 2 });
}

function togglePlaying() {
  if (played.isRunning) pause();
  else play();
}

/** Plays from the step reached; from the first, where that is the last. */
function play() {
  const { order } = state;
  if (!isPlayed()) {
    if (state.position >= order.length - 1) goTo(0, false);
    reveal(order[state.position]);
    played.column = view.columns[order[state.position]];
    if (!state.isStepping) fadeWhatIsToCome(true);
    beginLights();
    svg.classList.add('playing');
    step(state.position);
  } else if (state.position >= order.length - 1) {
    stopPlaying();
    play();
    return;
  }
  hideTooltip();
  Object.assign(played, { isRunning: true, last: undefined });
  showPlayButton();
  placePlayed();
  played.frame = ticker.ask(onFrame);
}

function pause() {
  ticker.cancel(played.frame);
  played.isRunning = false;
  showPlayButton();
}

/** Ends it, and shows the run as it is shown at rest. */
function stopPlaying() {
  if (!isPlayed()) return;
  pause();
  played.column = undefined;
  svg.classList.remove('playing');
  played.lit.replaceChildren();
  for (const cut of drawn.cuts) toggleCut(cut, false);
  placeStep();
}

function onFrame(now) {
  const elapsed = Math.min(LONGEST_FRAME, now - (played.last ?? now));
  played.last = now;
  const { order, position } = state;
  const speed = Number(byId('speed').value);
  const end = view.columns[order[order.length - 1]];
  played.waited += elapsed * speed;
  if (!calm.matches) {
    played.column = Math.min(end, played.column + elapsed * speed / COLUMN_TIME);
  } else if (played.waited >= COLUMN_TIME) {
    // Without motion, from one column that has steps to the next.
    played.waited = 0;
    played.column = view.columns[order[position + 1]] ?? end;
  }
  const reached = lastStepBy(played.column, position);
  if (reached !== position) step(reached);
  keepLineInSight();
  placePlayed();
  if (played.column >= end) pause();
  else played.frame = ticker.ask(onFrame);
}

/** The last step of the order that is not right of a column. */
function lastStepBy(column, from) {
  let position = from;
  while (position + 1 < state.order.length && view.columns[state.order[position + 1]] <= column) position += 1;
  return position;
}

/** Shows a step; what is under way changes with it, and what lights up. */
function step(position) {
  showStepAt(lastStepBy(played.column, position));
  const isBy = event => view.columns[momentOf[event]] <= played.column;
  played.travelling = RUN.messages.flatMap(({ sent, received }, index) => {
    const isUnderWay = (sent === undefined || isBy(sent)) && !(received !== undefined && isBy(received));
    return isUnderWay ? [index] : [];
  });
  // Money above markers.
  played.travelling.sort((a, b) => (RUN.messages[a].amount === undefined ? 0 : 1) - (RUN.messages[b].amount === undefined ? 0 : 1));
  while (played.coins.length < played.travelling.length) played.addCoin();
  played.coins.forEach(({ group }, nth) => { group.style.display = nth < played.travelling.length ? '' : 'none'; });
  played.travelling.forEach((message, nth) => {
    const { amount, snapshot } = RUN.messages[message];
    const { group } = played.coins[nth];
    group.setAttribute('class', snapshot === undefined ? 'coin' : 'coin of-marker');
    group.style.color = snapshot === undefined ? '' : colourOf(snapshot);
    // Among many processes markers are but dots.
    writeCoin(played.coins[nth], amount ?? (ROWS > 12 ? '' : `S${RUN.snapshots[snapshot].id}`));
  });
  played.purses.forEach((purse, lane) => {
    const balance = played.balances[lane];
    purse.group.style.display = balance === undefined ? 'none' : '';
    writeCoin(purse, balance?.toString() ?? '');
  });
  light();
}

/** What lights up, and when: states as they are recorded, and messages that belong to a channel's. */
function beginLights() {
  played.lights = RUN.snapshots.flatMap(({ cut, crossing }, snapshot) => {
    const states = cut.map(event => ({ moment: momentOf[event], snapshot }));
    const messages = [...crossing].filter(message => RUN.messages[message].received !== undefined)
      .map(message => ({ moment: momentOf[RUN.messages[message].received], message, snapshot }));
    return [...states, ...messages];
  });
  played.lit.replaceChildren();
}

function light() {
  const isBy = moment => view.columns[moment] <= played.column;
  for (const it of played.lights) {
    if (it.element !== undefined || !isBy(it.moment)) continue;
    it.element = svgElement(it.message === undefined ? 'circle' : 'path', { class: 'light' }, played.lit);
    it.element.style.color = colourOf(it.snapshot);
    placeLight(it);
  }
  // A cut is seen once all of it is recorded.
  for (const cut of drawn.cuts) {
    toggleCut(cut, !RUN.snapshots[cut.index].cut.every(event => isBy(momentOf[event])));
  }
}

function toggleCut({ past, line, name }, isToCome) {
  for (const element of [past, line, name]) element.classList.toggle('to-come', isToCome);
}

function placeLights() {
  for (const it of played.lights) {
    if (it.element !== undefined && hasMoved(it, view.columns, view.column, view.lane, view.gutter)) placeLight(it);
  }
}

function placeLight({ moment, message, element }) {
  if (message === undefined) {
    setAttributes(element, { cx: round(xOf(moment)), cy: round(yOf(moments[moment].row)), r: 17 });
    return;
  }
  const [from, to] = endsOf(RUN.messages[message], played.width);
  element.setAttribute('d', `M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}`);
}

/** Pans so that the line stays in sight. Only what moves is touched in most frames. */
function keepLineInSight() {
  const right = view.gutter + (view.width - view.gutter) * 0.65;
  const x = xOfTime();
  if (x - view.pan <= right && x - view.pan >= view.gutter) return;
  const before = view.pan;
  view.pan = x - right;
  keepInSight();
  if (view.pan === before) return;
  layers.run.setAttribute('transform', `translate(${round(-view.pan)} 0)`);
  if (Math.abs(view.pan - played.pan) < FOLLOW) return;
  played.pan = view.pan;
  schedule(false);
}

/** Whether the run is being played, or paused. */
function isPlayed() {
  return played.column !== undefined;
}

/** Where the line is, if the run is played. */
function xOfTime() {
  return !isPlayed() ? undefined : view.gutter + MARGIN + played.column * view.column;
}

/** Puts the line where it is, and all that travels on it. */
function placePlayed() {
  if (!isPlayed()) return;
  const now = xOfTime();
  played.width = Math.max(widthOfRun(), view.width);
  placeStep();
  played.purses.forEach(({ group }, lane) => {
    group.setAttribute('transform', `translate(${round(now)} ${round(yOf(lane))})`);
  });
  played.travelling.forEach((message, nth) => {
    const [from, to] = endsOf(RUN.messages[message], played.width);
    const x = Math.min(Math.max(now, from.x), Math.max(to.x, from.x));
    const y = to.x > from.x ? from.y + (to.y - from.y) * (x - from.x) / (to.x - from.x) : from.y;
    played.coins[nth].group.setAttribute('transform', `translate(${round(x)} ${round(y)})`);
  });
}

/** Says how much money there is, and where. */
function showMoney(now) {
  const waiting = [...inTransit(now).values()].flat();
  const moving = sum(waiting.map(({ amount }) => BigInt(amount ?? 0)));
  const held = sum(now.balances.filter(balance => balance !== undefined));
  played.balances = now.balances;
  byId('total').replaceChildren('In all ', make('strong', {}, String(held + moving)),
    ` = ${held} in balances + ${moving} in transit`);
}

function showPlayButton() {
  byId('play').textContent = played.isRunning ? 'Pause' : 'Play';
  byId('play').title = played.isRunning ? 'Pause (space)' : 'Play (space)';
}

function listenToPlaying() {
  byId('play').addEventListener('click', togglePlaying);
}
