/** The picker: its bar, its pictures, the panels of camera, crop and wall, and what went wrong. */
import { h, icon, setAttribute, setText } from "../core/dom";
import { isAbort, RpcError } from "../core/rpc";
import { credit } from "./credit";
import { CropPanel } from "./crop-panel";
import { Gallery } from "./gallery";
import { Notices } from "./notices";
import { Snapshot } from "./snapshot";
import { type PickerShell, SIGNS, signButton } from "./state";
import { Uploads } from "./uploads";
import { WallPanel } from "./wall";

/** From how many pictures on an order is worth a button. */
const MANY = 9;

export class PickerView {
  readonly #shell: PickerShell;
  readonly #gallery: Gallery;
  readonly #notices: Notices;
  readonly #uploads: Uploads;
  readonly #camera: Snapshot;
  readonly #crop: CropPanel;
  readonly #wall: WallPanel;
  readonly #upload: HTMLButtonElement;
  readonly #cameraButton: HTMLButtonElement;
  readonly #wallButton: HTMLButtonElement;
  readonly #cropButton: HTMLButtonElement;
  readonly #removeButton: HTMLButtonElement;
  readonly #recent: HTMLButtonElement;
  readonly #caption = h("p", { class: "zf-picker-caption" });
  readonly #remarks = h("div", { class: "zf-picker-remarks", role: "note", hidden: true });
  readonly #unread = h("details", { class: "zf-unread", hidden: true });
  readonly #leftOut = h("p", { class: "zf-left-out", hidden: true });
  readonly #empty: HTMLElement;
  readonly #hint: HTMLElement;
  #hovered: string | null = null;
  /** Whether a kernel is there to bring pictures to. */
  #alive = true;

