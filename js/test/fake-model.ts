/** A model as anywidget hands it to a widget, without a kernel behind it. */
type Callback = (...args: never[]) => void;

export class FakeModel {
  readonly sent: Record<string, unknown>[] = [];
  saves = 0;
  readonly #state: Record<string, unknown>;
  readonly #callbacks = new Map<string, Set<Callback>>();

  constructor(state: Record<string, unknown>) {
    this.#state = { error: {}, ...state };
  }

  get(name: string): never {
    return this.#state[name] as never;
  }

  /** As Backbone: listeners hear of a change at once. */
  set(name: string, value: unknown): void {
    this.update({ [name]: value });
  }

  /** Several traits in one message: all are set before anyone hears of the first. */
  update(state: Record<string, unknown>): void {
    const changed = Object.keys(state).filter((name) => this.#state[name] !== state[name]);
    Object.assign(this.#state, state);
    for (const name of changed) {
      for (const callback of this.#callbacks.get(`change:${name}`) ?? []) callback();
    }
  }

  save_changes(): void {
    this.saves += 1;
  }

  on(event: string, callback: Callback): void {
    const set = this.#callbacks.get(event) ?? new Set();
    this.#callbacks.set(event, set.add(callback));
  }

  off(event?: string | null, callback?: Callback | null): void {
    if (event && callback) this.#callbacks.get(event)?.delete(callback);
  }

  send(content: unknown): void {
    this.sent.push(content as Record<string, unknown>);
  }

  /** A custom message from Python. */
  receive(content: unknown, buffers: DataView[] = []): void {
    for (const callback of this.#callbacks.get("msg:custom") ?? []) {
      (callback as (content: unknown, buffers: DataView[]) => void)(content, buffers);
    }
  }

  /** What ipywidgets tells of itself, such as `comm_live_update`. */
  tell(event: string): void {
    for (const callback of this.#callbacks.get(event) ?? []) callback();
  }

  listeners(event: string): number {
    return this.#callbacks.get(event)?.size ?? 0;
  }

  readonly widget_manager = {
    get_model(): never {
      throw new Error("widgets compose in Python");
    },
  };
}
