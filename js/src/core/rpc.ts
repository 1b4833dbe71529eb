/**
 * Questions to Python over custom messages: one listener, a map of open questions, and nothing else.
 *
 * `request` resolves with the last answer and hands every chunk to `onChunk` as it comes. Aborting its
 * signal tells Python to stop. The time limit starts anew with each chunk, since a cold network may be
 * slow but a silent kernel is gone.
 */
import type { AnyModel } from "@anywidget/types";
import { desks } from "./desk";
import { type Answer, PROTOCOL, type Refusal, type WireError } from "./wire";

/** Python said no; `detail` is meant for people. */
export class RpcError extends Error {
  constructor(readonly detail: WireError) {
    super(`${detail.title}: ${detail.message}`);
    this.name = "RpcError";
  }
}

/** No answer within the limit: the kernel is busy, restarted or not there. */
export class RpcTimeout extends Error {
  constructor(op: string, seconds: number) {
    super(`no answer to "${op}" within ${seconds} s`);
    this.name = "RpcTimeout";
  }
}

export interface RequestOptions {
  /** Version of what is being looked at; answers of another one are dropped. */
  epoch?: number;
  signal?: AbortSignal;
  buffers?: (ArrayBuffer | ArrayBufferView)[];
  /** Milliseconds without any chunk before giving up. */
  timeout?: number;
  onChunk?: (answer: Answer, buffers: DataView[]) => void;
}

interface Open {
  op: string;
  epoch: number;
  timeout: number;
  timer: ReturnType<typeof setTimeout>;
  onChunk: ((answer: Answer, buffers: DataView[]) => void) | undefined;
  resolve: (answer: Answer) => void;
  reject: (reason: Error) => void;
  forget: () => void;
}

/** The part of a model that the wire needs; a test can be one. */
export type WireModel = Pick<AnyModel, "get" | "on" | "off" | "send">;

export class Rpc {
  readonly #model: WireModel;
  readonly #open = new Map<number, Open>();
  /** Ids must differ between the views of one model, which share its messages. */
  #next = Math.floor(Math.random() * 2 ** 20) * 2 ** 30;
  #heard: (() => void)[] = [];

  constructor(model: WireModel) {
    this.#model = model;
    model.on("msg:custom", this.#receive);
  }

  /** Number of questions without a last answer. */
  get pending(): number {
    return this.#open.size;
  }

  /** Call back whenever Python says anything to this view: proof that a kernel is there. */
  onHeard(callback: () => void): void {
    this.#heard.push(callback);
  }

  request(
    op: string,
    body: Record<string, unknown> = {},
    options: RequestOptions = {},
  ): Promise<Answer> {
    const { epoch = 0, signal, buffers = [], timeout = 30_000, onChunk } = options;
    if (signal?.aborted) return Promise.reject(aborted());
    const id = this.#next++;
    return new Promise<Answer>((resolve, reject) => {
      const onAbort = () => {
        this.#settle(id);
        this.#post({ v: PROTOCOL, op: "cancel", id });
        reject(aborted());
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const forget = () => signal?.removeEventListener("abort", onAbort);
      const timer = this.#alarm(id, timeout);
      this.#open.set(id, { op, epoch, timeout, timer, onChunk, resolve, reject, forget });
      try {
        this.#post({ ...body, v: PROTOCOL, id, epoch, op }, buffers);
      } catch {
        // A model without a living comm refuses to send; to the caller that is a silent kernel.
        this.#settle(id)?.reject(new RpcTimeout(op, 0));
      }
    });
  }

  /** Take every open question back and stop listening. */
  dispose(): void {
    this.#model.off("msg:custom", this.#receive);
    for (const [id, open] of [...this.#open]) {
      this.#settle(id);
      try {
        this.#post({ v: PROTOCOL, op: "cancel", id });
      } catch {
        // The comm may be closed already; then nobody works on the question either.
      }
      open.reject(aborted());
    }
    this.#heard = [];
  }

  readonly #receive = (message: Answer | Refusal, buffers: DataView[] = []): void => {
    const open = this.#open.get(message?.id);
    if (!open) return;
    for (const callback of this.#heard) callback();
    if (!message.ok) {
      this.#settle(message.id)?.reject(new RpcError(message.error));
      return;
    }
    clearTimeout(open.timer);
    if (message.last) this.#settle(message.id);
    else open.timer = this.#alarm(message.id, open.timeout);
    if (message.epoch === open.epoch) open.onChunk?.(message, buffers);
    if (message.last) open.resolve(message);
  };

  #alarm(id: number, timeout: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const open = this.#settle(id);
      if (!open) return;
      open.reject(new RpcTimeout(open.op, timeout / 1000));
      this.#post({ v: PROTOCOL, op: "cancel", id });
    }, timeout);
  }

  #settle(id: number): Open | undefined {
    const open = this.#open.get(id);
    if (!open) return undefined;
    clearTimeout(open.timer);
    open.forget();
    this.#open.delete(id);
    return open;
  }

  /** To Python, or to who answers for it in this page; whether Python is there, it says itself. */
  #post(
    content: { op: string; [field: string]: unknown },
    buffers: (ArrayBuffer | ArrayBufferView)[] = [],
  ): void {
    const desk = content.op !== "hello" && desks().get(this.#model.get("_desk"));
    if (desk) desk(content, buffers, this.#receive);
    else this.#model.send(content, undefined, buffers as ArrayBuffer[]);
  }
}

function aborted(): Error {
  return new DOMException("the question was taken back", "AbortError");
}

/** Whether a rejection only says that nobody wants the answer any more. */
export function isAbort(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === "AbortError";
}
