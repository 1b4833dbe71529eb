/** The score of a quiz, how certain it is, layer by layer, and the code that tells of the answers. */
import { percent } from "../core/bars";
import { h, setText, uid } from "../core/dom";
import type { Shell } from "../core/shell";
import type { QuizKey, QuizState, ScoreRow } from "./state";

export class Score {
  readonly element: HTMLElement;
  readonly #shell: Shell<QuizState, QuizKey>;
  readonly #rows = h("tbody");

  constructor(shell: Shell<QuizState, QuizKey>) {
    this.#shell = shell;
    const { say, follow } = shell;
    const heads = (["layer", "of", "certain"] as const).map((key) =>
      h("th", { scope: "col" }, say(key)),
    );
    const table = h("table", { class: "zf-quiz-table" }, h("thead", {}, h("tr", {}, ...heads)));
    table.append(this.#rows);
    const about = h("p", { class: "zf-quiz-people" }, say("people"));
    this.element = h("section", { class: "zf-quiz-score", "aria-label": say("score") });
    this.element.append(table, about, this.#code());
    follow("_score", ({ rows }) => {
      this.#rows.replaceChildren(...rows.map((row) => this.#row(row)));
      this.element.hidden = (rows[0]?.asked ?? 0) === 0;
    });
  }

  /** The whole of it in a sentence. */
  done(): string {
    const [{ right, asked } = { right: 0, asked: 0 }] = this.#shell.model.get("_score").rows;
    return this.#shell.say("done", { right, asked });
  }

  #row({ layer, asked, right, low, high }: ScoreRow): HTMLElement {
    const { say } = this.#shell;
    const share = asked ? percent(right / asked) : "–";
    const values = { share, low: percent(low), high: percent(high) };
    return h(
      "tr",
      { class: layer ? "" : "zf-quiz-all" },
      h("th", { scope: "row" }, layer || say("all")),
      h("td", {}, say("of_value", { right, asked })),
      h("td", {}, asked ? say("certain_value", values) : "–"),
    );
  }

  #code(): HTMLElement {
    const { say, follow, model, signal, announce, fail } = this.#shell;
    const id = uid("quiz-code");
    const code = h("output", { id, class: "zf-quiz-code" });
    const copy = h("button", { class: "zf-button", type: "button" }, say("copy"));
    const refused = {
      title: say("no_copy_title"),
      message: say("no_copy_text"),
      hint: say("no_copy_hint"),
    };
    copy.addEventListener(
      "click",
      () => {
        // Pages that did not come over https have no clipboard.
        const writing = navigator.clipboard?.writeText(model.get("code")) ?? Promise.reject();
        writing.then(
          () => {
            fail(null);
            announce(say("copied"));
          },
          () => fail(refused),
        );
      },
      { signal },
    );
    follow("code", (text) => setText(code, text));
    const label = h("label", { for: id, title: say("code_hint") }, say("code"));
    return h("p", { class: "zf-quiz-codes" }, label, code, copy);
  }
}
