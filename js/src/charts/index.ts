/** The line above the charts, which opens and closes them. The charts are bqplot figures beside it. */
import type { RenderProps } from "@anywidget/types";
import type strings from "../../../zfwidgets/widgets/charts/strings.json";
import { Bars, percent } from "../core/bars";
import { h, icon, setAttribute } from "../core/dom";
import { mount, type ZFState } from "../core/shell";

interface State extends ZFState {
  opened: boolean;
  classes: { label: string; p: number }[];
  status: "empty" | "busy" | "ready" | "error";
}

const ARROW = "M6 3.5 10.5 8 6 12.5";

export default {
  render(props: RenderProps<State>) {
    return mount<State, keyof typeof strings>("charts", props, (shell) => {
      const { say, signal, follow, commit, model } = shell;
      const button = h(
        "button",
        { class: "zf-fold", type: "button", title: say("charts_hint") },
        icon(ARROW),
        say("charts"),
      );
      button.addEventListener("click", () => commit("opened", !model.get("opened")), { signal });
      const bars = new Bars(say("classes"));
      const list = h(
        "section",
        { class: "zf-charts-classes" },
        h("h3", {}, say("classes")),
        bars.element,
      );
      const progress = h("div", { class: "zf-progress" });
      shell.root.append(button, progress, list);
      const showList = () => {
        list.hidden = !model.get("opened") || (model.get("classes") ?? []).length === 0;
      };
      follow("opened", (open) => {
        setAttribute(button, "aria-expanded", String(open));
        showList();
      });
      follow("classes", (classes) => {
        const bar = ({ label, p }: State["classes"][0]) => {
          return { label, share: p, tick: null, text: percent(p) };
        };
        bars.show((classes ?? []).map(bar));
        showList();
      });
      follow("status", (status) => {
        progress.dataset["busy"] = String(status === "busy" && model.get("opened"));
      });
    });
  },
};
