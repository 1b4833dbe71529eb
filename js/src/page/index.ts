/**
 * A page without a kernel: the same widgets, their models answered by what was recorded. Python writes
 * the document around it (zfwidgets/widgets/export/page.py) and hands over the payload and the widgets' modules.
 */
import { type Payload, StaticKernel } from "./kernel";

interface Widget {
  render(props: { model: unknown; el: HTMLElement }): unknown;
}

export default {
  /** Show every part of the payload in the element with its name as `data-part`. */
  start(payload: Payload, widgets: Record<string, Widget>): StaticKernel {
    const kernel = new StaticKernel(payload);
    for (const { name, bundle } of payload.parts) {
      const el = document.querySelector<HTMLElement>(`[data-part="${name}"]`);
      const model = kernel.models.get(name);
      if (el && model) widgets[bundle]?.render({ model, el });
    }
    document.documentElement.dataset["ready"] = "true";
    return kernel;
  },
};
