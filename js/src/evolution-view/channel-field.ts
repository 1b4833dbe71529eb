/** The line where channels are asked for by number. */
import { h, setAttribute, uid } from "../core/dom";
import { parseChannels } from "./page";
import type { EvolutionShell } from "./state";

/** As MOST of widgets/evolution_view. */
const MOST = 48;

export class ChannelField {
  readonly element: HTMLElement;
  readonly #shell: EvolutionShell;
  readonly #input = h("input", { class: "zf-channels", type: "text", spellcheck: "false" });
  readonly #wrong = h("span", { class: "zf-wrong", role: "alert", id: uid("zf-wrong") });

  constructor(shell: EvolutionShell) {
    this.#shell = shell;
    const { say, signal } = shell;
    this.element = h(
      "label",
      { class: "zf-field" },
      h("span", {}, say("channels")),
      this.#input,
      this.#wrong,
    );
    setAttribute(this.#input, "aria-describedby", this.#wrong.id);
    this.#input.addEventListener("change", () => this.#take(), { signal });
    this.#input.addEventListener("keydown", (event) => this.#key(event), { signal });
    shell.follow("channels", () => this.#reset());
    shell.follow("count", () => this.#hint());
  }

  #hint(): void {
    const last = Math.max(0, (this.#shell.model.get("count") ?? 1) - 1);
    this.#input.title = this.#shell.say("channels_hint", { last });
  }

  #reset(): void {
    this.#input.value = (this.#shell.model.get("channels") ?? []).join(", ");
    this.#complain("");
  }

  #key(event: KeyboardEvent): void {
    if (event.key === "Escape") this.#reset();
    else if (event.key !== "Enter") return;
    else this.#take();
    event.preventDefault();
    event.stopPropagation();
  }

  #take(): void {
    const { model, say } = this.#shell;
    const count = model.get("count") ?? 0;
    const channels = parseChannels(this.#input.value, count, MOST);
    if (!channels) {
      this.#complain(say("channels_wrong", { most: MOST, last: count - 1 }));
      return;
    }
    this.#complain("");
    if (channels.join() !== (model.get("channels") ?? []).join()) {
      this.#shell.commit("channels", channels);
    }
  }

  #complain(text: string): void {
    this.#wrong.textContent = text;
    setAttribute(this.#input, "aria-invalid", text ? "true" : null);
  }
}
