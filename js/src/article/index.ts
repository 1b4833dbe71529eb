/**
 * An exported page as one module for articles, in the form that anywidget gave modules: MyST's `{anywidget}`
 * directive, marimo, or a page of one's own that calls `render`. Python writes `zfFigure` before this text
 * (zfwidgets/widgets/export/module.py). The page stands in a frame of its own, so that neither disturbs the other.
 */

declare const zfFigure: {
  /** The page itself; or the name of its file beside this module. */
  page?: string;
  file?: string;
  title: string;
  /** For paper: a picture as a data URL, and what must be said of it. */
  picture: string;
  caption: string;
};

/** What the text of the directive may say, as JSON; all of it may be left out. */
interface State {
  /** Address of the page's file, where that does not stand beside the module. */
  page?: string;
  /** What is shown, and kept up to date: "#layer=conv5&channel=70". */
  state?: string;
  /** Which parts: "head", "picker", "layers", "browser", "view", "strip". */
  parts?: string[];
}

interface Model {
  get<K extends keyof State>(name: K): State[K] | undefined;
  set<K extends keyof State>(name: K, value: State[K]): void;
  save_changes?(): void;
  on(event: string, callback: () => void): void;
  off?(event: string, callback: () => void): void;
}

const STYLE = `
.zf-article { margin: 0; }
.zf-article > iframe { display: block; width: 100%; height: 900px; border: 0; }
.zf-article > :is(img, figcaption) { display: none; }
@media print {
  .zf-article > iframe { display: none; }
  .zf-article > :is(img, figcaption) { display: block; max-width: 100%; }
}`;

export default {
  render({ model, el }: { model: Model; el: HTMLElement }): () => void {
    const frame = document.createElement("iframe");
    frame.title = zfFigure.title;
    // Its scripts run, in an origin of their own.
    frame.setAttribute("sandbox", "allow-scripts allow-downloads");
    let told = model.get("state");
    const ask = (message: object) => frame.contentWindow?.postMessage(message, "*");
    const listen = ({ source, data }: MessageEvent) => {
      if (source !== frame.contentWindow || typeof data !== "object" || data === null) return;
      if (data.zf === "ready") ask({ zf: "show", state: told, parts: model.get("parts") });
      if (data.zf === "height" && data.height > 0) frame.style.height = `${data.height}px`;
      if (data.zf === "state" && data.state !== told) {
        told = data.state as string;
        model.set("state", told);
        model.save_changes?.();
      }
    };
    const change = () => {
      const state = model.get("state");
      if (state !== undefined && state !== told) ask({ zf: "show", state });
    };
    window.addEventListener("message", listen);
    model.on("change:state", change);
    if (zfFigure.page !== undefined) frame.srcdoc = zfFigure.page;
    else frame.src = address(model.get("page")).href;
    const figure = document.createElement("figure");
    figure.className = "zf-article";
    const picture = new Image();
    [picture.src, picture.alt] = [zfFigure.picture, zfFigure.title];
    const caption = document.createElement("figcaption");
    caption.textContent = zfFigure.caption;
    const style = document.createElement("style");
    style.textContent = STYLE;
    figure.append(style, frame, picture, caption);
    el.append(figure);
    return () => {
      window.removeEventListener("message", listen);
      model.off?.("change:state", change);
      figure.remove();
    };
  },
};

/** The page's file: where the article says that it is, or beside this module. */
function address(said: string | undefined): URL {
  if (said !== undefined) return new URL(said, document.baseURI);
  try {
    return new URL(zfFigure.file ?? "", import.meta.url);
  } catch {
    throw new Error(
      `${zfFigure.file} is looked for beside its module, which has no address here: say where it is, ` +
        `as {"page": "…/${zfFigure.file}"}, or write the module with alone=True`,
    );
  }
}
