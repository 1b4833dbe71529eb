/** What the engine says, in no language yet; a page that hears it has the words. */

export interface Said {
  /** Of words.ts, and of zfwidgets/widgets/page_engine/strings.json. */
  key: string;
  values: Readonly<Record<string, string | number>>;
}

type Texts = Readonly<Record<string, string>>;

/** What is said, in the words of a table; the key where it has none, so that it is seen and mended. */
export function inWords({ key, values }: Said, texts: Texts): string {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** Why something failed, in the words of a table where it has them. */
export function explained(reason: unknown, texts: Texts): string {
  // By its key: the engine is another bundle, with a class of its own.
  const { key, values } = (reason ?? {}) as Partial<Said>;
  if (key && values && Object.hasOwn(texts, key)) return inWords({ key, values }, texts);
  return reason instanceof Error ? reason.message : String(reason);
}
