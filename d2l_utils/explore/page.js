/**
 * What the website adds to explorer.js: Python in a Web Worker instead of a kernel, and the state in the URL fragment.
 *
 * The build joins both files into one classic script, where `explorer` is what explorer.js exports and RUNTIME_FILE names the
 * script beside it that carries the runtime; it is loaded when a figure is first used, or seen while the reader is idle, and only once.
 */

const TIME_LIMIT = 1800; // ms for one request; the worker itself stops edited code before
const RUNTIME = new URL(RUNTIME_FILE, document.currentScript.src).href;

// Kernel

/** What was compressed by gzip and written in base64. */
function unpack(base64, type) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const packed = new Response(bytes).body; // not a blob's stream: from disk, WebKit cannot read it
  return new Response(packed.pipeThrough(new DecompressionStream('gzip')), { headers: { 'Content-Type': type } });
}

const kernel = (() => {
  let worker = null;
  let ready = false;
  let busy = null; // the request being computed
  let watchdog = 0;
  let opened = new Set(); // figures that this worker knows
  const waiting = new Map(); // the latest request of each figure

  let script = null;
  const loadRuntime = () =>
    (script ??= new Promise((resolve, reject) => {
      const element = document.createElement('script');
      element.src = RUNTIME;
      element.onload = resolve;
      element.onerror = () => reject(new Error('the Python runtime could not be loaded'));
      document.head.append(element);
    }));

  function failEverything(message) {
    worker?.terminate?.();
    clearTimeout(watchdog);
    const requests = [...(busy ? [busy] : []), ...waiting.values()];
    worker = busy = script = null;
    waiting.clear();
    for (const { state, done } of requests) done({ error: { message, line: null }, seq: state.seq });
  }

  async function boot() {
    if (worker) return;
    worker = {}; // booting
    ready = false;
    opened = new Set();
    try {
      await loadRuntime();
      const { worker: source, micropython, wasm, python } = globalThis.d2lRuntime;
      // All in one classic script: from disk, WebKit lets a worker load no other.
      const script = [unpack, await unpack(micropython, 'text/javascript').text(), source].join('\n');
      const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
      worker = new Worker(url);
      URL.revokeObjectURL(url);
      worker.onmessage = ({ data }) => receive(data);
      worker.onerror = () => failEverything('Python could not be started in this page');
      worker.postMessage({ boot: { wasm, python } });
    } catch (error) {
      worker = null;
      failEverything(error.message);
    }
  }

  function next() {
    if (!ready || busy || !waiting.size) return;
    const [id, request] = waiting.entries().next().value;
    waiting.delete(id);
    busy = { id, ...request };
    const message = { figure: id, state: { ...busy.state, view: busy.held.contours?.key ?? null } };
    if (!opened.has(id)) message.spec = busy.spec;
    opened.add(id);
    worker.postMessage({ text: JSON.stringify(message), edited: Boolean(busy.state.sources) });
    watchdog = setTimeout(interrupt, TIME_LIMIT);
  }

  /** Code that ends not even when it is told to: take a new worker. */
  function interrupt() {
    worker.terminate();
    worker = null;
    finish({ error: { message: `stopped, as the code ran for more than ${TIME_LIMIT / 1000} s`, line: null } });
    boot();
  }

  function finish(result) {
    clearTimeout(watchdog);
    const { state, done } = busy;
    busy = null;
    done({ ...result, seq: state.seq });
  }

  function receive({ ready: booted, failed, text, numbers }) {
    if (booted) ready = true;
    else if (!busy) return failEverything(failed);
    else finish(failed ? { error: { message: failed, line: null } } : revive(JSON.parse(text), numbers, busy.held));
    next();
  }

  /** Put the numbers where their places are, and the contours that the figure still holds. */
  function revive(result, numbers, held) {
    for (const part of [...(result.rules ?? []), result.contours ?? {}]) {
      for (const key of ['path', 'f', 'slope', 'rate', 'grid']) {
        if (part[key]) part[key] = numbers.subarray(part[key][0], part[key][0] + part[key][1]);
      }
    }
    if (result.contours) held.contours = result.contours;
    else if (result.window) result.contours = held.contours;
    return result;
  }

  return {
    boot,
    ask(id, request) {
      waiting.set(id, request);
      boot();
      next();
    },
  };
})();

// Fragment

