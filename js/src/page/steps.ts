/**
 * One projection step by step, with the engine behind it: the other half of zfwidgets/widgets/steps_view/.
 * The way of the neuron is kept; a step is drawn when it is looked at.
 */
import { bytesOf } from "../core/wire";
import type { Neuron, Step as Passage } from "../engine/reading";
import type { Pixels } from "../engine/resample";
import type { RuleName } from "../engine/signal";
import type { Host, Question, Reply } from "./kernel";
import { type Look, onCanvas, type Projected } from "./look";
import type { Traits } from "./model";
import { fullContrast, type Planes, signedColours } from "./painting";
import type { EnginePayload } from "./payload";
import { sheet } from "./sheet";
import type { Side } from "./side";
import {
  type Drawing,
  factsOf,
  filterDrawing,
  filterOf,
  inColours,
  isStep,
  nameOf,
  sides,
  switched,
  switches,
} from "./steps-pictures";

const PART = "steps";

/** The steps, and the projections: with every step, and without those left out. */
interface Way {
  epoch: number;
  look: Look;
  steps: Passage[];
  results: Pixels[];
}

export class StepsSide implements Side {
  readonly #host: Host;
  readonly #signed: Uint8Array;
  #way: Way | null = null;
  #epoch = 2 ** 30;

  constructor(host: Host, payload: EnginePayload) {
    this.#host = host;
    this.#signed = bytesOf(host.view(payload.signed));
  }

  async show(looking: (() => Promise<Look>) | null, signal: AbortSignal): Promise<void> {
    const model = this.#host.model(PART);
    if (!looking) {
      this.#way = null;
      this.#host.show(PART, { _plan: {}, status: "empty", error: {} });
      return;
    }
    model.apply({ status: "busy" });
    const look = await looking();
    const channel = model.get("channel") as number | null;
    if (channel === null) return; // the browser will choose the one that answers most
    const layer = model.get("layer") as string;
    const { strongest } = await look.responses(layer);
    await this.#follow(look, strongest[channel] as Neuron, signal);
  }

  async #follow(look: Look, neuron: Neuron, signal: AbortSignal): Promise<void> {
    const model = this.#host.model(PART);
    const { graph } = look.engine;
    const [rule, names] = [model.get("rule") as RuleName, model.get("off") as string[]];
    const off = graph.nodes.flatMap((node, n) => (names.includes(nameOf(node, n)) ? [n] : []));
    const steps = (await look.steps(neuron, rule, off)).filter((step) => isStep(graph, step));
    const { height, width } = look.seen;
    const pictures: Planes[] = [];
    for await (const { projected } of look.project([neuron], rule, { signal, urgent: true })) {
      pictures.push(onCanvas(projected, height, width));
    }
    const last = steps.at(-1);
    if (off.length && last) pictures.push(onCanvas(arrived(look, last), height, width));
    signal.throwIfAborted();
    const results = pictures.map((picture) => signedColours(picture, fullContrast(picture.values)));
    this.#way = { epoch: ++this.#epoch, look, steps, results };
    const { head, picture } = sheet([...results.keys()], results);
    const plan = {
      ...neuron,
      net: graph.name,
      steps: steps.map((step) => factsOf(graph, step)),
      epoch: this.#epoch,
      sheet: head,
      data: picture,
    };
    const step = Math.min(model.get("step") as number, steps.length - 1);
    this.#host.show(PART, { _plan: plan, step, status: "ready", error: {} });
  }

  changed(): Record<string, Traits> {
    return {};
  }

  /** One step: maps before and after, switches or filter. */
  async answer(question: Question, _buffers: DataView[], reply: Reply): Promise<void> {
    const way = this.#way;
    const index = question["index"] as number;
    const step = way?.steps[index];
    if (!way || !step || way.epoch !== question.epoch) return; // of a way that is gone
    const { look, steps, results } = way;
    const { graph } = look.engine;
    let [before, after] = sides(graph, step, this.#signed);
    if (index === steps.length - 1) {
      after = inColours(results.at(-1) as Pixels, after.side.part);
    }
    const drawn: Record<string, Drawing> = { before, after };
    const between = filterOf(graph, step);
    if (between) {
      const { output, input } = between;
      const values = await look.filter(step.node, output, input);
      drawn["filter"] = filterDrawing(graph, step, output, values, this.#signed);
    }
    const channel = switched(graph, step);
    const codes = channel === null ? null : await look.codes(step.node, channel);
    const body = {
      ...Object.fromEntries(Object.entries(drawn).map(([name, { side }]) => [name, side])),
      switches: codes && switches(graph, step, channel as number, codes),
    };
    const pictures = Object.values(drawn).map(({ picture }) => picture);
    reply.chunk(body, pictures, true);
  }
}

/** What arrives at the photo, as a projection. */
function arrived(look: Look, { after: { values, box } }: Passage): Projected {
  const { top, left, rows, cols } = box;
  return { planes: look.colours(values, rows, cols), box: [top, left, top + rows, left + cols] };
}
