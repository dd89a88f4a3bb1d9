// What the reader does: the page's state, and what changes it.

/** The order in which the run is stepped through, how far, and what is chosen. */
const state = {
  order: [], position: 0, isStepping: false, snapshot: undefined, isStraight: false, selected: undefined,
};

/** Whether a message is in a channel state of the chosen snapshot. */
function isCrossing(message) {
  return RUN.snapshots[state.snapshot]?.crossing.has(message) ?? false;
}

/** Goes to a step; `focus` says whether the keyboard follows. */
function goTo(position, focus) {
  stopPlaying();
  hover(undefined);
  if (!state.isStepping) fadeWhatIsToCome(true);
  showStepAt(position);
  if (focus) drawn.moments[state.order[state.position]].group.focus({ preventScroll: true });
}

/** Makes a step the one that is shown. */
function showStepAt(position) {
  const last = state.order.length - 1;
  const previous = drawn.moments[state.order[state.position]];
  const from = state.position;
  state.position = Math.min(last, Math.max(0, position));
  const moment = state.order[state.position];
  previous?.group.setAttribute('tabindex', -1);
  previous?.group.classList.remove('current');
  const { group } = drawn.moments[moment];
  group.setAttribute('tabindex', 0);
  group.classList.add('current');
  const passed = state.order.slice(Math.min(from, state.position), Math.max(from, state.position) + 1);
  if (state.isStepping) {
    passed.forEach(showTimeOf);
    showTimeOfCuts();
  }
  if (!isPlayed()) reveal(moment);
  // What was out of sight has no place yet, and could not have the focus.
  placeMoment(drawn.moments[moment], moment);
  placeStep();
  showStep();
  rememberPlace();
}

/** From the first step on that the reader takes: what is to come is faded, what is in flight stands out. */
function fadeWhatIsToCome(isStepping) {
  state.isStepping = isStepping;
  moments.forEach((_, moment) => showTimeOf(moment));
  RUN.messages.forEach((_, message) => showTimeOfMessage(message));
  showTimeOfCuts();
}

function showTimeOfCuts() {
  for (const { index, line, name } of drawn.cuts) {
    const isBegun = RUN.snapshots[index].cut.some(event => state.places[momentOf[event]] <= state.position);
    for (const element of [line, name]) element.classList.toggle('later', state.isStepping && !isBegun);
  }
}

function showTimeOf(moment) {
  const isLater = state.isStepping && state.places[moment] > state.position;
  const { group, labels } = drawn.moments[moment];
  for (const element of [group, ...labels]) element.classList.toggle('later', isLater);
  for (const event of moments[moment].events) {
    const { message } = RUN.events[event];
    if (message !== undefined) showTimeOfMessage(message);
  }
}

function showTimeOfMessage(message) {
  const { sent, received } = RUN.messages[message];
  const isBy = event => state.places[momentOf[event]] <= state.position;
  const isSent = sent === undefined || isBy(sent);
  const isReceived = received !== undefined && isBy(received);
  const { group, labels } = drawn.messages[message];
  group.classList.toggle('in-flight', state.isStepping && isSent && !isReceived);
  for (const element of [group, ...labels]) element.classList.toggle('later', state.isStepping && !isSent);
}

/** Sets the order in which the run is stepped through. */
function follow(order) {
  state.order = order;
  state.places = [];
  order.forEach((moment, place) => {
    state.places[moment] = place;
  });
}

function select(found) {
  const same = found && state.selected && found.moment === state.selected.moment
    && found.message === state.selected.message;
  state.selected = same ? undefined : found;
  highlight();
  showCauses();
}

/** Dims what is neither in the past nor in the future of what is selected. */
function highlight() {
  const { selected } = state;
  svg.classList.toggle('highlighting', selected !== undefined);
  const nothing = new Set();
  const { past, future } = selected === undefined ? { past: nothing, future: nothing } : causality(selected);
  const mark = (group, inPast, inFuture, isIt) => {
    group.classList.toggle('in-past', inPast);
    group.classList.toggle('in-future', inFuture && !inPast);
    group.classList.toggle('selected', isIt);
  };
  drawn.moments.forEach(({ group }, index) => {
    mark(group, past.has(index), future.has(index), selected?.moment === index);
  });
  drawn.messages.forEach(({ group }, index) => {
    const { sent, received } = RUN.messages[index];
    const isIt = selected?.message === index;
    mark(group, isIt || past.has(momentOf[received]), future.has(momentOf[sent]), isIt);
  });
}

/** Chooses a snapshot: its cut, its markers and what crosses it stand out. */
function chooseSnapshot(index) {
  stopPlaying();
  if (state.isStraight) toggleStraight();
  state.snapshot = index;
  emphasise();
  showSnapshot();
  chooseLabels();
  if (index !== undefined) goToCut(index);
  rememberPlace();
}

/** Shows the cut of a snapshot, at the step where it begins. */
function goToCut(snapshot) {
  const cut = RUN.snapshots[snapshot].cut.map(event => momentOf[event]);
  if (cut.length === 0) return;
  revealCut(snapshot);
  showStepAt(Math.min(...cut.map(moment => state.places[moment])));
}

