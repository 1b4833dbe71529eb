/**
 * What every widget's view has in common: the root element with theme, the error alert bound to the
 * `error` trait, a polite live region, the connection to Python, and an orderly end.
 */
import type { AnyModel } from "@anywidget/types";
import { h, icon, setText } from "./dom";
import { isAbort, Rpc, RpcError } from "./rpc";
import { type Say, speaker } from "./strings";
import { watchTheme } from "./theme";
import { isWireError, type WireError } from "./wire";

/** Traits that Python's ZFWidget gives every widget. */
export interface ZFState {
  error: Partial<WireError>;
  _strings: Record<string, string>;
}

/** How long a kernel may be silent before the page says so; a busy one answers later and is believed. */
const SILENCE_MS = 5000;
/** The same after the host has told of a change: then there is reason to doubt. */
const DOUBT_MS = 1500;
const SUPPRESS = "data-lm-suppress-shortcuts";

export interface Shell<T extends ZFState, K extends string = string> {
  model: AnyModel<T>;
  /** The text of a key in the widget's language, values filled in. */
  say: Say<K>;
  root: HTMLElement;
  /** Aborts when the view goes away; pass it to every listener. */
  signal: AbortSignal;
  rpc: Rpc;
  /** Follow a trait: called now and at every change. */
  follow<K extends keyof T & string>(name: K, changed: (value: T[K]) => void): void;
  /** Set a trait from the page and send it. */
  commit<K extends keyof T & string>(name: K, value: T[K]): void;
  /** Show an error that Python does not know of; null takes it away. */
  fail(error: WireError | null): void;
  /** Say something to screen readers when they have a moment. */
  announce(text: string): void;
  /**
   * Ask Python whether it is there, now and whenever the host says that the line to it has changed;
   * `answer(false)` if it is silent, `answer(true)` once it speaks, each when it changes. Returns what
   * to call when another question found no answer: it counts as silent then, and is asked once more.
   */
  greet(answer: (alive: boolean) => void): () => void;
}

/**
 * Build a view: `fill` puts its elements into `shell.root`. Returns anywidget's clean-up function.
 * Another language builds the view anew, so that no text need be changed one by one.
 */
export function mount<T extends ZFState, K extends string = string>(
  name: string,
  props: { model: AnyModel<T>; el: HTMLElement },
  fill: (shell: Shell<T, K>) => void,
): () => void {
  let leave = build(name, props, fill);
  const again = () => {
    leave();
    leave = build(name, props, fill);
  };
  props.model.on("change:_strings", again);
  return () => {
    props.model.off("change:_strings", again);
    leave();
  };
}

function build<T extends ZFState, K extends string>(
  name: string,
  { model, el }: { model: AnyModel<T>; el: HTMLElement },
  fill: (shell: Shell<T, K>) => void,
): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  const alert = makeAlert();
  const live = h("div", { class: "zf-visually-hidden", role: "status", "aria-live": "polite" });
  const root = h("div", {
    class: `zf-root zf-${name}`,
    // JupyterLab listens in the capture phase; only this attribute keeps its shortcuts off our keys.
    [SUPPRESS]: "true",
  });
  // It looks from the focused element upwards and asks each first whether a shortcut is meant for it;
  // those of the notebook are meant for any focused element, so the root's attribute comes too late.
  root.addEventListener(
    "focusin",
    (event) => (event.target as Element).setAttribute(SUPPRESS, "true"),
    { signal },
  );
  root.append(alert.element, live);
  el.append(root);
  watchTheme(root, signal);

  const rpc = new Rpc(model as AnyModel);
  const shell: Shell<T, K> = {
    model,
    say: speaker(model.get("_strings")),
    root,
    signal,
    rpc,
    follow(trait, changed) {
      const event = `change:${trait}`;
      const listener = () => changed(model.get(trait));
      model.on(event, listener);
      signal.addEventListener("abort", () => model.off(event, listener), { once: true });
      listener();
    },
    commit(trait, value) {
      model.set(trait, value);
      model.save_changes();
    },
    fail: (error) => alert.local(error),
    announce: (text) => setText(live, text),
    greet: (answer) => greet(model as AnyModel, rpc, signal, answer),
  };
  shell.follow("error", (error) => alert.remote(isWireError(error) ? error : null));
  fill(shell);

  return () => {
    controller.abort();
    rpc.dispose();
    root.remove();
  };
}

/** A widget that says by `failed` what to do where Python says nothing. */
type Failing = Shell<ZFState, "failed" | "failed_hint">;

/** Show why a question came to nothing: in Python's words, or else in the widget's with the reason's. */
export function failed({ fail, say }: Pick<Failing, "fail" | "say">, reason: unknown): void {
  const message = reason instanceof Error ? reason.message : String(reason);
  const own = { title: say("failed"), message, hint: say("failed_hint") };
  fail(reason instanceof RpcError ? reason.detail : own);
}

/** Tell Python, and show what it refuses. */
export function tell(
  shell: Pick<Failing, "rpc" | "signal" | "fail" | "say">,
  op: string,
  body: Record<string, unknown> = {},
): void {
  const { rpc, signal, fail } = shell;
  rpc.request(op, body, { signal }).then(
    () => fail(null),
    (reason) => {
      if (!isAbort(reason)) failed(shell, reason);
    },
  );
}

function greet(
  model: AnyModel,
  rpc: Rpc,
  signal: AbortSignal,
  answer: (alive: boolean) => void,
): () => void {
  let said: boolean | null = null;
  const report = (alive: boolean) => {
    if (alive === said) return;
    said = alive;
    answer(alive);
  };
  rpc.onHeard(() => report(true));
  const ask = (patience: number) => {
    // The question stays open: a kernel that is busy with a cell answers when the cell is done.
    const silent = setTimeout(() => report(false), patience);
    signal.addEventListener("abort", () => clearTimeout(silent), { once: true });
    rpc
      .request("hello", {}, { signal, timeout: 2 ** 30 })
      .catch(() => report(false))
      .finally(() => clearTimeout(silent));
  };
  ask(SILENCE_MS);
  // ipywidgets says that the line to the kernel was cut or is there again, but not which of them.
  const again = () => ask(DOUBT_MS);
  model.on("comm_live_update", again);
  signal.addEventListener("abort", () => model.off("comm_live_update", again), { once: true });
  return () => {
    if (said === false) return;
    report(false);
    again();
  };
}

const WARNING = "M8 1.8 15 14H1L8 1.8zM8 6v4M8 12v.1";

/** The alert shows Python's error before the page's own. */
function makeAlert() {
  const title = h("p", { class: "zf-alert-title" });
  const text = h("p", { class: "zf-alert-text" });
  const hint = h("p", { class: "zf-alert-hint" });
  const element = h("div", { class: "zf-alert", role: "alert", hidden: true }, icon(WARNING));
  element.append(h("div", {}, title, text, hint));
  let remote: WireError | null = null;
  let local: WireError | null = null;
  const show = () => {
    const error = remote ?? local;
    element.hidden = error === null;
    setText(title, error?.title ?? "");
    setText(text, error?.message ?? "");
    setText(hint, error?.hint ?? "");
  };
  return {
    element,
    remote(error: WireError | null) {
      remote = error;
      show();
    },
    local(error: WireError | null) {
      local = error;
      show();
    },
  };
}
