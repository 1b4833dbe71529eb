/** What Python writes into a page (zfwidgets/widgets/export/stage.py and engine.py): the recordings, the network. */

import type { SheetHead, WireError } from "../core/wire";
import type { Graph, Pair } from "../engine/graph";
import type { Traits } from "./model";

/** Part and trait. */
export type Ref = [part: string, trait: string];

/** Bytes by their number in `blobs`. */
export interface Blob64 {
  $blob: number;
}

export interface Scene {
  part: string;
  by: Ref[];
  /** Traits of the part, by the values of `by` as one JSON text. */
  states: Record<string, Traits>;
  /** What to show for a combination that was left out: the same, by fewer traits. Else it is refused. */
  otherwise?: { by: Ref[]; states: Record<string, Traits> };
}

export interface Start {
  set: Ref;
  when: string;
  by: Ref[];
  values: Record<string, unknown>;
  /** For what is not among the values; absent: the trait stays. */
  otherwise?: unknown;
  /** Set the value of `when` itself, where `values` has something. */
  copies?: boolean;
}

export interface Chunk {
  head: Partial<SheetHead> & Record<string, unknown>;
  blobs: number[];
}

/** What the page must know of a layer beside its place in the graph. */
export interface LayerFacts {
  map: Pair;
  field: Pair;
  jump: Pair;
  offset: Pair;
  kernel: Pair;
}

/** What the engine needs beside its weights. */
export interface EnginePayload {
  graph: Graph;
  /** Address of the file of the weights; without, they stand at the end of the document. */
  weights?: string;
  /** The id of their element there; default: "zf-weights". */
  element?: string;
  layers: Record<string, LayerFacts>;
  /** The files of the gallery's photos. */
  photos: Record<string, Blob64>;
  /** The filters of layers that have colours, as tiles. */
  filters: Record<string, Chunk[]>;
  heat: Blob64;
  signed: Blob64;
  texts: Record<string, string>;
  scan?: ScanPayload;
}

/** Which photographs of the gallery excite each channel most, of a page of exemplars. */
export interface ScanPayload {
  /** Address of the file of the photographs, and of the Inspector's page. */
  address: string;
  inspector: string;
  /** Photographs a channel, and how many were scanned. */
  k: number;
  scanned: number;
  /** [channels, k], strongest first: number of the photograph (int16; -1: none), place (u8), value (float32). */
  layers: Record<string, Record<"image" | "row" | "col" | "value", Blob64>>;
  /** By layer and channel: what its photographs have in common. */
  words: Record<string, unknown[][]>;
}

export interface Payload {
  parts: { name: string; bundle: string; state: Traits }[];
  bundles: Record<string, string>;
  links: Ref[][];
  starts: Start[];
  scenes: Scene[];
  /** By part, then by epoch: the sheets of all its tiles. */
  sheets: Record<string, Record<string, Chunk[]>>;
  /** Errors for what was left out of the page, and for what only a kernel can do. */
  absent: WireError;
  kernelless: WireError;
  /** In base64; in a site as sevens.ts reads them. */
  blobs: string[];
  engine?: EnginePayload;
  /** Of a comparison: the networks of its sides, whose parts are called `left.browser` and so on. */
  engines?: { left: EnginePayload; right: EnginePayload };
  quiz?: QuizPayload;
  site?: SitePayload;
  /** Of an Inspector's page: what it is called in addresses. */
  address?: AddressPayload;
}

/** A quiz whose questions were drawn when the page was written. */
export interface QuizPayload {
  /** The code of its answers up to the answers themselves, and the SHA-256 that its check takes. */
  code: string;
  weights: string;
  questions: {
    /** What the widget shows, without the pictures. */
    asked: { at: number; layer: string; channel: number; credits: string[]; sheet: SheetHead };
    data: Blob64;
    exciting: number;
    values: [number, number];
  }[];
}

export interface AddressPayload {
  net: string;
  /** Where a page begins whose address says nothing. */
  begin?: string;
  /** Pages of a site's other networks, by their names. */
  others?: Record<string, string>;
  texts: Record<string, string>;
}

/** What a page of a site says of the site. */
export interface SitePayload {
  /** Address of the service worker. */
  worker: string;
  /** Files, from the site's folder, that it keeps because this page needs them. */
  later: string[];
  texts: Record<"kept" | "not_kept" | "insecure" | "from_disk", string>;
}
