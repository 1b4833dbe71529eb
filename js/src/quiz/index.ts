/** Nine pictures that excite a channel, then two more to choose from; the Python half is Quiz. */
import type { RenderProps } from "@anywidget/types";
import { mount } from "../core/shell";
import type { QuizKey, QuizState } from "./state";
import { QuizView } from "./view";

export default {
  render: (props: RenderProps<QuizState>) =>
    mount<QuizState, QuizKey>("quiz", props, (shell) => {
      new QuizView(shell);
    }),
};
