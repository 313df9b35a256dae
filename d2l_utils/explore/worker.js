/**
 * Runs in the Web Worker, after `unpack` of page.js and MicroPython's own script (`loading`): starts MicroPython, loads the book's
 * Python and answers requests, one at a time.
 *
 * In:  {boot: {wasm, python}} once (base64 of gzip), then {text: JSON request, edited: boolean}.
 * Out: {ready: true} | {failed: message} | {text: JSON answer, numbers: Float64Array}.
 */

// Every call into Python ends with a collection of garbage, so there is one call for each request, and a small heap (it grows
// when it must).
//
// Nothing reaches Python from outside while it runs, and WebKit computes on even in a worker that was terminated. So edited code
// is watched from inside: a scheduled function, called between two bytecodes, schedules itself again and now and then reads the
// clock, which past the deadline interrupts Python (see `boot`).
const GLUE = `
import micropython, sys, time, uctypes
OvertimeError = KeyboardInterrupt
_watching = _scheduled = False
def _watch(countdown):
    global _scheduled
    _scheduled = _watching
    if _watching:
        if not countdown:
            time.ticks_ms()
        micropython.schedule(_watch, countdown - 1 if countdown else 100)
sys.modules['js'] = sys.modules['jsffi'] = None  # code typed by a reader computes and does nothing else
def _serve(text, edited):
    global _numbers, _watching, _scheduled
    _watching = edited
    if edited and not _scheduled:
        _scheduled = True
        micropython.schedule(_watch, 0)
    try:
        answer, _numbers = reply(text)
    finally:
        _watching = False
    return '%d %d %s' % (uctypes.addressof(_numbers), len(_numbers), answer)
`;
const HEAP = 256 * 1024;

const answer = self.postMessage.bind(self);

/** Take away what reaches beyond the worker, once MicroPython is loaded: the block on `js` is then not the only wall. */
function closeDoors() {
  for (const name of ['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'WebTransport', 'BroadcastChannel',
    'Worker', 'importScripts', 'indexedDB', 'caches']) {
    for (let scope = self; scope; scope = Object.getPrototypeOf(scope)) {
      if (Object.hasOwn(scope, name)) Object.defineProperty(scope, name, { value: undefined });
    }
  }
}

async function boot({ wasm, python }) {
  self.fetch = async () => unpack(wasm, 'application/wasm'); // what MicroPython asks for; no address works everywhere from disk
  const loadMicroPython = await loading;
  const micropython = await loadMicroPython({ url: 'micropython.wasm', stdout: () => {}, heapsize: HEAP });
  micropython.runPython((await unpack(python, 'text/plain').text()) + GLUE);
  const serve = micropython.globals.get('_serve');
  const module = micropython._module;
  const limit = 1000 * micropython.globals.get('TIME_LIMIT');
  const now = Date.now;
  let deadline = Infinity;
  Date.now = () => { // Python's clock
    if (now() > deadline) {
      deadline = Infinity; // once, so that the error can be explained in peace
      module._mp_sched_keyboard_interrupt();
    }
    return now();
  };
  closeDoors();
  return (request, edited) => {
    deadline = edited ? now() + limit : Infinity;
    const [, address, length, text] = serve(request, edited).match(/^(\d+) (\d+) (.*)$/s);
    const numbers = new Float64Array(module.HEAPU8.slice(+address, +address + +length).buffer); // the memory may have grown: ask each time
    answer({ text, numbers }, [numbers.buffer]);
  };
}

let serve = null;

self.onmessage = async ({ data }) => {
  try {
    if (data.boot) {
      serve = await boot(data.boot);
      answer({ ready: true });
    } else serve(data.text, data.edited);
  } catch (error) {
    answer({ failed: String(error.message ?? error) });
  }
};
