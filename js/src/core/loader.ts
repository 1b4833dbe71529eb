/**
 * Fetches tiles in the order in which they are wanted: batches of up to 64, at most two on the way.
 * A batch of which nothing is wanted any more is taken back.
 */
import { isAbort, type Rpc } from "./rpc";
import { decodeSheet, type TileStore } from "./tiles";
import type { SheetHead } from "./wire";

const BATCH = 64;
const IN_FLIGHT = 2;

export interface Wanted {
  epoch: number;
  /** Channels on screen, then those that may soon be. */
  visible: readonly number[];
  ahead: readonly number[];
  /** Pixels a tile's longer side should have, and has natively at most. */
  px: number;
  native: number;
}

export interface LoaderOwner {
  /** These channels have new pictures in the store. */
  arrived(ids: number[]): void;
  /** A batch failed; nothing more is asked until something else is wanted. */
  failed(reason: unknown): void;
  /** `busy` may have changed. */
  progressed(): void;
}

interface Batch {
  ids: Set<number>;
  px: number;
  ahead: boolean;
  controller: AbortController;
}

export class TileLoader {
  readonly #rpc: Rpc;
  readonly #store: TileStore;
  readonly #owner: LoaderOwner;
  #batches: Batch[] = [];
  #wanted: Wanted | null = null;
  #stopped = false;

  constructor(rpc: Rpc, store: TileStore, owner: LoaderOwner) {
    this.#rpc = rpc;
    this.#store = store;
    this.#owner = owner;
  }

  /** Whether something on screen is on its way. */
  get busy(): boolean {
    return this.#batches.some((batch) => !batch.ahead);
  }

  /** Say what is wanted now; replaces what was said before. Also ends a stop after an error. */
  want(wanted: Wanted): void {
    const { epoch, visible, ahead } = wanted;
    if (epoch !== this.#wanted?.epoch) this.cancel();
    this.#wanted = wanted;
    this.#stopped = false;
    const all = new Set([...visible, ...ahead]);
    for (const batch of [...this.#batches]) {
      if (![...batch.ids].some((id) => all.has(id))) this.#abort(batch);
    }
    this.#pump();
  }

  /** Take everything back. */
  cancel(): void {
    for (const batch of [...this.#batches]) this.#abort(batch);
    this.#wanted = null;
  }

  #abort(batch: Batch): void {
    this.#batches = this.#batches.filter((other) => other !== batch);
    batch.controller.abort();
  }

  #pump(): void {
    const wanted = this.#wanted;
    if (!wanted || this.#stopped) return;
    const px = Math.min(wanted.px, wanted.native);
    const lacking = (id: number) => {
      const tile = this.#store.peek(id);
      if (tile && Math.max(tile.width, tile.height) >= px) return false;
      return !this.#batches.some((batch) => batch.px >= px && batch.ids.has(id));
    };
    while (this.#batches.length < IN_FLIGHT) {
      let ids = wanted.visible.filter(lacking).slice(0, BATCH);
      const ahead = ids.length === 0;
      // What may be wanted later must not stand in the way of what is wanted now.
      if (ahead && this.#batches.length === 0) ids = wanted.ahead.filter(lacking).slice(0, BATCH);
      if (ids.length === 0) return;
      void this.#fetch({ ids: new Set(ids), px, ahead, controller: new AbortController() });
    }
  }

  async #fetch(batch: Batch): Promise<void> {
    this.#batches.push(batch);
    const epoch = this.#wanted?.epoch ?? 0;
    const decoding: Promise<void>[] = [];
    try {
      const body = { ids: [...batch.ids], px: batch.px, ahead: batch.ahead };
      await this.#rpc.request("tiles", body, {
        epoch,
        signal: batch.controller.signal,
        onChunk: (answer, [data]) => {
          if (data) decoding.push(this.#take(answer as unknown as SheetHead, data, epoch));
        },
      });
      await Promise.all(decoding);
    } catch (reason) {
      // A silent or failing kernel is asked again when something changes, not in a loop.
      if (!isAbort(reason)) {
        this.#stopped = true;
        this.#owner.failed(reason);
      }
    }
    this.#batches = this.#batches.filter((other) => other !== batch);
    this.#pump();
    this.#owner.progressed();
  }

  async #take(head: SheetHead, data: DataView, epoch: number): Promise<void> {
    const image = await decodeSheet(head, data);
    if (epoch !== this.#wanted?.epoch) {
      image.close();
      return;
    }
    this.#owner.arrived(this.#store.add(head, image));
  }
}
