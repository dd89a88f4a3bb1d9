// What is said beside the diagram, in words and tables. Everything is set as text, never as markup.

const byId = id => document.getElementById(id);

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A table with a caption, a heading for each column, and the first cell of each row heading it. */
function table(caption, headings, rows) {
  const heads = headings.map(heading => make('th', { scope: 'col' }, heading));
  const lines = rows.map(([first, ...rest]) => make('tr', {},
    make('th', { scope: 'row' }, first), ...rest.map(cell => make('td', {}, cell))));
  return make('table', {}, make('caption', {}, caption),
    make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...lines));
}

function paragraph(text, kind) {
  return make('p', kind ? { class: kind } : {}, text);
}

function showHeader() {
  const title = RUN.script ?? 'Space-time diagram';
  document.title = title;
  byId('title').textContent = title;
  const facts = [
    `${RUN.processes.length} processes`,
    RUN.part === undefined ? `${RUN.events.length} events` : `events ${RUN.part.events.join(' to ')} of ${RUN.part.of}`,
    RUN.seed === undefined ? undefined : `seed ${RUN.seed}`,
    RUN.sha256 === undefined ? undefined : `script ${RUN.sha256.slice(0, 12)}…`,
  ];
  byId('about').textContent = facts.filter(Boolean).join(' · ');
  byId('part').textContent = RUN.part === undefined ? '' : wordsOfPart(RUN.part);
  showLegend();
}

/** Which part of the run is shown, and what shows another. */
function wordsOfPart({ lines, snapshots }) {
  const what = lines === undefined ? '' : `, what lines ${lines.join(' to ')} of the script did`;
  const another = snapshots > 0 ? `, and --snapshot N (1 to ${snapshots}) one snapshot` : '';
  return `This is a part of the run${what}. To “master diagram”, --from LINE and --to LINE choose another${another}.`;
}

/** Everything that is drawn, and what it means. */
function showLegend() {
  const arrow = (key, kind, isPenned) => {
    const group = svgElement('g', { class: kind }, key);
    if (isPenned) svgElement('path', { class: 'pen', d: 'M2 8H24' }, group);
    svgElement('path', { class: 'line', d: 'M1 8H18' }, group);
    svgElement('path', { class: 'head', d: 'M25 8L16 4V12Z' }, group);
  };
  const glyph = (kind, extra) => key => {
    const group = svgElement('g', { class: `moment ${kind} ${extra ?? ''}`, transform: 'translate(13 8)' }, key);
    if (extra === 'current') svgElement('circle', { class: 'halo', r: 9 }, group);
    if (extra === 'begins') svgElement('circle', { class: 'ring', r: 9 }, group);
    svgElement('path', { class: 'glyph', d: glyphOf(kind), transform: 'scale(0.8)' }, group);
  };
  const legend = [
    ['message', key => arrow(key, 'message')],
    ['marker', key => arrow(key, 'message marker')],
    ['cut of a snapshot', key => svgElement('path', { class: 'cut chosen', d: 'M6 8H20' }, key)],
    ['before the cut', key => svgElement('rect', { class: 'shade', x: 2, y: 1, width: 22, height: 14 }, key)],
    ['in transit at the cut', key => arrow(key, 'message crossing', true)],
    ['records its state', glyph('record')],
    ['begins a snapshot', glyph('record', 'begins')],
    ['a later marker arrives', glyph('marker_received')],
    ['collected, audited', glyph('collect')],
    ['refused', glyph('refuse')],
    ['dies', glyph('death')],
    ['step reached', glyph('send', 'current')],
  ];
  const more = [['is restarted', 'restarted'], ['opens a channel', 'connect'], ['does something by itself', 'local']];
  for (const [text, kind] of more) {
    if (RUN.events.some(event => event.kind === kind)) legend.push([text, glyph(kind)]);
  }
  byId('legend').append(...legend.map(([text, draw]) => {
    const key = svgElement('svg', { width: 26, height: 16, 'aria-hidden': true });
    draw(key);
    return make('li', {}, key, text);
  }));
}

