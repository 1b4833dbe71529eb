/** The camera as the network's input; the Python half is LiveView. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import { type Key, type LiveState, LiveViewPage } from "./view";

export default {
  render: (props: RenderProps<LiveState>) =>
    mount<LiveState, Key>("live-view", props, (shell) => {
      new LiveViewPage(shell);
    }),
};
