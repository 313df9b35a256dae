/**
 * Figures of many runs: maps of the final loss, two cells A and B, their curves and their difference.
 *
 * All numbers are in the description of the figure, packed by runs.py; boxes, colours and sentences are those of
 * runs_figure.py and runs_words.py. It is joined to explorer.js, whose builders it uses.
 */

const MAP_SHAPES = {
  map: { viewBox: '0 0 480 360', box: [64, 26, 404, 318] },
  row: { viewBox: '0 0 640 136', box: [58, 26, 560, 92] },
  side: { viewBox: '0 0 320 288', box: [46, 26, 312, 246] },
  wide: { viewBox: '0 0 640 262', box: [58, 26, 632, 222] },
};
const STAR = 'm0,-7l1.76,4.57l4.9,.26l-3.81,3.08l1.26,4.74l-4.11,-2.67l-4.11,2.67l1.26,-4.74l-3.81,-3.08l4.9,-.26z';
const DIGITS = new Map([...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((digit, i) => [digit, i]));

const sum = (values) => values.reduce((total, value) => total + value, 0);
const average = (values) => sum(values) / values.length;
const variance = (values) => {
  const middle = average(values);
  return sum(values.map((value) => (value - middle) ** 2)) / (values.length - 1);
};
const tenth = (value) => Math.round(value * 10) / 10;

// Numbers

/** Whole numbers from their digits of five bits. */
function unpackNumbers(text) {
  const numbers = [];
  let [value, scale] = [0, 1];
  for (const char of text) {
    const digit = DIGITS.get(char);
    value += (digit & 31) * scale;
    scale *= 32;
    if (digit < 32) {
      numbers.push(value);
      [value, scale] = [0, 1];
    }
  }
  return numbers;
}

/** Single-precision numbers from the planes of their bytes. */
function unpackFloats(text) {
  const planes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const count = planes.length / 4;
  const view = new DataView(new ArrayBuffer(planes.length));
  planes.forEach((byte, i) => view.setUint8(4 * (i % count) + Math.floor(i / count), byte));
  return Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
}

/** A map of the description with its numbers: for each cell its seeds' final losses, mean, losses and curve. */
function openMap(map) {
  const numbers = unpackNumbers(map.curves);
  const all = unpackFloats(map.finals);
  const columns = map.x.texts.length;
  let at = 0;
  const take = (count) => numbers.slice(at, (at += count));
  const cells = Array.from({ length: columns * (map.y?.texts.length ?? 1) }, (_, k) => {
    const [count] = take(1);
    let height = 0;
    const mean = take(count).map((code) => (height += code & 1 ? -(code + 1) / 2 : code / 2));
    const low = take(count).map((less, i) => mean[i] - less);
    const high = take(count).map((more, i) => mean[i] + more);
    const finals = all.slice(k * map.seeds.length, (k + 1) * map.seeds.length);
    const lost = finals.filter(Number.isNaN).length;
    const curve = [mean, low, high].map((steps) => steps.map((step) => map.floor + map.unit * step));
    return { finals, lost, mean: lost ? Infinity : average(finals), curve };
  });
  const means = cells.map(({ mean }) => mean);
  const best = means.indexOf(Math.min(...means));
  const noise = map.seeds.length > 1 && !cells[best].lost ? Math.sqrt(variance(cells[best].finals)) : 0;
  const close = means.map((mean) => mean <= means[best] + noise && mean < Infinity);
  return { ...map, columns, cells, best, close };
}

/** 97.5 % point of Student's t (Abramowitz and Stegun, 26.7.5). */
function t95(freedom) {
  if (freedom < 5) return [12.7062, 4.3027, 3.1824, 2.7764][Math.max(0, Math.floor(freedom) - 1)];
  const z = 1.959964;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
  ];
  return z + sum(terms.map((term, k) => term / freedom ** (k + 1)));
}

/** Difference of two means with the ends of its 95 % interval, paired where the seeds are the same; null for one seed. */
function difference([one, a], [other, b]) {
  const [first, second] = [one.cells[a].finals, other.cells[b].finals];
  if (Math.min(first.length, second.length) < 2) return null;
  const mean = average(first) - average(second);
  const order = one.seeds.map((seed) => other.seeds.indexOf(seed));
  const paired = one.seeds.length === other.seeds.length && !order.includes(-1);
  let half;
  if (paired) {
    half = t95(first.length - 1) * Math.sqrt(variance(first.map((loss, i) => loss - second[order[i]])) / first.length);
  } else {
    const [u, v] = [first, second].map((losses) => variance(losses) / losses.length);
    const freedom = (u + v) ** 2 / (u ** 2 / (first.length - 1) + v ** 2 / (second.length - 1)) || 1;
    half = t95(freedom) * Math.sqrt(u + v);
  }
  return { mean, low: mean - half, high: mean + half, paired };
}

