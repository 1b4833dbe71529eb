/** A whole widget without a browser and without Python: what jsdom lacks, the page's side, and who answers it. */
import { vi } from "vitest";
import core from "../../zfwidgets/widgets/core/strings.json";
import { FakeModel } from "./fake-model";

type Texts = Record<string, { en: string }>;
interface Asked extends Record<string, unknown> {
  op: string;
  id: number;
  epoch: number;
}

/** Room for elements, and pictures that are decoded at once; nothing is drawn. */
export function furnish(): void {
  class Observer {
    observe() {}
    unobserve() {}
    disconnect() {}
  }
  vi.stubGlobal("ResizeObserver", Observer);
  vi.stubGlobal("IntersectionObserver", Observer);
  vi.stubGlobal("matchMedia", () => new EventTarget());
  vi.stubGlobal("createImageBitmap", async () => ({ width: 64, height: 64, close() {} }));
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(800);
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(300);
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null);
}

/** Some bytes; what they show is of no matter. */
export const bytes = () => new DataView(new ArrayBuffer(64));

export const floats = (values: number[]) => new DataView(new Float32Array(values).buffer);

/** Traits of a browser of `count` channels, all of whose measures are the channel's number. */
export function channelTable(layer: string, mode: string, count: number) {
  const strengths = () => floats(Array.from({ length: count }, (_, channel) => channel));
  const page = {
    ...{ epoch: 1, layer, mode, rule: "deconvnet", count },
    ...{ map: [13, 13], native: [13, 13], field: [1, 1], jump: [1, 1], offset: [0, 0] },
    ...{ filters: mode === "filter", synthesised: false, labels: [], sheet: null, picture: null },
    places: new DataView(new Int32Array(2 * count).buffer),
    measures: Object.fromEntries(
      ["strength", "mean", "sparsity", "energy"].map((name) => [name, strengths()]),
    ),
  };
  return {
    ...{ _page: page, epoch: 1, layer, mode, rule: "deconvnet" },
    ...{ height: 300, tile_size: 72, sort: "index", show: "all", threshold: 0, inset: true },
    ...{ pins: [], _pinned: {}, selected: [], active: null, hover: null, _photo: {} },
    ...{ status: "ready", without: false, _without: {} },
  };
}

/** Put a widget with these traits onto the page, in English. */
export function open(
  widget: { render(props: never): unknown },
  texts: Texts,
  traits: Record<string, unknown>,
) {
  const english = Object.entries({ ...core, ...texts }).map(([key, { en }]) => [key, en]);
  const model = new FakeModel({ _strings: Object.fromEntries(english), ...traits });
  const el = document.createElement("div");
  document.body.replaceChildren(el);
  widget.render({ model, el } as never);
  const one = <E extends HTMLElement>(selector: string) => el.querySelector(selector) as E;
  const asked = (op: string) => model.sent.filter((sent) => sent["op"] === op) as Asked[];
  return {
    model,
    el,
    one,
    asked,
    /** Answer the newest question of a kind. */
    answer(op: string, body: object = {}, buffers: DataView[] = []) {
      const { id, epoch } = asked(op).at(-1) as Asked;
      model.receive({ v: 1, id, epoch, ok: true, last: true, ...body }, buffers);
    },
    refuse(op: string, title: string) {
      const error = { title, message: "", hint: "" };
      model.receive({ v: 1, id: asked(op).at(-1)?.id, ok: false, error });
    },
  };
}