function fillChoice() {
  const choice = byId('choice');
  choice.append(make('option', { value: '' }, RUN.snapshots.length ? 'none' : 'none was taken'));
  RUN.snapshots.forEach((snapshot, index) => {
    choice.append(make('option', { value: index }, `snapshot ${snapshot.id}`));
  });
  choice.disabled = RUN.snapshots.length === 0;
}

/** What was recorded for the chosen snapshot. */
function showSnapshot() {
  const { snapshot: index, isStraight } = state;
  const snapshot = RUN.snapshots[index];
  byId('choice').value = index ?? '';
  byId('swatch').style.background = snapshot ? colourOf(index) : 'transparent';
  const button = byId('straighten');
  button.setAttribute('aria-disabled', snapshot?.straight === undefined);
  button.classList.toggle('pressed', isStraight);
  button.textContent = isStraight ? 'As it happened' : 'Straighten the cut';
  byId('explanation').textContent = explanation(snapshot, isStraight);
  byId('recorded').replaceChildren(...(snapshot ? recorded(snapshot) : []));
}

function explanation(snapshot, isStraight) {
  if (snapshot === undefined) return RUN.snapshots.length ? 'Choose a snapshot to see what it recorded.' : '';
  if (snapshot.obstacle !== undefined) return `The cut cannot be straightened: ${snapshot.obstacle}.`;
  if (!isStraight) return '';
  return 'Same events, same order at every process, every message still received after it was sent: '
    + 'the snapshot is a state that the system could have been in at one instant. '
    + 'Its own markers, faded, are no part of it.';
}

function recorded(snapshot) {
  const parts = [verdict(snapshot)];
  if (snapshot.states.length > 0) {
    parts.push(table('Process states', ['Process', 'State'], snapshot.states));
  }
  if (snapshot.collect === undefined) return parts;
  if (snapshot.channels.length > 0) {
    parts.push(table('Channel states', ['Channel', 'Messages in transit'],
      snapshot.channels.map(([from, to, amounts]) => [`${from} → ${to}`, amounts.join(', ')])));
  }
  parts.push(paragraph(snapshot.channels.length > 0 ? 'All other channels were empty.' : 'All channels were empty.'));
  return parts;
}

function verdict({ total, reason, collect }) {
  if (reason !== undefined) return paragraph(`✗ Audit failed: ${reason}`, 'failed');
  if (total !== undefined) return paragraph(`✓ Audit passed: ${total} in all`, 'passed');
  return paragraph(collect === undefined ? 'Not collected in what is shown; so far recorded:' : 'Not audited.');
}

/** What the system's state is at the step reached. */
function showStep() {
  const { order, position } = state;
  const now = stateAfter(order, position);
  drawn.lanes.forEach((lane, index) => {
    const balance = now.balances[index]?.toString() ?? '';
    const room = view.gutter - lane.name.textContent.length * 7.5 - 24;
    lane.balance.textContent = balance.length * 7 <= room ? balance : '';
    lane.group.classList.toggle('dead', now.dead.has(index));
  });
  const moment = order[position];
  const lines = describeMoment(moment);
  const slider = byId('position');
  slider.value = position;
  slider.setAttribute('aria-valuetext', `step ${position + 1} of ${order.length}: ${lines.join(', ')}`);
  byId('status').textContent = `Step ${position + 1} of ${order.length}: ${lines.join('; ')}`;
  for (const id of ['first', 'previous']) byId(id).setAttribute('aria-disabled', position === 0);
  for (const id of ['next', 'last']) byId(id).setAttribute('aria-disabled', position === order.length - 1);
  showMoney(now);
  byId('now').replaceChildren(...stateTables(now));
}

function stateTables(now) {
  const processes = RUN.processes.flatMap(({ id }, lane) => now.balances[lane] === undefined
    ? [] : [[id, now.balances[lane].toString(), doing(now, lane)]]);
  const channels = transitRows(inTransit(now));
  const parts = [processes.length > 0
    ? table('Processes', ['Process', 'Balance', 'Recorder'], processes)
    : paragraph('There is no process yet.')];
  parts.push(channels.length > 0
    ? table('Channels', ['Channel', 'In transit'], channels)
    : paragraph('All channels are empty.'));
  return parts;
}

