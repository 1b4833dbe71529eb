/**
 * One question on its way at a time; of those that come up meanwhile only the newest is asked. So a
 * hand that drags is never ahead of the kernel by more than one answer.
 */
export class Latest<Q> {
  readonly #ask: (question: Q) => Promise<void>;
  #busy = false;
  #next: { question: Q } | null = null;

  constructor(ask: (question: Q) => Promise<void>) {
    this.#ask = ask;
  }

  /** Ask now, or as soon as the present answer is there. */
  ask(question: Q): void {
    this.#next = { question };
    if (!this.#busy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#next) {
      const { question } = this.#next;
      this.#next = null;
      await this.#ask(question);
    }
    this.#busy = false;
  }
}
