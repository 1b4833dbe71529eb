/**
 * The texts of a widget in its language, which Python sends in the trait `_strings`. Their keys are typed by
 * the file they come from, zfwidgets/widgets/NAME/strings.json:
 *
 *     import type strings from "../../../zfwidgets/widgets/image_picker/strings.json";
 *     mount<State, keyof typeof strings>("image-picker", props, (shell) => shell.say("add"));
 */
import type common from "../../../zfwidgets/widgets/core/strings.json";

/** Keys that every widget has. */
export type CommonKey = keyof typeof common;

/** The text of a key; `{name}` in it becomes the value of that name. */
export type Say<K extends string> = (
  key: K | CommonKey,
  values?: Record<string, string | number>,
) => string;

/** Look texts up in a table; a missing one shows its key, so that it is seen and mended. */
export function speaker<K extends string>(table: Record<string, string> | undefined): Say<K> {
  return (key, values = {}) =>
    (table?.[key] ?? key).replace(/\{(\w+)\}/g, (braces, name: string) =>
      String(values[name] ?? braces),
    );
}