// Words

function settingOf({ x, y, columns }, k) {
  const parts = [`${x.symbol} = ${x.texts[k % columns]}`];
  if (y) parts.push(`${y.symbol} = ${y.texts[Math.floor(k / columns)]}`);
  return parts.join(', ');
}

const deviation = ({ finals, lost }) => (finals.length > 1 && !lost ? short(Math.sqrt(variance(finals)), 2) : '');

/** How the runs of a cell end: the mean final loss and its spread, or that some diverged. */
function ending({ cells }, k) {
  const { finals, lost, mean } = cells[k];
  if (lost) return finals.length === 1 ? 'diverged' : `diverged with ${lost} of ${finals.length} seeds`;
  return short(mean) + (finals.length > 1 ? ` ± ${deviation(cells[k])}` : '');
}

const same = (chosen) => chosen.length === 2 && chosen[0][0] === chosen[1][0] && chosen[0][1] === chosen[1][1];
const anyLost = (chosen) => chosen.some(([map, k]) => map.cells[k].lost);

function differenceInWords(chosen) {
  if (anyLost(chosen)) return 'Without a mean there is no difference to estimate.';
  const found = difference(...chosen);
  if (!found) return 'One seed has no spread to compare with.';
  const { mean, low, high, paired } = found;
  const verdict = high < 0 ? 'A ends lower' : low > 0 ? 'A ends higher' : 'the spread does not tell them apart';
  const how = paired ? 'paired by seed' : 'different seeds';
  return `A − B = ${short(mean, 3)}, 95 % interval ${short(low, 3)} to ${short(high, 3)} (${how}): ${verdict}.`;
}

function sentence(maps, chosen) {
  const parts = chosen.map(([map, k], letter) => {
    const name = maps.length > 1 ? `${map.label}, ${settingOf(map, k)}` : settingOf(map, k);
    const { lost, finals } = map.cells[k];
    if (lost) return `${'AB'[letter]} (${name}) ${ending(map, k)}.`;
    const rank = k === map.best ? ', the best' : map.close[k] ? ', within seed noise of the best' : '';
    const spread = finals.length === 1 ? ' (one seed)' : letter ? '' : ` (mean ± standard deviation of ${finals.length} seeds)`;
    return `${'AB'[letter]} (${name}): final loss ${ending(map, k)}${spread}${rank}.`;
  });
  if (same(chosen)) return `${parts[0]} B is the same cell.`;
  return [...parts, ...(chosen.length === 2 ? [differenceInWords(chosen)] : [])].join(' ');
}

function reached(goal, chosen) {
  const [map, k] = chosen[0];
  if (goal.below) return map.cells[k].mean < goal.below;
  if (goal.diverge) return map.cells[k].lost > 0;
  if (chosen.length < 2 || same(chosen) || anyLost(chosen)) return false;
  const found = difference(...chosen);
  return Boolean(found) && found.low <= 0 && found.high >= 0;
}

// Pictures

