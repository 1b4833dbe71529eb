/**
 * One question on its way at a time; of those that come up meanwhile only the newest is asked. So a
 * hand that drags is never ahead of the kernel by more than one answer.
 */
export class Latest<Q> {
  readonly #ask: (question: Q, signal: AbortSignal) => Promise<void>;
  readonly #epoch: () => number;
  #busy = false;
  #next: { question: Q } | null = null;
  /** The epoch of the question under way, and what takes that one back. */
  #asked = 0;
  #asking = new AbortController();

  /** epoch: of what is looked at now. */
  constructor(
    ask: (question: Q, signal: AbortSignal) => Promise<void>,
    epoch: () => number = () => 0,
  ) {
    [this.#ask, this.#epoch] = [ask, epoch];
  }

  /** Ask now, or as soon as the present answer is there. */
  ask(question: Q): void {
    this.#next = { question };
    if (!this.#busy) void this.#run();
  }

  /** Another epoch may have begun: a question of before gets no answer, and must not keep the next one waiting. */
  renewed(): void {
    if (this.#epoch() !== this.#asked) this.#asking.abort();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#next) {
      const { question } = this.#next;
      this.#next = null;
      this.#asked = this.#epoch();
      this.#asking = new AbortController();
      await this.#ask(question, this.#asking.signal);
    }
    this.#busy = false;
  }
}