/** A row for each channel with money on it; markers that are alone on theirs share one a snapshot. */
function transitRows(channels) {
  const rows = [];
  const alone = new Map();
  for (const [name, messages] of channels) {
    if (messages.some(({ amount }) => amount !== undefined)) {
      rows.push([name, messages.map(contentOf).join(', ')]);
      continue;
    }
    for (const message of messages) {
      const marker = contentOf(message);
      if (!alone.has(marker)) alone.set(marker, []);
      alone.get(marker).push(name);
    }
  }
  for (const [marker, names] of alone) {
    rows.push([marker, names.length > 6 ? `on ${names.length} channels` : names.map(unbroken).join(', ')]);
  }
  return rows;
}

/** A text that stays on one line. */
function unbroken(text) {
  return text.replaceAll(' ', '\u00a0');
}

function contentOf(message) {
  return message.snapshot === undefined ? message.amount : `marker S${RUN.snapshots[message.snapshot].id}`;
}

/** What a process's recorders are doing. */
function doing(now, lane) {
  if (now.dead.has(lane)) return 'died';
  const recorders = [...now.recorders[lane]].map(([snapshot, closed]) => {
    const others = RUN.processes.map((_, other) => other)
      .filter(other => other !== lane && now.balances[other] !== undefined)
      .filter(other => now.channels?.has(`${other} ${lane}`) ?? true);
    const open = others.filter(other => !closed.has(other));
    const name = `S${RUN.snapshots[snapshot].id}`;
    if (open.length === 0) return `${name} complete`;
    const done = closed.size > 0 ? `; closed ${list([...closed])}` : '';
    return `${name} records ${list(open)}${done}`;
  });
  return recorders.join('. ') || '–';
}

/** Channels by their senders; many are counted. */
function list(lanes) {
  return lanes.length > 6 ? `${lanes.length} channels` : `from ${lanes.map(nameOf).join(', ')}`;
}

/** What the selected event or message can have been caused by, and can have caused. */
function showCauses() {
  const { selected } = state;
  const causes = byId('causes');
  if (selected === undefined) {
    causes.replaceChildren(paragraph('Click an event or a message, or press Enter on it, to see '
      + 'what can have caused it and what it can have caused.', 'hint'));
    return;
  }
  const { past, future } = causality(selected);
  const own = selected.message === undefined ? 1 : 0;
  const count = (set, what, kind) => make('li', { class: `of-${kind}` }, `${set} ${set === 1 ? 'step' : 'steps'} ${what}`);
  const concurrent = moments.length - new Set([...past, ...future]).size;
  causes.replaceChildren(
    paragraph(detailsOf(selected).join('; ')),
    make('ul', {},
      count(past.size - own, 'in its past', 'past'),
      count(future.size - own, 'in its future', 'future'),
      count(concurrent, 'concurrent with it', 'concurrent')));
}

/** An event or a message in words, a line for each thing. */
function detailsOf({ moment, message }) {
  if (message !== undefined) return describeMessage(message);
  const lines = describeMoment(moment);
  for (const index of moments[moment].events) {
    const { message: carried, kind } = RUN.events[index];
    if (carried !== undefined && (kind === 'send' || kind === 'receive')) {
      lines.push(...describeMessage(carried).slice(1));
    }
  }
  const when = whereAndWhen(RUN.events[moments[moment].events[0]]);
  return when ? [...lines, when] : lines;
}

function showTooltip(found, x, y) {
  const tooltip = byId('tooltip');
  const [first, ...rest] = detailsOf(found);
  tooltip.replaceChildren(make('strong', {}, first), ...rest.map(line => make('div', {}, line)));
  tooltip.hidden = false;
  const box = tooltip.getBoundingClientRect();
  const left = Math.min(x + 14, window.innerWidth - box.width - 8);
  const below = y + 18 + box.height < window.innerHeight;
  tooltip.style.left = `${Math.max(8, left)}px`;
  tooltip.style.top = `${Math.max(8, below ? y + 18 : y - 14 - box.height)}px`;
}

function hideTooltip() {
  byId('tooltip').hidden = true;
}
