/**
 * Light or dark, as the host shows it. Colours come from the host's own tokens (core/theme.css); what
 * CSS cannot know, whether these came out dark, is measured here and written to data-zf-theme.
 */

export type Theme = "light" | "dark";

/** Relative luminance (WCAG 2) of a computed colour such as "rgb(17, 17, 17)"; null if it is none. */
export function luminance(color: string): number | null {
  const numbers = color.match(/[\d.]+/g)?.map(Number);
  const [r, g, b, alpha = 1] = numbers ?? [];
  if (r === undefined || g === undefined || b === undefined || alpha === 0) return null;
  const scale = color.startsWith("color(") ? 1 : 255;
  const linear = [r, g, b].map((v) => {
    const c = v / scale;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const [lr = 0, lg = 0, lb = 0] = linear;
  return 0.2126 * lr + 0.7152 * lg + 0.0722 * lb;
}

/** The theme of an element from its own background. */
export function themeOf(root: HTMLElement): Theme {
  const light = luminance(getComputedStyle(root).backgroundColor);
  return light !== null && light < 0.18 ? "dark" : "light";
}

/** Keep data-zf-theme true while the host changes its mind, until `signal` aborts. */
export function watchTheme(root: HTMLElement, signal: AbortSignal, changed?: () => void): void {
  const apply = () => {
    const theme = themeOf(root);
    if (root.dataset["zfTheme"] === theme) return;
    root.dataset["zfTheme"] = theme;
    changed?.();
  };
  // Hosts say it in many ways (Lab: data-jp-theme-*, marimo: .dark, VS Code: data-vscode-*), all of them
  // as attributes of these two elements or as a swapped style sheet.
  const observer = new MutationObserver(() => requestAnimationFrame(apply));
  observer.observe(document.body, { attributes: true });
  observer.observe(document.documentElement, { attributes: true });
  observer.observe(document.head, { childList: true });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", apply, { signal });
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  apply();
  requestAnimationFrame(apply);
}
