/**
 * A place for every neuron: what an Inspector's page shows, as the part of its address after "#". The page opens
 * with it, follows it, and keeps it up to date. zfwidgets/widgets/core/address.py reads and writes the same.
 *
 *     #net=zfnet&photo=cat&layer=conv5&channel=70&at=4,3&rule=deconvnet&mode=projection
 */
import { h, icon } from "../core/dom";
import { RULES } from "../projection-view/state";
import type { StaticKernel } from "./kernel";
import type { AddressPayload, Ref } from "./payload";

const KEYS = ["net", "photo", "layer", "channel", "at", "rule", "mode"] as const;
type Key = (typeof KEYS)[number];
export type Place = Partial<Record<Key, string>>;

const MODES = ["feature map", "projection", "in place", "photo patch", "filter", "synthesised"];
/** Traits that make up the address. */
const WATCHED: Ref[] = [
  ["picker", "value"],
  ["layers", "value"],
  ["browser", "active"],
  ["browser", "rule"],
  ["browser", "mode"],
  ["view", "place"],
];
/** Milliseconds: browsers count how often an address changes. */
const REST = 200;
const LINK =
  "M6.5 9.5l3-3M7 4.500l1.200-1.200a2.700 2.700 0 0 1 4 4L11 8.500M9 11.500l-1.200 1.200a2.700 2.700 0 0 1-4-4L5 7.500";

