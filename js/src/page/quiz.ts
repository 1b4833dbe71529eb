/**
 * A quiz without Python: its questions were recorded, answers are counted here. The other half of
 * zfwidgets/widgets/quiz/, with the same score and the same code (zfwidgets/analysis/quiz.py).
 */
import { sha256 } from "../engine/sha256";
import type { QuizState, ScoreRow } from "../quiz/state";
import type { Beyond, Host, Question, Reply } from "./kernel";
import type { QuizPayload } from "./payload";

const PART = "quiz";

export class Quiz implements Beyond {
  readonly #host: Host;
  readonly #payload: QuizPayload;
  /** Which picture was chosen, 0 or 1; null: none yet. */
  readonly #answers: (number | null)[];

  constructor(host: Host, payload: QuizPayload) {
    [this.#host, this.#payload] = [host, payload];
    this.#answers = payload.questions.map(() => null);
  }

  show(): void {}

  drop(): void {}

  changed(): Record<string, never> {
    return {};
  }

  answer(_part: string, { op, ...asked }: Question, _buffers: DataView[], reply: Reply): void {
    const model = this.#host.model(PART);
    const at = model.get("at") as number;
    const answered = this.#answers[at] !== null;
    if (asked["at"] === at && at < this.#answers.length) {
      const choice = asked["choice"];
      if (op === "answer" && !answered && (choice === 0 || choice === 1)) this.#take(at, choice);
      if (op === "go" && answered) this.#turn(at + 1);
    }
    reply.chunk({}, [], true);
  }

  #take(at: number, chosen: 0 | 1): void {
    this.#answers[at] = chosen;
    const { exciting, values } = this.#payload.questions[at] as QuizPayload["questions"][number];
    const _solution: QuizState["_solution"] = { at, exciting, chosen, values };
    this.#host
      .model(PART)
      .apply({ _solution, _score: { rows: this.#score() }, code: this.#code() });
  }

  #turn(at: number): void {
    const question = this.#payload.questions[at];
    const traits: Partial<QuizState> = question
      ? {
          at,
          _question: { ...question.asked, data: this.#host.view(question.data) },
          _solution: {},
        }
      : { at, status: "done" };
    this.#host.model(PART).apply(traits);
  }

  /** The score, all layers first. */
  #score(): ScoreRow[] {
    const layers = new Set(this.#payload.questions.map(({ asked }) => asked.layer));
    return ["", ...layers].map((layer) => {
      const some = this.#payload.questions.flatMap(({ asked, exciting }, at) => {
        const chosen = this.#answers[at] ?? null;
        const of = layer === "" || asked.layer === layer;
        return of && chosen !== null ? [chosen === exciting] : [];
      });
      const right = some.filter(Boolean).length;
      const [low, high] = wilson(right, some.length);
      return { layer, asked: some.length, right, low, high };
    });
  }

  /** The answers in a line of text, as `QuizAnswers.code` writes it. */
  #code(): string {
    const marks = this.#answers.map((answer) => (answer === null ? "-" : answer + 1)).join("");
    const text = `${this.#payload.code}:${marks}`;
    const written = new TextEncoder().encode(`${text}:${this.#payload.weights}`);
    return `${text}:${sha256(written).slice(0, 4)}`;
  }
}

/** Where a share may lie, with 95 % confidence (Wilson 1927); as `wilson` in zfwidgets/analysis/quiz.py. */
export function wilson(right: number, asked: number, z = 1.959964): [low: number, high: number] {
  if (asked === 0) return [0, 1];
  const [share, spread] = [right / asked, (z * z) / asked];
  const middle = (share + spread / 2) / (1 + spread);
  const half = Math.sqrt(share * (1 - share) * spread + (spread * spread) / 4) / (1 + spread);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
