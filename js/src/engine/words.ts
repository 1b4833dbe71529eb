/**
 * What the engine says when it cannot go on: what was given, what was expected, what to do. In English here;
 * pages say it in their language, by the same keys (zfwidgets/widgets/page_engine/strings.json).
 */
import { inWords, type Said } from "./said";

export const ENGLISH = {
  simd:
    "This browser has no WebAssembly SIMD, which the engine in the page needs. Use a browser of " +
    "2023 or later: Chrome or Edge 91, Firefox 89, Safari 16.4.",
  unpacking:
    "This browser cannot unpack the network's weights. Use a browser of 2023 or later: Chrome or " +
    "Edge 91, Firefox 113, Safari 16.4.",
  memory:
    "The browser refused the engine {megabytes} MB of memory. Close other pages, or use a smaller " +
    "network.",
  damaged_packing:
    "The network's weights are damaged: they cannot be unpacked. Download or export the page again.",
  damaged_length:
    "The weights of {net} are damaged: {bytes} bytes instead of {expected}. Download or export the " +
    "page again.",
  damaged_hash:
    "The weights of {net} are damaged: their SHA-256 is not the one that was written with them. " +
    "Download or export the page again.",
  worker: "The engine's worker has stopped: {why}. Reload the page.",
  no_worker:
    "The page may not start the engine's workers (worker-src blob:). Open it where scripts are " +
    "allowed to.",
  broken: "The engine has failed: {why}. Reload the page.",
  closed: "The engine was closed.",
  no_layer: 'There is no layer "{layer}". The layers are: {layers}.',
  no_place: '{axis} {given} of layer "{layer}": expected 0 to {last}.',
  no_classes: "{net} gives no classes; topClasses needs a classifier.",
  no_switches: 'Layer "{layer}" is no max pooling: it has no switches.',
  no_filters: 'Layer "{layer}" is no convolution: it has no filters.',
  no_photo: "A photo has to be recorded before anything is sent back.",
  wrong_size: "The photo has {given} numbers; expected {expected} of them.",
  gpu_unasked: "The graphics processor is not to be asked.",
  gpu_browser: "This browser has no WebGPU.",
  gpu_none: "This machine has no graphics processor that WebGPU can use.",
  gpu_simulated: "This machine's graphics processor is simulated by the processor.",
  gpu_closed: "The graphics processor could not be opened: {why}.",
  gpu_kernel: 'The graphics processor refused "{kernel}": {why}.',
  gpu_lost: "The graphics processor was lost: {why}.",
  gpu_broken: "The graphics processor failed: {why}.",
  gpu_speed: "A forward pass takes {forward} ms there, a neuron {project} ms.",
} as const;

export type Key = keyof typeof ENGLISH;

/** The engine cannot do something: what it was given, what it expected, what to do. */
export class EngineError extends Error implements Said {
  override readonly name: string = "EngineError";

  constructor(
    readonly key: Key,
    readonly values: Said["values"] = {},
  ) {
    super(inWords({ key, values }, ENGLISH));
  }

  /** As it travels: of its class nothing would arrive. */
  get said(): Said {
    return { key: this.key, values: this.values };
  }
}

/** The graphics processor cannot be used, or no longer; the processor computes. */
export class NoGpu extends EngineError {}
