/** The first line of one side of a comparison: the network, its layer, what it takes the picture for. */
import type { RenderProps } from "@anywidget/types";
import type strings from "../../../zfwidgets/widgets/compare_side/strings.json";
import { percent } from "../core/bars";
import { h, setText } from "../core/dom";
import { type Guess, guess } from "../core/guesses";
import { mount, type ZFState } from "../core/shell";

interface Layer {
  name: string;
  channels: number | null;
  height: number | null;
  width: number | null;
}

interface State extends ZFState {
  name: string;
  layers: Layer[];
  layer: string;
  classes: Guess[];
  status: "empty" | "busy" | "ready" | "error";
}

export default {
  render(props: RenderProps<State>) {
    return mount<State, keyof typeof strings>("compare-side", props, (shell) => {
      const { say, signal, follow, commit, model } = shell;
      const name = h("strong", { class: "zf-side-name" });
      const select = h("select", { class: "zf-select" });
      const list = h("ul", { class: "zf-guesses", "aria-label": say("classes") });
      const progress = h("div", { class: "zf-progress" });
      const layer = h("label", { class: "zf-side-layer" }, say("layer"), select);
      shell.root.append(h("div", { class: "zf-side-bar" }, name, layer), list, progress);
      select.addEventListener("change", () => commit("layer", select.value), { signal });
      follow("name", (text) => {
        setText(name, text);
        select.setAttribute("aria-label", say("layer_of", { name: text }));
      });
      const item = ({ name: value, channels, height, width }: Layer) => {
        const sizes = { channels: channels ?? "?", height: height ?? "?", width: width ?? "?" };
        return h("option", { value }, say("layer_item", { name: value, ...sizes }));
      };
      follow("layers", (layers) => {
        select.replaceChildren(...layers.map(item));
        select.value = model.get("layer");
      });
      follow("layer", (value) => {
        select.value = value;
      });
      follow("classes", (classes) => {
        list.replaceChildren(...(classes ?? []).map(guess));
        const [best] = classes ?? [];
        const taken = {
          name: model.get("name"),
          label: best?.label ?? "",
          p: percent(best?.p ?? 0),
        };
        if (best) shell.announce(say("taken", taken));
      });
      follow("status", (status) => {
        progress.dataset["busy"] = String(status === "busy");
      });
    });
  },
};
