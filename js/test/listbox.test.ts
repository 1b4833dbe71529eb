// @vitest-environment jsdom
/** A list of one choice: what is brought into sight, and when. */
import { expect, it } from "vitest";
import { h } from "../src/core/dom";
import { Listbox } from "../src/core/listbox";

const WIDTH = 100;

/** Options side by side, of which the list shows two. */
function list(...ids: string[]) {
  const element = h("div", {});
  const options = ids.map((id) => h("div", { role: "option", "data-id": id }));
  element.append(...options);
  Object.defineProperty(element, "clientWidth", { value: 2 * WIDTH });
  element.getBoundingClientRect = () => new DOMRect(0, 0, 2 * WIDTH, WIDTH);
  for (const option of options) {
    const left = () => WIDTH * [...element.children].indexOf(option) - element.scrollLeft;
    option.getBoundingClientRect = () => new DOMRect(left(), 0, WIDTH, WIDTH);
  }
  const box = new Listbox(element, () => {}, new AbortController().signal);
  return { element, box };
}

it("brings what is chosen into sight, and fetches nobody back who has scrolled on", () => {
  const { element, box } = list("a", "b", "c", "d", "e");
  box.mark("d");
  expect(element.scrollLeft).toBe(2.5 * WIDTH);
  element.scrollLeft = 0;
  box.mark("d"); // the list was drawn anew, for another reason
  expect(element.scrollLeft).toBe(0);
  box.mark("e");
  expect(element.scrollLeft).toBe(3.5 * WIDTH);
});

it("brings what is chosen into sight again where it has got another place", () => {
  const { element, box } = list("a", "b", "c", "d", "e");
  box.mark("e");
  element.prepend(element.lastElementChild as Element);
  box.mark("e");
  expect(element.scrollLeft).toBe(-0.5 * WIDTH);
});