/** `rmsprop_2d:eta=0.4&gamma=0.9&start=-5,-2`, what a link says about one figure. */
function toFragment(spec, state) {
  const pairs = spec.sliders.map(({ name }) => [name, state.values[name]]);
  if (spec.kind === 'trace') pairs.push(['start', state.start.join(',')]);
  if ((spec.objectives ?? []).length > 1) pairs.push(['objective', state.objective]);
  const words = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value).replace('%2C', ',')}`);
  return `${encodeURIComponent(spec.id)}:${words.join('&')}`;
}

const number = (text) => (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?$/i.test(text) ? Number(text) : NaN);

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The parts of the fragment by figure id. Anything else, such as the anchor of a section, is left out. */
function fragments() {
  const parts = location.hash.slice(1).split(';').map((part) => part.split(':'));
  return new Map(parts.filter(({ length }) => length === 2).map(([id, words]) => [decode(id), words]));
}

/**
 * Read one figure's settings. What is not understood, or out of range, is left at its default and named in `ignored`.
 * @returns {{state: State, ignored: string[]}}
 */
function fromFragment(words, spec, defaults) {
  const state = structuredClone(defaults);
  const ignored = [];
  for (const word of words.split('&')) {
    const [name, text = ''] = word.split('=', 2).map(decode);
    const slider = spec.sliders.find((candidate) => candidate.name === name);
    const value = number(text);
    const point = text.split(',').map(number);
    if (slider && value >= slider.min && value <= slider.max && !(slider.integer && value % 1)) state.values[name] = value;
    else if (name === 'start' && state.start && point.length === 2 && point.every((x) => Math.abs(x) <= 1e6)) state.start = point;
    else if (name === 'objective' && spec.objectives?.some((objective) => objective.name === text)) state.objective = text;
    else if (word) ignored.push(word);
  }
  return { state, ignored };
}

// Figures

const pageFigures = [];

/**
 * The part of a Jupyter widget model that explorer.js uses.
 *
 * @typedef {{name: string, label: string, min: number, max: number, step: number, default: number, log: boolean,
 *   integer: boolean}} Slider true values; the step of a logarithmic slider is in decades
 * @typedef {{seq: number, values: Object<string, number>, start: number[], objective: string,
 *   sources: Object<string, string>|null, window: number[]|null}} State
 * @returns {{get(key: string): any, set(key: string, value: any): void, save_changes(): void,
 *   on(event: string, handler: () => void): void, off(event: string, handler: () => void): void}}
 */
function makeModel(data, save) {
  const handlers = new Map();
  return {
    get: (key) => data[key],
    set(key, value) {
      data[key] = value;
      for (const handler of handlers.get('change:' + key) ?? []) handler();
    },
    save_changes: save,
    on: (event, handler) => handlers.set(event, (handlers.get(event) ?? new Set()).add(handler)),
    off: (event, handler) => handlers.get(event)?.delete(handler),
  };
}

const shorten = (texts) => texts.map((text) => (decode(text).length > 30 ? decode(text).slice(0, 30) + '…' : decode(text))).join(', ');

function openFigure(element, id) {
  const { spec, state, result } = JSON.parse(element.querySelector('script.d2l-data').textContent);
  spec.id = id;
  const held = { contours: result.contours };
  const computes = spec.kind !== 'runs'; // those hold all their numbers
  const ask = () => computes &&
    kernel.ask(spec.id, { spec, held, state: model.get('state'), done: (answer) => model.set('result', answer) });
  const figure = {
    spec,
    touched: false,
    /** Take the settings of the address, if there are any for this figure. */
    read() {
      const linked = fragments();
      const words = linked.get(spec.id);
      if (words === undefined) return;
      const { state: wanted, ignored } = fromFragment(words, spec, state);
      if (ignored.length) model.set('note', `Not understood in the link, and ignored: ${shorten(ignored)}`);
      model.set('state', { ...wanted, seq: model.get('state').seq + 1 });
      figure.touched = true;
      ask();
      if (linked.keys().next().value === spec.id) element.scrollIntoView({ block: 'nearest' });
    },
    write: () => toFragment(spec, model.get('state')),
  };
  const save = () => {
    figure.touched = true;
    ask();
    writeSoon();
  };
  const link = () => location.href.split('#')[0] + '#' + toFragment(spec, model.get('state'));
  const model = makeModel({ spec, state, result, link }, save);
  pageFigures.push(figure);
  explorer.render({ model, el: element });
  figure.read();
  if (!computes) return;
  new IntersectionObserver(([entry], observer) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    (globalThis.requestIdleCallback ?? setTimeout)(() => kernel.boot());
  }).observe(element);
}

/** Write the state of every figure that was used into the address, a little after the last change. */
let writing = 0;
function writeSoon() {
  clearTimeout(writing);
  writing = setTimeout(() => {
    const parts = pageFigures.filter(({ touched }) => touched).map((figure) => figure.write());
    history.replaceState(history.state, '', '#' + parts.join(';'));
  }, 150);
}

function openAll() {
  const count = {};
  for (const element of document.querySelectorAll('figure.d2l-explorer')) {
    const { rule } = element.dataset;
    count[rule] = (count[rule] ?? 0) + 1;
    try {
      openFigure(element, count[rule] > 1 ? `${rule}-${count[rule]}` : rule); // links count the figures of the page
    } catch (error) {
      console.error(error); // the static figure stays
    }
  }
  addEventListener('hashchange', () => pageFigures.forEach((figure) => figure.read()));
}

if (!CSS.supports('color: light-dark(red, red)')) console.info('The figures can be moved in browsers of mid-2024 and later.'); // see explorer.css
else if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', openAll);
else openAll();
