/** Who took a photograph and on what terms, with the way to its page. */
import { h } from "../core/dom";
import type { Item, PickerShell } from "./state";

/** What is said of a picture beside its name: attribution with links where it is known, else its credit. */
export function credit(item: Item, say: PickerShell["say"]): (Node | string)[] {
  const { author, source, licence, licence_url: terms } = item;
  if (item.problem !== undefined || !author || !licence) {
    const text = item.problem ?? item.credit;
    return text ? [" · ", text] : [];
  }
  return [
    " · ",
    link(say("photo_by", { author }), source, say("photo_page")),
    " · ",
    link(licence, terms, say("photo_licence")),
  ];
}

/** A link that leaves the notebook, if it is one to the web; else its text. */
function link(text: string, href: string | undefined, title: string): Node | string {
  if (!href || !/^https:\/\//.test(href)) return text;
  return h("a", { href, title, target: "_blank", rel: "noopener noreferrer" }, text);
}
