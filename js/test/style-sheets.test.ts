/// <reference types="vite/client" />
/** In a notebook the style sheets of all widgets meet: none may say how another's parts look. */
import { expect, it } from "vitest";

const files = {
  ...import.meta.glob("../src/**/*.ts", { query: "?raw", import: "default", eager: true }),
  ...import.meta.glob("../src/**/*.css", { query: "?raw", import: "default", eager: true }),
} as Record<string, string>;

const folderOf = (path: string) => path.split("/")[2] as string;
const FOLDERS = [...new Set(Object.keys(files).map(folderOf))];

/** Core is of all, and a page arranges the parts of others on purpose. */
const WIDGETS = FOLDERS.filter((name) => name !== "core" && name !== "page");

const read = (folder: string, ending: string) =>
  Object.entries(files)
    .filter(([path]) => folderOf(path) === folder && path.endsWith(ending))
    .map(([, text]) => text)
    .join("\n");

/** Classes that rules of a sheet begin with; a root's before them makes no difference. */
function unbound(sheet: string): Set<string> {
  const selectors = [...sheet.replace(/\/\*.*?\*\//gs, "").matchAll(/([^{};]+)\{/g)]
    .flatMap(([, list]) => (list as string).split(/,(?![^(]*\))/))
    .map((selector) => selector.trim().replace(/^\.zf-root /, ""));
  const first = selectors.map((selector) => selector.match(/^\.(zf-[\w-]+)/)?.[1]);
  return new Set(first.filter((name) => name !== undefined && name !== "zf-root") as string[]);
}

it("finds classes that stand alone, and none that are bound to a widget", () => {
  const sheet = `
    .zf-a, .zf-root .zf-b:hover { color: red }
    @container x (max-width: 9px) { :is(.zf-c, .zf-d) .zf-e { gap: 1px } }
    .zf-h .zf-i { margin: 0 } /* .zf-j {} */
  `;
  expect([...unbound(sheet)]).toEqual(["zf-a", "zf-b", "zf-h"]);
});

it("reads sheets of nearly every folder", () => {
  expect(FOLDERS.filter((name) => unbound(read(name, ".css")).size > 0).length).toBeGreaterThan(15);
});

it.each(WIDGETS)("%s leaves the parts of other widgets alone", (widget) => {
  const shared = [...unbound(read(widget, ".css"))].flatMap((name) =>
    FOLDERS.filter((other) => other !== widget)
      .filter((other) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(read(other, ".ts")))
      .map((other) => `.${name} of ${widget} is in ${other}, too`),
  );
  expect(shared).toEqual([]);
});
