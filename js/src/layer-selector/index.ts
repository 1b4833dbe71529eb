/** The network to choose a layer from, drawn to scale; the Python half is LayerSelector. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import { LayerSelectorView, type State } from "./view";
import type { Key } from "./words";

export default {
  render: (props: RenderProps<State>) =>
    mount<State, Key>("layer-selector", props, (shell) => {
      new LayerSelectorView(shell);
    }),
};
