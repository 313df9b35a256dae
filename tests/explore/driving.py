"""How the browser tests use a figure: as a reader does, through its inputs, and as its attributes tell."""

import json
import time

#: Type numbers into fields, wait until the figure has settled, and return what it then says.
APPLY = """
async (figure, settings) => {
  const settled = () => new Promise((resolve, reject) => {
    const check = () => figure.dataset.state !== 'running' && (watch.disconnect(), clearTimeout(late), resolve());
    const watch = new MutationObserver(check);
    const late = setTimeout(() => reject(new Error('the figure did not settle')), 5000);
    watch.observe(figure, { attributes: true });
    check();
  });
  const answers = [];
  for (const setting of settings) {
    for (const [name, value] of Object.entries(setting)) {
      const field = figure.querySelector(`input[type=number][name=${name}], select[name=${name}]`);
      field.value = value;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    }
    await settled();
    answers.push({ ...figure.dataset, words: figure.querySelector('[aria-live]').textContent,
                   alert: figure.querySelector('[role=alert]').textContent });
  }
  return answers;
}
"""


def apply(figure, *settings):
    """Apply each setting, ``{"eta": 0.4, …}``, in turn; return one dict of the figure's data attributes for each."""
    answers = figure.evaluate(APPLY, list(settings))
    for answer in answers:
        answer["end"] = json.loads(answer.get("end", "null"))
    return answers


def wait_until(figure, state, seq=None):
    """Wait for the figure's state, and for at least as many updates as ``seq`` if given."""
    # Playwright's wait_for_function would evaluate a string, which the content policy forbids.
    deadline = time.monotonic() + 10
    while True:
        data = figure.evaluate("figure => ({...figure.dataset})")
        if data.get("state") == state and (seq is None or int(data["seq"]) >= seq):
            return
        assert time.monotonic() < deadline, data
        figure.page.wait_for_timeout(15)


def edit(figure, old, new):
    """Open the editor if it is closed, replace a piece of the source, and run it."""
    source = figure.locator("textarea[name=source]")
    if not source.is_visible():
        figure.locator("[data-action=edit]").click()
    text = source.input_value()
    assert old in text
    source.fill(text.replace(old, new))
    figure.locator("[data-action=run]").click()
