/**
 * Building elements without markup strings: text only ever becomes text, so file names, class names
 * and error messages cannot become HTML.
 */

type Child = Node | string | null | undefined | false;
type Attribute = string | number | boolean | null | undefined;

/** Make an element. Booleans follow HTML (present or absent) but for aria-*, which need words. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Attribute> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, Attribute> = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

/** A 16 x 16 line icon from path data; decorative, the control carries the name. */
export function icon(path: string): SVGSVGElement {
  return s(
    "svg",
    { class: "zf-icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    s("path", { d: path }),
  );
}

function setAttributes(element: Element, attributes: Record<string, Attribute>): void {
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
}

/** Set, or with null, undefined or (outside aria-*) false, remove an attribute. */
export function setAttribute(element: Element, name: string, value: Attribute): void {
  if (value === null || value === undefined || (value === false && !name.startsWith("aria-"))) {
    element.removeAttribute(name);
    return;
  }
  const text = value === true && !name.startsWith("aria-") ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

function append(element: Element, children: Child[]): void {
  for (const child of children) if (child) element.append(child);
}

/** Set text only when it differs, so that screen readers are not told twice. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Tell whether any of the element is in the window, now and whenever that changes. */
export function watchWindow(
  element: Element,
  signal: AbortSignal,
  tell: (inside: boolean) => void,
): void {
  const observer = new IntersectionObserver((entries) => {
    // Scrolled away and back within a frame or two, it is told both at once.
    tell(entries.at(-1)?.isIntersecting ?? true);
  });
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
}

let serial = 0;

/** An id that no other view on the page has. */
export function uid(prefix: string): string {
  serial += 1;
  return `${prefix}-${serial}-${Math.random().toString(36).slice(2, 7)}`;
}

/** Run `work` once per animation frame, however often it is asked for. */
export function perFrame(work: () => void, signal: AbortSignal): () => void {
  let asked = false;
  return () => {
    if (asked || signal.aborted) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!signal.aborted) work();
    });
  };
}
