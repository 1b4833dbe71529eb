/** What is in sight of pictures that zoom and pan as one; pure, in pixels of the pictures. */

/** top, left, bottom, right */
export type Box = [number, number, number, number];

const DEEPEST = 40;

export class Camera {
  #height = 1;
  #width = 1;
  /** How many times the whole picture is enlarged, from 1. */
  zoom = 1;
  #row = 0.5;
  #col = 0.5;

  /** Pictures of another size; shows all of them. */
  resize(height: number, width: number): void {
    if (height === this.#height && width === this.#width) return;
    [this.#height, this.#width] = [height, width];
    this.reset();
  }

  reset(): void {
    this.zoom = 1;
    this.#centre(this.#height / 2, this.#width / 2);
  }

  /** The part in sight. */
  get window(): Box {
    const [tall, wide] = [this.#height / this.zoom / 2, this.#width / this.zoom / 2];
    return [this.#row - tall, this.#col - wide, this.#row + tall, this.#col + wide];
  }

  /** The same in shares of the picture, 0 to 1. */
  get shares(): Box {
    const [top, left, bottom, right] = this.window;
    return [top / this.#height, left / this.#width, bottom / this.#height, right / this.#width];
  }

  /** Show this part, in shares of the picture; its middle counts if it has another shape. */
  show([top, left, bottom, right]: Box): void {
    const share = Math.max(bottom - top, right - left);
    this.zoom = Math.min(DEEPEST, Math.max(1, 1 / Math.max(share, 1 / DEEPEST)));
    this.#centre(((top + bottom) / 2) * this.#height, ((left + right) / 2) * this.#width);
  }

  /** Enlarge by `factor` so that this place of the picture stays where it is. */
  zoomAt(factor: number, row: number, col: number): void {
    const zoom = Math.min(DEEPEST, Math.max(1, this.zoom * factor));
    const kept = this.zoom / zoom;
    this.zoom = zoom;
    this.#centre(row + (this.#row - row) * kept, col + (this.#col - col) * kept);
  }

  /** Move what is in sight by shares of itself. */
  pan(down: number, right: number): void {
    this.#centre(
      this.#row + (down * this.#height) / this.zoom,
      this.#col + (right * this.#width) / this.zoom,
    );
  }

  /** Fill the frame with a box and a margin around it. */
  fit([top, left, bottom, right]: Box, margin = 0.15): void {
    const share = Math.max((bottom - top) / this.#height, (right - left) / this.#width);
    this.zoom = Math.min(DEEPEST, Math.max(1, 1 / (share * (1 + 2 * margin))));
    this.#centre((top + bottom) / 2, (left + right) / 2);
  }

  /** The place of the picture under a point of the frame, both as shares 0 to 1 of it. */
  at(down: number, right: number): [row: number, col: number] {
    const [top, left, bottom, far] = this.window;
    return [top + down * (bottom - top), left + right * (far - left)];
  }

  /** A place of the picture in shares of it, and back. */
  share(row: number, col: number): [number, number] {
    return [row / this.#height, col / this.#width];
  }

  place(down: number, right: number): [row: number, col: number] {
    return [down * this.#height, right * this.#width];
  }

  /** The frame never leaves the picture. */
  #centre(row: number, col: number): void {
    const [tall, wide] = [this.#height / this.zoom / 2, this.#width / this.zoom / 2];
    this.#row = Math.min(Math.max(row, tall), this.#height - tall);
    this.#col = Math.min(Math.max(col, wide), this.#width - wide);
  }
}
