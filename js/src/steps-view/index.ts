/** One projection step by step; the Python half is StepsView. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import type { Key, State } from "./state";
import { StepsPage } from "./view";

export default {
  render: (props: RenderProps<State>) =>
    mount<State, Key>("steps-view", props, (shell) => {
      new StepsPage(shell);
    }),
};
