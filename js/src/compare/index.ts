/** The first line of a comparison: what goes together on both sides. Its style sheet places the parts. */
import type { RenderProps } from "@anywidget/types";
import type strings from "../../../zfwidgets/widgets/compare/strings.json";
import { h, setAttribute } from "../core/dom";
import { brief } from "../core/numbers";
import { mount, type Shell, type ZFState } from "../core/shell";

const CHANNELS = ["number", "rank", "free"] as const;

interface State extends ZFState {
  link_layers: boolean;
  link_channels: (typeof CHANNELS)[number];
  link_zoom: boolean;
  changed: Changed[];
  layer: string;
  channel: number | null;
}

/** A channel whose strongest response is not the same on both sides. */
interface Changed {
  channel: number;
  before: number;
  after: number;
}

export default {
  render(props: RenderProps<State>) {
    return mount<State, keyof typeof strings>("compare-head", props, (shell) => {
      const { say, signal, follow, commit } = shell;
      const check = (trait: "link_layers" | "link_zoom", key: "layers" | "zoom") => {
        const box = h("input", { type: "checkbox" });
        box.addEventListener("change", () => commit(trait, box.checked), { signal });
        follow(trait, (linked) => {
          box.checked = linked;
        });
        return h("label", { class: "zf-check", title: say(`${key}_hint`) }, box, say(key));
      };
      const options = CHANNELS.map((value) => h("option", { value }, say(value)));
      const select = h("select", { class: "zf-select" }, ...options);
      select.addEventListener(
        "change",
        () => commit("link_channels", select.value as State["link_channels"]),
        { signal },
      );
      follow("link_channels", (how) => {
        select.value = how;
      });
      shell.root.append(
        h(
          "div",
          { class: "zf-compare-bar", role: "group", "aria-label": say("controls") },
          h("strong", {}, say("linked")),
          check("link_layers", "layers"),
          h("label", { class: "zf-check", title: say("channels_hint") }, say("channels"), select),
          check("link_zoom", "zoom"),
        ),
        changedMost(shell),
      );
    });
  },
};

/** The channels that changed most, each a button that chooses it. */
function changedMost(shell: Shell<State, keyof typeof strings>): HTMLElement {
  const { say, follow, model, commit, signal } = shell;
  const name = h("span", { class: "zf-changed-name", title: say("changed_hint") });
  const list = h("ul", { class: "zf-changed-list" });
  const element = h("div", { class: "zf-changed", hidden: true }, name, list);
  const mark = () => {
    for (const button of list.querySelectorAll("button")) {
      const current = Number(button.dataset["channel"]) === model.get("channel");
      setAttribute(button, "aria-current", current ? "true" : null);
    }
  };
  const button = ({ channel, before, after }: Changed) => {
    const values = { id: channel, before: brief(before), after: brief(after) };
    const label = say("changed_one", values);
    const attributes = { "data-channel": channel, "aria-label": label, title: label };
    const made = h("button", { class: "zf-button", type: "button", ...attributes });
    made.append(h("b", {}, String(channel)), h("small", {}, `${values.before} → ${values.after}`));
    made.addEventListener("click", () => commit("channel", channel), { signal });
    return h("li", {}, made);
  };
  follow("changed", (changed) => {
    element.hidden = (changed ?? []).length === 0;
    const text = say("changed", { layer: model.get("layer") });
    name.textContent = text;
    list.setAttribute("aria-label", text);
    list.replaceChildren(...(changed ?? []).map(button));
    mark();
  });
  follow("channel", mark);
  return element;
}
