/**
 * The engine in the page: one photo at a time, recorded by one worker and projected by all of them.
 *
 *     const engine = await Engine.open(graph, weights, workers(code, graph));
 *     const recording = await engine.record(await engine.prepare(photo));
 *     for await (const { index, projection } of recording.project(await recording.strongest("conv5")))
 *
 * The latest photo wins: what was asked of an older one ends with `Superseded`. Projections come as they
 * are done, at most a few ahead of whoever takes them; an AbortSignal takes the rest back.
 */
import type { GpuHand } from "./gpu/hand";
import type { Graph } from "./graph";
import { type Hand, WorkerHand } from "./hands";
import type { Speed } from "./messages";
import type { Photo } from "./prepare";
import type { Neuron, Projection, Step } from "./reading";
import { type Method, PAPER } from "./signal";

/** A newer photo has been chosen; nothing is wrong. */
export class Superseded extends Error {
  override readonly name = "Superseded";

  constructor() {
    super("a newer photo is being looked at");
  }
}

export interface Options {
  signal?: AbortSignal | undefined;
  /** Before everything that waits: someone has clicked. */
  urgent?: boolean;
}

/** A projection and which of the neurons asked for it is of. */
export interface Done {
  index: number;
  projection: Projection;
}

const MAX_WORKERS = 4;
/** Bytes that all workers together may take. */
const MEMORY = 300 * 2 ** 20;

/** One worker per core, at most four, fewer for networks with so many weights that memory runs out. */
export function workers(code: string, graph: Graph, cores = navigator.hardwareConcurrency): Hand[] {
  // Weights as they came, packed forwards and packed back, beside maps and signals.
  const each = 5 * graph.weights.bytes + 30 * 2 ** 20;
  const many = Math.max(1, Math.min(cores || 1, MAX_WORKERS, Math.floor(MEMORY / each)));
  return Array.from({ length: many }, () => new WorkerHand(code));
}

/** Work that any hand can do; run by whoever is free. */
interface Job {
  epoch: number;
  run: (hand: Hand) => Promise<void>;
  drop: (reason: Error) => void;
}

export class Engine {
  readonly graph: Graph;
  /** Opens another one of the same network, with one worker; null where there are no workers. */
  spare: (() => Promise<Engine>) | null = null;
  /** The workers. */
  readonly #hands: Hand[];
  readonly #speed: Speed;
  /** The first worker, or a graphics processor, which goes on from no one else's recordings. */
  #recorder: Hand;
  readonly #idle: Hand[] = [];
  #jobs: Job[] = [];
  #epoch = 0;
  /** The forward pass that is under way, or the last one. */
  #recording: Promise<unknown> = Promise.resolve();
  /** Which photo each hand has. */
  readonly #has = new Map<Hand, number>();

