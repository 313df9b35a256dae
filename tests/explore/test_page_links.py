"""Settings in the address: whatever is written there, the figure works and nothing of it becomes markup."""

import random

import pytest
from playwright.sync_api import expect

from .driving import apply

WORDS = """
rmsprop_2d : & = ; # , eta gamma steps start objective 0.4 -5,-2 1e309 NaN Infinity -0 0x10 1e-400 quadratic
__proto__ constructor toString % %E0%A4%A %00 %2e%2e ../.. sources seq state window [] {} null undefined \\ `${1}` é 🙂
%3Cscript%3Ealert(1)%3C/script%3E javascript:alert(1) rmsprop_2d:eta=0.4
"""
PIECES = (
    *WORDS.split(),
    *("<img src=x onerror=alert(1)>", "\"'><svg onload=alert(1)>", "9" * 400, "\u202e", "\ud7ff", " ", "\t"),
)

#: Every fragment in turn, in the page that is open; returns what went wrong.
FUZZ = """
async (fragments) => {
  const wrong = [];
  addEventListener('error', (event) => wrong.push(event.message));
  addEventListener('unhandledrejection', (event) => wrong.push(String(event.reason)));
  window.alert = () => wrong.push('alert');
  const figure = document.querySelector('figure[data-rule=rmsprop_2d]');
  const elements = () => document.querySelectorAll('figure :is(script, img, iframe, a), [onerror], [onload]').length;
  const before = elements();
  for (const fragment of fragments) {
    const changed = new Promise((resolve) => addEventListener('hashchange', resolve, { once: true }));
    const old = location.hash;
    location.hash = fragment;
    if (location.hash !== old) await changed;
    const values = [...figure.querySelectorAll('input')].map((input) => [input, Number(input.value)]);
    for (const [input, value] of values) {
      const low = Number(input.min) - 1e-9, high = Number(input.max) + 1e-9;
      const valid = input.value !== '' && value >= low && value <= high;
      if (!valid) wrong.push(`${fragment}: ${input.name} = ${input.value}`);
    }
    if (elements() !== before) wrong.push(`${fragment}: markup`);
  }
  return wrong;
}
"""


def hostile_fragments(count, seed):
    draw = random.Random(seed)
    fragments = []
    for _ in range(count):
        text = "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 12)))
        if draw.random() < 0.5:
            text = "rmsprop_2d:" + text
        if draw.random() < 0.3:
            position = draw.randrange(len(text) + 1)
            text = text[:position] + chr(draw.randrange(1, 0xD7FF)) + text[position:]
        fragments.append(text)
    return fragments


def test_a_thousand_hostile_fragments_do_no_harm(figure, page):
    wrong = page.evaluate(FUZZ, hostile_fragments(1000, seed=3))
    assert wrong == []
    apply(figure, {})  # waits for the last of them
    figure.locator("[data-action=reset]").click()
    [answer] = apply(figure, {"gamma": 0.9})
    assert answer["end"] == pytest.approx([-0.01059867213411372, 1.0362121337275157e-14], rel=1e-9)


@pytest.mark.parametrize(
    ("words", "ignored"),
    [
        ("eta=abc", "eta=abc"),
        ("eta=1e999&gamma=0.5", "eta=1e999"),
        ("gamma=1.5", "gamma=1.5"),
        ("steps=3.5", "steps=3.5"),
        ("start=1,2,3", "start=1,2,3"),
        ("start=NaN,0", "start=NaN,0"),
        ("objective=%3Cb%3Ebold%3C/b%3E", "objective=<b>bold</b>"),
        ("__proto__=1", "__proto__=1"),
        ("%E0%A4%A", "%E0%A4%A"),
    ],
)
def test_what_is_not_understood_is_named_in_the_figure(page, address, words, ignored):
    page.goto(f"{address}#rmsprop_2d:{words}")
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    note = figure.locator(".d2l-note")
    assert note.inner_text() == f"Not understood in the link, and ignored: {ignored}"
    assert note.locator("b").count() == 0
    if "gamma=0.5" in words:
        assert figure.locator("input[type=number][name=gamma]").input_value() == "0.5"


def test_back_and_forward_move_between_links(page, address):
    page.goto(address + "#rmsprop_2d:gamma=0.5")
    field = page.locator("figure[data-rule=rmsprop_2d]").first.locator("input[type=number][name=gamma]")
    page.evaluate("location.hash = '#rmsprop_2d:gamma=0.6'")
    expect(field).to_have_value("0.6")
    page.go_back()
    expect(field).to_have_value("0.5")