/** What the text after "#" says; keys that there are not, too. */
export function read(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text.replace(/^#/, "")));
}

export function write(place: Place): string {
  const said = KEYS.filter((key) => place[key] !== undefined);
  const value = (key: Key) => encodeURIComponent(place[key] as string).replaceAll("%2C", ",");
  return said.map((key) => `${key}=${value(key)}`).join("&");
}

interface Layer {
  name: string;
  channels: number | null;
  height: number | null;
  width: number | null;
}

export class Address {
  readonly #host: StaticKernel;
  readonly #payload: AddressPayload;
  /** Photos that a person brings do not travel with the link. */
  readonly #photos: Set<string>;
  readonly #told = h("p", { class: "zf-page-link", role: "status" });
  /** Told of every other place, as text from "#" on. */
  onchange: (text: string) => void = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The page's address when it was last read or written. */
  #known = location.hash;

  constructor(host: StaticKernel, payload: AddressPayload) {
    [this.#host, this.#payload] = [host, payload];
    this.#photos = new Set((this.#get("picker", "items") as { id: string }[]).map(({ id }) => id));
    document.querySelector(".zf-page-parts")?.before(this.#told);
    this.show(location.hash || (payload.begin ?? ""));
    for (const [part, trait] of WATCHED) host.model(part).on(`change:${trait}`, this.#soon);
    window.addEventListener("hashchange", () => {
      this.#known = location.hash;
      this.show(location.hash);
    });
    // A page inside of another's text has no address to copy.
    if (location.protocol !== "about:") this.#offer();
    // The same neuron in another language.
    for (const link of document.querySelectorAll<HTMLAnchorElement>(".zf-page-top a[hreflang]")) {
      link.addEventListener("click", () => {
        link.hash = location.hash;
      });
    }
  }

  // ---------------------------------------------------------------------------------- from it

  /** Show what the address asks for; what there is not is said, the rest is shown. */
  show(text: string): void {
    const asked = read(text);
    const { net, others = {}, texts } = this.#payload;
    const other = others[asked["net"] ?? ""];
    if (other !== undefined && asked["net"] !== net) {
      location.replace(new URL(`${other}#${text.replace(/^#/, "")}`, location.href));
      return;
    }
    // A layer before its channel, whatever order they were written in.
    const rank = ([key]: [string, string]) => KEYS.indexOf(key as Key);
    const entries = Object.entries(asked).sort((one, other) => rank(one) - rank(other));
    const wrong = entries.filter(([key, value]) => !this.#take(key, value, asked));
    const what = wrong.map((entry) => entry.join("=")).join(", ");
    this.#told.textContent = what && (texts["address_wrong"] ?? "").replace("{what}", () => what);
  }

  /** Whether there is such a thing; then it is shown. */
  #take(key: string, value: string, asked: Record<string, string>): boolean {
    const host = this.#host;
    const layer = this.#layer();
    switch (key) {
      case "net":
        return value === this.#payload.net;
      case "photo": {
        const items = this.#get("picker", "items") as { id: string }[];
        if (!items.some(({ id }) => id === value)) return false;
        host.set("picker", { value });
        return true;
      }
      case "layer":
        if (!this.#layers().some(({ name }) => name === value)) return false;
        host.set("layers", { value });
        return true;
      case "channel": {
        const channel = whole(value);
        if (channel === null || channel >= (layer?.channels ?? Infinity)) return false;
        host.set("browser", { active: channel });
        if (asked["at"] === undefined) host.set("view", { place: null });
        return true;
      }
      case "at": {
        if (asked["channel"] === undefined) return false;
        const [row, col, ...more] = value.split(",").map(whole);
        if (row == null || col == null || more.length > 0) return false;
        if (row >= (layer?.height ?? Infinity) || col >= (layer?.width ?? Infinity)) return false;
        host.set("view", { place: [row, col] });
        return true;
      }
      case "rule":
        if (!(RULES as readonly string[]).includes(value)) return false;
        host.set("browser", { rule: value });
        return true;
      case "mode":
        if (!MODES.includes(value)) return false;
        host.set("browser", { mode: value });
        return true;
    }
    return false;
  }

  // ------------------------------------------------------------------------------------ to it

  #soon = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#put(), REST);
  };

  #put(): void {
    // Somebody has just gone to another place, of which the page is about to be told: it is not written over.
    if (location.hash !== this.#known) return;
    const hash = this.text;
    this.onchange(hash);
    try {
      if (hash !== location.hash) history.replaceState(history.state, "", hash);
    } catch {
      // A frame without an address of its own.
    }
    this.#known = location.hash;
  }

  /** What is shown, from "#" on. */
  get text(): string {
    return `#${write(this.#place())}`;
  }

  #place(): Place {
    const photo = this.#get("picker", "value") as string | null;
    const channel = this.#get("browser", "active") as number | null;
    const at = this.#get("view", "place") as [number, number] | null;
    return {
      net: this.#payload.net,
      ...(photo !== null && this.#photos.has(photo) ? { photo } : {}),
      layer: this.#get("layers", "value") as string,
      ...(channel === null ? {} : { channel: String(channel) }),
      ...(channel === null || !at ? {} : { at: at.join(",") }),
      rule: this.#get("browser", "rule") as string,
      mode: this.#get("browser", "mode") as string,
    };
  }

  /** The button beside those that copy and save the picture. */
  #offer(): void {
    const { texts } = this.#payload;
    const button = h(
      "button",
      { class: "zf-button", type: "button", title: texts["link_hint"] },
      icon(LINK),
      h("span", { class: "zf-button-text" }, texts["link"]),
    );
    button.addEventListener("click", () => void this.#copy());
    document.querySelector('[data-part="view"] .zf-bar')?.append(button);
  }

  async #copy(): Promise<void> {
    this.#put();
    const photo = this.#get("picker", "value") as string | null;
    const mine = photo !== null && !this.#photos.has(photo);
    let said = mine ? "link_photo" : "link_copied";
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      said = "link_not_copied"; // no https, or not allowed
    }
    this.#told.textContent = "";
    requestAnimationFrame(() => {
      this.#told.textContent = this.#payload.texts[said] ?? "";
    });
  }

  // ------------------------------------------------------------------------------------ parts

  #layers(): Layer[] {
    return this.#get("layers", "layers") as Layer[];
  }

  #layer(): Layer | undefined {
    const chosen = this.#get("layers", "value");
    return this.#layers().find(({ name }) => name === chosen);
  }

  #get(part: string, trait: string): unknown {
    return this.#host.model(part).get(trait);
  }
}

function whole(text: string): number | null {
  return /^\d{1,6}$/.test(text) ? Number(text) : null;
}
