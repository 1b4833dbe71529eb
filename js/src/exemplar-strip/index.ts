/** A channel's nine strongest pictures in a strip, patch above projection; the Python half is ExemplarStrip. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import type { StripKey, StripState } from "./state";
import { StripView } from "./view";

export default {
  render: (props: RenderProps<StripState>) =>
    mount<StripState, StripKey>("exemplar-strip", props, (shell) => {
      new StripView(shell);
    }),
};
