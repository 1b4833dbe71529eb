/** A widget's model without a kernel behind it: traits and their listeners, as anywidget hands them out. */

export type Traits = Record<string, unknown>;

type Callback = (...args: never[]) => void;

/** Whom the model tells what a widget does with it. */
export interface Owner {
  /** The widget has changed these traits and wants Python to know. */
  saved(names: string[]): void;
  /** The widget asks a question. */
  asked(content: Traits, buffers: DataView[]): void;
}

export class StaticModel {
  readonly #traits: Traits;
  readonly #owner: Owner;
  readonly #callbacks = new Map<string, Set<Callback>>();
  readonly #unsaved = new Set<string>();

  constructor(traits: Traits, owner: Owner) {
    this.#traits = { ...traits };
    this.#owner = owner;
  }

  get(name: string): unknown {
    return this.#traits[name];
  }

  set(name: string, value: unknown): void {
    if (this.apply({ [name]: value })) this.#unsaved.add(name);
  }

  save_changes(): void {
    const names = [...this.#unsaved];
    this.#unsaved.clear();
    if (names.length > 0) this.#owner.saved(names);
  }

  send(content: Traits, _callbacks?: unknown, buffers: BufferSource[] = []): void {
    this.#owner.asked(
      content,
      buffers.map((buffer) =>
        buffer instanceof ArrayBuffer
          ? new DataView(buffer)
          : new DataView(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength),
      ),
    );
  }

  on(event: string, callback: Callback): void {
    const set = this.#callbacks.get(event) ?? new Set();
    this.#callbacks.set(event, set.add(callback));
  }

  off(event?: string | null, callback?: Callback | null): void {
    if (event && callback) this.#callbacks.get(event)?.delete(callback);
  }

  /** Set traits as one message from Python does: all values first, then every listener. */
  apply(traits: Traits): boolean {
    const changed = Object.keys(traits).filter((name) => !equal(this.#traits[name], traits[name]));
    for (const name of changed) this.#traits[name] = traits[name];
    for (const name of changed) this.#call(`change:${name}`);
    return changed.length > 0;
  }

  /** A custom message from Python. */
  receive(content: object, buffers: DataView[]): void {
    this.#call("msg:custom", content, buffers);
  }

  #call(event: string, ...args: unknown[]): void {
    for (const callback of [...(this.#callbacks.get(event) ?? [])]) callback(...(args as never[]));
  }
}

/** The same value; plain lists and tables by what is in them. */
function equal(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (one instanceof DataView || other instanceof DataView) return false;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  const [keys, others] = [Object.keys(one), Object.keys(other)];
  const values = other as Traits;
  return (
    keys.length === others.length && keys.every((key) => equal((one as Traits)[key], values[key]))
  );
}
