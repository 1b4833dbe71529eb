// @vitest-environment jsdom
/** What a strip of exemplars says, and what it asks for; pictures are the browser tests' matter. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import core from "../../zfwidgets/widgets/core/strings.json";
import own from "../../zfwidgets/widgets/exemplar_strip/strings.json";
import { word, wordHint } from "../src/core/concepts";
import { mount } from "../src/core/shell";
import { speaker } from "../src/core/strings";
import type { StripKey, StripState } from "../src/exemplar-strip/state";
import { StripView } from "../src/exemplar-strip/view";
import { detail } from "../src/exemplar-strip/words";
import { FakeModel } from "./fake-model";

const texts = Object.fromEntries(
  Object.entries({ ...core, ...own }).map(([key, languages]) => [key, languages.en]),
);
const insect = { name: "insect", count: 30, of: 50, lift: 8.894, p: 5.9e-24 };
const fact = { id: "bee-1", title: "bee", credit: "A. Author, CC-BY-2.0" };
const place = { row: 3, col: 5, value: 4.6017, outside: true };

const shown = {
  layer: "conv5",
  channel: 5,
  rule: "deconvnet",
  scanned: 845,
  complete: true,
  pictures: [{ ...fact, ...place }],
  words: [insect],
};

function open(state: Record<string, unknown> = {}) {
  const model = new FakeModel({
    _strings: texts,
    layer: "conv5",
    channel: 5,
    opened: true,
    in_sight: true,
    clickable: true,
    picked: {},
    home: "",
    status: "ready",
    progress: {},
    _shown: shown,
    _lacking: "",
    _offered: 0,
    four: false,
    synthesis: {},
    _answers: {},
    ...state,
  });
  const el = document.createElement("div");
  mount<StripState, StripKey>("exemplar-strip", { model: model as never, el }, (shell) => {
    new StripView(shell);
  });
  const one = (selector: string) => el.querySelector<HTMLElement>(selector) as HTMLElement;
  const asked = () => model.sent.map(({ op }) => op);
  return { model, el, one, asked };
}

beforeEach(() => {
  class Observer {
    observe() {}
    disconnect() {}
  }
  vi.stubGlobal("IntersectionObserver", Observer);
  vi.stubGlobal("matchMedia", () => new EventTarget());
});

describe("words for a channel", () => {
  it("are a count, and how many times its share that is", () => {
    expect(word(speaker(texts), insect)).toBe("insect: 30 of 50, 8.9 times its share");
    expect(wordHint(speaker(texts), insect)).toContain("6e-24");
  });
});

describe("what is said of a picture", () => {
  it("is its title, place and author", () => {
    const said = detail(speaker(texts) as never, 2, { ...fact, ...place });
    expect(said).toBe(
      "3. bee (bee-1) · activation 4.6 · row 3, column 5 · reaches outside the picture · A. Author, CC-BY-2.0",
    );
  });

  it("is not its name twice", () => {
    const plain = { ...fact, ...place, title: "bee-1", credit: "", outside: false };
    expect(detail(speaker(texts) as never, 0, plain)).toBe(
      "1. bee-1 · activation 4.6 · row 3, column 5",
    );
  });
});

describe("a strip", () => {
  it("asks for the picture that is clicked, and for the way back", async () => {
    const { model, el, one, asked } = open({ home: "cat" });
    await vi.waitFor(() => expect(el.querySelectorAll(".zf-strip-pair")).toHaveLength(1));
    one(".zf-strip-pair").click();
    expect(model.sent.at(-1)).toMatchObject({ op: "pick", ids: [0], name: "bee-1" });
    one(".zf-strip-head > .zf-button").click();
    expect(asked().at(-1)).toBe("back");
  });

  it("marks the picture that is visited, as long as its channel is shown", async () => {
    const { model, el, one } = open();
    await vi.waitFor(() => expect(el.querySelectorAll(".zf-strip-pair")).toHaveLength(1));
    model.set("picked", { id: "bee-1", layer: "conv5", channel: 5 });
    expect(one(".zf-strip-pair").getAttribute("aria-current")).toBe("true");
    model.set("picked", { id: "bee-1", layer: "conv5", channel: 6 });
    expect(one(".zf-strip-pair").hasAttribute("aria-current")).toBe(false);
  });

  it("keeps the words back while another channel's pictures are on their way", async () => {
    const { model, one } = open();
    await vi.waitFor(() => expect(one(".zf-strip-words").hidden).toBe(false));
    model.set("channel", 9);
    expect(one(".zf-strip-words").hidden).toBe(true);
    expect(one(".zf-strip-title").textContent).toBe("What else excites channel 9 of conv5?");
  });

  it("says beside the exemplars why there is no picture, and offers to make one", async () => {
    const none = { why: "none_ships", offer: true };
    const deep = { count: 384, layer: "conv4", channels: "1, 2, 3" };
    const filter = { why: "filter_inputs", values: deep };
    const cells = { filter, photo: { why: "silent_here" }, synthesised: none };
    const answers = { layer: "conv5", channel: 5, rule: "deconvnet", cells };
    const { model, one, asked } = open({ four: true, _answers: answers });
    const cell = (name: string) => one(`[data-answer="${name}"]`);
    await vi.waitFor(() => expect(cell("photo").textContent).toContain("Silent"));
    expect(one(".zf-strip-title").textContent).toBe("What is channel 5 of conv5?");
    expect(cell("filter").textContent).toContain("384 kernels on conv4");
    const [make, stop] = cell("synthesised").querySelectorAll("button");
    make?.click();
    expect(asked().at(-1)).toBe("synthesise");
    model.set("synthesis", { layer: "conv5", channel: 5, step: 3, steps: 64 });
    expect(make?.hidden).toBe(true);
    expect(cell("synthesised").textContent).toContain("Step 3 of 64");
    stop?.click();
    expect(asked().at(-1)).toBe("halt");
    model.set("channel", 6);
    expect(cell("filter").dataset["state"]).toBe("waiting");
  });

  it("offers a scan where there is none, and folds the rest away", () => {
    const { one, asked } = open({ _shown: {}, _lacking: "Of other weights.", _offered: 845 });
    expect(one(".zf-strip-pictures").hidden).toBe(true);
    const offer = one(".zf-strip-lacking button");
    expect(offer.textContent).toBe("Scan the gallery (845 photographs)");
    offer.click();
    expect(asked().at(-1)).toBe("scan");
  });
});
