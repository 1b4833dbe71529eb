/** A gallery of pictures to choose from, and ways to bring one; the Python half is ImagePicker. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import type { Key, PickerState } from "./state";
import { PickerView } from "./view";

export default {
  render: (props: RenderProps<PickerState>) =>
    mount<PickerState, Key>("image-picker", props, (shell) => {
      new PickerView(shell);
    }),
};