  constructor(shell: PickerShell) {
    this.#shell = shell;
    const { say } = shell;
    this.#upload = signButton("upload", say("upload"));
    this.#cameraButton = signButton("camera", say("camera"), { title: say("camera_title") });
    this.#cameraButton.classList.add("zf-camera");
    this.#wallButton = signButton("wall", say("wall"), { title: say("wall_title") });
    this.#cropButton = signButton("crop", say("crop"), { title: say("crop_title") });
    const remove = { title: say("remove_title"), quiet: true };
    this.#removeButton = signButton("remove", say("remove"), remove);
    this.#recent = signButton("recent", say("recent"), { title: say("recent"), quiet: true });
    this.#hint = h("span", { class: "zf-picker-hint" }, say("bring"));
    this.#empty = h("p", { class: "zf-picker-empty", hidden: true }, say("empty"));
    this.#notices = new Notices(shell, () => this.#upload.focus());
    this.#uploads = new Uploads(shell, this.#notices);
    this.#gallery = new Gallery(shell, {
      choose: (id) => {
        if (id !== shell.model.get("value")) shell.commit("value", id);
      },
      remove: (id) => void this.#remove(id),
      regard: (id) => {
        this.#hovered = id;
        this.#describe();
      },
    });
    this.#camera = new Snapshot(shell, {
      taken: (file) => this.#uploads.take([file]),
      failed: (error) => this.#notices.show(error),
      closed: () => this.#panels(this.#cameraButton),
    });
    this.#crop = new CropPanel(shell, () => this.#panels(this.#cropButton));
    this.#wall = new WallPanel(shell, {
      failed: (reason) => this.#refused(reason, say("not_done")),
      closed: () => this.#panels(this.#wallButton),
    });
    this.#assemble();
    this.#listen();
    this.#panels(null);
    this.#follow();
  }

  #assemble(): void {
    const { root, say } = this.#shell;
    const ways = [this.#upload, this.#cameraButton, this.#wallButton, this.#hint];
    const bar = [...ways, this.#caption];
    const tools = [this.#recent, this.#cropButton, this.#removeButton];
    const strip = [this.#gallery.element, this.#uploads.element];
    root.append(
      this.#notices.element,
      h("div", { class: "zf-picker-bar" }, ...bar, ...tools),
      h("div", { class: "zf-picker-strip" }, ...strip),
      this.#remarks,
      this.#empty,
      this.#notices.undo,
      this.#unread,
      this.#leftOut,
      this.#camera.element,
      this.#crop.element,
      this.#wall.element,
      h("div", { class: "zf-drop", "aria-hidden": "true" }, icon(SIGNS.upload), say("drop_here")),
    );
  }

  #listen(): void {
    const { signal, model, commit, root } = this.#shell;
    const accept = model.get("_accept");
    const file = h("input", { type: "file", accept, multiple: true, hidden: true });
    root.append(file);
    const click = (button: HTMLElement, act: () => void) =>
      button.addEventListener("click", act, { signal });
    click(this.#upload, () => file.click());
    file.addEventListener(
      "change",
      () => {
        this.#uploads.take([...(file.files ?? [])]);
        file.value = "";
      },
      { signal },
    );
    click(this.#cameraButton, () => {
      if (this.#camera.isOpen) this.#camera.close();
      else {
        this.#notices.clear();
        void this.#camera.open();
        this.#panels(null);
      }
    });
    click(this.#cropButton, () => {
      if (this.#crop.isOpen) this.#crop.close();
      else {
        this.#crop.open();
        this.#panels(null);
      }
    });
    click(this.#wallButton, () => {
      if (this.#wall.isOpen) this.#wall.close();
      else {
        this.#notices.clear();
        this.#wall.open();
        this.#panels(null);
      }
    });
    click(this.#removeButton, () => {
      const value = model.get("value");
      if (value !== null) void this.#remove(value);
    });
    click(this.#recent, () =>
      commit("order", model.get("order") === "recent" ? "given" : "recent"),
    );
  }

  #follow(): void {
    const { follow, root, greet, say } = this.#shell;
    greet((alive) => {
      this.#alive = alive;
      setText(this.#hint, say(alive ? "bring" : "saved"));
      this.#tell();
    });
    follow("items", () => this.#tell());
    follow("value", () => this.#tell());
    follow("_seen_note", () => this.#remark());
    follow("gallery", (shown) => {
      this.#wallButton.hidden = !shown;
      if (!shown && this.#wall.isOpen) this.#wall.close();
    });
    follow("disabled", (disabled) => {
      this.#gallery.box.disabled = disabled;
      this.#tell();
    });
    follow("crop", (crop) => this.#cropButton.classList.toggle("zf-on", crop !== null));
    follow("order", (order) => setAttribute(this.#recent, "aria-pressed", order === "recent"));
    follow("left_out", (count) => {
      this.#leftOut.hidden = !count;
      setText(this.#leftOut, say("left_out", { count: count ?? 0 }));
    });
    follow("rows", (rows) => {
      root.dataset["rows"] = String(rows ?? 0);
    });
  }

  /** Everything that depends on which pictures there are. */
  #tell(): void {
    const { model, say } = this.#shell;
    const items = model.get("items") ?? [];
    const disabled = model.get("disabled") || !this.#alive;
    const none = disabled || model.get("value") === null;
    this.#upload.disabled = this.#cameraButton.disabled = this.#wallButton.disabled = disabled;
    this.#wall.disabled = disabled;
    this.#cropButton.disabled = this.#removeButton.disabled = none;
    this.#recent.hidden = items.length < MANY;
    this.#empty.hidden = items.length > 0;
    const unread = items.filter((item) => item.problem !== undefined);
    this.#unread.hidden = unread.length === 0;
    this.#unread.replaceChildren(
      h(
        "summary",
        {},
        say(unread.length === 1 ? "unread_one" : "unread_count", { count: unread.length }),
      ),
      h("ul", {}, ...unread.map(({ label, problem }) => h("li", {}, `${label}: ${problem}`))),
    );
    this.#describe();
    this.#remark();
  }

  /** Quietly below the pictures: what had to be guessed to show the chosen one. */
  #remark(): void {
    const { model } = this.#shell;
    const value = model.get("value");
    const item = model.get("items")?.find(({ id }) => id === value);
    const remarks = [item?.note, model.get("_seen_note")].filter(Boolean) as string[];
    this.#remarks.hidden = remarks.length === 0;
    this.#remarks.replaceChildren(...remarks.map((text) => h("p", {}, icon(SIGNS.note), text)));
  }

  /** The line beside the buttons: the picture under the pointer, else the chosen one. */
  #describe(): void {
    const wanted = this.#hovered ?? this.#shell.model.get("value");
    const item = this.#shell.model.get("items")?.find(({ id }) => id === wanted);
    const label = h("strong", {}, item?.label ?? "");
    const more = item?.problem ?? item?.credit;
    this.#caption.replaceChildren(label, ...(item ? credit(item, this.#shell.say) : []));
    const told = [item?.label, more, item?.changes];
    this.#caption.title = told.filter(Boolean).join(" · ");
  }

  /** Say which panels are open; give the focus back to the button of one that was closed. */
  #panels(back: HTMLElement | null): void {
    setAttribute(this.#cameraButton, "aria-expanded", this.#camera.isOpen);
    setAttribute(this.#cropButton, "aria-expanded", this.#crop.isOpen);
    setAttribute(this.#wallButton, "aria-expanded", this.#wall.isOpen);
    if (back && this.#shell.root.contains(document.activeElement)) back.focus();
    else if (back && document.activeElement === document.body) back.focus();
  }

  async #remove(id: string): Promise<void> {
    const { rpc, signal, say, model } = this.#shell;
    const name = model.get("items").find((item) => item.id === id)?.label ?? id;
    const hadFocus = this.#gallery.element.contains(document.activeElement);
    this.#notices.clear();
    try {
      await rpc.request("remove", { picture: id }, { signal });
      this.#notices.removed(name, () => void this.#restore());
      if (hadFocus) this.#gallery.focus();
    } catch (reason) {
      this.#refused(reason, say("not_done"));
    }
  }

  async #restore(): Promise<void> {
    const { rpc, signal, say } = this.#shell;
    this.#notices.clear();
    try {
      await rpc.request("restore", {}, { signal });
      this.#gallery.focus();
    } catch (reason) {
      this.#refused(reason, say("not_done"));
    }
  }

  #refused(reason: unknown, title: string): void {
    if (isAbort(reason)) return;
    if (reason instanceof RpcError) this.#notices.show(reason.detail);
    else {
      const message = reason instanceof Error ? reason.message : String(reason);
      this.#notices.show({ title, message, hint: this.#shell.say("not_read_hint") });
    }
  }
}