function colorOf({ range: [low, high], colors }, loss) {
  const place = Math.max(0, Math.min(1, Math.log(loss / low) / Math.log(high / low))) * (colors.length - 1);
  const k = Math.min(Math.floor(place), colors.length - 2);
  const parts = (text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
  const [from, to] = [parts(colors[k]), parts(colors[k + 1])];
  return '#' + from.map((a, i) => Math.floor(a + (to[i] - a) * (place - k) + 0.5).toString(16).padStart(2, '0')).join('');
}

/** Ticks of a logarithmic axis, as exponents with their text: plain numbers while it spans less than two decades. */
function logTicks(low, high, few = false) {
  if (high - low >= 2) return powerTicks(Math.ceil(low), Math.floor(high), few ? 2 : 5).map((k) => [k, power(k)]);
  const decades = [Math.floor(low), Math.floor(low) + 1, Math.floor(low) + 2];
  const values = high - low < Math.log10(3)
    ? niceTicks(10 ** low, 10 ** high, few ? 2 : 5)
    : decades.flatMap((k) => (few ? [1, 3] : [1, 1.5, 2, 3, 5, 7]).map((factor) => factor * 10 ** k));
  return values.map((value) => [Math.log10(value), short(value)]).filter(([at]) => at >= low && at <= high);
}

const boxPath = ([x0, y0, x1, y1]) => `M${x0} ${y0}H${x1}V${y1}H${x0}Z`;

/** Lines between the cells that are in and those that are not. */
function outlineOf({ close, columns }, xs, ys) {
  const rows = ys.length - 1;
  const inside = (i, j) => i >= 0 && j >= 0 && i < columns && j < rows && close[j * columns + i];
  let d = '';
  for (let j = 0; j <= rows; j++) {
    for (let i = 0; i <= columns; i++) {
      if (inside(i, j) !== inside(i - 1, j)) d += `M${xs[i]} ${ys[j]}V${ys[j + 1]}`;
      if (inside(i, j) !== inside(i, j - 1)) d += `M${xs[i]} ${ys[j]}H${xs[i + 1]}`;
    }
  }
  return d;
}

function barOf(spec, [, boxTop, right, bottom]) {
  const [x, top, steps] = [right + 16, boxTop + 8, 32];
  const [low, high] = spec.range.map(Math.log10);
  const step = (bottom - top) / steps;
  return [
    svg('g', { class: 'cells', 'shape-rendering': 'crispEdges' }, ...Array.from({ length: steps }, (_, k) =>
      svg('rect', { x, y: tenth(bottom - (k + 1) * step), width: 12, height: step + 0.2, fill: colorOf(spec, 10 ** (low + ((high - low) * (k + 0.5)) / steps)) }))),
    svg('path', { class: 'peak', d: `M${x} ${top}h12l-6 -8z`, fill: colorOf(spec, spec.range[1]) }),
    ...logTicks(low, high, bottom - top < 100).map(([at, text]) =>
      svg('text', { class: 'tick', x: x + 16, y: tenth(bottom - ((at - low) / (high - low)) * (bottom - top)) + 4 }, text)),
  ];
}

/** A cell that can be moved: a frame around it and, on top of all frames, its letter at a corner, which is the handle. */
function handleOf(rule, letter, [left, top, right, bottom]) {
  const lines = ['halo', 'chosen'].map((name) => svg('path', { class: name, 'stroke-dasharray': name === 'chosen' ? rule.dash : null }));
  const badge = svg('path', { class: 'stamp', d: letter ? 'M-8 -8h16v16h-16z' : 'M-8 0a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z' });
  const root = coloured(rule, svg('circle', { class: 'reach', r: 14 }), badge, svg('text', { class: 'letter', y: 4, 'text-anchor': 'middle' }, rule.label));
  const set = (attributes) => Object.entries(attributes).forEach(([name, value]) => root.setAttribute(name, value));
  set({ 'data-handle': letter ? 'compare' : 'cell', tabindex: 0, role: 'slider', 'aria-label': `cell ${rule.label}, move it with the arrow keys` });
  return {
    root,
    frame: coloured(rule, ...lines),
    move([x0, y0, x1, y1], words, place, last) {
      const frame = boxPath([x0 - 1, y0 - 1, x1 + 1, y1 + 1].map(tenth));
      for (const line of lines) setPath(line, frame);
      const [x, y] = letter ? [Math.max(left, x0 - 3), Math.min(bottom - 9, y1 + 3)] : [Math.min(right, x1 + 3), Math.max(top, y0 - 3)];
      set({ transform: `translate(${x} ${y})`, 'aria-valuemin': 1, 'aria-valuemax': last + 1, 'aria-valuenow': place + 1, 'aria-valuetext': words });
    },
  };
}

/** One map, drawn once; only its handles and the frame under the pointer move. */
function mapPanel(spec, map, letters) {
  const { viewBox, box } = MAP_SHAPES[map.y ? 'map' : 'row'];
  const [left, top, right, bottom] = box;
  const root = panel(map.y ? 'd2l-map' : 'd2l-map d2l-row', viewBox, `Map of the final loss of ${map.label}`);
  const axes = makeAxes(root, box, map.x.label, map.y?.label);
  const rows = map.y?.edges ?? [0, 1];
  axes.set([map.x.edges[0], map.x.edges.at(-1)], [rows[0], rows.at(-1)], false, { x: map.x.ticks, y: map.y?.ticks ?? [] });
  const [xs, ys] = [map.x.edges.map(axes.x), rows.map(axes.y)];
  const corners = (k) => {
    const [i, j] = [k % map.columns, Math.floor(k / map.columns)];
    return [xs[i], ys[j + 1], xs[i + 1], ys[j]];
  };
  const cells = svg('g', { class: 'cells', 'shape-rendering': 'crispEdges' });
  let [lost, hatch] = ['', ''];
  map.cells.forEach((cell, k) => {
    const [x0, y0, x1, y1] = corners(k);
    if (cell.lost) {
      const [x, y] = [tenth((x0 + x1) / 2), tenth((y0 + y1) / 2)];
      lost += boxPath([x0, y0, x1, y1]);
      hatch += `M${x0} ${y1}L${x1} ${y0}M${x0} ${y}L${x} ${y0}M${x} ${y1}L${x1} ${y}`;
    } else cells.append(svg('rect', { x: x0, y: y0, width: x1 - x0, height: y1 - y0, fill: colorOf(spec, cell.mean) }));
  });
  const outline = outlineOf(map, xs, ys);
  const [x0, y0, x1, y1] = corners(map.best);
  const star = map.cells[map.best].lost ? '' : `M${(x0 + x1) / 2} ${(y0 + y1) / 2}${STAR}`;
  const marks = { lost, hatch, halo: outline, noise: outline, star };
  root.prepend(cells, ...Object.entries(marks).map(([name, d]) => svg('path', { class: name, d })));
  const pointed = svg('path', { class: 'pointed' });
  const handles = letters.map((letter) => [letter, handleOf(spec.rules[letter], letter, box)]);
  root.append(
    svg('text', { class: 'name', x: left, y: 15 }, map.label),
    svg('text', { class: 'name', x: +viewBox.split(' ')[2] - 4, y: 15, 'text-anchor': 'end' }, 'final loss'),
    ...barOf(spec, box), pointed, ...handles.map(([, { frame }]) => frame), ...handles.map(([, handle]) => handle.root));
  const within = (edges, at) => Math.max(0, edges.filter((edge) => edge <= at).length - 1);
  return {
    root,
    handles,
    move: (letter, k) => handles.find(([owner]) => owner === letter)?.[1].move(corners(k), settingOf(map, k), k, map.cells.length - 1),
    point: (k) => setPath(pointed, k == null ? '' : boxPath(corners(k))),
    /** The cell under the pointer, or, for a handle that is dragged, the nearest one. */
    cellAt(event, clamp) {
      const { x, y } = svgPoint(root, event);
      if (!clamp && (x < left || x > right || y < top || y > bottom)) return null;
      const [i, j] = [within(xs, x), within(ys.map((edge) => -edge), -y)];
      return Math.min(i, map.columns - 1) + map.columns * Math.min(j, ys.length - 2);
    },
  };
}

/** The curves of the chosen cells, each in the band of its seeds. */
function curvesPanel(spec, maps, beside) {
  const { viewBox, box } = MAP_SHAPES[beside ? 'side' : 'wide'];
  const root = panel(beside ? 'd2l-side' : 'd2l-wide', viewBox, 'Loss of the chosen settings');
  const axes = makeAxes(root, box, 'epoch', '');
  const counts = [...new Set(maps.map(({ seeds }) => seeds.length))].join(' and ');
  root.append(svg('text', { class: 'name', x: box[0], y: 15 }, `loss: mean and range of ${counts} seeds`));
  const layers = spec.rules.map((rule) => layersOf(rule, axes.canvas, ['band', 'line', 'dots']));
  const low = Math.min(...maps.map(({ floor }) => floor)) + Math.log10(0.95);
  const before = Math.max(...maps.map((map) => map.before));
  const last = Math.max(...maps.map(({ epochs }) => epochs.at(-1)));
  return {
    root,
    draw(chosen) {
      const highest = Math.max(...chosen.flatMap(([map, k]) => map.cells[k].curve[2]));
      const high = Math.max(Math.log10(1.15 * before), Math.min(highest + 0.03, Math.log10(100 * before)));
      axes.set([0, last], [low, high], true, { y: logTicks(low, high) });
      layers.forEach((layer, letter) => {
        if (!chosen[letter]) return Object.values(layer).forEach((node) => setPath(node, ''));
        const [map, k] = chosen[letter];
        const [mean, lowest, highest] = map.cells[k].curve.map((curve) => curve.map(axes.y));
        const xs = mean.map((_, i) => axes.x(map.epochs[i]));
        setPath(layer.line, polyline(xs, mean));
        setPath(layer.dots, markers(xs, mean, spec.rules[letter].marker, 8));
        const around = [...highest.map((y, i) => `${xs[i]} ${y}`), ...lowest.map((y, i) => `${xs[i]} ${y}`).reverse()];
        setPath(layer.band, `M${around.join('L')}Z`);
      });
    },
  };
}

// Controls

/** A slider that walks through the values of a grid; `change(index)`. What is typed goes to the nearest value. */
function gridRow(slider, axis, id, change) {
  const last = axis.texts.length - 1;
  const range = html('input', { type: 'range', id, name: slider.name, min: 0, max: last, step: 1 });
  const { min, max, name } = slider;
  const field = axis.values
    ? html('input', { type: 'number', name, min, max, step: 'any', 'aria-label': slider.label + ', exact value' })
    : html('select', { name, 'aria-label': slider.label + ', value' }, ...axis.texts.map((text, i) => html('option', { value: i }, text)));
  const row = html('div', { class: 'd2l-slider' }, html('label', { for: id }, slider.label), range, field);
  let current = -1;
  const show = () => {
    range.value = current;
    range.setAttribute('aria-valuetext', axis.texts[current]);
    field.value = axis.values ? axis.values[current] : current;
  };
  const apply = () => {
    const typed = field.value.trim() === '' ? NaN : Number(field.value);
    if (!Number.isFinite(typed)) return show();
    const next = nearest(axis, typed);
    if (next === current) return show();
    change(next);
  };
  range.addEventListener('input', () => change(+range.value));
  field.addEventListener('change', apply);
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    apply();
  });
  return { row, set(index) { if (index !== current) { current = index; show(); } } };
}

