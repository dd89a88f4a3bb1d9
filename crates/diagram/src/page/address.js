// The page's address says what is shown, as `#snapshot=2&step=57&straight&cut=3,5,0`: the snapshot
// by its number, the step as it is counted on the page, and for each process how many of its steps
// are inside the reader's own cut. Whatever means nothing is passed over.

/** How long the reader must rest before the address is written, in milliseconds: it is costly. */
const REST = 250;
const address = { isKept: false, isFollowed: false, writing: 0 };

function addressOfView() {
  const { snapshot, position, isStraight } = state;
  const parts = [
    `snapshot=${snapshot === undefined ? 'none' : RUN.snapshots[snapshot].id}`,
    `step=${position + 1}`,
    isStraight ? 'straight' : undefined,
    own.steps === undefined ? undefined : `cut=${own.steps.join(',')}`,
  ];
  return `#${parts.filter(Boolean).join('&')}`;
}

/** Something has changed that the address tells. */
function rememberPlace() {
  if (!address.isKept || address.isFollowed) return;
  clearTimeout(address.writing);
  address.writing = setTimeout(writeAddress, REST);
}

function writeAddress() {
  clearTimeout(address.writing);
  if (location.hash !== addressOfView()) history.replaceState(null, '', addressOfView());
}

/** Shows what the address tells, at once. What it does not tell stays, but for flags. */
function followAddress() {
  const told = new URLSearchParams(location.hash.slice(1));
  if (!['snapshot', 'step', 'straight', 'cut'].some(name => told.has(name))) return;
  address.isFollowed = true;
  const snapshot = snapshotIn(told);
  if (snapshot !== state.snapshot || state.isStraight) chooseSnapshot(snapshot);
  if (told.has('straight')) toggleStraight();
  setOwnCut(cutIn(told));
  const step = wholeNumber(told.get('step') ?? '');
  if (step >= 1 && step <= state.order.length) goTo(step - 1, false);
  address.isFollowed = false;
}

function snapshotIn(told) {
  if (told.get('snapshot') === 'none') return undefined;
  const found = RUN.snapshots.findIndex(({ id }) => id === told.get('snapshot'));
  return found < 0 ? state.snapshot : found;
}

function cutIn(told) {
  const steps = (told.get('cut') ?? '').split(',').map(wholeNumber);
  const fits = steps.length === stepsOf.length && steps.every((count, lane) => count <= stepsOf[lane].length);
  return fits ? steps : undefined;
}

/** What is written as a whole number; anything else is none. */
function wholeNumber(text) {
  return /^\d+$/.test(text) ? Number(text) : NaN;
}

async function copyLink() {
  writeAddress();
  try {
    await navigator.clipboard.writeText(location.href);
    say('Copied.');
  } catch {
    say('Not allowed here: copy the address of this page, it is the link.');
  }
}

/** Says what has come of copying or saving. */
function say(text) {
  byId('shared').textContent = text;
}

function listenToAddress() {
  followAddress();
  address.isKept = true;
  window.addEventListener('hashchange', followAddress);
  byId('copy-link').addEventListener('click', copyLink);
}
