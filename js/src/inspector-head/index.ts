/**
 * The first line of the Inspector: the network, what it takes the picture for, whether it is at work;
 * and, in its style sheet, how the parts of the Inspector stand together.
 */
import type { RenderProps } from "@anywidget/types";
import type strings from "../../../zfwidgets/widgets/inspector_head/strings.json";
import { percent } from "../core/bars";
import { h, setText } from "../core/dom";
import { type Guess, guess } from "../core/guesses";
import { mount, type ZFState } from "../core/shell";

interface State extends ZFState {
  name: string;
  classes: Guess[];
  /** Where is computed, if something must be said of that. */
  note: string;
  status: "empty" | "busy" | "ready" | "error";
}

export default {
  render(props: RenderProps<State>) {
    return mount<State, keyof typeof strings>("inspector-head", props, (shell) => {
      const name = h("strong", { class: "zf-head-name" });
      const lead = h("span", { class: "zf-head-lead" }, shell.say("lead"));
      const list = h("ul", { class: "zf-guesses", "aria-label": shell.say("classes") });
      const progress = h("div", { class: "zf-progress" });
      const note = h("p", { class: "zf-head-note", role: "status" });
      const gone = h("p", { class: "zf-gone", role: "status", hidden: true });
      shell.root.append(h("div", { class: "zf-head-bar" }, name, lead, list), note, progress, gone);
      let met = false;
      shell.greet((alive) => {
        met ||= alive;
        gone.hidden = alive;
        setText(gone, alive ? "" : shell.say(met ? "gone" : "saved"));
      });
      shell.follow("note", (text) => {
        setText(note, text ?? "");
        note.hidden = !text;
      });
      shell.follow("name", (text) => setText(name, text));
      shell.follow("classes", (classes) => {
        list.replaceChildren(...(classes ?? []).map(guess));
        lead.hidden = list.childElementCount === 0;
        const [best] = classes ?? [];
        if (best) shell.announce(shell.say("taken", { label: best.label, p: percent(best.p) }));
      });
      shell.follow("status", (status) => {
        progress.dataset["busy"] = String(status === "busy");
      });
    });
  },
};
