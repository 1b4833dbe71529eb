/** All channels of a layer on one light table; the Python half is ChannelBrowser. */
import type { RenderProps } from "@anywidget/types";
import type { BrowserState } from "../channel-browser/state";
import { ChannelBrowserView } from "../channel-browser/view";
import type { Key } from "../channel-browser/words";
import { mount } from "../core/shell";

export default {
  render: (props: RenderProps<BrowserState>) =>
    mount<BrowserState, Key>("channel-browser", props, (shell) => {
      new ChannelBrowserView(shell);
    }),
};
