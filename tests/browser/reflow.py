"""What is lost of a page where the text is large or the window narrow (WCAG 1.4.4 and 1.4.10)."""

from typing import Any

from playwright.sync_api import Page

LOST = """
() => {
  const lost = [];
  const root = document.documentElement;
  const told = (element) => {
    const id = element.closest("[id]");
    const words = element.textContent.trim().slice(0, 40);
    return `${element.tagName}.${element.className} in #${id ? id.id : ""} « ${words} »`;
  };
  if (root.scrollWidth > root.clientWidth) {
    const widest = [...document.querySelectorAll("main *, header *, footer *")]
      .filter((each) => each.getBoundingClientRect().right > root.clientWidth + 1)
      .filter((each) => !each.closest(".grid-frame, .visually-hidden, pre"))
      .slice(0, 4);
    lost.push(`${root.scrollWidth} px wide: ${widest.map(told).join("; ")}`);
  }
  const hidden = (element) => {
    if (element.closest("[hidden], script, style, svg, select, textarea")) return true;
    for (let each = element; each; each = each.parentElement) {
      if (getComputedStyle(each).clipPath !== "none") return true;  // heard, not seen
    }
    return false;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || hidden(element) || !element.checkVisibility()) continue;
    for (let box = element; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (["hidden", "clip"].includes(style.overflowX) && box.scrollWidth > box.clientWidth + 1) {
        lost.push(`cut: ${told(box)}`);
      }
    }
    if (element.closest("code, .secret, .input-token")) continue;
    const range = document.createRange();
    for (const word of node.data.matchAll(/[\\p{L}]{4,}/gu)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
      if (lines.size > 1 && word[0].length / lines.size < 3) {
        lost.push(`${lines.size} lines for « ${word[0]} »: ${told(element)}`);
      }
    }
  }
  return [...new Set(lost)];
}
"""


def lost(page: Page) -> list[str]:
    """What sticks out sideways, is cut, or breaks letter by letter."""
    found: list[Any] = page.evaluate(LOST)
    return [str(each) for each in found]


CUT = """
() => {
  const cut = [];
  const pen = document.createElement("canvas").getContext("2d");
  for (const select of document.querySelectorAll("select")) {
    if (!select.checkVisibility()) continue;
    const style = getComputedStyle(select);
    pen.font = style.font;
    const arrow = 19;  // what Chromium leaves for it
    const room = select.clientWidth - parseFloat(style.paddingLeft)
      - parseFloat(style.paddingRight) - arrow;
    const any = select.closest("#columns") ? select.options : select.selectedOptions;
    for (const option of any) {
      const words = option.textContent.trim();
      const needed = Math.floor(pen.measureText(words).width);
      if (needed > room) cut.push(`« ${words} »: ${needed} px, and ${Math.floor(room)} there`);
    }
  }
  return cut;
}
"""

SCROLLED = """
() => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  return [...document.querySelectorAll(".grid-frame")]
    .filter((frame) => frame.scrollWidth > frame.clientWidth)
    .map((frame) => {
      const widest = frame.querySelector("table").scrollWidth;
      return `${frame.getAttribute("aria-label")}: ${widest} px of ${frame.clientWidth}`;
    });
}
"""


def cut_choices(page: Page) -> list[str]:
    """The words of selects without room for them: the chosen ones, of a mapping all."""
    found: list[Any] = page.evaluate(CUT)
    return [f"{page.url}: {each}" for each in found]


def scrolled(page: Page) -> list[str]:
    """The tables, opened details' too, that stick out of their frames."""
    found: list[Any] = page.evaluate(SCROLLED)
    return [f"{page.url}: {each}" for each in found]
