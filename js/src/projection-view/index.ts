/** One neuron's photo, receptive field and projections; the Python half is ProjectionView. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import type { Key, State } from "./state";
import { ProjectionPage } from "./view";

export default {
  render: (props: RenderProps<State>) =>
    mount<State, Key>("projection-view", props, (shell) => {
      new ProjectionPage(shell);
    }),
};
