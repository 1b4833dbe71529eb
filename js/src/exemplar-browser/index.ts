/** Each channel's strongest pictures and their projections; the Python half is ExemplarBrowser. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import type { ExemplarKey, ExemplarState } from "./state";
import { ExemplarBrowserView } from "./view";

export default {
  render: (props: RenderProps<ExemplarState>) =>
    mount<ExemplarState, ExemplarKey>("exemplar-browser", props, (shell) => {
      shell.root.classList.add("zf-browser");
      new ExemplarBrowserView(shell);
    }),
};
