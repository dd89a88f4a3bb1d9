// Moving what is seen: zooming, panning, and the way from one arrangement to another.

const calm = matchMedia('(prefers-reduced-motion: reduce)');
/** How long the cut takes to become straight, in milliseconds. */
const STRAIGHTENING = 1400;
let animation = 0;
let redraw = 0;
let relabel = 0;

/** Fits the picture to the room there is. */
function measure() {
  view.width = Math.max(200, frame.clientWidth);
  const longest = Math.max(1, ...RUN.processes.map(({ id }) => id.length), HAS_OBSERVER ? 8 : 0);
  drawn.digits ??= widestBalance();
  view.gutter = Math.round(longest * 7.2 + drawn.digits * 7 + 34);
  // On a narrow screen the balances are shown beside the diagram only.
  const most = Math.max(view.width * 0.4, longest * 7.8 + 20);
  view.gutter = Math.round(Math.min(view.gutter, most));
  const room = Math.max(260, window.innerHeight * (isNarrow() ? 0.5 : 0.6));
  view.lane = Math.min(96, Math.max(28, (room - TOP - BOTTOM) / ROWS));
  setAttributes(svg, { width: view.width, height: heightOfRun() });
}

function isNarrow() {
  return window.innerWidth < 900;
}

/** How wide a column is when the whole run is seen, in an arrangement. */
function narrowest(of = view.columns) {
  const columns = Math.max(1, lastColumn(of));
  return Math.min(WIDEST / 2, (view.width - view.gutter - 2 * MARGIN) / columns);
}

/** Draws anew before the next frame, however often it is asked for; labels once it is calm. */
function schedule(isZoomed) {
  if (isZoomed) {
    clearTimeout(relabel);
    relabel = setTimeout(chooseLabels, 80);
  }
  redraw ||= requestAnimationFrame(() => {
    redraw = 0;
    place();
  });
}

function keepInSight() {
  const farthest = Math.max(0, widthOfRun() - view.width);
  view.pan = Math.min(farthest, Math.max(0, view.pan));
}

function panBy(dx, dy) {
  view.pan += dx;
  frame.scrollTop += dy;
  keepInSight();
  schedule(false);
}

/** Zooms, and what is at `x` of the frame stays there. */
function zoom(factor, x = (view.width + view.gutter) / 2) {
  const least = Math.min(narrowest(), 40);
  const column = Math.min(WIDEST, Math.max(least, view.column * factor));
  const origin = view.gutter + MARGIN;
  const at = (x + view.pan - origin) / view.column;
  view.column = column;
  view.pan = at * column + origin - x;
  keepInSight();
  schedule(true);
}

function showWhole() {
  view.column = narrowest();
  view.pan = 0;
  frame.scrollTop = 0;
  schedule(true);
}

/** Pans so that a moment is seen. */
function reveal(moment) {
  const before = view.pan;
  const x = xOf(moment);
  const [left, right] = [view.pan + view.gutter + 40, view.pan + view.width - 40];
  if (x < left) view.pan -= left - x;
  if (x > right) view.pan += x - right;
  keepInSight();
  const y = yOf(moments[moment].row);
  if (y - 40 < frame.scrollTop) frame.scrollTop = y - 40;
  if (y + 40 > frame.scrollTop + frame.clientHeight) frame.scrollTop = y + 40 - frame.clientHeight;
  if (view.pan !== before) schedule(false);
}

/** Where to look so that these moments are seen, in an arrangement. */
function viewOf(columns, of) {
  const at = of.map(moment => columns[moment]);
  const [first, last] = [Math.min(...at), Math.max(...at)];
  const room = view.width - view.gutter - 2 * MARGIN;
  const column = Math.min(view.column, 0.85 * room / (last - first + 2));
  if (column < DENSE) {
    // Its beginning, then: all of it at once could not be read.
    return { column: READABLE, pan: (first - 1) * READABLE };
  }
  const middle = view.gutter + MARGIN + (first + last) / 2 * column;
  return { column, pan: middle - (view.width + view.gutter) / 2 };
}

/** Shows the cut of a snapshot. */
function revealCut(snapshot) {
  const cut = RUN.snapshots[snapshot].cut.map(event => momentOf[event]);
  if (cut.length === 0) return;
  const [left, right] = [view.pan + view.gutter + MARGIN, view.pan + view.width - MARGIN];
  const seen = cut.every(moment => xOf(moment) > left && xOf(moment) < right);
  if (seen) return;
  Object.assign(view, viewOf(view.columns, cut));
  keepInSight();
  schedule(true);
}

/** Moves everything from where it is to other columns; calls `done` when it is there. */
function animateTo(columns, target, done) {
  cancelAnimationFrame(animation);
  const from = { columns: view.columns, column: view.column, pan: view.pan };
  const start = performance.now();
  const finish = () => {
    Object.assign(view, { columns, column: target.column, pan: target.pan });
    keepInSight();
    svg.classList.remove('moving');
    place();
    chooseLabels();
    done();
  };
  if (calm.matches || address.isFollowed) {
    finish();
    return;
  }
  svg.classList.add('moving');
  const step = now => {
    const part = Math.min(1, (now - start) / STRAIGHTENING);
    if (part >= 1) {
      finish();
      return;
    }
    const eased = part < 0.5 ? 4 * part ** 3 : 1 - (2 - 2 * part) ** 3 / 2;
    const between = (a, b) => a + (b - a) * eased;
    view.columns = columns.map((column, index) => between(from.columns[index], column));
    view.column = between(from.column, target.column);
    view.pan = between(from.pan, target.pan);
    place();
    animation = requestAnimationFrame(step);
  };
  animation = requestAnimationFrame(step);
}
