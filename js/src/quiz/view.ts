/** One view of a quiz: the nine, the two, what came of it, and the score below. */
import { h, setAttribute, setText } from "../core/dom";
import { brief } from "../core/numbers";
import { type Shell, tell } from "../core/shell";
import { decodeSheet, drawTile } from "../core/tiles";
import { Score } from "./score";
import { isQuestion, isSolution, type Question, type QuizKey, type QuizState } from "./state";

const SHOWN = 9;

export class QuizView {
  readonly #shell: Shell<QuizState, QuizKey>;
  readonly #title = h("h3", { class: "zf-quiz-title" });
  readonly #progress = h("div", { class: "zf-progress" });
  readonly #body = h("div", { class: "zf-quiz-body" });
  readonly #shown = h("ol", { class: "zf-quiz-shown" });
  readonly #choices: HTMLButtonElement[];
  readonly #said = h("p", { class: "zf-quiz-said" });
  readonly #next: HTMLButtonElement;
  readonly #score: Score;
  #question: Question | null = null;
  #turn = 0;
  #alive = true;

  constructor(shell: Shell<QuizState, QuizKey>) {
    this.#shell = shell;
    const { say, root, signal } = shell;
    this.#choices = [0, 1].map((i) => this.#choice(i));
    this.#next = h("button", { class: "zf-button", type: "button", hidden: true });
    this.#next.addEventListener(
      "click",
      () => {
        this.#ask("go");
        this.#choices[0]?.focus({ preventScroll: true }); // the button goes, keys stay
      },
      { signal },
    );
    this.#score = new Score(shell);
    const nine = h("section", {}, h("h4", {}, say("shown")), this.#shown);
    const pair = h("div", { class: "zf-quiz-pair" }, ...this.#choices);
    const two = h("section", {}, h("h4", {}, say("ask")), pair, this.#said, this.#next);
    this.#body.append(nine, two);
    // Keys are heard wherever the focus is in the quiz, and the quiz can have it.
    setAttribute(root, "tabindex", -1);
    root.append(this.#title, this.#progress, this.#body, this.#score.element);
    root.addEventListener("keydown", (event) => this.#key(event), { signal });
    shell.follow("_question", (raw) => void this.#turnTo(raw));
    for (const trait of ["_solution", "status", "at"] as const) {
      shell.follow(trait, () => this.#show());
    }
    shell.greet((alive) => {
      this.#alive = alive;
      this.#show();
    });
  }

  #choice(index: number): HTMLButtonElement {
    const { say, signal } = this.#shell;
    const made = h(
      "button",
      {
        class: "zf-quiz-choice",
        type: "button",
        "aria-label": say("choice", { n: index + 1 }),
        "aria-keyshortcuts": index + 1,
      },
      h("canvas", { "aria-hidden": "true" }),
      h("span", { "aria-hidden": "true" }, String(index + 1)),
    );
    made.addEventListener("click", () => this.#choose(index), { signal });
    return made;
  }

  get #solution() {
    const raw = this.#shell.model.get("_solution");
    return isSolution(raw) && raw.at === this.#question?.at ? raw : null;
  }

  get #open(): boolean {
    const { model } = this.#shell;
    return this.#alive && model.get("status") === "ready" && this.#question?.at === model.get("at");
  }

  #choose(index: number): void {
    if (this.#open && !this.#solution) this.#ask("answer", { choice: index });
  }

  #ask(op: "answer" | "go", body: Record<string, unknown> = {}): void {
    tell(this.#shell, op, { ...body, at: this.#question?.at ?? 0 });
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "1" || event.key === "2") this.#choose(Number(event.key) - 1);
    // On the button that copies the code, Enter is that button's.
    else if (this.#score.element.contains(event.target as Node)) return;
    else if (event.key === "Enter" && this.#solution && this.#open) this.#ask("go");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // ------------------------------------------------------------------------------------- pictures

  async #turnTo(raw: Partial<Question>): Promise<void> {
    const turn = ++this.#turn;
    if (!isQuestion(raw)) return;
    const image = await decodeSheet(raw.sheet, raw.data);
    if (turn === this.#turn && !this.#shell.signal.aborted) {
      this.#fill(raw, image);
      this.#question = raw;
      this.#show();
    }
    image.close();
  }

  #fill(question: Question, image: ImageBitmap): void {
    const { say } = this.#shell;
    const { tile, columns } = question.sheet;
    const [height, width] = tile;
    const paint = (canvas: HTMLCanvasElement, index: number) => {
      [canvas.width, canvas.height] = [width, height];
      canvas.title = question.credits[index] ?? "";
      const [x, y] = [(index % columns) * width, Math.floor(index / columns) * height];
      drawTile(canvas, { image, x, y, width, height });
      return canvas;
    };
    const nine = Array.from({ length: SHOWN }, (_, i) => {
      const attributes = { role: "img", "aria-label": say("shown_one", { n: i + 1 }) };
      return h("li", {}, paint(h("canvas", attributes), i));
    });
    this.#shown.replaceChildren(...nine);
    this.#choices.forEach((button, i) => {
      const canvas = button.querySelector("canvas");
      if (canvas) paint(canvas, SHOWN + i);
    });
  }

  // --------------------------------------------------------------------------------------- status

  #show(): void {
    const { model, say, root, announce } = this.#shell;
    const [status, count] = [model.get("status"), model.get("count")];
    const [question, solution] = [this.#question, this.#solution];
    const done = status === "done";
    setAttribute(root, "data-state", status);
    this.#progress.dataset["busy"] = String(status === "busy" && this.#alive);
    if (done && this.#body.contains(document.activeElement)) root.focus({ preventScroll: true });
    this.#body.hidden = done || question === null;
    if (done) setText(this.#title, this.#score.done());
    else if (question === null) setText(this.#title, say(this.#alive ? "waiting" : "saved"));
    else {
      const { layer, channel, at } = question;
      setText(this.#title, say("title", { n: at + 1, count, layer, channel }));
    }
    this.#choices.forEach((button, i) => {
      setAttribute(button, "aria-disabled", this.#open && !solution ? null : "true");
      setAttribute(button, "aria-pressed", solution ? solution.chosen === i : null);
      setAttribute(button, "data-exciting", solution ? solution.exciting === i : null);
      setAttribute(button, "data-wrong", solution?.chosen === i && solution.exciting !== i);
    });
    this.#next.hidden = !solution;
    setText(this.#next, say((question?.at ?? 0) + 1 < count ? "next" : "finish"));
    const told = solution ? this.#told(solution.exciting, solution) : say("keys");
    if (solution && told !== this.#said.textContent) announce(told);
    setText(this.#said, told);
    if (done) announce(this.#score.done());
  }

  #told(exciting: number, { chosen, values }: { chosen: number; values: number[] }): string {
    const [more, less] = [values[exciting] ?? 0, values[1 - exciting] ?? 0].map(brief);
    const numbers = { n: exciting + 1, more: more ?? "", less: less ?? "" };
    return this.#shell.say(chosen === exciting ? "right" : "wrong", numbers);
  }
}
