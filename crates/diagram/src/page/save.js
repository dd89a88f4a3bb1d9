// The picture as it is shown, as a file of its own. It is made from what the browser has computed:
// no style sheet, no variable and no class is left, so that every program shows it in these colours.

/** What is written of an element's style where it differs from what the element would inherit. */
const INHERITED = ['fill', 'fill-opacity', 'stroke', 'stroke-opacity', 'stroke-width', 'stroke-dasharray', 'stroke-linecap', 'stroke-linejoin',
  'paint-order', 'font-size', 'font-weight', 'font-variant-numeric'];
/** The same, where it differs from what every element has by itself. */
const OWN = { opacity: '1', transform: 'none', 'text-decoration-line': 'none' };
/** What an element has of these that inherits nothing. */
const AT_FIRST = { fill: 'rgb(0, 0, 0)', 'fill-opacity': '1', stroke: 'none', 'stroke-opacity': '1', 'stroke-width': '1px', 'stroke-dasharray': 'none',
  'stroke-linecap': 'butt', 'stroke-linejoin': 'miter', 'paint-order': 'normal' };
/** How many pixels of a PNG there are to one of the page. */
const SHARPNESS = 2;

/** The picture as the text of an SVG file. */
function pictureAsShown() {
  const body = getComputedStyle(document.body);
  const [width, height] = ['width', 'height'].map(name => Number(svg.getAttribute(name)));
  const picture = svgElement('svg', { width, height, viewBox: `0 0 ${width} ${height}`,
    'font-family': body.fontFamily, 'font-size': body.fontSize });
  svgElement('title', {}, picture, document.title);
  svgElement('rect', { width, height, fill: body.backgroundColor }, picture);
  const inherits = { ...AT_FIRST, 'font-size': body.fontSize, 'font-weight': '400', 'font-variant-numeric': 'normal' };
  for (const child of svg.children) copyShown(child, picture, inherits);
  return new XMLSerializer().serializeToString(picture);
}

/** Copies an element and what is in it, as far as it is seen. */
function copyShown(element, parent, inherited) {
  const style = getComputedStyle(element);
  if (style.display === 'none' || style.opacity === '0') return;
  const copy = svgElement(element.localName, {}, parent);
  for (const { name, value } of element.attributes) {
    if (!/^(class|style|role|tabindex|data-|aria-)/.test(name)) copy.setAttribute(name, value);
  }
  const given = {};
  for (const name of INHERITED) {
    given[name] = style.getPropertyValue(name);
    if (given[name] !== inherited[name]) copy.setAttribute(name, given[name]);
  }
  for (const [name, usual] of Object.entries(OWN)) {
    const value = style.getPropertyValue(name);
    if (value !== usual) copy.setAttribute(name.replace('-line', ''), value);
  }
  if (element.children.length === 0) copy.textContent = element.textContent;
  for (const child of element.children) copyShown(child, copy, given);
}

/** The picture as the file of a PNG. */
async function pictureInPixels() {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(pictureAsShown())}`;
  await image.decode();
  const canvas = make('canvas', { width: image.width * SHARPNESS, height: image.height * SHARPNESS });
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise(resolve => { canvas.toBlob(resolve, 'image/png'); });
}

function save(file, ending) {
  const address = URL.createObjectURL(file);
  const name = `${document.title.replace(/\.\w*$/, '').replace(/[^\w-]+/g, '-')}-step-${state.position + 1}.${ending}`;
  make('a', { href: address, download: name }).click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  say(`Saved as ${name}.`);
}

function listenToSaving() {
  byId('save-svg').addEventListener('click', () => {
    save(new Blob([pictureAsShown()], { type: 'image/svg+xml' }), 'svg');
  });
  byId('save-png').addEventListener('click', async () => save(await pictureInPixels(), 'png'));
}