function emphasise() {
  const { snapshot: chosen, isStraight } = state;
  svg.classList.toggle('chosen', chosen !== undefined);
  drawn.cuts.forEach(({ index, past, line, name }) => {
    for (const element of [past, line, name]) element.classList.toggle('chosen', index === chosen);
  });
  drawn.messages.forEach(({ group }, index) => {
    const { snapshot } = RUN.messages[index];
    const isOther = snapshot !== undefined && chosen !== undefined && snapshot !== chosen;
    const crossing = isCrossing(index);
    group.classList.toggle('crossing', crossing);
    group.classList.toggle('other', isOther);
    group.classList.toggle('faded', isStraight && snapshot !== undefined && snapshot === chosen);
    if (snapshot === undefined) group.style.color = crossing ? colourOf(chosen) : '';
  });
  drawn.labels.forEach(label => {
    const crossing = isCrossing(label.message);
    label.element.classList.toggle('crossing', crossing);
  });
}

/** Moves the events so that the cut is straight, or back to where they were. */
function toggleStraight() {
  const snapshot = RUN.snapshots[state.snapshot];
  if (snapshot?.straight === undefined) return;
  stopPlaying();
  state.isStraight = !state.isStraight;
  const moment = state.order[state.position];
  const next = arrange(state.isStraight ? state.snapshot : undefined);
  const isWhole = widthOfRun() <= view.width + 1;
  const cut = snapshot.cut.map(event => momentOf[event]);
  follow(next.order);
  // At the line, what is shown as the system's state is the snapshot.
  const lastOfCut = next.order.findLastIndex(it => cut.includes(it));
  state.position = state.isStraight ? lastOfCut : state.places[moment];
  fadeWhatIsToCome(false);
  drawn.moments[moment].group.setAttribute('tabindex', -1);
  drawn.moments[moment].group.classList.remove('current');
  emphasise();
  showSnapshot();
  svg.classList.toggle('straight', state.isStraight);
  const target = viewOf(next.columns, cut);
  if (isWhole) target.column = Math.min(target.column, narrowest(next.columns));
  animateTo(next.columns, target, () => showStepAt(state.position));
}

/** The nearest step at the process above or below. */
function stepAtOtherProcess(direction) {
  const { order, position } = state;
  const { row } = moments[order[position]];
  let best;
  order.forEach((moment, at) => {
    const other = moments[moment].row;
    if (other === undefined || Math.sign(other - (row ?? -1)) !== direction) return;
    const distance = Math.abs(other - (row ?? -1)) * 1e6 + Math.abs(at - position);
    if (best === undefined || distance < best.distance) best = { at, distance };
  });
  if (best) goTo(best.at, true);
}

/** From an event to its message, and from a message to its other end. */
function followMessage(focused) {
  const message = drawn.messages.findIndex(({ group }) => group === focused);
  if (message < 0) {
    const { events } = moments[state.order[state.position]];
    const event = events.map(it => RUN.events[it]).find(it => it.message !== undefined);
    if (event) drawn.messages[event.message].group.focus({ preventScroll: true });
    return;
  }
  const { sent, received } = RUN.messages[message];
  const here = state.order[state.position];
  const ends = [received, sent].flatMap(event => event === undefined ? [] : [momentOf[event]]);
  const other = ends.find(moment => moment !== here) ?? ends[0];
  goTo(state.order.indexOf(other), true);
}

/** Keys that mean something wherever the focus is. */
function onAnyKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('select')) return;
  const actions = {
    '+': () => zoom(1.3),
    '=': () => zoom(1.3),
    '-': () => zoom(1 / 1.3),
    0: showWhole,
    c: toggleOwnCut,
    C: toggleOwnCut,
  };
  const inDiagram = svg.contains(event.target);
  if (inDiagram || event.target === document.body) {
    Object.assign(actions, {
      ArrowRight: () => goTo(state.position + 1, inDiagram),
      ArrowLeft: () => goTo(state.position - 1, inDiagram),
      Home: () => goTo(0, inDiagram),
      End: () => goTo(Infinity, inDiagram),
      ' ': togglePlaying,
      ArrowUp: () => stepAtOtherProcess(-1),
      ArrowDown: () => stepAtOtherProcess(1),
    });
  }
  if (inDiagram) {
    Object.assign(actions, {
      Enter: () => select(targetOf(event.target)),
      m: () => followMessage(event.target),
      M: () => followMessage(event.target),
    });
  }
  actions.Escape = () => {
    stopPlaying();
    hover(undefined);
    select(undefined);
    fadeWhatIsToCome(false);
  };
  const action = actions[event.key];
  if (!action) return;
  if (event.key !== 'Escape') event.preventDefault();
  action();
}

/** The event or message that an element stands for. */
function targetOf(element) {
  const moment = drawn.moments.findIndex(({ group }) => group === element);
  if (moment >= 0) return { moment };
  const message = drawn.messages.findIndex(({ group }) => group === element);
  return message < 0 ? undefined : { message };
}

