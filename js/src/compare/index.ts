/** The first line of a comparison: what goes together on both sides. Its style sheet places the parts. */
import type { RenderProps } from "@anywidget/types";
import type strings from "../../../zfwidgets/widgets/compare/strings.json";
import { h } from "../core/dom";
import { mount, type ZFState } from "../core/shell";

const CHANNELS = ["number", "rank", "free"] as const;

interface State extends ZFState {
  link_layers: boolean;
  link_channels: (typeof CHANNELS)[number];
  link_zoom: boolean;
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
      );
    });
  },
};
