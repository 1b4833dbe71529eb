/**
 * Two engines behind one page: each answers for its side, and a channel that is chosen on one side chooses the
 * other's. The other half of zfwidgets/widgets/compare/; layers and zoom go together by the page's own starts.
 */
import { isAbort } from "../core/rpc";
import type { Beyond, Host, Question, Reply } from "./kernel";
import type { Live } from "./live";
import type { Responses } from "./look";
import type { Traits } from "./model";
import type { Ref } from "./payload";

export const SIDES = ["left", "right"] as const;
export type SideName = (typeof SIDES)[number];

const HEAD = "compare";
/** How many of the channels that changed are named. */
const CHANGED = 12;

/** Makes what answers for a side. other: what answers for the other one, if it was made before. */
export type MakeLive = (host: Host, side: SideName, other: Live | null) => Live;

export class Comparing implements Beyond {
  readonly #host: Host;
  readonly #lives: Record<SideName, Live>;
  /** The channel that the other side brought here. */
  readonly #told: Record<SideName, number | null> = { left: null, right: null };
  #turn = 0;

  constructor(host: Host, make: MakeLive) {
    this.#host = host;
    const left = make(this.#sideOf("left"), "left", null);
    this.#lives = { left, right: make(this.#sideOf("right"), "right", left) };
    // What the page begins with may be each side's own strongest channel.
    queueMicrotask(() => this.#carry("left"));
  }

  /** The page as one side sees it: its own parts, and the picker of both. */
  #sideOf(side: SideName): Host {
    const host = this.#host;
    const named = (part: string) => (host.has(part) ? part : `${side}.${part}`);
    return {
      has: (part) => host.has(named(part)),
      model: (part) => host.model(named(part)),
      set: (part, traits) => host.set(named(part), traits),
      visit: (layer, channel) => {
        host.set(named("layers"), { value: layer });
        host.set(named("browser"), { active: channel });
      },
      propose: (_layer, channel) => {
        // The strongest; but this side has the other's counterpart.
        if (this.#follows(side)) this.#carry("left");
        else host.set(named("browser"), { active: channel });
      },
      show: (part, traits) => host.show(named(part), traits),
      refuse: (part, error) => host.refuse(named(part), error),
      view: (blob) => host.view(blob),
    };
  }

  #follows(side: SideName): boolean {
    return side === "right" && this.#linked !== "free" && this.#active("left") !== null;
  }

  get #linked(): string {
    return this.#host.model(HEAD).get("link_channels") as string;
  }

  #active(side: SideName): number | null {
    return this.#host.model(`${side}.browser`).get("active") as number | null;
  }

  #layer(side: SideName): string {
    return this.#host.model(`${side}.browser`).get("layer") as string;
  }

  // -------------------------------------------------------------------------- asked by the kernel

  show(part: string): void {
    const [live, own] = this.#for(part);
    live.show(own);
  }

  drop(part: string): void {
    const [live, own] = this.#for(part);
    live.drop(own);
  }

  answer(part: string, question: Question, buffers: DataView[], reply: Reply): void {
    const [live, own] = this.#for(part);
    live.answer(own, question, buffers, reply);
  }

  changed([part, trait]: Ref): Record<string, Traits> {
    this.#link(part, trait);
    if (part === HEAD) return {};
    const [live, own, side] = this.#for(part);
    const found = Object.entries(live.changed([own, trait]));
    const named = (name: string) => (this.#host.has(name) ? name : `${side}.${name}`);
    return Object.fromEntries(found.map(([name, traits]) => [named(name), traits]));
  }

  /** Who answers for a part, and what it is called there. A picker of both is the left side's. */
  #for(part: string): [Live, string, SideName] {
    const side = SIDES.find((name) => part.startsWith(`${name}.`)) ?? "left";
    return [this.#lives[side], part.replace(/^(left|right)\./, ""), side];
  }

  // ------------------------------------------------------------------------------------- linking

  /** A trait has changed: does the other side's channel change with it? Once all others have followed. */
  #link(part: string, trait: string): void {
    const side = SIDES.find((name) => part === `${name}.browser`);
    if (side && trait === "active") {
      if (this.#active(side) !== this.#told[side]) {
        this.#told[side] = null;
        queueMicrotask(() => this.#carry(side));
      }
      return;
    }
    const photo = part.endsWith("picker") && (trait === "value" || trait === "crop");
    if (photo || (side && trait === "layer") || (part === HEAD && trait === "link_channels")) {
      queueMicrotask(() => this.#carry("left"));
    }
  }

  /** This side's channel chooses the other's; the newest choice wins. */
  #carry(side: SideName): void {
    this.#turn += 1;
    const turn = this.#turn;
    this.#carried(side, () => turn === this.#turn).catch((reason) => {
      // What cannot be computed is said by the part that asked for it.
      if (turn === this.#turn && !isAbort(reason)) this.#differ([]);
    });
  }

  async #carried(side: SideName, newest: () => boolean): Promise<void> {
    const other = side === "left" ? "right" : "left";
    const channel = this.#active(side);
    const both = SIDES.map((name) => this.#lives[name].responses(this.#layer(name)));
    const [left, right] = (await Promise.all(both)) as [Responses, Responses];
    if (!newest()) return;
    const numbered = this.#linked === "number";
    this.#differ(numbered ? changedMost(left, right) : []);
    if (channel === null || this.#linked === "free") return;
    const [mine, theirs] = side === "left" ? [left, right] : [right, left];
    const found = numbered ? channel : ranks(theirs)[ranks(mine).indexOf(channel)];
    const active = found !== undefined && found < theirs.strongest.length ? found : null;
    this.#told[other] = active;
    this.#host.set(`${other}.browser`, { active });
  }

  #differ(changed: object[]): void {
    this.#host.model(HEAD).apply({ layer: this.#layer("left"), changed });
  }
}

/** Channels, the strongest first. */
function ranks({ strongest }: Responses): number[] {
  const value = (channel: number) => strongest[channel]?.value ?? 0;
  return [...strongest.keys()].sort((a, b) => value(b) - value(a) || a - b);
}

/** The channels whose strongest response differs most; none where there are not as many on both sides. */
function changedMost(left: Responses, right: Responses): object[] {
  if (left.strongest.length !== right.strongest.length) return [];
  return left.strongest
    .map((neuron, channel) => ({
      channel,
      before: neuron.value,
      after: right.strongest[channel]?.value ?? 0,
    }))
    .filter(({ before, after }) => before !== after)
    .sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before))
    .slice(0, CHANGED);
}