function onFocus(event) {
  const found = targetOf(event.target);
  if (!found || !event.target.matches(':focus-visible')) return;
  const box = svg.getBoundingClientRect();
  const at = middleOf(found);
  showTooltip(found, box.left + at.x - view.pan, box.top + at.y);
}

/** One pointer pans, two zoom; a pointer that stays clicks. */
function listenToPointers() {
  const pointers = new Map();
  let travelled = 0;
  const place = event => {
    const box = svg.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const find = (event, reach) => {
    const { x, y } = place(event);
    return x < view.gutter ? undefined : nearest(x + view.pan, y, reach);
  };
  svg.addEventListener('pointerdown', event => {
    if (pointers.size === 0) travelled = 0;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointermove', event => {
    const before = pointers.get(event.pointerId);
    if (before === undefined) {
      hover(find(event, 12), event);
      return;
    }
    const now = { x: event.clientX, y: event.clientY };
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    if (other) {
      const spread = ({ x, y }) => Math.max(20, Math.hypot(x - other.x, y - other.y));
      zoom(spread(now) / spread(before), (now.x + other.x) / 2 - svg.getBoundingClientRect().left);
    } else if (travelled > 4) {
      hideTooltip();
      panBy(before.x - now.x, before.y - now.y);
    }
  });
  const release = event => {
    const wasAlone = pointers.size === 1 && pointers.delete(event.pointerId);
    pointers.delete(event.pointerId);
    if (event.type !== 'pointerup' || !wasAlone || travelled > 4) return;
    const found = find(event, event.pointerType === 'touch' ? 26 : 12);
    select(found && (found.message === undefined ? { moment: found.moment } : { message: found.message }));
    if (found?.moment !== undefined) {
      showStepAt(state.places[found.moment]);
      drawn.moments[found.moment].group.focus({ preventScroll: true });
    }
    if (found) showTooltip(found, event.clientX, event.clientY);
  };
  svg.addEventListener('pointerup', release);
  svg.addEventListener('pointercancel', release);
  svg.addEventListener('pointerleave', event => hover(undefined, event));
  frame.addEventListener('wheel', event => {
    event.preventDefault();
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) panBy(event.deltaX || event.deltaY, 0);
    else zoom(Math.exp(-event.deltaY / 400), event.clientX - svg.getBoundingClientRect().left);
  }, { passive: false });
}

function hover(found, event) {
  svg.classList.toggle('hovering', found !== undefined);
  drawn.hovered?.classList.remove('hovered');
  drawn.hovered = found && (found.moment === undefined
    ? drawn.messages[found.message] : drawn.moments[found.moment]).group;
  drawn.hovered?.classList.add('hovered');
  if (found) showTooltip(found, event.clientX, event.clientY);
  else hideTooltip();
}

function listen() {
  byId('in').addEventListener('click', () => zoom(1.3));
  byId('out').addEventListener('click', () => zoom(1 / 1.3));
  byId('whole').addEventListener('click', showWhole);
  byId('first').addEventListener('click', () => goTo(0, false));
  byId('previous').addEventListener('click', () => goTo(state.position - 1, false));
  byId('next').addEventListener('click', () => goTo(state.position + 1, false));
  byId('last').addEventListener('click', () => goTo(Infinity, false));
  byId('position').addEventListener('input', event => goTo(Number(event.target.value), false));
  byId('choice').addEventListener('change', event => {
    chooseSnapshot(event.target.value === '' ? undefined : Number(event.target.value));
  });
  byId('straighten').addEventListener('click', toggleStraight);
  document.addEventListener('keydown', onAnyKey);
  svg.addEventListener('focusin', onFocus);
  svg.addEventListener('focusout', hideTooltip);
  listenToPointers();
  listenToOwnCut();
  listenToPlaying();
  new ResizeObserver(() => {
    measure();
    view.column = Math.max(view.column, Math.min(narrowest(), 40));
    keepInSight();
    schedule(true);
  }).observe(frame);
}

function begin() {
  const { order, columns } = arrange();
  follow(order);
  view.columns = columns;
  showHeader();
  fillChoice();
  if (moments.length === 0) return;
  build();
  measure();
  byId('position').max = order.length - 1;
  const first = RUN.snapshots.findIndex(snapshot => snapshot.collect !== undefined);
  state.snapshot = first < 0 ? undefined : first;
  emphasise();
  showSnapshot();
  showCauses();
  showStepAt(0);
  lookFirst();
  place();
  chooseLabels();
  listen();
  listenToAddress();
  listenToSaving();
}

/** The page opens on the whole run, where that can be read; else on its first snapshot. */
function lookFirst() {
  const canBeRead = narrowest() >= LEGIBLE;
  view.column = canBeRead ? narrowest() : READABLE;
  view.pan = 0;
  if (!canBeRead && state.snapshot !== undefined) goToCut(state.snapshot);
}

begin();
