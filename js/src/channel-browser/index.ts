/** All channels of a layer on one light table; the Python half is ChannelBrowser. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import type { BrowserState } from "./state";
import { ChannelBrowserView } from "./view";
import type { Key } from "./words";

export default {
  render: (props: RenderProps<BrowserState>) =>
    mount<BrowserState, Key>("channel-browser", props, (shell) => {
      shell.root.classList.add("zf-browser");
      new ChannelBrowserView(shell);
    }),
};