  private constructor(graph: Graph, hands: Hand[], recorder: Hand, speed: Speed) {
    this.graph = graph;
    this.#hands = hands;
    [this.#recorder, this.#speed] = [recorder, speed];
    // Two jobs a hand, so that none waits for the page between them.
    this.#idle.push(...hands, ...hands);
  }

  /**
   * weights: the block, or base64 of it. Rejects with EngineError: no SIMD, damaged weights, memory
   * refused, no workers.
   */
  static async open(graph: Graph, weights: Uint8Array | string, hands: Hand[]): Promise<Engine> {
    const [recorder] = hands;
    if (!recorder) throw new Error("no hands");
    try {
      const [speed] = await Promise.all(
        hands.map((hand, n) =>
          hand.ask({ op: "open", graph, weights, place: n === 0 ? "recorder" : "helper" }),
        ),
      );
      return new Engine(graph, hands, recorder, speed as Speed);
    } catch (error) {
      for (const hand of hands) hand.close();
      throw error;
    }
  }

  /**
   * From the next photo on, have a graphics processor do what it does faster than the workers, as was
   * measured when it was opened; `always`: whatever was measured. Gives what it does.
   */
  accelerate(gpu: GpuHand, always = false): { records: boolean; projects: boolean } {
    const { forward, project } = gpu.speed;
    const records = always || forward < this.#speed.forward;
    const projects = records && (always || project < this.#speed.project / this.#hands.length);
    if (records) this.#recorder = gpu;
    else gpu.close();
    if (projects) this.#idle.unshift(gpu, gpu, gpu, gpu); // it waits longer for the page than a worker
    return { records, projects };
  }

  /** The worker that goes on where a graphics processor gives up. */
  get worker(): Hand {
    return this.#hands[0] as Hand;
  }

  /** How many workers there are. */
  get workers(): number {
    return this.#hands.length;
  }

  /** A decoded photo as the network takes it, [C, H, W]. Its pixels are given away. */
  prepare(photo: Photo): Promise<Float32Array> {
    // Not by the hand that records: a camera's next frame is prepared while this one is run.
    const hand = this.#hands.filter((one) => one !== this.#recorder).at(-1) ?? this.#recorder;
    return hand.ask({ op: "prepare", photo }, [photo.data.buffer as ArrayBuffer]);
  }

  /** One forward pass of a prepared photo [C, H, W]. Everything asked of the one before ends. */
  async record(pixels: Float32Array, { signal }: Options = {}): Promise<Recording> {
    signal?.throwIfAborted();
    const epoch = ++this.#epoch;
    const old = this.#jobs;
    this.#jobs = [];
    for (const job of old) job.drop(new Superseded());
    const recorder = this.#recorder;
    // Of several that wait for the forward pass before, only the newest goes on.
    await this.#recording;
    this.#only(epoch);
    signal?.throwIfAborted();
    const asked = recorder.ask({ op: "record", pixels });
    this.#recording = asked.catch(() => {});
    const records = await asked;
    this.#only(epoch);
    this.#has.set(recorder, epoch);
    // Questions are answered in order: whatever is asked of a hand from now on is of this photo.
    for (const hand of this.#hands) {
      if (hand === recorder) continue;
      const copies = records.map((record) => record.slice(0));
      void hand.ask({ op: "restore", records: copies }, copies).catch(() => {});
      this.#has.set(hand, epoch);
    }
    return new Recording(this, epoch, recorder);
  }

  #only(epoch: number): void {
    if (epoch !== this.#epoch) throw new Superseded();
  }

  /** An answer, unless another photo came meanwhile. */
  async current<T>(epoch: number, ask: () => Promise<T>): Promise<T> {
    this.#only(epoch);
    const answer = await ask();
    this.#only(epoch);
    return answer;
  }

  /** Have any hand do this; resolves when it is done. */
  share<T>(
    epoch: number,
    { signal, urgent }: Options,
    ask: (hand: Hand) => Promise<T>,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const job: Job = {
        epoch,
        run: (hand) => this.current(epoch, () => ask(hand)).then(resolve, reject),
        drop: reject,
      };
      signal?.addEventListener(
        "abort",
        () => {
          this.#jobs = this.#jobs.filter((other) => other !== job);
          reject(signal.reason);
        },
        { once: true },
      );
      if (signal?.aborted) reject(signal.reason);
      else if (epoch !== this.#epoch) reject(new Superseded());
      else if (urgent) this.#jobs.unshift(job);
      else this.#jobs.push(job);
      this.#work();
    });
  }

  #work(): void {
    for (let job = this.#jobs[0]; job; job = this.#jobs[0]) {
      const { epoch } = job;
      const free = this.#idle.findIndex((hand) => this.#has.get(hand) === epoch);
      if (free < 0) return;
      const [hand] = this.#idle.splice(free, 1) as [Hand];
      this.#jobs.shift();
      void job.run(hand).finally(() => {
        this.#idle.push(hand);
        this.#work();
      });
    }
  }

