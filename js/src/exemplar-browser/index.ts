/** Each channel's strongest pictures and their projections; the Python half is ExemplarBrowser. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import { ExemplarBrowserView, type ExemplarKey, type ExemplarState } from "./view";

export default {
  render: (props: RenderProps<ExemplarState>) =>
    mount<ExemplarState, ExemplarKey>("exemplar-browser", props, (shell) => {
      new ExemplarBrowserView(shell);
    }),
};
