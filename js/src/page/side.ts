/** What answers for a part that only a page without Python has the engine answer. */
import type { Engine } from "../engine/engine";
import type { Album } from "./album";
import type { Host, Question, Reply } from "./kernel";
import type { Look } from "./look";
import type { Traits } from "./model";
import type { EnginePayload } from "./payload";

export interface Side {
  /** Show what is asked of the part now. looking: the chosen photo, recorded; null: none is chosen. */
  show(looking: (() => Promise<Look>) | null, signal: AbortSignal): Promise<void>;
  /** A trait of the part has changed; what else changes with it, by part. "show": show it anew. */
  changed(trait: string): Record<string, Traits> | "show";
  /** signal: the answer is not wanted any more. */
  answer(question: Question, buffers: DataView[], reply: Reply, signal: AbortSignal): Promise<void>;
}

/** The sides by part. album: the page's photos; null: it has none. */
export type Sides = (
  host: Host,
  payload: EnginePayload,
  opening: Promise<Engine>,
  album: Album | null,
) => Record<string, Side>;