/** Index of the value of a grid that is nearest, on a logarithmic axis by ratio. */
function nearest({ values, texts, log }, wanted) {
  const scale = log ? (value) => Math.log(Math.max(value, 1e-300)) : (value) => value;
  const gaps = (values ?? texts.map((_, i) => i)).map((value) => Math.abs(scale(value) - scale(wanted)));
  return gaps.indexOf(Math.min(...gaps));
}

// Figure

/** Fill `el` with the live figure of many runs. Returns the function that takes it away. */
function renderRuns({ model, el }) {
  const spec = model.get('spec');
  const uid = `d2l-${++figures}`;
  const figure = figureIn(el, spec);
  const maps = spec.maps.map(openMap);
  const owner = [maps[0], maps.at(-1)]; // of A and of B
  const axesOf = (letter) => [owner[letter].x, ...(owner[letter].y ? [owner[letter].y] : [])];
  const nameOf = (letter, axis) => axis.name + (letter ? '_2' : '');
  let state = structuredClone(model.get('state'));
  let hovered = null; // [letter, cell] under the pointer
  let second = false; // a click picks B

  const one = maps.length === 1;
  const beside = one && maps[0].y;
  const panels = maps.map((map, m) => mapPanel(spec, map, one ? [0, 1] : [m]));
  const curves = curvesPanel(spec, maps, beside);
  const layout = beside ? 'one' : maps.some(({ y }) => y) ? 'two' : 'rows';
  const plots = html('div', { class: `d2l-plots d2l-${layout}` }, ...panels.map(({ root }) => root), curves.root);

  // Words
  const swatch = (...parts) => svg('svg', { viewBox: '0 0 34 12', 'aria-hidden': 'true' }, ...parts);
  const mark = (name, d) => svg('path', { class: name, d });
  const lines = spec.rules.map((rule) => {
    const words = html('span');
    const line = svg('path', { class: 'line', 'stroke-dasharray': rule.dash, d: 'M1 6H33' });
    return { words, item: html('li', {}, swatch(coloured(rule, line, mark('dots', 'M17 6' + rule.marker))), ' ', html('b', {}, rule.label), ' ', words) };
  });
  const key = [[[mark('star', 'M17 6' + STAR)], 'best'], [[mark('noise', 'M8 1H26V11H8Z')], 'within seed noise of the best']];
  if (maps.some(({ cells }) => cells.some(({ lost }) => lost))) {
    key.push([[mark('lost', 'M8 1H26V11H8Z'), mark('hatch', 'M8 11L18 1M16 11L26 1M8 6L13 1M21 11L26 6')], 'diverged']);
  }
  const summary = html('p', { class: 'd2l-summary', 'aria-live': 'polite' });
  const goal = html('p', { class: 'd2l-goal' });
  const alert = html('p', { class: 'd2l-alert', role: 'alert' });
  const note = html('p', { class: 'd2l-note', role: 'status' });

  // Controls
  const rows = [0, 1].flatMap((letter) => axesOf(letter).map((axis) => {
    const name = nameOf(letter, axis);
    const slider = spec.sliders.find((candidate) => candidate.name === name);
    const row = gridRow(slider, axis, `${uid}-${name}`, (index) => request({ [name]: valueOf(axis, index) }));
    return { ...row, root: row.row, letter, axis, name };
  }));
  const compare = html('input', { type: 'checkbox', name: 'compare' });
  const check = html('label', { class: 'd2l-check' }, compare, ' ', spec.sliders.at(-1).label);
  const group = (letter, ...more) => html('div', { class: 'd2l-group', role: 'group', 'aria-label': `cell ${'AB'[letter]}` },
    ...more, ...rows.filter((row) => row.letter === letter).map(({ root }) => root));
  const controls = html('div', { class: 'd2l-controls' }, group(0), group(1, check));
  const reset = button('reset', 'Reset');
  const copy = button('copy-link', 'Copy link');
  const pickB = button('pick-second', 'Click picks B');
  const buttons = html('div', { class: 'd2l-buttons' }, ...(one ? [pickB] : []), reset, ...(model.get('link') ? [copy] : []));

  // Table
  const count = sum(maps.map(({ cells }) => cells.length));
  const body = html('tbody');
  const head = [...(one ? [] : ['optimizer']), 'setting', 'mean final loss', 'standard deviation', 'diverged'];
  const table = html('details', { class: 'd2l-table' },
    html('summary', {}, `The ${count} settings in numbers`),
    html('div', { tabindex: 0, role: 'region', 'aria-label': `table of settings: ${spec.title}` },
      html('table', {}, html('thead', {}, html('tr', {}, ...head.map((text) => html('th', { scope: 'col' }, text)))), body)));
  table.addEventListener('toggle', () => {
    if (!table.open || body.childElementCount) return;
    const settings = maps.flatMap((map) => map.cells.map((cell, k) => ({ map, cell, k })));
    settings.sort((p, q) => (p.cell.mean === q.cell.mean ? 0 : p.cell.mean - q.cell.mean));
    body.append(...settings.map(({ map, cell, k }) => {
      const { finals, lost, mean } = cell;
      const numbers = [lost ? '–' : short(mean), deviation(cell) || '–', `${lost} of ${finals.length}`];
      const [first, ...rest] = [...(one ? [] : [map.label]), settingOf(map, k), ...numbers];
      return html('tr', {}, html('th', { scope: 'row' }, first), ...rest.map((text) => html('td', {}, text)));
    }));
  });

  // Asking and showing
  const valueOf = (axis, index) => axis.values?.[index] ?? index;
  const indices = (letter) => axesOf(letter).map((axis) => nearest(axis, state.values[nameOf(letter, axis)] ?? 0));
  const cellOf = (letter) => indices(letter).reduce((k, index, i) => k + index * (i ? owner[letter].columns : 1), 0);
  const chosen = () => (state.values.compare ? [0, 1] : [0]).map((letter) => [owner[letter], cellOf(letter)]);

  /** Draw the curves and say whose they are: of A and B, one of them for now replaced by the cell under the pointer. */
  function showCurves() {
    const pairs = chosen();
    if (hovered) pairs[hovered[0]] = [owner[hovered[0]], hovered[1]];
    curves.draw(pairs);
    lines.forEach(({ words, item }, letter) => {
      item.hidden = !pairs[letter];
      if (!pairs[letter]) return;
      const [map, k] = pairs[letter];
      write(words, `${one ? '' : map.label + ', '}${settingOf(map, k)}: ${ending(map, k)}`);
    });
    panels.forEach((each, m) => each.point(hovered && owner[hovered[0]] === maps[m] ? hovered[1] : null));
  }

  function show() {
    const pairs = chosen();
    showCurves();
    for (const { letter, axis, name, set, root } of rows) {
      set(nearest(axis, state.values[name] ?? 0));
      root.hidden = letter === 1 && !state.values.compare;
    }
    compare.checked = Boolean(state.values.compare);
    pickB.setAttribute('aria-pressed', String(second));
    for (const { handles, move } of panels) {
      for (const [letter, { root, frame }] of handles) {
        for (const part of [root, frame]) part.toggleAttribute('hidden', !pairs[letter]);
        if (pairs[letter]) move(letter, pairs[letter][1]);
      }
    }
    write(summary, sentence(maps, pairs));
    if (spec.goal) {
      const done = reached(spec.goal, pairs);
      write(goal, `Goal ${done ? 'reached' : 'not yet reached'}: ${spec.goal.text}`);
      goal.dataset.reached = done;
    }
    figure.dataset.loss = JSON.stringify(pairs.map(([map, k]) => (map.cells[k].lost ? null : map.cells[k].mean)));
    figure.dataset.seq = state.seq;
    figure.dataset.state = anyLost(pairs) ? 'diverged' : 'ready';
  }

  function request(values) {
    state = { ...state, values: { ...state.values, ...values }, seq: state.seq + 1 };
    hovered = null;
    write(note, '');
    show();
    model.set('state', state);
    model.save_changes();
  }

  /** Move A (0) or B (1) to a cell. */
  function pick(letter, k) {
    if (k === cellOf(letter) && (letter === 0 || state.values.compare)) return;
    const places = [k % owner[letter].columns, Math.floor(k / owner[letter].columns)];
    const values = Object.fromEntries(axesOf(letter).map((axis, i) => [nameOf(letter, axis), valueOf(axis, places[i])]));
    request(letter ? { ...values, compare: 1 } : values);
  }

  panels.forEach((each, m) => {
    const { root, handles, cellAt } = each;
    const letterFor = (event) => (one ? Number(second !== event.shiftKey) : m);
    root.addEventListener('click', (event) => {
      const k = cellAt(event);
      if (k != null && !event.target.closest('[data-handle]')) pick(letterFor(event), k);
    });
    const hover = (next) => {
      if (next?.join() === hovered?.join()) return;
      hovered = next;
      showCurves();
    };
    root.addEventListener('pointermove', (event) => {
      if (event.pointerType === 'touch' || event.buttons) return;
      const k = cellAt(event);
      const letter = letterFor(event);
      hover(k == null || (letter && !state.values.compare && !one) ? null : [letter, k]);
    });
    root.addEventListener('pointerleave', () => hover(null));
    for (const [letter, { root: handle }] of handles) {
      draggable(handle, {
        drag: (event) => pick(letter, cellAt(event, true)),
        step(direction) {
          const { columns, cells } = owner[letter];
          const last = [columns - 1, cells.length / columns - 1];
          const from = [cellOf(letter) % columns, Math.floor(cellOf(letter) / columns)];
          const [i, j] = from.map((at, axis) => Math.max(0, Math.min(last[axis], at + direction[axis])));
          pick(letter, i + j * columns);
        },
      });
    }
  });
  compare.addEventListener('change', () => request({ compare: Number(compare.checked) }));
  pickB.addEventListener('click', () => {
    second = !second;
    pickB.setAttribute('aria-pressed', String(second));
  });
  reset.addEventListener('click', () => {
    second = false;
    request(structuredClone(spec.state.values));
  });
  copy.addEventListener('click', () => copyLink(model, state, note));

  /** A state that came from outside: a link, the back button, or Python. */
  function adopt() {
    const next = model.get('state');
    if (next === state || next.seq <= state.seq) return;
    state = structuredClone(next);
    show();
  }
  const showNote = () => write(note, model.get('note') ?? '');

  const { predict, seen } = tasks(spec);
  figure.replaceChildren(
    ...predict, plots,
    html('ul', { class: 'd2l-rules' }, ...lines.map(({ item }) => item)),
    html('ul', { class: 'd2l-rules d2l-key' }, ...key.map(([parts, text]) => html('li', {}, swatch(...parts), ' ', html('span', {}, text)))),
    summary, goal, controls, buttons, note, alert, ...seen, table, html('figcaption', {}, spec.title),
  );
  show();
  showNote();
  model.on('change:state', adopt);
  model.on('change:note', showNote);
  return () => {
    model.off('change:state', adopt);
    model.off('change:note', showNote);
  };
}
