/**
 * Front end of the interactive figures, the same file in a live kernel (anywidget) and on the website (page.js).
 *
 * It draws `result` and writes what the reader asks for into `state`. Every number comes from Python: no update rule,
 * objective or schedule is written here. Text from outside becomes text nodes and attribute values, never markup.
 */

// Elements, text

const builder = (create) => (tag, attributes = {}, ...children) => {
  const node = create(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const html = builder((tag) => document.createElement(tag));
const svg = builder((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));

/** Write text only where it differs, so that a live region is not announced twice. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const minus = (text) => String(text).replace('-', '−');
const power = (n) => '10' + String(n).replace('-', '⁻').replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit]);

/** A number for the eye: four digits, powers of ten outside 10⁻⁴ … 10⁶. */
function short(value, digits = 4) {
  if (!value) return '0';
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return minus(+value.toPrecision(digits));
  if (!Number.isFinite(value)) return '∞';
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e');
  return minus(+mantissa) + '·' + power(+exponent);
}

// Axes

/** Multiples of 1, 2 or 5 times a power of ten from `low` to `high`, at most about `count` of them. */
function niceTicks(low, high, count) {
  const raw = (high - low) / count;
  const scale = 10 ** Math.floor(Math.log10(raw));
  const step = scale * ([1, 2, 5].find((factor) => factor * scale >= raw * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** Whole exponents from `low` to `high`, at most `count`. */
function powerTicks(low, high, count) {
  const step = Math.ceil((high - low + 1) / count);
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => low + i * step);
}

/** The ends of the finite values above `bound`. */
function extent(lists, bound, otherwise) {
  const values = lists.flatMap((list) => Array.from(list)).filter((value) => value != null && value > bound && value < Infinity);
  return values.length ? [Math.min(...values), Math.max(...values)] : otherwise;
}

/** The whole exponents of ten that enclose two positive values, at most `most` apart (the larger one is kept). */
function decades(lowest, highest, most) {
  const high = Math.ceil(Math.log10(highest) - 1e-9);
  const low = Math.floor(Math.log10(lowest) + 1e-9);
  return low === high ? [low - 1, high + 1] : [Math.max(low, high - most), high]; // one power of ten would lie on the edge
}

// What follows from a result, as in derived.py.
const ratesAlong = ({ path, slope }, i) => Array.from({ length: slope.length / 2 }, (_, k) =>
  (slope[2 * k + i] ? (path[2 * k + i] - path[2 * k + 2 + i]) / slope[2 * k + i] : NaN));
const rateAxis = (rules) => [decades(...extent(rules.flatMap(({ rate1, rate2 }) => [rate1, rate2]), 0, [0.1, 10]), 8), true];
function fAxis(rules) {
  const [low, high] = extent(rules.map(({ f }) => f), -Infinity, [1, 1]);
  if (low >= 0) return [decades(Math.max(low, 1e-16), Math.max(high, 1e-16), 60), true];
  const margin = 0.05 * (high - low) || 1;
  return [[low - margin, high + margin], false];
}

const clampPixel = (value) => Math.round(Math.max(-4000, Math.min(4000, value)) * 10) / 10;

/**
 * Axes in the box [left, top, right, bottom] of an SVG.
 * Layers in `canvas` are clipped to it.
 */
function makeAxes(root, [left, top, right, bottom], xName, yName) {
  const width = right - left;
  const height = bottom - top;
  const canvas = svg('svg', { x: left, y: top, width, height, viewBox: [left, top, width, height].join(' ') });
  const ticks = svg('g', { 'aria-hidden': 'true' });
  const middle = (top + bottom) / 2;
  root.append(
    canvas,
    svg('path', { class: 'frame', d: `M${left} ${top}V${bottom}H${right}` }),
    ticks,
    svg('text', { class: 'name', x: (left + right) / 2, y: bottom + 30, 'text-anchor': 'middle' }, xName),
  );
  if (yName) {
    const turn = `translate(12 ${middle}) rotate(-90)`;
    root.append(svg('text', { class: 'name', transform: turn, 'text-anchor': 'middle' }, yName));
  }
  let [x0, x1, y0, y1] = [0, 1, 0, 1];
  let key = '';
  const x = (value) => left + ((value - x0) / (x1 - x0)) * width;
  const y = (value) => bottom - ((value - y0) / (y1 - y0)) * height;
  const axes = {
    canvas,
    x: (value) => clampPixel(x(value)),
    y: (value) => clampPixel(y(value)),
    /** The transform that makes an ellipse (see compute.py) of the unit circle. */
    matrix: ([c1, c2, a, b, c]) => `matrix(${x(a) - x(0)} 0 ${x(b) - x(0)} ${y(c) - y(0)} ${x(c1)} ${y(c2)})`,
    /** Data coordinates of a point of the SVG. */
    invert: (px, py) => [x0 + ((px - left) / width) * (x1 - x0), y0 + ((bottom - py) / height) * (y1 - y0)],
    /** Set the ranges; y values are exponents of ten if `log`; ticks of its own are [value, text]. Returns whether anything moved. */
    set(horizontal, vertical, log = false, own = {}) {
      const next = [horizontal, vertical, log].join();
      if (key === next) return false;
      key = next;
      [x0, x1] = horizontal;
      [y0, y1] = vertical;
      const named = (values, name) => values.map((value) => [value, name(value)]);
      const xTicks = own.x ?? named(niceTicks(x0, x1, width > 300 ? 7 : 6).filter((value) => value % 1 === 0 || xName !== 'step'), short);
      const yTicks = own.y ?? named(log ? powerTicks(y0, y1, 5) : niceTicks(y0, y1, 6), log ? power : short);
      ticks.replaceChildren(
        ...xTicks.map(([value, text]) => svg('text', { class: 'tick', x: axes.x(value), y: bottom + 15, 'text-anchor': 'middle' }, text)),
        ...yTicks.flatMap(([value, text]) => [
          log ? svg('path', { class: 'grid', d: `M${left} ${axes.y(value)}H${right}` }) : '',
          svg('text', { class: 'tick', x: left - 6, y: axes.y(value) + 4, 'text-anchor': 'end' }, text),
        ]),
      );
      return true;
    },
  };
  return axes;
}

/** SVG path through the points, with a gap wherever y is not finite. */
function polyline(xs, ys) {
  let d = '';
  let pen = 'M';
  for (let i = 0; i < ys.length; i++) {
    if (Number.isFinite(ys[i])) {
      d += pen + xs[i] + ' ' + ys[i];
      pen = 'L';
    } else pen = 'M';
  }
  return d;
}

/** A marker at every point, or at about `most`. */
function markers(xs, ys, marker, most) {
  const stride = Math.ceil(ys.length / most);
  let d = '';
  for (let i = 0; i < ys.length; i += stride) if (Number.isFinite(ys[i])) d += 'M' + xs[i] + ' ' + ys[i] + marker;
  return d;
}

/** Set a path where it differs: each change costs layout and painting. */
function setPath(node, d) {
  if (node.getAttribute('d') !== d) node.setAttribute('d', d);
}

// Contours

/** Marching squares: for each set of corners inside (1 ↙, 2 ↘, 4 ↗, 8 ↖) the edges from → to, inside on the left. */
const TURNS = ['', '03', '10', '13', '21', '0321', '20', '23', '32', '02', '1032', '12', '31', '01', '30', '']
  .map((text) => Array.from(text, Number));

/** f on a grid twice as fine, as in derived.py. */
function refine({ nx, ny, grid, levels }) {
  let values = Float64Array.from(grid, (z) => (Number.isFinite(z) ? z : NaN));
  for (let pass = 0; pass < 2; pass++) { // each transposes
    const finer = new Float64Array((2 * nx - 1) * ny);
    for (let j = 0; j < ny; j++) {
      const line = [0, ...values.subarray(j * nx, (j + 1) * nx), 0];
      line[0] = 3 * (line[1] - line[2]) + line[3];
      line[nx + 1] = 3 * (line[nx] - line[nx - 1]) + line[nx - 2];
      for (let i = 1; i <= nx; i++) {
        finer[(2 * i - 2) * ny + j] = line[i];
        if (i < nx) finer[(2 * i - 1) * ny + j] = (9 * (line[i] + line[i + 1]) - line[i - 1] - line[i + 2]) / 16;
      }
    }
    [values, nx, ny] = [finer, ny, 2 * nx - 1];
  }
  return { nx, ny, values, levels };
}

/** SVG paths around the regions where f is at most each level, of even numbers between the ends `horizontal` and `vertical`. */
function regionsBelow({ nx, ny, values, levels }, horizontal, vertical) {
  const columns = nx + 2; // a frame of points outside closes every loop
  const places = (n, [from, to]) => Array.from({ length: n + 2 }, (_, i) => from + ((to - from) * (i - 1)) / (n - 1));
  const xs = places(nx, horizontal);
  const ys = places(ny, vertical);
  const heights = new Float64Array(columns * (ny + 2)).fill(Infinity);
  for (let j = 0; j < ny; j++) heights.set(values.subarray(j * nx, (j + 1) * nx), (j + 1) * columns + 1);
  const next = new Int32Array(2 * heights.length).fill(-1); // edge 2k: from point k to the right; 2k + 1: upwards
  return levels.map((level) => {
    const firsts = [];
    for (let j = 0; j <= ny; j++) {
      for (let i = 0, k = j * columns, corners = 0; i <= nx; i++, k++) {
        corners = ((corners & 2) >> 1) + 2 * (heights[k + 1] <= level) + 4 * (heights[k + 1 + columns] <= level) + 2 * (corners & 4);
        const turns = TURNS[corners];
        for (let t = 0; t < turns.length; t += 2) {
          const sides = [2 * k, 2 * k + 3, 2 * (k + columns), 2 * k + 1];
          firsts.push(sides[turns[t]]);
          next[sides[turns[t]]] = sides[turns[t + 1]];
        }
      }
    }
    let d = '';
    for (const first of firsts) {
      const [us, vs] = [[], []];
      for (let edge = first; next[edge] >= 0;) {
        let k = edge >> 1;
        let l = k + (edge & 1 ? columns : 1);
        if (!(heights[k] <= level)) [k, l] = [l, k];
        const t = (level - heights[k]) / (heights[l] - heights[k]) || 0;
        const between = (from, to) => 2 * Math.round((from + t * (to - from)) / 2);
        us.push(between(xs[k % columns], xs[l % columns]));
        vs.push(between(ys[Math.floor(k / columns)], ys[Math.floor(l / columns)]));
        const following = next[edge];
        next[edge] = -1;
        edge = following;
      }
      if (us.length) d += smooth(us, vs);
    }
    return d;
  });
}

/** A closed curve that bends at each point and passes halfway between them. */
function smooth(xs, ys) {
  const after = (i) => (i + 1) % xs.length;
  const halfway = xs.map((x, i) => (x + xs[after(i)]) / 2 + ' ' + (ys[i] + ys[after(i)]) / 2);
  return `M${halfway.at(-1)}Q${xs[0]} ${ys[0]} ${halfway.join('T')}Z`;
}

/** The unit circle in short pieces: Chromium leaves parts of ellipses blank that reach far beyond the picture. */
const CIRCLE = smooth(...[Math.cos, Math.sin].map((f) => Array.from({ length: 96 }, (_, i) => f((2 * Math.PI * i) / 96) / Math.cos(Math.PI / 96))));

// Panels

/** A group in the colour of a rule; set through the object model, as a strict content policy forbids style attributes. */
function coloured(rule, ...children) {
  const group = svg('g', { class: 'rule' }, ...children);
  group.style.setProperty('--c', rule.color);
  return group;
}

const layersOf = (rule, parent, names) => {
  const group = coloured(rule);
  parent.append(group);
  return Object.fromEntries(names.map((name) => {
    const dash = name === 'line' ? rule.dash : name === 'thin' ? '2 3' : null;
    const node = name === 'cursor' ? svg('circle', { class: name, r: 5 }) : svg('path', { class: name, 'stroke-dasharray': dash });
    group.append(node);
    return [name, node];
  }));
};

function panel(name, viewBox, title) {
  return svg('svg', { class: name, viewBox, role: 'group', 'aria-label': title });
}

function moveCursor(circle, x, y) {
  const shown = Number.isFinite(y);
  if (shown === circle.hasAttribute('hidden')) circle.toggleAttribute('hidden');
  if (shown) circle.setAttribute('transform', `translate(${x} ${y})`);
}

/** Contours, paths and the start point. */
function planePanel(spec) {
  const root = panel('d2l-plane', '0 0 480 360', 'Contours of f and the path');
  const axes = makeAxes(root, [46, 8, 472, 322], 'x₁', 'x₂');
  const field = svg('g', { 'aria-hidden': 'true' });
  axes.canvas.append(field);
  const layers = spec.rules.map((rule) => layersOf(rule, axes.canvas, ['line', 'dots', 'cursor']));
  const handle = svg('g', { 'data-handle': 'start', tabindex: 0, role: 'slider', 'aria-label': 'start point, move it with the arrow keys' },
    svg('circle', { class: 'reach', r: 18 }), svg('circle', { class: 'start', r: 7 }));
  root.append(handle);
  let contours = null;

  const drawField = () => {
    const { ellipse, radii, box } = contours;
    if (ellipse) {
      field.setAttribute('transform', axes.matrix(ellipse));
      if (!field.querySelector('[transform]')) {
        field.replaceChildren(...radii.map((radius) => svg('path', { class: 'level', d: CIRCLE, transform: `scale(${radius})` })));
      }
    } else {
      const ends = [box.slice(0, 2).map((x) => 10 * axes.x(x)), box.slice(2).map((y) => 10 * axes.y(y))];
      field.setAttribute('transform', 'scale(0.1)');
      field.replaceChildren(...regionsBelow(refine(contours), ...ends).map((d) => svg('path', { class: 'level', d })));
    }
  };

  return {
    root,
    axes,
    handle,
    moveStart([x1, x2]) {
      const place = `translate(${axes.x(x1)} ${axes.y(x2)})`;
      if (handle.getAttribute('transform') === place && handle.getAttribute('aria-valuenow') === String(x1)) return;
      handle.setAttribute('transform', place);
      handle.setAttribute('aria-valuenow', x1);
      handle.setAttribute('aria-valuetext', `x₁ ${short(x1)}, x₂ ${short(x2)}`);
    },
    draw(result, upTo) {
      const moved = axes.set(result.window.slice(0, 2), result.window.slice(2));
      if (moved || result.contours.key !== contours?.key) {
        contours = result.contours;
        drawField();
      }
      result.rules.forEach(({ path }, r) => {
        const [xs, ys] = [[], []];
        for (let i = 0; i < path.length && i <= 2 * upTo; i += 2) {
          xs.push(axes.x(path[i]));
          ys.push(axes.y(path[i + 1]));
        }
        setPath(layers[r].line, polyline(xs, ys));
        setPath(layers[r].dots, markers(xs, ys, spec.rules[r].marker, 45));
      });
    },
    cursor(result, k) {
      result.rules.forEach(({ path }, r) => moveCursor(layers[r].cursor, axes.x(path[2 * k]), axes.y(path[2 * k + 1])));
    },
  };
}

const log10 = (value) => (value > 0 ? Math.log10(value) : NaN);

/**
 * Curves over the steps. `curves` maps layers to keys of the rules, e.g. {line: 'rate1', thin: 'rate2'}; `range(rules, result)`
 * gives the ends of the y axis and whether it is logarithmic; the first value belongs to step `first`.
 */
function stepsPanel(spec, { name, viewBox, box, title, yName, curves, range, first }) {
  const root = panel(name, viewBox, title);
  const [left, top, right, bottom] = box;
  if (title) root.append(svg('text', { class: 'name', x: left, y: top - 7 }, title));
  const axes = makeAxes(root, box, 'step', yName);
  const layers = spec.rules.map((rule) => layersOf(rule, axes.canvas, [...Object.keys(curves), 'dots', 'cursor']));
  const ruler = svg('path', { class: 'ruler' });
  axes.canvas.prepend(ruler);
  let scale = log10;
  const height = (values, k) => axes.y(scale(values[k - first] ?? NaN));
  return {
    root,
    axes,
    draw(result, upTo, steps) {
      const [ends, log] = range(result.rules, result);
      scale = log ? log10 : (value) => value;
      axes.set([0, Math.max(1, steps)], ends, log);
      const xs = Array.from({ length: Math.max(1, steps) + 1 - first }, (_, i) => axes.x(i + first));
      result.rules.forEach((rule, r) => {
        for (const [layer, key] of Object.entries(curves)) {
          const ys = [];
          for (let k = first; k <= upTo && k - first < rule[key].length; k++) ys.push(height(rule[key], k));
          setPath(layers[r][layer], polyline(xs, ys));
          if (layer === 'line') setPath(layers[r].dots, markers(xs, ys, spec.rules[r].marker, 12));
        }
      });
    },
    cursor(result, k) {
      setPath(ruler, k >= 0 ? `M${axes.x(k)} ${top}V${bottom}` : '');
      result.rules.forEach((rule, r) => moveCursor(layers[r].cursor, axes.x(k), height(rule[curves.line], k)));
    },
    stepAt: (event) => Math.round(axes.invert(svgPoint(root, event).x, 0)[0]),
  };
}

// Controls

/** Label, range and number field of one slider; `change(value)` is called with the true value. */
function sliderRow(slider, id, change) {
  const { min, max, step, log } = slider;
  const whole = slider.integer ? 1 : step;
  const toRange = log ? Math.log10 : (value) => value;
  const fromRange = (text) => Math.max(min, Math.min(max, log ? +(10 ** text).toPrecision(4) : +text));
  const range = html('input', { type: 'range', id, name: slider.name, min: toRange(min), max: toRange(max), step: whole });
  const number = html('input', { type: 'number', name: slider.name, min, max, step: 'any', 'aria-label': slider.label + ', exact value' });
  const row = html('div', { class: 'd2l-slider' }, html('label', { for: id }, slider.label), range, number);
  const show = (value) => {
    range.value = toRange(value);
    range.setAttribute('aria-valuetext', short(value));
    number.value = value && Math.abs(value) < 1e-3 ? value.toExponential() : value;
  };
  let current = NaN;
  const set = (value) => {
    if (value !== current) show(value); // touching an input costs layout, even where nothing changes
    current = value;
  };
  range.addEventListener('input', () => change(fromRange(range.value)));
  const apply = () => {
    const typed = number.value.trim() === '' ? NaN : Number(number.value);
    if (!Number.isFinite(typed)) return show(current);
    current = Math.max(min, Math.min(max, slider.integer ? Math.round(typed) : typed));
    show(current);
    change(current);
  };
  number.addEventListener('change', () => Number(number.value) !== current && apply());
  // Not left to the change event, which a notebook may keep Enter from making.
  number.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    apply();
  });
  return { row, set, slider };
}

const button = (action, text) => html('button', { type: 'button', 'data-action': action }, text);

/** The source of each rule, to be edited in place. Tab indents, Escape leaves, Ctrl+Enter runs. */
function editor(spec, id, run) {
  const texts = {};
  const choice = html('select', { id: id + '-rule' }, ...spec.rules.map(({ name, label }) => html('option', { value: name }, label)));
  const area = html('textarea', { name: 'source', id: id + '-source', spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', wrap: 'off' });
  const runButton = button('run', 'Run');
  const root = html('div', { class: 'd2l-editor' },
    html('p', {}, html('label', { for: area.id }, 'Python source'), ' ', spec.rules.length > 1 ? html('label', {}, ' of ', choice) : ''),
    area,
    html('p', {}, runButton, ' ', html('small', {}, 'Ctrl+Enter runs, Tab indents, Escape leaves the text')));
  root.hidden = true;
  const open = () => {
    area.value = texts[choice.value];
    area.rows = Math.min(24, area.value.split('\n').length + 1);
  };
  const reset = () => {
    for (const { name, source } of spec.rules) texts[name] = source;
    open();
  };
  area.addEventListener('input', () => { texts[choice.value] = area.value; });
  area.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') runButton.focus();
    else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run();
    else if (event.key === 'Tab' && !event.shiftKey) {
      if (!document.execCommand('insertText', false, '    ')) area.setRangeText('    ', area.selectionStart, area.selectionEnd, 'end');
      area.dispatchEvent(new Event('input'));
    } else return;
    event.preventDefault();
  });
  choice.addEventListener('change', open);
  runButton.addEventListener('click', run);
  reset();
  /** What differs from the book's code, or null. */
  const sources = () => {
    const edited = spec.rules.filter(({ name, source }) => texts[name] !== source).map(({ name }) => [name, texts[name]]);
    return edited.length ? Object.fromEntries(edited) : null;
  };
  return { root, area, reset, sources };
}

// Figure

let figures = 0;

/** The figure element: `el` itself or, in a notebook, a new one inside. */
function figureIn(el, spec) {
  const figure = el.matches('figure.d2l-explorer') ? el : el.appendChild(html('figure', { class: 'd2l-explorer' }));
  figure.dataset.kind = spec.kind;
  figure.dataset.rule = spec.rules[0].name;
  if (figure !== el) { // in a notebook, whose keys (Enter, arrows, …) must not act on what is typed here
    figure.addEventListener('focusin', ({ target }) => { target.dataset.lmSuppressShortcuts = 'true'; }); // Notebook 7
    figure.addEventListener('keydown', (event) => event.stopPropagation());
  }
  return figure;
}

/** What the reader is asked before, and is told after, as lists of elements. */
const tasks = ({ task = {} }) => ({
  predict: task.predict ? [html('p', { class: 'd2l-predict' }, html('b', {}, 'Predict first. '), task.predict)] : [],
  seen: task.seen ? [html('details', { class: 'd2l-seen' }, html('summary', {}, 'What you should have seen'), html('p', {}, task.seen))] : [],
});

async function copyLink(model, state, note) {
  const link = model.get('link')(state);
  const copied = await navigator.clipboard?.writeText(link).then(() => true, () => false);
  write(note, copied ? 'Link copied.' : `Copy this link: ${link}`);
}

/** Fill `el` (or the static figure it is) with the live figure. Returns the function that takes it away. */
function render({ model, el }) {
  /** @type {any} */
  const spec = model.get('spec');
  if (spec.kind === 'runs') return renderRuns({ model, el });
  const isTrace = spec.kind === 'trace';
  const uid = `d2l-${++figures}`;
  const figure = figureIn(el, spec);

  /** @type {State} */
  let state = structuredClone(model.get('state'));
  const initial = spec.state;
  let result = null; // the last good one
  let goodSources = state.sources;
  let rejected = false; // the editor holds code that failed
  let cursor; // the step that is pointed at
  let timer = 0;

  // Panels
  const plane = isTrace ? planePanel(spec) : null;
  const side = { name: 'd2l-side', viewBox: '0 0 320 174', box: [46, 20, 312, 136] };
  const steps = isTrace
    ? [
        stepsPanel(spec, { ...side, title: 'f after each step', curves: { line: 'f' }, range: fAxis, first: 0 }),
        stepsPanel(spec, { ...side, title: 'step per unit of gradient: x₁ bold, x₂ fine', curves: { line: 'rate1', thin: 'rate2' }, range: rateAxis, first: 1 }),
      ]
    : [stepsPanel(spec, { name: 'd2l-wide', viewBox: '0 0 640 260', box: [58, 10, 632, 222], yName: 'learning rate', curves: { line: 'rate' }, range: (_, { axes }) => [axes.rate, false], first: 0 })];
  const panels = plane ? [plane, ...steps] : steps;
  const plots = html('div', { class: 'd2l-plots' }, ...panels.map((panel) => panel.root));

  // Words
  const lines = spec.rules.map((rule) => {
    const swatch = svg('svg', { viewBox: '0 0 34 12', 'aria-hidden': 'true' },
      coloured(rule,
        svg('path', { class: 'line', 'stroke-dasharray': rule.dash, d: 'M1 6H33' }),
        svg('path', { class: 'dots', d: 'M17 6' + rule.marker })));
    const words = html('span');
    return { words, item: html('li', {}, swatch, ' ', html('b', {}, rule.label), ' ', words) };
  });
  const summary = html('p', { class: 'd2l-summary', 'aria-live': 'polite' });
  const goal = html('p', { class: 'd2l-goal' });
  const alert = html('p', { class: 'd2l-alert', role: 'alert' });
  const note = html('p', { class: 'd2l-note', role: 'status' });
  const tableBody = html('tbody');
  const headings = isTrace ? ['step', 'x₁', 'x₂', 'f'] : ['step', 'rate'];
  const table = html('details', { class: 'd2l-table' },
    html('summary', {}, isTrace ? 'The path in numbers' : 'The schedule in numbers'),
    html('div', { tabindex: 0, role: 'region', 'aria-label': 'table of steps' },
      html('table', {}, html('thead', {}, html('tr', {}, ...headings.map((text) => html('th', { scope: 'col' }, text)))), tableBody)));

  // Controls
  const controls = html('div', { class: 'd2l-controls' });
  let rows = [];
  let added = '[]'; // sliders of edited code
  const objective = () => spec.objectives.find(({ name }) => name === state.objective);
  const shapes = new Set(spec.objectives.flatMap(({ params }) => params)); // sliders that only some functions have
  const menu = html('select', { name: 'objective', id: uid + '-objective' },
    ...spec.objectives.map(({ name, label }) => html('option', { value: name }, label)));
  const menuRow = html('div', { class: 'd2l-slider' }, html('label', { for: menu.id }, 'function f'), menu);
  const setRows = (sliders) => {
    rows = sliders.map((slider) => sliderRow(slider, `${uid}-${slider.name}`, (value) => {
      request({ values: { ...state.values, [slider.name]: value } });
    }));
    controls.replaceChildren(...rows.map(({ row }) => row), ...(menu.length > 1 ? [menuRow] : []));
    syncControls();
  };
  const syncControls = () => {
    for (const { row, set, slider } of rows) {
      set(state.values[slider.name] ?? slider.default);
      row.hidden = shapes.has(slider.name) && !objective().params.includes(slider.name);
    }
    if (menu.value !== state.objective) menu.value = state.objective;
  };

  const play = button('play', 'Play');
  const reset = button('reset', 'Reset');
  const copy = button('copy-link', 'Copy link');
  const edit = button('edit', 'Edit the code');
  edit.setAttribute('aria-expanded', 'false');
  const code = editor(spec, uid, () => {
    rejected = false;
    request({ sources: code.sources() });
  });
  const buttons = html('div', { class: 'd2l-buttons' }, play, reset, ...(model.get('link') ? [copy] : []), edit);

  // Asking and showing
  const last = () => Math.max(...result.rules.map((rule) => (rule.rate ?? rule.f).length)) - 1;

  function request(change) {
    stop();
    state = { ...state, ...change, seq: state.seq + 1 };
    model.set('state', state);
    model.save_changes();
    write(note, ''); // this and what follows while Python computes
    showAsked();
  }

  function showAsked() {
    figure.dataset.state = 'running';
    syncControls();
    plane?.moveStart(state.start);
  }

  function draw(upTo = Infinity) {
    const asked = isTrace ? Math.max(state.values.steps, last()) : last();
    for (const panel of panels) panel.draw(result, upTo, asked);
  }

  function point(k) {
    cursor = k;
    for (const panel of panels) panel.cursor(result, k);
    sayLines();
  }

  function sayLines() {
    result.rules.forEach((rule, r) => {
      const values = rule.f ?? rule.rate;
      const k = Math.min(cursor ?? Infinity, values.length - 1);
      const where = isTrace ? `x = (${short(rule.path[2 * k])}, ${short(rule.path[2 * k + 1])}), f = ${short(values[k])}` : `rate ${short(values[k])}`;
      write(lines[r].words, `step ${k}: ${where}`);
    });
  }

  function fillTable() {
    if (!table.open || !result) return;
    const { path, f, rate } = result.rules[0];
    tableBody.replaceChildren(...Array.from({ length: (rate ?? f).length }, (_, k) => {
      const cells = rate ? [rate[k]] : [path[2 * k], path[2 * k + 1], f[k]];
      return html('tr', {}, html('th', { scope: 'row' }, k), ...cells.map((value) => html('td', {}, short(value, 7))));
    }));
  }

  function showError({ message, line }) {
    write(alert, line ? `Line ${line}: ${message}` : message);
    rejected = state.sources !== goodSources;
    state = { ...state, sources: goodSources };
    figure.dataset.state = 'error';
  }

  function showResult() {
    const answer = model.get('result');
    if (!answer || (!answer.rules && !answer.error)) return;
    const current = answer.seq === state.seq;
    if (answer.error) {
      if (current) showError(answer.error);
      figure.dataset.seq = answer.seq;
      return;
    }
    if (current) goodSources = state.sources;
    const derive = (rule) => ({ ...rule, rate1: ratesAlong(rule, 0), rate2: ratesAlong(rule, 1) });
    result = isTrace ? { ...answer, rules: answer.rules.map(derive) } : answer;
    if (!rejected) write(alert, '');
    const extra = JSON.stringify(answer.new_sliders);
    if (extra !== added) setRows([...spec.sliders, ...answer.new_sliders]);
    added = extra;
    draw();
    point();
    plane?.moveStart(state.start);
    write(summary, answer.summary ?? '');
    write(goal, answer.goal ? `Goal ${answer.goal.text}` : '');
    goal.dataset.reached = Boolean(answer.goal?.reached);
    fillTable();
    const [first] = answer.rules;
    if (first.path) figure.dataset.end = JSON.stringify([...first.path.slice(-2)]);
    figure.dataset.seq = answer.seq;
    if (current) figure.dataset.state = first.diverged_at == null ? 'ready' : 'diverged';
    setTimeout(() => plots.getBoundingClientRect()); // lay it out now, not while the next answer waits
  }

  /** A state that came from outside: a link, the back button, or Python. */
  function adopt() {
    const next = model.get('state');
    if (next === state || next.seq <= state.seq) return;
    stop();
    state = structuredClone(next);
    showAsked();
  }

  const showNote = () => write(note, model.get('note') ?? '');

  // Play: the path grows step by step; in a few jumps for readers who asked for less motion.
  function stop() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    write(play, 'Play');
    draw();
    point();
  }

  function start() {
    const end = last();
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const stride = calm ? Math.ceil(end / 6) : Math.ceil(end / 200);
    let k = 0;
    const advance = () => {
      draw(k);
      point(k);
      if (k >= end) return stop();
      k = Math.min(end, k + stride);
    };
    write(play, 'Pause');
    timer = setInterval(advance, calm ? 700 : Math.max(25, Math.min(220, 5000 / end)));
    advance();
  }

  play.addEventListener('click', () => (timer ? stop() : result && start()));
  reset.addEventListener('click', () => {
    code.reset();
    rejected = false;
    write(alert, '');
    request({ ...structuredClone(initial), seq: state.seq });
  });
  copy.addEventListener('click', () => copyLink(model, state, note));
  edit.addEventListener('click', () => {
    code.root.hidden = !code.root.hidden;
    edit.setAttribute('aria-expanded', String(!code.root.hidden));
    if (!code.root.hidden) code.area.focus({ preventScroll: true });
  });
  menu.addEventListener('change', () => {
    state.objective = menu.value;
    request({ start: objective().start, window: null });
  });
  table.addEventListener('toggle', fillTable);
  for (const panel of steps) {
    panel.root.addEventListener('pointermove', (event) => {
      if (result && !timer) point(Math.max(0, Math.min(last(), panel.stepAt(event))));
    });
    panel.root.addEventListener('pointerleave', () => result && !timer && point());
  }
  if (plane) moveable(plane, () => state, () => result?.window, request);

  const { predict, seen } = tasks(spec);
  figure.replaceChildren(
    ...predict, plots,
    html('ul', { class: 'd2l-rules' }, ...lines.map(({ item }) => item)),
    summary, goal, controls, buttons, note, code.root, alert,
    ...seen, table,
    ...(spec.title ? [html('figcaption', {}, spec.title)] : []),
  );
  setRows(spec.sliders);
  showNote();
  const handlers = { 'change:result': showResult, 'change:state': adopt, 'change:note': showNote };
  for (const [event, handler] of Object.entries(handlers)) model.on(event, handler);
  if (model.get('result')?.rules) showResult();
  else request({});
  return () => {
    clearInterval(timer);
    for (const [event, handler] of Object.entries(handlers)) model.off(event, handler);
  };
}

const svgPoint = (root, { clientX, clientY }) => new DOMPoint(clientX, clientY).matrixTransform(root.getScreenCTM().inverse());
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Move a handle by dragging, `drag(event)` and then `drop()`, or by arrow keys, `step([dx, dy], event)`. */
function draggable(handle, { drag, drop, step }) {
  let dragging = false;
  handle.addEventListener('pointerdown', (event) => {
    dragging = true;
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
    handle.focus();
  });
  handle.addEventListener('pointermove', (event) => dragging && drag(event));
  for (const type of ['pointerup', 'pointercancel']) {
    handle.addEventListener(type, () => {
      if (dragging) drop?.();
      dragging = false;
    });
  }
  handle.addEventListener('keydown', (event) => {
    const direction = DIRECTIONS[event.key];
    if (!direction) return;
    event.preventDefault();
    step(direction, event);
  });
}

/** Drag the start point, click where it should go, or use the arrow keys (with Shift ten times finer). */
function moveable({ root, axes, handle }, getState, getWindow, request) {
  const at = (event) => {
    const { x, y } = svgPoint(root, event);
    return axes.invert(Math.max(46, Math.min(472, x)), Math.max(8, Math.min(322, y)));
  };
  const tidy = (point) => {
    const [x0, x1, y0, y1] = getWindow();
    const digits = (span) => Math.max(0, Math.min(15, 3 - Math.floor(Math.log10(span))));
    return [+point[0].toFixed(digits(x1 - x0)), +point[1].toFixed(digits(y1 - y0))];
  };
  draggable(handle, {
    drag: (event) => getWindow() && request({ start: tidy(at(event)), window: getWindow() }),
    drop: () => getWindow() && request({ window: null }),
    step([dx, dy], { shiftKey }) {
      if (!getWindow()) return;
      const [x0, x1, y0, y1] = getWindow();
      const size = shiftKey ? 500 : 50;
      const [start1, start2] = getState().start;
      request({ start: tidy([start1 + (dx * (x1 - x0)) / size, start2 + (dy * (y1 - y0)) / size]) });
    },
  });
  axes.canvas.addEventListener('click', (event) => getWindow() && request({ start: tidy(at(event)) }));
}

export default { render };
