/** What hangs on the wall: its photographs, their classes and families, and how words find them. */

/** Python's answer to "wall"; names in the widget's language come first. */
export interface RawPhotos {
  kinds: { names: [label: string, other: string]; families: string[]; words: string[] }[];
  /** From the family's key to its name. */
  families: Record<string, string>;
  photos: [name: string, kind: number, author: string][];
}

export interface WallPhoto {
  name: string;
  label: string;
  /** The name of its class in the other language. */
  other: string;
  author: string;
  families: readonly string[];
}

export interface Family {
  key: string;
  label: string;
  count: number;
}

export class Photos {
  readonly all: readonly WallPhoto[];
  readonly kinds: number;
  /** Those that occur, with their numbers of photographs, by their names. */
  readonly families: readonly Family[];
  /** What each photograph is searched by, and those of its words that count as whole. */
  readonly #texts: readonly string[];
  readonly #words: readonly Set<string>[];

  constructor(raw: RawPhotos) {
    const texts: string[] = [];
    const words: Set<string>[] = [];
    const counts = new Map<string, number>();
    this.all = raw.photos.flatMap(([name, place, author]) => {
      const kind = raw.kinds[place];
      if (!kind) return [];
      const [label, other] = kind.names;
      for (const key of kind.families) counts.set(key, (counts.get(key) ?? 0) + 1);
      texts.push(plain([...kind.words, author, name].join(" ")));
      words.push(new Set(plain([...kind.words, name].join(" ")).split(" ")));
      return [{ name, label, other, author, families: kind.families }];
    });
    this.#texts = texts;
    this.#words = words;
    this.kinds = raw.kinds.length;
    this.families = [...counts]
      .map(([key, count]) => ({ key, label: raw.families[key] ?? key, count }))
      .sort((one, next) => one.label.localeCompare(next.label));
  }

  /**
   * Places of the photographs that have all the words, or parts of words, as `zf.gallery().search` finds
   * them; those that have them whole come first: a cat before a catamaran.
   */
  search(words: string, family = ""): number[] {
    const wanted = plain(words).split(/\s+/).filter(Boolean);
    const found: number[] = [];
    this.#texts.forEach((text, place) => {
      if (family && !this.all[place]?.families.includes(family)) return;
      if (wanted.every((word) => text.includes(word))) found.push(place);
    });
    const apart = (place: number) =>
      wanted.every((word) => this.#words[place]?.has(word) ?? false) ? 0 : 1;
    return found.sort((one, next) => apart(one) - apart(next) || one - next);
  }
}

/** Without case, composed: Korean is typed composed on one system and decomposed on another. */
function plain(text: string): string {
  return text.normalize("NFC").toLowerCase();
}
