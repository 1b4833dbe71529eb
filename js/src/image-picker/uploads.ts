/**
 * Pictures from outside: files, drops, the clipboard. They are sent in pieces, one after another; what
 * cannot be sent or read is said, and the chosen picture stays.
 */
import { h } from "../core/dom";
import { isAbort, RpcError } from "../core/rpc";
import type { WireError } from "../core/wire";
import type { Notices } from "./notices";
import type { PickerShell } from "./state";

/** In Colab uploads of a megabyte are reported to fail; as base64, in which some hosts send, this is two thirds. */
const PIECE = 2 ** 19;

export class Uploads {
  /** A place in the gallery for each file that is under way. */
  readonly element = h("div", { class: "zf-waiting", role: "presentation" });
  readonly #shell: PickerShell;
  readonly #notices: Notices;
  #queue: Promise<void> = Promise.resolve();

  constructor(shell: PickerShell, notices: Notices) {
    this.#shell = shell;
    this.#notices = notices;
    shell.root.addEventListener("paste", (event) => this.#onPaste(event), {
      signal: shell.signal,
    });
    this.#takeDrops();
  }

  take(files: readonly File[]): void {
    if (this.#shell.model.get("disabled")) return;
    this.#notices.clear();
    for (const file of files) {
      const refusal = this.#unfit(file);
      if (refusal) this.#notices.show(refusal);
      else this.#enqueue(file);
    }
  }

  #onPaste(event: ClipboardEvent): void {
    event.stopPropagation();
    // Text for the wall's search.
    if (event.target instanceof HTMLInputElement && !event.clipboardData?.files.length) return;
    event.preventDefault();
    this.#takeOrSay(event.clipboardData, "nothing_pasted");
  }

  #takeOrSay(transfer: DataTransfer | null, key: "nothing_pasted" | "nothing_dropped"): void {
    const { say } = this.#shell;
    const files = [...(transfer?.files ?? [])];
    if (files.length > 0) this.take(files);
    else {
      const [message, hint] = [say(`${key}_text`), say(`${key}_hint`)];
      this.#notices.show({ title: say(key), message, hint });
    }
  }

  #takeDrops(): void {
    const { root, signal } = this.#shell;
    let depth = 0; // enter and leave come in pairs for every element on the way
    const on = (name: "dragenter" | "dragover" | "dragleave" | "drop", change: number) =>
      root.addEventListener(
        name,
        (event) => {
          event.preventDefault();
          event.stopPropagation();
          depth = name === "drop" ? 0 : Math.max(0, depth + change);
          root.classList.toggle("zf-dropping", depth > 0);
          if (name === "drop") this.#takeOrSay(event.dataTransfer, "nothing_dropped");
        },
        { signal },
      );
    on("dragenter", 1);
    on("dragover", 0);
    on("dragleave", -1);
    on("drop", 0);
  }

  #enqueue(file: File): void {
    const { say, announce } = this.#shell;
    const name = file.name || say("pasted");
    const reading = say("reading", { name });
    const bar = h("progress", { max: file.size, value: 0, "aria-label": reading });
    const ghost = h(
      "div",
      { class: "zf-photo zf-photo-waiting" },
      h("div", { class: "zf-thumb" }, bar),
      h("span", { class: "zf-photo-label" }, h("bdi", {}, name)),
    );
    this.element.append(ghost);
    announce(reading);
    this.#queue = this.#queue
      .then(() => this.#send(file, name, bar))
      .then(() => announce(say("ready", { name })))
      .catch((reason: unknown) => {
        if (!isAbort(reason)) this.#notices.show(this.#explain(reason, name));
      })
      .finally(() => ghost.remove());
  }

  async #send(file: File, name: string, bar: HTMLProgressElement): Promise<void> {
    const { rpc, signal } = this.#shell;
    const key = `${Math.random().toString(36).slice(2)}${file.size}`;
    for (let at = 0; at < file.size; at += PIECE) {
      const piece = await file.slice(at, at + PIECE).arrayBuffer();
      // Decoding comes with the last piece and has no measure: a bar without a value.
      if (at + PIECE >= file.size) bar.removeAttribute("value");
      const body = { key, name, at, size: file.size };
      await rpc.request("upload", body, { signal, buffers: [piece], timeout: 120_000 });
      if (at + PIECE < file.size) bar.value = at + PIECE;
    }
  }

  /** What can be said before anything is sent. */
  #unfit(file: File): WireError | null {
    const { say, model } = this.#shell;
    const name = file.name || say("pasted");
    if (file.size === 0) {
      const [message, hint] = [say("is_empty_text"), say("is_empty_hint")];
      return { title: say("is_empty", { name }), message, hint };
    }
    const limit = model.get("_max_bytes");
    if (file.size <= limit) return null;
    const sizes = { size: mebibytes(file.size), limit: mebibytes(limit) };
    const message = say("too_large_text", sizes);
    return { title: say("too_large", { name }), message, hint: say("too_large_hint") };
  }

  #explain(reason: unknown, name: string): WireError {
    if (reason instanceof RpcError) return reason.detail;
    const { say } = this.#shell;
    const message = reason instanceof Error ? reason.message : String(reason);
    return { title: say("not_read", { name }), message, hint: say("not_read_hint") };
  }
}

function mebibytes(bytes: number): string {
  const value = bytes / 2 ** 20;
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
