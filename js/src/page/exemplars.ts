/**
 * Every channel with the photographs of the gallery that excite it most, with the engine behind them: the other
 * half of zfwidgets/widgets/exemplar_browser/. Which they are a scan has found; the engine projects them.
 */
import { bytesOf, floatsOf, type SheetHead } from "../core/wire";
import type { Engine } from "../engine/engine";
import type { Pixels } from "../engine/resample";
import type { RuleName } from "../engine/signal";
import type { RawWall } from "../exemplar-browser/wall";
import { beside } from "./beside";
import type { Host, Question, Reply } from "./kernel";
import { Look } from "./look";
import type { Traits } from "./model";
import { grey } from "./painting";
import type { EnginePayload, LayerFacts, ScanPayload } from "./payload";
import { decoded, pixelsOf } from "./photos";
import { fromSevens } from "./sevens";
import { bitmap, sheet } from "./sheet";
import type { Side } from "./side";
import { patchTile, projectionTile, sizeWithin, type View } from "./tiles";

const PART = "exemplars";
/** No sheet yet: all tiles are asked for. */
const NOTHING: SheetHead = { ids: [], mime: "image/bmp", tile: [1, 1], columns: 1 };

/** Name, author and licence, and the file as sevens.ts reads it. */
type Photograph = [name: string, credit: string, file: string];

/** A photograph that excites a channel, and where. */
interface Found {
  photo: number;
  row: number;
  col: number;
  value: number;
}

/** One of them as it is shown. */
interface Drawn extends Found {
  projection: Pixels;
  patch: Pixels;
  outside: boolean;
}

export class ExemplarsSide implements Side {
  readonly #host: Host;
  readonly #payload: EnginePayload;
  readonly #scan: ScanPayload;
  readonly #opening: Promise<Engine>;
  #gallery: Promise<Photograph[]> | null = null;
  #epoch = 2 ** 30;
  /** The photograph that is looked at; one channel after the other, for the engine has one at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(host: Host, payload: EnginePayload, scan: ScanPayload, opening: Promise<Engine>) {
    [this.#host, this.#payload, this.#scan, this.#opening] = [host, payload, scan, opening];
  }

  async show(): Promise<void> {
    const model = this.#host.model(PART);
    const layer = model.get("layer") as string;
    const { k, scanned, layers } = this.#scan;
    const value = floatsOf(this.#host.view(layers[layer]?.value ?? { $blob: -1 }));
    const count = value.length / k;
    const strength = Float32Array.from({ length: count }, (_, n) => value[n * k] as number);
    const [height, width] = this.#facts(layer).field;
    const page: RawWall = {
      epoch: ++this.#epoch,
      layer,
      rule: model.get("rule") as string,
      count,
      side: this.#side,
      k,
      native: [height, width],
      scanned,
      complete: true,
      strength: new DataView(strength.buffer),
      usage: {},
      sheet: NOTHING,
      picture: bitmap(grey(1, 1)),
    };
    this.#host.show(PART, { _page: page, epoch: page.epoch, status: "ready", error: {} });
  }

  /** Another layer closes the panel. */
  changed(trait: string): Record<string, Traits> {
    return trait === "layer" ? { [PART]: { active: null } } : {};
  }

