/**
 * The engine in the page of a notebook: takes a network from Python once, and from then on computes for the
 * widgets that are its parts. It has no view of its own. What it cannot do it says, and Python computes.
 */
import type { AnyModel, InitializeProps } from "@anywidget/types";
import { h } from "../core/dom";
import { isAbort, Rpc, RpcError } from "../core/rpc";
import type { Engine } from "../engine/engine";
import { explained } from "../engine/said";
import type { EnginePayload } from "../page/payload";
import { Notebook, type NotebookModel } from "./notebook";
import { code, weights } from "./supplies";

interface State {
  /** Ids of the models of its parts. */
  parts: Record<string, string>;
  /** Whether the page is to compute. */
  active: boolean;
  /** Which photo is looked at; 0: none. */
  photo: number;
}

/** A network is written down while this question waits. */
const PATIENCE = 120_000;

export default {
  initialize({ model }: InitializeProps<State>): () => void {
    const rpc = new Rpc(model as unknown as AnyModel);
    let session: Session | null = null;
    const follow = () => {
      session?.close();
      session = model.get("active") ? new Session(model, rpc) : null;
    };
    model.on("change:active", follow);
    follow();
    return () => {
      model.off("change:active", follow);
      session?.close();
      rpc.dispose();
    };
  },

  render({ el }: { el: HTMLElement }): void {
    el.append(h("span", { class: "zf-no-view" }));
    el.style.display = "none";
  },
};

/** From the question for the network to the end. */
class Session {
  readonly #model: AnyModel<State>;
  readonly #rpc: Rpc;
  #texts: Record<string, string> = {};
  #closed = false;
  #engine: Engine | null = null;
  #notebook: Notebook | null = null;

  constructor(model: AnyModel<State>, rpc: Rpc) {
    [this.#model, this.#rpc] = [model, rpc];
    this.#open().catch((reason) => {
      // What Python refused, it knows.
      if (!(reason instanceof RpcError)) this.#fail(reason);
    });
  }

  close(): void {
    this.#closed = true;
    this.#notebook?.close();
    this.#engine?.close();
    this.#engine = this.#notebook = null;
  }

  async #open(): Promise<void> {
    let blobs: DataView[] = [];
    const described = await this.#rpc.request(
      "net",
      {},
      { timeout: PATIENCE, onChunk: (_, buffers) => (blobs = buffers) },
    );
    const payload = described["payload"] as EnginePayload;
    this.#texts = payload.texts;
    const [module, bytes] = await Promise.all([
      this.#shared(() => code(this.#rpc, described["code"] as string)),
      this.#shared(() => weights(this.#rpc, payload.graph)),
    ]);
    const engine = await module.open(payload.graph, bytes);
    const models = await this.#models();
    if (this.#closed) {
      engine.close();
      return;
    }
    this.#engine = engine;
    await this.#rpc.request("ready", { workers: engine.workers });
    if (this.#closed) return;
    this.#notebook = new Notebook(models, payload, blobs, engine, this.#rpc, {
      recorded: (photo, classes) => this.#tell("recorded", { photo, classes }),
      visit: (layer, channel) => this.#tell("visit", { layer, channel }),
      proposed: (layer, channel) => this.#tell("proposed", { layer, channel }),
      shown: (neuron, full) => this.#tell("shown", { neuron, full: full ?? null }),
      failed: (message) => this.#fail(new Error(message)),
    });
  }

  /** What several widgets wait for: should the one that asked Python be closed meanwhile, this one asks. */
  async #shared<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (reason) {
        if (this.#closed || !isAbort(reason)) throw reason;
      }
    }
  }

  async #models(): Promise<Record<string, NotebookModel>> {
    const models: Record<string, NotebookModel> = {
      engine: this.#model as unknown as NotebookModel,
    };
    for (const [part, id] of Object.entries(this.#model.get("parts"))) {
      const model = await this.#model.widget_manager.get_model(id);
      models[part] = model as unknown as NotebookModel;
    }
    return models;
  }

  #tell(op: string, body: Record<string, unknown>): void {
    // A kernel that is gone is said by the head.
    this.#rpc.request(op, body).catch(() => {});
  }

  /** Say why the page cannot go on; Python goes on. */
  #fail(reason: unknown): void {
    if (this.#closed || isAbort(reason)) return;
    this.close();
    this.#tell("failed", { message: explained(reason, this.#texts) });
  }
}