  close(): void {
    this.#epoch += 1;
    for (const job of this.#jobs) job.drop(new Superseded());
    this.#jobs = [];
    for (const hand of new Set([...this.#hands, this.#recorder])) hand.close();
  }
}

/** What the network did with one photo. Made by `Engine.record`. */
export class Recording {
  readonly #engine: Engine;
  readonly #epoch: number;
  /** The hand that has the maps. */
  readonly #hand: Hand;

  constructor(engine: Engine, epoch: number, hand: Hand) {
    this.#engine = engine;
    this.#epoch = epoch;
    this.#hand = hand;
  }

  /** The layer's maps [C, H, W], rectified: what the next layer sees. */
  featureMaps(layer: string): Promise<Float32Array> {
    return this.#engine.current(this.#epoch, () => this.#hand.ask({ op: "maps", layer }));
  }

  /** Which place of its window each maximum of a max pooling took: u8 [C, H, W], in reading order. */
  switches(layer: string): Promise<Uint8Array> {
    return this.#engine.current(this.#epoch, () => this.#hand.ask({ op: "switches", layer }));
  }

  /** Per channel the neuron with the highest activation. channels: all by default. */
  strongest(layer: string, channels?: readonly number[]): Promise<Neuron[]> {
    return this.#engine.current(this.#epoch, () =>
      this.#hand.ask({ op: "strongest", layer, channels }),
    );
  }

  neuron(layer: string, channel: number, row: number, col: number): Promise<Neuron> {
    return this.#engine.current(this.#epoch, () =>
      this.#hand.ask({ op: "neuron", layer, channel, row, col }),
    );
  }

  /** The k most probable classes, with their names, or numbers where there are none. */
  async topClasses(k = 5): Promise<[label: string, probability: number][]> {
    const names = this.#engine.graph.categories;
    const found = await this.#engine.current(this.#epoch, () =>
      this.#hand.ask({ op: "classes", k }),
    );
    return found.map(([index, p]) => [names?.[index] ?? String(index), p]);
  }

  /** The probabilities of all classes, by their numbers. */
  async chances(): Promise<Float32Array> {
    const k = Number.MAX_SAFE_INTEGER;
    const found = await this.#engine.current(this.#epoch, () =>
      this.#hand.ask({ op: "classes", k }),
    );
    const chances = new Float32Array(found.length);
    for (const [index, p] of found) chances[index] = p;
    return chances;
  }

  /** Neurons back to pixels, one after the other as they are done. */
  async *project(
    neurons: readonly Neuron[],
    method: Method = PAPER,
    options: Options = {},
  ): AsyncGenerator<Done, void, undefined> {
    const running = new Map<number, Promise<Done>>();
    const ahead = 4 * this.#engine.workers;
    let next = 0;
    while (next < neurons.length || running.size) {
      for (; next < neurons.length && running.size < ahead; next++) {
        const index = next;
        const neuron = neurons[index] as Neuron;
        const done = this.#engine
          .share(this.#epoch, options, (hand) => hand.ask({ op: "project", neuron, method }))
          .then((projection) => ({ index, projection }));
        done.catch(() => {}); // of several that fail, one is told
        running.set(index, done);
      }
      const done = await Promise.race(running.values());
      running.delete(done.index);
      yield done;
    }
  }

  /** A neuron's way back, operation by operation; off: nodes that are left out. */
  steps(neuron: Neuron, method: Method = PAPER, off: readonly number[] = []): Promise<Step[]> {
    return this.#worker((hand) => hand.ask({ op: "steps", neuron, method, off }));
  }

  /** Which place of its window each maximum of a channel took, by the pooling's node: u8 [H, W]. */
  codes(node: number, channel: number): Promise<Uint8Array> {
    return this.#worker((hand) => hand.ask({ op: "codes", node, channel }));
  }

  /** The filter [h, w] of a convolution, by its node, between two channels. */
  filter(node: number, output: number, input: number): Promise<Float32Array> {
    return this.#worker((hand) => hand.ask({ op: "filter", node, output, input }));
  }

  /** Of a worker, which has what is needed on the way back, whoever recorded. */
  #worker<T>(ask: (hand: Hand) => Promise<T>): Promise<T> {
    return this.#engine.current(this.#epoch, () => ask(this.#engine.worker));
  }

  /** The whole map of a channel back to pixels, not a single neuron. */
  projectMap(
    layer: string,
    channel: number,
    method: Method = PAPER,
    options: Options = {},
  ): Promise<Projection> {
    const hand = this.#hand; // other hands have no maps to start from
    return this.#engine.share(this.#epoch, options, () =>
      hand.ask({ op: "map", layer, channel, method }),
    );
  }
}