  async answer(
    question: Question,
    _buffers: DataView[],
    reply: Reply,
    signal: AbortSignal,
  ): Promise<void> {
    const [channel = 0] = question.ids ?? [];
    const layer = this.#host.model(PART).get("layer") as string;
    if (question.op === "words") {
      reply.chunk({ words: this.#scan.words[layer]?.[channel] ?? [] }, [], true);
    } else if (question.op === "pick") {
      reply.chunk({}, [], true);
      location.href = this.#address(layer, channel);
    } else if (question.epoch !== this.#host.model(PART).get("epoch"))
      return; // of a wall that is gone
    else if (question.op === "tiles") await this.#tiles(question, layer, reply, signal);
    else if (question.op === "panel") await this.#panel(question, layer, channel, reply, signal);
    else reply.chunk({}, [], true);
  }

  /** The Inspector's page, at this channel. */
  #address(layer: string, channel: number): string {
    const said = { net: this.#payload.graph.name, layer, channel: String(channel) };
    return `${this.#scan.inspector}#${new URLSearchParams(said)}`;
  }

  async #tiles(
    { ids = [], ...question }: Question,
    layer: string,
    reply: Reply,
    signal: AbortSignal,
  ) {
    const px = (question["px"] as number) / (2 * this.#side);
    for (const id of ids) {
      const drawn = await this.#drawn(layer, id, px, signal);
      const { head, picture } = sheet([id], [this.#mosaic(drawn, layer, px)]);
      reply.chunk(head, [picture], false);
    }
    reply.chunk({}, [], true);
  }

  async #panel(
    question: Question,
    layer: string,
    channel: number,
    reply: Reply,
    signal: AbortSignal,
  ): Promise<void> {
    const drawn = await this.#drawn(layer, channel, question["px"] as number, signal);
    const gallery = await this.#photographs();
    const facts = drawn.map(({ photo, row, col, value, outside }) => {
      const [name, credit] = gallery[photo] as Photograph;
      return { id: name, credit, row, col, value, outside };
    });
    if (facts.length === 0) return reply.chunk({ facts }, [], true);
    const tiles = [...drawn.map((one) => one.projection), ...drawn.map((one) => one.patch)];
    const { head, picture } = sheet([...tiles.keys()], tiles);
    reply.chunk({ ...head, facts }, [picture], true);
  }

  /** A square of projections, and to the right of it one of patches; places without a picture are mid-grey. */
  #mosaic(drawn: readonly Drawn[], layer: string, px: number): Pixels {
    const side = this.#side;
    const [height, width] = sizeWithin(this.#facts(layer).field, px);
    const whole = grey(side * height, 2 * side * width);
    const put = ({ data }: Pixels, row: number, column: number) => {
      for (let y = 0; y < height; y++) {
        const to = ((row * height + y) * 2 * side + column) * width;
        whole.data.set(data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * to);
      }
    };
    drawn.forEach(({ projection, patch }, n) => {
      put(projection, Math.floor(n / side), n % side);
      put(patch, Math.floor(n / side), side + (n % side));
    });
    return whole;
  }

  /** The pictures of a channel, strongest first. px: longer side of one at most. */
  #drawn(layer: string, channel: number, px: number, signal: AbortSignal): Promise<Drawn[]> {
    const work = async () => {
      const drawn: Drawn[] = [];
      for (const found of this.#found(layer, channel)) {
        signal.throwIfAborted();
        drawn.push(await this.#look(found, layer, channel, px, signal));
      }
      return drawn;
    };
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #look(found: Found, layer: string, channel: number, px: number, signal: AbortSignal) {
    const [, , text] = (await this.#photographs())[found.photo] as Photograph;
    const engine = await this.#opening;
    const image = await decoded(new Blob([fromSevens(text)]));
    const inputs = await engine.prepare(pixelsOf(image, null));
    image.close();
    const look = await Look.at(engine, inputs, signal);
    const { row, col } = found;
    const facts = this.#facts(layer);
    const rule = this.#host.model(PART).get("rule") as RuleName;
    const view: View = { look, layer, facts, mode: "projection", rule, heat: new Uint8Array() };
    const size = sizeWithin(facts.field, px);
    const neuron = await look.neuron(layer, channel, row, col);
    let projection = grey(...size);
    for await (const { projected } of look.project([neuron], rule, { signal })) {
      projection = projectionTile("projection", look, projected, size);
    }
    const [top, left] = [
      row * facts.jump[0] + facts.offset[0],
      col * facts.jump[1] + facts.offset[1],
    ];
    const { height, width } = look.seen;
    const outside =
      top < 0 || left < 0 || top + facts.field[0] > height || left + facts.field[1] > width;
    return { ...found, projection, patch: patchTile(view, neuron, size), outside };
  }

  #found(layer: string, channel: number): Found[] {
    const { k, layers } = this.#scan;
    const { image, row, col, value } = layers[layer] ?? {};
    if (!image || !row || !col || !value) return [];
    const numbers = floatsOf(this.#host.view(value));
    const photos = new Int16Array(bytesOf(this.#host.view(image)).slice().buffer);
    const [rows, cols] = [bytesOf(this.#host.view(row)), bytesOf(this.#host.view(col))];
    return Array.from({ length: k }, (_, n) => channel * k + n)
      .map((n) => ({
        photo: photos[n] as number,
        row: rows[n] as number,
        col: cols[n] as number,
        value: numbers[n] as number,
      }))
      .filter((found) => found.photo >= 0);
  }

  /** The gallery, which comes when the first photograph is asked for. */
  #photographs(): Promise<Photograph[]> {
    const lost = this.#payload.texts["gallery_lost"] ?? "";
    this.#gallery ??= beside(this.#scan.address, "gallery", lost) as Promise<Photograph[]>;
    this.#gallery.catch(() => {
      this.#gallery = null;
    });
    return this.#gallery;
  }

  /** Pictures in a row of a channel's square. */
  get #side(): number {
    return Math.ceil(Math.sqrt(this.#scan.k));
  }

  #facts(layer: string): LayerFacts {
    return this.#payload.layers[layer] as LayerFacts;
  }
}
